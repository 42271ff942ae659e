"""HTTP on loopback, within bounds of size and time.

Each connection brings one request, which is parsed by h11, and is closed after its
answer. Who is let in is decided before the body is read.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from .exchange import Answer, Head, Respond, text_answer
from .guard import LARGEST_BODY, too_large

if TYPE_CHECKING:
    import h11

LOOPBACK = "127.0.0.1"
LARGEST_HEAD = 16 * 1024
"""Bytes of what stands before a body, at most."""
MOST_CONNECTIONS = 64
"""At the same time; more are closed unread."""
# What is read at once must not be more: the parser measures what is incomplete then.
READ_BYTES = LARGEST_HEAD
# Seconds for which a refused client may go on sending, so that it reads the answer,
# and for which connections may close when the server stops.
LINGERING_SECONDS = 1.0
CLOSING_SECONDS = 1.0


@dataclass(frozen=True)
class Bounds:
    """How long things may take, in seconds.

    Parameters
    ----------
    request
        Until all of a request has come.
    answer
        Until its answer is there.
    """

    request: float = 10.0
    answer: float = 30.0


class _Refused(Exception):
    """A request that is not answered further."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


class Listener:
    """Reads requests, and writes their answers.

    Parameters
    ----------
    admit
        Called with the head of each request: returns an answer for one that goes no
        further, which is not let in or needs no more than that; else None.
    respond
        Answers a request that was let in.
    bounds
        How long that may take.
    """

    def __init__(
        self,
        admit: Callable[[Head], Answer | None],
        respond: Respond,
        bounds: Bounds | None = None,
    ) -> None:
        self._admit = admit
        self._respond = respond
        self._bounds = bounds or Bounds()
        self._connections: set[asyncio.Task[None]] = set()
        self._is_open = True

    @asynccontextmanager
    async def listening(self, listening: socket.socket) -> AsyncIterator[None]:
        """Answer what comes to a socket; in the end, close all connections."""
        server = await asyncio.start_server(
            self._take, sock=listening, limit=READ_BYTES
        )
        try:
            yield
        finally:
            self._is_open = False
            server.close()
            for task in list(self._connections):
                task.cancel()
            if self._connections:
                await asyncio.wait(self._connections, timeout=CLOSING_SECONDS)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in a task of its own."""
        if not self._is_open or len(self._connections) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(task)

        def close(task: asyncio.Task[None]) -> None:
            # Also of a task that was cancelled before it began.
            self._connections.discard(task)
            writer.close()

        task.add_done_callback(close)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # A client may leave at any moment.
        with suppress(OSError):
            answer, was_read = await self._answer(reader, writer)
            writer.write(_written(answer))
            try:
                await asyncio.wait_for(writer.drain(), self._bounds.request)
            except TimeoutError:
                writer.transport.abort()
                return
            if not was_read:
                await _linger(reader, writer)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[Answer, bool]:
        """Return the answer to the request, and whether all of that was read."""
        try:
            async with asyncio.timeout(self._bounds.request):
                head, body = await self._request(reader, writer)
        except TimeoutError:
            return text_answer(408, "The request did not come in time."), False
        except _Refused as refused:
            return refused.answer, False
        try:
            async with asyncio.timeout(self._bounds.answer):
                return await self._respond(head, body), True
        except TimeoutError:
            return text_answer(504, "The answer took too long."), True
        except Exception as error:  # noqa: BLE001 - the client waits for an answer
            return text_answer(500, f"Failed: {type(error).__name__}."), True

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[Head, bytes]:
        """Read a request; its body only once it is let in."""
        import h11

        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        request = await _event(connection, reader)
        headers = [(_text(name), _text(value)) for name, value in request.headers]
        head = Head(_text(request.method), _text(request.target), tuple(headers))
        refusal = self._admit(head)
        if refusal is not None:
            raise _Refused(refusal)
        if connection.they_are_waiting_for_100_continue:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        while True:
            event = await _event(connection, reader)
            if not isinstance(event, h11.Data):
                return head, bytes(body)
            body += event.data
            if len(body) > LARGEST_BODY:
                raise _Refused(too_large())


async def _event(connection: h11.Connection, reader: asyncio.StreamReader) -> Any:
    """Return the next part of a request: its head, a piece of its body, or its end."""
    import h11

    try:
        while True:
            event = connection.next_event()
            if event is not h11.NEED_DATA:
                break
            connection.receive_data(await reader.read(READ_BYTES))
    except h11.RemoteProtocolError as error:
        status = error.error_status_hint
        raise _Refused(text_answer(status, "This is no request of HTTP.")) from error
    if isinstance(event, h11.ConnectionClosed):
        raise ConnectionResetError("The client has left.")
    return event


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _written(answer: Answer) -> bytes:
    phrase = HTTPStatus(answer.status).phrase
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    for name, value in answer.headers.items():
        lines.append(f"{name}: {value}")
    lines += [f"content-length: {len(answer.body)}", "connection: close"]
    # What an agent reads is kept in no cache.
    lines += ["cache-control: no-store", "", ""]
    return "\r\n".join(lines).encode("latin-1") + answer.body


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read on for a moment: closing at once would take the answer from the client."""
    if writer.can_write_eof():
        writer.write_eof()
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGERING_SECONDS):
            while await reader.read(READ_BYTES):
                pass


def loopback_socket() -> socket.socket:
    """Return a socket that listens at a free port of loopback."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # Otherwise another program of this machine could listen there as well.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        listening.bind((LOOPBACK, 0))
        listening.listen(MOST_CONNECTIONS)
    except BaseException:
        # Whatever ended this, nobody else knows the socket.
        listening.close()
        raise
    return listening
