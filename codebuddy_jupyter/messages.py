"""The values that are passed around: messages, requests, and the chunks of a reply.

They know no wire format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the bytes done, and the bytes in total or 0."""

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Image:
    """An image: its bytes and its media type, such as ``image/png``."""

    data: bytes
    media_type: str


@dataclass(frozen=True)
class ToolCall:
    """A tool call of the model; ``arguments`` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Message:
    """One message of a conversation.

    Parameters
    ----------
    role
        Who speaks.
    text
        The text; of a ``tool`` message the result of the call.
    images
        Images after the text.
    tool_calls
        The tools that an ``assistant`` message calls.
    tool_call_id
        The call that a ``tool`` message answers.
    """

    role: Role
    text: str
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True)
class Usage:
    """What a request cost, as the server counted it; None where it did not.

    Parameters
    ----------
    prompt_tokens, completion_tokens
        The tokens of the prompt and of the answer.
    read_tokens
        The tokens of the prompt that were read for this request; the others were in the
        server's prompt cache.
    read_seconds
        The seconds that reading the prompt took.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    read_tokens: int | None = None
    read_seconds: float | None = None


@dataclass(frozen=True)
class Reading:
    """How far a server has read a prompt.

    Parameters
    ----------
    done, total
        The tokens that are read, with those in the prompt cache, and those of the whole
        prompt.
    cached
        Those of them that were in the prompt cache.
    seconds
        The seconds that reading the others took so far; 0 if that is not reported.
    """

    done: int
    total: int
    cached: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Tool:
    """A tool that a model may call.

    Parameters
    ----------
    name, description
        What it is called, and what it does, for the model.
    parameters
        The JSON schema of its arguments, which are an object.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Proposal:
    """Code that a model proposes to put into the notebook. A person decides.

    Parameters
    ----------
    id
        Its id, which no other proposal has.
    code
        The text of the new cell, or the new text of the cell.
    cell
        The number of the cell that it changes, or below which it comes; None: below the
        last one.
    old
        The text of the cell when the change was proposed; None: it is a new cell.
    cell_id
        The id of the cell in the notebook, if it is known.
    step
        Which of the steps it is that follow from one question.
    by_agent
        Whether another agent proposes it, and not the model that answers here.
    """

    id: str
    code: str
    cell: int | None = None
    old: str | None = None
    cell_id: str = ""
    step: int = 1
    by_agent: bool = False

    @property
    def digest(self) -> str:
        """The digest of all that a person decides about."""
        shown = [self.id, self.code, self.cell, self.old, self.cell_id]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


@dataclass(frozen=True)
class Looked:
    """What a look at the notebook has shown, or what a model has proposed.

    Parameters
    ----------
    title, summary
        What was looked at and what was found, for people: ``orders``, ``8 columns``.
    text
        What the model is told.
    is_error
        Whether there was nothing to look at; the text says why.
    verb
        What was done, as the line begins.
    proposal
        The proposal, in the kernel in which it was made; None: it is a look.
    """

    title: str
    summary: str
    text: str
    is_error: bool = False
    verb: Literal["looked at", "proposed"] = "looked at"
    proposal: Proposal | None = None

    @property
    def line(self) -> str:
        """The look as one line for people."""
        return f"{self.verb} {self.title}: {self.summary}"


REPETITION = "repetition"
"""How an answer ends that is stopped since it repeats itself without end."""


# With slots, since one reply can have a million of them.
@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a reply: text, reasoning, tool calls, or facts about the reply.

    Parameters
    ----------
    text, reasoning
        The next piece of the answer, and of the reasoning that precedes it.
    tool_calls
        Complete tool calls, never a part of one.
    usage
        What the request cost.
    finish
        The server's ``finish_reason``; ``length`` for a limit of any name, `REPETITION`
        for an answer that was stopped since it repeated itself.
    note
        A line for the user about how the request was made, such as a field that the
        server refused.
    answer_begins
        Whether the text of the chunks before this one was reasoning, too.
    reading
        How far the server has read the prompt; it comes before the answer.
    finding
        A line for the user about what in the answer's code does not fit the kernel.
    looked
        What looks at the notebook have shown; they come before the answer.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish: str | None = None
    note: str = ""
    answer_begins: bool = False
    reading: Reading | None = None
    finding: str = ""
    looked: tuple[Looked, ...] = ()


@dataclass(frozen=True)
class Request:
    """A request to a provider.

    Parameters
    ----------
    messages
        The conversation; the last message is the question.
    model
        The name of the model, as the server knows it.
    temperature
        0 (always the likeliest word) to 2; None: the server's default.
    max_tokens
        The longest reply, in tokens; None: the server's default.
    extra
        Any other field of the request, by its wire name.
    schema
        The JSON schema that the answer shall have; None: it is text.
    tools
        The tools that the model may call instead of answering.
    """

    messages: tuple[Message, ...]
    model: str
    temperature: float | None = None
    max_tokens: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True)
class Infill:
    """A request for the text that stands between two others, such as at a cursor.

    Parameters
    ----------
    before, after
        The text before and after the gap.
    model
        The name of the model, as the server knows it.
    max_tokens
        The longest reply, in tokens.
    """

    before: str
    after: str
    model: str
    max_tokens: int


@dataclass(frozen=True)
class Model:
    """A model that a server offers; None is what the server did not report.

    Parameters
    ----------
    name
        Its name, as the server knows it.
    window
        Its context window as it is loaded, in tokens.
    loaded
        Whether it is in memory.
    abilities
        Of ``chat``, ``tools``, ``images``, ``reasoning``, ``embeddings``; empty if the
        server does not report them.
    size
        Its size in bytes.
    max_window
        The largest context window that it supports, in tokens.
    parameters
        The number of its parameters.
    """

    name: str
    window: int | None = None
    loaded: bool | None = None
    abilities: tuple[str, ...] = ()
    size: int | None = None
    max_window: int | None = None
    parameters: int | None = None

    def is_named(self, name: str) -> bool:
        """Return whether a name means this model; the tag ``:latest`` may be left out."""
        return bare_name(self.name) == bare_name(name)


def bare_name(model: str) -> str:
    """Return the name of a model without the tag that Ollama adds where there is none."""
    return model.removesuffix(":latest")
