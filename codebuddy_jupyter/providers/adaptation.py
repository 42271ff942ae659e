"""How to ask a server otherwise that refuses something of a request which can be done in
another way: a field, the name of a field, a system message, or a stream.

What was learned is remembered for the server and the model. Nothing is sent here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .http.server_error import ErrorResponse

Body = dict[str, Any]
Message = Mapping[str, Any]

# The fields of a request that are never left out. Where tools are refused, what they
# find must come in another way.
REQUIRED_FIELDS = frozenset({"model", "messages", "stream", "tools"})
# The names that servers have for the maximum length of the reply.
USUAL_LIMITS = ("max_tokens", "max_completion_tokens")
LIMITS = (*USUAL_LIMITS, "max_output_tokens", "max_new_tokens")
UNKNOWN_FIELD = re.compile(r"unknown|unrecogni[sz]ed|unexpected|extra", re.IGNORECASE)
NO_USAGE = (
    "This server does not count tokens while streaming: it refused stream_options."
)
NO_STREAM = "This server does not stream this model's answers; each is shown when it is complete."
NO_SYSTEM = (
    "This model accepts no system message, so the system prompt is sent with the first "
    "question."
)
MERGED = "This model requires alternating questions and answers, so some were joined."


@dataclass
class Habits:
    """What one server refuses for one model.

    Parameters
    ----------
    refused
        The names of the fields that it refuses.
    limit
        The name that it has for the maximum length of the reply, if that is known.
    has_system
        Whether it takes system messages, and messages of one role in a row.
    can_stream
        Whether it sends answers piece by piece.
    """

    refused: set[str] = field(default_factory=set)
    limit: str = ""
    has_system: bool = True
    can_stream: bool = True

    def apply(self, body: Body) -> None:
        """Change a request so that the server takes it."""
        for name in self.refused & body.keys():
            value = body.pop(name)
            if name in LIMITS and self.limit:
                body.setdefault(self.limit, value)
        if not self.has_system:
            body["messages"] = in_turn(body["messages"])
        if not self.can_stream:
            body["stream"] = False
            body.pop("stream_options", None)


class Adaptations:
    """What is known of each server and model, by their address and name."""

    def __init__(self) -> None:
        self._habits: dict[tuple[str, str], Habits] = {}

    def apply(self, url: str, body: Body) -> None:
        """Change a request as the server at ``url`` is known to need it."""
        self._of(url, body).apply(body)

    def learn(self, url: str, body: Body, error: ErrorResponse) -> str:
        """Change a request that was refused so that it may be taken, and remember how.

        Returns
        -------
        str
            A line for the user; empty if nothing can be done otherwise.
        """
        habits = self._of(url, body)
        note = (
            _learn_messages(habits, body, error)
            or _learn_field(habits, body, error)
            or _learn_stream(habits, body, error)
        )
        if note:
            habits.apply(body)
        return note

    def _of(self, url: str, body: Body) -> Habits:
        model = str(body["model"])
        return self._habits.setdefault((url, model), Habits())


def _learn_messages(habits: Habits, body: Body, error: ErrorResponse) -> str:
    if not error.refuses_roles():
        return ""
    messages = body["messages"]
    if in_turn(messages) == messages:
        return ""
    habits.has_system = False
    roles = [message.get("role") for message in messages]
    if "system" in roles:
        return NO_SYSTEM
    return MERGED


def _learn_field(habits: Habits, body: Body, error: ErrorResponse) -> str:
    optional = [name for name in body if name not in REQUIRED_FIELDS]
    name = error.refused_field(optional)
    if name is None:
        return ""
    habits.refused.add(name)
    if name == "stream_options":
        return NO_USAGE
    if name in LIMITS:
        habits.limit = _other_limit(habits, error)
        if habits.limit:
            return f"This server expects {habits.limit} instead of {name}."
    return f"This server does not support {name}, so it was left out."


def _other_limit(habits: Habits, error: ErrorResponse) -> str:
    """Return the name to try for a limit whose present name is refused, or "": one
    that the server mentions, else one of the two that are usual if it knows the field.
    """
    names = [name for name in LIMITS if re.search(rf"\b{name}\b", error.text)]
    if not UNKNOWN_FIELD.search(error.text):
        names += USUAL_LIMITS
    for name in names:
        if name not in habits.refused:
            return name
    return ""


def _learn_stream(habits: Habits, body: Body, error: ErrorResponse) -> str:
    if not body.get("stream") or not error.refuses_stream():
        return ""
    habits.can_stream = False
    return NO_STREAM


def in_turn(messages: list[Message]) -> list[Message]:
    """Return messages of the user and the assistant in turn: the system's text goes into
    the first question, and messages of one role in a row are joined.
    """
    system: list[Message] = []
    others: list[Message] = []
    for message in messages:
        if message.get("role") == "system":
            system.append({**message, "role": "user"})
        else:
            others.append(message)
    joined: list[Message] = []
    for message in [*system, *others]:
        if joined and _can_join(joined[-1], message):
            last = joined[-1]
            content = _joined(last["content"], message["content"])
            joined[-1] = {**last, **message, "content": content}
        else:
            joined.append(message)
    return joined


def _can_join(first: Message, second: Message) -> bool:
    role = first.get("role")
    if role != second.get("role") or role == "tool":
        return False
    # The others would be lost: calls of tools, images in a field of their own.
    return first.keys() <= {"role", "content"}


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}]
