"""A server that sends more than an answer can be: memory stays bounded, and what was
received is kept.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripted_server import FOREVER, Answer, ScriptedServer, delta, event

# bytes of memory of the client's process
LIMIT = 200e6
# seconds until a client that hangs is ended; not a measure of its speed
TIMEOUT = 150
MILLION = b"x" * 1_000_000

CLIENT = """
import json, sys, threading, time
import psutil
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import BuddyError
from codebuddy_jupyter.question.options import Options

peak, me = 0, psutil.Process()
def watch():
    global peak
    while True:
        peak = max(peak, me.memory_info().rss)
        time.sleep(0.01)

threading.Thread(target=watch, daemon=True).start()
buddy = Buddy()
reply = buddy.ask("hello", Options(model="llama3"))
error = ""
try:
    reply.result()
except BuddyError as caught:
    error = f"{type(caught).__name__}: {caught}"
print(json.dumps({"peak": peak, "error": error, "characters": len(reply.text)}))
buddy.close()
"""

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
    home: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, says: str
) -> None:
    with ScriptedServer() as server:
        server.script(answer)
        monkeypatch.setenv("CODEBUDDY_BASE_URL", server.url)
        ran = subprocess.run(
            [sys.executable, "-c", CLIENT],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert ran.returncode == 0, ran.stderr
        report = json.loads(ran.stdout)
        assert says in report["error"]
        assert report["peak"] < LIMIT
        server.wait_for("closed")


def test_a_list_of_models_that_never_stops_is_no_list(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer() as server:
        server.script(
            Answer(pieces=[(0, MILLION)] * 2000 + [(FOREVER, b"")]), path="/v1/models"
        )
        monkeypatch.setenv("CODEBUDDY_BASE_URL", server.url)
        code = CLIENT.replace('Options(model="llama3")', "None")
        ran = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert ran.returncode == 0, ran.stderr
        report = json.loads(ran.stdout)
        assert "does not list models" in report["error"]
        assert report["peak"] < LIMIT
