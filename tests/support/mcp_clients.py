"""Clients of a served notebook: by the official SDK, by hand, and by raw bytes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from codebuddy_jupyter.tools.server.address_file import Address, try_read

T = TypeVar("T")

# a bound for what hangs
SECONDS = 60.0
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def address_in(file: Path) -> Address:
    """The address in a file that must have one."""
    address = try_read(file)
    assert address is not None
    return address


def with_client(
    address: Address, use: Callable[[Client], Awaitable[T]], mode: str = "auto"
) -> T:
    """What the use of the SDK's client gives.

    ``mode`` says by which revision of the protocol it speaks: ``legacy`` for those with
    ``initialize``.
    """

    async def run() -> T:
        headers = {"Authorization": f"Bearer {address.key}"}
        url = f"http://127.0.0.1:{address.port}/mcp"
        async with (
            httpx2.AsyncClient(
                headers=headers, timeout=SECONDS, trust_env=False
            ) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):
            return await use(client)

    return asyncio.run(asyncio.wait_for(run(), SECONDS))


def called(address: Address, tool: str, mode: str = "auto", **arguments: Any) -> str:
    """The text that a tool returns, asked for by the SDK's client."""

    async def use(client: Client) -> str:
        result = await client.call_tool(tool, arguments)
        return "".join(part.text for part in result.content if part.type == "text")

    return with_client(address, use, mode)


def head(address: Address, **changed: str | None) -> dict[str, str]:
    """The headers of a request that is let in, some of them changed or left out."""
    headers: dict[str, str | None] = {
        "host": f"127.0.0.1:{address.port}",
        "authorization": f"Bearer {address.key}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    for name, value in changed.items():
        headers[name.replace("_", "-")] = value
    return {name: value for name, value in headers.items() if value is not None}


def request(
    headers: Mapping[str, str],
    body: bytes | Mapping[str, Any] = PING,
    method: str = "POST",
    target: str = "/mcp",
) -> bytes:
    """A request as bytes, with the length of its body unless that is in the headers."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not {"content-length", "transfer-encoding"} & headers.keys():
        lines.append(f"content-length: {len(data)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


def sent(port: int, data: bytes) -> tuple[int, bytes]:
    """Send bytes; the status and the body of the answer, or 0 where there is none."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        try:
            connection.sendall(data)
            while part := connection.recv(65536):
                received += part
        except ConnectionError:
            # the server may close while more is sent
            pass
    before, _, body = received.partition(b"\r\n\r\n")
    if not before:
        return 0, b""
    return int(before.split(b" ", 2)[1]), body
