r"""Views of a text with its escape sequences resolved and its strings joined.

In a repr or a JSON text, line breaks are written as ``\n`` and quotes as ``\"``. A view
shows such lines as the text that they encode, and ``"a" + "b"`` as ``"ab"``. It maps
positions back to the original.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Enough for the repr of a JSON text that itself holds a JSON text.
_MAX_NESTING = 3
_ESCAPE = re.compile(r"\\([nrt\"'/\\])")
# Between the parts of a string that is concatenated, perhaps over several lines. Three
# quotes together are another thing. What stands before the quote is looked at last,
# since a pattern that begins with a quote is searched for faster.
_CONCATENATION = re.compile(
    r"""
    (?P<quote>[\"']) (?<! [\"'\\=(,\[{:] [\"'] )
    (?:
        [ \t]{0,20} \+ \s{0,80} (?:\\\n[ \t]{0,80})?
      | [ \t]{0,20} \\? \n [ \t]{0,80} (?:\+[ \t]{0,20})?
      | [ \t]{1,20}
    )
    [bfruBFRU]{0,2} (?P=quote) (?![\"'\s+,)\]}:;])
    """,
    re.VERBOSE,
)
# Where a line is continued: in a string of Python, in a shell.
_CONTINUATION = re.compile(r"\\\n[ \t]{0,80}(?=\S)")
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
    cuts
        The indices in ``text`` of characters before or in which ``parent`` has more.
    removed
        For each of these, how many characters were left out up to there.
    parent
        The view that these lines were taken from; None for the original text.
    is_joined
        Whether what was left out stands between two characters, and not in one.
    """

    text: str
    start: int = 0
    cuts: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    parent: View | None = None
    is_joined: bool = False

    def original_index(self, index: int, *, is_start: bool = False) -> int:
        """Return where in the original text the character at ``index`` starts.

        Between two strings that were joined, that is where the first one ends, or where
        the second one begins if ``is_start``.
        """
        bisect = bisect_right if is_start and self.is_joined else bisect_left
        cuts = bisect(self.cuts, index)
        in_parent = self.start + index + (self.removed[cuts - 1] if cuts else 0)
        if self.parent is None:
            return in_parent
        return self.parent.original_index(in_parent, is_start=is_start)


def unescaped_views(text: str) -> Iterator[View]:
    """Return the text itself, then views of the lines that can be read otherwise.

    These are runs of lines with escape sequences, and strings that are joined.
    """
    return _nested_views(View(text), _MAX_NESTING)


def _nested_views(view: View, levels: int) -> Iterator[View]:
    yield view
    yield from _joined_views(view)
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
    removed = tuple(range(1, len(escapes) + 1))
    return View(_ESCAPE.sub(_resolve, lines), start, escapes, removed, parent)


def _resolve(escape: re.Match[str]) -> str:
    character = escape[1]
    return _CONTROL_CHARACTERS.get(character, character)


def _joined_views(parent: View) -> Iterator[View]:
    """Return a view of each run of lines in which strings are joined."""
    text = parent.text
    joints: list[re.Match[str]] = []
    end = 0
    for joint in _joints(text):
        if joints and joint.start() >= end:
            yield _join(parent, joints, end)
            joints = []
        joints.append(joint)
        end = text.find("\n", joint.end()) + 1 or len(text)
    if joints:
        yield _join(parent, joints, end)


def _joints(text: str) -> list[re.Match[str]]:
    joints = list(_CONCATENATION.finditer(text))
    if "\\\n" not in text:
        return joints
    ends = {joint.end() for joint in joints}
    for joint in _CONTINUATION.finditer(text):
        is_other = not any(end in ends for end in range(joint.start(), joint.end() + 3))
        if is_other:
            joints.append(joint)
    return sorted(joints, key=lambda joint: joint.start())


def _join(parent: View, joints: Sequence[re.Match[str]], end: int) -> View:
    """Return the lines from the first joint to an end without what joints consist of."""
    start = parent.text.rfind("\n", 0, joints[0].start()) + 1
    parts = []
    cuts = []
    removed = []
    position = start
    left_out = 0
    for joint in joints:
        parts.append(parent.text[position : joint.start()])
        cuts.append(joint.start() - start - left_out)
        left_out += len(joint[0])
        removed.append(left_out)
        position = joint.end()
    parts.append(parent.text[position:end])
    text = "".join(parts)
    return View(text, start, tuple(cuts), tuple(removed), parent, is_joined=True)


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
