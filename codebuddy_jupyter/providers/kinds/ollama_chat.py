"""Chat by Ollama's own protocol, which alone takes a window: a Request to its JSON, the
body of a reply to events.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from ...messages import Message, Request
from ..http.chat_stream import Events
from ..http.server_error import as_mapping, parsed

BESIDE = {"tools", "format", "think", "keep_alive", "logprobs", "truncate"}
"""The fields that stand beside the options; https://docs.ollama.com/api/chat."""


def native_body(request: Request, num_ctx: int) -> dict[str, Any]:
    """The JSON of a request with a window of ``num_ctx`` tokens."""
    options: dict[str, Any] = {"num_ctx": num_ctx}
    if request.temperature is not None:
        options["temperature"] = request.temperature
    if request.max_tokens is not None:
        options["num_predict"] = request.max_tokens
    beside: dict[str, Any] = {}
    for name, value in request.extra.items():
        if name == "response_format":
            beside["format"] = _format(as_mapping(value))
        elif name == "reasoning_effort":
            beside["think"] = value
        else:
            (beside if name in BESIDE else options)[name] = value
    messages = [_message(message) for message in request.messages]
    return {
        "model": request.model,
        "messages": messages,
        "stream": True,
        "options": options,
        **beside,
    }


def _message(message: Message) -> dict[str, Any]:
    images = [base64.b64encode(image.data).decode() for image in message.images]
    return {
        "role": message.role,
        "content": message.text,
        **({"images": images} if images else {}),
    }


def _format(wish: Mapping[str, Any]) -> Any:
    return as_mapping(wish.get("json_schema")).get("schema") or "json"


class Lines(Events):
    """Lines of JSON as events of the usual protocol."""

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The events that ``data`` completes."""
        *lines, rest = (bytes(self._rest) + data).split(b"\n")
        self._rest = bytearray(rest)
        self._check_size(len(rest))
        return [("", event) for line in lines if (event := self._event(line.strip()))]

    def flush(self) -> list[tuple[str, bytes]]:
        """The event that the end of the body completes, if any."""
        return self.feed(b"\n")

    def _event(self, line: bytes) -> bytes:
        value = parsed(line)
        if isinstance(value, Mapping):
            return json.dumps(_chunk(value), ensure_ascii=False).encode(
                "utf-8", "replace"
            )
        self.other += line
        return b""


def _chunk(line: Mapping[str, Any]) -> Mapping[str, Any]:
    # an error
    if "message" not in line and not line.get("done"):
        return line
    message = as_mapping(line.get("message"))
    told = message.get("tool_calls")
    calls = [
        {**as_mapping(call), "index": i}
        for i, call in enumerate(told if isinstance(told, list) else [])
    ]
    delta = {
        "content": message.get("content"),
        "reasoning": message.get("thinking"),
        "tool_calls": calls,
    }
    chunk: dict[str, Any] = {"choices": [{"index": 0, "delta": delta}]}
    if line.get("done"):
        chunk["choices"][0]["finish_reason"] = line.get("done_reason") or "stop"
        chunk["usage"] = {
            "prompt_tokens": line.get("prompt_eval_count"),
            "completion_tokens": line.get("eval_count"),
        }
    return chunk
