"""The local provider: which model it asks, how far that sees, and what it says when there is no server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Message, Model, Request
from codebuddy_jupyter.providers.local import LocalProvider
from tests.scripted_server import MODELS, ScriptedServer, as_json, model_list, plain

PS, LM_STUDIO = "/api/ps", "/api/v0/models"
NO_KEY = "Bearer not-needed"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def provider(server: ScriptedServer) -> LocalProvider:
    return LocalProvider(base_url=server.url)


def run(provider: LocalProvider, *calls: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
    async def in_turn() -> list[Any]:
        outcomes = [await call() for call in calls]
        await provider.close()
        return outcomes

    return asyncio.run(in_turn())


def chosen(provider: LocalProvider, model: str = "") -> str:
    return str(run(provider, lambda: provider.choose(model))[0])


def window(provider: LocalProvider, model: str) -> int | None:
    found: int | None = run(provider, lambda: provider.window(model))[0]
    return found


def test_it_is_called_as_people_know_it() -> None:
    provider = LocalProvider()
    assert provider.label == "Local LLM (Ollama/LM Studio)"
    assert provider.where() == "http://localhost:11434/v1"


def test_a_named_model_is_asked_without_asking_the_server(server: ScriptedServer, provider: LocalProvider) -> None:
    assert chosen(provider, "phi4") == "phi4"
    provider.model = "qwen3"
    assert chosen(provider) == "qwen3"
    assert server.requests == []


@pytest.mark.parametrize(
    ("names", "choice"),
    [
        (["zephyr", "llama3:latest", "qwen3"], "llama3:latest"),
        (["zephyr", "llama3"], "llama3"),
        (["nomic-embed-text", "bge-m3", "zephyr", "qwen3"], "zephyr"),
    ],
    ids=["llama3:latest", "llama3", "the first that can chat"],
)
def test_without_a_name_llama3_else_the_first_that_can_chat(
    server: ScriptedServer, provider: LocalProvider, names: list[str], choice: str
) -> None:
    server.script(model_list(*names), path=MODELS)
    assert chosen(provider) == choice


def test_a_model_that_ollama_has_loaded_comes_first(server: ScriptedServer, provider: LocalProvider) -> None:
    server.script(model_list("llama3", "qwen3"), path=MODELS)
    server.script(as_json({"models": [{"name": "qwen3", "context_length": 4096}]}), path=PS)
    assert chosen(provider) == "qwen3"


def test_a_model_that_lm_studio_has_loaded_comes_first(server: ScriptedServer, provider: LocalProvider) -> None:
    server.script(model_list("llama3", "qwen3"), path=MODELS)
    states = [{"id": "llama3", "state": "not-loaded"}, {"id": "qwen3", "state": "loaded"}]
    server.script(as_json({"data": states}), path=LM_STUDIO)
    assert chosen(provider) == "qwen3"


@pytest.mark.parametrize("names", [[], ["nomic-embed-text"]], ids=["none", "none that can chat"])
def test_a_server_without_a_model_says_how_to_get_one(
    server: ScriptedServer, provider: LocalProvider, names: list[str]
) -> None:
    server.script(model_list(*names), path=MODELS)
    with pytest.raises(errors.ModelNotFound) as refused:
        chosen(provider)
    assert str(refused.value) == (
        f"{server.url} has no model that can chat. Fetch or load one there first, with Ollama by `ollama pull llama3.2`"
    )


def test_choice_and_window_are_remembered_and_forgotten_after_a_failure(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(model_list("qwen3", max_model_len=4096), path=MODELS)

    async def ask() -> str | None:
        try:
            async for _ in provider.stream(Request((Message("user", "hello"),), "qwen3")):
                pass
        except errors.ProviderError as error:
            return str(error)
        return None

    def prepare() -> Coroutine[Any, Any, Any]:
        return provider.choose("")

    def look() -> Coroutine[Any, Any, Any]:
        return provider.window("qwen3")

    assert run(provider, prepare, look, ask, prepare, look) == ["qwen3", 4096, None, "qwen3", 4096]
    known = len(server.asked(MODELS))
    server.script(plain("broken", status=500))
    server.script(model_list("phi4", max_model_len=8192), path=MODELS)
    assert "(500): broken" in run(provider, ask, prepare)[0]
    assert chosen(provider) == "phi4"
    assert (known, len(server.asked(MODELS))) == (1, 2)


WINDOWS = {
    "llama.cpp": (model_list("m", meta={"n_ctx": 8192, "n_ctx_train": 131072}), {}, 8192),
    "vLLM": (model_list("m", max_model_len=32768), {}, 32768),
    "Ollama": (model_list("m"), {PS: {"models": [{"name": "m", "context_length": 4096}]}}, 4096),
    "Ollama, by its short name": (
        model_list("m:latest"),
        {PS: {"models": [{"name": "m:latest", "context_length": 4096}]}},
        4096,
    ),
    "Ollama, not loaded": (model_list("m"), {PS: {"models": []}}, None),
    "LM Studio": (
        model_list("m"),
        {LM_STUDIO: {"data": [{"id": "m", "state": "loaded", "loaded_context_length": 6000}]}},
        6000,
    ),
    "a server that does not tell": (model_list("m"), {}, None),
    "a model that is not listed": (model_list("other"), {}, None),
}


@pytest.mark.parametrize(("listed", "native", "expected"), WINDOWS.values(), ids=WINDOWS.keys())
def test_the_window_is_what_the_server_tells(
    server: ScriptedServer, provider: LocalProvider, listed: Any, native: dict[str, Any], expected: int | None
) -> None:
    server.script(listed, path=MODELS)
    for path, body in native.items():
        server.script(as_json(body), path=path)
    assert window(provider, "m") == expected


def test_a_window_that_is_not_told_before_the_model_is_loaded_is_asked_again(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(model_list("m"), path=MODELS)
    loaded = {"models": [{"name": "m", "context_length": 4096}]}
    server.script(as_json({"models": []}), as_json(loaded), path=PS)
    assert (window(provider, "m"), window(provider, "m")) == (None, 4096)


def test_a_server_that_never_tells_is_asked_once(server: ScriptedServer, provider: LocalProvider) -> None:
    assert (window(provider, "llama3"), window(provider, "llama3")) == (None, None)
    assert len(server.asked(MODELS)) == 1


def test_the_models_are_listed_with_what_is_known_of_them(server: ScriptedServer, provider: LocalProvider) -> None:
    server.script(model_list("a", "b"), path=MODELS)
    server.script(as_json({"models": [{"name": "b", "context_length": 4096}]}), path=PS)
    assert run(provider, provider.models)[0] == [Model("a", loaded=False), Model("b", window=4096, loaded=True)]


def test_a_list_without_data_is_an_error_that_says_what_came(server: ScriptedServer, provider: LocalProvider) -> None:
    server.script(as_json({"error": "Unexpected endpoint or method. (GET /models)"}), path=MODELS)
    with pytest.raises(errors.NoReply) as refused:
        run(provider, provider.models)
    assert str(refused.value) == (
        f'{server.url} gives no list of models: it says "Unexpected endpoint or method. (GET /models)". '
        f'Look at the base URL: %config LocalProvider.base_url = "{server.url}"'
    )


def test_a_server_that_is_loading_is_waited_for(server: ScriptedServer, provider: LocalProvider) -> None:
    loading = as_json({"error": {"message": "Loading model", "code": 503}}, 503)
    server.script(loading, model_list("llama3"), path=MODELS)
    assert chosen(provider) == "llama3"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("http://127.0.0.1:11434", "Start Ollama with `ollama serve`"),
        ("http://127.0.0.1:1234", "Start LM Studio's server with `lms server start`"),
        ("http://127.0.0.1:9", "Start the server there"),
    ],
)
def test_the_remedy_is_that_of_the_usual_server_at_the_port(url: str, remedy: str) -> None:
    assert LocalProvider(base_url=url).remedy().startswith(f"{remedy}, or point the buddy elsewhere: %config")


def test_address_and_model_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", "localhost:1234")
    monkeypatch.setenv("CODEBUDDY_MODEL", "qwen3")
    provider = LocalProvider()
    provider.read_environment()
    assert (provider.where(), provider.model) == ("http://localhost:1234/v1", "qwen3")


def test_a_keyless_server_is_sent_the_placeholder(server: ScriptedServer, provider: LocalProvider) -> None:
    run(provider, provider.models)
    assert {record["headers"]["authorization"] for record in server.requests} == {NO_KEY}


def test_the_key_of_the_environment_is_for_the_address_of_the_environment(
    server: ScriptedServer, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_API_KEY", "sk-mine")
    run(provider, provider.models)
    monkeypatch.setenv("CODEBUDDY_BASE_URL", "http://my-server:1234")
    run(provider, provider.models)
    assert [record["headers"]["authorization"] for record in server.asked(MODELS)] == ["Bearer sk-mine", NO_KEY]


def test_a_stored_key_goes_to_its_host(server: ScriptedServer, provider: LocalProvider) -> None:
    provider.keys.store("Local", f"127.0.0.1:{server.port}", "sk-stored")
    run(provider, provider.models)
    assert server.asked(MODELS)[-1]["headers"]["authorization"] == "Bearer sk-stored"


def test_warming_asks_no_server(server: ScriptedServer, provider: LocalProvider) -> None:
    provider.warm()
    assert server.requests == []
