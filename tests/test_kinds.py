"""The kinds of local servers: the same claims for each that is played, and for
llama.cpp as it really is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.errors import Remedy
from codebuddy_jupyter.messages import Message, Model, Request
from codebuddy_jupyter.providers.embedded.engine import Engine
from codebuddy_jupyter.providers.http.probe import probing
from codebuddy_jupyter.providers.kinds import KINDS, FoundServer, Kind, recognise
from codebuddy_jupyter.providers.kinds.base import parameter_count
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.engines import engine_with, fetch
from tests.support.kinds import KOBOLDCPP, OLLAMA, PLAYED, TEXT, Played, listed
from tests.support.recital import RecitedAnswer
from tests.support.scripted_server import Answer, Behind, ScriptedServer, hang, plain

T = TypeVar("T")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The real llama.cpp, with a model that says `TEXT` whatever it is asked."""
    with engine_with(
        tmp_path_factory.mktemp("engine"),
        [RecitedAnswer(TEXT)],
        n_ctx=32768,
        window=4096,
    ) as running:
        yield running


@dataclass(frozen=True)
class Real(Played):
    """A kind that need not be played: a server that hands everything on to it."""

    engine: Engine = field(kw_only=True)

    def on(self, server: ScriptedServer, prefix: str = "") -> str:
        """Let a server hand on to it; gives the base URL."""
        server.behind = Behind(self.engine.url, self.engine.key, prefix)
        return f"{server.root}{prefix}{self.base}"

    def is_too_long_for(self, server: ScriptedServer) -> str:
        """A prompt that is too long for it."""
        return "many words " * 2000


def real(engine: Engine) -> Real:
    """What the real llama.cpp is known to be."""
    meta = fetch(engine, "/v1/models")["data"][0]["meta"]
    size, weights = meta["size"], meta["n_params"]
    return Real(
        name="llama.cpp",
        version=fetch(engine, "/props")["build_info"],
        models=(Model("recital", 4096, True, ("chat", "tools"), size, 32768, weights),),
        chosen="recital",
        window=4096,
        too_long=hang(),
        widen="llama-server -m MODEL.gguf --jinja -c 16384",
        answers={},
        engine=engine,
    )


@pytest.fixture(params=[*PLAYED, "the real llama.cpp"])
def played(request: pytest.FixtureRequest) -> Played:
    """Each kind in turn."""
    if request.param in PLAYED:
        return PLAYED[request.param]
    return real(request.getfixturevalue("engine"))


def used(provider: LocalProvider, use: Callable[[LocalProvider], Awaitable[T]]) -> T:
    async def use_and_close() -> T:
        try:
            return await use(provider)
        finally:
            await provider.close()

    return asyncio.run(use_and_close())


async def ask(provider: LocalProvider, text: str = "count") -> str:
    """What a question does: choose, see how far the model sees, ask."""
    model = await provider.choose("")
    await provider.window(model)
    chunks = [
        chunk
        async for chunk in provider.stream(Request((Message("user", text),), model))
    ]
    return "".join(chunk.text for chunk in chunks)


def recognised(url: str, seconds: float = 3.0) -> FoundServer:
    async def look_at() -> FoundServer:
        async with probing(url, seconds) as probe:
            return await recognise(probe)

    return asyncio.run(look_at())


def test_it_is_recognised_by_what_it_answers(
    server: ScriptedServer, played: Played
) -> None:
    found = recognised(played.on(server))
    assert (found.kind.name, found.version) == (played.name, played.version)


def test_it_is_recognised_behind_a_proxy_with_a_path(
    server: ScriptedServer, played: Played
) -> None:
    assert recognised(played.on(server, "/llm")).kind.name == played.name


def test_its_models_are_told_with_what_they_can(
    server: ScriptedServer, played: Played
) -> None:
    provider = LocalProvider(base_url=played.on(server))
    assert tuple(used(provider, lambda provider: provider.catalogue())) == played.models


def test_without_a_name_the_model_that_is_loaded_is_asked(
    server: ScriptedServer, played: Played
) -> None:
    provider = LocalProvider(base_url=played.on(server))
    assert used(provider, lambda provider: provider.choose("")) == played.chosen


def test_the_window_is_that_of_the_loaded_model(
    server: ScriptedServer, played: Played
) -> None:
    provider = LocalProvider(base_url=played.on(server))
    assert (
        used(provider, lambda provider: provider.window(played.chosen)) == played.window
    )


@pytest.mark.parametrize(
    "typed",
    [
        "{root}",
        "{root}/",
        "{root}{base}",
        "{root}{base}/chat/completions",
        "{root}/api",
    ],
)
def test_its_address_is_put_right_by_asking(
    server: ScriptedServer, played: Played, typed: str
) -> None:
    url = played.on(server)
    typed = typed.format(root=server.root, base=played.base)
    provider = LocalProvider(base_url=typed)
    assert used(provider, ask) == TEXT
    assert (provider.where(), provider.base_url) == (url, typed)


def test_once_it_is_known_a_question_is_one_request(
    server: ScriptedServer, played: Played
) -> None:
    provider = LocalProvider(base_url=played.on(server))

    async def ask_twice(provider: LocalProvider) -> list[str]:
        await ask(provider)
        server.requests.clear()
        await ask(provider)
        return [str(record["path"]) for record in server.requests]

    assert used(provider, ask_twice) == [played.chat_path]


def test_a_prompt_that_is_too_long_is_told_as_that(
    server: ScriptedServer, played: Played
) -> None:
    provider = LocalProvider(base_url=played.on(server))
    prompt = played.is_too_long_for(server)
    with pytest.raises(
        errors.PromptTooLong, match=f"The prompt is too long for {played.chosen}: "
    ):
        used(provider, lambda provider: ask(provider, prompt))


def test_the_command_that_widens_the_window_is_that_of_the_kind(
    server: ScriptedServer, played: Played
) -> None:
    provider = LocalProvider(base_url=played.on(server))
    used(provider, ask)
    assert provider.widen(played.chosen, 16384) == played.widen


def test_a_failure_makes_it_be_asked_anew_who_it_is(
    server: ScriptedServer, played: Played
) -> None:
    provider = LocalProvider(base_url=played.on(server))

    async def fail_between(provider: LocalProvider) -> list[str]:
        names = [(await provider.find_server()).kind.name]
        server.script(plain("broken", status=500), path=played.chat_path)
        with pytest.raises(errors.ServerError):
            await ask(provider)
        server.forget()
        OLLAMA.on(server)
        return [*names, (await provider.find_server()).kind.name]

    assert used(provider, fail_between) == [played.name, "Ollama"]


def test_an_error_about_the_question_does_not_make_it_be_asked_anew_who_it_is(
    server: ScriptedServer, played: Played
) -> None:
    provider = LocalProvider(base_url=played.on(server))

    async def fail_and_ask_who(provider: LocalProvider) -> list[str]:
        prompt, name = (
            played.is_too_long_for(server),
            (await provider.find_server()).kind.name,
        )
        with pytest.raises(errors.PromptTooLong):
            await ask(provider, prompt)
        server.requests.clear()
        return [
            name,
            (await provider.find_server()).kind.name,
            *(str(record["path"]) for record in server.requests),
        ]

    assert used(provider, fail_and_ask_who) == [played.name, played.name]


def test_when_it_is_gone_the_line_tells_how_to_start_it(
    server: ScriptedServer, played: Played
) -> None:
    provider = LocalProvider(base_url=played.on(server))
    used(provider, ask)
    start, elsewhere = provider.remedies()
    command = provider.kind.start_command
    known = Remedy(f"Start {played.name}", command)
    assert start == (known if command else Remedy("Start the server there"))
    assert elsewhere.command.startswith("%config LocalProvider.base_url = ")


def test_one_that_did_not_answer_all_may_still_tell_who_it_is(
    server: ScriptedServer,
) -> None:
    provider = LocalProvider(base_url=OLLAMA.on(server))
    server.script(Answer(framing="raw"), plain("Ollama is running"), path="/")

    async def look_twice(provider: LocalProvider) -> list[str]:
        return [(await provider.find_server()).kind.name for _ in range(2)]

    assert used(provider, look_twice) == ["OpenAI-compatible server", "Ollama"]


def test_a_request_that_hangs_does_not_keep_it_from_being_recognised(
    server: ScriptedServer,
) -> None:
    url = KOBOLDCPP.on(server)
    server.script(hang(), path="/props")
    assert recognised(url, 2.0).kind.name == "KoboldCpp"


def test_a_server_that_is_loading_is_recognised(server: ScriptedServer) -> None:
    loading = (
        '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    )
    for path in ("*", "/v1/models"):
        server.script(
            plain(loading, "application/json", 503, Server="llama.cpp"), path=path
        )
    assert recognised(server.url).kind.name == "llama.cpp"


class Declared(Kind):
    """A kind that only declares what it is."""

    name = "Declared"
    owners = ("declared",)
    start_command = "declared serve"
    widen_command = "declared serve --model {model} --ctx-size {tokens}"


@pytest.mark.parametrize(
    ("owner", "name"),
    [("declared", "Declared"), ("another", "OpenAI-compatible server")],
)
def test_a_kind_may_be_declared_by_attributes_alone(
    server: ScriptedServer, owner: str, name: str
) -> None:
    server.script(listed("m", owner=owner), path="/v1/models")

    async def find() -> FoundServer:
        async with probing(server.url) as probe:
            return await recognise(probe, [Declared()])

    found = asyncio.run(find())
    assert (found.kind.name, found.url) == (name, server.url)
    assert (
        Declared().command_to_widen("m", 8) == "declared serve --model m --ctx-size 8"
    )


def test_nobody_is_recognised_where_nothing_listens() -> None:
    with ScriptedServer() as gone:
        url = gone.url
    assert recognised(url).kind.name == "OpenAI-compatible server"


JUNK: dict[str, Any] = {
    "a web page": plain("<html>hello</html>", "text/html"),
    "a list": plain("[1, 2]", "application/json"),
    "numbers": plain(
        '{"data": 1, "models": 2, "version": 3, "result": 4, "system": null}',
        "application/json",
    ),
    "lists of junk": plain(
        '{"data": [1, null, "x", {}], "models": [[], 3, {"name": 5}]}',
        "application/json",
    ),
    "null": plain("null", "application/json"),
    "an error": plain('{"error": null}', "application/json", 500),
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_whatever_is_answered_no_kind_breaks(
    server: ScriptedServer, kind: Any, junk: Any
) -> None:
    for path in ("*", "/v1/models", "/v1/chat/completions"):
        server.script(junk, path=path)

    async def look_at() -> None:
        async with probing(server.url) as probe:
            await kind.recognise(probe)
            await kind.models(probe, closely=True)

    asyncio.run(look_at())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_says_how_to_start_it_and_how_to_widen_a_window(kind: Any) -> None:
    assert kind.start_command
    assert "16384" in kind.command_to_widen("some-model", 16384)
    assert kind.ports


def test_the_real_engine_is_known_and_told_of_with_nobody_between(
    engine: Engine,
) -> None:
    provider, known = LocalProvider(base_url=engine.url), real(engine)
    provider.keys.store("Local", engine.url.partition("://")[2], engine.key)

    async def look_and_ask(
        provider: LocalProvider,
    ) -> tuple[str, FoundServer, tuple[Model, ...]]:
        return (
            await ask(provider),
            await provider.find_server(),
            tuple(await provider.catalogue()),
        )

    text, found, models = used(provider, look_and_ask)
    assert (text, found.kind.name, found.version, models) == (
        TEXT,
        known.name,
        known.version,
        known.models,
    )


def test_the_real_engine_tells_how_long_a_prompt_was_and_how_far_it_sees(
    engine: Engine, server: ScriptedServer
) -> None:
    known = real(engine)
    provider = LocalProvider(base_url=known.on(server))
    with pytest.raises(errors.PromptTooLong) as caught:
        used(provider, lambda provider: ask(provider, known.is_too_long_for(server)))
    assert caught.value.window == 4096
    assert (caught.value.tokens or 0) > 4096


def test_the_real_engine_that_is_shown_no_key_says_so(engine: Engine) -> None:
    with pytest.raises(errors.KeyRefused, match="requires a key"):
        used(LocalProvider(base_url=engine.url, model="recital"), ask)


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("8.2B", 8_200_000_000),
        ("137M", 137_000_000),
        ("494.03M", 494_030_000),
        ("7b", 7_000_000_000),
        ("1T", 1_000_000_000_000),
        ("30B-A3B", None),
        ("", None),
        (7, None),
        (None, None),
        ("9" * 400 + "B", None),
    ],
)
def test_a_number_of_parameters_is_read_as_servers_write_it(
    written: object, count: int | None
) -> None:
    assert parameter_count(written) == count
