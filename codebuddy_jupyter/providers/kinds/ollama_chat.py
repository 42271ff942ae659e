"""Ollama's own chat API, which takes a context window and can refuse a prompt instead of
cutting it: a Request as its JSON, the body of its reply as the events of the
OpenAI-compatible API.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from ...messages import Message, Request, Tool, ToolCall
from ..http.chat_stream import Events
from ..http.server_error import as_mapping, parsed

# Fields that are not options of the model; https://docs.ollama.com/api/chat.
TOP_LEVEL_FIELDS = {
    "tools",
    "format",
    "think",
    "keep_alive",
    "logprobs",
    "top_logprobs",
    "truncate",
    "shift",
}
# OpenAI's fields that have another name among the options.
OPTION_NAMES = {"max_tokens": "num_predict", "max_completion_tokens": "num_predict"}
# OpenAI's fields for which Ollama has nothing.
IGNORED_FIELDS = {
    "stream",
    "stream_options",
    "n",
    "user",
    "store",
    "metadata",
    "logit_bias",
    "tool_choice",
    "parallel_tool_calls",
    "service_tier",
}
# OpenAI's levels of reasoning that have another name.
THINK_LEVELS: dict[object, object] = {"none": False, "minimal": "low", "xhigh": "high"}


def native_body(request: Request, num_ctx: int) -> dict[str, Any]:
    """Return the JSON of a request with a context window of ``num_ctx`` tokens; 0:
    Ollama's choice.
    """
    options: dict[str, Any] = {}
    if num_ctx:
        options["num_ctx"] = num_ctx
    if request.temperature is not None:
        options["temperature"] = request.temperature
    if request.max_tokens is not None:
        options["num_predict"] = request.max_tokens
    messages = [_message(message) for message in request.messages]
    body: dict[str, Any] = {
        "model": request.model,
        "messages": messages,
        "stream": True,
        # A prompt that is too long is refused with its length, not cut.
        "truncate": False,
        "options": options,
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.schema is not None:
        body["format"] = request.schema
    _add_fields(body, options, request.extra)
    return body


def _add_fields(
    body: dict[str, Any], options: dict[str, Any], fields: Mapping[str, Any]
) -> None:
    """Put the other fields of a request where Ollama expects them."""
    for name, value in fields.items():
        if name == "extra_body":
            _add_fields(body, options, as_mapping(value))
        elif name == "options":
            options.update(as_mapping(value))
        elif name == "response_format":
            body["format"] = _format(as_mapping(value))
        elif name == "reasoning_effort":
            body["think"] = THINK_LEVELS.get(value, value)
        elif name == "stop":
            options[name] = [value] if isinstance(value, str) else value
        elif name in TOP_LEVEL_FIELDS:
            body[name] = value
        elif name not in IGNORED_FIELDS:
            options[OPTION_NAMES.get(name, name)] = value


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {
        "role": message.role,
        "content": message.text,
    }
    images = []
    for image in message.images:
        images.append(base64.b64encode(image.data).decode())
    if images:
        body["images"] = images
    if message.tool_calls:
        body["tool_calls"] = [_call(call) for call in message.tool_calls]
    return body


def _call(call: ToolCall) -> dict[str, Any]:
    # Its arguments are an object here, not text.
    arguments = as_mapping(parsed(call.arguments))
    return {"function": {"name": call.name, "arguments": arguments}}


def _tool(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    return {"type": "function", "function": function}


def _format(response_format: Mapping[str, Any]) -> Any:
    json_schema = as_mapping(response_format.get("json_schema"))
    return json_schema.get("schema") or "json"


class Lines(Events):
    """Parses lines of JSON into the events of the OpenAI-compatible API."""

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """Return the events that ``data`` completes."""
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        self._check_size(len(rest))
        events = []
        for line in lines:
            event = self._event(line.strip())
            if event:
                events.append(("", event))
        return events

    def flush(self) -> list[tuple[str, bytes]]:
        """Return the event that the end of the body completes, if any."""
        return self.feed(b"\n")

    def _event(self, line: bytes) -> bytes:
        value = parsed(line)
        if not isinstance(value, Mapping):
            self.other += line
            return b""
        text = json.dumps(_chunk(value), ensure_ascii=False)
        return text.encode("utf-8", "replace")


def _chunk(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a line of Ollama as a chunk of the OpenAI-compatible API."""
    is_error = "message" not in line and not line.get("done")
    if is_error:
        return line
    message = as_mapping(line.get("message"))
    delta = {
        "content": message.get("content"),
        "reasoning": message.get("thinking"),
        "tool_calls": _tool_calls(message.get("tool_calls")),
    }
    choice: dict[str, Any] = {
        "index": 0,
        "delta": delta,
    }
    chunk: dict[str, Any] = {"choices": [choice]}
    if line.get("done"):
        choice["finish_reason"] = line.get("done_reason") or "stop"
        chunk |= ollama_usage(line)
    return chunk


def ollama_usage(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the last line of a reply tells about its cost, as in a chunk of the
    OpenAI-compatible API.
    """
    usage = {
        "prompt_tokens": line.get("prompt_eval_count"),
        "completion_tokens": line.get("eval_count"),
    }
    # Its count of tokens includes those in the prompt cache, its duration not.
    duration = line.get("prompt_eval_duration")
    if not isinstance(duration, int):
        return {"usage": usage}
    return {"usage": usage, "timings": {"prompt_ms": duration / 1e6}}


def _tool_calls(calls: object) -> list[dict[str, Any]]:
    if not isinstance(calls, list):
        return []
    numbered = []
    for number, call in enumerate(calls):
        numbered.append({**as_mapping(call), "index": number})
    return numbered
