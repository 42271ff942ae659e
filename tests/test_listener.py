"""HTTP on loopback: what is read, and what is too much, too slow or no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.tools.server.exchange import Answer, Head, text_answer
from codebuddy_jupyter.tools.server.guard import LARGEST_BODY
from codebuddy_jupyter.tools.server.listener import (
    LARGEST_HEAD,
    MOST_CONNECTIONS,
    Bounds,
    Listener,
    loopback_socket,
)
from tests.support.fakes import eventually
from tests.support.mcp_clients import SECONDS, request, sent

HEADERS = {"host": "localhost"}
SLOW_REQUEST = Bounds(request=0.2, answer=SECONDS)
SLOW_ANSWER = Bounds(request=SECONDS, answer=0.2)


class Served:
    """A listener on a loop of its own, and what it was asked."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.seen: list[tuple[Head, bytes]] = []
        self.refusal: Answer | None = None
        self.answer = Answer(200, b"done", {"content-type": "text/plain"})
        self.error: BaseException | None = None
        self.is_slow = False

    def start(self, bounds: Bounds | None = None) -> int:
        """Listen, and return the port."""
        listening = loopback_socket()
        started = self.loop.run(self._begin(listening, bounds))
        assert started
        return int(listening.getsockname()[1])

    async def _begin(self, listening: socket.socket, bounds: Bounds | None) -> bool:
        started = asyncio.Event()
        self._task = asyncio.create_task(self._serve(listening, bounds, started))
        await started.wait()
        return True

    async def _serve(
        self, listening: socket.socket, bounds: Bounds | None, started: asyncio.Event
    ) -> None:
        listener = Listener(lambda head: self.refusal, self.respond, bounds)
        async with listener.listening(listening):
            started.set()
            await asyncio.Event().wait()

    async def respond(self, head: Head, body: bytes) -> Answer:
        """Answer as the test says."""
        self.seen.append((head, body))
        if self.error is not None:
            raise self.error
        if self.is_slow:
            await asyncio.sleep(SECONDS)
        return self.answer

    async def end(self) -> None:
        """Stop to listen."""
        self._task.cancel()
        await asyncio.wait([self._task])


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.loop.stop()


def test_a_request_is_read_and_answered(served: Served) -> None:
    data = request({**HEADERS, "X-Name": "é"}, b"body", target="/mcp?a=1")
    assert sent(served.start(), data) == (200, b"done")
    ((head, body),) = served.seen
    assert (head.method, head.target, body) == ("POST", "/mcp?a=1", b"body")
    assert head.first("x-name") == "é"


def test_a_body_may_come_in_chunks(served: Served) -> None:
    headers = {**HEADERS, "transfer-encoding": "chunked"}
    data = request(headers, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert sent(served.start(), data) == (200, b"done")
    assert served.seen[0][1] == b"abcde"


def test_a_client_may_wait_before_it_sends_the_body(served: Served) -> None:
    port = served.start()
    headers = {**HEADERS, "expect": "100-continue", "content-length": "4"}
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(request(headers, b""))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"body")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200 ")
    assert served.seen[0][1] == b"body"


def test_what_is_refused_is_not_read(served: Served) -> None:
    served.refusal = text_answer(403, "No.")
    port = served.start()
    headers = {**HEADERS, "content-length": "1000000"}
    assert sent(port, request(headers, b"x" * 100_000)) == (403, b"No.\n")
    assert served.seen == []


def chunks(size: int) -> bytes:
    piece = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    return piece * (size // 0x1000 + 1)


def long_head() -> bytes:
    return request({**HEADERS, "x-long": "x" * 3 * LARGEST_HEAD})


MALFORMED: dict[str, tuple[Callable[[], bytes], int]] = {
    "no HTTP": (lambda: b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    "a line without end": (lambda: b"x" * 3 * LARGEST_HEAD, 431),
    "a long head": (long_head, 431),
    "no host": (lambda: request({}), 400),
    "a header without a name": (lambda: b"POST /mcp HTTP/1.1\r\n: x\r\n\r\n", 400),
    "a folded header": (
        lambda: b"POST /mcp HTTP/1.1\r\nhost: x\r\nx y: z\r\n\r\n",
        400,
    ),
    "a length that is no number": (
        lambda: request({**HEADERS, "content-length": "-1"}),
        400,
    ),
    "two lengths": (
        lambda: (
            b"POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n"
            b"content-length: 2\r\n\r\nab"
        ),
        400,
    ),
    "a chunk without a size": (
        lambda: request({**HEADERS, "transfer-encoding": "chunked"}, b"zz\r\nabc"),
        400,
    ),
    "chunks without end": (
        lambda: request(
            {**HEADERS, "transfer-encoding": "chunked"}, chunks(2 * LARGEST_BODY)
        ),
        413,
    ),
}


@pytest.mark.parametrize(("data", "status"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_request_is_refused(
    served: Served, data: Callable[[], bytes], status: int
) -> None:
    got, _ = sent(served.start(), data())
    # A client that goes on sending may lose the answer, never the refusal.
    assert got in (status, 0)
    assert served.seen == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST /mcp HTTP/1.1\r\nhost:",
        request({**HEADERS, "content-length": "9"}, b"x"),
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_slow_request_is_refused(served: Served, data: bytes) -> None:
    got, _ = sent(served.start(SLOW_REQUEST), data)
    assert got == 408
    assert served.seen == []


def test_a_slow_answer_is_given_up(served: Served) -> None:
    served.is_slow = True
    assert sent(served.start(SLOW_ANSWER), request(HEADERS))[0] == 504


def test_a_failure_is_answered_without_its_text(served: Served) -> None:
    served.error = ValueError("a secret")
    status, body = sent(served.start(), request(HEADERS))
    assert (status, body) == (500, b"Failed: ValueError.\n")


def test_a_client_that_leaves_harms_nothing(served: Served) -> None:
    port = served.start()
    for data in (b"", b"POST", request({**HEADERS, "content-length": "99"}, b"x")):
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as one:
            one.sendall(data)
    assert sent(port, request(HEADERS))[0] == 200


def test_more_connections_than_the_most_are_closed_unread(served: Served) -> None:
    port = served.start(Bounds(request=SECONDS))
    with contextlib.ExitStack() as opened:
        for _ in range(MOST_CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
            opened.enter_context(connection)
        assert eventually(lambda: sent(port, request(HEADERS))[0] == 0)
    assert eventually(lambda: sent(port, request(HEADERS))[0] == 200)


def test_at_the_end_all_connections_are_closed(served: Served) -> None:
    port = served.start(Bounds(request=SECONDS))
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(b"POST")
        served.loop.run(served.end())
        # One that was not yet accepted is reset.
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def test_it_listens_on_loopback_alone() -> None:
    with loopback_socket() as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
