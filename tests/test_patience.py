"""When a server is asked again, how long it is waited for, and what the user sees
meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from email.utils import formatdate
from typing import Any, cast

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Chunk, Message, Request
from codebuddy_jupyter.providers.http.server_error import ErrorResponse
from codebuddy_jupyter.providers.http.timeouts import Deadline, Retries, TimedOut
from codebuddy_jupyter.providers.local.provider import LocalProvider
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

HELLO = Request(
    (Message("user", "hello"),),
    "llama3",
    temperature=0.5,
    max_tokens=9,
    extra={"seed": 1},
)
BUSY = as_json({"error": {"message": "server busy"}}, 503)


def ask(provider: LocalProvider, *, times: int = 1) -> list[Chunk]:
    """The chunks of the last of so many answers."""

    async def all_of_them() -> list[Chunk]:
        chunks: list[Chunk] = []
        for _ in range(times):
            chunks = [chunk async for chunk in provider.stream(HELLO)]
        await provider.close()
        return chunks

    return asyncio.run(all_of_them())


def text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def notes(chunks: list[Chunk]) -> list[str]:
    return [chunk.note for chunk in chunks if chunk.note]


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
    chunks = ask(provider)
    assert text(chunks) == "Hi"
    assert [note in told for told in notes(chunks)] == [True]


def test_a_busy_server_is_asked_again_only_so_often(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(BUSY)
    provider.retries = 1
    with pytest.raises(errors.ServerError, match="server busy"):
        ask(provider)
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
        ask(provider)
    assert len(server.asked()) == 1


@contextmanager
def being_started(provider: LocalProvider) -> Iterator[None]:
    """Have the provider ask a server that listens a little later."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    provider.base_url, provider.retries = f"http://127.0.0.1:{port}", 5
    late = ScriptedServer(port=port)
    timer = threading.Timer(0.4, late.__enter__)
    timer.start()
    yield
    timer.join(5)
    late.__exit__()


def test_a_server_that_is_being_started_is_tried_again(provider: LocalProvider) -> None:
    with being_started(provider):
        chunks = ask(provider)
    assert text(chunks) == "Hello from the scripted server."
    assert notes(chunks)[0] == "Nothing answers yet. Retrying in 0.25 s."


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
        async with aclosing(cast(Any, provider.stream(HELLO))) as chunks:
            assert "Retrying in 300 s" in (await anext(chunks)).note
            waiting = asyncio.ensure_future(anext(chunks))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(stop())


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0.5", 0.5), (formatdate(0), 0.0)]
)
def test_retry_after_is_read_in_each_form(header: str, seconds: float) -> None:
    assert ErrorResponse("", 429, retry_after=header).retry_after == seconds


def test_retry_after_may_be_a_date_to_come() -> None:
    after = ErrorResponse(
        "", 429, retry_after=formatdate(time.time() + 1000, usegmt=True)
    ).retry_after
    assert after is not None
    assert 900 < after <= 1000


@pytest.mark.parametrize(
    "header", ["", "soon", "-1", "1e99", "9" * 20, "Wed, 99 Foo 2026", "nan"]
)
def test_retry_after_that_says_nothing_is_none(header: str) -> None:
    assert ErrorResponse("", 429, retry_after=header).retry_after is None


def test_patience_ends_with_its_time() -> None:
    loading = ErrorResponse({"error": "Loading model"}, 503)
    assert Retries(0, 60.0).try_again(loading)
    assert Retries(0, 0.1).try_again(loading) is None


# Fields that a server does not take

REFUSED = {
    "OpenAI": (
        {
            "error": {
                "message": "Unsupported parameter: 'temperature' is not supported with this model."
            }
        },
        400,
    ),
    "OpenAI, by its value": (
        {
            "error": {
                "message": "Unsupported value: 'temperature' does not support 0.5",
                "param": "temperature",
            }
        },
        400,
    ),
    "FastAPI": (
        {
            "detail": [
                {
                    "loc": ["body", "temperature"],
                    "msg": "Extra inputs are not permitted",
                }
            ]
        },
        422,
    ),
    "text": ("unknown field: temperature", 400),
}


@pytest.mark.parametrize(("body", "status"), REFUSED.values(), ids=REFUSED)
def test_a_field_that_is_refused_is_left_out_with_a_line_and_that_is_remembered(
    server: ScriptedServer, provider: LocalProvider, body: Any, status: int
) -> None:
    server.script(as_json(body, status), reply("Hi"))
    first = ask(provider)
    assert text(first) == "Hi"
    assert notes(first) == [
        "This server does not support temperature, so it was left out."
    ]
    assert notes(ask(provider)) == []
    assert ["temperature" in asked["body"] for asked in server.asked()] == [
        True,
        False,
        False,
    ]
    assert all(
        asked["body"]["seed"] == 1 and asked["body"]["max_tokens"] == 9
        for asked in server.asked()
    )


def test_several_fields_are_left_out_one_after_the_other(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    refusals = [
        as_json({"error": f"unknown field {name}"}, 400)
        for name in ("seed", "max_tokens", "temperature")
    ]
    usage = as_json({"error": {"message": "stream_options is not allowed"}}, 400)
    server.script(*refusals, usage, reply("Hi"))
    assert len(notes(ask(provider))) == 4
    assert set(server.asked()[-1]["body"]) == {"model", "messages", "stream"}


KEPT = {
    "a value that is not right": "temperature must be between 0 and 0.2",
    "a field that was not sent": "unknown field: top_k",
    "what no request does without": "unsupported messages: the model is unknown",
    "a prompt that is too long": "context length exceeded: max_tokens is not supported beyond it",
}


@pytest.mark.parametrize("words", KEPT.values(), ids=KEPT)
def test_other_complaints_leave_the_request_as_it_is(
    server: ScriptedServer, provider: LocalProvider, words: str
) -> None:
    server.script(as_json({"error": {"message": words}}, 400))
    with pytest.raises(errors.ProviderError):
        ask(provider)
    assert len(server.asked()) == 1


# Time


def test_a_whole_answer_has_its_time(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(Answer(tokens=10_000, per_second=20))
    provider.total_timeout = 0.5
    chunks = []

    async def listen() -> None:
        async for chunk in provider.stream(HELLO):
            chunks.append(chunk)

    with pytest.raises(errors.CutOff) as caught:
        asyncio.run(listen())
    assert str(caught.value) == (
        f"The reply from {server.url} did not end within 0.5 s. "
        "The part that was received is kept. Wait longer: %config LocalProvider.total_timeout = 1"
    )
    assert text(chunks)
    server.wait_for("closed")


def test_a_slow_answer_is_waited_for(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.first_token_timeout, provider.next_token_timeout = 3.0, 3.0
    pieces = [(0.7, event(delta(f"{number} "))) for number in range(5)]
    server.script(Answer(pieces=[*pieces, (0.7, event(delta(finish="stop")))]))
    assert text(ask(provider)) == "0 1 2 3 4 "


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
