"""A scripted server that answers each question by what it says, and shows how many it
had at a time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from tests.support.scripted_server import (
    CHAT,
    MODELS,
    NOT_FOUND,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    model_list,
    stream,
    usage,
)


def said(text: str, wait: float = 0.0) -> Answer:
    """A good reply in one piece."""
    return stream(delta(text, finish="stop"), usage(7, len(text.split())), wait=wait)


class MapServer(ScriptedServer):
    """The server.

    Parameters
    ----------
    slots
        How many requests it tells that it takes at a time, as llama.cpp does; None: it
        is of no known kind.
    seconds
        How long each answer takes.
    """

    def __init__(self, slots: int | None = None, seconds: float = 0.0) -> None:
        super().__init__()
        self.slots = slots
        self.seconds = seconds
        self.say: Callable[[str], str | Answer] = lambda prompt: "yes"
        self.questions: list[str] = []
        self.asked_once = threading.Event()

    def most_at_once(self) -> int:
        """The most requests that it had at a time."""
        return most_at_once(self.asked())

    def _next(self, path: str) -> Answer:
        if path == CHAT and CHAT not in self._scripts:
            return self._answer_to(self.requests[-1]["body"])
        if self.slots is None:
            return super()._next(path)
        if path == MODELS:
            return model_list("llama3", owned_by="llamacpp")
        if path.partition("?")[0] == "/props":
            settings = {"n_ctx": 4096}
            return as_json(
                {
                    "total_slots": self.slots,
                    "default_generation_settings": settings,
                    "build_info": "b1",
                }
            )
        return NOT_FOUND

    def _answer_to(self, body: Any) -> Answer:
        question = str(body["messages"][-1]["content"])
        self.questions.append(question)
        self.asked_once.set()
        answer = self.say(question)
        return said(answer, self.seconds) if isinstance(answer, str) else answer


class MapServerProcess:
    """The server as a process of its own, which says the last word of each question."""

    def __init__(self, slots: int, seconds: float) -> None:
        command = [sys.executable, "-m", "tests.support.map_server"]
        self._process = subprocess.Popen(
            [*command, str(slots), str(seconds)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._root = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self.url = f"{self._root}/v1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill it, as by ``kill -9``."""
        self._process.kill()
        self._process.wait(10)

    def questions(self) -> list[dict[str, Any]]:
        """What it noted of each question."""
        with urllib.request.urlopen(f"{self._root}/_log", timeout=30) as response:
            records = json.load(response)["requests"]
        return [record for record in records if record["path"] == CHAT]


def most_at_once(records: Sequence[Mapping[str, Any]]) -> int:
    """The most of these requests that were there at a time."""
    moments: list[tuple[float, int]] = []
    for record in records:
        end = record["ended"] or record["closed"] or float("inf")
        moments += [(record["arrived"], 1), (end, -1)]
    most = now = 0
    for _, change in sorted(moments):
        now += change
        most = max(most, now)
    return most


def main() -> None:
    """Run the server until it is killed, or nobody reads its output any more."""
    slots, seconds = int(sys.argv[1]), float(sys.argv[2])
    with MapServer(slots, seconds) as server:
        server.say = lambda prompt: prompt.split()[-1]
        print(server.port, flush=True)
        server._thread.join()


if __name__ == "__main__":
    main()
