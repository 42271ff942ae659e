"""The sidebar with settings of its own, and after a reload."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.panels import LOAD
from tests.browser.test_sidebar import EXECUTE, asked, sidebar
from tests.support.fakes import eventually
from tests.support.lab import POLLING, READY, Lab, Notebook
from tests.support.scripted_server import ScriptedServer, reply

WORKSPACE = """async () => {
    const name = location.pathname.split('/')[3];
    const answer = await fetch(`/lab/api/workspaces/${name}`);
    const { data } = await answer.json();
    return JSON.stringify(data).includes('"current":"codebuddy-sidebar"');
}"""
SOURCES = (
    "() => window.notebook.content.widgets.map(cell => cell.model.sharedModel.source)"
)
BROKEN = "first = 1\nsecond = first / 0"


def reload(page: Page) -> None:
    """Load JupyterLab again as it was left."""
    assert eventually(lambda: page.evaluate(WORKSPACE))
    # JupyterLab opens the notebook of its address last, which could be after the next
    # test has opened one.
    workspace, _, _ = page.url.partition("/tree/")
    page.goto(workspace)
    page.wait_for_function("() => window.jupyterapp !== undefined", polling=POLLING)


def test_an_error_is_answered_in_a_cell_below_where_that_is_set(
    lab: Lab, opened_with_settings: Callable[[str], Notebook], server: ScriptedServer
) -> None:
    path = lab.write("kept_output.ipynb", [LOAD.format(url=server.url), BROKEN, "3"])
    notebook = opened_with_settings(path)
    page = notebook.page
    errors = page.locator(".codebuddy-error:visible")
    # Codebuddy is not loaded yet, which the sidebar offers.
    notebook.run(1)
    errors.get_by_role("button", name="fix").click()
    expect(sidebar(page)).to_contain_text("has not loaded codebuddy")
    assert len(page.evaluate(SOURCES)) == 3
    server.script(reply("Divide by one."), reply("By zero."))
    notebook.run(0)
    notebook.run(1)
    errors.get_by_role("button", name="fix").click()
    output = page.locator(".jp-OutputArea-output")
    expect(output.get_by_text("Divide by one.")).to_be_visible()
    assert page.evaluate(SOURCES)[2] == "%buddy /fix"
    assert "ZeroDivisionError" in asked(server)
    notebook.wait_idle()
    errors.first.get_by_role("button", name="explain").click()
    expect(output.get_by_text("By zero.")).to_be_visible()
    assert "Explain the error" in asked(server)


def test_an_open_sidebar_is_open_again_and_loads_nothing_into_the_kernel(
    lab: Lab, opened_with_settings: Callable[[str], Notebook]
) -> None:
    path = lab.write("kept_open.ipynb", ["import sys"])
    page = opened_with_settings(path).page
    page.evaluate(EXECUTE, "codebuddy:open")
    expect(sidebar(page)).to_contain_text("has not loaded codebuddy")
    reload(page)
    page.locator("#codebuddy-sidebar:visible").wait_for()
    page.evaluate(READY, path)
    expect(sidebar(page)).to_contain_text("has not loaded codebuddy")
    notebook = Notebook(page)
    notebook.wait_idle()
    loaded = "print([name for name in sys.modules if name.startswith('codebuddy')])"
    page.evaluate(
        "code => window.notebook.content.widgets[0].model.sharedModel.setSource(code)",
        f"import sys; {loaded}",
    )
    notebook.run(0)
    assert notebook.outputs(0)[0]["text"].strip() == "[]"
