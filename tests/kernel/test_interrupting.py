"""The stop button, at any moment: the cell ends, the server sees the close, and the
conversation goes on.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from codebuddy_jupyter.chat.reply import STOPPED
from codebuddy_jupyter.question.prompts import BROKE_OFF
from tests.support.kernels import Cell, Kernel, Message
from tests.support.scripted_server import (
    CHAT,
    MODELS,
    Answer,
    ScriptedServer,
    begun,
    delta,
    event,
    hang,
    question_in,
)

SHOWN_STOP = f"buddy: {STOPPED}"


@dataclass(frozen=True)
class Phase:
    """A moment of a request: the cell, what the server does, and the entry of its log
    that shows that the moment has come.
    """

    code: str
    answer: Answer
    path: str = CHAT
    reached: str = "arrived"


PHASES = {
    "while the models are listed": Phase("%buddy hello", hang(), MODELS),
    "before the headers": Phase("%buddy hello", hang()),
    "before the first token": Phase(
        "%buddy hello",
        Answer(pieces=[(0, event(delta("")))], end="hang"),
        reached="first",
    ),
    "mid-stream": Phase("%%buddy\nhello", begun("Once upon"), reached="first"),
    "a value": Phase("import codebuddy_jupyter as buddy\nbuddy.ask('hello')", hang()),
    "text": Phase("import codebuddy_jupyter as buddy\nstr(buddy.ask('hello'))", hang()),
    "pieces": Phase(
        "import codebuddy_jupyter as buddy\nfor piece in buddy.ask('hello'): pass",
        hang(),
    ),
    "a command": Phase("%buddy /models", hang(), MODELS),
}


@pytest.mark.parametrize("phase", PHASES.values(), ids=PHASES)
def test_an_interrupt_ends_cell_and_request(
    kernel: Kernel, server: ScriptedServer, phase: Phase
) -> None:
    server.script(phase.answer, path=phase.path)
    cell = kernel.begin(phase.code)
    server.wait_for(phase.reached, phase.path, seconds=30)
    kernel.interrupt()
    assert kernel.end(cell).status == "error"
    assert cell.error == SHOWN_STOP
    assert server.wait_for("closed", phase.path)
    goes_on(kernel, server, phase.path)


def goes_on(kernel: Kernel, server: ScriptedServer, path: str = CHAT) -> None:
    """The next question works, and its messages are well-formed."""
    server.script(path=path)
    assert (
        "scripted server" in kernel.good("%buddy and now?").answer["data"]["text/plain"]
    )
    messages = server.asked()[-1]["body"]["messages"]
    roles = [message["role"] for message in messages[1:]]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
    assert all(message["content"].strip() for message in messages)


@pytest.fixture
def full() -> Iterator[str]:
    """Yield the base URL of a socket that accepts no connection: connecting hangs."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def test_an_interrupt_while_connecting_ends_the_cell(
    kernel: Kernel, server: ScriptedServer, full: str
) -> None:
    kernel.good("%buddy first, so that everything is there")
    kernel.good(f'%config LocalProvider.base_url = "{full}"')
    cell = kernel.begin("%buddy hello")
    kernel.wait_for(cell, lambda message: "waiting for" in message.markdown)
    kernel.interrupt()
    kernel.end(cell)
    assert cell.error == SHOWN_STOP
    kernel.good(f'%config LocalProvider.base_url = "{server.url}"')
    goes_on(kernel, server)


def stopped_mid_stream(kernel: Kernel, server: ScriptedServer, code: str) -> Cell:
    """A cell that was interrupted after it had shown the first words."""
    server.script(begun("Once upon a time"))
    cell = kernel.begin_cell("asking", code, stdin=True)
    kernel.wait_for(cell, lambda message: "Once upon a time" in message.markdown)
    kernel.interrupt()
    return kernel.end(cell)


@pytest.mark.parametrize(
    "code",
    ["%%buddy\ntell me", "print('before')\n%buddy tell me"],
    ids=["alone", "among others"],
)
def test_what_had_come_is_kept_and_marked(
    kernel: Kernel, server: ScriptedServer, code: str
) -> None:
    cell = stopped_mid_stream(kernel, server, code)
    assert cell.error == SHOWN_STOP
    assert cell.answer["data"]["text/markdown"].startswith(
        "Once upon a time\n\n<small>"
    )
    assert "stopped before its end" in cell.answer["data"]["text/markdown"]
    assert "stopped before its end" in cell.answer["data"]["text/plain"]
    assert cell.answer["metadata"]["codebuddy"]["complete"] is False


def test_the_next_question_tells_the_partial_answer(
    kernel: Kernel, server: ScriptedServer
) -> None:
    stopped_mid_stream(kernel, server, "%buddy tell me")
    goes_on(kernel, server)
    question, answer, following = server.asked()[-1]["body"]["messages"][1:4]
    assert question_in(question) == "tell me"
    assert answer["content"] == "Once upon a time"
    assert following["content"].startswith(BROKE_OFF)


def test_an_awaited_reply_is_stopped_too(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good("import codebuddy_jupyter as buddy")
    server.script(begun("Once upon a time"))
    cell = kernel.begin("await buddy.aask('hello')")
    server.wait_for("first", seconds=30)
    kernel.interrupt()
    assert kernel.end(cell).status == "error"
    assert server.wait_for("closed")
    goes_on(kernel, server)


def test_no_except_exception_swallows_an_interrupt(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good("import codebuddy_jupyter as buddy")
    server.script(hang())
    cell = kernel.begin(
        "for i in range(3):\n"
        "    try:\n        str(buddy.ask('hello'))\n"
        "    except Exception as error:\n        print(error)"
    )
    server.wait_for("arrived", seconds=30)
    kernel.interrupt()
    kernel.end(cell)
    assert cell.error == SHOWN_STOP
    assert len(server.asked()) == 1


def is_over(message: Message) -> bool:
    """Whether a cell tells its error."""
    return message.type == "error"


def is_lost(message: Message) -> bool:
    """Whether Python has dropped an interrupt that came while it removed the lock of an
    import; all that it does is tell.
    """
    text = str(message.content.get("text"))
    return "Exception ignored in" in text and "KeyboardInterrupt" in text


def test_an_interrupt_during_the_first_question_of_a_kernel_harms_nothing(
    fresh: Kernel, server: ScriptedServer
) -> None:
    fresh.good("%load_ext codebuddy_jupyter")
    server.script(hang())
    cell = fresh.begin("print('now', flush=True)\n%buddy hello")
    fresh.wait_for(cell, lambda message: message.type == "stream")
    fresh.interrupt()
    fresh.wait_for(cell, lambda message: is_over(message) or is_lost(message))
    if not any(map(is_over, cell.messages)):
        fresh.interrupt()
    assert fresh.end(cell).status == "error"
    goes_on(fresh, server)


def test_an_interrupt_stops_the_cells_that_wait(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(hang())
    cells = [kernel.begin("%buddy hello"), kernel.begin("print('ran')")]
    server.wait_for("arrived", seconds=30)
    kernel.interrupt()
    assert [kernel.end(cell).status for cell in cells] == ["error", "aborted"]


def test_a_server_that_stops_in_mid_answer_is_noticed(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(begun("Once ```x"))
    cell = kernel.begin("%buddy tell me")
    said = kernel.wait_for(cell, lambda message: "nothing for" in message.markdown)
    assert "s; interrupt to stop" in said.markdown
    assert "Once" in said.markdown
    kernel.interrupt()
    kernel.end(cell)
    assert "nothing for" not in str(cell.outputs)
