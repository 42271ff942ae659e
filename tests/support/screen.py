"""A terminal that knows only what a harmless program sends to it."""

from __future__ import annotations

import io
import re

_SEQUENCE = re.compile(
    r"\x1b\[(?P<colours>[\d;]*)m|(?P<up>\x1b\[(?P<rows>\d*)A)|(?P<erase>\x1b\[2?K)"
    r"|(?P<other>[^\n\r\x1b]+|.)",
    re.DOTALL,
)


class Screen(io.StringIO):
    """A stream that says it is a terminal, and what a person sees on it.

    It refuses every control sequence but colours, one up, and erase the line.

    Parameters
    ----------
    width
        Columns; longer lines are wrapped.
    """

    encoding = "utf-8"

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        self._width = width

    def isatty(self) -> bool:
        """Say that somebody watches."""
        return True

    @property
    def rows(self) -> list[str]:
        """What is on the screen now, and above it."""
        return shown(self.getvalue(), self._width)


def shown(written: str, width: int) -> list[str]:
    """Return the lines that a terminal shows for what was written to it."""
    rows = [""]
    row = column = 0
    for match in _SEQUENCE.finditer(written):
        if match["up"]:
            row -= int(match["rows"] or 1)
            assert row >= 0
        elif match["erase"]:
            rows[row] = ""
        elif match["other"] in ("\n", "\r"):
            column = 0
            row += match["other"] == "\n"
            rows += [""] * (row + 1 - len(rows))
        elif match["other"]:
            text = match["other"]
            assert text.isprintable(), repr(text)
            for character in text:
                if column == width:
                    row, column = row + 1, 0
                    rows += [""] * (row + 1 - len(rows))
                line = rows[row].ljust(column)
                rows[row] = line[:column] + character + line[column + 1 :]
                column += 1
    return [line.rstrip() for line in rows]
