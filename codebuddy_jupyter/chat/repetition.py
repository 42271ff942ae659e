"""Notices an answer that repeats itself without end, as those of small models can.

Without a limit, such an answer goes on until the context window is full.
"""

from __future__ import annotations

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
        return _is_periodic(self._tail)


def _is_periodic(text: str) -> bool:
    earlier = text.rfind(text[-END:], 0, -1)
    if earlier < 0:
        return False
    period = len(text) - END - earlier
    return period * TIMES <= len(text) and text[period:] == text[:-period]
