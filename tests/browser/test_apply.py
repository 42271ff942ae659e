"""The code of an answer as a change of a cell: shown, chosen, applied and undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.panels import LOAD, NOT_EDITABLE, TO_MARKDOWN, Opens, make_read_only
from tests.browser.recorder import Recorder
from tests.browser.test_sidebar import answered, run_beside, sidebar
from tests.support.attacks import ATTACKS, attack
from tests.support.lab import Lab, Notebook
from tests.support.scripted_server import ScriptedServer, reply

BROKEN = "first = 1\nsecond = first / 0\nthird = 3\nfourth = 4\nlast = second"
MENDED = "first = 2\nsecond = first / 1\nthird = 3\nfourth = 4\nlast = second + 1"
ANSWER = f"So:\n\n```python\n{MENDED}\n```\n"
SOURCE = "index => window.notebook.content.widgets[index].model.sharedModel.source"
SET_SOURCE = """([index, text]) => {
    window.notebook.content.widgets[index].model.sharedModel.setSource(text);
}"""
COUNT = "index => window.notebook.content.widgets[index].model.executionCount"
UNDO = "index => window.notebook.content.widgets[index].model.sharedModel.undo()"
# Has the panel hand over code, as its button does.
APPLY = """code => {
    const panel = document.querySelector('#codebuddy-sidebar .codebuddy-panel');
    const detail = {code, likely: null, ranked: []};
    panel.dispatchEvent(new CustomEvent('codebuddy-apply', {bubbles: true, detail}));
}"""
ACTIVATE = "index => { window.notebook.content.activeCellIndex = index; }"
READ_ONLY = "() => { window.notebook.context.model.readOnly = true; }"
TAGS = """() => [...new Set([...document.querySelectorAll('.codebuddy-difference *')]
    .map(element => element.localName))].sort()"""
# The number of the cell in which the difference stands, and the texts of the choices.
PLACE = """() => window.notebook.content.widgets
    .findIndex(cell => cell.node.querySelector('.codebuddy-difference'))"""
CHOICES = """() => [...document.querySelector('.codebuddy-cells').options]
    .map(option => option.text)"""
WATCH = "() => { window.ran = []; window.pwned = name => { window.ran.push(name); }; }"
HIDDEN = "x = 'a\u202eb\u200bc\U000e0041'"


def cells(server: ScriptedServer) -> list[str]:
    """Load the extension, fail, and have one more cell."""
    return [LOAD.format(url=server.url), BROKEN, "after = 1"]


@pytest.fixture
def broken(shared: Opens, server: ScriptedServer) -> Notebook:
    """A notebook with a cell that has failed, and the sidebar."""
    return run_beside(shared(*cells(server)))


@pytest.fixture
def protected(
    lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer
) -> Notebook:
    """The same for tests that have it become read-only."""
    return run_beside(opened(lab.write("apply_protected.ipynb", cells(server))))


def fix(page: Page) -> Locator:
    """Press Fix at the error, then Apply at the answer; gives the difference."""
    page.locator(".codebuddy-error:visible").get_by_role("button", name="fix").click()
    answered(page, 1)
    sidebar(page).get_by_role("button", name="Apply the code").click()
    difference = page.locator(".codebuddy-difference")
    expect(difference.locator(".codebuddy-hunk").first).to_be_focused()
    return difference


def notice(page: Page, text: str) -> None:
    """Wait for a notification."""
    page.locator(".Toastify__toast", has_text=text).last.wait_for()


def test_after_fix_the_failed_cell_is_changed_in_one_step_and_not_run(
    broken: Notebook, server: ScriptedServer
) -> None:
    server.script(reply(ANSWER))
    page = broken.page
    before = page.evaluate(COUNT, 1)
    difference = fix(page)
    # In the cell that failed, whichever is selected.
    cell = page.locator(".jp-NotebookPanel:visible .jp-CodeCell").nth(1)
    assert cell.locator(".codebuddy-difference").count() == 1
    expect(difference.locator(".codebuddy-hunk")).to_have_count(2)
    assert page.evaluate(SOURCE, 1) == BROKEN
    difference.get_by_role("button", name="Accept all changes").click()
    expect(difference).to_have_count(0)
    assert page.evaluate(SOURCE, 1) == MENDED
    page.evaluate(UNDO, 1)
    assert page.evaluate(SOURCE, 1) == BROKEN
    broken.wait_idle()
    assert page.evaluate(COUNT, 1) == before


def test_changes_are_accepted_and_rejected_one_by_one_by_key(
    broken: Notebook, server: ScriptedServer
) -> None:
    server.script(reply(ANSWER))
    page = broken.page
    difference = fix(page)
    expect(difference.locator(".codebuddy-hunk").first).to_be_focused()
    cells = "() => window.notebook.content.widgets.length"
    count = page.evaluate(cells)
    page.keyboard.press("r")
    expect(difference.locator(".codebuddy-hunk").nth(1)).to_be_focused()
    page.keyboard.press("a")
    expect(difference).to_have_count(0)
    assert page.evaluate(SOURCE, 1) == BROKEN + " + 1"
    # A and other keys of JupyterLab did nothing, and the editor has the focus.
    assert page.evaluate(cells) == count
    page.keyboard.press("Control+z")
    page.wait_for_function(f"text => ({SOURCE})(1) === text", arg=BROKEN)


def test_all_rejected_or_closed_changes_nothing(
    broken: Notebook, server: ScriptedServer
) -> None:
    server.script(reply(ANSWER))
    page = broken.page
    difference = fix(page)
    page.keyboard.press("r")
    expect(difference.locator(".codebuddy-hunk").nth(1)).to_be_focused()
    page.keyboard.press("r")
    expect(difference).to_have_count(0)
    sidebar(page).get_by_role("button", name="Apply the code").click()
    expect(difference.locator(".codebuddy-hunk").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(difference).to_have_count(0)
    assert page.evaluate(SOURCE, 1) == BROKEN


def test_a_cell_that_changed_meanwhile_is_compared_again(
    broken: Notebook, server: ScriptedServer
) -> None:
    server.script(reply(ANSWER))
    page = broken.page
    difference = fix(page)
    page.evaluate(SET_SOURCE, [1, f"# mine\n{BROKEN}"])
    difference.get_by_role("button", name="Accept all changes").click()
    expect(difference).to_contain_text("has changed meanwhile")
    expect(difference).to_contain_text("# mine")
    assert page.evaluate(SOURCE, 1) == f"# mine\n{BROKEN}"
    difference.get_by_role("button", name="Close").click()


def refused(page: Page, reason: str) -> None:
    """Expect that a difference is shown, that it says why it cannot be applied, and that
    neither a button nor a key applies it.
    """
    difference = page.locator(".codebuddy-difference")
    expect(difference).to_contain_text(reason)
    expect(difference.locator(".codebuddy-hunk").first).to_be_focused()
    before = page.evaluate(SOURCE, page.evaluate(PLACE))
    expect(difference.get_by_role("button")).to_have_text(["Close"])
    for key in ("a", "A", "r"):
        page.keyboard.press(key)
    assert page.evaluate(SOURCE, page.evaluate(PLACE)) == before
    page.keyboard.press("Escape")
    expect(difference).to_have_count(0)


def test_where_nothing_can_be_applied_the_reason_is_told(
    protected: Notebook,
) -> None:
    page = protected.page
    page.evaluate(ACTIVATE, 2)
    page.evaluate(APPLY, "after = 1")
    difference = page.locator(".codebuddy-difference")
    expect(difference).to_contain_text("already has this code")
    expect(difference.get_by_role("button", name="Close")).to_be_focused()
    page.evaluate(NOT_EDITABLE, 2)
    page.evaluate(APPLY, "after = 2")
    refused(page, "The cell is read-only.")
    page.evaluate(ACTIVATE, 1)
    page.evaluate(READ_ONLY)
    page.evaluate(APPLY, "after = 4")
    refused(page, "The notebook is read-only")


def test_in_a_file_that_cannot_be_written_nothing_is_applied(
    protected: Notebook, server: ScriptedServer
) -> None:
    server.script(reply(ANSWER))
    page = protected.page
    make_read_only(page)
    fix(page)
    assert page.evaluate(PLACE) == 1
    refused(page, "The notebook is read-only")


def test_a_markdown_cell_is_not_changed(broken: Notebook) -> None:
    page = broken.page
    page.evaluate(TO_MARKDOWN, 1)
    page.evaluate(APPLY, MENDED)
    difference = page.locator(".codebuddy-difference")
    expect(difference).to_contain_text("The selected cell has no code.")
    assert page.evaluate(PLACE) != 1
    assert not any("first = 1" in choice for choice in page.evaluate(CHOICES))
    for index in (0, 2):
        page.evaluate(TO_MARKDOWN, index)
    page.evaluate(APPLY, MENDED)
    notice(page, "no cell that this code could change")


def test_another_cell_is_chosen_and_the_likeliest_come_first(
    broken: Notebook, server: ScriptedServer
) -> None:
    server.script(reply(ANSWER))
    page = broken.page
    page.evaluate(SET_SOURCE, [2, "third = 3"])
    difference = fix(page)
    first, second, third = page.evaluate(CHOICES)
    assert (first, second) == ("[2] first = 1", "[ ] third = 3")
    assert third.startswith("[1] ")
    difference.get_by_label("Cell to change").select_option(label=second)
    page.wait_for_function(f"() => ({PLACE})() === 2")
    difference.get_by_role("button", name="Accept all changes").click()
    expect(difference).to_have_count(0)
    assert [page.evaluate(SOURCE, index) for index in (1, 2)] == [BROKEN, MENDED]


def test_attacks_in_a_difference_are_shown_and_do_nothing(
    broken: Notebook, recorder: Recorder
) -> None:
    page = broken.page
    page.evaluate(WATCH)
    address = f"http://127.0.0.1:{recorder.port}"
    attacks = [
        attack(name, f"pwned({n})", f"{address}/{n}")
        .encode("utf-8", "replace")
        .decode()
        for n, name in enumerate(ATTACKS)
    ]
    half = len(attacks) // 2
    page.evaluate(SET_SOURCE, [2, "\n".join(attacks[:half])])
    page.evaluate(ACTIVATE, 2)
    page.evaluate(APPLY, "\n".join([*attacks[half:], HIDDEN]))
    difference = page.locator(".codebuddy-difference")
    expect(difference).to_contain_text("x = 'a⟨U+202E⟩b⟨U+200B⟩c⟨U+E0041⟩'")
    expect(difference).to_contain_text("<img src=x onerror=pwned(")
    page.wait_for_timeout(500)
    assert page.evaluate("() => window.ran") == []
    assert recorder.paths == []
    tags = ["button", "div", "option", "pre", "select", "span"]
    assert page.evaluate(TAGS) == tags
