"""Notices an answer that repeats itself without end, as those of small models can.

Without a limit, such an answer goes on until the context window is full.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
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
    by_lines
        Whether few lines, many times in any order, are a repetition as well.
    """

    def __init__(self, *, by_lines: bool = True) -> None:
        self._by_lines = by_lines
        self._tail = ""
        self._unseen = 0

    def feed(self, text: str) -> bool:
        """Take the next piece; return whether the text repeats itself by now."""
        self._tail = (self._tail + text)[-LINES_LENGTH:]
        self._unseen += len(text)
        if self._unseen < STEP:
            return False
        self._unseen = 0
        if not self._by_lines:
            return _period(self._tail, _length_of_records) > 0
        return _period(self._tail, _length_of_text) > 0 or _repeats_lines(self._tail)


async def until_repeated(
    chunks: AsyncIterator[Chunk], *, by_lines: bool = True
) -> AsyncIterator[Chunk]:
    """Yield the chunks of a reply, up to where it repeats itself without end.

    A typed answer may be a long list of few labels: `by_lines` is false for it.
    """
    repetition = Repetition(by_lines=by_lines)
    async with aclosing(cast(Any, chunks)) as coming:
        async for chunk in coming:
            yield chunk
            if repetition.feed(chunk.text + chunk.reasoning):
                yield Chunk(finish=REPETITION)
                return


def without_repetition(text: str) -> str:
    """Return a text that repeats itself at its end with the repeated piece once."""
    period = _period(text[-LINES_LENGTH:], _length_of_text)
    if not period:
        return _without_repeated_lines(text)
    start = len(text) - TIMES * period
    while start and text[start - 1] == text[start - 1 + period]:
        start -= 1
    return text[: start + period]


def _length_of_text(period: int) -> int:
    """Return the characters that a piece of this length must fill in a text."""
    if period == 1:
        return CHARACTERS
    return LENGTH if period <= LABEL else SENTENCES_LENGTH


def _length_of_records(period: int) -> int:
    """Return the characters that a piece of this length must fill in a typed answer."""
    return LENGTH


def _period(text: str, length_of: Callable[[int], int]) -> int:
    """Return the length of the piece that a text repeats at its end; 0 if it does not."""
    earlier = text.rfind(text[-END:], 0, -1)
    period = len(text) - END - earlier
    if earlier < 0 or period < 1:
        return 0
    length = max(length_of(period), TIMES * period)
    end = text[-length:]
    if length > len(text) or end[period:] != end[:-period]:
        return 0
    return period


def _repeats_lines(text: str) -> bool:
    """Return whether the lines of a text are few ones in any order, each many times."""
    # The first and the last one may be cut off.
    lines = text.splitlines()[1:-1]
    if len(text) < LINES_LENGTH or not lines:
        return False
    return len(lines) >= LINE_TIMES * len(set(lines))


def _without_repeated_lines(text: str) -> str:
    """Return a text that repeats a few lines at its end without the repeated ones."""
    if not _repeats_lines(text[-LINES_LENGTH:]):
        return text
    lines = text.splitlines(keepends=True)
    repeated = set(text[-LINES_LENGTH:].splitlines(keepends=True)[1:])
    start = len(lines)
    while start and lines[start - 1] in repeated:
        start -= 1
    return "".join([*lines[:start], *dict.fromkeys(lines[start:])])
