"""The panel in JupyterLab's sidebar: opened, asked and left as a person does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.panels import LOAD, Opens, picture
from tests.support.lab import POLLING, READY, Lab, Notebook
from tests.support.scripted_server import ScriptedServer, reply

EXECUTE = "command => window.jupyterapp.commands.execute(command)"
# Runs until a file is there, which ends with the notebook's folder.
BUSY = "import pathlib, time\nwhile not pathlib.Path('{}').exists(): time.sleep(0.05)"
RUNS = (
    "index => window.notebook.content.widgets[index].model.executionState === 'running'"
)
SELECT = """([index, start, end]) => {
    const {content} = window.notebook;
    content.activeCellIndex = index;
    const {editor} = content.activeCell;
    editor.setSelection({start: editor.getPositionAt(start), end: editor.getPositionAt(end)});
}"""
# Whether what widgets say goes past a running cell, which JupyterLab arranges soon after
# they are shown.
HAS_SUBSHELLS = """() => [...window.notebook.sessionContext.session.kernel._comms.values()]
    .every(comm => comm.subshellId !== null)"""
RESTART = "() => window.notebook.sessionContext.restartKernel()"
# Has the kernel say so from now on, and counts the comms that are opened to it.
OTHER_LANGUAGE = """() => {
    const { kernel } = window.notebook.sessionContext.session;
    const info = Promise.resolve({ language_info: { name: 'R' } });
    Object.defineProperty(kernel, 'info', { get: () => info });
    window.opened = 0;
    kernel.anyMessage.connect((_, { msg, direction }) => {
        if (direction === 'send' && msg.content.target_name === 'codebuddy') window.opened += 1;
    });
}"""
ACTIVATE = """name => {
    const {shell} = window.jupyterapp;
    const panel = [...shell.widgets('main')].find(widget => widget.context?.path === name);
    shell.activateById(panel.id);
}"""
LOADED = """() => performance.getEntriesByType('resource')
    .map(entry => new URL(entry.name).pathname)
    .filter(path => path.includes('/codebuddy-jupyter/'))
    .map(path => path.split('/').pop())"""

# The files of the extension that each page loads.
DOOR = {"remoteEntry.js", "plugin.js", "link.js", "links.js", "shared.js"}

BROKEN = "first = 1\nsecond = first / 0"
CODE = "So:\n\n```python\nfirst = 1\nsecond = first / 1\n```\n"
# What the sidebar needs more than it has, in pixels.
EXCESS = """() => Math.max(...[...document.querySelectorAll(
    '#codebuddy-sidebar, #codebuddy-sidebar .codebuddy-panel, #codebuddy-sidebar .cb-bar')]
    .map(element => element.scrollWidth - element.clientWidth))"""
# The sidebar as narrow as JupyterLab lets it be, or as wide as it was.
WIDTH = """width => {
    document.querySelector('#codebuddy-sidebar').style.maxWidth = width;
}"""


@pytest.fixture
def loaded(
    lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer
) -> Opens:
    """Opens a notebook whose first cell loads the extension, and runs it."""

    def open(name: str, *cells: str) -> Notebook:
        load = LOAD.format(url=server.url)
        notebook = opened(lab.write(f"{name}.ipynb", [load, *cells]))
        notebook.run(0)
        return notebook

    return open


def sidebar(page: Page) -> Locator:
    """The part of the sidebar that belongs to the notebook in front."""
    return page.locator("#codebuddy-sidebar .codebuddy-sidebar:visible")


def show(page: Page) -> Locator:
    """Open the sidebar, and wait until its panel can be used."""
    page.evaluate(EXECUTE, "codebuddy:open")
    field = sidebar(page).locator(".cb-input")
    field.wait_for()
    return field


def run_beside(notebook: Notebook) -> Notebook:
    """Run the first two cells, and open the sidebar beside them."""
    notebook.run(0)
    notebook.run(1)
    show(notebook.page)
    return notebook


def answered(page: Page, count: int) -> None:
    """Wait until the panel shows so many answers that have ended."""
    expect(sidebar(page).locator(".cb-foot .cb-line")).to_have_count(count)


def asked(server: ScriptedServer) -> str:
    """What the user asked last, as it was sent."""
    return str(server.asked()[-1]["body"]["messages"][-1]["content"])


def test_the_sidebar_shows_the_conversation_of_the_cells(
    shared_loaded: Opens, server: ScriptedServer
) -> None:
    notebook = shared_loaded("%buddy from the cell")
    page = notebook.page
    field = show(page)
    expect(field).to_be_focused()
    server.script(reply("The first answer."), reply("The second answer."))
    field.fill("from the sidebar")
    field.press("Enter")
    answered(page, 1)
    notebook.run(1)
    answered(page, 2)
    texts = sidebar(page).locator(".cb-turn").all_inner_texts()
    assert ["The first answer." in texts[0], "The second answer." in texts[1]] == [
        True,
        True,
    ]
    assert "from the cell" in texts[1]


def test_a_notebook_that_has_not_loaded_it_is_offered_to(
    lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer
) -> None:
    url = f"import os\nos.environ['CODEBUDDY_BASE_URL'] = {server.url!r}"
    notebook = opened(lab.write("sidebar_load.ipynb", [url]))
    notebook.run(0)
    page = notebook.page
    page.evaluate(EXECUTE, "codebuddy:open")
    expect(sidebar(page)).to_contain_text("has not loaded codebuddy")
    sidebar(page).get_by_role("button", name="Run %load_ext").click()
    sidebar(page).locator(".cb-input").wait_for()
    # Neither a cell nor a number of one was used for it.
    assert page.evaluate("() => window.notebook.content.widgets.length") == 1
    notebook.run(0)
    count = "() => window.notebook.content.widgets[0].model.executionCount"
    assert page.evaluate(count) == 2


def test_it_opens_and_answers_while_a_cell_runs(
    shared_loaded: Opens, lab: Lab, server: ScriptedServer
) -> None:
    end = lab.root / "sidebar_busy.end"
    notebook = shared_loaded(BUSY.format(end.name))
    page = notebook.page
    notebook.begin(1)
    page.wait_for_function(RUNS, arg=1)
    field = show(page)
    page.wait_for_function(HAS_SUBSHELLS, polling=POLLING)
    server.script(reply("While it runs."))
    field.fill("now?")
    field.press("Enter")
    answered(page, 1)
    assert page.evaluate(RUNS, 1)
    end.touch()
    notebook.wait_idle()


def test_it_follows_the_notebook_in_front(
    loaded: Opens, lab: Lab, server: ScriptedServer
) -> None:
    page = loaded("sidebar_first").page
    server.script(reply("Of the first notebook."), reply("Of the second notebook."))
    field = show(page)
    field.fill("first?")
    field.press("Enter")
    answered(page, 1)
    field.fill("a draft")
    other = lab.write("sidebar_second.ipynb", [LOAD.format(url=server.url)])
    page.evaluate(READY, other)
    notebook = Notebook(page)
    notebook.wait_idle()
    expect(sidebar(page)).to_contain_text("has not loaded codebuddy")
    # A cell that loads it is as good as the button.
    notebook.run(0)
    field = sidebar(page).locator(".cb-input")
    field.wait_for()
    field.fill("second?")
    field.press("Enter")
    answered(page, 1)
    expect(sidebar(page)).to_contain_text("Of the second notebook.")
    page.evaluate(ACTIVATE, "sidebar_first.ipynb")
    expect(sidebar(page)).to_contain_text("Of the first notebook.")
    expect(sidebar(page).locator(".cb-input")).to_have_value("a draft")
    expect(sidebar(page)).not_to_contain_text("Of the second notebook.")


def test_after_a_restart_it_says_so_and_keeps_the_draft(loaded: Opens) -> None:
    notebook = loaded("sidebar_restart")
    page = notebook.page
    show(page).fill("not sent yet")
    page.evaluate(RESTART)
    expect(sidebar(page)).to_contain_text("The kernel was restarted.")
    expect(sidebar(page).locator(".cb-input")).to_have_count(0)
    sidebar(page).get_by_role("button", name="Run %load_ext").click()
    expect(sidebar(page).locator(".cb-input")).to_have_value("not sent yet")


def test_after_a_restart_a_kernel_of_another_language_is_asked_once(
    loaded: Opens,
) -> None:
    page = loaded("sidebar_language").page
    show(page)
    page.evaluate(OTHER_LANGUAGE)
    page.evaluate(RESTART)
    expect(sidebar(page)).to_contain_text("codebuddy needs a kernel of Python.")
    # Each request would be followed by another one.
    page.wait_for_timeout(1000)
    assert page.evaluate("() => window.opened") == 1


def test_a_cell_and_a_selection_are_what_is_asked_about(
    shared_loaded: Opens, server: ScriptedServer
) -> None:
    code = "total = 1\nname = f'{total} of all'"
    page = shared_loaded("total = 5", code).page
    server.script(reply("It counts."), reply("A name."))
    page.evaluate(SELECT, [2, 0, 0])
    page.evaluate(EXECUTE, "codebuddy:explain")
    answered(page, 1)
    # The braces are the code's own, though there could be a value for them.
    assert code in asked(server)
    start = code.index("name")
    page.evaluate(SELECT, [2, start, len(code)])
    page.evaluate(EXECUTE, "codebuddy:refactor")
    answered(page, 2)
    assert code[start:] in asked(server)
    assert "total = 1" not in asked(server).split("```python")[-1]
    page.evaluate(EXECUTE, "codebuddy:ask")
    field = sidebar(page).locator(".cb-input")
    expect(field).to_be_focused()
    assert "name = f'{{total} of all'" in field.input_value().replace("}}", "}")


def test_an_error_has_buttons_and_a_question_of_ours_has_none(
    shared_loaded: Opens, server: ScriptedServer
) -> None:
    notebook = shared_loaded("1 / 0", "%buddy why?")
    page = notebook.page
    server.script(reply("Division by zero."), reply("Divide by one."))
    notebook.run(1)
    rows = page.locator(".jp-NotebookPanel:visible .codebuddy-error")
    rows.get_by_role("button", name="explain").click()
    answered(page, 1)
    assert "ZeroDivisionError" in str(server.asked()[-1]["body"])
    rows.get_by_role("button", name="fix").click()
    answered(page, 2)
    assert "ZeroDivisionError" in str(server.asked()[-1]["body"])
    # The traceback looks as before.
    output = page.locator(".jp-OutputArea-output .jp-RenderedText").first
    expect(output).to_have_attribute("data-mime-type", "application/vnd.jupyter.stderr")
    expect(output).to_contain_text("division by zero")


def test_a_page_loads_only_the_door_until_it_is_used(
    lab: Lab, opened_in_new_page: Callable[[str], Notebook], server: ScriptedServer
) -> None:
    # In a page that no test has used before.
    notebook = opened_in_new_page(
        lab.write("sidebar_idle.ipynb", [LOAD.format(url=server.url)])
    )
    notebook.run(0)
    page = notebook.page
    toolbar = page.locator(".jp-NotebookPanel-toolbar:visible")
    toolbar.get_by_title("Ask codebuddy about this notebook").first.wait_for()
    assert set(page.evaluate(LOADED)) == DOOR
    show(page)
    assert set(page.evaluate(LOADED)) > DOOR


def test_two_pages_show_one_conversation_and_a_restart(
    lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer
) -> None:
    path = lab.write("kept_pages.ipynb", [LOAD.format(url=server.url)])
    notebook = opened(path)
    notebook.run(0)
    first, second = notebook.page, opened(path).page
    show(first)
    field = show(second)
    server.script(reply("For both."))
    field.fill("who reads this?")
    field.press("Enter")
    for page in (second, first):
        expect(sidebar(page)).to_contain_text("For both.")
        answered(page, 1)
    field.fill("not sent yet")
    first.evaluate(RESTART)
    for page in (first, second):
        message = sidebar(page).locator(".codebuddy-message")
        expect(message.locator("p")).to_have_text(["The kernel was restarted."])
        load = sidebar(page).get_by_role("button", name="Run %load_ext")
        expect(load).to_be_visible()
        load.click()
        sidebar(page).locator(".cb-input").wait_for()
    expect(field).to_have_value("not sent yet")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_sidebar_is_accessible_and_fits_when_it_is_narrow(
    shared: Opens, server: ScriptedServer, theme: str
) -> None:
    notebook = shared(LOAD.format(url=server.url), BROKEN)
    page = notebook.page
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
        f"JupyterLab {theme}",
    )
    page.evaluate(EXECUTE, "codebuddy:open")
    load = sidebar(page).get_by_role("button", name="Run %load_ext")
    load.wait_for()
    assert violations(page, "#codebuddy-sidebar") == []
    notebook.run(0)
    notebook.run(1)
    field = show(page)
    server.script(reply(CODE))
    field.fill("why?")
    field.press("Enter")
    answered(page, 1)
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_role("button", name="Test connection").wait_for()
    sidebar(page).get_by_role("button", name="Apply the code").click()
    expect(page.locator(".codebuddy-hunk").first).to_be_focused()
    for part in ("#codebuddy-sidebar", ".codebuddy-difference", ".codebuddy-error"):
        assert violations(page, part) == [], part
    page.screenshot(path=picture(f"sidebar-{theme.lower()}"))
    page.evaluate(WIDTH, "280px")
    page.wait_for_function(f"() => ({EXCESS})() <= 1")
    page.locator("#codebuddy-sidebar").screenshot(
        path=picture(f"sidebar-narrow-{theme.lower()}")
    )
    page.evaluate(WIDTH, "")


def violations(page: Page, part: str) -> list[tuple[str, list[str]]]:
    """What axe finds in a part of the page."""
    found = Axe().run(page, context={"include": [[part]]}).response["violations"]
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]
