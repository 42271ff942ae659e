"""The lines of a text with tables, and the cells in them, each with its position."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

# Characters of a line that is looked at as a row.
MAX_LINE = 20_000


class Cell(NamedTuple):
    """A cell: its position in the whole text, and its text."""

    start: int
    end: int
    text: str

    def inner(self) -> Cell:
        """Return the cell without white space and quotes around its text."""
        text = self.text
        left = len(text) - len(text.lstrip(" \t\r\"'`*"))
        right = len(text.rstrip(" \t\r\"'`*\\"))
        if right <= left:
            return Cell(self.start, self.start, "")
        return Cell(self.start + left, self.start + right, text[left:right])


class Line(NamedTuple):
    """A line: its position in the whole text, and its text without the line end.

    Where a quoted text begins in a line of code, it may be what follows the quote.
    """

    start: int
    text: str
    is_behind_quote: bool = False

    def cell(self, start: int, end: int) -> Cell:
        return Cell(self.start + start, self.start + end, self.text[start:end])


class Lines:
    """The lines of a text, read from a position on."""

    def __init__(self, text: str) -> None:
        self._text = text

    def at(self, position: int) -> tuple[Line, int]:
        """Return the line that a position is in, and where the next line starts."""
        start = self._text.rfind("\n", 0, position) + 1
        end = self._text.find("\n", position)
        if end < 0:
            end = len(self._text)
        cut = min(end, start + MAX_LINE)
        return Line(start, self._text[start:cut]), end + 1

    def before(self, line: Line) -> Line | None:
        """Return the line before another; None for the first one."""
        if line.is_behind_quote or not line.start:
            return None
        return self.at(line.start - 1)[0]

    def after(self, position: int) -> Iterator[tuple[Line, int]]:
        """Return each line from the start of one on, with where the next one starts."""
        while position < len(self._text):
            line, position = self.at(position)
            yield line, position
