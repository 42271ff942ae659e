r"""Views of a text with its escape sequences resolved.

In a repr or a JSON text, line breaks are written as ``\n`` and quotes as ``\"``. A view
shows such lines as the text that they encode, and maps positions back to the original.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

# Enough for the repr of a JSON text that itself holds a JSON text.
_MAX_NESTING = 3
_ESCAPE = re.compile(r"\\([nrt\"'/\\])")
_CONTROL_CHARACTERS = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class View:
    """A text, or some of its lines with one level of escape sequences resolved.

    Parameters
    ----------
    text
        The text of the view.
    start
        The index in ``parent`` at which these lines start.
    escapes
        The indices in ``text`` of characters that take two characters in ``parent``.
    parent
        The view that these lines were taken from; None for the original text.
    """

    text: str
    start: int = 0
    escapes: tuple[int, ...] = ()
    parent: View | None = None

    def original_index(self, index: int) -> int:
        """Return where in the original text the character at ``index`` starts."""
        in_parent = self.start + index + bisect_left(self.escapes, index)
        if self.parent is None:
            return in_parent
        return self.parent.original_index(in_parent)


def unescaped_views(text: str) -> Iterator[View]:
    """Return the text itself, then a view of each run of lines with escape sequences."""
    return _nested_views(View(text), _MAX_NESTING)


def _nested_views(view: View, levels: int) -> Iterator[View]:
    yield view
    if not levels:
        return
    for start, end in _escaped_line_runs(view.text):
        inner = _unescape(view, start, end)
        yield from _nested_views(inner, levels - 1)


def _unescape(parent: View, start: int, end: int) -> View:
    lines = parent.text[start:end]
    # Each escape sequence before shortens the text by one character.
    escapes = tuple(
        match.start() - resolved
        for resolved, match in enumerate(_ESCAPE.finditer(lines))
    )
    return View(_ESCAPE.sub(_resolve, lines), start, escapes, parent)


def _resolve(escape: re.Match[str]) -> str:
    character = escape[1]
    return _CONTROL_CHARACTERS.get(character, character)


def _escaped_line_runs(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each run of adjacent lines that hold escape sequences."""
    start = end = 0
    for escape in _ESCAPE.finditer(text):
        if escape.start() < end:
            continue
        # Without a line break in between, the line starts where the last run ended.
        line_start = text.rfind("\n", end, escape.start()) + 1 or end
        if line_start > end:
            if end:
                yield start, end
            start = line_start
        end = text.find("\n", escape.end()) + 1 or len(text)
    if end:
        yield start, end
