"""How a model is asked for the text between two others: remembered, and found out anew
after a failure.
"""

from __future__ import annotations

import asyncio

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Infill
from codebuddy_jupyter.providers.cloud import OpenAIProvider
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.settings.keys import Key
from tests.support.infill import COMPLETIONS, LLAMA_CPP, OLLAMA, SUFFIX
from tests.support.local_calls import run
from tests.support.scripted_server import Answer, ScriptedServer, as_json, hang

REQUEST = Infill("x = so", "(y)\n", "coder", 48)


async def text_from(provider: LocalProvider | OpenAIProvider) -> str:
    """The text that is written, or the name of the error."""
    try:
        return "".join([chunk.text async for chunk in provider.infill(REQUEST)])
    except errors.BuddyError as error:
        return type(error).__name__


def test_after_a_failure_another_server_may_be_there(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    LLAMA_CPP.on(server)
    assert run(provider, lambda: text_from(provider)) == ["  rted"]
    server.script(as_json({"error": "broken"}, 500), path=LLAMA_CPP.path)
    assert run(provider, lambda: text_from(provider)) == ["ServerError"]
    server.forget()
    OLLAMA.on(server)
    assert run(provider, lambda: text_from(provider)) == ["  rted"]
    assert len(server.asked(OLLAMA.path)) == 1


def test_a_server_that_does_not_answer_a_probe_is_probed_again(
    server: ScriptedServer,
    provider: LocalProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = "codebuddy_jupyter.providers.local.server"
    monkeypatch.setattr(f"{module}.INFILL_TIMEOUT", 0.5)
    SUFFIX.on(server)
    server.script(hang(), path=COMPLETIONS)
    assert run(provider, lambda: text_from(provider)) == ["NoReply"]
    SUFFIX.on(server)
    assert run(provider, lambda: text_from(provider)) == ["  rted"]


def test_a_connection_that_was_gone_is_replaced_once(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    LLAMA_CPP.on(server)
    gone = Answer(framing="raw")
    path = LLAMA_CPP.path
    server.script(LLAMA_CPP.probe, gone, LLAMA_CPP.reply, path=path)
    assert run(provider, lambda: text_from(provider)) == ["  rted"]
    server.script(LLAMA_CPP.probe, gone, gone, gone, path=path)
    provider.infilling.forget()
    assert run(provider, lambda: text_from(provider)) == ["NoReply"]
    assert len(server.asked(path)) == 6


@pytest.mark.parametrize("takes", [True, False], ids=["suffix", "none"])
def test_a_cloud_is_asked_by_the_suffix_or_not_at_all(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, takes: bool
) -> None:
    provider = OpenAIProvider(base_url=server.url)
    monkeypatch.setattr(provider, "find_key", lambda: Key("key"))
    if takes:
        SUFFIX.on(server)
    expected = "  rted" if takes else "NoInfill"
    outcomes = [run_cloud(provider) for _ in range(2)]
    assert outcomes == [expected] * 2
    # A probe, and the two requests.
    assert len(server.asked(COMPLETIONS)) == (3 if takes else 1)


def run_cloud(provider: OpenAIProvider) -> str:
    async def ask() -> str:
        text = await text_from(provider)
        await provider.close()
        return text

    return asyncio.run(ask())
