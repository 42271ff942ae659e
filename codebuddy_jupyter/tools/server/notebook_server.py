"""The server of a kernel's notebook: started and stopped by the user.

It lives on the background loop, so that it answers while a cell runs, an interrupted
cell leaves it alone, and it ends with the kernel.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ...buddy import Buddy
from ...errors import ExtraMissing, Remedy, SettingError
from .address_file import Address, write_address
from .exchange import PATH, Answer, Head, Respond
from .guard import Guard
from .listener import LOOPBACK, Listener, loopback_socket
from .offers import Offers, offers_of
from .visits import Visits

KEY_BYTES = 32
"""Random bytes of a key."""
OLDEST_SDK = 2
"""The first major version of the package ``mcp`` that can be used."""
ENDPOINT = f"{__package__}.endpoint"


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Parameters
    ----------
    port
        Its port on loopback.
    file
        The file with its address and key.
    shares_values
        Whether values and outputs are offered.
    proposes
        Whether agents may propose code.
    visits
        Who was here.
    process
        The process that it runs in; a forked one has only a copy of this.
    """

    port: int
    file: Path
    shares_values: bool
    visits: Visits
    process: int = field(default_factory=os.getpid)
    proposes: bool = False

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self.port}{PATH}"


Started = asyncio.Future[Running]
"""Done once agents can connect, or cannot."""
Ready = asyncio.Future[Respond]
"""Done once requests can be answered."""


class NotebookServer:
    """Starts and stops the server of one Buddy's notebook.

    Parameters
    ----------
    buddy
        The Buddy of the kernel.
    """

    def __init__(self, buddy: Buddy) -> None:
        self._buddy = buddy
        # A cell and the panel may start it at the same time.
        self._lock = threading.RLock()
        self._running: Running | None = None
        self._task: asyncio.Task[None] | None = None
        self.problem = ""
        """Why it has stopped by itself; empty if it has not."""

    @property
    def running(self) -> Running | None:
        """The server that runs; None while none does."""
        running, task = self._running, self._task
        if running is None or task is None or task.done():
            return None
        return running if running.process == os.getpid() else None

    def start(self, *, share_values: bool, proposes: bool = False) -> Running:
        """Start the server, with a new port and a new key; one that runs is stopped.

        Parameters
        ----------
        share_values
            Whether values and outputs are offered, too.
        proposes
            Whether agents may propose code, which a panel shows to the user.

        Raises
        ------
        ExtraMissing
            When the package of MCP is not installed, or too old.
        SettingError
            When no port or no file can be had.
        """
        _check_sdk()
        offers = offers_of(self._buddy, share_values=share_values, proposes=proposes)
        with self._lock:
            self.stop()
            begin = self._begin(offers, share_values=share_values)
            return self._buddy.loop.run(begin)

    def stop(self) -> bool:
        """Stop the server; return whether one ran."""
        with self._lock:
            if self.running is None:
                return False
            self._buddy.loop.run(self._end())
            return True

    async def _begin(self, offers: Offers, *, share_values: bool) -> Running:
        self.problem = ""
        started: Started = asyncio.get_running_loop().create_future()
        serving = self._serve(offers, started, share_values=share_values)
        self._task = asyncio.create_task(serving)
        try:
            self._running = await started
            self._say()
        except BaseException:
            # An interrupt is one, too.
            self._task.cancel()
            raise
        return self._running

    async def _end(self) -> None:
        task = self._task
        self._running = self._task = None
        self._say()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _serve(
        self, offers: Offers, started: Started, *, share_values: bool
    ) -> None:
        """Answer until this is cancelled; then nothing is left of the server."""
        try:
            with _free_port() as listening:
                port = listening.getsockname()[1]
                key = secrets.token_urlsafe(KEY_BYTES)
                visits = Visits(self._buddy.redacted, self._say)
                ready: Ready = asyncio.get_running_loop().create_future()
                admit = _admitting(Guard(port, key), visits)
                listener = Listener(admit, _noting(ready, visits))
                async with listener.listening(listening):
                    with self._announced(port, key) as file:
                        running = Running(
                            port,
                            file,
                            share_values,
                            visits,
                            proposes=any(tool.proposes for tool in offers.tools),
                        )
                        if not started.cancelled():
                            started.set_result(running)
                        await _respond(offers, port, ready)
        except Exception as error:  # noqa: BLE001 - the user is told, now or by the status
            self.problem = f"{type(error).__name__}: {error}"
            if not started.done():
                started.set_exception(error)
            self._buddy.served.say("")

    def _say(self) -> None:
        """Say who is here to those who show it."""
        running = self._running
        if running is None:
            self._buddy.served.say("")
            return
        values = ""
        if running.shares_values:
            values = ", with values"
        line = f"Agents can read this notebook{values}: {running.visits.line}"
        self._buddy.served.say(line)

    @contextmanager
    def _announced(self, port: int, key: str) -> Iterator[Path]:
        """Write the file with the address, and delete it in the end."""
        session = self._buddy.collector.session
        path = None
        if session is not None:
            path = session.path()
        name = ""
        if path is not None:
            name = path.name
        address = Address(port, key, name, time.time())
        try:
            file = write_address(address)
        except OSError as error:
            what = f"The address cannot be written for agents: {error}."
            raise SettingError(what) from error
        try:
            yield file
        finally:
            with suppress(OSError):
                file.unlink()


def server_of(buddy: Buddy) -> NotebookServer:
    """Return the server of a Buddy, which may not run."""
    if not isinstance(buddy.server, NotebookServer):
        buddy.server = NotebookServer(buddy)
    return buddy.server


def _check_sdk() -> None:
    """Tell what to install; to import it would take a second or two."""
    install = Remedy("Install it", '%pip install "codebuddy-jupyter[mcp]"')
    try:
        version = importlib.metadata.version("mcp")
    except importlib.metadata.PackageNotFoundError as error:
        raise ExtraMissing("Serving needs the package mcp.", install) from error
    major, _, _ = version.partition(".")
    if not major.isdecimal() or int(major) < OLDEST_SDK:
        what = f"Serving needs version {OLDEST_SDK} of mcp, not {version}."
        raise ExtraMissing(what, install)


async def _respond(offers: Offers, port: int, ready: Ready) -> None:
    """Import what is slow while agents can connect already; then let it answer."""
    endpoint = await asyncio.to_thread(importlib.import_module, ENDPOINT)
    async with endpoint.responding(offers, port) as respond:
        ready.set_result(respond)
        await asyncio.Event().wait()


def _free_port() -> socket.socket:
    try:
        return loopback_socket()
    except OSError as error:
        raise SettingError(f"No port is free on this machine: {error}.") from error


def _admitting(guard: Guard, visits: Visits) -> Callable[[Head], Answer | None]:
    """Return what decides about a request, and notes those that are not let in."""

    def admit(head: Head) -> Answer | None:
        refusal = guard.refusal(head)
        if refusal is None:
            return None
        proof = None
        if refusal.status == 401:
            proof = guard.proof(head)
        if proof is None:
            visits.note_refusal(refusal.status)
        return proof or refusal

    return admit


def _noting(ready: Ready, visits: Visits) -> Respond:
    """Return what answers a request once that is possible, and notes it."""

    async def answer(head: Head, body: bytes) -> Answer:
        visits.note(head, body)
        # Shielded: a request that is given up must not take the others with it.
        respond = await asyncio.shield(ready)
        return await respond(head, body)

    return answer
