"""The package in a real headless marimo: questions, maps and the chat in a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.marimo_app import MarimoApp
from tests.support.scripted_server import ScriptedServer, begun, reply

APP = """
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    import codebuddy_jupyter as buddy
    return buddy, mo


@app.cell
def _(mo):
    again = mo.ui.button(label="Again")
    again
    return (again,)


@app.cell
def _(again, buddy):
    again
    buddy.panel()
    return


@app.cell
def _(buddy):
    buddy.ask("What is a mean?")
    return


@app.cell
def _(buddy):
    str(buddy.map(["good", "bad"], "Is it so?", progress=False))
    return
"""
# A bound for what hangs, not a measure of what is slow, in ms.
WAIT = 60_000
expect.set_options(timeout=WAIT)
ANSWER = "Use the **mean**:\n\n```python\nsum(x) / 3\n```\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
def page(
    browser: Browser,
    server: ScriptedServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Page]:
    """A page with the app, which has run."""
    home = tmp_path_factory.mktemp("marimo")
    with MarimoApp(home, APP, CODEBUDDY_BASE_URL=server.url) as app:
        context = browser.new_context()
        # It looks for fonts and the like elsewhere.
        context.route(
            lambda url: not url.startswith(app.url), lambda route: route.abort()
        )
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.goto(app.url)
        page.locator(".cb-input").wait_for()
        yield page
        context.close()


def ask(page: Page, question: str) -> None:
    page.locator(".cb-input").fill(question)
    page.locator(".cb-input").press("Enter")


def test_questions_and_maps_of_cells_are_answered(page: Page) -> None:
    expect(page.get_by_text("Hello from the scripted server.").first).to_be_visible()
    text = "['Hello from the scripted server.', 'Hello from the scripted server.']"
    expect(page.get_by_text(text)).to_be_visible()


def test_the_chat_answers(page: Page, server: ScriptedServer) -> None:
    server.script(reply(ANSWER))
    ask(page, "what is a mean?")
    turn = page.locator(".cb-turn").last
    expect(turn.locator(".cb-line")).to_contain_text("llama3")
    expect(turn.locator(".cb-settled pre")).to_have_text("sum(x) / 3")
    # No cell of marimo's can be added.
    expect(turn.locator(".cb-code button")).to_have_text(["Copy"])
    # Its styles are in the shadow root of the widget.
    border = "element => getComputedStyle(element).borderTopStyle"
    assert page.locator(".cb-log").evaluate(border) == "solid"


def test_an_answer_streams_and_can_be_stopped(
    page: Page, server: ScriptedServer
) -> None:
    server.script(begun("First words that come"))
    ask(page, "and then?")
    expect(page.locator(".cb-turn").last.locator(".cb-tail")).to_contain_text("First")
    page.get_by_role("button", name="Stop the answer").click()
    expect(page.locator(".cb-turn").last.locator(".cb-line")).to_contain_text("stopped")
    server.wait_for("closed")


def test_what_needs_a_notebook_says_so_in_one_line(
    page: Page, server: ScriptedServer
) -> None:
    server.forget()
    ask(page, "/fix")
    expect(page.locator(".cb-chat .cb-error").last).to_contain_text(
        "There is no code to fix yet."
    )


def test_when_its_cell_runs_again_there_is_a_new_chat(
    page: Page, server: ScriptedServer
) -> None:
    server.forget()
    ask(page, "one?")
    expect(page.locator(".cb-turn").last.locator(".cb-line")).to_contain_text("llama3")
    old = page.locator(".cb-input").element_handle()
    page.get_by_role("button", name="Again", exact=True).click()
    # The old chat is empty for a moment before the new one takes its place.
    page.wait_for_function("old => !old.isConnected", arg=old)
    expect(page.locator(".cb-turn")).to_have_count(0)
    ask(page, "two?")
    expect(page.locator(".cb-turn").last.locator(".cb-line")).to_contain_text("llama3")
    expect(page.locator(".cb-turn")).to_have_count(1)
