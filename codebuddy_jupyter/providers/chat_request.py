"""A Request as the JSON of OpenAI's Chat Completions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ..messages import Image, Message, Request, ToolCall


def chat_request(request: Request, max_tokens_field: str) -> dict[str, Any]:
    """Return the JSON of a request.

    Parameters
    ----------
    request
        The request.
    max_tokens_field
        The field in which the server expects the maximum length of the reply.
    """
    messages = [_message(message) for message in request.messages]
    body: dict[str, Any] = {
        "model": request.model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.max_tokens is not None:
        body[max_tokens_field] = request.max_tokens
    body.update(request.extra)
    return body


def encodable(value: Any) -> Any:
    """Return a JSON value without what UTF-8 cannot encode, such as the lone surrogates
    of broken file names.
    """
    if isinstance(value, str):
        return value if value.isascii() else _without_lone_surrogates(value)
    if isinstance(value, Mapping):
        encoded = {}
        for name, inner in value.items():
            encoded[encodable(name)] = encodable(inner)
        return encoded
    if isinstance(value, list | tuple):
        return [encodable(inner) for inner in value]
    return value


def _without_lone_surrogates(text: str) -> str:
    data = text.encode("utf-16", "surrogatepass")
    return data.decode("utf-16", "replace")


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "role": message.role,
        "content": message.text,
    }
    if message.images:
        wire["content"] = _parts(message)
    if message.tool_calls:
        wire["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _parts(message: Message) -> list[dict[str, Any]]:
    text = {"type": "text", "text": message.text}
    images = [_image(image) for image in message.images]
    return [text, *images]


def _image(image: Image) -> dict[str, Any]:
    data = base64.b64encode(image.data).decode()
    url = f"data:{image.media_type};base64,{data}"
    return {
        "type": "image_url",
        "image_url": {"url": url},
    }


def _tool_call(call: ToolCall) -> dict[str, Any]:
    function = {
        "name": call.name,
        "arguments": call.arguments,
    }
    return {
        "id": call.id,
        "type": "function",
        "function": function,
    }
