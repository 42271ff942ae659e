"""The scripted server as a process of its own, so that its work is not counted as the
client's.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from tests.support import scripted_server
from tests.support.infill import Filled
from tests.support.kinds import Played
from tests.support.scripted_server import CHAT, FOREVER, Answer, hang

SCRIPT = Path(scripted_server.__file__)
# tokens a second
PACE = 100.0
PHASES = {
    "waiting for headers": hang(),
    "before the first token": Answer(pieces=[(FOREVER, b"")]),
    "mid-stream": Answer(tokens=100_000, per_second=PACE),
}


class Server:
    """A running scripted server; all moments are seconds of ``time.monotonic()``, which
    is one for the machine.
    """

    def __enter__(self) -> Self:
        command = [sys.executable, str(SCRIPT), "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._root = (
            f"http://127.0.0.1:{json.loads(self._process.stdout.readline())['port']}"
        )
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    @property
    def url(self) -> str:
        """The base URL, as a client wants it."""
        return f"{self._root}/v1"

    def script(self, *answers: Answer) -> None:
        """Give the next questions these answers, the last one from then on, and forget
        the log.
        """
        self._control("_reset", {})
        self._control("_script", {CHAT: [answer.to_json() for answer in answers]})

    def play(self, kind: Played) -> str:
        """Answer as this kind of server from now on, and forget the log; gives the base
        URL.
        """
        answers = {**kind.answers, kind.chat_path: kind.reply}
        self._control("_reset", {})
        self._control(
            "_script", {path: [answer.to_json()] for path, answer in answers.items()}
        )
        return f"{self._root}{kind.base}"

    def fill(self, kind: Filled, answer: Answer) -> None:
        """Write between two texts as this kind of server from now on, and forget the
        log.
        """
        scripts = {path: [one.to_json()] for path, one in kind.answers.items()}
        scripts[kind.path] = [kind.probe.to_json(), answer.to_json()]
        self._control("_reset", {})
        self._control("_script", scripts)

    def paths(self) -> list[str]:
        """The paths that were asked for since the log was forgotten."""
        return [str(record["path"]) for record in self._control("_log")["requests"]]

    def last(self) -> dict[str, Any]:
        """What the server noted of the latest question:

        ``arrived``, ``first``, ``ended``, ``closed``.
        """
        record: dict[str, Any] = [
            one for one in self._control("_log")["requests"] if one["path"] == CHAT
        ][-1]
        return record

    def count(self, path: str) -> int:
        """How often a path was asked for since the log was forgotten."""
        return self.paths().count(path)

    def wait_for(
        self, moment: str, timeout: float = 10.0, path: str = CHAT, number: int = -1
    ) -> float:
        """Wait until the latest question, or that of this number, has this moment, at
        most ``timeout`` seconds, and give it.
        """
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            asked = [
                one for one in self._control("_log")["requests"] if one["path"] == path
            ]
            asked = asked[number:][:1] if number >= 0 else asked
            if asked and asked[-1][moment] is not None:
                return float(asked[-1][moment])
            time.sleep(0.005)
        raise TimeoutError(
            f"the server saw no question that was {moment} within {timeout} s"
        )

    def _control(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(
            f"{self._root}/{path}", data, timeout=10
        ) as response:
            return json.load(response)


@contextmanager
def deaf_server() -> Iterator[str]:
    """The base URL of a server that takes no connection: who connects waits, for its
    queue is full.
    """
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
