r"""A text as it stands, and as what it writes out:

``a\n  b`` holds lines, ``\"c\"`` quotes. Nothing is found here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

# a repr of a JSON text that holds a JSON text
_DEEPEST = 3
_ESCAPE = re.compile(r"\\([nrt\"'/\\])")
_MEANT = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Reading:
    """A text, or lines of it as what they write out.

    ``start`` is where these lines begin in the reading that they stand in, ``within``;
    ``escapes`` are the places at which two characters of theirs are read as one.
    """

    text: str
    start: int = 0
    escapes: tuple[int, ...] = ()
    within: Reading | None = None

    def place(self, at: int) -> int:
        """Where in the text as it stands the character at this place begins."""
        at += self.start + bisect_left(self.escapes, at)
        return self.within.place(at) if self.within else at


def readings(text: str) -> Iterator[Reading]:
    """The text as it stands; and lines with written-out line breaks or quotes, with
    these in their place.
    """
    return _and_deeper(Reading(text), _DEEPEST)


def _and_deeper(reading: Reading, levels: int) -> Iterator[Reading]:
    yield reading
    if levels:
        for start, end in _written_lines(reading.text):
            lines = reading.text[start:end]
            escapes = tuple(
                match.start() - before
                for before, match in enumerate(_ESCAPE.finditer(lines))
            )
            meant = _ESCAPE.sub(lambda match: _MEANT.get(match[1], match[1]), lines)
            yield from _and_deeper(Reading(meant, start, escapes, reading), levels - 1)


def _written_lines(text: str) -> Iterator[tuple[int, int]]:
    """Where lines with anything written out stand, those that follow one another
    together.
    """
    start = end = 0
    for match in _ESCAPE.finditer(text):
        if match.start() < end:
            continue
        line = text.rfind("\n", end, match.start()) + 1 or end
        if line > end:
            if end:
                yield start, end
            start = line
        end = text.find("\n", match.end()) + 1 or len(text)
    if end:
        yield start, end
