"""A request of an agent as HTTP brings it, and its answer; and what both sides of a
connection must know of the other's messages.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

PATH = "/mcp"
"""Where the server answers."""
PROTOCOL_VERSION = "mcp-protocol-version"
"""A header of MCP, in lower case."""
CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
"""In ``_meta`` of a request: who sends it."""

Headers = tuple[tuple[str, str], ...]
"""Names in lower case with values, in the order in which they came."""


@dataclass(frozen=True)
class Head:
    """What stands before the body of a request."""

    method: str
    target: str
    headers: Headers = ()

    def all(self, name: str) -> list[str]:
        """Return the values of all headers of this name."""
        return [value for header, value in self.headers if header == name]

    def first(self, name: str) -> str:
        """Return the value of the first header of this name; empty if there is none."""
        return next(iter(self.all(name)), "")


@dataclass(frozen=True)
class Answer:
    """An answer as HTTP sends it."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Respond = Callable[[Head, bytes], Awaitable[Answer]]
"""Answers a request that was let in."""


def text_answer(status: int, text: str, **headers: str) -> Answer:
    """Return an answer of one line for people."""
    body = f"{text}\n"
    headers = {"content-type": "text/plain; charset=utf-8", **headers}
    return Answer(status, body.encode(), headers)


def message_of(body: bytes) -> Mapping[str, Any]:
    """Return the JSON-RPC message in a body; an empty one for anything else."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        # What is no JSON, or is nested too deeply.
        return {}
    if not isinstance(message, dict):
        return {}
    return message


def params_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of a message."""
    params = message.get("params")
    if not isinstance(params, dict):
        return {}
    return params


def client_of(message: Mapping[str, Any]) -> str:
    """Return who sends a message, as the message says it; mostly it does not."""
    params = params_of(message)
    info = params.get("clientInfo")
    if message.get("method") != "initialize":
        meta = params.get("_meta")
        if not isinstance(meta, dict):
            return ""
        info = meta.get(CLIENT_INFO)
    if not isinstance(info, dict) or not info.get("name"):
        return ""
    name = str(info["name"])
    version = str(info.get("version", ""))
    return " ".join(filter(None, (name, version)))
