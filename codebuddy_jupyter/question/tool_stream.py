"""The chunks of a model that may call tools: the text to show, and the calls.

Text that may be a call is held back until that is clear. Nothing is sent here.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace

from ..messages import Chunk, ToolCall, Usage
from ..tools.calls import Call, calls_in, may_be_call


class ToolStream:
    """Divides the chunks of one answer into those to show and calls.

    Parameters
    ----------
    names
        The names of the tools.

    Attributes
    ----------
    calls : list of Call
        The calls, complete once `end` was called.
    are_native : bool
        Whether the server reported them as calls; otherwise they were text.
    has_text : bool
        Whether there was text to show.
    """

    def __init__(self, names: Collection[str]) -> None:
        self.calls: list[Call] = []
        self.are_native = False
        self.has_text = False
        self._names = names
        self._held = ""
        self._is_open = True
        self._usage: Usage | None = None
        self._finish: str | None = None

    def feed(self, chunk: Chunk) -> list[Chunk]:
        """Take a chunk; return what of it is to be shown now."""
        self._usage = chunk.usage or self._usage
        self._finish = chunk.finish or self._finish
        for call in chunk.tool_calls:
            self.calls.append(Call(call.name, arguments_of(call)))
            self.are_native = True
        shown = replace(chunk, text="", tool_calls=(), usage=None, finish=None)
        chunks: list[Chunk] = []
        if shown != Chunk():
            chunks.append(shown)
        if chunk.answer_begins:
            # What was held is reasoning.
            chunks = [*self._released(), shown]
            self._is_open = True
        if not chunk.text:
            return chunks
        self._held += chunk.text
        if self._is_open and may_be_call(self._held, self._names):
            return chunks
        self._is_open = False
        return [*chunks, *self._released()]

    def end(self) -> list[Chunk]:
        """End the answer; return the rest of what is to be shown."""
        if not self.calls and self._is_open:
            self.calls = calls_in(self._held, self._names)
        if self.calls:
            return []
        usage = self._usage
        if usage:
            # The prompt had the tools as well, which the next one may not have.
            usage = replace(usage, prompt_tokens=None)
        return [*self._released(), Chunk(usage=usage, finish=self._finish)]

    def _released(self) -> list[Chunk]:
        text = self._held
        self._held = ""
        if not text:
            return []
        self.has_text |= text.strip() != ""
        return [Chunk(text=text)]


def arguments_of(call: ToolCall) -> dict[str, object]:
    """Return the arguments of a call; none where they are not an object of JSON."""
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(arguments, dict):
        return {}
    return arguments
