"""Discovery of servers that run: probes of the usual ports of this machine, all at once,
within half a second.

It sends requests to loopback and to the hosts in `OLLAMA_HOST` and `LMSTUDIO_HOST`;
inside a container also to its host machine. Nothing else is ever contacted, and a server
that is found is offered to the user, never used automatically.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import Remedy
from ..http.address import host_of, is_loopback, normalise_base_url, port_of
from ..http.probe import probing
from ..http.server_error import one_line
from ..kinds import KINDS, FoundServer, recognise

# The package of the embedded engine.
ENGINE = "xllamacpp"
# Seconds for the whole discovery.
SECONDS = 0.5
# Seconds after which the next address of a name is tried in parallel.
HAPPY_EYEBALLS_DELAY = 0.1
# Servers that an error offers.
MAX_OFFERS = 3
# Characters of a version that are shown.
MAX_VERSION = 40
# Environment variables in which the servers' own programs keep an address, with the
# port that is meant if it has none.
ADDRESS_VARIABLES = {"OLLAMA_HOST": 11434, "LMSTUDIO_HOST": 1234}
# The host machine of a container, as Docker names it.
CONTAINER_HOST = "host.docker.internal"
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


@dataclass(frozen=True)
class Discovery:
    """Where to look for servers.

    Parameters
    ----------
    ports
        The ports of this machine, each with the path of the base URL there; by default
        those of the known kinds.
    in_container
        Whether this is a container, in which ``localhost`` is the container; None: find
        out.
    offline
        Whether only loopback may be contacted.
    seconds
        How long the whole discovery may take.
    has_engine
        Whether the embedded engine is installed; None: find out.
    """

    ports: Iterable[tuple[int, str]] | None = None
    in_container: bool | None = None
    offline: bool = False
    seconds: float = SECONDS
    has_engine: bool | None = None

    def urls(self) -> list[str]:
        """Return the base URLs to probe, each once."""
        urls = list(_urls_of_environment())
        hosts = ["localhost"]
        if self.inside():
            hosts.append(CONTAINER_HOST)
        for host in hosts:
            urls += [f"http://{host}:{port}{path}" for port, path in self._ports()]
        unique = list(dict.fromkeys(urls))
        if self.offline:
            return [url for url in unique if is_loopback(url)]
        return unique

    def _ports(self) -> Iterable[tuple[int, str]]:
        if self.ports is not None:
            return self.ports
        ports = []
        for kind in KINDS:
            for port in kind.ports:
                ports.append((port, kind.path))
        return ports

    def engine_remedies(self, silent: str) -> tuple[Remedy, ...]:
        """Return how to use the embedded engine instead of a server of this machine, if
        it is installed.
        """
        has_engine = self.has_engine
        if has_engine is None:
            has_engine = importlib.util.find_spec(ENGINE) is not None
        if not has_engine or not is_loopback(silent):
            return ()
        return (Remedy("Use the embedded engine instead", "%buddy /use embedded"),)

    def inside(self) -> bool:
        """Return whether this is a container."""
        if self.in_container is not None:
            return self.in_container
        return is_container()

    async def find(self, silent: str = "") -> list[FoundServer]:
        """Return the servers that answer.

        Parameters
        ----------
        silent
            A base URL to leave out, since nothing answers there.
        """
        urls = self.urls()
        if silent:
            left_out = _location(silent)
            urls = [url for url in urls if _location(url) != left_out]
        tasks = []
        for url in urls:
            finding = _try_find(url, self.seconds)
            tasks.append(asyncio.create_task(finding))
        if not tasks:
            return []
        try:
            await asyncio.wait(tasks, timeout=self.seconds)
        finally:
            for task in tasks:
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        servers: dict[str, FoundServer] = {}
        for outcome in outcomes:
            if isinstance(outcome, FoundServer):
                servers.setdefault(_location(outcome.url), outcome)
        return list(servers.values())

    def around(self, silent: str) -> str:
        """Return the same base URL on the host machine of this container; empty if
        ``silent`` does not name the container.
        """
        if not is_loopback(silent) or not self.inside():
            return ""
        parts = urlsplit(silent)
        netloc = CONTAINER_HOST
        if parts.port:
            netloc = f"{CONTAINER_HOST}:{parts.port}"
        return parts._replace(netloc=netloc).geturl()

    async def offers(self, silent: str, setting: str) -> list[Remedy]:
        """Return the servers that answer elsewhere, as remedies.

        Parameters
        ----------
        silent
            The base URL where nothing answers.
        setting
            The setting that holds it, such as ``LocalProvider.base_url``.
        """
        servers = await self.find(silent)
        return [
            Remedy(
                f"Use {name_of(server)}, which answers at {server.url}",
                f'%config {setting} = "{server.url}"',
            )
            for server in servers[:MAX_OFFERS]
        ]

    def container_remedies(self, silent: str, setting: str) -> list[Remedy]:
        """Return how to use the host machine, if ``silent`` names this container; the
        parameters are those of `offers`.
        """
        url = self.around(silent)
        if not url:
            return []
        what = "Since localhost is a container here, use its host machine"
        return [Remedy(what, f'%config {setting} = "{url}"')]


def name_of(server: FoundServer) -> str:
    """Return the name of a server for a person: its kind, and its version if known."""
    return one_line(f"{server.kind.name} {server.version[:MAX_VERSION]}")


def is_container() -> bool:
    """Return whether this process runs in a container of Docker or Podman."""
    return any(Path(mark).exists() for mark in CONTAINER_MARKS)


def _urls_of_environment() -> Iterable[str]:
    for variable, port in ADDRESS_VARIABLES.items():
        text = os.environ.get(variable, "").strip()
        if not text:
            continue
        try:
            yield _base_url_of(text, port)
        except ValueError:
            # The variable belongs to another program, so a bad value is no error here.
            continue


def _base_url_of(text: str, port: int) -> str:
    """Return the base URL of an address as these variables hold it: ``0.0.0.0``,
    ``:11435``, ``host:port`` or a URL.
    """
    scheme, _, rest = text.rpartition("://")
    host, slash, path = rest.partition("/")
    host = host or "localhost"
    has_port = ":" in host.rpartition("]")[2]
    if host.startswith(":") and host[1:].isdigit():
        host = f"localhost{host}"
    elif not scheme and not has_port:
        host = f"{host}:{port}"
    return normalise_base_url(f"{scheme or 'http'}://{host}{slash}{path}")


def _location(url: str) -> str:
    """Return host and port of a base URL, with one name for all names of loopback."""
    if is_loopback(url):
        return f"loopback:{port_of(url)}"
    return host_of(url)


async def _try_find(url: str, seconds: float) -> FoundServer | None:
    """Return the model server at a base URL, or None if there is none."""
    if not await _listens(url):
        return None
    async with probing(url, seconds=seconds) as probe:
        server, answer = await asyncio.gather(
            recognise(probe), probe.get(f"{url}/models")
        )
    # A server of no known kind must list models: a web page, or a server that requires
    # a password, is not a model server.
    if server.kind in KINDS or answer.list_of("data") is not None:
        return server
    return None


async def _listens(url: str) -> bool:
    """Return whether anything accepts a connection; creating an HTTP client takes longer
    than that.
    """
    try:
        _, writer = await asyncio.open_connection(
            urlsplit(url).hostname,
            port_of(url),
            happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
        )
    except OSError:
        return False
    writer.close()
    return True
