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
                self.server = await self.local.found()
                server = await self.local.server()
                self.checks[0] = self.address_check(server.url)
        return server

    async def recognise(self, probe: Probe, url: str) -> None:
        """Find out which server answers, unless that is known."""
        if self.server.kind is UNKNOWN:
            self.server = await recognise(probe, url)

    def server_name(self) -> str:
        """Return the name of the server, and its version if it has one."""
        return name_of(self.server)

    async def servers_elsewhere(self, url: str) -> list[Remedy]:
        """Return how to use each local server that answers elsewhere."""
        search = replace(self.local.search, offline=self.local.offline)
        remedies = []
        for found in await search.find(url):
            text = f"{name_of(found)} answers at {found.url}; use it"
            remedies.append(Remedy(text, self.setting(found.url)))
        return remedies

    async def remedies_for_silence(self, url: str) -> list[Remedy]:
        """Return how to use another server, to start the usual one, or to leave a
        container.
        """
        remedies = await self.servers_elsewhere(url)
        remedies += _start_remedies(url)
        outside = self.local.search.around(url)
        if outside:
            text = "Here localhost is a container; to use a server on the host machine"
            remedies.append(Remedy(text, self.setting(outside)))
        return remedies


def _start_remedies(url: str) -> list[Remedy]:
    """Return how to start the servers that usually listen at a port."""
    port = urlsplit(url).port
    usual = [kind for kind in KINDS if port in kind.ports and kind.start()]
    if not usual:
        return [Remedy("Start the server there")]
    return [Remedy(f"Start {kind.name}", kind.start()) for kind in usual]
