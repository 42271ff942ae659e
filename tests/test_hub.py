"""Models of the Hugging Face hub, from a hub on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.providers.embedded import hub as hub_module
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from tests.support.embedded_calls import ask
from tests.support.engines import PATIENCE, eventually
from tests.support.names import names_mean

CommandOutput = list[tuple[str, int, int]]


class Hub(ThreadingHTTPServer):
    """Serves one file as the Hugging Face hub does."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.content = content
        # so many times the connection drops half-way
        self.drops = 0
        # half-way, wait for it
        self.hold: threading.Event | None = None
        self.refuses = False
        # headers
        self.more: dict[str, str] = {}
        self.ranges: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class HubHandler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(with_content=False)

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range", ""))
        self.answer(with_content=True)

    def answer(self, *, with_content: bool) -> None:
        if self.server.refuses or self.path != "/owner/repo/resolve/main/small.gguf":
            self.send_response(403 if self.server.refuses else 404)
            if not self.server.refuses:
                self.send_header(
                    "X-Error-Code",
                    "EntryNotFound" if "/owner/repo/" in self.path else "RepoNotFound",
                )
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        whole = self.server.content
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        content = whole[start:]
        self.send_response(
            302 if "Location" in self.server.more else 206 if start else 200
        )
        for name, value in self.server.more.items():
            self.send_header(name, value)
        self.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(content)))
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}"
            )
        self.end_headers()
        if with_content:
            self.send(content)

    def send(self, content: bytes) -> None:
        half = len(content) // 2
        self.wfile.write(content[:half])
        self.wfile.flush()
        if self.server.drops:
            self.server.drops -= 1
            self.close_connection = True
            return
        if self.server.hold:
            self.server.hold.wait(PATIENCE)
        self.wfile.write(content[half:])

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hub(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub(model.read_bytes())
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    thread = threading.Thread(target=hub.serve_forever, args=[0.01], daemon=True)
    thread.start()
    yield hub
    hub.shutdown()
    hub.server_close()


SPEC = "hf:owner/repo/small.gguf"


def test_a_model_of_the_hub_is_fetched_with_progress_and_then_answers(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub
) -> None:
    told: CommandOutput = []
    loop.run(fresh.prepare(SPEC, lambda *step: told.append(step)))
    size = len(hub.content)
    assert told[-1] == ("downloading small.gguf", size, size)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    fresh.model = SPEC
    assert ask(loop, fresh, "hello").text == "Hello from a small model."
    assert loop.run(fresh.choose("")) == "small"


def test_a_model_that_is_here_is_not_fetched_again(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub
) -> None:
    for _ in range(2):
        loop.run(fresh.prepare(SPEC, lambda *step: None))
    assert len(hub.ranges) == 1


def test_a_download_whose_connection_drops_goes_on_where_it_broke_off(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub
) -> None:
    hub.drops = 1
    loop.run(fresh.prepare(SPEC, lambda *step: None))
    start = int(hub.ranges[1].removeprefix("bytes=").rstrip("-"))
    assert 0 < start < len(hub.content)
    assert loop.run(fresh.choose(SPEC)) == "small"


def test_an_interrupted_download_stops_and_leaves_no_half_model(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub, tmp_path: Path
) -> None:
    hub.hold = threading.Event()
    half_way = threading.Event()

    async def fetch_and_stop() -> None:
        fetching = asyncio.create_task(
            fresh.prepare(SPEC, lambda *step: half_way.set())
        )
        await asyncio.to_thread(half_way.wait, PATIENCE)
        fetching.cancel()
        await asyncio.wait([fetching])

    loop.run(fetch_and_stop())
    hub.hold.set()
    with pytest.raises(errors.ModelNotFound):
        loop.run(fresh.choose(SPEC))
    assert eventually(
        lambda: (
            not [
                file
                for file in (tmp_path / "hub").rglob("*")
                if file.name.endswith("incomplete")
            ]
        )
    )
    with pytest.raises(errors.ModelNotFound):
        loop.run(fresh.choose(SPEC))


@pytest.mark.parametrize(
    "name", ["hf:owner/repo/other.gguf", "hf:nobody/nothing/small.gguf"]
)
def test_what_the_hub_does_not_have_is_one_line(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub, name: str
) -> None:
    with pytest.raises(
        errors.ModelNotFound,
        match=f"The hub has no {name}. See its files at {hub.url}/",
    ):
        loop.run(fresh.prepare(name, lambda *step: None))


def test_a_hub_that_refuses_is_one_line(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub
) -> None:
    hub.refuses = True
    with pytest.raises(
        errors.Unreachable, match=f"could not be downloaded from {hub.url}: "
    ) as failure:
        loop.run(fresh.prepare(SPEC, lambda *step: None))
    assert str(failure.value).endswith(f"Try again: %buddy /pull {SPEC}")
    assert "\n" not in str(failure.value)


def test_what_is_no_model_is_deleted(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub, tmp_path: Path
) -> None:
    hub.content = b"<!DOCTYPE html><title>Log in to the network</title>"
    with pytest.raises(errors.NoReply, match="A web page came in place of hf:owner"):
        loop.run(fresh.pull(SPEC, lambda *step: None))
    with pytest.raises(errors.ModelNotFound, match="is not on this machine yet"):
        loop.run(fresh.choose(SPEC))


def test_a_hub_that_does_not_answer_is_given_up_within_seconds(
    loop: Loop,
    fresh: EmbeddedProvider,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "ANSWER_TIMEOUT", 0.05)
    answer = HubHandler.do_HEAD
    released = threading.Event()

    def answer_late(handler: HubHandler) -> None:
        released.wait(PATIENCE)
        answer(handler)

    monkeypatch.setattr(HubHandler, "do_HEAD", answer_late)
    with pytest.raises(errors.Unreachable, match="could not be downloaded from"):
        loop.run(fresh.pull(SPEC, lambda *step: None))
    released.set()


def test_offline_nothing_is_fetched(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.org")
    fresh.offline = True
    with pytest.raises(
        errors.Offline, match=re.escape("%config Buddy.offline = False")
    ):
        loop.run(fresh.prepare(SPEC, lambda *step: None))


def test_offline_a_hub_on_this_machine_is_asked(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub
) -> None:
    fresh.offline = True
    loop.run(fresh.prepare(SPEC, lambda *step: None))
    assert loop.run(fresh.choose(SPEC)) == "small"


def test_offline_a_hub_that_is_allowed_is_asked(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_mean(monkeypatch, hub_test=["127.0.0.1"])
    monkeypatch.setenv("HF_ENDPOINT", hub.url.replace("127.0.0.1", "hub.test"))
    fresh.offline, fresh.allowed_hosts = True, ("hub.test",)
    loop.run(fresh.prepare(SPEC, lambda *step: None))
    assert loop.run(fresh.choose(SPEC)) == "small"


def test_offline_a_file_that_the_hub_has_elsewhere_is_not_fetched(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub
) -> None:
    hub.more = {"Location": "https://store.test/small.gguf"}
    fresh.offline, fresh.allowed_hosts = True, ("hub.test",)
    with pytest.raises(errors.Offline) as refused:
        loop.run(fresh.prepare(SPEC, lambda *step: None))
    assert str(refused.value).startswith(
        "The buddy is offline and does not send to store.test. "
    )
    assert '%config Buddy.allowed_hosts = ["hub.test", "store.test"]' in str(
        refused.value
    )
    assert hub.ranges == []


def test_offline_a_file_that_comes_from_hosts_without_a_name_is_not_fetched(
    loop: Loop, fresh: EmbeddedProvider, hub: Hub
) -> None:
    hub.more = {"X-Xet-Hash": "0" * 64, "X-Xet-Refresh-Route": f"{hub.url}/refresh"}
    fresh.offline = True
    with pytest.raises(
        errors.Offline, match="set HF_HUB_DISABLE_XET=1 before the kernel starts"
    ):
        loop.run(fresh.prepare(SPEC, lambda *step: None))
    assert hub.ranges == []
