"""``%%buddy`` below other lines of a cell, and without lines below it.

IPython knows a cell magic only in the first line of a cell, and refuses one without
lines below. Here, comments, blank lines and code may precede: the code runs, then the
rest of the cell is the question.
"""

from __future__ import annotations

from IPython.core.inputtransformer2 import make_tokens_by_line

MAGIC = "%%buddy"


def find_cell_magic(lines: list[str]) -> list[str]:
    """Transform a cell with ``%%buddy``: one of IPython's ``line_transforms``.

    Parameters
    ----------
    lines
        The lines of the cell, with their ends.
    """
    if not any(line.startswith(MAGIC) for line in lines):
        return lines
    first = _line_of_magic(lines)
    if first is None:
        return lines
    line = lines[first].removeprefix(MAGIC).strip()
    body = "".join(lines[first + 1 :])
    call = f"get_ipython().run_cell_magic('buddy', {line!r}, {body!r})\n"
    if not body:
        call = f"get_ipython().run_line_magic('buddy', {line!r})\n"
    return [*lines[:first], call]


def _line_of_magic(lines: list[str]) -> int | None:
    """Return in which line the magic is; None where there is none of this name."""
    if lines[0].startswith("%%"):
        # All below another magic belongs to it.
        if _is_magic(lines[0]):
            return 0
        return None
    for tokens in make_tokens_by_line(lines):
        words = [token for token in tokens if token.string.strip()]
        if not words:
            continue
        row, column = words[0].start
        # Within a text, the line is no token of its own.
        if words[0].string == "%" and column == 0:
            index = int(row) - 1
            if _is_magic(lines[index]):
                return index
    return None


def _is_magic(line: str) -> bool:
    """Return whether a line begins with the magic, and does not ask for help on it."""
    if not line.startswith(MAGIC):
        return False
    rest = line.removeprefix(MAGIC)
    return not rest or rest[0].isspace()
