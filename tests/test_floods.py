"""A server that sends more than an answer can be: memory stays bounded, and what was
received is kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.scripted_server import FOREVER, Answer, ScriptedServer, delta, event

# bytes of memory of the client's process
LIMIT = 200e6
# seconds until a client that hangs is ended; not a measure of its speed
TIMEOUT = 150
MILLION = b"x" * 1_000_000

# Asks in a copy of itself for each line of its input, where the system can copy it: to
# import what asks takes longer than most of the floods.
CLIENT = """
import json, os, sys, threading, time
import anyio._backends._asyncio, openai, psutil
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import BuddyError
from codebuddy_jupyter.question.options import Options

def watch():
    global peak
    me = psutil.Process()
    while True:
        peak = max(peak, me.memory_info().rss)
        time.sleep(0.01)

for line in sys.stdin:
    if hasattr(os, "fork") and os.fork():
        os.wait()
        continue
    environment, model = json.loads(line)
    os.environ.update(environment)
    peak = 0
    threading.Thread(target=watch, daemon=True).start()
    buddy = Buddy()
    reply = buddy.ask("hello", Options(model=model) if model else None)
    error = ""
    try:
        reply.result()
    except BuddyError as caught:
        error = f"{type(caught).__name__}: {caught}"
    report = {"peak": peak, "error": error, "characters": len(reply.text)}
    print(json.dumps(report), flush=True)
    buddy.close()
    os._exit(0)
"""

Asks = Callable[..., Mapping[str, Any]]


@pytest.fixture(scope="module" if hasattr(os, "fork") else "function")
def client() -> Iterator[subprocess.Popen[str]]:
    """The process that asks; each test has its own where it cannot be copied."""
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        yield client
        client.kill()


@pytest.fixture
def ask(home: Path, client: subprocess.Popen[str]) -> Asks:
    """Asks a server in a process of its own; gives its report."""

    def ask(server: ScriptedServer, model: str = "") -> Mapping[str, Any]:
        assert client.stdin
        assert client.stdout
        environment = {**os.environ, "CODEBUDDY_BASE_URL": server.url}
        limit = threading.Timer(TIMEOUT, client.kill)
        limit.start()
        print(json.dumps([environment, model]), file=client.stdin, flush=True)
        report: Mapping[str, Any] = json.loads(client.stdout.readline())
        limit.cancel()
        return report

    return ask


# numbered, since an answer that only repeats itself is stopped long before; in large
# pieces, which are parsed sooner
WORDS = [
    " ".join(f"word {number} and {another}" for another in range(300))
    for number in range(50)
]
BLOCK = b"".join(event(delta(text)) for text in WORDS)
THOUGHTS = b"".join(event(delta(reasoning=text)) for text in WORDS)
FLOODS = {
    "one line of 100 MB": (
        Answer(pieces=[(0, b'data: {"x":"')] + [(0, MILLION)] * 100),
        "one event of more than",
    ),
    "lines of 100 MB without an end of the event": (
        Answer(pieces=[(0, b"data: x\n" * 125_000)] * 100),
        "one event of more than",
    ),
    "a stream that never stops": (
        Answer(pieces=[(0, BLOCK)] * 400),
        "sent more than 64 MiB",
    ),
    "a page that never stops": (
        Answer(pieces=[(0, b"x" * 99 + b"\n")] * 10 + [(0, MILLION)] * 200),
        "more than",
    ),
    "an error that never stops": (
        Answer(status=500, pieces=[(0, MILLION)] * 2000, end="hang"),
        "(500)",
    ),
    "reasoning that never stops": (
        Answer(pieces=[(0, THOUGHTS)] * 400),
        "sent more than 64 MiB",
    ),
    "a tool call that never stops": (
        Answer(
            pieces=[
                (
                    0,
                    event(
                        delta(
                            tool_calls=[
                                {"index": 0, "function": {"arguments": "x" * 9000}}
                            ]
                        )
                    )
                    * 9,
                )
            ]
            * 2000
        ),
        "sent more than 64 MiB",
    ),
}


@pytest.mark.parametrize(("answer", "says"), FLOODS.values(), ids=FLOODS)
def test_a_flood_is_stopped_before_it_fills_the_memory(
    ask: Asks, answer: Answer, says: str
) -> None:
    with ScriptedServer() as server:
        server.script(answer)
        report = ask(server, model="llama3")
        assert says in report["error"]
        assert report["peak"] < LIMIT
        server.wait_for("closed")


def test_a_list_of_models_that_never_stops_is_no_list(ask: Asks) -> None:
    with ScriptedServer() as server:
        server.script(
            Answer(pieces=[(0, MILLION)] * 2000 + [(FOREVER, b"")]), path="/v1/models"
        )
        report = ask(server)
        assert "does not list models" in report["error"]
        assert report["peak"] < LIMIT
