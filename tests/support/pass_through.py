"""Stands between a buddy and a real engine, and remembers what was asked and what the
engine told of its work.

It hands an answer on when it is whole, so that whoever has the answer finds it
remembered.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from codebuddy_jupyter.providers.embedded.engine import Engine

# seconds that the engine may be silent on a busy machine
PATIENCE = 60.0
# each of the two connections has its own
DROPPED = {"connection", "content-length", "transfer-encoding"}


@dataclass(frozen=True)
class Exchange:
    """A question and how the engine answered: the status, and the last of its chunks
    with ``usage`` or ``timings``.
    """

    body: Mapping[str, Any]
    status: int
    last: Mapping[str, Any] = field(default_factory=dict)

    @property
    def evaluated(self) -> int:
        """Tokens of the prompt that the engine had to evaluate."""
        return int(self.last["timings"]["prompt_n"])

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the whole prompt."""
        return int(self.last["usage"]["prompt_tokens"])


class PassThrough(ThreadingHTTPServer):
    """A server on loopback that hands everything on to an engine; ``with
    PassThrough(engine) as passed``.
    """

    daemon_threads = True

    def __init__(self, engine: Engine) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.engine = engine
        self.exchanges: list[Exchange] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: PassThrough

    def do_GET(self) -> None:
        self._pass(None)

    def do_POST(self) -> None:
        self._pass(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _pass(self, body: bytes | None) -> None:
        engine = http.client.HTTPConnection(
            urlsplit(self.server.engine.url).netloc, timeout=PATIENCE
        )
        try:
            headers = {
                "Authorization": f"Bearer {self.server.engine.key}",
                "Content-Type": "application/json",
            }
            engine.request(self.command, self.path, body, headers)
            response = engine.getresponse()
            said = response.read()
        finally:
            engine.close()
        if body is not None and self.path.endswith("/chat/completions"):
            self.server.exchanges.append(
                Exchange(json.loads(body), response.status, _last(said))
            )
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in DROPPED:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


def _last(said: bytes) -> dict[str, Any]:
    """What the chunks with usage or timings tell, later ones first."""
    told: dict[str, Any] = {}
    for line in said.split(b"\n"):
        if line.startswith(b"data: {"):
            chunk = json.loads(line.removeprefix(b"data: "))
            told |= {
                name: chunk[name] for name in ("usage", "timings") if chunk.get(name)
            }
    return told
