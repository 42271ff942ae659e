"""Notices an answer that repeats itself without end, as those of small models can.

Without a limit, such an answer goes on until the context window is full.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

from ..messages import REPETITION, Chunk

# Characters at the end that must be nothing but one piece, again and again. A label can
# stand for each row of a frame, and a typed answer can be a list of equal records.
LENGTH = 1_500
# The same for a piece that is longer than a label, and for a single character, such as
# the zeros of a number.
SENTENCES_LENGTH = 500
CHARACTERS = 250
# Characters of a label at most.
LABEL = 30
# How often the piece is repeated in them at least; more of them for a long piece.
TIMES = 6
# Characters of whole lines that must be the same few, each so often on average. Longer,
# since a list of labels, one per row of a frame, has few of them as well.
LINES_LENGTH = 2_500
LINE_TIMES = 10
# Characters after which a text is looked at again.
STEP = 250
# Characters by which an earlier repetition is found.
END = 60


class Repetition:
    """Follows a text that grows.

    Parameters
    ----------
    is_typed
        Whether it is a typed answer, which can be a long list of equal records, or of
        few ones in any order.
    """

    def __init__(self, *, is_typed: bool = False) -> None:
        self._is_typed = is_typed
        self._tail = ""
        self._unseen = 0

    def feed(self, text: str) -> bool:
        """Take the next piece; return whether the text repeats itself by now."""
        self._tail = (self._tail + text)[-LINES_LENGTH:]
        self._unseen += len(text)
        if self._unseen < STEP:
            return False
        self._unseen = 0
        if _period(self._tail, is_typed=self._is_typed):
            return True
        return not self._is_typed and _repeats_lines(self._tail)


async def until_repeated(
    chunks: AsyncIterator[Chunk], *, is_typed: bool = False
) -> AsyncIterator[Chunk]:
    """Yield the chunks of a reply, up to where it repeats itself without end.

    `is_typed` as for `Repetition`.
    """
    repetition = Repetition(is_typed=is_typed)
    async with aclosing(cast(Any, chunks)) as coming:
        async for chunk in coming:
            yield chunk
            if repetition.feed(chunk.text + chunk.reasoning):
                yield Chunk(finish=REPETITION)
                return


def without_repetition(text: str) -> str:
    """Return a text that repeats itself at its end with the repeated piece once."""
    period = _period(text[-LINES_LENGTH:])
    if not period:
        return _without_repeated_lines(text)
    start = len(text) - TIMES * period
    while start and text[start - 1] == text[start - 1 + period]:
        start -= 1
    return text[: start + period]


def _period(text: str, *, is_typed: bool = False) -> int:
    """Return the length of the piece that a text repeats at its end; 0 if it does not."""
    earlier = text.rfind(text[-END:], 0, -1)
    period = len(text) - END - earlier
    if earlier < 0 or period < 1:
        return 0
    least = _least_length(period, is_typed=is_typed)
    length = max(least, TIMES * period)
    if length > len(text):
        return 0
    end = text[-length:]
    if end[period:] != end[:-period]:
        return 0
    return period


def _least_length(period: int, *, is_typed: bool) -> int:
    """Return the characters that a piece of this length must fill."""
    if is_typed or 1 < period <= LABEL:
        return LENGTH
    if period == 1:
        return CHARACTERS
    return SENTENCES_LENGTH


def _repeats_lines(text: str) -> bool:
    """Return whether the lines of a text are few ones in any order, each many times."""
    # The first and the last one may be cut off.
    lines = text.splitlines()[1:-1]
    if len(text) < LINES_LENGTH or not lines:
        return False
    return len(lines) >= LINE_TIMES * len(set(lines))


def _without_repeated_lines(text: str) -> str:
    """Return a text that repeats a few lines at its end without the repeated ones."""
    end = text[-LINES_LENGTH:]
    if not _repeats_lines(end):
        return text
    lines = text.splitlines(keepends=True)
    repeated = set(end.splitlines(keepends=True)[1:])
    start = len(lines)
    while start and lines[start - 1] in repeated:
        start -= 1
    once = dict.fromkeys(lines[start:])
    return "".join([*lines[:start], *once])
