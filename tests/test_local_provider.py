"""The local provider: what it downloads, loads and unloads, and what it remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from traitlets import TraitError

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers.base import LOCAL_TEMPERATURE, Provider
from codebuddy_jupyter.providers.cloud import OpenAIProvider
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.kinds import (
    LM_STUDIO,
    LM_STUDIO_03,
    LOCAL_AI,
    OLLAMA,
    PLAYED,
    VLLM_SERVER,
    WEBUI,
    Played,
    lines,
)
from tests.support.local_calls import (
    CHAT,
    GENERATE,
    NATIVE,
    PULL,
    chosen,
    run,
    window,
)
from tests.support.scripted_server import (
    MODELS,
    ScriptedServer,
    as_json,
    hang,
    model_list,
    plain,
)


def test_it_is_called_as_people_know_it() -> None:
    provider = LocalProvider()
    assert provider.label == "Local LLM (Ollama/LM Studio)"
    assert provider.where() == "http://localhost:11434/v1"


@pytest.mark.parametrize("provider", [LocalProvider, EmbeddedProvider, OpenAIProvider])
def test_only_models_of_the_users_own_have_a_low_temperature(
    provider: type[Provider],
) -> None:
    own = provider is not OpenAIProvider
    assert provider().temperature == (LOCAL_TEMPERATURE if own else None)
    assert provider(temperature=None).temperature is None
    with pytest.raises(TraitError):
        provider(temperature=2.5)


def test_choice_and_window_are_remembered_and_forgotten_after_a_failure(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(model_list("qwen3", max_model_len=4096), path=MODELS)

    async def ask() -> str | None:
        try:
            async for _ in provider.stream(
                Request((Message("user", "hello"),), "qwen3")
            ):
                pass
        except errors.ProviderError as error:
            return str(error)
        return None

    def prepare() -> Coroutine[Any, Any, Any]:
        return provider.choose("")

    def probe() -> Coroutine[Any, Any, Any]:
        return provider.window("qwen3")

    assert run(provider, prepare, probe, ask, prepare, probe) == [
        "qwen3",
        4096,
        None,
        "qwen3",
        4096,
    ]
    known = len(server.asked(MODELS))
    server.script(plain("broken", status=500))
    server.script(model_list("phi4", max_model_len=8192), path=MODELS)
    assert "(500): broken" in run(provider, ask, prepare)[0]
    assert chosen(provider) == "phi4"
    # for the list, and to recognise the server
    assert (known, len(server.asked(MODELS))) == (2, 4)


def test_a_chosen_model_that_is_gone_is_not_asked_again(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    assert chosen(provider) == "llama3"
    server.script(as_json({"error": {"message": "model 'llama3' not found"}}, 404))
    server.script(model_list("phi4"), path=MODELS)
    with pytest.raises(errors.ModelNotFound, match="It has phi4"):
        run(provider, lambda: question_to(provider, "llama3"))
    assert chosen(provider) == "phi4"


async def question_to(provider: LocalProvider, model: str) -> str:
    return "".join(
        [
            chunk.text
            async for chunk in provider.stream(
                Request((Message("user", "hello"),), model)
            )
        ]
    )


def test_a_window_that_is_not_told_before_the_model_is_loaded_is_asked_again(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    LM_STUDIO.on(server)
    model = "qwen/qwen3-4b"
    assert window(provider, model) is None
    asked = len(server.requests)
    assert window(provider, model) is None
    assert len(server.requests) > asked


def test_a_server_that_never_tells_is_asked_once(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    assert window(provider, "llama3") is None
    known = len(server.requests)
    assert window(provider, "llama3") is None
    assert len(server.requests) == known


def test_address_and_model_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", "localhost:1234")
    monkeypatch.setenv("CODEBUDDY_MODEL", "qwen3")
    provider = LocalProvider()
    provider.read_environment()
    assert (provider.where(), provider.model) == ("http://localhost:1234/v1", "qwen3")


def test_warming_asks_no_server(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.warm()
    assert server.requests == []


# What a server can be told


def pulled(
    provider: LocalProvider, name: str = "qwen3:8b"
) -> list[tuple[str, int, int]]:
    steps: list[tuple[str, int, int]] = []
    run(provider, lambda: provider.pull(name, lambda *step: steps.append(step)))
    return steps


def test_a_pull_tells_how_far_it_is(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    OLLAMA.on(server)
    layer = {"status": "pulling 8b", "digest": "sha256:8b", "total": 100}
    server.script(
        lines(
            {"status": "pulling manifest"},
            layer,
            {**layer, "completed": 60},
            {"status": "success"},
        ),
        path=PULL,
    )
    assert pulled(provider) == [
        ("pulling manifest", 0, 0),
        ("pulling 8b", 0, 100),
        ("pulling 8b", 60, 100),
        ("success", 0, 0),
    ]
    assert server.asked(PULL)[0]["body"] == {"model": "qwen3:8b", "stream": True}


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            lines({"status": "pulling manifest"}, {"error": "no space left on device"}),
            errors.ServerError,
            "no space left",
        ),
        (
            lines({"error": "pull model manifest: file does not exist"}),
            errors.ModelNotFound,
            (
                "Ollama finds no model qwen3:8b to download .*file does not exist.* "
                "https://ollama.com/library"
            ),
        ),
        (
            as_json({"error": "invalid model name"}, 400),
            errors.ServerError,
            "invalid model name",
        ),
        (
            lines({"status": "pulling 8b", "total": 100, "completed": 60}),
            errors.NoReply,
            "the download ended early",
        ),
        (
            lines("<html>not a line of JSON</html>"),
            errors.ServerError,
            "not a line of JSON",
        ),
    ],
    ids=["in a 200", "at once", "a 400", "broken off", "junk"],
)
def test_a_pull_that_fails_says_why(
    server: ScriptedServer,
    provider: LocalProvider,
    answer: Any,
    error: type[Exception],
    words: str,
) -> None:
    OLLAMA.on(server)
    server.script(answer, path=PULL)
    with pytest.raises(error, match=words):
        pulled(provider)


def test_a_pull_that_was_stopped_closes_its_connection_and_can_be_taken_up_again(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    OLLAMA.on(server)
    part = lines({"status": "pulling 8b", "total": 100, "completed": 60})
    server.script(replace(part, end="hang"), lines({"status": "success"}), path=PULL)

    async def stop_it() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(provider.pull("qwen3:8b", lambda *step: begun.set()))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(provider, stop_it)
    assert server.wait_for("closed", PULL)
    assert pulled(provider) == [("success", 0, 0)]


ORDERS = {
    "Ollama, load": (OLLAMA, "load", GENERATE, {"model": "qwen3:8b", "stream": False}),
    "Ollama, unload": (
        OLLAMA,
        "unload",
        GENERATE,
        {"model": "qwen3:8b", "stream": False, "keep_alive": 0},
    ),
    "LM Studio, load": (
        LM_STUDIO,
        "load",
        "/api/v1/models/load",
        {"model": "openai/gpt-oss-20b"},
    ),
    "LM Studio, unload": (
        LM_STUDIO,
        "unload",
        "/api/v1/models/unload",
        {"instance_id": "openai/gpt-oss-20b"},
    ),
    "LocalAI, load": (LOCAL_AI, "load", "/backend/load", {"model": "qwen3-4b"}),
    "LocalAI, unload": (LOCAL_AI, "unload", "/backend/shutdown", {"model": "qwen3-4b"}),
    "text-generation-webui, load": (
        WEBUI,
        "load",
        "/v1/internal/model/load",
        {"model_name": "qwen3.gguf"},
    ),
    "text-generation-webui, unload": (WEBUI, "unload", "/v1/internal/model/unload", {}),
}


@pytest.mark.parametrize(
    ("kind", "order", "path", "body"), ORDERS.values(), ids=ORDERS.keys()
)
def test_an_order_is_given_as_the_server_wants_it(
    server: ScriptedServer, kind: Played, order: str, path: str, body: dict[str, Any]
) -> None:
    provider = LocalProvider(base_url=kind.on(server))
    server.script(as_json({"status": "ok"}), path=path)
    run(provider, lambda: getattr(provider, order)(kind.chosen))
    assert [record["body"] for record in server.asked(path)] == [body]


@pytest.mark.parametrize(
    ("kind", "order", "path", "body"), ORDERS.values(), ids=ORDERS.keys()
)
def test_an_order_that_is_refused_says_why(
    server: ScriptedServer, kind: Played, order: str, path: str, body: dict[str, Any]
) -> None:
    provider = LocalProvider(base_url=kind.on(server))
    server.script(as_json({"error": {"message": "not enough memory"}}, 500), path=path)
    with pytest.raises(errors.ServerError, match="not enough memory"):
        run(provider, lambda: getattr(provider, order)(kind.chosen))


@pytest.mark.parametrize(
    ("order", "line"),
    [
        (
            "pull",
            "LM Studio does not let clients download a model. "
            "Download it there: lms get phi4",
        ),
        (
            "load",
            "vLLM does not let clients load a model. Load it there: vllm serve phi4",
        ),
        (
            "unload",
            "vLLM does not let clients unload a model. Stop the server instead",
        ),
    ],
)
def test_a_server_that_cannot_be_told_so_says_what_to_do(
    server: ScriptedServer, order: str, line: str
) -> None:
    kind = LM_STUDIO if order == "pull" else VLLM_SERVER
    provider = LocalProvider(base_url=kind.on(server))
    arguments = ("phi4", lambda *step: None) if order == "pull" else ("phi4",)
    with pytest.raises(errors.SettingError) as refused:
        run(provider, lambda: getattr(provider, order)(*arguments))
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        (LOCAL_AI, "Ask the model a question, which loads it"),
        (LM_STUDIO_03, "Load it there: lms load qwen3-4b"),
    ],
    ids=lambda kind: getattr(kind, "name", ""),
)
def test_a_version_that_cannot_be_told_yet_says_what_to_do(
    server: ScriptedServer, kind: Played, remedy: str
) -> None:
    provider = LocalProvider(base_url=kind.on(server))
    with pytest.raises(errors.SettingError) as refused:
        run(provider, lambda: provider.load("qwen3-4b"))
    assert str(refused.value) == (
        f"This version of {kind.name} does not let clients load a model. {remedy}"
    )


def test_a_model_that_is_not_loaded_cannot_be_unloaded(server: ScriptedServer) -> None:
    provider = LocalProvider(base_url=LM_STUDIO.on(server))
    with pytest.raises(errors.SettingError, match="no loaded model qwen/qwen3-4b at "):
        run(provider, lambda: provider.unload("qwen/qwen3-4b"))


def test_a_model_that_cannot_be_loaded_since_it_is_not_there_is_told_as_that(
    server: ScriptedServer,
) -> None:
    provider = LocalProvider(base_url=LOCAL_AI.on(server))
    server.script(
        as_json({"error": {"message": "model phi4 not found"}}, 404),
        path="/backend/load",
    )
    with pytest.raises(
        errors.ModelNotFound, match=r"There is no model 'phi4' at .* It has "
    ):
        run(provider, lambda: provider.load("phi4"))


def test_nothing_is_loaded_ahead_unless_the_settings_say_so(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    run(provider, lambda: provider.load_ahead(""))
    assert server.requests == []


@pytest.mark.parametrize(
    ("kind", "path"),
    [(OLLAMA, GENERATE), (VLLM_SERVER, CHAT), (LOCAL_AI, CHAT)],
    ids=[
        "by an order",
        "by a tiny question",
        "by a question where the order is not known",
    ],
)
def test_a_model_is_loaded_ahead(
    server: ScriptedServer, kind: Played, path: str
) -> None:
    provider = LocalProvider(base_url=kind.on(server), warm_up=True)
    run(provider, lambda: provider.load_ahead(""))
    assert [record["body"]["model"] for record in server.asked(path)] == [kind.chosen]


def test_what_goes_wrong_ahead_is_left_for_the_question_to_say() -> None:
    with ScriptedServer() as gone:
        provider = LocalProvider(base_url=gone.url, warm_up=True, retries=0)
    run(provider, lambda: provider.load_ahead(""))


def loading(provider: LocalProvider, model: str) -> bool | None:
    async def look() -> bool | None:
        await provider.find_server()
        return await provider.is_model_loading(model)

    said: list[bool | None] = run(provider, look)
    return said[0]


def test_a_model_loads_as_long_as_the_server_does_not_list_it_as_loaded(
    server: ScriptedServer,
) -> None:
    provider = LocalProvider(base_url=OLLAMA.on(server))
    assert loading(provider, "qwen3:8b") is False
    assert loading(provider, "nomic-embed-text") is True
    assert loading(provider, "unknown") is None


def test_a_server_that_does_not_tell_what_is_loaded_leaves_it_open(
    provider: LocalProvider,
) -> None:
    assert loading(provider, "llama3") is None


def test_a_server_that_is_not_known_yet_is_not_asked_what_it_loads(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    assert run(provider, lambda: provider.is_model_loading("llama3")) == [None]
    assert server.requests == []


def test_a_model_that_is_loaded_on_request_loads_until_that_is_done(
    server: ScriptedServer,
) -> None:
    provider = LocalProvider(base_url=OLLAMA.on(server))
    said: list[bool | None] = []

    async def load() -> None:
        loads = asyncio.create_task(provider.load("qwen3:8b"))
        while not server.asked(GENERATE):
            await asyncio.sleep(0.01)
        said.append(await provider.is_model_loading("qwen3:8b"))
        loads.cancel()
        await asyncio.gather(loads, return_exceptions=True)
        said.append(await provider.is_model_loading("qwen3:8b"))

    server.script(hang(), path=GENERATE)
    run(provider, load)
    assert said == [True, False]


def can_read_ahead(provider: LocalProvider, model: str) -> bool:
    async def look() -> bool:
        await provider.find_server()
        return await provider.can_read_ahead(model)

    (answer,) = run(provider, look)
    return bool(answer)


def test_only_a_loaded_model_reads_ahead(server: ScriptedServer) -> None:
    provider = LocalProvider(base_url=OLLAMA.on(server))
    assert can_read_ahead(provider, "qwen3:8b")
    assert not can_read_ahead(provider, "nomic-embed-text")
    assert not can_read_ahead(provider, "unknown")
    assert not server.asked(GENERATE)
    assert not server.asked(NATIVE)


def test_a_server_on_another_machine_reads_nothing_ahead(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = LocalProvider(base_url=OLLAMA.on(server))
    monkeypatch.setattr(provider, "stays_here", lambda: False)
    assert not can_read_ahead(provider, "qwen3:8b")


def test_a_server_that_is_not_known_to_keep_prompts_reads_nothing_ahead(
    provider: LocalProvider,
) -> None:
    assert not can_read_ahead(provider, "llama3")


def test_a_server_that_is_not_known_yet_is_not_asked_to_read_ahead(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    assert run(provider, lambda: provider.can_read_ahead("llama3")) == [False]
    assert server.requests == []


@pytest.mark.parametrize("name", PLAYED)
def test_only_llama_cpp_is_asked_how_far_it_has_read(
    server: ScriptedServer, name: str
) -> None:
    kind = PLAYED[name]
    provider = LocalProvider(base_url=kind.on(server))
    request = Request((Message("user", "hello"),), "m")

    async def body() -> object:
        await provider.find_server()
        return provider.body(request).get("return_progress")

    expected = True if name.startswith("llama.cpp") else None
    assert run(provider, body) == [expected]
