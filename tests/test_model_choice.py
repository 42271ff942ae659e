"""Which model of a local server is asked, and what its lists say of each."""

from __future__ import annotations

from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.kinds import (
    OLLAMA,
)
from tests.support.local_calls import PS, chosen, window
from tests.support.scripted_server import (
    MODELS,
    ScriptedServer,
    as_json,
    model_list,
    plain,
)


def test_a_named_model_is_asked_without_asking_the_server(
    server: ScriptedServer, provider: LocalProvider
) -> None:
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


@pytest.mark.parametrize(
    ("names", "has"),
    [([], "no model yet"), (["nomic-embed-text"], "no model that can chat")],
    ids=["none", "none that can chat"],
)
def test_a_server_without_a_model_says_how_to_get_one(
    server: ScriptedServer, provider: LocalProvider, names: list[str], has: str
) -> None:
    server.script(model_list(*names), path=MODELS)
    with pytest.raises(errors.ModelNotFound) as refused:
        chosen(provider)
    assert str(refused.value) == (
        f"{server.url} has {has}. Download or load one there; "
        "or with Ollama: ollama pull llama3.2"
    )


WINDOWS = {
    "as llama.cpp": (
        model_list("m", meta={"n_ctx": 8192, "n_ctx_train": 131072}),
        8192,
    ),
    "as vLLM": (model_list("m", max_model_len=32768), 32768),
    "as LM Studio": (model_list("m", state="loaded", loaded_context_length=6000), 6000),
    "a server that does not tell": (model_list("m"), None),
    "a model that is not listed": (model_list("other"), None),
    "a server without a list": (plain("404 page not found", status=404), None),
}


@pytest.mark.parametrize(("listed", "expected"), WINDOWS.values(), ids=WINDOWS.keys())
def test_the_window_is_what_a_server_of_no_known_kind_tells(
    server: ScriptedServer, provider: LocalProvider, listed: Any, expected: int | None
) -> None:
    server.script(listed, path=MODELS)
    assert window(provider, "m") == expected


def test_a_model_of_ollama_is_known_by_its_short_name(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    OLLAMA.on(server)
    server.script(
        as_json(
            {"models": [{"name": "nomic-embed-text:latest", "context_length": 2048}]}
        ),
        path=PS,
    )
    assert window(provider, "nomic-embed-text") == 2048
