"""Short requests that find out what a server offers: limited in time and size, and
never raising for what was answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from .address import native_of
from .server_error import as_mapping, parsed
from .transport import Access, connection_errors, new_http

# Seconds that one answer may take.
TIMEOUT = 3.0
# Bytes that are read of an answer, or of one line of it.
MAX_BODY = 8 << 20
# Seconds between two lines; verifying a large downloaded model takes minutes.
LINE_TIMEOUT = 600.0


@dataclass(frozen=True)
class ProbeAnswer:
    """What a server answered to a probe.

    Parameters
    ----------
    status
        The HTTP status; 0 for `NO_ANSWER`.
    headers
        The headers, by their names in lower case.
    body
        Parsed JSON, else text.
    """

    status: int
    headers: Mapping[str, str]
    body: object

    @property
    def fields(self) -> Mapping[str, Any]:
        """The JSON object of a successful answer; else an empty one."""
        if self.status != 200:
            return {}
        return as_mapping(self.body)

    def list_of(self, field: str) -> list[Mapping[str, Any]] | None:
        """Return the JSON objects in a list of a successful answer, or None if there is
        no such list.
        """
        entries = self.fields.get(field)
        # An empty list of Go, in which Ollama is written.
        if entries is None and field in self.fields:
            return []
        if not isinstance(entries, list):
            return None
        return [as_mapping(entry) for entry in entries]

    def mentions(self, text: str) -> bool:
        """Return whether the body contains a text."""
        return text in str(self.body)


NO_ANSWER = ProbeAnswer(0, {}, "")
"""The answer when there is none: no connection, or a timeout."""


class Probe:
    """Sends requests to one server. Made by `probing`.

    Parameters
    ----------
    url
        The base URL of the server's OpenAI-compatible API.
    http
        An asynchronous client of the HTTP library.
    seconds
        How long an answer may take.

    Attributes
    ----------
    native_url
        Where the server's own API begins.
    missed_answer
        Whether some request was not answered.
    """

    def __init__(self, url: str, http: Any, seconds: float = TIMEOUT) -> None:
        self.url = url
        self.native_url = native_of(url)
        self.http = http
        self.seconds = seconds
        self.missed_answer = False
        self._cache: dict[str, asyncio.Task[ProbeAnswer]] = {}

    async def get(self, url: str) -> ProbeAnswer:
        """Return the answer to a GET, or `NO_ANSWER`; each URL is requested once."""
        task = self._cache.get(url)
        if task is None:
            task = asyncio.create_task(self.get_uncached(url))
            self._cache[url] = task
        return await asyncio.shield(task)

    async def try_get(self, url: str) -> ProbeAnswer | None:
        """Return the answer to a GET, or None if there is none; see `get`."""
        answer = await self.get(url)
        if answer is NO_ANSWER:
            return None
        return answer

    async def get_uncached(self, url: str) -> ProbeAnswer:
        """Return the answer to a GET at this moment, or `NO_ANSWER`."""
        return await self._request("GET", url, None, self.seconds)

    async def post(
        self, url: str, body: Mapping[str, Any], seconds: float | None = None
    ) -> ProbeAnswer:
        """Return the answer to a POST of JSON, or `NO_ANSWER`.

        Parameters
        ----------
        url
            The complete URL.
        body
            The JSON object to send.
        seconds
            How long the answer may take; by default as for every request.
        """
        return await self._request("POST", url, body, seconds or self.seconds)

    async def lines(
        self, url: str, body: Mapping[str, Any]
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """Yield the JSON objects, one on each line, with which the server answers a POST,
        as they come.

        An unsuccessful answer is one object, ``{"error": …, "status": …}``. So is a line
        that is not an object.

        Raises
        ------
        ConnectionError
            If there is no connection, it breaks, or nothing comes for long.
        """
        request = self.http.stream(
            "POST",
            url,
            json=dict(body),
            timeout=LINE_TIMEOUT,
        )
        try:
            async with request as response:
                status = response.status_code
                if status != 200:
                    error = await _read_body(response)
                    yield {"error": parsed(error), "status": status}
                    return
                async with aclosing(_lines(response)) as lines:
                    async for line in lines:
                        yield _json_object(line)
        except connection_errors() as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """Cancel the requests that are not answered yet."""
        tasks = self._cache.values()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _request(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        seconds: float,
    ) -> ProbeAnswer:
        options: dict[str, Any] = {"timeout": seconds}
        if body is not None:
            text = json.dumps(dict(body))
            options["content"] = text.encode()
            options["headers"] = {"Content-Type": "application/json"}
        request = self.http.stream(method, url, **options)
        try:
            async with asyncio.timeout(seconds), request as response:
                received = await _read_body(response)
                return ProbeAnswer(
                    response.status_code,
                    dict(response.headers),
                    parsed(received),
                )
        except connection_errors():
            # That includes TimeoutError, which is an OSError.
            self.missed_answer = True
            return NO_ANSWER


@asynccontextmanager
async def probing(
    where: Access | str, seconds: float = TIMEOUT
) -> AsyncIterator[Probe]:
    """Open a `Probe` for a server.

    Parameters
    ----------
    where
        How to reach the server, or just its base URL. A key is sent to its host only.
    seconds
        How long each answer may take.
    """
    access = Access(where) if isinstance(where, str) else where
    http = new_http(access)
    probe = Probe(access.url, http, seconds)
    try:
        yield probe
    finally:
        await probe.close()
        await http.aclose()


async def _lines(response: Any) -> AsyncGenerator[bytes, None]:
    rest = b""
    async with aclosing(response.aiter_bytes()) as pieces:
        async for data in pieces:
            rest += data
            *lines, rest = rest.split(b"\n")
            for line in lines:
                if line.strip():
                    yield line
            if len(rest) > MAX_BODY:
                raise ConnectionError("it sent a line without an end")
    if rest.strip():
        yield rest


async def _read_body(response: Any) -> bytes:
    body = bytearray()
    async with aclosing(response.aiter_bytes()) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > MAX_BODY:
                break
    return bytes(body)


def _json_object(line: bytes) -> Mapping[str, Any]:
    value = parsed(line.strip())
    if isinstance(value, Mapping):
        return value
    return {"error": value}
