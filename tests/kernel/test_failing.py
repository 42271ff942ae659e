"""What goes wrong: the cell fails with one readable line that says what to do next, and
nothing else is lost.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from codebuddy_jupyter.question.prompts import BROKE_OFF
from tests.support.kernels import Kernel
from tests.support.scripted_server import (
    CHAT,
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    event,
    model_list,
    plain,
    question_in,
    reply,
)


def error_of(kernel: Kernel, code: str) -> str:
    """The line that a failing cell shows; it is one line, and the cell has failed."""
    cell = kernel.run(code)
    assert cell.status == "error", cell.outputs
    assert cell.error.startswith("buddy: ")
    assert "\n" not in cell.error
    assert "\x1b" not in cell.error
    return cell.error


TYPED = {
    "unknown option": ("%buddy --temprature 0 hello", "Did you mean --temperature?"),
    "option without value": ("%buddy -t", "-t needs a value"),
    "bad value": ("%buddy -t hot hello", "invalid float value"),
    "value out of bounds": (
        "%buddy -t 7 hello",
        "The temperature must be between 0 and 2, not 7.",
    ),
    "unknown format": (
        "%buddy -f pdf hello",
        "choose one of markdown, text, code, json, html, math.",
    ),
    "field of our own": ("%buddy -o stream=false hello", "the buddy sets that itself"),
    "unknown command": ("%buddy /modles", "Did you mean /models?"),
    "unknown provider": ("%buddy -p olama hello", "There is no provider 'olama'"),
    "no prompt": (
        "%buddy",
        "There is nothing to ask. Type a question: %buddy why is df empty after the merge?",
    ),
    "blank cell": ("%%buddy\n  \n", "There is nothing to ask."),
    "options only": ("%buddy -t 0", "There is nothing to ask."),
    "no such attribute": (
        "n = 1\n%buddy is {n.size} much?",
        "{n.size} cannot be filled: a int has no .size.",
    ),
    "no key": ("%buddy -p openai hello", "OPENAI_API_KEY"),
    "refused setting": (
        '%config Buddy.offline = "yes"',
        "Buddy.offline: it must be True or False, not 'yes'",
    ),
    "misspelt setting": (
        "%config Buddy.ofline = True",
        "Buddy has no setting 'ofline'. Did you mean offline?",
    ),
}


@pytest.mark.parametrize(("code", "line"), TYPED.values(), ids=TYPED)
def test_what_cannot_be_asked_is_told_in_one_line(
    kernel: Kernel, server: ScriptedServer, code: str, line: str
) -> None:
    assert line in error_of(kernel, code)
    assert not server.requests


NOT_FOUND = {
    "error": {
        "message": "model 'nosuch' not found, try pulling it first",
        "type": "api_error",
    }
}
SERVED = {
    "web page": (
        plain("<html><title>Jupyter Server</title></html>", "text/html"),
        "a web page",
        "base_url",
    ),
    "wrong path": (
        plain("404 page not found", status=404),
        "404 page not found",
        "base_url",
    ),
    "unknown model": (as_json(NOT_FOUND, 404), "There is no model 'nosuch'", "llama3"),
    "key wanted": (
        as_json({"error": "no key"}, 401),
        "requires a key",
        "codebuddy key Local",
    ),
    "server's own failure": (
        as_json({"error": {"message": "out of\nmemory\x1b[31m!"}}, 500),
        "out of memory",
        "log",
    ),
    "cut off": (
        Answer(pieces=[(0, event(delta("Half")))], end="drop"),
        "cut off",
        "Ask again",
    ),
    "nothing at all": (Answer(end="drop", framing="close"), "", "base_url"),
}


@pytest.mark.parametrize(("answer", "line", "remedy"), SERVED.values(), ids=SERVED)
def test_what_a_server_does_wrong_is_told_in_one_line(
    kernel: Kernel, server: ScriptedServer, answer: Answer, line: str, remedy: str
) -> None:
    server.script(answer)
    error = error_of(kernel, "%buddy -m nosuch hello")
    assert line in error
    assert remedy in error


def test_a_server_that_is_not_there_is_told_in_one_line(kernel: Kernel) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    kernel.good(f'%config LocalProvider.base_url = "{url}"')
    error = error_of(kernel, "%buddy hello")
    assert f"Nothing answers at {url}" in error
    assert "%config LocalProvider.base_url" in error


class Greeting(socketserver.BaseRequestHandler):
    """What an SSH server says to everybody."""

    def handle(self) -> None:
        self.request.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
        self.request.recv(1000)


@pytest.fixture
def no_http() -> Iterator[str]:
    """The base URL of a port where something else than HTTP is spoken."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as other:
        other.daemon_threads = True
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{other.server_address[1]}/v1"
        other.shutdown()


def test_a_port_that_speaks_no_http_is_told_in_one_line(
    kernel: Kernel, no_http: str
) -> None:
    kernel.good(f'%config LocalProvider.base_url = "{no_http}"')
    assert no_http in error_of(kernel, "%buddy hello")


def test_a_failed_turn_keeps_question_and_partial_answer(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(Answer(pieces=[(0, event(delta("Half of it")))], end="drop"))
    cell = kernel.run("%buddy tell me")
    assert "broke off" in cell.answer["data"]["text/plain"]
    server.script(reply("Well."))
    kernel.good("%buddy and now?")
    question, answer, again = server.asked()[-1]["body"]["messages"][1:]
    assert question_in(question) == "tell me"
    assert answer["content"] == "Half of it"
    assert question_in(again) == f"{BROKE_OFF}\n\nand now?"


def test_the_whole_traceback_is_there_for_who_wants_it(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(as_json({"error": "oh"}, 500))
    kernel.run("%buddy hello")
    told = "\n".join(str(output) for output in kernel.run("%tb").outputs)
    assert "ServerError" in told
    assert "InternalServerError" in told
    assert "direct cause" in told


def test_run_all_stops_at_a_failure(kernel: Kernel) -> None:
    sent = kernel.home / "both cells are sent"
    waits = (
        f"import os, time\nwhile not os.path.exists({str(sent)!r}): time.sleep(0.1)\n"
    )
    cells = [kernel.begin(f"{waits}%buddy --nope"), kernel.begin("print('ran')")]
    sent.touch()
    assert [kernel.end(cell).status for cell in cells] == ["error", "aborted"]


def test_a_failure_can_be_caught(kernel: Kernel, server: ScriptedServer) -> None:
    server.script(as_json({"error": "oh"}, 500))
    cell = kernel.good(
        "import codebuddy_jupyter as buddy\n"
        "try:\n    str(buddy.ask('hello'))\n"
        "except buddy.BuddyError as error:\n    print(type(error).__name__)"
    )
    assert cell.printed == "ServerError\n"


@pytest.mark.parametrize(
    "window", [{"meta": {"n_ctx": 4096}}, {}], ids=["known window", "unknown window"]
)
def test_a_prompt_of_10_mb_is_refused_before_it_is_sent(
    kernel: Kernel, server: ScriptedServer, window: dict[str, Any]
) -> None:
    server.script(model_list("llama3", **window), path=MODELS)
    kernel.good("big = 'data ' * 2_000_000")
    assert "The prompt is too long for llama3: 10,000,008 characters" in error_of(
        kernel, "%buddy look at {big}"
    )
    assert not server.asked(CHAT)


def test_lone_surrogates_do_no_harm(kernel: Kernel, server: ScriptedServer) -> None:
    kernel.good("odd = 'a\\ud800b'")
    kernel.good("%buddy look at {odd}")
    sent = question_in(server.asked()[0]["body"]["messages"][-1])
    assert sent.startswith("look at a")
    assert sent.encode("utf-8").endswith(b"b")


def test_lone_surrogates_from_a_model_do_no_harm(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(
        Answer(
            pieces=[
                (
                    0,
                    (
                        b"data: "
                        b'{"choices":[{"index":0,"delta":{"content":"a\\ud800b"},"finish_reason":"stop"}]}\n'
                        b"\n"
                    ),
                )
            ]
        )
    )
    assert (
        kernel.good("%buddy hello").answer["data"]["text/plain"].startswith("a\ufffdb")
    )
    kernel.good("%buddy and now?")
