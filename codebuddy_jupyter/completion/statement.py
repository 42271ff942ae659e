"""Where a statement of Python begins and ends, in code that may be half typed.

A tokenizer would need complete code, so only brackets, strings, comments and line
continuations are read. Nothing is run.
"""

from __future__ import annotations

import re
from typing import cast

_OPENING = "([{"
_CLOSING = ")]}"
_TRIPLES = ("'''", '"""')
# What matters outside of strings, and what is skipped in one step.
_STEP = re.compile(
    r"'''|\"\"\"|['\"]|[()\[\]{}]|\\.?|#[^\n]*|\n|[^'\"()\[\]{}\\#\n]+", re.S
)
_STRING_STEP = re.compile(r"'''|\"\"\"|['\"]|\\.?|\n|[^'\"\\\n]+", re.S)


class Scanner:
    """Reads code piece by piece, and knows where it stands.

    Attributes
    ----------
    start
        Where the statement begins in which the code read so far ends.
    """

    def __init__(self) -> None:
        self.start = 0
        self._position = 0
        self._depth = 0
        self._surplus = 0
        self._quote = ""

    @property
    def is_balanced(self) -> bool:
        """Whether each bracket and string of the code read so far is opened and closed."""
        return not (self._depth or self._surplus or self._quote)

    def read(self, code: str) -> int | None:
        """Read code, up to the end of the first statement that ends in it.

        Returns
        -------
        int or None
            Where in ``code`` the line break is with which that statement ends; None if
            none ends.
        """
        position = 0
        while position < len(code):
            pattern = _STRING_STEP if self._quote else _STEP
            # Every character is matched by one of the alternatives.
            text = cast(re.Match[str], pattern.match(code, position))[0]
            position += len(text)
            self._position += len(text)
            if self._ends_statement(text):
                self.start = self._position
                return position - 1
        return None

    def read_all(self, code: str) -> None:
        """Read code to its end."""
        end = self.read(code)
        while end is not None:
            code = code[end + 1 :]
            end = self.read(code)

    def _ends_statement(self, text: str) -> bool:
        """Take one step; return whether it is the end of a statement."""
        if self._quote:
            # A string of one line that is not closed ends with the line.
            is_broken = text == "\n" and self._quote not in _TRIPLES
            if text == self._quote or is_broken:
                self._quote = ""
            elif text in _TRIPLES and text[0] == self._quote:
                # The end of this string, and an empty one.
                self._quote = ""
            return is_broken and not self._depth
        if text in _TRIPLES or text in ("'", '"'):
            self._quote = text
        elif text in _OPENING:
            self._depth += 1
        elif text in _CLOSING and self._depth:
            self._depth -= 1
        elif text in _CLOSING:
            self._surplus += 1
        return text == "\n" and not self._depth


def is_balanced(code: str) -> bool:
    """Return whether each bracket and string in code is opened and closed."""
    scanner = Scanner()
    scanner.read_all(code)
    return scanner.is_balanced
