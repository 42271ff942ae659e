"""The reply to the tiny question of an examination, and what it shows of the server."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..errors import Remedy
from ..messages import Chunk, Message, Model, Request, Usage
from ..providers.checks import AGAIN, Check

# Tokens of the reply.
MAX_TOKENS = 8
PROMPT = "Count from 1 to 20, and write nothing else."


def sample_request(model: Model) -> Request:
    """Return the tiny question to a model."""
    message = Message("user", PROMPT)
    return Request((message,), model.name, max_tokens=MAX_TOKENS)


class SampleReply:
    """What arrived of the reply.

    Parameters
    ----------
    model
        The model that was asked.
    seconds
        The time limit of the reply.
    """

    def __init__(self, model: Model, seconds: float) -> None:
        self.model = model
        self.seconds = seconds
        self.began = time.monotonic()
        self.first: float | None = None
        self.timed_out = False
        self.pieces = 0
        self.has_reasoning = False
        self.finish = ""
        self.usage = Usage()
        self.notes: list[str] = []

    def add(self, chunk: Chunk) -> None:
        """Note a chunk of the reply."""
        if chunk.text or chunk.reasoning:
            self.pieces += 1
            if self.first is None:
                self.first = time.monotonic() - self.began
        if chunk.reasoning:
            self.has_reasoning = True
        if chunk.note:
            self.notes.append(chunk.note)
        if chunk.finish:
            self.finish = chunk.finish
        if chunk.usage:
            self.usage = chunk.usage

    def checks(self) -> Iterator[Check]:
        """Yield what the reply shows."""
        if self.first is None and (self.timed_out or not self.finish):
            yield self._no_answer()
            return
        yield self._answer()
        yield self._max_tokens()
        yield self._usage()
        if self.has_reasoning or "reasoning" in self.model.abilities:
            finding = "the model reasons first; its reasoning is shown separately"
            yield Check("reasoning", True, finding)
        for note in self.notes:
            yield Check("note", None, note)

    def _answer(self) -> Check:
        pieces = f"{self.pieces} pieces"
        if self.pieces == 1:
            pieces = "1 piece"
        seconds = self.first or 0.0
        finding = f"it streams: {pieces}, the first after {seconds:.1f} s"
        if self.timed_out:
            finding += f", and not complete after {self.seconds:g} s"
        return Check("answer", True, finding)

    def _no_answer(self) -> Check:
        if self.model.loaded is False:
            finding = (
                f"nothing yet after {self.seconds:g} s: the model is still loading"
            )
            return Check("answer", None, finding, (Remedy("Try again later", AGAIN),))
        see_log = Remedy("Check the server's log, then", AGAIN)
        finding = f"nothing came within {self.seconds:g} s"
        return Check("answer", False, finding, (see_log,))

    def _max_tokens(self) -> Check:
        tokens = self.usage.completion_tokens or self.pieces
        if tokens > MAX_TOKENS:
            finding = f"the server ignores it: {tokens} tokens came, {MAX_TOKENS} were allowed"
            return Check("max_tokens", None, finding)
        if self.finish == "length":
            return Check("max_tokens", True, "the server respects it")
        finding = f"not known: the answer ended before {MAX_TOKENS} tokens"
        return Check("max_tokens", None, finding)

    def _usage(self) -> Check:
        if self.usage.completion_tokens:
            return Check("usage", True, "the server counts tokens")
        return Check("usage", None, "the server counts no tokens; they are estimated")
