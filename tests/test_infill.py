"""Text between two others, as each kind of server is asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.messages import Chunk, Infill
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.providers.http.infill import FAMILIES, find_marks
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.settings.keys import Keys
from tests.support.engines import engine_with
from tests.support.infill import (
    COMPLETIONS,
    GENERATE,
    INFILL,
    OLLAMA,
    PLAYED,
    Filled,
)
from tests.support.kinds import lines
from tests.support.local_calls import run
from tests.support.recital import RecitedAnswer, write_recital
from tests.support.scripted_server import (
    Answer,
    ScriptedServer,
    as_json,
    event,
    plain,
    stream,
)

REQUEST = Infill("x = so", "(y)\n", "coder", 48)


def written(provider: LocalProvider, request: Infill = REQUEST) -> list[Chunk]:
    """The chunks of the reply to one request."""

    async def write() -> list[Chunk]:
        return [chunk async for chunk in provider.infill(request)]

    chunks: list[Chunk] = run(provider, write)[0]
    return chunks


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


@pytest.fixture(params=PLAYED, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Filled:
    """Each kind of server in turn."""
    played: Filled = request.param
    return played


def test_a_server_is_asked_in_its_own_way(
    server: ScriptedServer, provider: LocalProvider, kind: Filled
) -> None:
    kind.on(server)
    chunks = written(provider)
    assert text_of(chunks) == "  rted"
    assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"]
    record = server.asked(kind.path)[-1]
    assert {**record["body"], **kind.body} == record["body"]
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (9, 2)


def test_how_it_is_asked_is_found_out_once(
    server: ScriptedServer, provider: LocalProvider, kind: Filled
) -> None:
    kind.on(server)

    async def write() -> str:
        chunks = [chunk async for chunk in provider.infill(REQUEST)]
        return text_of(chunks)

    assert run(provider, write, write, write) == ["  rted"] * 3
    probes = [
        record
        for record in server.asked(kind.path)
        if record["body"].get("stream") is False
    ]
    assert len(probes) <= 1
    assert len(server.asked(kind.path)) - len(probes) == 3


REFUSED: Mapping[str, tuple[Filled, str, Answer]] = {
    "llama.cpp: no tokens for it": (
        PLAYED[0],
        INFILL,
        as_json({"error": {"message": "Infill is not supported by this model"}}, 501),
    ),
    "Ollama: not in the template": (
        OLLAMA,
        "/api/show",
        as_json({"capabilities": ["completion", "tools"]}),
    ),
    "vLLM: no suffix, no tokenizer": (
        PLAYED[2],
        COMPLETIONS,
        as_json({"message": "suffix is not currently supported"}, 400),
    ),
    "LM Studio: an unknown path": (
        PLAYED[2],
        COMPLETIONS,
        as_json({"error": "Unexpected endpoint or method."}),
    ),
    "the suffix is ignored": (
        PLAYED[2],
        COMPLETIONS,
        as_json({"choices": [{"text": "1"}], "usage": {"prompt_tokens": 4}}),
    ),
    "a web page": (PLAYED[2], COMPLETIONS, plain("<html>Log in</html>", "text/html")),
}


@pytest.mark.parametrize(("kind", "path", "answer"), REFUSED.values(), ids=REFUSED)
def test_a_server_or_model_that_cannot_do_it_is_asked_once(
    server: ScriptedServer,
    provider: LocalProvider,
    kind: Filled,
    path: str,
    answer: Answer,
) -> None:
    kind.on(server)
    server.script(answer, path=path)

    async def write() -> str:
        with pytest.raises(errors.NoInfill, match=r"coder .* cannot complete code"):
            async for _ in provider.infill(REQUEST):
                pass
        return "refused"

    assert run(provider, write, write) == ["refused"] * 2
    assert len(server.asked(path)) == 1


def test_an_older_ollama_refuses_the_request(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    OLLAMA.on(server)
    server.script(as_json({"model_info": {}}), path="/api/show")
    message = 'registry.ollama.ai/library/llama3:latest "does not support insert"'
    server.script(as_json({"error": message.replace('"', "")}, 400), path=GENERATE)
    for _ in range(2):
        with pytest.raises(errors.NoInfill):
            written(provider)
    assert len(server.asked(GENERATE)) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (stream({"content": "a", "stop": False}, done=False, end="drop"), "CutOff"),
        (stream({"content": "a", "stop": False}, done=False), "CutOff"),
        (stream(b"{broken", done=False), "ServerError"),
        (as_json({"error": {"message": "slot is gone"}}, 500), "ServerError"),
        (plain("", "text/event-stream"), "NoReply"),
        (plain("<html>Log in</html>", "text/html"), "NoReply"),
        (
            Answer(pieces=[(0.0, event({"error": {"message": "out of memory"}}))]),
            "ServerError",
        ),
    ],
    ids=["dropped", "no end", "not JSON", "500", "nothing", "a page", "in the stream"],
)
def test_a_fault_is_one_error_of_the_tree(
    server: ScriptedServer, provider: LocalProvider, answer: Answer, error: str
) -> None:
    PLAYED[0].on(server)
    server.script(PLAYED[0].probe, answer, path=INFILL)
    with pytest.raises(getattr(errors, error)):
        written(provider)


def test_a_fault_of_ollama_is_one_error_of_the_tree(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    OLLAMA.on(server)
    broken = lines({"response": "a", "done": False}, {"error": "runner died"})
    server.script(broken, path=GENERATE)
    with pytest.raises(errors.ServerError, match="runner died"):
        written(provider)


def test_marks_of_reasoning_are_code_here(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    PLAYED[0].on(server)
    answer = stream(
        {"content": "<think>"},
        {"content": " 1", "stop": True, "stop_type": "limit"},
        done=False,
    )
    server.script(PLAYED[0].probe, answer, path=INFILL)
    chunks = written(provider)
    assert text_of(chunks) == "<think> 1"
    assert [chunk.finish for chunk in chunks if chunk.finish] == ["length"]


def test_closing_it_closes_the_connection(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    PLAYED[0].on(server)
    hanging = stream({"content": "a", "stop": False}, done=False, end="hang")
    server.script(PLAYED[0].probe, hanging, path=INFILL)

    async def write() -> None:
        reply: Any = provider.infill(REQUEST)
        async for _ in reply:
            break
        await reply.aclose()
        await asyncio.to_thread(server.wait_for, "closed", INFILL)

    run(provider, write)


def test_offline_nothing_is_sent_elsewhere() -> None:
    provider = LocalProvider(base_url="http://192.0.2.1:8080/v1")
    provider.offline = True
    with pytest.raises(errors.Offline):
        written(provider)


@pytest.mark.parametrize("bos", [0, 1], ids=["plain", "with a token before"])
@pytest.mark.parametrize("family", range(len(FAMILIES)))
def test_a_model_s_marks_are_those_that_are_single_tokens(
    family: int, bos: int
) -> None:
    marks = FAMILIES[family]
    known = (marks.before, marks.after, marks.gap)

    async def count(text: str) -> int:
        for mark in known:
            text = text.replace(mark, "m")
        return bos + len(text)

    assert asyncio.run(find_marks(count)) == marks


@pytest.mark.parametrize("tokens", [None, 7])
def test_a_model_without_marks_has_none(tokens: int | None) -> None:
    async def count(text: str) -> int | None:
        return None if tokens is None else tokens * len(text)

    assert asyncio.run(find_marks(count)) is None


# A real llama.cpp


MARKS = (FAMILIES[0].before, FAMILIES[0].after, FAMILIES[0].gap)
RECITED = "sorted (values) # and more"


@pytest.fixture(scope="module")
def fim_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows marks, and writes `RECITED` after that of the gap."""
    file = tmp_path_factory.mktemp("models") / "fim.gguf"
    write_recital(file, [RecitedAnswer(RECITED)], n_ctx=4096, control=MARKS)
    return file


@pytest.mark.parametrize("has_marks", [True, False], ids=["marks", "none"])
def test_a_real_llama_cpp_writes_between_two_texts(
    tmp_path: Path, has_marks: bool
) -> None:
    control = MARKS if has_marks else ()
    recited = [RecitedAnswer(RECITED)]
    with engine_with(tmp_path, recited, n_ctx=4096, control=control) as engine:
        provider = LocalProvider(base_url=f"{engine.url}/v1")
        provider.keys = Keys(tmp_path / "keys.json")
        provider.store_key(engine.key)
        if has_marks:
            chunks = written(provider)
            assert text_of(chunks) == RECITED
            usage = chunks[-1].usage
            assert usage is not None
            assert usage.read_tokens
        else:
            with pytest.raises(errors.NoInfill):
                written(provider)


def test_the_built_in_engine_writes_between_two_texts(
    loop: Loop, fim_model: Path
) -> None:
    provider = EmbeddedProvider(model=str(fim_model))

    async def write(before: str) -> list[Chunk]:
        model = await provider.choose("")
        request = Infill(before, "", model, 48)
        return [chunk async for chunk in provider.infill(request)]

    try:
        # More than a batch of the engine.
        before = "some code " * 100
        assert text_of(loop.run(write(before))) == RECITED
        usage = loop.run(write(f"{before}ab"))[-1].usage
        assert usage is not None
        assert (usage.prompt_tokens or 0) > 400
        assert 0 < (usage.read_tokens or 0) < 20
    finally:
        loop.run(provider.close())


def test_the_built_in_engine_says_that_a_model_has_no_marks(
    loop: Loop, model: Path
) -> None:
    provider = EmbeddedProvider(model=str(model))

    async def write() -> None:
        request = Infill("x = ", "", await provider.choose(""), 8)
        async for _ in provider.infill(request):
            pass

    try:
        with pytest.raises(errors.NoInfill, match=r"small.* \(Embedded\) cannot"):
            loop.run(write())
    finally:
        loop.run(provider.close())
