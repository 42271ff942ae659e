"""The connections to servers: what their failures mean, and how they end."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any, cast

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.providers.self_hosted import SelfHostedProvider
from codebuddy_jupyter.settings.keys import NO_KEY, Key
from tests.support.outcome import HELLO, Outcome, ask, asking
from tests.support.scripted_server import (
    CHAT,
    Answer,
    ScriptedServer,
    delta,
    event,
    hang,
    stream,
)


def test_two_streams_run_side_by_side_on_one_provider(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(Answer(tokens=50, per_second=500))

    async def both() -> list[Outcome]:
        return list(await asyncio.gather(asking(provider), asking(provider)))

    first, second = asyncio.run(both())
    assert first.error is second.error is None
    assert first.text == second.text != ""


def test_a_port_where_nothing_listens(provider: LocalProvider) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        provider.base_url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        outcome = ask(provider)
    assert isinstance(outcome.error, errors.Unreachable)
    assert outcome.line == (
        f"Nothing answers at {provider.url} (connection refused). Start the "
        "server there; or use another address: "
        '%config LocalProvider.base_url = "http://localhost:11434/v1"'
    )
    assert outcome.error.__cause__ is not None


def test_a_host_that_does_not_exist(provider: LocalProvider) -> None:
    provider.base_url = "http://models.invalid:1234"
    assert ask(provider).line.startswith(
        "Nothing answers at http://models.invalid:1234/v1 (there is no such host). "
    )


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


def test_https_to_a_server_that_speaks_http_is_told(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.base_url = f"https://127.0.0.1:{server.port}"
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.Unreachable)
    assert outcome.line.startswith(
        f"There is no secure connection to {provider.url} (TLS: "
    )
    assert outcome.line.endswith(
        f'If the server speaks plain HTTP: %config LocalProvider.base_url = "{server.url}"'
    )


class Straight(SelfHostedProvider):
    """A provider that sends its question first, and nothing to know the server."""

    def find_key(self) -> Key:
        return NO_KEY


def straight(listener: socket.socket) -> Straight:
    return Straight(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1")


def hang_up(listener: socket.socket, times: int) -> threading.Thread:
    """Take this many connections, read what is asked, and close them without a word."""

    def serve() -> None:
        for _ in range(times):
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_connection_that_is_closed_without_a_word_is_told(
    mute: socket.socket,
) -> None:
    thread = hang_up(mute, times=2)
    provider = straight(mute)
    outcome = ask(provider)
    thread.join(5)
    assert isinstance(outcome.error, errors.NoReply)
    assert outcome.line.startswith(
        f"{provider.url} closed the connection without an answer"
    )


def test_a_question_is_put_again_once_when_its_connection_was_given_up(
    mute: socket.socket,
) -> None:
    thread = hang_up(mute, times=1)

    def answer() -> None:
        thread.join(5)
        connection, _ = mute.accept()
        connection.recv(65536)
        body = event(delta("again", finish="stop"))
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            + body
        )
        connection.close()

    second = threading.Thread(target=answer)
    second.start()
    outcome = ask(straight(mute))
    second.join(5)
    assert (outcome.text, outcome.error) == ("again", None)


def test_cancelling_while_connecting_ends_the_question(
    mute: socket.socket, provider: LocalProvider
) -> None:
    # the TLS handshake never ends
    provider.base_url = f"https://127.0.0.1:{mute.getsockname()[1]}"

    async def cancel() -> None:
        task = asyncio.create_task(asking(provider))
        connection, _ = await asyncio.to_thread(mute.accept)
        with connection:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())


PHASES = {
    "before the headers": (hang(), "arrived"),
    "before the first token": (Answer(end="hang"), "arrived"),
    "in the midst": (Answer(tokens=1000, per_second=50), "first"),
}


@pytest.mark.parametrize(("answer", "moment"), PHASES.values(), ids=PHASES.keys())
def test_cancelling_closes_the_connection(
    server: ScriptedServer, provider: LocalProvider, answer: Answer, moment: str
) -> None:
    server.script(answer)

    async def cancel() -> None:
        task = asyncio.create_task(asking(provider))
        await asyncio.to_thread(server.wait_for, moment)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(server.wait_for, "closed")

    asyncio.run(cancel())


def test_closing_the_iterator_closes_the_connection(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(Answer(tokens=1000, per_second=50))

    async def close() -> None:
        async with aclosing(cast(Any, provider.stream(HELLO))) as chunks:
            assert (await anext(chunks)).text
        await asyncio.to_thread(server.wait_for, "closed")

    asyncio.run(close())


LEFT_EARLY = {
    "an error in the stream": (
        stream(delta("Half"), {"error": "no"}, done=False, end="hang"),
        "Response.aiter_bytes",
    ),
    "an error of a megabyte": (
        Answer(status=500, pieces=[(0, b"x" * 2**20)], end="hang"),
        "BoundAsyncStream.__aiter__",
    ),
}


@pytest.mark.parametrize(("answer", "reader"), LEFT_EARLY.values(), ids=LEFT_EARLY)
def test_no_body_that_is_left_early_waits_for_the_garbage_collector(
    server: ScriptedServer, provider: LocalProvider, answer: Answer, reader: str
) -> None:
    left: list[str] = []

    async def once() -> None:
        sys.set_asyncgen_hooks(finalizer=lambda generator: left.append(repr(generator)))
        assert (await asking(provider)).error
        await provider.close()
        gc.collect()

    server.script(answer)
    asyncio.run(once())
    assert [one for one in left if reader in one] == []


def test_a_connection_is_used_again_for_the_next_question(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    async def twice() -> None:
        await asking(provider)
        await asking(provider)
        assert [asked["closed"] for asked in server.asked()] == [None, None]
        await provider.close()

    asyncio.run(twice())
    assert len(server.asked(CHAT)) == 2
