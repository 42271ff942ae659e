"""The clouds: each with its address, its key and its quirks; none is ever reached by a
test.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers import cloud
from codebuddy_jupyter.providers.cloud import CloudProvider
from codebuddy_jupyter.providers.http.address import host_of, normalise_base_url
from tests.support.scripted_server import MODELS, ScriptedServer, model_list

CLOUDS = [
    cloud.OpenAIProvider,
    cloud.AnthropicProvider,
    cloud.GeminiProvider,
    cloud.GroqProvider,
    cloud.DeepSeekProvider,
    cloud.QwenProvider,
    cloud.GLMProvider,
    cloud.GrokProvider,
]
HELLO = Request((Message("user", "hello"),), "m", max_tokens=5)
every_cloud = pytest.mark.parametrize("kind", CLOUDS, ids=lambda kind: kind.__name__)


def ask(provider: CloudProvider) -> str:
    async def once() -> str:
        text = "".join([chunk.text async for chunk in provider.stream(HELLO)])
        await provider.close()
        return text

    return asyncio.run(once())


@every_cloud
def test_a_cloud_has_a_label_an_address_a_model_and_a_key(
    kind: type[CloudProvider],
) -> None:
    provider = kind()
    assert provider.label
    assert provider.model
    assert provider.key_variable.endswith("_API_KEY")
    assert provider.where().startswith("https://")
    assert normalise_base_url(provider.base_url) == provider.base_url


@every_cloud
def test_a_missing_key_is_told_with_its_variable_before_any_request(
    kind: type[CloudProvider],
) -> None:
    provider = kind()
    with pytest.raises(errors.KeyRefused) as refused:
        ask(provider)
    assert str(refused.value) == (
        f"There is no key for {provider.name} at {host_of(provider.url)}. Set "
        "the environment variable "
        f"{provider.key_variable}; or store a key, in a terminal: codebuddy key {provider.name}"
    )


@every_cloud
def test_the_key_of_the_environment_goes_to_its_own_host(
    kind: type[CloudProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = kind()
    monkeypatch.setenv(provider.key_variable, "sk-mine")
    assert provider.find_key() == "sk-mine"


@every_cloud
def test_the_key_of_the_environment_goes_to_no_other_host(
    kind: type[CloudProvider], server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = kind(base_url=server.url)
    monkeypatch.setenv(provider.key_variable, "sk-mine")
    with pytest.raises(errors.KeyRefused) as refused:
        ask(provider)
    assert str(refused.value) == (
        f"There is no key for {provider.name} at 127.0.0.1:{server.port}. "
        f"Store a key for this host, in a terminal: codebuddy key {provider.name}"
    )
    assert server.requests == []


@every_cloud
def test_a_cloud_answers_through_a_gateway_with_the_key_that_is_stored_for_it(
    kind: type[CloudProvider], server: ScriptedServer
) -> None:
    provider = kind(base_url=server.url)
    provider.keys.store(provider.name, f"127.0.0.1:{server.port}", "sk-gateway")
    assert ask(provider) == "Hello from the scripted server."
    asked: dict[str, Any] = server.asked()[-1]
    assert asked["headers"]["authorization"] == "Bearer sk-gateway"
    assert asked["body"][provider.max_tokens_field] == 5


@every_cloud
def test_offline_refuses_a_cloud(
    kind: type[CloudProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = kind()
    provider.offline = True
    monkeypatch.setenv(provider.key_variable, "sk-mine")
    with pytest.raises(errors.Offline, match=r"%config Buddy\.offline = False"):
        ask(provider)


def test_a_cloud_that_cannot_be_reached_points_to_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    with pytest.raises(errors.Unreachable) as refused:
        ask(cloud.OpenAIProvider())
    assert str(refused.value) == (
        "Nothing answers at https://api.openai.com/v1 (there is no such host). "
        "Check the network connection; or ask a model on this machine: %buddy /use Local"
    )


def test_geminis_models_are_listed_by_the_names_that_it_takes(
    server: ScriptedServer,
) -> None:
    provider = cloud.GeminiProvider(base_url=server.url)
    provider.keys.store("Gemini", f"127.0.0.1:{server.port}", "sk-gateway")
    server.script(model_list("models/gemini-3.7-flash"), path=MODELS)
    assert [model.name for model in asyncio.run(provider.models())] == [
        "gemini-3.7-flash"
    ]


def test_a_cloud_has_room_for_a_long_prompt() -> None:
    assert asyncio.run(cloud.OpenAIProvider().window("any")) == cloud.WINDOW


@pytest.mark.parametrize(
    ("kind", "type"),
    [
        (cloud.OpenAIProvider, "json_schema"),
        (cloud.DeepSeekProvider, "json_object"),
        (cloud.GLMProvider, "json_object"),
    ],
)
def test_a_cloud_is_asked_for_json_in_the_way_that_it_knows(
    kind: type[CloudProvider], type: str
) -> None:
    schema = {"type": "object"}
    request = Request((Message("user", "late?"),), "m", schema=schema)
    assert kind().body(request)["response_format"]["type"] == type
