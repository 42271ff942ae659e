"""Time limits of a request, and its repetitions: a server that is busy or starting is
asked again, for a limited time.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Any, cast

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.providers.http.server_error import ErrorResponse
from codebuddy_jupyter.providers.http.timeouts import Deadline, Retries, TimedOut
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.outcome import WITH_OPTIONS, chunks_of, notes_of, text_of
from tests.support.scripted_server import (
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    event,
    model_list,
    plain,
    reply,
    stream,
)

BUSY = as_json({"error": {"message": "server busy"}}, 503)

# Asking again

AGAIN = {
    "503": (BUSY, "The server is busy (503). Retrying in 0.25 s."),
    "503 with Retry-After": (
        plain("", status=503, **{"Retry-After": "0.1"}),
        "(503). Retrying in 0.1 s.",
    ),
    "429 with Retry-After": (
        plain("", status=429, **{"Retry-After": "0"}),
        "(429). Retrying in 0 s.",
    ),
}


@pytest.mark.parametrize(("answer", "note"), AGAIN.values(), ids=AGAIN)
def test_a_busy_server_is_asked_again_and_the_user_told(
    server: ScriptedServer, provider: LocalProvider, answer: Answer, note: str
) -> None:
    server.script(answer, reply("Hi"))
    chunks = chunks_of(provider)
    assert text_of(chunks) == "Hi"
    assert [note in told for told in notes_of(chunks)] == [True]


def test_a_busy_server_is_asked_again_only_so_often(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(BUSY)
    provider.retries = 1
    with pytest.raises(errors.ServerError, match="server busy"):
        chunks_of(provider)
    assert len(server.asked()) == 2


NEVER = {
    "429 without Retry-After": plain("slow down", status=429),
    "429 that says to come back tomorrow": plain(
        "slow down", status=429, **{"Retry-After": "86400"}
    ),
    "400": plain("bad", status=400),
    "500": plain("dead", status=500),
    "502": plain("dead", status=502),
    "no reply": plain("a page"),
    "cut off before any text": stream(delta(role="assistant"), done=False, end="drop"),
    "cut off in its text": stream(delta("Hi"), done=False, end="drop"),
    "an error in the stream": stream(
        {"error": {"message": "busy", "code": 503}}, done=False
    ),
}


@pytest.mark.parametrize("answer", NEVER.values(), ids=NEVER)
def test_anything_else_is_asked_once(
    server: ScriptedServer, provider: LocalProvider, answer: Answer
) -> None:
    server.script(answer, reply("Hi"))
    with pytest.raises(errors.ProviderError):
        chunks_of(provider)
    assert len(server.asked()) == 1


async def known(provider: LocalProvider) -> None:
    await provider.find_server()
    await provider.close()


@contextmanager
def being_started(provider: LocalProvider) -> Iterator[None]:
    """Have the provider ask a server that it knows, and that listens again a little
    later.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    provider.base_url, provider.retries = f"http://127.0.0.1:{port}", 5
    with ScriptedServer(port=port):
        asyncio.run(known(provider))
    late = ScriptedServer(port=port)
    timer = threading.Timer(0.4, late.__enter__)
    timer.start()
    yield
    timer.join(5)
    late.__exit__()


def test_a_server_that_is_being_started_is_tried_again(provider: LocalProvider) -> None:
    with being_started(provider):
        chunks = chunks_of(provider)
    assert text_of(chunks) == "Hello from the scripted server."
    assert notes_of(chunks)[0] == "Nothing answers yet. Retrying in 0.25 s."


LIST = {
    "503": [BUSY, model_list("llama3")],
    "429 with Retry-After": [
        plain("", status=429, **{"Retry-After": "0"}),
        model_list("llama3"),
    ],
    "a connection that ends": [Answer(framing="raw"), model_list("llama3")],
}


@pytest.mark.parametrize("answers", LIST.values(), ids=LIST)
def test_the_models_are_asked_for_again_as_a_question_is(
    server: ScriptedServer, provider: LocalProvider, answers: list[Answer]
) -> None:
    server.script(*answers, path=MODELS)
    asyncio.run(told_models(provider))
    assert len(server.asked(MODELS)) >= 2


async def told_models(provider: LocalProvider) -> None:
    assert [model.name for model in await provider.models()] == ["llama3"]
    await provider.close()


def test_the_models_of_a_server_that_is_being_started_are_asked_for_again(
    provider: LocalProvider,
) -> None:
    with being_started(provider):
        asyncio.run(told_models(provider))


def test_a_list_that_nobody_gives_is_asked_for_only_so_often(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(BUSY, path=MODELS)
    provider.retries = 1
    with pytest.raises(errors.ServerError, match="server busy"):
        asyncio.run(told_models(provider))
    assert len(server.asked(MODELS)) == 2


def test_a_pause_between_tries_can_be_interrupted(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(plain("", status=429, **{"Retry-After": "300"}))

    async def stop() -> None:
        async with aclosing(cast(Any, provider.stream(WITH_OPTIONS))) as chunks:
            assert "Retrying in 300 s" in (await anext(chunks)).note
            waiting = asyncio.ensure_future(anext(chunks))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(stop())


def test_patience_ends_with_its_time() -> None:
    loading = ErrorResponse({"error": "Loading model"}, 503)
    assert Retries(0, 60.0).try_again(loading)
    assert Retries(0, 0.1).try_again(loading) is None


# Time


def test_a_whole_answer_has_its_time(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(Answer(tokens=10_000, per_second=20))
    provider.total_timeout = 0.5
    chunks = []

    async def listen() -> None:
        async for chunk in provider.stream(WITH_OPTIONS):
            chunks.append(chunk)

    with pytest.raises(errors.CutOff) as caught:
        asyncio.run(listen())
    assert str(caught.value) == (
        f"The reply from {server.url} did not end within 0.5 s. "
        "The part that was received is kept. Wait longer: %config LocalProvider.total_timeout = 1"
    )
    assert text_of(chunks)
    server.wait_for("closed")


def test_a_slow_answer_is_waited_for(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.first_token_timeout, provider.next_token_timeout = 3.0, 3.0
    pieces = [(0.7, event(delta(f"{number} "))) for number in range(5)]
    server.script(Answer(pieces=[*pieces, (0.7, event(delta(finish="stop")))]))
    assert text_of(chunks_of(provider)) == "0 1 2 3 4 "


def test_the_systems_own_timeout_is_not_taken_for_ours() -> None:
    async def refuse() -> None:
        raise TimeoutError("ETIMEDOUT")

    async def wait() -> None:
        await Deadline(60, 60, 60).within(refuse())

    with pytest.raises(TimeoutError):
        asyncio.run(wait())


def test_the_clock_names_the_setting_that_ran_out() -> None:
    async def wait(first: float, total: float, *, begun: bool) -> str:
        clock = Deadline(first, 0.01, total)
        if begun:
            clock.tick()
        with pytest.raises(TimedOut) as caught:
            await clock.within(asyncio.sleep(5))
        return caught.value.setting

    assert asyncio.run(wait(0.01, 60, begun=False)) == "first_token_timeout"
    assert asyncio.run(wait(60, 60, begun=True)) == "next_token_timeout"
    assert asyncio.run(wait(60, 0.005, begun=False)) == "total_timeout"
