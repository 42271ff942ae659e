"""The looks of a turn as messages: a call of a tool and its result for each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..messages import Looked, Message, ToolCall

# The first line of a result says what people read.
_LINE = re.compile(
    r"(?P<verb>looked at|proposed) (?P<title>[^\n]*?): (?P<summary>[^\n]*)\n"
)


def look_messages(number: int, call: ToolCall, looked: Looked) -> tuple[Message, ...]:
    """Return a look as messages.

    Parameters
    ----------
    number
        Which look of its turn it is.
    call
        What was called.
    looked
        What was shown.
    """
    return _messages(number, call, f"{looked.line}\n{looked.text}")


def _messages(number: int, call: ToolCall, result: str) -> tuple[Message, ...]:
    """Return a call and its result, which have an id in common."""
    id = call.id or f"look-{number}"
    made = ToolCall(id, call.name, call.arguments)
    return (
        Message("assistant", "", tool_calls=(made,)),
        Message("tool", result, tool_call_id=id),
    )


class KeptLook(NamedTuple):
    """A look as it is kept in a file: what was called, and what it told."""

    look: str
    arguments: str
    told: str


def kept_looks(messages: Iterable[Message]) -> tuple[KeptLook, ...]:
    """Return the looks that messages tell of, to be kept."""
    calls: dict[str, ToolCall] = {}
    kept = []
    for message in messages:
        for call in message.tool_calls:
            calls[call.id] = call
        made = calls.get(message.tool_call_id)
        if message.role == "tool" and made is not None:
            look = KeptLook(made.name, made.arguments, message.text)
            kept.append(look)
    return tuple(kept)


def messages_of(kept: Iterable[KeptLook]) -> tuple[Message, ...]:
    """Return looks that were kept as the messages that they were."""
    messages: list[Message] = []
    for number, look in enumerate(kept, 1):
        call = ToolCall("", look.look, look.arguments)
        messages += _messages(number, call, look.told)
    return tuple(messages)


def is_of_look(message: Message) -> bool:
    """Return whether a message is the call or the result of a tool."""
    return message.role == "tool" or bool(message.tool_calls)


def looks_in(messages: Iterable[Message]) -> Iterator[Looked]:
    """Yield the looks that messages tell of; of proposals, their texts alone."""
    for message in messages:
        if message.role != "tool":
            continue
        match = _LINE.match(message.text)
        if match is None:
            continue
        verb: Any = match["verb"]
        text = message.text[match.end() :]
        yield Looked(match["title"], match["summary"], text, verb=verb)
