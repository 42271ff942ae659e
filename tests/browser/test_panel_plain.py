"""The panel where the front end offers anywidget's interface and nothing else: no
renderer, no notebook, no styles.
"""

from __future__ import annotations

import json
import queue
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from codebuddy_jupyter.widgets.modules import joined_script, joined_styles
from tests.support.attacks import ATTACKS, attack
from tests.support.comms import PageKernel
from tests.support.kernels import SECONDS
from tests.support.scripted_server import ScriptedServer, reply

# nobody is asked for it, the test answers; no safe context, so no clipboard
ADDRESS = "http://plain.invalid/"
ASK = (
    "import codebuddy_jupyter as buddy\n"
    "for n in range({}): buddy.ask(f'attack {{n}}', remember=True).result()"
)
# of a fence, which no reader shows
FIRST_LINE = re.compile(r"^[ >]*(?:```|~~~).*", re.MULTILINE)
TAGS = (
    "() => [...new Set([...document.querySelectorAll('.cb-blocks *')].map(element "
    "=> element.localName))]"
)
SHOWN = """() => [...document.querySelectorAll('.cb-settled')].map(settled =>
    [...settled.querySelectorAll('.cb-plain, code')].map(part => part.textContent).join(' '))"""
# Brings each answer into view, where it is drawn.
LOOK = """async () => {
    for (const turn of document.querySelectorAll('.cb-turn')) {
        turn.scrollIntoView();
        await new Promise(resolve => setTimeout(resolve, 50));
    }
}"""
SHOW = """async source => {
    const listeners = new Set();
    const model = {
        on: (name, listener) => listeners.add(listener),
        off: (name, listener) => listeners.delete(listener),
        get: () => undefined,
        send: content => window.toKernel(JSON.stringify(content)),
    };
    window.ran = [];
    window.pwned = name => { window.ran.push(name); };
    window.fromKernel = message => { for (const listener of listeners) listener(message); };
    document.addEventListener('copy', () => { window.copied = document.activeElement.value; });
    const module = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
    const el = document.body.appendChild(document.createElement('div'));
    window.leave = module.default.render({model, el});
}"""
CODE = "if a < b and b > c:\n    print('&lt; is not <', \"**\")\n"
ANSWER = (
    f"First *this*, with a < b & `x`:\n\n```python\n{CODE}```\n\nThen:\n\n~~~\n"
    "ls -l > out\n~~~\n\nThe end.\n"
)


class PlainPage(PageKernel):
    """A kernel, and a plain page in a browser that shows its chat; what one sends
    reaches the other in `until`.
    """

    def show_in(self, page: Page) -> None:
        """Load the panel's own code into the page."""
        self.page = page
        self.fetched: list[str] = []
        self._typed: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        page.route(
            "**/*",
            lambda route: route.fulfill(
                body="<!doctype html><body>", content_type="text/html"
            ),
        )
        page.goto(ADDRESS)
        page.on("request", lambda request: self.fetched.append(request.url))
        page.expose_function("toKernel", lambda text: self._typed.put(json.loads(text)))
        page.add_style_tag(content=joined_styles("base.css", "chat/chat.css"))
        page.evaluate(SHOW, joined_script("chat/view.js"))

    def until(self, found: Callable[[], bool]) -> None:
        """Carry messages both ways until it is so."""
        end = time.monotonic() + SECONDS
        while not found():
            assert time.monotonic() < end, self.page.content()
            while not self._typed.empty():
                message = dict(self._typed.get())
                self.say("chat", message.pop("type"), **message)
            self._carry()

    def answered(self, question: str, count: int) -> None:
        """Ask, and wait for the end of this answer, the first being 1."""
        self.page.locator(".cb-input").fill(question)
        self.page.locator(".cb-input").press("Enter")
        self.until(lambda: self.page.locator(".cb-foot .cb-line").count() == count)

    def _carry(self) -> None:
        try:
            # All that has come, since each call of the page takes its time.
            self._take(self.client.get_iopub_msg(timeout=0.05))
            while True:
                self._take(self.client.get_iopub_msg(timeout=0))
        except queue.Empty:
            self.page.wait_for_timeout(20)
        heard, self.heard = self.heard, []
        for message in heard:
            self.page.evaluate("message => window.fromKernel(message)", message)


@pytest.fixture
def plain(
    browser: Browser, server: ScriptedServer, tmp_path: Path
) -> Iterator[PlainPage]:
    """A plain page with a panel; the server's address is not the page's."""
    with PlainPage(
        Path(sys.executable), tmp_path, copied=True, CODEBUDDY_BASE_URL=server.url
    ) as kernel:
        kernel.good("%load_ext codebuddy_jupyter")
        kernel.open_panel()
        kernel.forget()
        context = browser.new_context()
        kernel.show_in(context.new_page())
        yield kernel
        context.close()


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def test_without_a_renderer_an_answer_is_plain_text_with_its_code_in_boxes(
    plain: PlainPage, server: ScriptedServer
) -> None:
    server.script(reply(ANSWER))
    plain.answered("why?", 1)
    page = plain.page
    assert page.locator(".cb-settled pre").all_text_contents() == [
        CODE,
        "ls -l > out\n",
    ]
    texts = "".join(page.locator(".cb-settled .cb-plain").all_text_contents())
    assert " ".join(texts.split()) == "First *this*, with a < b & `x`: Then: The end."
    assert page.locator(".cb-tail").text_content() == ""
    page.get_by_role("button", name="Copy the code").first.click()
    assert page.evaluate("() => window.copied") == CODE.rstrip("\n")
    # there is no notebook to compare with
    assert page.get_by_role("button", name="Diff").count() == 0
    page.get_by_role("button", name="Insert the code").first.click()
    plain.until(
        lambda: "below the next cell" in (page.locator(".cb-note").text_content() or "")
    )
    page.evaluate("() => window.leave()")
    assert plain.fetched == []


def test_without_a_renderer_attacks_are_shown_and_do_nothing(
    plain: PlainPage, server: ScriptedServer
) -> None:
    attacks = [
        attack(name, f"pwned({n})", f"http://127.0.0.1/{n}")
        .encode("utf-8", "replace")
        .decode()
        for n, name in enumerate(ATTACKS)
    ]
    server.script(*map(reply, attacks))
    plain.answered("<img src=x onerror=pwned('question')>", 1)
    plain.good(ASK.format(len(attacks) - 1))
    page = plain.page
    plain.until(lambda: page.locator(".cb-foot .cb-line").count() == len(attacks))
    page.evaluate(LOOK)
    plain.until(lambda: all(page.evaluate(SHOWN)))
    page.wait_for_timeout(500)
    lacking = {
        name: missing
        for name, text, shown in zip(
            ATTACKS, attacks, page.evaluate(SHOWN), strict=True
        )
        if (
            missing := set(words(unescape(FIRST_LINE.sub("", text))))
            - set(words(unescape(shown)))
        )
        or "<code>" in shown
    }
    assert lacking == {}
    assert page.evaluate("() => window.ran") == []
    assert plain.fetched == []
    assert set(page.evaluate(TAGS)) == {"div", "pre", "code", "button"}
