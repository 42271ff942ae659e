"""Notices an answer that repeats itself without end, as those of small models can.

Without a limit, such an answer goes on until the context window is full.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

from ..messages import REPETITION, Chunk

# Characters that must be nothing but one piece, again and again.
LENGTH = 1_500
# How often that piece is repeated in them at least.
TIMES = 6
# Characters after which a text is looked at again.
STEP = 250
# Characters by which an earlier repetition is found.
END = 60


class Repetition:
    """Follows a text that grows."""

    def __init__(self) -> None:
        self._tail = ""
        self._unseen = 0

    def feed(self, text: str) -> bool:
        """Take the next piece; return whether the text repeats itself by now."""
        self._tail = (self._tail + text)[-LENGTH:]
        self._unseen += len(text)
        if self._unseen < STEP or len(self._tail) < LENGTH:
            return False
        self._unseen = 0
        return _period(self._tail) > 0


async def until_repeated(chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """Yield the chunks of a reply, up to where it repeats itself without end."""
    repetition = Repetition()
    async with aclosing(cast(Any, chunks)) as coming:
        async for chunk in coming:
            yield chunk
            if repetition.feed(chunk.text + chunk.reasoning):
                yield Chunk(finish=REPETITION)
                return


def without_repetition(text: str) -> str:
    """Return a text that repeats itself at its end with the repeated piece once."""
    period = _period(text[-LENGTH:])
    if not period:
        return text
    start = max(len(text) - LENGTH, 0)
    while start and text[start - 1] == text[start - 1 + period]:
        start -= 1
    return text[: start + period]


def _period(text: str) -> int:
    """Return the length of the piece that a text repeats from beginning to end; 0 if it
    does not.
    """
    earlier = text.rfind(text[-END:], 0, -1)
    period = len(text) - END - earlier
    if earlier < 0 or period * TIMES > len(text):
        return 0
    return period if text[period:] == text[:-period] else 0
