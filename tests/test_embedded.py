from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.loop import Loop
from codebuddy_jupyter.messages import Chunk, Message, Request
from codebuddy_jupyter.providers.embedded import provider as embedded
from codebuddy_jupyter.providers.embedded.engine import Engine, EngineError
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.providers.embedded.recital import (
    RecitedAnswer,
    mentions,
    write_recital,
)
from tests.support.engines import PATIENCE, eventually, fetch
from tests.support.names import names_mean

LONG = " ".join(f"word{number}" for number in range(2000))
ANSWERS = [
    RecitedAnswer("Hello from a small model."),
    RecitedAnswer(f"<think>\nWell, well.\n</think>\n\n{LONG}", mentions("long")),
]
CommandOutput = list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.stop()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("models") / "small.gguf"
    write_recital(file, ANSWERS, n_ctx=4096, layers=16)
    return file


@pytest.fixture(scope="module")
def provider(loop: Loop, model: Path) -> Iterator[EmbeddedProvider]:
    provider = EmbeddedProvider(model=str(model), threads=1)
    yield provider
    loop.run(provider.close())


@pytest.fixture
def fresh(loop: Loop) -> Iterator[EmbeddedProvider]:
    provider = EmbeddedProvider()
    yield provider
    loop.run(provider.close())


class Answered(list[Chunk]):
    """The chunks of an answer, and the error with which it ended."""

    error: errors.ProviderError | None = None

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self)

    @property
    def reasoning(self) -> str:
        return "".join(chunk.reasoning for chunk in self)

    @property
    def notes(self) -> list[str]:
        return [chunk.note for chunk in self if chunk.note]


def ask(
    loop: Loop,
    provider: EmbeddedProvider,
    question: str,
    *,
    at: int = -1,
    do: Callable[[], object] = bool,
) -> Answered:
    """Ask as the buddy does; after ``at`` chunks, do something."""

    async def answer() -> Answered:
        answered, name = Answered(), await provider.choose("")
        try:
            async for chunk in provider.stream(
                Request((Message("user", question),), name)
            ):
                answered.append(chunk)
                if len(answered) == at:
                    do()
        except errors.ProviderError as error:
            answered.error = error
        return answered

    return loop.run(answer())


def engine_of(provider: EmbeddedProvider) -> Engine:
    assert provider._engine is not None
    return provider._engine


def test_an_answer_streams_in_many_chunks_with_its_reasoning_apart(
    loop: Loop, provider: EmbeddedProvider
) -> None:
    answer = ask(loop, provider, "a long one")
    assert answer.error is None
    assert (answer.reasoning.strip(), answer.text.strip()) == ("Well, well.", LONG)
    assert len(answer) > 1000
    assert [chunk.usage.completion_tokens for chunk in answer if chunk.usage] > [1000]
    assert [chunk.finish for chunk in answer if chunk.finish] == ["stop"]


def test_the_model_is_named_by_the_stem_of_its_file(
    loop: Loop, provider: EmbeddedProvider
) -> None:
    assert loop.run(provider.choose("")) == "small"


def test_the_window_is_the_one_that_the_engine_runs(
    loop: Loop, provider: EmbeddedProvider
) -> None:
    assert loop.run(provider.window("small")) == 4096


def test_a_prompt_beyond_the_window_fails_with_its_length_and_the_window(
    loop: Loop, provider: EmbeddedProvider
) -> None:
    answer = ask(loop, provider, "0123456789" * 600)
    assert isinstance(answer.error, errors.PromptTooLong)
    assert answer.error.window == 4096
    assert (answer.error.tokens or 0) > 6000


def test_closing_the_stream_frees_the_engine(
    loop: Loop, provider: EmbeddedProvider
) -> None:
    def is_free() -> bool:
        return not any(
            slot["is_processing"] for slot in fetch(engine_of(provider), "/slots")
        )

    async def begin() -> None:
        request = Request((Message("user", "a long one"),), "small")
        async with aclosing(cast(Any, provider.stream(request))) as chunks:
            async for _ in chunks:
                break

    loop.run(begin())
    assert eventually(is_free)


def test_one_engine_serves_all_questions(
    loop: Loop, provider: EmbeddedProvider
) -> None:
    ask(loop, provider, "hello")
    first = engine_of(provider)
    ask(loop, provider, "hello")
    assert engine_of(provider) is first


def test_an_engine_that_dies_leaves_the_part_and_one_line_and_is_restarted(
    loop: Loop, provider: EmbeddedProvider
) -> None:
    ask(loop, provider, "hello")
    answer = ask(
        loop,
        provider,
        "a long one",
        at=40,
        do=lambda: os.kill(engine_of(provider).pid, 9),
    )
    assert isinstance(answer.error, errors.CutOff)
    how = "Killed" if os.name == "posix" else "status 9"
    assert str(answer.error).startswith(
        f"The engine stopped before the end of the reply ({how}). "
        "The part that was received is kept. Ask again, which restarts the engine"
    )
    assert answer.text
    assert LONG.startswith(answer.text.strip())

    after = ask(loop, provider, "hello")
    assert after.notes == [f"The engine had stopped ({how}) and was restarted."]
    assert (after.error, after.text) == (None, "Hello from a small model.")
    assert ask(loop, provider, "hello").notes == []


def test_another_window_starts_another_engine(
    loop: Loop, fresh: EmbeddedProvider, model: Path
) -> None:
    fresh.model, fresh.n_ctx = str(model), 1024
    loop.run(fresh.choose(""))
    assert loop.run(fresh.window("small")) == 1024
    first = engine_of(fresh)
    fresh.n_ctx = 2048
    assert loop.run(fresh.window("small")) == 2048
    assert not first.alive


def test_questions_at_the_same_time_start_one_engine(
    loop: Loop, fresh: EmbeddedProvider, model: Path
) -> None:
    async def both() -> set[int]:
        engines = await asyncio.gather(*(fresh._running(str(model)) for _ in range(4)))
        return {engine.pid for engine in engines}

    assert len(loop.run(both())) == 1


def test_closing_ends_the_engine(
    loop: Loop, fresh: EmbeddedProvider, model: Path
) -> None:
    fresh.model = str(model)
    ask(loop, fresh, "hello")
    engine = engine_of(fresh)
    loop.run(fresh.close())
    assert not engine.alive


TOUR = {
    "hello, who are you?": "coding buddy",
    "How do I get the mean of a column like that with pandas?": '["score"].mean()',
    "and why is df empty after the merge?": "types",
    "please think step by step: how many handshakes among five people?": (
        "**10** handshakes"
    ),
    "which formula gives the standard deviation?": r"\sqrt",
    "Explain a list comprehension": "for n in range(10)",
    "What is a regex?": "re.findall",
    "tell me a long story": "**The moral:**",
    "plot a histogram": "plot.hist",
    "translate that to 日本語": "おはよう",
    "give it as code. Answer with code alone: one fenced block and nothing else.": "```python",
    "the mean. Answer with one JSON value and nothing else.": '{"mean": 4.0',
    "what shall we have for dinner?": "no scripted answer",
}


def test_without_a_model_the_demo_model_answers_what_the_tour_asks(
    loop: Loop, fresh: EmbeddedProvider
) -> None:
    assert loop.run(fresh.choose("")) == "recital-demo"
    for question, part in TOUR.items():
        answer = ask(loop, fresh, question)
        assert answer.error is None
        assert part in answer.text
    assert ask(loop, fresh, "think step by step").reasoning.strip()


def test_nothing_is_started_or_fetched_before_the_first_question(
    loop: Loop, fresh: EmbeddedProvider
) -> None:
    assert [model.name for model in loop.run(fresh.models())] == ["recital-demo"]
    assert fresh._engine is None


def test_warming_makes_the_demo_model_and_starts_nothing(
    fresh: EmbeddedProvider, home: Path
) -> None:
    fresh.warm()
    assert len(list(home.rglob("recital-demo-*.gguf"))) == 1
    assert fresh._engine is None


BAD = {
    "no file": (
        "nowhere.gguf",
        errors.ModelNotFound,
        "There is no model file nowhere.gguf",
    ),
    "no gguf": (__file__, errors.ModelNotFound, "is not a GGUF file"),
    "a folder": (".", errors.ModelNotFound, "There is no model file"),
    "no file on the hub": (
        "hf:owner/repo",
        errors.SettingError,
        "Write hf:OWNER/REPO/FILE.gguf",
    ),
    "not fetched": (
        "hf:o/r/f.gguf",
        errors.ModelNotFound,
        "Download it: %buddy /use embedded/hf:o/r/f.gguf",
    ),
}


@pytest.mark.parametrize(("model", "kind", "line"), BAD.values(), ids=BAD)
def test_a_model_that_is_not_here_fails_with_one_line(
    loop: Loop,
    fresh: EmbeddedProvider,
    model: str,
    kind: type[errors.BuddyError],
    line: str,
) -> None:
    with pytest.raises(kind, match=re.escape(line)) as failure:
        loop.run(fresh.choose(model))
    assert "\n" not in str(failure.value)


def test_a_broken_model_fails_with_the_reason_of_the_engine(
    loop: Loop, fresh: EmbeddedProvider, tmp_path: Path
) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(60))
    fresh.model = str(tmp_path / "broken.gguf")
    answer = ask(loop, fresh, "hello")
    assert isinstance(answer.error, errors.ServerError)
    assert str(answer.error).startswith("The engine cannot run broken: ")


def test_a_missing_engine_names_the_command_that_installs_it(
    loop: Loop, fresh: EmbeddedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        errors.ExtraMissing,
        match=re.escape('pip install "codebuddy-jupyter[embedded]"'),
    ):
        loop.run(fresh.window("recital-demo"))


def test_a_missing_libgomp_names_the_package_of_the_system(
    loop: Loop, fresh: EmbeddedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start_without_libgomp(order: object) -> Engine:
        raise EngineError(
            "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory"
        )

    monkeypatch.setattr(embedded, "start_engine", start_without_libgomp)
    with pytest.raises(errors.ExtraMissing, match="apt-get install libgomp1"):
        loop.run(fresh.window("recital-demo"))


# A hub on loopback


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
    assert str(failure.value).endswith(f"Try again: %buddy /use embedded/{SPEC}")
    assert "\n" not in str(failure.value)


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
