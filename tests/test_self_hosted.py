"""Settings of a server with its own gateway: additional headers."""

from __future__ import annotations

import asyncio
import traceback

import pytest
from traitlets import TraitError
from traitlets.config import Config

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Chunk, Message, Request
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.providers.openai_chat import OpenAIChatProvider
from codebuddy_jupyter.settings.keys import NO_KEY
from tests.support.scripted_server import ScriptedServer, as_json

HELLO = Request((Message("user", "hello"),), "llama3")

SECRET = "a-secret-of-the-gateway"

TEXT = "Hello from the scripted server."


def ask(provider: OpenAIChatProvider) -> str:
    async def once() -> str:
        try:
            return "".join([chunk.text async for chunk in provider.stream(HELLO)])
        finally:
            await provider.close()

    return asyncio.run(once())


def test_headers_of_ones_own_are_sent_to_the_server(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.headers = {"X-Gateway": SECRET}
    assert ask(provider) == TEXT
    assert server.asked()[-1]["headers"]["x-gateway"] == SECRET


def test_a_secret_header_is_neither_saved_nor_shown(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.headers = {"X-Gateway": SECRET}
    server.script(as_json({"error": {"message": f"bad {SECRET}"}}, 400))
    with pytest.raises(errors.ServerError) as caught:
        ask(provider)
    assert "bad [redacted: X-Gateway]." in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert "headers" not in provider.saved_state()
    assert SECRET not in repr(provider.access(server.url, NO_KEY))
    assert SECRET not in provider.class_get_help(provider)


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Bad Name", "X:", ""])
def test_a_header_that_no_request_can_carry_is_refused(
    provider: LocalProvider, name: str
) -> None:
    with pytest.raises(TraitError):
        provider.headers = {name: "x"}
    with pytest.raises(TraitError):
        provider.headers = {"X-Good": "two\nlines"}


# Headers belong to a host


def sent(server: ScriptedServer) -> str | None:
    header: str | None = server.asked()[-1]["headers"].get("x-gateway")
    return header


def test_headers_are_not_sent_to_another_host(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    """The secret of one gateway is not for the next base URL."""
    provider.change({"base_url": "http://gateway.example/v1"})
    provider.change({"headers": {"X-Gateway": SECRET}})
    provider.change({"base_url": server.url})
    reply = asyncio.run(collected(provider))
    assert "".join(chunk.text for chunk in reply) == TEXT
    assert sent(server) is None
    host = server.url.split("/")[2]
    assert reply[0].note == (
        f"Not sent to {host}: X-Gateway, which belongs to gateway.example:80. To send it "
        "here, set it again: %config LocalProvider.headers = {…}."
    )
    assert SECRET not in reply[0].note
    # The same value, set again, is for the host in use.
    provider.change({"headers": {"X-Gateway": SECRET}})
    assert ask(provider) == TEXT
    assert sent(server) == SECRET


async def collected(provider: LocalProvider) -> list[Chunk]:
    try:
        return [chunk async for chunk in provider.stream(HELLO)]
    finally:
        await provider.close()


def test_probes_and_lists_do_not_carry_the_headers_of_another_host(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.change({"base_url": "http://gateway.example/v1"})
    provider.headers = {"X-Gateway": SECRET}
    provider.base_url = server.url

    async def look() -> None:
        await provider.models()
        await provider.find_server()
        await provider.close()

    asyncio.run(look())
    assert server.requests
    assert not any(SECRET in str(request) for request in server.requests)


def test_a_refusal_says_that_headers_were_held_back(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.headers = {"X-Gateway": SECRET}
    provider.base_url = server.url.replace("127.0.0.1", "localhost")
    server.script(as_json({"error": {"message": "no"}}, 401))
    with pytest.raises(
        errors.KeyRefused, match="X-Gateway, which belongs to 127"
    ) as caught:
        ask(provider)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("file_has_url", [True, False])
def test_headers_of_ipython_config_are_for_the_address_of_that_file(
    monkeypatch: pytest.MonkeyPatch, *, file_has_url: bool
) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", "http://elsewhere.example/v1")
    section: dict[str, object] = {"headers": {"X-Gateway": SECRET}}
    if file_has_url:
        section["base_url"] = "http://gateway.example/v1"
    local = LocalProvider(config=Config({"LocalProvider": section}))
    assert local.url == "http://elsewhere.example/v1"
    assert bool(local.access(local.url, NO_KEY).headers) is not file_has_url
    monkeypatch.delenv("CODEBUDDY_BASE_URL")
    local.read_environment()
    assert bool(local.access(local.url, NO_KEY).headers) is file_has_url


def test_headers_and_address_set_together_belong_together() -> None:
    local = LocalProvider()
    local.change(
        {"headers": {"X-Gateway": SECRET}, "base_url": "http://gateway.example/v1"}
    )
    assert local.access(local.url, NO_KEY).headers
    local.change({"base_url": "http://GATEWAY.example/other/v1"})
    assert local.access(local.url, NO_KEY).headers
    local.change({"base_url": "http://gateway.example:8080/v1"})
    assert not local.access(local.url, NO_KEY).headers
