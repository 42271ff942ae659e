"""A forward proxy on loopback: it hands on what is asked of it, by plain HTTP and in
tunnels, and remembers it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

Headers = dict[str, str]


class ForwardProxy:
    """A proxy, in a thread of its own. It alone knows the names of ``hosts``.

    Parameters
    ----------
    hosts
        The addresses of the names to which it hands on; any other ends in a 502.
    password
        What it wants to be shown, as ``NAME:PASSWORD``; empty: nothing.
    """

    def __init__(
        self, hosts: Mapping[str, str] | None = None, password: str = ""
    ) -> None:
        self.hosts = dict(hosts or {})
        self.password = password
        self.seen: list[tuple[str, str, Headers]] = []
        self.taken = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """Its address, as the environment names it."""
        return f"http://127.0.0.1:{self._port}"

    def asked(self) -> list[str]:
        """What was asked through it: ``METHOD TARGET``."""
        return [f"{method} {target}" for method, target, _ in self.seen]

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        self._port = int(server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return self._server

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _take(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.taken += 1
        with (
            contextlib.closing(writer),
            contextlib.suppress(OSError, asyncio.IncompleteReadError),
        ):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *lines = head.rstrip("\r\n").split("\r\n")
            method, target, version = line.split(" ")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (one.partition(":") for one in lines)
            }
            self.seen.append((method, target, headers))
            if self.password and headers.get("proxy-authorization") != self._shown():
                challenge = 'Proxy-Authenticate: Basic realm="proxy"\r\n'
                writer.write(_refusal("407 Proxy Authentication Required", challenge))
                return
            parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
            address = self.hosts.get(parts.hostname or "")
            if address is None:
                writer.write(_refusal("502 Bad Gateway"))
                return
            there, back = await asyncio.open_connection(address, parts.port or 80)
            with contextlib.closing(back):
                if method == "CONNECT":
                    writer.write(
                        f"{version} 200 Connection established\r\n\r\n".encode()
                    )
                    await _first(_carry(reader, back), _carry(there, writer))
                else:
                    path = parts._replace(scheme="", netloc="").geturl() or "/"
                    kept = [
                        one
                        for one in lines
                        if not one.lower().startswith(("proxy-", "connection:"))
                    ]
                    back.write(
                        "\r\n".join(
                            [
                                f"{method} {path} {version}",
                                *kept,
                                "Connection: close",
                                "",
                                "",
                            ]
                        ).encode()
                    )
                    await _first(_carry(reader, back), _hand_back(there, writer))

    def _shown(self) -> str:
        return f"Basic {base64.b64encode(self.password.encode()).decode()}"


def _refusal(status: str, headers: str = "") -> bytes:
    text = f"The proxy says: {status}"
    return (
        f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(text)}\r\n"
        f"Connection: close\r\n\r\n{text}"
    ).encode()


async def _first(*ways: Coroutine[Any, Any, None]) -> None:
    """Go all ways at once, until one is at its end."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _hand_back(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Carry an answer, after which the connection is not used again: the next request
    may be for another host.
    """
    with contextlib.suppress(asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n")
        await _carry(reader, writer)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
