"""Settings of a server with its own gateway: additional headers."""

from __future__ import annotations

import asyncio
import traceback

import pytest
from traitlets import TraitError

from codebuddy_jupyter import errors
from codebuddy_jupyter.keys import NO_KEY
from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.providers.openai_chat import OpenAIChatProvider
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
