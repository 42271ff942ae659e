"""The server of the local provider: which one is at the base URL, the corrected base
URL, its key, and what to do when nothing answers.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from traitlets import List, Unicode, validate

from ... import errors
from ...errors import Remedy
from ...messages import Model
from ...settings.keys import NO_KEY, Key, KeysUnreadable
from ..base import Provider
from ..http import error_lines
from ..http.address import host_of, normalise_base_url, other_base_urls, port_of
from ..http.infill import InfillWay
from ..http.probe import probing
from ..http.server_error import ErrorResponse
from ..infilling import INFILL_TIMEOUT, check_answered
from ..kinds import KINDS, UNKNOWN, FoundServer, Kind, Probe, recognise
from ..self_hosted import SelfHostedProvider
from .discovery import Discovery

BASE_URL_VARIABLE = "CODEBUDDY_BASE_URL"
BASE_URL_SETTING = "LocalProvider.base_url"
OLLAMA_PORT = 11434
LM_STUDIO_PORT = 1234


class LocalServerProvider(SelfHostedProvider):
    """A provider that finds out what kind of server it talks to.

    Attributes
    ----------
    settle_timeout
        Seconds that `settle` may take.
    """

    pool = List(
        Unicode(),
        help=(
            "Addresses of all servers that buddy.map asks, such as "
            '["http://gpu1:8000/v1", "http://gpu2:8000/v1"]; each must have the model. '
            "Empty: the server in use."
        ),
    ).tag(config=True, affects="target")

    def __init__(self, **kwargs: Any) -> None:
        self.search = Discovery()
        self.settle_timeout = 0.5
        # By base URL as it was typed: the one that works.
        self._corrected: dict[str, str] = {}
        # By base URL in use.
        self._servers: dict[str, FoundServer] = {}
        self._kinds: dict[str, Kind] = {}
        self._unreadable_keys: KeysUnreadable | None = None
        # The host that the key of the environment belongs to, if another provider
        # decides that.
        self._key_host = ""
        # The providers of the servers in `pool`, by base URL.
        self._members: dict[str, LocalServerProvider] = {}
        super().__init__(**kwargs)

    @validate("pool")
    def _pool_is_of_addresses(self, proposal: Mapping[str, Any]) -> list[str]:
        addresses: list[str] = proposal["value"]
        # A login is taken out of each, as out of the base URL.
        return [self._checked_url(url) for url in addresses]

    @property
    def url(self) -> str:
        """The base URL in use: as it was typed, or corrected by probing the server."""
        typed = super().url
        return self._corrected.get(typed, typed)

    @property
    def kind(self) -> Kind:
        """The kind of server at the base URL, if known; kept after a failure."""
        return self._kinds.get(self.url, UNKNOWN)

    @property
    def knows_server(self) -> bool:
        """Whether it is known which server is at the base URL; not after a failure."""
        return self.url in self._servers

    def own_host(self) -> str:
        """Return the host that the key of the environment belongs to: that of the
        environment's base URL, else the host in use.
        """
        if self._key_host:
            return self._key_host
        url = os.environ.get(BASE_URL_VARIABLE) or self.base_url
        return host_of(normalise_base_url(url))

    def find_key(self) -> Key:
        """Return the key for the host in use, or the placeholder that servers without
        keys expect.
        """
        self._unreadable_keys = None
        try:
            return self.try_key() or NO_KEY
        except KeysUnreadable as error:
            # Most servers need none; one that does refuses, and `key_remedies` says why.
            self._unreadable_keys = error
            return NO_KEY

    def key_remedies(self) -> tuple[Remedy, ...]:
        """Return how the user can provide a key for the host in use."""
        error = self._unreadable_keys
        if error is None:
            return super().key_remedies()
        reason = Remedy(error.what.rstrip("."))
        return (reason, *error.remedies)

    def remedies(self) -> tuple[Remedy, ...]:
        """Return what to do when nothing answers: start the server that was here or is
        usual at this port, or use another address.
        """
        port = port_of(self.url)
        kind = self.kind
        if kind is UNKNOWN:
            kind = _usual_kind(port)
        start = Remedy("Start the server there")
        if kind.start_command:
            start = Remedy(f"Start {kind.name}", kind.start_command)
        other_port = OLLAMA_PORT
        if port == OLLAMA_PORT:
            other_port = LM_STUDIO_PORT
        other = f'%config {BASE_URL_SETTING} = "http://localhost:{other_port}/v1"'
        return (start, Remedy("Use another address", other))

    async def instead(self, error: errors.Unreachable) -> errors.Unreachable:
        """Return the error for the user: if nothing answers, with the servers of this
        machine that do.
        """
        # Other errors are about a server that is there.
        if error.remedies != self.remedies():
            return error
        search = replace(self.search, offline=self.offline)
        remedies = await search.offers(self.url, BASE_URL_SETTING)
        if not remedies:
            engine = search.engine_remedies(self.url)
            remedies = [*engine, *error.remedies]
        host_machine = search.container_remedies(self.url, BASE_URL_SETTING)
        return errors.Unreachable(
            error.what,
            *remedies,
            *host_machine,
            passing=error.passing,
        )

    def forget(self, error: errors.ProviderError) -> None:
        """Forget the server, if another one may be there after this error."""
        if not _is_about_request(error):
            super().forget(error)
            self._servers.clear()

    async def settle(self) -> None:
        """Find out whether the base URL must be corrected, if that is not known yet."""
        with suppress(errors.BuddyError, TimeoutError):
            async with asyncio.timeout(self.settle_timeout):
                await self.find_server()

    async def find_server(self) -> FoundServer:
        """Return the server at the base URL, which is probed once, and again after a
        failure.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            If it cannot be reached.
        """
        known = self._servers.get(self.url)
        if known is not None:
            return known
        await self.listed()
        async with self.open_probe() as probe:
            return await self.recognised(probe)

    @asynccontextmanager
    async def open_probe(self) -> AsyncIterator[Probe]:
        """Open a probe of the server at the base URL."""
        server = await self.server()
        async with probing(server.access) as probe:
            yield probe

    @asynccontextmanager
    async def _commanding(self, model: str = "") -> AsyncIterator[Probe]:
        """Open a probe for a command such as a download; errors of the server become
        errors for the user.
        """
        server = await self.server()
        try:
            async with probing(server.access) as probe:
                yield probe
        except ErrorResponse as response:
            raise await self._refused(server, response, model) from None
        except ConnectionError as error:
            raise error_lines.hung_up(server, str(error)) from error

    async def recognised(self, probe: Probe) -> FoundServer:
        """Return the server at the base URL, found out by ``probe`` if not known yet."""
        url = self.url
        server = self._servers.get(url)
        if server is None:
            server = await recognise(probe)
        self._kinds[url] = server.kind
        # If a probe was not answered, an unknown server may be recognised next time.
        if server.kind is not UNKNOWN or not probe.missed_answer:
            self._servers[url] = server
        return server

    async def find_infill(
        self, server: error_lines.Server, model: str
    ) -> InfillWay | None:
        """Find out how a model is asked for the text between two others, which depends
        on the kind of server.
        """
        found = await self.find_server()
        async with probing(server.access, INFILL_TIMEOUT) as probe:
            way = await found.kind.infill(probe, model)
            return check_answered(server, probe, way)

    async def listed(self) -> list[Model]:
        """Return the OpenAI-compatible list of models; if there is none at the base URL,
        correct that first.
        """
        try:
            return await super().models()
        except (errors.NoReply, errors.ServerError) as error:
            is_corrected = is_wrong_path(error) and await self._correct_url()
            if not is_corrected:
                raise
        return await super().models()

    async def _correct_url(self) -> bool:
        """Look for a list of models near the base URL; return whether there is one."""
        typed = super().url
        wrong = self.url
        async with self.open_probe() as probe:
            for url in [typed, *other_base_urls(typed)]:
                if url == wrong:
                    continue
                if await _lists_models(probe, url):
                    self._corrected[typed] = url
                    return True
        return False

    # Several servers

    def servers(self) -> Sequence[Provider]:
        """Return a provider for each server in `pool`, with the settings of this one; if
        there is none, this one.
        """
        urls = dict.fromkeys(self.pool)
        members = [self._member(url) for url in urls]
        return members or (self,)

    def _member(self, url: str) -> LocalServerProvider:
        """Return the provider of a server in the pool, with the present settings."""
        if normalise_base_url(url) == self.url:
            return self
        if url not in self._members:
            self._members[url] = type(self)()
        member = self._members[url]
        settings = self._settings_for(url)
        member.change(settings)
        member.keys = self.keys
        member._logins = self._logins
        # The key of the environment belongs to the host of this provider alone.
        member._key_host = self.own_host()
        member.offline = self.offline
        member.offline_reason = self.offline_reason
        member.allowed_hosts = self.allowed_hosts
        return member

    def _settings_for(self, url: str) -> dict[str, Any]:
        """Return the present settings with the address of a server in the pool."""
        settings: dict[str, Any] = {"base_url": url, "pool": []}
        traits = self.traits(config=True)
        for name, trait in traits.items():
            is_secret = trait.metadata.get("secret")
            if name not in settings and not is_secret:
                settings[name] = getattr(self, name)
        host = host_of(normalise_base_url(url))
        if host == self._headers_host:
            settings["headers"] = self.headers
        return settings

    async def close(self) -> None:
        """Close the connections, those to the servers in the pool as well."""
        await super().close()
        for member in self._members.values():
            await member.close()


def _usual_kind(port: int) -> Kind:
    """Return the kind of server that is usual at a port; `UNKNOWN` if several are."""
    kinds = [kind for kind in KINDS if port in kind.ports]
    if len(kinds) != 1:
        return UNKNOWN
    return kinds[0]


async def _lists_models(probe: Probe, url: str) -> bool:
    """Return whether a base URL lists models, or would with a key."""
    answer = await probe.get(f"{url}/models")
    if answer.status in (401, 403):
        return True
    return answer.list_of("data") is not None


def is_wrong_path(error: errors.NoReply | errors.ServerError) -> bool:
    """Return whether an error means that the server is there, but not at this path."""
    if isinstance(error, errors.NoReply):
        return True
    status = error.status
    if status is None or status in (401, 403, 429):
        return False
    return status < 500


def _is_about_request(error: errors.ProviderError) -> bool:
    """Return whether an error is about the request alone, so that the same server is
    still there.
    """
    if isinstance(error, errors.ServerError):
        return error.status in (400, 413, 422, 429)
    kinds = (errors.PromptTooLong, errors.KeyRefused, errors.ModelNotFound)
    return isinstance(error, kinds)
