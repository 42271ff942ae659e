"""Whatever a server does wrong: the cell fails with one line, the text is kept, and the
next question works.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.faults import FAULTS, GOOD, PAUSE, WAIT, raw
from tests.support.kernels import Cell, Kernel
from tests.support.scripted_server import (
    CHAT,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    event,
    hang,
    plain,
    stream,
)

# seconds, by far: a bound for what hangs on a busy machine
MOST = WAIT + PAUSE + 20.0


OURS = {
    "KeyRefused",
    "PromptTooLong",
    "ServerError",
    "NoReply",
    "CutOff",
    "Unreachable",
}


@dataclass
class Desk:
    """A kernel that asks a server, both used for all faults."""

    kernel: Kernel
    server: ScriptedServer
    waits: float = 0.0

    def wait(self, seconds: float) -> None:
        """Wait so long for a first token from now on."""
        if seconds != self.waits:
            self.kernel.good(f"%config LocalProvider.first_token_timeout = {seconds}")
        self.waits = seconds

    def ask(self, prompt: str) -> Cell:
        # An error must not abort the next cell, for which a kernel would take half a
        # second.
        cell = self.kernel.begin(f"%%buddy -n -m llama3\n{prompt}", stop_on_error=False)
        return self.kernel.end(cell, MOST)


@pytest.fixture(scope="module")
def desk(shared: Callable[[], Kernel]) -> Iterator[Desk]:
    """The kernel that the tests share, with short timeouts."""
    with ScriptedServer() as server:
        kernel = shared()
        kernel.good(
            f"import os\nos.environ['CODEBUDDY_BASE_URL'] = {server.url!r}\n"
            "%reload_ext codebuddy_jupyter"
        )
        kernel.good(f"%config LocalProvider.next_token_timeout = {PAUSE}")
        desk = Desk(kernel, server)
        desk.wait(WAIT)
        yield desk


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_in_one_line_and_leaves_nothing_behind(
    desk: Desk, name: str
) -> None:
    fault = FAULTS[name]
    # A busy machine may need longer than that for 100 MB in which there is no token.
    wait = MOST if name.startswith("flood") else WAIT
    desk.wait(wait)
    desk.server.script(fault.answer)
    cell = desk.ask("hello")
    assert cell.status == "error", cell.outputs
    assert cell.reply["ename"] in OURS
    assert cell.error.startswith("buddy: ")
    assert "\n" not in cell.error
    for words in fault.says:
        assert words in cell.error
    shown = "".join(
        output.get("data", {}).get("text/plain", "") for output in cell.outputs
    )
    assert fault.text in shown
    desk.server.script(GOOD)
    again = desk.ask("and now?")
    assert again.status == "ok", again.outputs
    assert again.answer["data"]["text/plain"].startswith("Well again.")


THOUGHTS = (delta("Okay, the user"), delta("…\n</thi"), delta("nk>\n\n"))
PYTHON = "```python\nx = 1\n```\n"
ODD: dict[str, tuple[str, list[Answer], str, str]] = {
    "thoughts that the template opened, as text": (
        "",
        [stream(*THOUGHTS, delta("So it is."), delta(finish="stop"))],
        "So it is.",
        "",
    ),
    "thoughts that the template opened, as json": (
        "-f json ",
        [stream(*THOUGHTS, delta('{"a": 1}'), delta(finish="stop"))],
        '{"a": 1}',
        "",
    ),
    "thoughts that the template opened, as code": (
        "-f code ",
        [stream(*THOUGHTS, delta(PYTHON), delta(finish="stop"))],
        "x = 1",
        "",
    ),
    "a content filter": (
        "",
        [stream(delta("Half"), delta(finish="content_filter"))],
        "Half",
        "cut by the server's content filter",
    ),
    "a limit of another name": (
        "",
        [stream(delta("Half"), delta(finish="model_length"))],
        "Half",
        "cut at its length limit",
    ),
    "an abort": (
        "",
        [stream(delta("Half"), delta(finish="abort"))],
        "Half",
        'ended early: the server says "abort"',
    ),
    "no system role": (
        "-s brief ",
        [as_json({"error": {"message": "System role not supported"}}, 400), GOOD],
        "Well again.",
        "This model accepts no system message",
    ),
}


@pytest.mark.parametrize(
    ("options", "answers", "text", "line"), ODD.values(), ids=ODD.keys()
)
def test_an_odd_answer_is_read_and_its_end_told(
    desk: Desk, options: str, answers: list[Answer], text: str, line: str
) -> None:
    desk.server.script(*answers)
    code = f"%%buddy -n -m odd {options}\nhello"
    cell = desk.kernel.end(desk.kernel.begin(code), MOST)
    assert cell.status == "ok", cell.outputs
    shown = cell.answer["data"]["text/plain"]
    assert shown.startswith(text)
    assert "Okay" not in shown
    assert line in shown


ENDLESS = {
    "no headers": hang(),
    "headers that trickle": raw(
        *(bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 999),
        pause=0.05,
    ),
    "a token a second, then silence": Answer(
        pieces=[(1.0, event(delta("word ")))] * 2, end="hang"
    ),
    "a stream that never stops": Answer(
        # Numbered: one that only repeats itself is stopped.
        pieces=[
            (0.001, event(delta(f"word {number} and ")) * 20)
            for number in range(100_000)
        ]
    ),
    "a line that never ends": Answer(
        pieces=[(0.0, b'data: {"x":"'), *[(0.01, b"x" * 1000)] * 100_000]
    ),
    "a pause between two tries": plain("", status=429, **{"Retry-After": "300"}),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_what_does_not_end_can_be_stopped(desk: Desk, answer: Answer) -> None:
    desk.wait(600)
    desk.kernel.good("%config LocalProvider.next_token_timeout = 600")
    desk.server.requests.clear()
    desk.server.script(answer)
    cell = desk.kernel.begin("%%buddy -n -m llama3\nhello", stop_on_error=False)
    desk.server.wait_for("arrived", CHAT)
    time.sleep(0.3)
    desk.kernel.interrupt()
    desk.kernel.end(cell, MOST)
    assert cell.reply["ename"] == "Stopped"
    assert cell.error.startswith("buddy: Stopped.")
    desk.server.wait_for("ended" if answer.status == 429 else "closed", CHAT)
    desk.server.script(GOOD)
    assert desk.ask("and now?").answer["data"]["text/plain"].startswith("Well again.")
