"""The looks of a turn as messages: a call of a tool and its result for each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..messages import Looked, Message, ToolCall

# The first line of a result says what people read.
_LINE = re.compile(r"looked at `(?P<title>[^`\n]*)`: (?P<summary>[^\n]*)\n")


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
    id = call.id or f"look-{number}"
    made = ToolCall(id, call.name, call.arguments)
    result = f"{looked.line}\n{looked.text}"
    return (
        Message("assistant", "", tool_calls=(made,)),
        Message("tool", result, tool_call_id=id),
    )


def is_of_look(message: Message) -> bool:
    """Return whether a message is the call or the result of a tool."""
    return message.role == "tool" or bool(message.tool_calls)


def looks_in(messages: Iterable[Message]) -> Iterator[Looked]:
    """Yield the looks that messages tell of."""
    for message in messages:
        match = _LINE.match(message.text) if message.role == "tool" else None
        if match is not None:
            yield Looked(match["title"], match["summary"], message.text[match.end() :])
