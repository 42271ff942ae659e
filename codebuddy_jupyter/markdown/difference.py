"""The lines that a new text of a cell changes."""

from __future__ import annotations

import difflib

# Lines around a change.
CONTEXT = 3
LEFT_OUT = "…"


def diff_rows(old: str, new: str) -> list[tuple[str, str]]:
    """Return the lines of a diff, each with its mark: a blank, ``+``, ``-``, or ``…``
    for lines left out.
    """
    old_lines = old.splitlines()
    new_lines = new.splitlines()
    matcher = difflib.SequenceMatcher(None, old_lines, new_lines)
    rows: list[tuple[str, str]] = []
    shown = 0
    for group in matcher.get_grouped_opcodes(CONTEXT):
        _, start, _, _, _ = group[0]
        if start > shown:
            rows.append((LEFT_OUT, ""))
        for tag, old_start, old_end, new_start, new_end in group:
            before = old_lines[old_start:old_end]
            after = new_lines[new_start:new_end]
            if tag == "equal":
                rows += _marked(" ", before)
            else:
                rows += _marked("-", before)
                rows += _marked("+", after)
            shown = old_end
    if rows and shown < len(old_lines):
        rows.append((LEFT_OUT, ""))
    return rows


def _marked(mark: str, lines: list[str]) -> list[tuple[str, str]]:
    return [(mark, line) for line in lines]


def diff_text(old: str, new: str) -> str:
    """Return a diff as a text; empty if no line changes."""
    lines = []
    for mark, line in diff_rows(old, new):
        row = f"{mark} {line}"
        lines.append(row.rstrip())
    return "\n".join(lines)
