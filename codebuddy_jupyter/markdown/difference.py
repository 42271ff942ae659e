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
    old_lines, new_lines = old.splitlines(), new.splitlines()
    matcher = difflib.SequenceMatcher(None, old_lines, new_lines)
    rows: list[tuple[str, str]] = []
    shown = 0
    for group in matcher.get_grouped_opcodes(CONTEXT):
        if group[0][1] > shown:
            rows.append((LEFT_OUT, ""))
        for tag, old_start, old_end, new_start, new_end in group:
            mark = " " if tag == "equal" else "-"
            rows += [(mark, line) for line in old_lines[old_start:old_end]]
            if tag == "equal":
                continue
            rows += [("+", line) for line in new_lines[new_start:new_end]]
        shown = group[-1][2]
    if rows and shown < len(old_lines):
        rows.append((LEFT_OUT, ""))
    return rows


def diff_text(old: str, new: str) -> str:
    """Return a diff as a text; empty if no line changes."""
    lines = [f"{mark} {line}".rstrip() for mark, line in diff_rows(old, new)]
    return "\n".join(lines)
