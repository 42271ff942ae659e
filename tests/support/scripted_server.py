"""An OpenAI-compatible server on loopback that answers as its script says, and
remembers what it was asked.

It stands on the standard library alone. Tests use it in a thread (``with
ScriptedServer() as server``); benchmarks run it as its own process (``python
tests/scripted_server.py --port 0`` prints ``{"port": N}``) and steer it over HTTP:

- ``POST /_script`` with ``{"path": [answer, …]}`` (an answer is the JSON form of
`Answer`), - ``GET /_log`` for what it saw: one record per request, with the moments at
which things happened, - ``POST /_reset`` to forget log and scripts.

All moments are seconds of ``time.monotonic()``, which processes of one machine share on
Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import math
import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self
from urllib.parse import urlsplit

CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
DONE = b"data: [DONE]\n\n"
CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "llama3"}
# seconds
FOREVER = 3600.0
# bytes that a stream without pace writes at once
BLOCK = 16 * 1024

MARKDOWN = (
    "## Why `df` is empty\n\n"
    "The two **key columns** have different types, so no row finds its "
    "partner:\n\n"
    "- `orders.id` holds *integers*\n- `clients.id` holds text such as `'42'`\n\n"
    "```python\nclients['id'] = clients['id'].astype(int)\n"
    "df = orders.merge(clients, on='id')\n```\n\n"
    "After that the mean is $\\bar{x} = \\frac{1}{n}\\sum_i x_i$, as expected. "
    "See [the guide](https://pandas.pydata.org).\n\n"
    "| step | rows |\n|---|---|\n| before | 0 |\n| after | 1,204 |\n\n"
)


@dataclass(frozen=True)
class Answer:
    """How to answer one request.

    Parameters
    ----------
    status, headers
        Of the response; ``Content-Type`` is an event stream where nothing else is said.
    pieces
        The body: pairs of seconds to wait before, and bytes to send; ``math.inf`` waits
        for `ScriptedServer.release`.
    wait
        Seconds before the headers are sent.
    end
        ``"whole"`` ends the body as HTTP asks; ``"drop"`` closes the connection in the
        middle of a chunk; ``"hang"`` sends nothing more and stays open.
    framing
        ``"chunked"``, ``"length"``, ``"close"`` (the end of the connection is the end
        of the body), or ``"raw"``: the pieces are all that is sent, without a head, and
        the connection is closed after them.
    tokens, per_second
        Instead of pieces: a stream of so many tokens of Markdown, at this pace; None is
        as fast as can be.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Sequence[tuple[float, bytes]] = ()
    wait: float = 0.0
    end: str = "whole"
    framing: str = "chunked"
    tokens: int | None = None
    per_second: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The form in which an answer travels to ``POST /_script``."""
        pieces = [
            [delay, base64.b64encode(data).decode()] for delay, data in self.pieces
        ]
        return {**asdict(replace(self, pieces=())), "pieces": pieces}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The answer that `to_json` wrote."""
        pieces = [
            (delay, base64.b64decode(data)) for delay, data in value.get("pieces", [])
        ]
        return cls(**{**value, "pieces": pieces})


@dataclass(frozen=True)
class Behind:
    """A server that answers what no script says: its address, the key that it is shown,
    and below which path it is.
    """

    url: str
    key: str
    prefix: str = ""


def event(payload: Any) -> bytes:
    """One server-sent event: bytes as they are, else JSON."""
    data = (
        payload
        if isinstance(payload, bytes)
        else json.dumps(payload, ensure_ascii=False).encode()
    )
    return b"data: " + data + b"\n\n"


def delta(
    text: str | None = None, *, finish: str | None = None, **fields: Any
) -> dict[str, Any]:
    """The JSON of one chunk of a reply."""
    content = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": {**content, **fields}, "finish_reason": finish}
    return {**CHUNK, "choices": [choice]}


def usage(prompt: int, completion: int) -> dict[str, Any]:
    """The JSON of the chunk that tells what the request cost."""
    count = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    return {**CHUNK, "choices": [], "usage": count}


def stream(*payloads: Any, done: bool = True, **fields: Any) -> Answer:
    """An event stream of these payloads, each in its own packet."""
    pieces = [(0.0, event(payload)) for payload in payloads]
    return Answer(pieces=[*pieces, (0.0, DONE)] if done else pieces, **fields)


def reply(text: str, **fields: Any) -> Answer:
    """A good reply: the text word by word, an end, usage."""
    parts = _words(text)
    return stream(
        *map(delta, parts), delta(finish="stop"), usage(7, len(parts)), **fields
    )


def begun(text: str) -> Answer:
    """A reply that begins so, word by word, and then hangs.

    After ``[DONE]``, nobody would wait for more.
    """
    return stream(*map(delta, _words(text)), done=False, end="hang")


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer that is no stream."""
    return plain(json.dumps(value), "application/json", status, **headers)


def plain(
    body: str, content_type: str = "text/plain", status: int = 200, **headers: str
) -> Answer:
    """A whole body of some type."""
    return Answer(
        status=status,
        headers={"Content-Type": content_type, **headers},
        pieces=[(0.0, body.encode())] if body else [],
        framing="length",
    )


def hang() -> Answer:
    """Take the request and never answer."""
    return Answer(wait=FOREVER)


def model_list(*names: str, **fields: Any) -> Answer:
    """What ``/v1/models`` gives for these names."""
    return as_json(
        {
            "object": "list",
            "data": [{"id": name, "object": "model", **fields} for name in names],
        }
    )


ELSE = "*"
"""Stands for every path that has no answer of its own."""
NOT_FOUND = plain("404 page not found", status=404)

DEFAULTS: dict[str, list[Answer]] = {
    CHAT: [reply("Hello from the scripted server.")],
    MODELS: [model_list("llama3")],
}


def markdown_tokens(count: int) -> Iterator[str]:
    """So many tokens of some four characters each, which together are Markdown."""
    size = 4
    for i in range(count):
        start = i * size % len(MARKDOWN)
        yield (MARKDOWN + MARKDOWN[:size])[start : start + size]


def token_events(count: int) -> Iterator[bytes]:
    """The events of a stream of so many tokens, without usage and the end."""
    for token in markdown_tokens(count):
        yield event(delta(token))


class _Connection(asyncio.Protocol):
    """One connection: reads requests, writes answers, notes when the other side left."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.buffer = bytearray()
        self.record: dict[str, Any] | None = None
        self.task: asyncio.Task[None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server._connections.add(self)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.server._connections.discard(self)
        if self.record is not None:
            self.record["closed"] = time.monotonic()
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        # no HTTP, such as a TLS handshake
        if not self.buffer[:1].isalpha():
            self.transport.write(
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            self.transport.close()
        elif self.task is None:
            self._next_request()

    def _next_request(self) -> None:
        head, redact, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        if not redact:
            return
        line, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = line.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (x.partition(":") for x in lines)
        }
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self.buffer = bytearray(rest[length:])
        self.task = asyncio.get_running_loop().create_task(
            self._respond(method, path, headers, rest[:length])
        )
        self.task.add_done_callback(self._responded)

    def _responded(self, task: asyncio.Task[None]) -> None:
        self.task = None
        if not task.cancelled():
            task.result()
            self._next_request()

    async def _respond(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> None:
        if path.startswith("/_"):
            return await self._answer(self.server._control(path, body))
        try:
            parsed = json.loads(body) if body else None
        except ValueError:
            parsed = body.decode("utf-8", "replace")
        self.record = {
            "method": method,
            "path": path,
            "headers": headers,
            "body": parsed,
            "arrived": time.monotonic(),
        }
        self.record |= {"first": None, "ended": None, "closed": None}
        self.server.requests.append(self.record)
        behind = self.server.behind
        if (
            behind
            and path.startswith(f"{behind.prefix}/")
            and path not in self.server._scripts
        ):
            return await self._hand_on(
                behind, f"{method} {path.removeprefix(behind.prefix)}", headers, body
            )
        return await self._answer(self.server._next(path))

    async def _hand_on(
        self, behind: Behind, what: str, headers: dict[str, str], body: bytes
    ) -> None:
        """Give what the server behind answers, byte for byte."""
        place = urlsplit(behind.url)
        kept = headers | {
            "host": place.netloc,
            "authorization": f"Bearer {behind.key}",
            "connection": "close",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
        there, back = await asyncio.open_connection(place.hostname, place.port)
        with contextlib.closing(back):
            back.write(f"{what} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)
            while data := await there.read(BLOCK):
                await self._send(data)
        self.transport.close()

    async def _answer(self, answer: Answer) -> None:
        if answer.wait:
            await asyncio.sleep(answer.wait)
        if answer.framing != "raw":
            self._write_head(answer)
        for delay, data in answer.pieces:
            if delay == math.inf:
                await self.server._released.wait()
            elif delay:
                await asyncio.sleep(delay)
            await self._write(data, answer)
        if answer.tokens is not None:
            await self._write_tokens(answer)
        if self.record is not None:
            self.record["ended"] = time.monotonic()
        await self._end(answer)

    def _write_head(self, answer: Answer) -> None:
        headers = {"Content-Type": "text/event-stream", **answer.headers}
        if answer.framing == "length":
            missing = 64 if answer.end == "drop" else 0
            headers["Content-Length"] = str(
                sum(len(data) for _, data in answer.pieces) + missing
            )
        elif answer.framing == "chunked":
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Connection"] = "close"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(
            f"HTTP/1.1 {answer.status} Scripted\r\n{lines}\r\n".encode("latin-1")
        )

    async def _end(self, answer: Answer) -> None:
        if answer.end == "hang":
            await asyncio.sleep(FOREVER)
        elif answer.end == "drop":
            if answer.framing == "chunked":
                self.transport.write(b"40\r\ndata: {")
            self.transport.close()
        elif answer.framing == "chunked":
            self.transport.write(b"0\r\n\r\n")
        elif answer.framing in ("close", "raw"):
            self.transport.close()

    async def _write_tokens(self, answer: Answer) -> None:
        assert answer.tokens is not None
        tail = [event(delta(finish="stop")), event(usage(7, answer.tokens)), DONE]
        if answer.per_second is None:
            block = b""
            for data in [*token_events(answer.tokens), *tail]:
                block += _frame(data, answer)
                if len(block) >= BLOCK:
                    await self._send(block)
                    block = b""
            await self._send(block)
            return
        start = time.monotonic()
        for i, data in enumerate(token_events(answer.tokens)):
            await asyncio.sleep(
                max(0.0, start + i / answer.per_second - time.monotonic())
            )
            await self._write(data, answer)
        for data in tail:
            await self._write(data, answer)

    async def _write(self, data: bytes, answer: Answer) -> None:
        await self._send(_frame(data, answer))
        # lets each piece be a packet of its own
        await asyncio.sleep(0)

    async def _send(self, data: bytes) -> None:
        if self.record is not None and self.record["first"] is None:
            self.record["first"] = time.monotonic()
        self.transport.write(data)
        await self.writable.wait()


def _frame(data: bytes, answer: Answer) -> bytes:
    return (
        b"%x\r\n%b\r\n" % (len(data), data)
        if answer.framing == "chunked" and data
        else data
    )


# What ends a cell, an output or an attachment, and how other parts about the notebook
# begin.
FENCE_END = re.compile(r"\n`{3,}\n\n")
TOLD = ("Variables", "The cell `", "No longer there: ", "(Left out, ")


def question_in(message: Mapping[str, Any]) -> str:
    """What a message asks, without what it tells of the notebook."""
    text = FENCE_END.split(str(message["content"]))[-1]
    paragraphs = text.split("\n\n")
    while paragraphs[0].startswith(TOLD):
        del paragraphs[0]
    return "\n\n".join(paragraphs)


class ScriptedServer:
    """The server, in a thread of its own.

    Parameters
    ----------
    host
        ``127.0.0.1`` or ``::1``.
    port
        0 for any free one.
    tls
        Speaks TLS, with the certificate of this context.

    ``behind`` can be set to another server, which then answers what no script says.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.host, self.port, self.tls = host, port, tls
        self.requests: list[dict[str, Any]] = []
        self._scripts: dict[str, list[Answer]] = {}
        self.behind: Behind | None = None
        self._connections: set[_Connection] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), daemon=True
        )

    @property
    def root(self) -> str:
        """The address without a path."""
        scheme = "https" if self.tls else "http"
        return (
            f"{scheme}://[{self.host}]:{self.port}"
            if ":" in self.host
            else f"{scheme}://{self.host}:{self.port}"
        )

    @property
    def url(self) -> str:
        """The base URL, as a client wants it."""
        return f"{self.root}/v1"

    def script(self, *answers: Answer, path: str = CHAT) -> None:
        """Answer the next requests to ``path`` in this order; the last answer stays."""
        self._scripts[path] = list(answers)

    def forget(self) -> None:
        """Forget the scripts, and the server behind."""
        self._scripts.clear()
        self.behind = None

    def release(self) -> None:
        """Send what answers hold back, from now on."""
        self._loop.call_soon_threadsafe(self._released.set)

    def asked(self, path: str = CHAT) -> list[dict[str, Any]]:
        """The records of the requests to ``path``."""
        return [record for record in self.requests if record["path"] == path]

    def wait_for(self, what: str, path: str = CHAT, seconds: float = 30.0) -> float:
        """Wait until the last request to ``path`` has this moment (``arrived``,
        ``first``, ``closed``), and give it.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            records = self.asked(path)
            if records and records[-1][what] is not None:
                return float(records[-1][what])
            time.sleep(0.002)
        raise TimeoutError(f"no request to {path} was {what} within {seconds} s")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the scripted server did not start"
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._released = asyncio.Event()
        server = await self._loop.create_server(
            lambda: _Connection(self), self.host, self.port, ssl=self.tls
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for connection in list(self._connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    def _next(self, path: str) -> Answer:
        answers = (
            self._scripts.get(path)
            or DEFAULTS.get(path)
            or self._scripts.get(ELSE)
            or [NOT_FOUND]
        )
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def _control(self, path: str, body: bytes) -> Answer:
        if path == "/_script":
            for target, answers in json.loads(body).items():
                self._scripts[target] = [Answer.from_json(answer) for answer in answers]
        elif path == "/_reset":
            self.requests.clear()
            self._scripts.clear()
        return as_json({"requests": self.requests})


def main() -> None:
    """Run the server as a process of its own until it is stopped."""
    parser = argparse.ArgumentParser(
        description="A scripted OpenAI-compatible server on loopback."
    )
    parser.add_argument("--host", default="127.0.0.1", choices=["127.0.0.1", "::1"])
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    with ScriptedServer(arguments.host, arguments.port) as server:
        print(json.dumps({"port": server.port}), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server._thread.join()


if __name__ == "__main__":
    main()
