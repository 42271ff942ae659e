"""Recognise the cells and errors that are the buddy's own, not the notebook's."""

from __future__ import annotations

import re

# Comments may precede it, and magics that run the rest of the cell, such as %%time.
_CELL_MAGIC = re.compile(r"(?:\s*(?:#.*|%%(?!buddy\b)\w+\b.*)\n)*\s*%%buddy\b")
# Another magic with its options, such as %timeit -n 1.
_OUTER = r"(?:%\w+\s+(?:-\S+(?:\s+\d+)?\s+)*)?"
_BUDDY_LINE = re.compile(
    rf"""\s*(?:
        {_OUTER}(?:\w+\s*=\s*)?{_OUTER}%buddy\b
        | (?:\w+\s*=\s*)?!!?%buddy\b
        | buddy\s+\w.*\?\s*$
        | %%\w+\b
        | %(?:re|un)?load_ext\s+codebuddy_jupyter\b
        | %config\s+(?:Buddy|\w*Provider)\b
    )""",
    re.VERBOSE,
)


def is_buddy_cell(source: str) -> bool:
    """Return whether a cell only asks the buddy, loads it, or sets it up."""
    if "%" not in source and "buddy" not in source:
        return False
    if _CELL_MAGIC.match(source):
        return True
    lines = [line for line in source.splitlines() if _is_code(line)]
    return "buddy" in source and bool(lines) and all(map(_BUDDY_LINE.match, lines))


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def is_buddy_error(error: BaseException) -> bool:
    """Return whether this package raised an error."""
    module = type(error).__module__
    if not isinstance(module, str):
        return False
    return module.partition(".")[0] == __name__.partition(".")[0]
