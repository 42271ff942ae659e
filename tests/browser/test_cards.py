"""Proposals in the panel of a real page: each click counts once, for what was shown, and
the notebook is changed in one step or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from codebuddy_jupyter.tools.proposals import NOT_SHOWN
from codebuddy_jupyter.tools.server.address_file import PREFIX
from tests.browser.panels import LOAD, Opens, shown
from tests.browser.test_apply import COUNT, PLACE, SET_SOURCE, SOURCE, UNDO, notice
from tests.browser.test_sidebar import answered, run_beside, sidebar
from tests.browser.test_sidebar import show as show_sidebar
from tests.browser.test_sidebar_kept import reload
from tests.support.fakes import eventually
from tests.support.lab import READY, Lab, Notebook
from tests.support.mcp_clients import address_in, head, request, sent
from tests.support.scripted_server import ScriptedServer, reply

CLICK = "\n%config Buddy.proposals = 'click'\n%config Buddy.read_ahead = 'off'"
OLD = "rows = [1, 2]\ntotal = sum(rows)"
NEW = "rows = [1, 2]\ntotal = max(rows) * 21\ntotal"
CHANGE = {"look": "propose_edit", "cell": 2, "code": NEW}
SECOND = {"look": "propose_cell", "code": "print('second')", "after": 0}
NOTHING = {"look": "explain"}
# The notebook of tests that open it once more, or serve it.
OWN = "cards.ipynb"
TWICE = "element => { element.click(); element.click(); }"
CELLS = (
    "() => window.notebook.content.widgets.map(cell => cell.model.sharedModel.source)"
)
# Has the extension run a cell that has this text, as the panel does.
RUN_CELL = """([index, source]) => {
    const cell = window.notebook.content.widgets[index].model.id;
    const detail = {cell, source, done: () => { window.isDone = true; }};
    const panel = document.querySelector('#codebuddy-sidebar .codebuddy-panel');
    panel.dispatchEvent(new CustomEvent('codebuddy-run-cell', {bubbles: true, detail}));
}"""
# Once asked to, holds back the messages by which the page says which cards it shows.
HOLD = """(() => {
    if (sessionStorage.getItem('hold') === null) return;
    sessionStorage.removeItem('hold');
    window.held = [];
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
        const text = typeof data === 'string' ? data : new TextDecoder().decode(data);
        const isShowed = text.includes('"type":"showed"');
        if (isShowed) window.held.push(() => send.call(this, data));
        else send.call(this, data);
    };
    window.letGo = () => {
        WebSocket.prototype.send = send;
        window.held.forEach(sendIt => sendIt());
    };
})()"""


def cells(server: ScriptedServer) -> list[str]:
    """Load the extension, and have one more cell."""
    return [LOAD.format(url=server.url) + CLICK, OLD]


@pytest.fixture
def ready(shared: Opens, server: ScriptedServer) -> Notebook:
    """A notebook with a cell that has run, and the sidebar."""
    return run_beside(shared(*cells(server)))


@pytest.fixture
def own(
    lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer
) -> Notebook:
    """The same for tests that open it once more, or serve it."""
    return run_beside(opened(lab.write(OWN, cells(server))))


def proposed(page: Page, server: ScriptedServer, *choices: dict[str, Any]) -> Locator:
    """Ask for something that the model proposes; gives the card once the answer has
    ended, which moves the card.
    """
    script = []
    for choice in choices:
        script += [reply(json.dumps(choice)), reply("Done.")]
    server.script(*script)
    turns = sidebar(page).locator(".cb-turn")
    turn = turns.nth(turns.count())
    field = sidebar(page).locator(".cb-input").last
    field.fill("do it in In[2]")
    field.press("Enter")
    card = turn.locator(".cb-card").first
    expect(button(card, "Reject")).to_be_visible()
    expect(turn.locator(".cb-foot .cb-line")).to_have_count(1)
    return card


def button(card: Locator, text: str) -> Locator:
    """A button of a card, by all of its text."""
    return card.locator("button", has_text=re.compile(f"^{text}$"))


def wait_for_cells(page: Page, *sources: str) -> None:
    """Wait until the cells after the one that loads the extension have these texts.

    The card tells a decision before the page that decided has acted on it.
    """
    assert eventually(lambda: page.evaluate(CELLS)[1:] == list(sources))


def press(card: Locator, name: str) -> None:
    """Click twice, as fast as a page can."""
    button(card, name).evaluate(TWICE)


def shown_in_cell(page: Page, card: Locator) -> Locator:
    """Have a change shown in its cell; gives what is shown there."""
    button(card, "Show in the cell").click()
    difference = page.locator(".codebuddy-difference")
    expect(difference.locator(".codebuddy-hunk").first).to_be_focused()
    return difference


def test_run_changes_the_cell_runs_it_once_and_the_next_step_waits(
    ready: Notebook, server: ScriptedServer
) -> None:
    page = ready.page
    card = proposed(page, server, CHANGE, SECOND, NOTHING)
    expect(card).to_contain_text("Proposed: a change of In[2], step 1 of 5")
    expect(card.locator(".cb-added").first).to_have_text("+ total = max(rows) * 21\n")
    before = page.evaluate(COUNT, 1)
    assert page.evaluate(SOURCE, 1) == OLD
    press(card, "Run")
    # The result is told, and the next proposal waits for a click of its own.
    other = sidebar(page).locator(".cb-card").nth(1)
    expect(other).to_contain_text("a new cell, step 2 of 5")
    expect(button(other, "Run")).to_be_visible()
    expect(button(other, "Show in the cell")).to_have_count(0)
    ready.wait_idle()
    assert page.evaluate(SOURCE, 1) == NEW
    assert page.evaluate(COUNT, 1) == before + 1
    assert page.evaluate(CELLS)[1:] == [NEW]
    told = [request["body"]["messages"][-1]["content"] for request in server.asked()]
    assert any("has run" in text and "42" in text for text in told)
    button(card, "Undo").click()
    expect(card).to_contain_text("restored: rows, total")
    # The text of the cell is another step, which the editor undoes.
    page.evaluate(UNDO, 1)
    assert page.evaluate(SOURCE, 1) == OLD


def test_a_change_shown_in_its_cell_is_decided_there_once(
    ready: Notebook, server: ScriptedServer
) -> None:
    page = ready.page
    card = proposed(page, server, CHANGE, NOTHING)
    before = page.evaluate(COUNT, 1)
    difference = shown_in_cell(page, card)
    assert page.evaluate(PLACE) == 1
    expect(difference).to_contain_text("Proposed: a change of In[2], step 1 of 5")
    added = difference.locator(".codebuddy-added")
    expect(added).to_have_text(["+ total = max(rows) * 21", "+ total"])
    choices = ["Replace", "Run", "Reject", "Close"]
    expect(difference.get_by_role("button")).to_have_text(choices)
    # No key decides, and to close it decides nothing.
    for key in ("a", "A", "r", "Escape"):
        page.keyboard.press(key)
    expect(difference).to_have_count(0)
    assert page.evaluate(CELLS)[1:] == [OLD]
    expect(button(card, "Run")).to_be_visible()
    press(shown_in_cell(page, card), "Run")
    expect(card).to_contain_text("It has run.")
    expect(difference).to_have_count(0)
    answered(page, 2)
    ready.wait_idle()
    assert page.evaluate(CELLS)[1:] == [NEW]
    assert page.evaluate(COUNT, 1) == before + 1


def test_what_the_cell_shows_closes_with_the_card(
    own: Notebook,
    lab: Lab,
    opened: Callable[[str], Notebook],
    server: ScriptedServer,
) -> None:
    page = own.page
    card = proposed(page, server, CHANGE, NOTHING)
    difference = shown_in_cell(page, card)
    # What is edited is not what is shown.
    button(card, "Edit").click()
    expect(difference).to_have_count(0)
    expect(button(card, "Show in the cell")).to_have_count(0)
    card = proposed(page, server, CHANGE)
    difference = shown_in_cell(page, card)
    second = opened(OWN).page
    show_sidebar(second)
    twin = sidebar(second).locator(".cb-card").nth(1)
    button(twin, "Reject").click()
    expect(card).to_contain_text("Rejected.")
    expect(difference).to_have_count(0)
    expect(card).to_be_focused()
    assert page.evaluate(CELLS)[1:] == [OLD]


def test_another_conversation_leaves_nothing_in_the_cell(
    ready: Notebook, server: ScriptedServer
) -> None:
    page = ready.page
    difference = shown_in_cell(page, proposed(page, server, CHANGE, NOTHING))
    sidebar(page).get_by_role("button", name="New conversation").click()
    expect(sidebar(page).locator(".cb-card")).to_have_count(0)
    expect(difference).to_have_count(0)


def test_in_a_cell_that_changed_meanwhile_nothing_is_replaced(
    ready: Notebook, server: ScriptedServer
) -> None:
    page = ready.page
    card = proposed(page, server, CHANGE, NOTHING)
    page.evaluate(SET_SOURCE, [1, "mine = 1"])
    # It would be shown as a change of another text.
    button(card, "Show in the cell").click()
    expect(card).to_contain_text("The cell has changed since")
    expect(page.locator(".codebuddy-difference")).to_have_count(0)
    page.evaluate(SET_SOURCE, [1, OLD])
    difference = shown_in_cell(page, card)
    page.evaluate(SET_SOURCE, [1, "mine = 2"])
    press(difference, "Replace")
    expect(difference).to_have_count(0)
    expect(card).to_contain_text("The cell has changed since")
    expect(card.get_by_role("button")).to_have_count(0)
    assert page.evaluate(CELLS)[1:] == ["mine = 2"]


def test_a_reloaded_page_decides_what_it_has_shown_again_and_runs_nothing_by_itself(
    own: Notebook, server: ScriptedServer
) -> None:
    page = own.page
    proposed(page, server, CHANGE, NOTHING)
    page.evaluate("() => window.notebook.context.save()")
    before = page.evaluate(COUNT, 1)
    page.add_init_script(HOLD)
    page.evaluate("() => { sessionStorage.setItem('hold', ''); }")
    reload(page)
    page.evaluate(READY, OWN)
    card = sidebar(page).locator(".cb-card")
    expect(button(card, "Run")).to_be_visible()
    own.wait_idle()
    assert (page.evaluate(CELLS)[1:], page.evaluate(COUNT, 1)) == ([OLD], before)
    # The kernel knows only that an earlier page has shown it.
    page.wait_for_function("() => window.held.length > 0")
    button(card, "Run").click()
    expect(sidebar(page)).to_contain_text(NOT_SHOWN)
    own.wait_idle()
    assert (page.evaluate(CELLS)[1:], page.evaluate(COUNT, 1)) == ([OLD], before)
    page.evaluate("() => window.letGo()")
    button(card, "Run").click()
    expect(card).to_contain_text("It has run.")
    answered(page, 2)
    own.wait_idle()
    assert page.evaluate(CELLS)[1:] == [NEW]
    assert page.evaluate(COUNT, 1) == before + 1


def test_a_cell_that_changed_meanwhile_stays_as_it_is(
    ready: Notebook, server: ScriptedServer
) -> None:
    page = ready.page
    card = proposed(page, server, CHANGE, NOTHING)
    page.evaluate(SET_SOURCE, [1, "mine = 1"])
    press(card, "Run")
    expect(card).to_contain_text("The cell has changed since")
    expect(card.get_by_role("button")).to_have_count(0)
    assert page.evaluate(CELLS)[1:] == ["mine = 1"]
    # Nor is it run where it changes between the click and the run.
    before = page.evaluate(COUNT, 1)
    page.evaluate(RUN_CELL, [1, NEW])
    notice(page, "The cell has changed meanwhile, so it was not run.")
    assert page.evaluate(COUNT, 1) == before
    page.evaluate(RUN_CELL, [1, "mine = 1"])
    page.wait_for_function("() => window.isDone")
    assert page.evaluate(COUNT, 1) == before + 1


def test_rejected_and_edited_proposals(ready: Notebook, server: ScriptedServer) -> None:
    page = ready.page
    card = proposed(page, server, CHANGE, NOTHING)
    press(card, "Reject")
    expect(card).to_contain_text("Rejected.")
    assert page.evaluate(CELLS)[1:] == [OLD]
    card = proposed(page, server, SECOND)
    button(card, "Edit").click()
    card.locator("textarea").fill("print('edited')")
    press(card, "Insert")
    expect(card).to_contain_text("Put into the notebook.")
    wait_for_cells(page, OLD, "print('edited')")
    ready.wait_idle()
    # The second click has put in no second cell.
    assert page.evaluate(CELLS)[1:] == [OLD, "print('edited')"]
    assert page.evaluate(COUNT, 2) is None


def test_of_two_pages_the_one_that_was_clicked_acts(
    own: Notebook,
    lab: Lab,
    opened: Callable[[str], Notebook],
    server: ScriptedServer,
) -> None:
    first = own.page
    card = proposed(first, server, CHANGE, NOTHING)
    second = opened(OWN).page
    show_sidebar(second)
    twin = sidebar(second).locator(".cb-card").first
    expect(button(twin, "Reject")).to_be_visible()
    button(twin, "Replace").click()
    expect(card).to_contain_text("Put into the notebook.")
    expect(card.get_by_role("button")).to_have_count(0)
    expect(twin).to_contain_text("Put into the notebook.")
    assert first.evaluate(SOURCE, 1) == OLD
    second.wait_for_function(f"text => ({SOURCE})(1) === text", arg=NEW)


def agent(lab: Lab, tool: str, **arguments: Any) -> str:
    """What a tool of the served notebook tells an agent."""
    (file,) = (lab.home / "jupyter_runtime_dir").glob(f"{PREFIX}*.json")
    address = address_in(file)
    call = {"name": tool, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    # The SDK's client needs an event loop, which Playwright has in this thread.
    status, body = sent(address.port, request(head(address), message))
    assert status == 200
    return str(json.loads(body)["result"]["content"][0]["text"])


def test_an_agent_is_told_what_became_of_its_proposal(own: Notebook, lab: Lab) -> None:
    page = own.page
    page.evaluate(SET_SOURCE, [1, "%buddy /serve --propose --values"])
    own.run(1)
    text = agent(lab, "propose_cell", code="print(6 * 7)")
    (id,) = re.findall(r"proposal\(id='(\w+)'\)", text)
    assert agent(lab, "proposal", id=id).startswith("waiting: ")
    card = sidebar(page).locator(".cb-card")
    press(card, "Run")
    expect(card).to_contain_text("It has run.")
    own.wait_idle()
    told = agent(lab, "proposal", id=id)
    assert told.startswith("ran: ")
    assert "42" in told


def test_without_the_extension_nothing_can_be_run_from_the_panel(
    lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer
) -> None:
    notebook = shown(lab, opened, server, "cards_alone", [CLICK.strip(), OLD])
    page = notebook.page
    notebook.run(2)
    notebook.run(3)
    server.script(reply(json.dumps(SECOND)), reply("Done."))
    page.locator(".cb-input").last.fill("do it")
    page.locator(".cb-input").last.press("Enter")
    card = page.locator(".cb-card")
    expect(card).to_contain_text("Only JupyterLab with codebuddy's extension")
    expect(card.get_by_role("button")).to_have_text(["Insert", "Edit", "Reject"])
    expect(page.locator(".cb-foot .cb-line")).to_have_count(1)
    press(card, "Insert")
    expect(card).to_contain_text("Put into the notebook.")
    assert eventually(
        lambda: page.evaluate(CELLS)[2:] == [CLICK.strip(), OLD, "print('second')"]
    )
