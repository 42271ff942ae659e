"""A look at what an address answers: short requests, bounded in time and size, that
never raise for what came.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from .server_error import as_mapping, parsed
from .transport import Access, broken, new_http

# seconds that one answer may take
PATIENCE = 3.0
# bytes of an answer, or of one line of it, that are read
MOST = 8 << 20
# seconds between two lines; to check what was fetched takes minutes for a large model
SILENT = 600.0


@dataclass(frozen=True)
class Answer:
    """What came: the status, the headers by their names in small letters, and the body
    as JSON, else as text.
    """

    status: int
    headers: Mapping[str, str]
    body: object

    @property
    def fields(self) -> Mapping[str, Any]:
        """The JSON object of a good answer; empty where it was none."""
        return as_mapping(self.body) if self.status == 200 else {}

    def list_of(self, field: str) -> list[Mapping[str, Any]] | None:
        """The JSON objects in a list of a good answer, or None where there is no such
        list.
        """
        entries = self.fields.get(field)
        return (
            [as_mapping(entry) for entry in entries]
            if isinstance(entries, list)
            else None
        )


NO_ANSWER = Answer(0, {}, "")
"""What stands for no answer at all, where the difference does not matter."""


class Probe:
    """Asks one server. Made by `looking`; a GET that was made once is not made again.

    Parameters
    ----------
    http
        An asynchronous client of the http library.
    seconds
        How long an answer may take.

    ``met_silence`` tells whether some request was not answered.
    """

    def __init__(self, http: Any, seconds: float = PATIENCE) -> None:
        self.http = http
        self.seconds = seconds
        self.met_silence = False
        self._got: dict[str, asyncio.Task[Answer | None]] = {}

    async def get(self, url: str) -> Answer | None:
        """What stands at a URL; None where nothing answers in time."""
        if url not in self._got:
            self._got[url] = asyncio.create_task(self.ask(url))
        return await asyncio.shield(self._got[url])

    async def ask(self, url: str) -> Answer | None:
        """What stands at a URL at this moment; see `get`."""
        return await self._ask("GET", url, None, self.seconds)

    async def post(
        self, url: str, body: Mapping[str, Any], seconds: float | None = None
    ) -> Answer | None:
        """What the server says to this JSON; None where nothing answers in time
        (``seconds``).
        """
        return await self._ask("POST", url, body, seconds or self.seconds)

    async def lines(
        self, url: str, body: Mapping[str, Any]
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """The JSON objects that the server sends in answer to this JSON, one on each
        line, as they come.

        An answer that is no success is one object, ``{"error": …, "status": …}``, and
        so is a line that is no object.

        Raises
        ------
        ConnectionError
            When there is no connection, it breaks, or nothing comes for long.
        """
        try:
            async with self.http.stream(
                "POST", url, json=dict(body), timeout=SILENT
            ) as response:
                if response.status_code != 200:
                    yield {
                        "error": parsed(await _body(response)),
                        "status": response.status_code,
                    }
                    return
                rest = b""
                async with aclosing(response.aiter_bytes()) as pieces:
                    async for data in pieces:
                        *whole, rest = (rest + data).split(b"\n")
                        for line in filter(bytes.strip, whole):
                            yield _object(line)
                        if len(rest) > MOST:
                            raise ConnectionError("it sent a line without an end")
                if rest.strip():
                    yield _object(rest)
        except broken() as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """End what is still asked."""
        for task in self._got.values():
            task.cancel()
        await asyncio.gather(*self._got.values(), return_exceptions=True)

    async def _ask(
        self, method: str, url: str, body: Mapping[str, Any] | None, seconds: float
    ) -> Answer | None:
        content = None if body is None else json.dumps(dict(body)).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(seconds),
                self.http.stream(
                    method, url, content=content, headers=headers, timeout=seconds
                ) as response,
            ):
                return Answer(
                    response.status_code,
                    dict(response.headers),
                    parsed(await _body(response)),
                )
        except broken():
            # TimeoutError is an OSError
            self.met_silence = True
            return None


@asynccontextmanager
async def probing(
    where: Access | str, seconds: float = PATIENCE
) -> AsyncIterator[Probe]:
    """A look at the server of a base URL, whose key goes to its host alone; ``seconds``
    is for each answer.
    """
    http = new_http(Access(where) if isinstance(where, str) else where)
    probe = Probe(http, seconds)
    try:
        yield probe
    finally:
        await probe.close()
        await http.aclose()


async def _body(response: Any) -> bytes:
    held = bytearray()
    async with aclosing(response.aiter_bytes()) as pieces:
        async for piece in pieces:
            held += piece
            if len(held) > MOST:
                break
    return bytes(held)


def _object(line: bytes) -> Mapping[str, Any]:
    value = parsed(line.strip())
    return value if isinstance(value, Mapping) else {"error": value}
