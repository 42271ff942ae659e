"""The examination of the connection to an OpenAI-compatible server, from its address to
its key.

It changes nothing. Each step is bounded in time, and after a step that failed nothing
more is tried.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from .. import errors
from ..errors import Remedy
from ..settings.keys import NO_KEY
from .checks import AGAIN, Announce, Check, failed_check
from .http import error_lines
from .http.address import is_loopback, port_of
from .http.probe import Probe, ProbeAnswer, probing
from .http.server_error import ErrorResponse
from .http.transport import proxies, proxy_of

if TYPE_CHECKING:
    from .openai_chat import OpenAIChatProvider

# Seconds for looking up a name, and then for the connection.
CONNECT_TIMEOUT = 1.0
# Seconds that one address of a name gets before the next is tried beside it.
NEXT_ADDRESS_DELAY = 0.1
# How the texts of asyncio's errors name a refused connection, by operating system.
REFUSED = (f"[Errno {errno.ECONNREFUSED}]", "[WinError 1225]", "[WinError 10061]")
OTHER_HOST = "http://HOST:PORT/v1"


class ConnectionCheck:
    """The examination of one provider's connection.

    A subclass that knows more of the server overrides the methods of the first group.

    Parameters
    ----------
    provider
        The provider to examine.
    announce
        Called with what is waited for from now on.
    """

    answer_timeout: ClassVar[float] = 3.0
    """Seconds for the list of models."""

    def __init__(self, provider: OpenAIChatProvider, announce: Announce) -> None:
        self.provider = provider
        self.announce = announce
        self.checks: list[Check] = []

    # What a subclass may know better

    async def corrected(self, server: error_lines.Server) -> error_lines.Server:
        """Return the server with the base URL that was probably meant."""
        return server

    async def recognise(self, probe: Probe) -> None:
        """Find out which server answers."""

    def server_name(self) -> str:
        """Return the name of the server, for the user."""
        return self.provider.label or "OpenAI-compatible server"

    async def servers_elsewhere(self, url: str) -> list[Remedy]:
        """Return how to use servers that answer elsewhere."""
        return []

    async def remedies_for_silence(self, url: str) -> list[Remedy]:
        """Return what the user can do if nothing answers at a base URL."""
        return list(self.provider.remedies())

    # The steps

    async def run(self) -> AsyncIterator[Check]:
        """Yield the checks, once the last of them is made: a later step can correct
        what an earlier one found.
        """
        server = await self._server()
        if server is not None and await self._connects(server.url):
            await self._answers(server)
        for check in self.checks:
            yield check

    def add(self, name: str, ok: bool | None, finding: str, *remedies: Remedy) -> None:
        """Note what a step found."""
        self.checks.append(Check(name, ok, finding, remedies))

    def fail(self, name: str, error: errors.BuddyError) -> None:
        """Note the error of a step; an error of offline mode has a name of its own."""
        if isinstance(error, errors.Offline):
            name = "offline"
        self.checks.append(failed_check(name, error))

    async def _server(self) -> error_lines.Server | None:
        try:
            return await self.provider.server()
        except errors.KeyRefused as error:
            # Without a key no request can be sent, but a connection can be tried.
            if not self.provider.offline:
                url = self.provider.url
                await self._connects(url)
            self.fail("key", error)
        except errors.BuddyError as error:
            self.fail("address", error)
        return None

    # The connection

    async def _connects(self, url: str) -> bool:
        """Return whether a connection can be made, or whether a proxy makes it."""
        self.checks.append(self.address_check(url))
        proxy = proxy_of(url)
        if proxy:
            finding = f"requests go through {proxy}, as the environment says"
            self.add("proxy", None, finding)
            return True
        if is_loopback(url) and proxies():
            finding = (
                "the environment names one; requests to this machine do not use it"
            )
            self.add("proxy", True, finding)
        self.announce(f"waiting for a connection to {url}")
        if not await self._resolve(url):
            return False
        return await self._connect(url)

    def address_check(self, url: str) -> Check:
        """Return the check of the base URL, as it is used and as it was typed."""
        finding = url
        typed = self.provider.base_url
        if typed not in (url, ""):
            finding = f"{url}, from {typed}"
        return Check("address", True, finding)

    async def _resolve(self, url: str) -> bool:
        host, port = _host_and_port(url)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                entries = await loop.getaddrinfo(
                    host,
                    port,
                    type=socket.SOCK_STREAM,
                )
        except OSError as error:
            reason = "there is no such host"
            if isinstance(error, TimeoutError):
                reason = "no answer in time"
            others = await self.servers_elsewhere(url)
            correct = Remedy("Correct the host name", self.setting(OTHER_HOST))
            self.add("name", False, f"{host}: {reason}", *others, correct)
            return False
        # Each once, in their order.
        addresses: dict[str, None] = {}
        for *_, address in entries:
            addresses[str(address[0])] = None
        if list(addresses) != [host]:
            self.add("name", True, f"{host} is {', '.join(addresses)}")
        return True

    async def _connect(self, url: str) -> bool:
        host, port = _host_and_port(url)
        began = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, writer = await asyncio.open_connection(
                    host,
                    port,
                    happy_eyeballs_delay=NEXT_ADDRESS_DELAY,
                )
        except OSError as error:
            finding = f"nothing answers ({_reason(error)})"
            remedies = await self.remedies_for_silence(url)
            self.add("connection", False, finding, *remedies)
            return False
        milliseconds = 1000 * (time.monotonic() - began)
        self.add("connection", True, f"made in {milliseconds:.0f} ms")
        writer.close()
        return True

    def setting(self, url: str) -> str:
        """Return the command that sets the base URL."""
        return f'%config {type(self.provider).__name__}.base_url = "{url}"'

    # The server

    async def _answers(self, server: error_lines.Server) -> None:
        self.announce(f"asking {server.url} for its models")
        try:
            server = await self.corrected(server)
            began = time.monotonic()
            async with probing(server.access, self.answer_timeout) as probe:
                answer = await probe.try_get(f"{server.url}/models")
                if answer is not None:
                    await self.recognise(probe)
        except errors.BuddyError as error:
            self.fail("http", error)
            return
        if answer is None:
            seconds = time.monotonic() - began
            await self._explain_silence(server, seconds)
        else:
            self._examine_answer(server, answer)

    async def _explain_silence(
        self, server: error_lines.Server, seconds: float
    ) -> None:
        """Note why nothing came over a connection that could be made."""
        silent = (
            f"it accepted the connection and was silent for {self.answer_timeout:g} s"
        )
        see_log = Remedy("Check the server's log, then", AGAIN)
        if seconds >= self.answer_timeout:
            self.add("http", False, silent, see_log)
            return
        try:
            async with asyncio.timeout(self.answer_timeout):
                await self.provider.get(server, "/models")
        except errors.ProviderError as error:
            name = "http"
            if "TLS" in str(error):
                name = "tls"
            self.fail(name, error)
        except TimeoutError:
            self.add("http", False, silent, see_log)
        else:
            self.add("http", False, "it answers only sometimes", see_log)

    def _examine_answer(self, server: error_lines.Server, answer: ProbeAnswer) -> None:
        """Note whether the answer is a list of models, and else what it is."""
        location = answer.headers.get("location", "")
        challenge = answer.headers.get("www-authenticate", "")
        response = ErrorResponse(
            answer.body, answer.status, location, challenge=challenge
        )
        has_list = isinstance(answer.body, list) or answer.list_of("data") is not None
        if server.url.startswith("https"):
            finding = "the connection is encrypted, and the certificate is trusted"
            self.add("tls", True, finding)
        self.add("http", True, f"it answers with status {answer.status}")
        if response.is_loading():
            self._add_server()
            wait = Remedy("Wait a little, then", AGAIN)
            self.add("loaded", False, "the server is still loading its model", wait)
        elif answer.status in (401, 403):
            self._add_server()
            self.fail("key", error_lines.error_reply(server, response))
        elif answer.status != 200:
            self.fail("server", error_lines.error_reply(server, response))
        elif not has_list:
            self.fail("server", error_lines.no_models(server, answer.body))
        else:
            self._add_server()
            finding = "the server accepts it"
            if server.key == NO_KEY:
                finding = "none is needed"
            self.add("key", True, finding)

    def _add_server(self) -> None:
        self.add("server", True, self.server_name())


def _host_and_port(url: str) -> tuple[str, int]:
    host = urlsplit(url).hostname or ""
    return host, port_of(url)


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    # Where a name has several addresses, asyncio puts all errors into the text of one
    # that has no number.
    text = str(error)
    is_refused = any(mark in text for mark in REFUSED)
    if is_refused or isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if not error.errno:
        return text
    return os.strerror(error.errno).lower()
