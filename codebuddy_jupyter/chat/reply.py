"""A reply: the answer to one question, while it streams and afterwards.

It does not know what displays it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from datetime import datetime
from typing import Any, NamedTuple, Self, cast

from ..background.changes import Changes
from ..background.loop import SLICE, Loop
from ..errors import BuddyError, CutOff, Remedy, SettingError, Stopped, printable
from ..messages import Chunk, Looked, Proposal, Reading, ToolCall, Usage

Source = Callable[["Reply"], AsyncIterator[Chunk]]

STOPPED = "Stopped. The part that was received is kept."
BROKE_OFF = "This answer broke off. The part that was received is kept."
SAVED_EARLY = "This answer was saved before it was complete."
NO_TYPE = "The question asked for no type, so its answer is text."
NOT_SAVED = "The value of this answer was not saved with it; its JSON is in the text."
# Seconds; over a shorter time, tokens per second say nothing.
SHORTEST_STREAM = 0.05
OF_THIS_PROCESS = (
    "_source",
    "_loop",
    "_display",
    "_future",
    "_changed",
    "_done",
    "_callbacks",
    "_value",
)
"""Attributes of a reply that are not pickled."""


class ExpectedReading(NamedTuple):
    """How long a model is expected to read a prompt.

    Parameters
    ----------
    unread
        The tokens that it has to read.
    speed
        The tokens that it reads in a second.
    since
        When it began, as ``time.monotonic()``.
    """

    unread: int
    speed: float
    since: float


class Reply:
    """An answer: lazy, replayable and closable.

    The request is sent when the reply is first read. Iterating gives the text piece by
    piece, ``str()`` the complete text; both can be repeated. A reply may be used from
    any thread.

    Parameters
    ----------
    prompt
        The question.
    source
        Gives the chunks; runs on ``loop``.
    loop
        The background loop.
    display
        Shows the reply when a cell ends in it.
    format
        How to show the text: one of ``prompts.FORMATS``.
    is_typed
        Whether the answer becomes a `value`.

    Attributes
    ----------
    sent_tokens : int or None
        About how many tokens were sent; None before that.
    loading : bool or None
        Whether the model is being loaded, as far as the server says so.
    reading : Reading or None
        How far the server has read the prompt, if it reports that.
    expected_reading : ExpectedReading or None
        How long it is expected to read, if the speed of the model is known.
    activity : str
        What the model does while it gives no text that is shown; empty: it thinks.
    first, last : float or None
        When the first and the last token came, as ``time.monotonic()``.
    replayed : datetime or None
        When the answer was given for the first time, if it was kept and is given again.
    """

    def __init__(
        self,
        prompt: str,
        source: Source,
        loop: Loop,
        display: Callable[[Reply], None] | None = None,
        format: str = "markdown",
        *,
        is_typed: bool = False,
    ) -> None:
        self.prompt = prompt
        self.format = format
        self.is_typed = is_typed
        self.provider = ""
        self.model = ""
        self.sent_tokens: int | None = None
        self.loading: bool | None = None
        self.reading: Reading | None = None
        self.expected_reading: ExpectedReading | None = None
        self.activity = ""
        self.chunks: list[Chunk] = []
        self.error: BaseException | None = None
        self.started: float | None = None
        self.first: float | None = None
        self.last: float | None = None
        self.ended: float | None = None
        self.replayed: datetime | None = None
        self._source = source
        self._loop: Loop | None = loop
        self._display = display
        self._prepare()

    def _prepare(self) -> None:
        self._future: concurrent.futures.Future[None] | None = None
        self._changed = Changes()
        self._done = False
        self._callbacks: list[Callable[[], None]] = []
        # The number of chunks whose text was reasoning.
        self._answer_start = 0
        # The value of a typed answer, once it is there.
        self._value: tuple[Any] | None = None

    @classmethod
    def ended_with(
        cls,
        prompt: str,
        chunk: Chunk,
        loop: Loop,
        *,
        complete: bool,
        display: Callable[[Reply], None] | None = None,
        format: str = "markdown",
    ) -> Reply:
        """Return a reply that has ended already, such as one read from disk.

        Parameters
        ----------
        chunk
            The complete content of the reply.
        complete
            Whether the answer came to its end; False: it broke off.
        prompt, loop, display, format
            As for `Reply`.
        """
        reply = cls(prompt, _no_chunks, loop, display, format)
        reply.chunks.append(chunk)
        error = None
        if not complete:
            error = CutOff(BROKE_OFF)
        reply._end(error)
        return reply

    def start(self) -> Reply:
        """Send the request, unless it has been sent already."""
        future: concurrent.futures.Future[None] = concurrent.futures.Future()
        future.add_done_callback(lambda _: self._end(Stopped(STOPPED)))
        with self._changed.lock:
            if self._future is not None or self._loop is None or self.done:
                return self
            self.started = time.monotonic()
            # Known before the request begins, so that `close` can always cancel it.
            self._future = future
        try:
            self._loop.submit(self._receive(), future)
        except BaseException:
            # An interrupt is one, too.
            future.cancel()
            raise
        return self

    def close(self) -> None:
        """Stop the request, or never send it; the text received so far is kept."""
        if self._future is not None:
            self._future.cancel()
        self._end(Stopped(STOPPED))

    @property
    def done(self) -> bool:
        """Whether the reply has ended, successfully or not."""
        return self._done

    @property
    def is_restored(self) -> bool:
        """Whether it was read from disk, and is of an earlier kernel."""
        return self.done and self.started is None

    @property
    def text(self) -> str:
        """The text received so far; reading it neither starts nor awaits the request."""
        answer = self.chunks[self._answer_start :]
        return "".join([chunk.text for chunk in answer])

    @property
    def value(self) -> Any:
        """The answer as a value of the type that was asked for; waits for it.

        Raises
        ------
        SettingError
            If the question asked for no type.
        BuddyError
            If the request failed, or its answer is not of the type.
        Stopped
            If the user interrupted; the request is stopped then.
        """
        if not self.is_typed:
            raise SettingError(
                NO_TYPE, Remedy("Ask for one", 'buddy.ask("…", into=bool)')
            )
        self.result()
        if self._value is None:
            raise SettingError(NOT_SAVED)
        return self._value[0]

    def settle(self, value: Any) -> None:
        """Set the value of a typed answer."""
        self._value = (value,)

    @property
    def reasoning(self) -> str:
        """The reasoning received so far, which precedes the answer."""
        start = self._answer_start
        thoughts = [chunk.reasoning + chunk.text for chunk in self.chunks[:start]]
        thoughts += [chunk.reasoning for chunk in self.chunks[start:]]
        return "".join(thoughts)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls received so far."""
        calls: list[ToolCall] = []
        for chunk in self.chunks:
            calls += chunk.tool_calls
        return tuple(calls)

    @property
    def usage(self) -> Usage:
        """What the request cost, if the server reported it."""
        for chunk in reversed(self.chunks):
            if chunk.usage:
                return chunk.usage
        return Usage()

    @property
    def finish(self) -> str | None:
        """Why the model stopped, as the server calls it: ``stop`` or ``length``."""
        for chunk in reversed(self.chunks):
            if chunk.finish:
                return chunk.finish
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for the user about how the request was made."""
        return tuple([chunk.note for chunk in self.chunks if chunk.note])

    @property
    def findings(self) -> tuple[str, ...]:
        """Lines for the user about what in the answer's code does not fit the kernel."""
        return tuple([chunk.finding for chunk in self.chunks if chunk.finding])

    @property
    def looked(self) -> tuple[Looked, ...]:
        """What looks at the notebook have shown before the answer."""
        looked: list[Looked] = []
        for chunk in self.chunks:
            looked += chunk.looked
        return tuple(looked)

    @property
    def proposed(self) -> tuple[Proposal, ...]:
        """The code that the answer proposes to put into the notebook."""
        proposed = [looked.proposal for looked in self.looked]
        return tuple([proposal for proposal in proposed if proposal is not None])

    @property
    def seconds_to_first(self) -> float | None:
        """Seconds from the request to the first token."""
        if self.started is None or self.first is None:
            return None
        return self.first - self.started

    @property
    def tokens_per_second(self) -> float | None:
        """How fast the reply came, from its first token to its last.

        None where the server did not count the tokens.
        """
        tokens = self.usage.completion_tokens
        if not tokens or self.first is None or self.ended is None:
            return None
        seconds = self.ended - self.first
        return tokens / seconds if seconds >= SHORTEST_STREAM else None

    def when_done(self, call: Callable[[], None]) -> None:
        """Call a function when the reply has ended, or now if it has.

        It runs in the thread that ends the reply.
        """
        with self._changed.lock:
            if not self.done:
                self._callbacks.append(call)
                return
        call()

    def wait(self, timeout: float, beyond: int | None = None) -> bool:
        """Wait until the reply has ended, or has more chunks than given.

        Parameters
        ----------
        timeout
            Seconds to wait at most.
        beyond
            Stop waiting as well when there are more chunks than this.

        Returns
        -------
        bool
            Whether that happened in time.
        """
        if beyond is None:
            return self._changed.wait_for(lambda: self.done, timeout)
        return self._changed.wait_for(
            lambda: self.done or len(self.chunks) > beyond, timeout
        )

    def result(self) -> Reply:
        """Wait for the end of the reply.

        Raises
        ------
        BuddyError
            If the request failed; the text received so far is in ``text``.
        Stopped
            If the user interrupted; the request is stopped then.
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
        """Await the end of the reply, on any event loop; otherwise as `result`."""
        async for _ in self:
            pass
        return self

    def __iter__(self) -> Iterator[str]:
        seen = 0
        try:
            self.start()
            while not self._is_read(seen):
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
            while not self._is_read(seen):
                # A slice at a time: a kernel that is interrupted in a top-level await
                # notices at the next wake-up.
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
        model = printable(self.model or "?")
        return f"<Reply from {model}: {self._state()}, {len(self.text):,} characters>"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __contains__(self, text: str) -> bool:
        # Otherwise ``in`` would compare the text with the pieces in which it came.
        return text in str(self)

    # Copying and pickling must not fail: tools that save a session do so with every
    # variable and every output.

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A reply that has ended never changes, and one that streams cannot be doubled.
        return self

    def __getstate__(self) -> dict[str, Any]:
        with self._changed.lock:
            state = vars(self).copy()
            for name in OF_THIS_PROCESS:
                del state[name]
            state["chunks"] = list(self.chunks)
            state["error"] = self._lasting_error()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._source = _no_chunks
        self._loop = None
        self._display = None
        self._prepare()
        self._done = True
        vars(self).update(state)

    def _lasting_error(self) -> BaseException | None:
        """Return the error that a pickled reply has."""
        if not self.done:
            ask_again = Remedy("Ask again for the complete answer")
            return CutOff(SAVED_EARLY, ask_again)
        if self.error is None or isinstance(self.error, (BuddyError, Stopped)):
            return self.error
        # Other exceptions may hold anything.
        return CutOff(f"{type(self.error).__name__}: {self.error}")

    def _state(self) -> str:
        if self.done:
            return "broke off" if self.error else "complete"
        if self.started is None:
            return "not sent yet"
        return "streaming"

    def _ipython_display_(self) -> None:
        if self._display is None:
            # IPython shows the repr then.
            raise NotImplementedError
        self._display(self)

    def _mime_(self) -> tuple[str, str]:
        """Give marimo what it shows of a reply that ends a cell: the text."""
        return "text/plain", printable(str(self))

    def _is_read(self, seen: int) -> bool:
        """Return whether a reader that saw so many chunks has seen everything."""
        return self.done and seen >= len(self.chunks)

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    async def _receive(self) -> None:
        try:
            # Every provider's stream is an async generator in fact; closing it closes
            # the connection.
            async with aclosing(cast(Any, self._source(self))) as chunks:
                async for chunk in chunks:
                    # The reply may have been closed before its future was known, by
                    # which the request could have been cancelled.
                    if self.done:
                        break
                    self._add(chunk)
        except asyncio.CancelledError:
            self._end(Stopped(STOPPED))
            raise
        except BaseException as error:  # noqa: BLE001 - it is raised to every reader
            self._end(error)
        else:
            self._end(None)

    def _add(self, chunk: Chunk) -> None:
        has_content = chunk.text or chunk.reasoning or chunk.tool_calls
        if has_content:
            self.last = time.monotonic()
            self.first = self.first or self.last
        with self._changed.lock:
            # A reply that has ended reads the same every time.
            if not self.done:
                if chunk.answer_begins:
                    self._answer_start = len(self.chunks)
                self.chunks.append(chunk)
                self._changed.notify()

    def _end(self, error: BaseException | None) -> None:
        with self._changed.lock:
            if self.done:
                return
            self.ended = time.monotonic()
            self.error = error
            self._done = True
            self._changed.notify()
            callbacks, self._callbacks = self._callbacks, []
        for call in callbacks:
            call()


async def _no_chunks(reply: Reply) -> AsyncIterator[Chunk]:
    return
    yield Chunk()
