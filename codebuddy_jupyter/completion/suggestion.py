"""The text that a model writes at the cursor, cut to what can be suggested: to the end of
a statement, without what stands behind the cursor already.
"""

from __future__ import annotations

import copy
import re

from ..markdown.characters import INVISIBLE
from .statement import Scanner, is_balanced

# Where the rest of the line is nothing else, something can be inserted before it.
_CLOSERS = re.compile(r"[\s)\]}'\",:;]*\Z")
# Characters that are not seen. A line break and a tab are code.
_UNSEEN = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{INVISIBLE}]")
# The lines of a suggestion that was asked for by a key.
MOST_LINES = 12


def can_complete(before: str, after: str) -> bool:
    """Return whether to complete here while somebody types: where code was begun, at the
    end of a line or before what closes it.
    """
    if not before.strip():
        return False
    rest = after.partition("\n")[0]
    return _CLOSERS.match(rest) is not None


class Suggestion:
    """A suggestion that grows piece by piece.

    Parameters
    ----------
    before, after
        The code of the cell before and after the cursor.
    is_asked
        Whether it was asked for by a key: then it may have several statements.

    Attributes
    ----------
    text
        What is suggested so far.
    is_complete
        Whether nothing more can be added.
    """

    def __init__(self, before: str, after: str, *, is_asked: bool = False) -> None:
        self.text = ""
        self.is_complete = False
        self._written = ""
        self._is_asked = is_asked
        self._line = before.rpartition("\n")[2]
        self._rest, _, following = after.partition("\n")
        filled = (line for line in following.split("\n") if line.strip())
        # The line that a model often writes once more.
        self._next_line = next(filled, "").rstrip()
        self._scanner = Scanner()
        self._scanner.read_all(before)
        self._statement = before[self._scanner.start :]

    def feed(self, text: str) -> None:
        """Take what the model wrote next."""
        if self.is_complete:
            return
        self._written += text.replace("\r\n", "\n")
        # What is inserted must be what was seen.
        unseen = _UNSEEN.search(self._written)
        if unseen is not None:
            self._cut(unseen.start())
        if not self._is_asked:
            # From the cursor on, since a mark may come in two pieces.
            scanner = copy.copy(self._scanner)
            end = scanner.read(self._written)
            if end is not None:
                self._cut(end)
        self._update()

    def finish(self, *, is_cut: bool = False) -> None:
        """Take the end of the reply.

        Parameters
        ----------
        is_cut
            Whether the reply ended at a limit of its length: then the last of several
            lines is left out.
        """
        end = self._written.rfind("\n")
        if is_cut and end > 0 and not self.is_complete:
            self._cut(end)
        self.is_complete = True
        self._update()

    def _cut(self, end: int) -> None:
        self._written = self._written[:end]
        self.is_complete = True

    def _update(self) -> None:
        lines = self._written.split("\n")
        for number, line in enumerate(lines):
            whole = line
            if number == 0:
                whole = f"{self._line}{line}"
            if number >= MOST_LINES or self._is_next_line(whole):
                lines = lines[:number]
                self.is_complete = True
                break
        text = "\n".join(lines)
        if self.is_complete:
            text = text.rstrip()
        self.text = self._without_repeated(text)

    def _is_next_line(self, line: str) -> bool:
        """Return whether a line stands behind the cursor already."""
        if not self._next_line:
            return False
        return line.rstrip() == self._next_line

    def _without_repeated(self, text: str) -> str:
        """Return a text without its end, if the rest of the line begins so: as much as
        leaves all brackets and strings closed.
        """
        rest = self._rest.strip()
        longest = min(len(rest), len(text))
        lengths = []
        for length in range(longest, 0, -1):
            if text.endswith(rest[:length]):
                lengths.append(length)
        for length in (*lengths, 0):
            shorter = text[: len(text) - length]
            statement = f"{self._statement}{shorter}{self._rest}"
            if is_balanced(statement):
                return shorter
        repeated = max(lengths, default=0)
        return text[: len(text) - repeated]
