"""A panel of 200 turns: what the page does for one more does not depend on how many
there are.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from codebuddy_jupyter.chat.store import Store
from codebuddy_jupyter.widgets.conversation import TURNS_IN_FULL
from tests.browser.panels import chats_of, settle, shown
from tests.browser.test_panel import ask
from tests.support.lab import Lab, Notebook
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.stored import ended

TURNS = 200
# turns that are drawn together, when one of them is scrolled to
STEP = 10
DRAWN = (
    "() => [...document.querySelectorAll('.cb-settled')].filter(blocks => "
    "blocks.children.length).length"
)
WATCH = """() => {
    const turns = () => [...document.querySelectorAll('.cb-turn')];
    const before = new Set(turns());
    const counts = window.counts = {old: 0, messages: 0};
    const log = document.querySelector('.cb-log');
    new MutationObserver(records => {
        for (const {target} of records) {
            const element = target.nodeType === 1 ? target : target.parentElement;
            const turn = element?.closest('.cb-turn');
            if (before.has(turn)) counts.old += 1;
        }
    }).observe(log, {subtree: true, childList: true, attributes: true, characterData: true});
    window.notebook.sessionContext.session.kernel.anyMessage.connect((_, {msg, direction}) => {
        if (direction === 'recv' && msg.header.msg_type === 'comm_msg') counts.messages += 1;
    });
}"""


@pytest.fixture
def long(lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer) -> Page:
    """The page of a panel that was opened on a conversation of 200 turns."""
    answer = "\n\n".join(f"Paragraph {n} with `code`." for n in range(10))
    turns = [ended(number, answer) for number in range(TURNS)]
    Store(chats_of(lab), print).restore(
        str(lab.root.resolve() / "long.ipynb"), "long", turns
    )
    notebook = shown(lab, opened, server, "long")
    expect(notebook.page.locator(".cb-turn")).to_have_count(TURNS)
    expect(notebook.page.locator(".cb-turn").last).to_contain_text("Paragraph 9")
    settle(notebook.page)
    return notebook.page


def test_one_more_question_leaves_the_others_alone_and_each_is_asked_for_once(
    long: Page, server: ScriptedServer
) -> None:
    drawn = long.evaluate(DRAWN)
    assert drawn <= TURNS_IN_FULL
    server.script(Answer(tokens=200, per_second=100))
    long.evaluate(WATCH)
    ask(long, "one more")
    expect(long.locator(".cb-turn").last.locator(".cb-line")).to_contain_text(
        "200 tokens"
    )
    counts = long.evaluate("() => window.counts")
    # the last turn of before loses its buttons for Retry and Edit; on a busy machine, the
    # few in view may be drawn only now
    assert counts["old"] < 20
    assert counts["messages"] < 60
    assert long.evaluate(DRAWN) <= drawn + 2
    scroll_through(long)


def scroll_through(page: Page) -> None:
    """Look at all turns, up and down: each is asked for once."""
    page.evaluate(WATCH)
    look_at(page, TURNS // 2)
    assert page.evaluate(DRAWN) < 100
    for index in range(0, TURNS, STEP):
        look_at(page, index)
    told = page.evaluate("() => window.counts.messages")
    assert told < TURNS
    for index in range(TURNS - STEP, -1, -STEP):
        look_at(page, index)
    assert page.evaluate("() => window.counts.messages") < told + 20


def look_at(page: Page, index: int) -> None:
    """Scroll to a turn, and wait until it is drawn."""
    page.locator(".cb-turn").nth(index).evaluate("turn => turn.scrollIntoView()")
    expect(page.locator(".cb-turn").nth(index)).to_contain_text("Paragraph 9")
