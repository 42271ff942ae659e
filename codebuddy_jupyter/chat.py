"""Chat and Reply: the conversation, and an answer while it comes. They do not know who displays them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, cast

from .errors import PromptTooLong, Stopped
from .loop import SLICE, Loop
from .messages import Chunk, Message, ToolCall, Usage

Source = Callable[["Reply"], AsyncIterator[Chunk]]

STOPPED = "Stopped. What had come is kept."
MESSAGE_BYTES = 16  # what a chat template adds to a message, roughly


class Reply:
    """An answer: lazy, replayable, closable.

    The request starts with the first look at it. Iterating gives its text piece by piece, ``str()`` the whole text;
    both as often as one likes. All of it may be used from any thread.

    Parameters
    ----------
    prompt
        What was asked.
    source
        Gives the chunks; runs on ``loop``.
    loop
        The background loop.
    display
        What shows the reply when a cell ends in it.
    format
        How its text is meant to be shown: one of ``prompts.FORMATS``.
    """

    def __init__(
        self,
        prompt: str,
        source: Source,
        loop: Loop,
        display: Callable[[Reply], None] | None = None,
        format: str = "markdown",
    ) -> None:
        self.prompt = prompt
        self.format = format
        self.provider = ""
        self.model = ""
        self.chunks: list[Chunk] = []
        self.error: BaseException | None = None
        self.started: float | None = None
        self.first: float | None = None
        self.ended: float | None = None
        self._source = source
        self._loop = loop
        self._display = display
        self._future: concurrent.futures.Future[None] | None = None
        self._news = threading.Condition()
        self._done = threading.Event()

    def start(self) -> Reply:
        """Send the request, if that has not been done yet."""
        with self._news:
            if self._future is None and not self.done:
                self.started = time.monotonic()
                self._future = self._loop.submit(self._pump())
                self._future.add_done_callback(lambda _: self._end(Stopped(STOPPED)))
        return self

    def close(self) -> None:
        """Stop the request, or never send it; what has come is kept."""
        if self._future is not None:
            self._future.cancel()
        self._end(Stopped(STOPPED))

    @property
    def done(self) -> bool:
        """Whether the reply has ended, well or not."""
        return self._done.is_set()

    @property
    def text(self) -> str:
        """The text that has come so far; looking does not start or await the request."""
        return "".join([chunk.text for chunk in self.chunks])

    @property
    def reasoning(self) -> str:
        """What the model thought aloud before it answered, so far."""
        return "".join([chunk.reasoning for chunk in self.chunks])

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that the model asked for, so far."""
        return tuple(call for chunk in self.chunks for call in chunk.tool_calls)

    @property
    def usage(self) -> Usage:
        """What it cost, as far as the server told."""
        return next((chunk.usage for chunk in reversed(self.chunks) if chunk.usage), Usage())

    @property
    def finish(self) -> str | None:
        """Why the model stopped, in the server's word, such as ``stop`` or ``length``."""
        return next((chunk.finish for chunk in reversed(self.chunks) if chunk.finish), None)

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for the user about how the question was put."""
        return tuple(chunk.note for chunk in self.chunks if chunk.note)

    @property
    def seconds_to_first(self) -> float | None:
        """Seconds from the request to the first token."""
        return None if self.started is None or self.first is None else self.first - self.started

    @property
    def tokens_per_second(self) -> float | None:
        """How fast the reply came, first token to last, as far as the server counted its tokens."""
        tokens = self.usage.completion_tokens
        if not tokens or self.first is None or self.ended is None or self.ended - self.first < 0.05:
            return None
        return tokens / (self.ended - self.first)

    def wait(self, timeout: float, beyond: int | None = None) -> bool:
        """Wait until the reply is done or, with ``beyond``, has more than that many chunks; at most ``timeout`` s."""
        if beyond is None:
            return self._done.wait(timeout)
        with self._news:
            return self._news.wait_for(lambda: len(self.chunks) > beyond or self.done, timeout)

    def result(self) -> Reply:
        """Wait for the end.

        Raises
        ------
        BuddyError
            When the request failed; what had come is in ``text``.
        Stopped
            When the user interrupted; the request is stopped then.
        """
        try:
            self.start()
            while not self.wait(SLICE):
                pass
        except KeyboardInterrupt:
            self.close()
            raise Stopped(STOPPED) from None
        self._raise()
        return self

    async def aresult(self) -> Reply:
        """``result`` for coroutines, on any event loop."""
        async for _ in self:
            pass
        return self

    def __iter__(self) -> Iterator[str]:
        seen = 0
        try:
            self.start()
            while not (self.done and seen >= len(self.chunks)):
                self.wait(SLICE, beyond=seen)
                for chunk in self.chunks[seen:]:
                    seen += 1
                    if chunk.text:
                        yield chunk.text
        except KeyboardInterrupt:
            self.close()
            raise Stopped(STOPPED) from None
        self._raise()

    async def __aiter__(self) -> AsyncIterator[str]:
        seen = 0
        self.start()
        try:
            while not (self.done and seen >= len(self.chunks)):
                # A slice at a time: a kernel that is interrupted in a top-level await takes note at the next wake-up.
                await asyncio.to_thread(self.wait, SLICE, seen)
                for chunk in self.chunks[seen:]:
                    seen += 1
                    if chunk.text:
                        yield chunk.text
        except (asyncio.CancelledError, KeyboardInterrupt):
            self.close()
            raise
        self._raise()

    def __str__(self) -> str:
        return self.result().text

    def __repr__(self) -> str:
        if not self.done:
            state = "not asked yet" if self.started is None else "coming"
        else:
            state = "broke off" if self.error else "whole"
        return f"<Reply from {self.model or '?'}: {state}, {len(self.text):,} characters>"

    def _ipython_display_(self) -> None:
        if self._display is None:
            raise NotImplementedError  # then IPython shows the repr
        self._display(self)

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    async def _pump(self) -> None:
        try:
            # Every provider's stream is an async generator in fact; closing it closes the connection.
            async with aclosing(cast(Any, self._source(self))) as chunks:
                async for chunk in chunks:
                    if self.done:  # closed in the moment between sending the request and knowing how to cancel it
                        break
                    self._add(chunk)
        except asyncio.CancelledError:
            self._end(Stopped(STOPPED))
            raise
        except BaseException as error:  # noqa: BLE001 - whoever looks at the reply is told
            self._end(error)
        else:
            self._end(None)

    def _add(self, chunk: Chunk) -> None:
        if self.first is None and (chunk.text or chunk.reasoning or chunk.tool_calls):
            self.first = time.monotonic()
        with self._news:
            if not self.done:  # a reply that has ended says the same every time it is read
                self.chunks.append(chunk)
                self._news.notify_all()

    def _end(self, error: BaseException | None) -> None:
        with self._news:
            if self.done:
                return
            self.ended = time.monotonic()
            self.error = error
            self._done.set()
            self._news.notify_all()


class Tokens:
    """Estimates how many tokens a text has, and learns from what servers count."""

    def __init__(self) -> None:
        self.bytes_per_token = 3.5

    def count(self, text: str) -> int:
        """The estimate, in tokens."""
        return int(_size(text) / self.bytes_per_token) + 1

    def total(self, messages: tuple[Message, ...]) -> int:
        """The estimate for whole messages, in tokens."""
        return int(_whole_size(messages) / self.bytes_per_token)

    def learn(self, messages: tuple[Message, ...], tokens: int | None) -> None:
        """Take note that the server counted ``tokens`` for these messages."""
        size = _whole_size(messages)
        if tokens and size > 200:
            self.bytes_per_token = min(8.0, max(0.5, size / tokens))


def _whole_size(messages: tuple[Message, ...]) -> int:
    return sum(_size(message.text) + MESSAGE_BYTES for message in messages)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


@dataclass
class Turn:
    """A question and its reply."""

    question: str
    reply: Reply

    def answer(self) -> str:
        """What is sent as the assistant's message: never empty, never its reasoning, with a mark where it broke off."""
        text = self.reply.text.strip()
        if self.reply.done and self.reply.error is None:
            return text or "(This answer has no text.)"
        return f"{text}\n\n(This answer broke off.)".strip()


@dataclass
class Chat:
    """A conversation: it only grows at its end."""

    turns: list[Turn] = field(default_factory=list)
    tokens: Tokens = field(default_factory=Tokens)

    def before(self, reply: Reply) -> list[Turn]:
        """The turns that came before this reply's, without those whose question did not fit the window by itself."""
        earlier = takewhile(lambda turn: turn.reply is not reply, self.turns)
        return [turn for turn in earlier if not isinstance(turn.reply.error, PromptTooLong)]

    def fit(self, turns: list[Turn], system: str, question: str, budget: int) -> tuple[tuple[Message, ...], int]:
        """The messages to send for a question after these turns, within a budget of tokens.

        The oldest turns go first, whole. System message and question always stay.

        Returns
        -------
        tuple
            The messages, and how many turns were left out.
        """
        left = budget - self.tokens.count(system) - self.tokens.count(question)
        kept: list[Message] = []
        for number, turn in enumerate(reversed(turns)):
            pair = [Message("user", turn.question), Message("assistant", turn.answer())]
            left -= sum(self.tokens.count(message.text) for message in pair)
            if left < 0:
                return _conversation(system, kept, question), len(turns) - number
            kept = pair + kept
        return _conversation(system, kept, question), 0


def _conversation(system: str, turns: list[Message], question: str) -> tuple[Message, ...]:
    first = [Message("system", system)] if system.strip() else []
    return (*first, *turns, Message("user", question))
