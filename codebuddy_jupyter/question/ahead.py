"""Reads the next prompt ahead: what no question changes of it is sent before one is
asked, so that the server has it in its prompt cache.

It is sent with a request for one token, which is closed as soon as somebody needs the
model; the server keeps what it has read by then. A server that would notice that too
late is sent growing pieces. It is no turn of the conversation, and its failures are left
to the next question.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

from ..messages import Message, Request
from .exchange import Exchange
from .reading import PromptWatch, Reader, Readers
from .target import Target

logger = logging.getLogger(__name__)

# Failures in a row after which nothing is read ahead until a question succeeds.
MOST_FAILURES = 3
# Tokens: fewer are read with the question in no time; so many are left of the last
# piece.
FEWEST_TOKENS, FEWEST_LEFT = 32, 8
# Seconds for which a piece is read: servers notice that a request was closed only when
# they have read a batch, and a question waits for that.
STEP_SECONDS = 2.0
# Tokens of the smallest piece, and of the first where the speed is not known: enough to
# learn it from.
SMALLEST_STEP, FIRST_STEP = 48, 128
# What ends a prompt of which only the system prompt or an answer is known yet: most chat
# templates want a message of the user's.
PLACEHOLDER = Message("user", "?")


class ReadAhead:
    """Reads what is known of the next prompt, each time that `read` is called.

    Parameters
    ----------
    exchange
        Gives the exchange of the next question; None while its model cannot read ahead.
    readers
        What each model has read.

    Attributes
    ----------
    tokens
        About how many tokens of the next prompt are read.
    watchers
        Called on the background loop when ``tokens`` has changed.
    """

    def __init__(
        self, exchange: Callable[[], Awaitable[Exchange | None]], readers: Readers
    ) -> None:
        self._exchange = exchange
        self._readers = readers
        self._failures = 0
        self._notes: list[str] = []
        self.tokens = 0
        self.watchers: list[Callable[[], None]] = []

    async def read(self) -> None:
        """Read what is new of the next prompt; a failure is logged and counted."""
        if self._failures >= MOST_FAILURES:
            return
        try:
            exchange = await self._exchange()
            if exchange is None:
                self._report(0)
                return
            await self._read(exchange)
        except Exception as error:  # noqa: BLE001 - nobody waits; the next question tells
            self._failures += 1
            logger.debug("Reading ahead failed: %r", error)
        else:
            self._failures = 0

    def note_question(self) -> None:
        """Note that a question is asked: what was read ahead is no longer ahead."""
        self._report(0)

    def note_success(self) -> None:
        """Note that a question was answered, so that it is worth another try."""
        self._failures = 0

    def take_notes(self) -> list[str]:
        """Return the lines for the user that came of reading, which the next answer
        shows.
        """
        notes, self._notes = self._notes, []
        return notes

    async def _read(self, exchange: Exchange) -> None:
        target = exchange.target
        reader = self._readers.of(target)
        messages = exchange.stable()
        if reader is None:
            return
        unread = reader.unread(messages)
        self._report(reader.total(messages) - unread)
        fewest = FEWEST_TOKENS
        while unread >= fewest:
            fewest = FEWEST_LEFT
            step = unread
            if not target.provider.tokens_at_once():
                speed = reader.speed or FIRST_STEP / STEP_SECONDS
                step = max(int(speed * STEP_SECONDS), SMALLEST_STEP)
            await self._read_part(target, reader, reader.beginning(messages, step))
            before, unread = unread, reader.unread(messages)
            self._report(reader.total(messages) - unread)
            if unread >= before:
                break
        await asyncio.to_thread(self._readers.speeds.save)

    async def _read_part(
        self, target: Target, reader: Reader, messages: tuple[Message, ...]
    ) -> None:
        """Let the model read the beginning of a prompt."""
        if messages[-1].role != "user":
            messages = (*messages, PLACEHOLDER)
        watch = PromptWatch(reader, messages)
        cached = reader.total(messages) - watch.unread
        request = Request(messages, target.model, max_tokens=1)
        try:
            stream = target.provider.stream(request)
            async with aclosing(cast(Any, stream)) as chunks:
                async for chunk in chunks:
                    watch.feed(chunk)
                    self._report(cached + watch.read)
                    if chunk.note:
                        self._notes.append(chunk.note)
        finally:
            watch.end(was_loaded=True)

    def _report(self, tokens: int) -> None:
        if tokens == self.tokens:
            return
        self.tokens = tokens
        for watcher in list(self.watchers):
            watcher()
