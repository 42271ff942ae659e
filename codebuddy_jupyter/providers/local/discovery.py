"""Finding a server that runs: a look at the usual ports of this machine, all at once,
in half a second.

It asks loopback, and whom `OLLAMA_HOST` and `LMSTUDIO_HOST` name; inside a container
also the machine around it. Nobody else is ever asked, and what is found is told, never
used by itself.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..http.address import host_of, is_loopback, normalise_base_url
from ..http.probe import probing
from ..http.server_error import one_line
from ..kinds import KINDS, FoundServer, recognise

# for all of it
SECONDS = 0.5
# seconds that one address of a name gets before the next is tried beside it
EYEBALLS = 0.1
MOST_OFFERS = 3
# characters
LONGEST_VERSION = 40
NAMED = {"OLLAMA_HOST": 11434, "LMSTUDIO_HOST": 1234}
"""Environment variables in which servers' own programs keep an address, with the port
that is meant without one.
"""
AROUND = "host.docker.internal"
"""The machine around a container, as Docker names it."""
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


@dataclass(frozen=True)
class Discovery:
    """Where to look.

    Parameters
    ----------
    ports
        The ports of this machine, each with the path of the base URL there; by default
        those of the known kinds.
    in_container
        Whether this is inside a container, where ``localhost`` is the container; None:
        find out.
    offline
        Whether nothing beyond loopback may be asked.
    seconds
        How long all of it may take.
    """

    ports: Iterable[tuple[int, str]] | None = None
    in_container: bool | None = None
    offline: bool = False
    seconds: float = SECONDS

    def urls(self) -> list[str]:
        """The base URLs to look at, each once."""
        usual = (
            [(port, kind.path) for kind in KINDS for port in kind.ports]
            if self.ports is None
            else self.ports
        )
        hosts = ["localhost", *([AROUND] if self.inside() else [])]
        found = [
            *_named(),
            *(f"http://{host}:{port}{path}" for host in hosts for port, path in usual),
        ]
        return [
            url for url in dict.fromkeys(found) if is_loopback(url) or not self.offline
        ]

    def inside(self) -> bool:
        """Whether ``localhost`` is a container."""
        return is_container() if self.in_container is None else self.in_container

    async def find(self, silent: str = "") -> list[FoundServer]:
        """The servers that answer there, but for the one at the base URL ``silent``,
        which was asked already.
        """
        urls = [
            url for url in self.urls() if not silent or _place(url) != _place(silent)
        ]
        tasks = [asyncio.create_task(_look_at(url, self.seconds)) for url in urls]
        if not tasks:
            return []
        try:
            await asyncio.wait(tasks, timeout=self.seconds)
        finally:
            for task in tasks:
                task.cancel()
        seen = await asyncio.gather(*tasks, return_exceptions=True)
        found = {
            _place(one.url): one
            for one in reversed(seen)
            if isinstance(one, FoundServer)
        }
        return list(reversed(found.values()))

    def around(self, silent: str) -> str:
        """The same place on the machine around this container; empty where ``silent``
        does not mean the container.
        """
        if not (is_loopback(silent) and self.inside()):
            return ""
        parts = urlsplit(silent)
        return parts._replace(
            netloc=f"{AROUND}:{parts.port}" if parts.port else AROUND
        ).geturl()

    async def advice(self, silent: str, setting: str) -> tuple[str, str]:
        """What to tell where nothing answers at the base URL ``silent``, which the
        ``setting`` of this name holds.

        Returns
        -------
        tuple
            A sentence that offers the servers that answer elsewhere, and one on
            containers; empty where none fits.
        """
        found = (await self.find(silent))[:MOST_OFFERS]
        offers = [
            f'{name_of(one)} answers at {one.url}; to ask it: %config {setting} = "{one.url}"'
            for one in found
        ]
        around = self.around(silent)
        hint = (
            "Here localhost is a container; to ask the machine around it: %config "
            f'{setting} = "{around}"'
        )
        return ". Or ".join(offers), hint if around else ""


def name_of(found: FoundServer) -> str:
    """What a person calls the server: its kind, and its version where it tells one."""
    return one_line(f"{found.kind.name} {found.version[:LONGEST_VERSION]}")


def is_container() -> bool:
    """Whether this process runs in a container of Docker or Podman."""
    return any(Path(mark).exists() for mark in CONTAINER_MARKS)


def _named() -> Iterable[str]:
    for variable, port in NAMED.items():
        text = os.environ.get(variable, "").strip()
        if not text:
            continue
        try:
            yield _with_port(text, port)
        except ValueError:
            # it is another program's setting; what cannot be read is left alone
            continue


def _with_port(text: str, port: int) -> str:
    """The base URL of an address as these variables hold it:

    ``0.0.0.0``, ``:11435``, ``host:port`` or a URL.
    """
    scheme, _, rest = text.rpartition("://")
    host, slash, path = rest.partition("/")
    host = host or "localhost"
    if host.startswith(":") and host[1:].isdigit():
        host = f"localhost{host}"
    elif not scheme and ":" not in host.rpartition("]")[2]:
        host = f"{host}:{port}"
    return normalise_base_url(f"{scheme or 'http'}://{host}{slash}{path}")


def _place(url: str) -> str:
    """A name for where a base URL leads, one for all the names of loopback."""
    return (
        f"loopback:{host_of(url).rpartition(':')[2]}"
        if is_loopback(url)
        else host_of(url)
    )


async def _look_at(url: str, seconds: float) -> FoundServer | None:
    """The server at a base URL; None where nobody answers, or nobody who speaks the
    protocol.
    """
    if not await _listens(url):
        return None
    async with probing(url, seconds=seconds) as probe:
        found, answer = await asyncio.gather(
            recognise(probe, url), probe.get(f"{url}/models")
        )
    # Somebody whom nobody knows must show a list: a web page, or a door that is shut,
    # is no model server.
    listed = answer is not None and answer.list_of("data") is not None
    return found if listed or found.kind in KINDS else None


async def _listens(url: str) -> bool:
    """Whether anything takes a connection there; a client of the http library is not
    worth making before that.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        _, writer = await asyncio.open_connection(
            parts.hostname, port, happy_eyeballs_delay=EYEBALLS
        )
    except OSError:
        return False
    writer.close()
    return True
