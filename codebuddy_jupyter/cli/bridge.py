"""``codebuddy mcp``: passes on what an agent asks by standard input and output to the
notebook that is served, with the key that the agent does not get.

It needs no package of MCP. Each request is one line of JSON, and is answered before the
next is read.
"""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import Remedy, SettingError
from ..tools.server.address_file import Address, addresses
from ..tools.server.exchange import (
    PATH,
    PROTOCOL_VERSION,
    client_of,
    message_of,
    params_of,
)
from ..tools.server.guard import PROOF, client_proof, server_proof

# Seconds.
CONNECTING = 2.0
ANSWERING = 45.0
# A request that a kernel did not take is not sent to a third one.
ATTEMPTS = 2
# An answer may have so many bytes.
LARGEST_ANSWER = 4 * 1024 * 1024
# The code of JSON-RPC for what a server defines itself.
FAILED = -32000
# What a request of the revision of 2026-07-28 says of itself, also in its headers.
VERSION_IN_META = "io.modelcontextprotocol/protocolVersion"


def run_bridge(bridge: Bridge, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more.

    Parameters
    ----------
    bridge
        Passes them on.
    requests, answers
        Lines of JSON.
    """
    for line in requests:
        request = line.strip()
        if not request:
            continue
        answer = bridge.answer(request)
        if answer:
            answers.write(answer + b"\n")
            answers.flush()


class Bridge:
    """Passes requests on to a served notebook; to its next server after a restart.

    Parameters
    ----------
    notebook
        The name of the notebook's file; empty for the one that was served last.
    folder
        Where the files with addresses are; by default as this environment has it.
    """

    def __init__(self, notebook: str = "", folder: Path | None = None) -> None:
        self._notebook = notebook
        self._folder = folder
        self._address: Address | None = None
        # What the agent has said and was told at the beginning.
        self._client = ""
        self._version = ""

    def answer(self, line: bytes) -> bytes:
        """Return the answer to a request as one line; empty where there is none."""
        message = message_of(line)
        self._client = client_of(message) or self._client
        try:
            headers = self._headers(message)
            status, body = self._passed_on(line, headers)
        except (OSError, http.client.HTTPException, SettingError) as error:
            text = str(error) or type(error).__name__
            return _failure(message, text)
        answered = message_of(body)
        if answered.get("jsonrpc"):
            self._note_version(message, answered)
            return json.dumps(answered).encode()
        if status >= 400:
            text = body.decode("utf-8", "replace").strip()
            return _failure(message, text or f"HTTP {status}")
        return b""

    def _passed_on(self, line: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send a request to the server; to another one if that has stopped."""
        for attempt in range(1, ATTEMPTS + 1):
            address = self._address or find_server(self._notebook, self._folder)
            self._address = address
            headers["authorization"] = f"Bearer {address.key}"
            try:
                status, body = _request(address, "POST", headers, line)
            except ConnectionError as error:
                self._address = None
                # One that was broken off may have arrived: it could be a proposal.
                is_unsent = isinstance(error, ConnectionRefusedError)
                if attempt == ATTEMPTS or not is_unsent:
                    raise
                continue
            if status != http.client.UNAUTHORIZED or attempt == ATTEMPTS:
                return status, body
            # Another server has the port by now.
            self._address = None
        raise AssertionError("the last attempt returns or raises")

    def _headers(self, message: Mapping[str, Any]) -> dict[str, str]:
        agent = self._client or "codebuddy"
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "user-agent": _latin(f"{agent} by codebuddy mcp"),
        }
        params = params_of(message)
        meta = params.get("_meta")
        version = None
        if isinstance(meta, dict):
            version = meta.get(VERSION_IN_META)
        if isinstance(version, str):
            headers[PROTOCOL_VERSION] = _latin(version)
            method = str(message.get("method", ""))
            headers["mcp-method"] = _latin(method)
            name = params.get("name", params.get("uri"))
            if name is not None:
                headers["mcp-name"] = _latin(str(name))
        elif self._version and message.get("method") != "initialize":
            headers[PROTOCOL_VERSION] = self._version
        return headers

    def _note_version(
        self, message: Mapping[str, Any], answered: Mapping[str, Any]
    ) -> None:
        result = answered.get("result")
        if message.get("method") == "initialize" and isinstance(result, dict):
            version = str(result.get("protocolVersion", ""))
            self._version = _latin(version)


def find_server(notebook: str = "", folder: Path | None = None) -> Address:
    """Return the address of a server that proves that it has the key of its file.

    The file of one that is gone is deleted.

    Parameters
    ----------
    notebook, folder
        As for `Bridge`.

    Raises
    ------
    SettingError
        When no notebook is served, or not this one.
    """
    wanted = Path(notebook).name
    served = []
    for address, path in addresses(folder):
        try:
            is_there = _proves_itself(address)
        except ConnectionRefusedError:
            with suppress(OSError):
                path.unlink()
            continue
        except (OSError, http.client.HTTPException):
            continue
        if not is_there:
            continue
        if wanted in ("", address.notebook):
            return address
        served.append(address.notebook or "a notebook without a file")
    serve = Remedy("In the notebook, type", "%buddy /serve")
    if served:
        others = ", ".join(served)
        raise SettingError(f"{wanted} is not served, but {others}.", serve)
    raise SettingError("No notebook is served.", serve)


def _proves_itself(address: Address) -> bool:
    nonce = secrets.token_urlsafe(24)
    mac = client_proof(address.key, nonce)
    headers = {"authorization": f"{PROOF} {nonce}:{mac}"}
    status, body = _request(address, "GET", headers, timeout=CONNECTING)
    if status != http.client.OK:
        return False
    proof = server_proof(address.key, nonce)
    return secrets.compare_digest(body.strip(), proof.encode())


def _request(
    address: Address,
    method: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    timeout: float = ANSWERING,
) -> tuple[int, bytes]:
    """Send a request, and return the status and the body of its answer.

    Raises
    ------
    OSError
        When there is no connection.
    """
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=timeout)
    try:
        connection.request(method, PATH, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read(LARGEST_ANSWER)
    finally:
        connection.close()


def _failure(message: Mapping[str, Any], text: str) -> bytes:
    """Return an error as the answer to a request; a notification has no answer."""
    if message and "id" not in message:
        return b""
    answer = {
        "jsonrpc": "2.0",
        "id": message.get("id"),
        "error": {"code": FAILED, "message": text},
    }
    return json.dumps(answer).encode()


def _latin(text: str) -> str:
    """Return a text that can stand in a header."""
    shown = "".join(filter(str.isprintable, text))
    return shown.encode("ascii", "replace").decode()
