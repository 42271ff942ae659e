"""Models from an address on loopback, and from other folders."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.providers.embedded.pulling import Pull
from codebuddy_jupyter.providers.embedded.store import models_folder
from codebuddy_jupyter.providers.embedded.web import WebDownload
from tests.support.package_index import LOGIN_PAGE

MODEL = b"GGUF" + random.Random(0).randbytes(3 << 20)
HALF = len(MODEL) // 2


class FileServer(ThreadingHTTPServer):
    """Serves one file, or a part of it, with the faults of the network."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _File)
        self.content = MODEL
        self.tag = '"one"'
        # The connection ends half-way.
        self.drops = False
        self.status = 200
        self.location = ""
        self.ranges: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/small.gguf"


class _File(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.ranges.append(asked)
        start = 0
        if asked and self.headers.get("If-Range") == self.server.tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        rest = self.server.content[start:]
        self.send_response(206 if start else self.server.status)
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", self.server.tag)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        if self.server.drops:
            rest = rest[:HALF]
        self.wfile.write(rest)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def web() -> Iterator[FileServer]:
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        yield server
        server.shutdown()


def ignore(step: str, done: int, total: int) -> None:
    """Show no progress."""


def stored() -> bytes:
    return (models_folder() / "small.gguf").read_bytes()


def test_a_file_of_an_address_is_downloaded_with_progress(
    loop: Loop, web: FileServer
) -> None:
    told: list[tuple[str, int, int]] = []
    assert loop.run(Pull(lambda *step: told.append(step)).run(web.url)) == "small"
    assert stored() == MODEL
    assert told[-1] == (f"downloading {web.url}", len(MODEL), len(MODEL))


def test_a_secret_in_the_address_is_neither_in_the_progress_nor_in_an_error(
    loop: Loop, web: FileServer
) -> None:
    told: list[str] = []
    web.drops = True
    with pytest.raises(errors.Unreachable) as caught:
        loop.run(Pull(lambda *step: told.append(step[0])).run(f"{web.url}?token=abc1"))
    assert told[-1] == f"downloading {web.url}"
    assert "abc1" not in str(told) + str(caught.value)


def test_a_connection_that_ends_early_goes_on_where_it_ended(
    loop: Loop, web: FileServer
) -> None:
    web.drops = True
    with pytest.raises(errors.Unreachable, match="Resume it: %buddy /pull http"):
        loop.run(Pull(ignore).run(web.url))
    web.drops = False
    loop.run(Pull(ignore).run(web.url))
    assert stored() == MODEL
    assert web.ranges[0] == ""
    assert 0 < int(web.ranges[1].removeprefix("bytes=").rstrip("-")) <= HALF


def test_another_version_of_the_file_is_downloaded_as_a_whole(
    loop: Loop, web: FileServer
) -> None:
    web.drops = True
    with pytest.raises(errors.Unreachable):
        loop.run(Pull(ignore).run(web.url))
    web.drops, web.tag, web.content = False, '"two"', MODEL[::-1]
    web.content = b"GGUF" + bytes(1000)
    loop.run(Pull(ignore).run(web.url))
    assert stored() == web.content


@pytest.mark.parametrize(
    ("status", "content", "line"),
    [
        (404, b"", "could not be downloaded: 404 Not Found"),
        (200, LOGIN_PAGE, "A web page came in place of"),
        (200, b"PK something", "is not a GGUF file; it was deleted"),
        (200, b"", "is not a GGUF file; it was deleted"),
    ],
    ids=["not found", "a web page", "another file", "nothing"],
)
def test_what_is_no_model_is_deleted_and_said(
    loop: Loop, web: FileServer, status: int, content: bytes, line: str
) -> None:
    web.status, web.content = status, content
    with pytest.raises(errors.ProviderError, match=line) as failure:
        loop.run(Pull(ignore).run(web.url))
    assert "\n" not in str(failure.value)
    assert list(models_folder().rglob("*.gguf")) == []


def test_offline_no_address_of_another_host_is_asked(
    loop: Loop, web: FileServer
) -> None:
    pull = Pull(ignore, offline=True)
    with pytest.raises(errors.Offline, match=r"does not send to models\.example\.org"):
        loop.run(pull.run("https://models.example.org/small.gguf"))
    web.status, web.location = 302, "http://store.example.org/small.gguf"
    with pytest.raises(errors.Offline, match=r"does not send to store\.example\.org"):
        loop.run(pull.run(web.url))
    web.status, web.location = 200, ""
    assert loop.run(pull.run(web.url)) == "small"


def test_login_and_query_of_an_address_are_not_shown() -> None:
    web = WebDownload("https://me:secret@example.org/a/my%20model.gguf?key=secret")
    assert web.place == "https://example.org/a/my%20model.gguf"
    assert web.model_name == "my model"
    assert WebDownload("http://h/a%2F..%2F..%5Cevil.gguf").model_name == "evil"


def test_a_file_of_another_folder_is_copied(loop: Loop, tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(MODEL)
    assert loop.run(Pull(ignore).run(str(path))) == "small"
    assert stored() == MODEL
    assert path.exists()
