"""A package index on loopback, for pip in a child process, with the faults that indexes
and proxies have.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.providers.embedded import index
from tests.support.engines import PATIENCE

LOGIN_PAGE = b"<!DOCTYPE html><html><title>Log in to the network</title></html>"


def wheel_of(
    name: str, version: str, files: Mapping[str, bytes], *, stored: bool = False
) -> bytes:
    """A wheel with these files; ``stored`` leaves them uncompressed."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    kind = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content = io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(content, "w", method) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", kind)
        archive.writestr(f"{info}/RECORD", "")
    return content.getvalue()


class PackageIndex(ThreadingHTTPServer):
    """Serves wheels as an index does, and remembers what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _IndexPage)
        self.wheels: dict[str, bytes] = {}
        # Where the links of a page lead; empty: to this index.
        self.files_at = ""
        # The wheels that were sent, at least their first half.
        self.sent: list[str] = []
        # Half-way through a wheel, wait for it.
        self.hold: threading.Event | None = None
        self.half_way = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def add(
        self,
        name: str,
        version: str,
        files: Mapping[str, bytes],
        *,
        stored: bool = False,
    ) -> None:
        """Offer a package with these files."""
        file = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        self.wheels[file] = wheel_of(name, version, files, stored=stored)


class _IndexPage(BaseHTTPRequestHandler):
    server: PackageIndex

    def do_GET(self) -> None:
        folder, _, name = self.path.strip("/").partition("/")
        if folder == "simple":
            self._send_links(name)
        else:
            self._send_wheel(name)

    def _send_links(self, name: str) -> None:
        module = name.replace("-", "_")
        found = [file for file in self.server.wheels if file.split("-")[0] == module]
        host = self.server.files_at or self.server.url
        links = [f'<a href="{host}/files/{file}">{file}</a>' for file in found]
        self._start(200 if found else 404, len("".join(links)))
        self.wfile.write("".join(links).encode())

    def _send_wheel(self, name: str) -> None:
        content = self.server.wheels.get(name)
        if content is None:
            self._start(404, 0)
            return
        self.server.sent.append(name)
        self._start(200, len(content))
        half = len(content) // 2
        self.wfile.write(content[:half])
        self.wfile.flush()
        self.server.half_way.set()
        if self.server.hold:
            self.server.hold.wait(PATIENCE)
        self.wfile.write(content[half:])

    def _start(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def package_index() -> Iterator[PackageIndex]:
    """A package index that serves as long as the block runs."""
    with PackageIndex() as served:
        thread = threading.Thread(target=served.serve_forever, args=[0.01], daemon=True)
        thread.start()
        try:
            yield served
        finally:
            if served.hold:
                served.hold.set()
            served.shutdown()


def stand_in_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `stand_in_pip` download in the place of pip, in a tenth of the time."""
    program = str(Path(__file__).with_name("stand_in_pip.py"))
    command = [sys.executable, "-I", "-S", program]
    monkeypatch.setattr(index, "_pip", lambda job: command)


def use_index(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let pip look at this index and nowhere else, whatever this machine's pip does."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
