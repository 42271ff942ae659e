"""The examination of the connection to a local server: also which server it is, and
which others answer on this machine.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ... import errors
from ...errors import Remedy
from ..checks import Announce
from ..connection_check import ConnectionCheck
from ..http import error_lines
from ..kinds import KINDS, UNKNOWN, FoundServer, Probe, recognise
from .discovery import name_of
from .server import BASE_URL_SETTING

if TYPE_CHECKING:
    from .provider import LocalProvider


class LocalConnectionCheck(ConnectionCheck):
    """The examination of the local provider's connection.

    Parameters
    ----------
    provider, announce
        As for `ConnectionCheck`.
    """

    def __init__(self, provider: LocalProvider, announce: Announce) -> None:
        super().__init__(provider, announce)
        self.local = provider
        self.server = FoundServer(UNKNOWN, "")

    async def corrected(self, server: error_lines.Server) -> error_lines.Server:
        """Return the server with the base URL at which it was found."""
        # What is wrong there, the next request will show.
        with suppress(errors.ProviderError, TimeoutError):
            async with asyncio.timeout(self.answer_timeout):
                self.server = await self.local.find_server()
                server = await self.local.server()
                self.checks[0] = self.address_check(server.url)
        return server

    async def recognise(self, probe: Probe) -> None:
        """Find out which server answers, unless that is known."""
        if self.server.kind is UNKNOWN:
            self.server = await recognise(probe)

    def server_name(self) -> str:
        """Return the name of the server, and its version if it has one."""
        return name_of(self.server)

    async def servers_elsewhere(self, url: str) -> list[Remedy]:
        """Return how to use each local server that answers elsewhere."""
        search = replace(self.local.search, offline=self.local.offline)
        return await search.offers(url, BASE_URL_SETTING)

    async def remedies_for_silence(self, url: str) -> list[Remedy]:
        """Return how to use another server, to start the usual one, or to leave a
        container.
        """
        search = self.local.search
        return [
            *await self.servers_elsewhere(url),
            *_start_remedies(url),
            *search.container_remedies(url, BASE_URL_SETTING),
        ]


def _start_remedies(url: str) -> list[Remedy]:
    """Return how to start the servers that usually listen at a port."""
    port = urlsplit(url).port
    remedies = []
    for kind in KINDS:
        if port in kind.ports and kind.start_command:
            start = Remedy(f"Start {kind.name}", kind.start_command)
            remedies.append(start)
    if not remedies:
        return [Remedy("Start the server there")]
    return remedies
