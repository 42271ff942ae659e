"""A Request as the JSON of OpenAI's Chat Completions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ..messages import Image, Message, Request, Tool, ToolCall

# The name that each schema has; servers only repeat it in errors.
SCHEMA_NAME = "answer"


def chat_request(
    request: Request, max_tokens_field: str, *, takes_schemas: bool = True
) -> dict[str, Any]:
    """Return the JSON of a request.

    Parameters
    ----------
    request
        The request.
    max_tokens_field
        The field in which the server expects the maximum length of the reply.
    takes_schemas
        Whether the server takes JSON schemas; otherwise it is asked for any JSON.
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
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.schema is not None:
        body["response_format"] = _response_format(request.schema, takes_schemas)
    body.update(request.extra)
    return body


def _response_format(schema: Mapping[str, Any], takes_schemas: bool) -> dict[str, Any]:
    if not takes_schemas:
        return {"type": "json_object"}
    json_schema = {
        "name": SCHEMA_NAME,
        "schema": schema,
        "strict": is_strict(schema),
    }
    return {"type": "json_schema", "json_schema": json_schema}


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Return whether a schema may be enforced strictly, as clouds define that: no object
    may have other fields than those that are named, and no array items by their place.
    """
    is_object = schema.get("type") == "object"
    if is_object and schema.get("additionalProperties") is not False:
        return False
    if not schema or "prefixItems" in schema:
        return False
    alternatives = schema.get("anyOf", ())
    properties = schema.get("properties", {})
    definitions = schema.get("$defs", {})
    inner = [*alternatives, *properties.values(), *definitions.values()]
    if "items" in schema:
        inner.append(schema["items"])
    return all(is_strict(part) for part in inner)


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


def _tool(tool: Tool) -> dict[str, Any]:
    """Return a tool as servers expect it."""
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    return {"type": "function", "function": function}


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
