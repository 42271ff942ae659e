"""Chat and Reply: the conversation, and an answer while it comes.

They do not know who displays them.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, cast

from ..context.fit import SentItems
from ..errors import CutOff, PromptTooLong, Stopped
from ..loop import SLICE, Loop
from ..messages import Chunk, Message, ToolCall, Usage

Source = Callable[["Reply"], AsyncIterator[Chunk]]

STOPPED = "Stopped. What had come is kept."
# characters
TITLE = 60


class Reply:
    """An answer: lazy, replayable, closable.

    The request starts with the first look at it. Iterating gives its text piece by
    piece, ``str()`` the whole text; both as often as one likes. All of it may be used
    from any thread.

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
        self._to_call: list[Callable[[], None]] = []

    @classmethod
    def ended_as(
        cls,
        prompt: str,
        chunk: Chunk,
        loop: Loop,
        *,
        whole: bool,
        display: Callable[[Reply], None] | None = None,
        format: str = "markdown",
    ) -> Reply:
        """A reply that is over already: one chunk holds all that was kept of it, be
        that ``whole`` or not.
        """
        reply = cls(prompt, _nothing_more, loop, display, format)
        reply.chunks.append(chunk)
        reply._end(
            None if whole else CutOff("This answer broke off. What had come is kept.")
        )
        return reply

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
        return next(
            (chunk.usage for chunk in reversed(self.chunks) if chunk.usage), Usage()
        )

    @property
    def finish(self) -> str | None:
        """Why the model stopped, in the server's word, such as ``stop`` or ``length``."""
        return next(
            (chunk.finish for chunk in reversed(self.chunks) if chunk.finish), None
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for the user about how the question was put."""
        return tuple(chunk.note for chunk in self.chunks if chunk.note)

    @property
    def seconds_to_first(self) -> float | None:
        """Seconds from the request to the first token."""
        return (
            None
            if self.started is None or self.first is None
            else self.first - self.started
        )

    @property
    def tokens_per_second(self) -> float | None:
        """How fast the reply came, first token to last, as far as the server counted
        its tokens.
        """
        tokens = self.usage.completion_tokens
        if (
            not tokens
            or self.first is None
            or self.ended is None
            or self.ended - self.first < 0.05
        ):
            return None
        return tokens / (self.ended - self.first)

    def when_done(self, call: Callable[[], None]) -> None:
        """Have something called when the reply has ended, in whatever thread ends it;
        at once where it has.
        """
        with self._news:
            if not self.done:
                self._to_call.append(call)
                return
        call()

    def wait(self, timeout: float, beyond: int | None = None) -> bool:
        """Wait until the reply is done or, with ``beyond``, has more than that many
        chunks; at most ``timeout`` s.
        """
        if beyond is None:
            return self._done.wait(timeout)
        with self._news:
            return self._news.wait_for(
                lambda: len(self.chunks) > beyond or self.done, timeout
            )

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
                # A slice at a time: a kernel that is interrupted in a top-level await
                # takes note at the next wake-up.
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
        return (
            f"<Reply from {self.model or '?'}: {state}, {len(self.text):,} characters>"
        )

    def _ipython_display_(self) -> None:
        if self._display is None:
            # then IPython shows the repr
            raise NotImplementedError
        self._display(self)

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    async def _pump(self) -> None:
        try:
            # Every provider's stream is an async generator in fact; closing it closes
            # the connection.
            async with aclosing(cast(Any, self._source(self))) as chunks:
                async for chunk in chunks:
                    # closed in the moment between sending the request and knowing how
                    # to cancel it
                    if self.done:
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
            # a reply that has ended says the same every time it is read
            if not self.done:
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
            calls, self._to_call = self._to_call, []
        for call in calls:
            call()


async def _nothing_more(reply: Reply) -> AsyncIterator[Chunk]:
    return
    yield Chunk()


def titled(question: str) -> str:
    """How a conversation that begins with this question is called."""
    line = " ".join(question.split(maxsplit=TITLE)[:TITLE])
    return line if len(line) <= TITLE else f"{line[: TITLE - 1].rstrip()}…"


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass
class Turn:
    """A question and its reply.

    ``question`` is what was typed; ``message`` is what was sent for it, with what is
    new in the notebook, and ``known`` what the model was told by that. ``before`` holds
    the messages that stand before it where the conversation was cut for it; None: those
    of the turns before it. ``asked`` is in seconds since 1970.
    """

    question: str
    reply: Reply
    message: Message | None = None
    known: SentItems = field(default_factory=SentItems)
    before: tuple[Message, ...] | None = None
    id: str = field(default_factory=_new_id)
    asked: float = field(default_factory=time.time)

    def answer(self) -> str:
        """What is sent as the assistant's message: never empty, never its reasoning,
        with a mark where it broke off.
        """
        if self.reply.done and self.reply.error is None:
            return self.reply.text.strip() or "(This answer has no text.)"
        return f"{self.reply.text.strip()}\n\n(This answer broke off.)".strip()


@dataclass
class Chat:
    """A conversation: it only grows at its end."""

    turns: list[Turn] = field(default_factory=list)
    id: str = field(default_factory=_new_id)

    @property
    def title(self) -> str:
        """How it is called in a list: the start of its first question."""
        return titled(self.turns[0].reply.prompt) if self.turns else ""

    def before(self, reply: Reply | None) -> list[Turn]:
        """The turns before this reply's (None: before a next one), without those whose
        question did not fit.
        """
        earlier = takewhile(lambda turn: turn.reply is not reply, self.turns)
        return [
            turn for turn in earlier if not isinstance(turn.reply.error, PromptTooLong)
        ]
