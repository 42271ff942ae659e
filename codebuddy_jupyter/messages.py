"""The values that travel between rooms: messages, requests, and the chunks of a reply.

They know no wire format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many bytes are done, and of how many (or 0)."""

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Image:
    """A picture: its bytes and its media type, such as ``image/png``."""

    data: bytes
    media_type: str


@dataclass(frozen=True)
class ToolCall:
    """A call that the model asks for; ``arguments`` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Role
    text: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True)
class Usage:
    """What a request cost, in tokens, as the server counted it; None where it did not
    tell.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


# a reply can have a million of them
@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a reply: some text, some reasoning, tool calls, or news about the
    whole.

    ``tool_calls`` come whole. ``finish`` is the server's ``finish_reason``. ``note`` is
    a line for the user about how the request was made, such as a field that the server
    did not take.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Request:
    """What a provider is asked for.

    ``temperature`` and ``max_tokens`` (tokens of the reply) are None where the server's
    own default shall hold; ``extra`` holds any other field of the request, by its wire
    name.
    """

    messages: tuple[Message, ...]
    model: str
    temperature: float | None = None
    max_tokens: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A model that a server offers. What it did not tell is None.

    ``window`` is how many tokens it can see as it is loaded, ``max_window`` the most
    that it could; ``size`` is bytes. ``abilities`` are of ``chat``, ``tools``,
    ``images``, ``reasoning``, ``embeddings``; none where it does not tell.
    """

    name: str
    window: int | None = None
    loaded: bool | None = None
    abilities: tuple[str, ...] = ()
    size: int | None = None
    max_window: int | None = None
