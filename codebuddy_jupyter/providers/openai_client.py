"""Clients of the ``openai`` package: which are open, and what their errors mean.

This module knows the package, and no vendor.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from .. import errors
from .http import error_lines
from .http.server_error import ErrorResponse
from .http.timeouts import Deadline, TimedOut
from .http.transport import (
    Access,
    connection_errors,
    http_library,
    load_openai,
    new_http,
)

if TYPE_CHECKING:
    import openai

T = TypeVar("T")
# A chain of causes that refers to itself has no end.
MAX_CHAIN = 12


class ClientPool:
    """The open clients, one for each event loop, server and proxy; their connections
    are kept between requests.
    """

    def __init__(self) -> None:
        self._clients: dict[tuple[object, Access, str], openai.AsyncOpenAI] = {}
        self._in_use: Counter[openai.AsyncOpenAI] = Counter()

    def __len__(self) -> int:
        return len(self._clients)

    @asynccontextmanager
    async def client(self, access: Access) -> AsyncIterator[openai.AsyncOpenAI]:
        """Lend the client for one request.

        After a request that failed, the client is closed with its last use, and not
        used again. httpx 0.28 can leave the connection of a cancelled request open, so
        that the server continues for nobody (seen in 10 of 150 on a busy machine);
        closing the client closes all its connections.
        """
        client = self._client(access)
        self._in_use[client] += 1
        try:
            yield client
        except ErrorResponse:
            # The server's answer is complete, so the connection can be used again.
            raise
        except BaseException:
            # A cancelled request, too, leaves a connection that cannot be used again.
            self._discard(client)
            raise
        finally:
            await self._release(client)

    async def close(self) -> None:
        """Close the clients of the running loop, and forget the others."""
        clients = self._clients
        self._clients = {}
        for (loop, *_), client in clients.items():
            if loop is asyncio.get_running_loop():
                await client.close()

    def _client(self, access: Access) -> openai.AsyncOpenAI:
        loop = asyncio.get_running_loop()
        key = (loop, access, access.proxy)
        if key not in self._clients:
            # Connections of a loop that has ended cannot even be closed.
            self._clients = {
                other: client
                for other, client in self._clients.items()
                if other[0] is loop
            }
            self._clients[key] = new_client(access)
        return self._clients[key]

    def _discard(self, unusable: openai.AsyncOpenAI) -> None:
        self._clients = {
            key: client
            for key, client in self._clients.items()
            if client is not unusable
        }

    async def _release(self, client: openai.AsyncOpenAI) -> None:
        self._in_use[client] -= 1
        if self._in_use[client]:
            return
        del self._in_use[client]
        if client not in self._clients.values():
            await client.close()


def new_client(access: Access) -> openai.AsyncOpenAI:
    """Return a client for one server."""
    client: openai.AsyncOpenAI = load_openai().AsyncOpenAI(
        base_url=access.url,
        api_key=access.key,
        max_retries=0,
        http_client=new_http(access),
    )
    return client


async def translated(
    server: error_lines.Server, request: Awaitable[T], deadline: Deadline
) -> T:
    """Wait for a request to openai, and translate its errors.

    Raises
    ------
    ErrorResponse
        When the server answered with an error.
    codebuddy_jupyter.errors.ProviderError
        When there was no answer.
    """
    openai = load_openai()
    try:
        return await deadline.within(request)
    except TimedOut as late:
        raise error_lines.too_slow(server, late) from late
    except openai.APIStatusError as error:
        response = _error_response(error)
        if error.status_code == 407 and server.access.proxy:
            raise error_lines.error_reply(server, response) from error
        if _repeats_a_secret(error, server):
            # The cause would show the secret in a traceback.
            raise response from None
        raise response from error
    except openai.APIConnectionError as error:
        raise _no_answer(server, error.__cause__) from error
    except connection_errors() as error:
        raise _no_answer(server, error) from error


def reason_of(error: BaseException | None) -> str:
    """Return why there is no connection, in a few words, from a chain of errors."""
    for inner in _chain(error):
        if isinstance(inner, ConnectionRefusedError):
            return "connection refused"
        if isinstance(inner, socket.gaierror):
            return "there is no such host"
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror.lower()
    if isinstance(error, http_library().ConnectTimeout):
        return "no answer in time"
    return str(error or "")


def _error_response(error: openai.APIStatusError) -> ErrorResponse:
    headers = error.response.headers
    is_redirect = error.status_code < 400
    location = ""
    if is_redirect:
        location = headers.get("location", "")
    return ErrorResponse(
        error.response.content,
        error.status_code,
        location,
        headers.get("retry-after", ""),
        headers.get("www-authenticate", ""),
    )


def _repeats_a_secret(error: openai.APIStatusError, server: error_lines.Server) -> bool:
    """Return whether the server's answer repeats a secret that it was sent."""
    return any(secret in error.response.text for secret in server.access.secrets)


def _no_answer(
    server: error_lines.Server, cause: BaseException | None
) -> errors.ProviderError:
    """Return the error for a request without an answer."""
    http = http_library()
    for inner in _chain(cause):
        if isinstance(inner, errors.Offline):
            return inner
        if isinstance(inner, ssl.SSLError):
            return error_lines.no_tls(server, inner.reason or str(inner))
    reason = reason_of(cause)
    if not isinstance(cause, http.ConnectError | http.ConnectTimeout | http.ProxyError):
        return error_lines.hung_up(server, reason)
    is_unknown_host = any(isinstance(inner, socket.gaierror) for inner in _chain(cause))
    # A server that restarts refuses connections for a moment.
    passing = isinstance(cause, http.ConnectError) and not is_unknown_host
    if server.access.proxy:
        return error_lines.proxy_failed(server, reason, passing=passing)
    return error_lines.unreachable(server, reason, passing=passing)


def _chain(error: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    """Yield an error, the errors in its groups, and its causes."""
    if error is None or depth > MAX_CHAIN:
        return
    yield error
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _chain(inner, depth + 1)
    yield from _chain(error.__cause__ or error.__context__, depth + 1)
