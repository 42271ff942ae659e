"""Tables of plain text, written as Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..markdown.safe import escape

Row = Sequence[str]
"""The cells of a row, as plain text."""


def text_table(
    header: Row,
    rows: Iterable[Row],
    numbers: Collection[int] = (),
) -> str:
    """Return a Markdown table that shows each cell as plain text.

    Parameters
    ----------
    header
        The titles of the columns.
    rows
        The cells, as many in each row as there are titles.
    numbers
        The indexes of columns to align to the right.
    """
    alignments = ["---"] * len(header)
    for column in numbers:
        alignments[column] = "---:"
    delimiters = "|".join(alignments)
    lines = [_line(header), f"|{delimiters}|"]
    for row in rows:
        lines.append(_line(row))
    return "\n".join(lines)


def _line(row: Row) -> str:
    cells = " | ".join(map(escape, row))
    return f"| {cells} |"
