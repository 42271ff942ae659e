"""The embedded provider: questions to a real engine in a child process."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers.embedded import provider as embedded
from codebuddy_jupyter.providers.embedded.engine import Engine, EngineError
from codebuddy_jupyter.providers.embedded.gguf import header_of
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.providers.embedded.resources import RESERVE, Need
from codebuddy_jupyter.providers.embedded.store import file_of
from tests.support.embedded_calls import LONG, ask
from tests.support.engines import eventually, fetch


@pytest.fixture(scope="module")
def provider(loop: Loop, model: Path) -> Iterator[EmbeddedProvider]:
    provider = EmbeddedProvider(model=str(model), threads=1)
    yield provider
    loop.run(provider.close())


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


def test_the_engine_tells_how_far_and_how_fast_it_has_read(
    loop: Loop, provider: EmbeddedProvider
) -> None:
    answer = ask(loop, provider, "How many words? " * 100)
    readings = [chunk.reading for chunk in answer if chunk.reading]
    usages = [chunk.usage for chunk in answer if chunk.usage]
    assert readings[-1].done == readings[-1].total > 1000
    assert usages[-1].prompt_tokens == readings[-1].total
    assert 1000 < (usages[-1].read_tokens or 0) <= readings[-1].total
    assert (usages[-1].read_seconds or 0) > 0


def test_a_model_reads_ahead_once_the_engine_runs_with_it(
    loop: Loop, provider: EmbeddedProvider, model: Path
) -> None:
    waiting = EmbeddedProvider(model=str(model))
    assert not loop.run(waiting.can_read_ahead("small"))
    loop.run(provider.window("small"))
    assert loop.run(provider.can_read_ahead("small"))
    assert not loop.run(provider.can_read_ahead("other"))


def test_a_larger_model_is_expected_to_read_more_slowly(
    loop: Loop, tmp_path: Path
) -> None:
    provider = EmbeddedProvider(threads=2)
    for name, size in {"small": 100_000_000, "large": 1_000_000_000}.items():
        file = tmp_path / f"{name}.gguf"
        file.write_bytes(b"GGUF")
        os.truncate(file, size)
        assert loop.run(provider.choose(str(file))) == name
    assert provider.expected_speed("large") == 60
    assert provider.expected_speed("small") == 600
    assert provider.expected_speed("unknown") is None
    (tmp_path / "large.gguf").unlink()
    assert provider.expected_speed("large") is None


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


def test_nothing_is_started_or_fetched_before_the_first_question(
    loop: Loop, fresh: EmbeddedProvider
) -> None:
    assert loop.run(fresh.models()) == []
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


def test_an_unknown_architecture_is_named(
    loop: Loop, fresh: EmbeddedProvider, tmp_path: Path, model: Path
) -> None:
    strange = tmp_path / "strange.gguf"
    strange.write_bytes(model.read_bytes().replace(b"deci", b"abcd"))
    fresh.model = str(strange)
    line = str(ask(loop, fresh, "hello").error)
    assert line.startswith(
        "The engine cannot run strange (GGUF version 3, architecture abcd): "
    )
    assert "\n" not in line


def test_without_a_name_the_first_model_that_was_downloaded_answers(
    loop: Loop, fresh: EmbeddedProvider, model: Path
) -> None:
    with pytest.raises(errors.ModelNotFound) as failure:
        loop.run(fresh.choose(""))
    assert str(failure.value).startswith(
        "There is no model for the built-in engine on this machine yet. Download "
        "qwen2.5-coder-1.5b (1.1 GB): %buddy /pull qwen2.5-coder-1.5b; or download "
        "smollm2-135m (98 MB): %buddy /pull smollm2-135m"
    )
    download(model, "our-models-1.2")
    assert loop.run(fresh.choose("")) == "our-models-1.2"
    download(model, "smollm2-135m")
    assert loop.run(fresh.choose("")) == "smollm2-135m"
    assert loop.run(fresh.choose("our-models-1.2")) == "our-models-1.2"
    assert loop.run(fresh.choose("pypi:our-models==1.2")) == "our-models-1.2"
    assert ask(loop, fresh, "hello").text == "Hello from a small model."
    assert [(m.name, m.loaded) for m in loop.run(fresh.models())] == [
        ("smollm2-135m", True),
        ("our-models-1.2", False),
    ]
    with pytest.raises(
        errors.ModelNotFound, match=r"Download it: %buddy /pull qwen2\.5-coder"
    ):
        loop.run(fresh.choose("qwen2.5-coder-1.5b"))


def download(model: Path, name: str) -> Path:
    """Put a model where ``/pull`` would put it."""
    file_of(name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(model, file_of(name))
    return file_of(name)


@pytest.mark.skipif(os.name != "posix", reason="Windows deletes no file in use")
def test_a_model_that_is_deleted_while_it_runs_answers_until_the_engine_ends(
    loop: Loop, fresh: EmbeddedProvider, model: Path
) -> None:
    file = download(model, "smollm2-135m")
    ask(loop, fresh, "hello")
    file.unlink()
    assert ask(loop, fresh, "hello").text == "Hello from a small model."
    loop.run(fresh.close())
    with pytest.raises(errors.ModelNotFound, match="%buddy /pull"):
        loop.run(fresh.choose(""))


def test_a_model_for_which_there_is_no_memory_is_refused_and_a_smaller_one_named(
    loop: Loop,
    fresh: EmbeddedProvider,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded, "available_memory", lambda: 800 << 20)
    large = tmp_path / "large.gguf"
    large.write_bytes(model.read_bytes())
    with large.open("r+b") as file:
        # Without using the disk.
        file.truncate(2 << 30)
    with pytest.raises(errors.ProviderError) as failure:
        loop.run(fresh.window(str(large)))
    assert re.fullmatch(
        r"large needs 2\.\d GB of memory, and 839 MB are free\. Use a smaller one, "
        r"smollm2-135m: %buddy /pull smollm2-135m; or free some memory, .*",
        str(failure.value),
    )
    assert fresh._engine is None


def test_a_window_for_which_there_is_no_memory_is_made_smaller_and_said(
    loop: Loop,
    fresh: EmbeddedProvider,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    header = header_of(model)
    need = Need(model.stat().st_size, header)
    memory = need.bytes_for(3000) + RESERVE
    monkeypatch.setattr(embedded, "available_memory", lambda: memory)
    fresh.model = str(model)
    answer = ask(loop, fresh, "hello")
    assert answer.notes == [
        "The context window is 2,816 tokens: the free memory allows no more."
    ]
    assert loop.run(fresh.window("small")) == 2816
    # The memory that the engine takes by itself does not restart it.
    monkeypatch.setattr(embedded, "available_memory", lambda: 0)
    assert ask(loop, fresh, "hello").error is None


def test_a_missing_engine_names_the_command_that_installs_it(
    loop: Loop,
    fresh: EmbeddedProvider,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        errors.ExtraMissing,
        match=re.escape('pip install "codebuddy-jupyter[embedded]"'),
    ):
        loop.run(fresh.window(str(model)))


def test_a_missing_libgomp_names_the_package_of_the_system(
    loop: Loop,
    fresh: EmbeddedProvider,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start_without_libgomp(order: object) -> Engine:
        raise EngineError(
            "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory"
        )

    monkeypatch.setattr(embedded, "start_engine", start_without_libgomp)
    with pytest.raises(errors.ExtraMissing, match="apt-get install libgomp1"):
        loop.run(fresh.window(str(model)))


def test_the_engine_answers_as_many_requests_at_a_time_as_is_set(
    loop: Loop, fresh: EmbeddedProvider, model: Path
) -> None:
    fresh.change({"model": str(model), "parallel": 3})
    name = loop.run(fresh.choose(""))
    assert loop.run(fresh.slots(name)) == 3
    # They share the window: one alone can have all of it.
    assert loop.run(fresh.window(name)) == 4096
