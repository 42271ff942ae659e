"""The panel under the widget managers that VS Code runs, for ipywidgets 8 and 7, in a
plain page with a real kernel: not in VS Code itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator

from tests.support.attacks import ATTACKS, attack
from tests.support.notebook_kernel import sent
from tests.support.saved_notebooks import code, save
from tests.support.scripted_server import ScriptedServer, begun, reply
from tests.support.vscode import WIDGETS, VsCodePage

HEADING = "The penguins of Palmer Station"
LOADING = "penguins = [1, 2, 3]"
ANSWER = "Use the **mean**:\n\n```python\nsum(penguins) / 3\n```\n\nThat is *all*.\n"
# The answers, as somebody reads them: what VS Code draws is in shadow roots.
TEXTS = """() => [...document.querySelectorAll('.cb-settled')].map(settled =>
    [...settled.querySelectorAll('.cb-shadow')].map(({shadowRoot}) =>
        shadowRoot.querySelector('#preview').innerText.trim()).join('\\n'))"""
# Brings each answer into view, where it is drawn.
LOOK = """async first => {
    for (const turn of [...document.querySelectorAll('.cb-turn')].slice(first - 1)) {
        turn.scrollIntoView();
        await new Promise(resolve => setTimeout(resolve, 20));
    }
}"""
# As most notebooks are higher than a window.
HEIGHT = 12_000
AT_A_TIME = 20
ASK = "for n in range({}, {}): buddy.ask(f'attack {{n}}', remember=True).result()"


@pytest.fixture(
    scope="module", params=WIDGETS, ids=lambda name: f"ipywidgets {WIDGETS[name]}"
)
def shown(
    request: pytest.FixtureRequest,
    browser: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[VsCodePage, ScriptedServer]]:
    """A page in which the panel is open, of a notebook that is saved; and the server."""
    home = tmp_path_factory.mktemp("vscode")
    heading = {
        "cell_type": "markdown",
        "source": f"# {HEADING}",
        "metadata": {},
        "id": "a",
    }
    file = save(home / "penguins.ipynb", heading, code(LOADING, "b"))
    with (
        ScriptedServer() as server,
        VsCodePage(request.param, home, CODEBUDDY_BASE_URL=server.url) as page,
    ):
        page.good(f"__vsc_ipynb_file__ = {str(file)!r}")
        context = browser.new_context(viewport={"width": 900, "height": HEIGHT})
        page.show_in(context.new_page())
        page.run_cell("b", LOADING)
        yield page, server
        context.close()


@pytest.fixture
def page(shown: tuple[VsCodePage, ScriptedServer]) -> VsCodePage:
    return shown[0]


@pytest.fixture
def server(shown: tuple[VsCodePage, ScriptedServer]) -> ScriptedServer:
    """The server that the panel asks; it has forgotten the script of the last test."""
    shown[1].forget()
    return shown[1]


def begin_anew(page: VsCodePage) -> None:
    """Begin a conversation without questions."""
    page.page.get_by_role("button", name="New conversation").click()
    page.until(lambda: page.page.locator(".cb-turn").count() == 0)


def colour(locator: Locator, of: str) -> Any:
    return locator.evaluate(f"element => getComputedStyle(element).{of}")


def test_an_answer_is_drawn_by_the_renderer_of_vs_code(
    page: VsCodePage, server: ScriptedServer
) -> None:
    server.script(reply(ANSWER))
    page.answered("what is the mean?")
    last = page.page.locator(".cb-turn").last
    assert last.locator("strong").text_content() == "mean"
    assert last.locator("pre code.language-python").count() == 1
    assert page.page.evaluate(TEXTS)[-1].splitlines() == [
        "Use the mean:",
        "sum(penguins) / 3",
        "That is all.",
    ]
    # VS Code's styles do not know the panel's buttons, nor the panel's reach theirs.
    row = last.locator(".cb-code")
    assert row.evaluate("row => row.getRootNode() === document")
    assert row.locator("button").all_text_contents() == ["Copy", "Insert below"]
    assert page.page.evaluate("() => window.failed") == []


def test_an_answer_streams_and_can_be_stopped(
    page: VsCodePage, server: ScriptedServer
) -> None:
    server.script(begun("First *words* that come"))
    stop = page.page.get_by_role("button", name="Stop the answer")
    tail = page.page.locator(".cb-turn").last.locator(".cb-tail em")
    page.ask("and then?")
    page.until(lambda: tail.count() == 1 and stop.is_visible())
    stop.click()
    foot = page.page.locator(".cb-turn").last.locator(".cb-foot")
    page.until(lambda: "stopped" in (foot.text_content() or ""))
    server.wait_for("closed")


def test_the_saved_notebook_is_what_a_question_is_asked_about(
    page: VsCodePage, server: ScriptedServer
) -> None:
    begin_anew(page)
    page.answered("what are the headings of this notebook?")
    text = sent(server.asked()[-1])
    assert HEADING in text
    assert LOADING in text


def test_insert_below_is_done_by_the_kernel(
    page: VsCodePage, server: ScriptedServer
) -> None:
    server.script(reply(ANSWER))
    page.answered("what is the mean?")
    page.page.get_by_role("button", name="Insert the code").last.click()
    note = page.page.locator(".cb-note")
    page.until(lambda: "below the next cell" in (note.text_content() or ""))
    payload = page.run_cell("c", "1").reply["payload"]
    assert [one["text"] for one in payload if one["source"] == "set_next_input"] == [
        "sum(penguins) / 3"
    ]


def test_the_colours_are_those_of_the_theme(page: VsCodePage) -> None:
    panel = page.page.locator(".codebuddy-panel")
    dark, light = "rgb(30, 30, 30)", "rgb(212, 212, 212)"
    assert colour(panel, "backgroundColor") == dark
    area = page.page.locator(".cb-input")
    assert (colour(area, "backgroundColor"), colour(area, "color")) == (dark, light)
    assert colour(page.page.locator(".cb-log"), "color") == light


def test_in_a_page_as_high_as_the_notebook_the_panel_stays_low(
    page: VsCodePage,
) -> None:
    box = page.page.locator(".codebuddy-panel").bounding_box()
    assert box is not None
    assert 200 < box["height"] <= 640


def test_the_keys_of_vs_code_reach_it(page: VsCodePage) -> None:
    page.page.locator(".cb-input").focus()
    page.page.evaluate("() => { window.keys = []; }")
    for key in ("F1", "Control+Shift+P", "Control+p", "Control+f", "d"):
        page.page.keyboard.press(key)
    assert page.page.evaluate(
        "() => window.keys.filter(key => !/^(Control|Shift)$/.test(key))"
    ) == ["F1", "P", "p", "f"]
    page.page.locator(".cb-input").fill("")


# One renderer draws for both.
@pytest.mark.parametrize("shown", ["newest"], indirect=True, ids=["ipywidgets 8"])
def test_attacks_do_nothing(page: VsCodePage, server: ScriptedServer) -> None:
    attacks = [
        attack(name, f"pwned({n})", f"http://127.0.0.1/{n}")
        .encode("utf-8", "replace")
        .decode()
        for n, name in enumerate(ATTACKS)
    ]
    server.script(*map(reply, attacks))
    begin_anew(page)
    page.answered("<img src=x onerror=pwned('question')>")
    page.good("import codebuddy_jupyter as buddy")
    lines = page.page.locator(".cb-foot .cb-line")
    drawn = page.page.locator(".cb-shadow")
    # Some at a time, so that each wait is short.
    for first in range(1, len(attacks), AT_A_TIME):
        last = min(first + AT_A_TIME, len(attacks))
        page.good(ASK.format(first, last))
        page.until(lambda: lines.count() == last)  # noqa: B023 - it is called in this round only
        page.page.evaluate(LOOK, first)
        page.until(lambda: drawn.count() >= last)  # noqa: B023 - as above
    assert page.page.evaluate("() => window.ran") == []
    assert page.fetched == []
