"""A server on loopback that a page must not fetch from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Recorder:
    """A server on loopback that keeps the paths it was asked for."""

    port: int = 0
    paths: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[Recorder]:
        paths = self.paths

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                paths.append(self.path)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield self
        server.shutdown()
        thread.join(10)
        server.server_close()
