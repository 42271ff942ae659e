"""Questions that end in a question mark.

IPython reads ``%buddy why is df empty?`` as a request for help on ``empty``. A token
transformer that runs earlier takes such lines for the magic.
"""

from __future__ import annotations

import re
from tokenize import TokenInfo
from typing import Any

from IPython.core.inputtransformer2 import (
    EscapedCommand,
    MagicAssign,
    TokenTransformBase,
)

Position = tuple[int, int]
"""A line and a column of a cell, as `tokenize` counts them."""

_QUESTION = re.compile(r"^\s*(?:\w+\s*=\s*)?%buddy\s.*\w.*\?\s*$", re.MULTILINE)


class QuestionMarkTransform(TokenTransformBase):
    """Reads ``%buddy …?`` and ``x = %buddy …?`` as a magic and not as help.

    Parameters
    ----------
    line_begin
        Where the line begins.
    magic_begin
        Where the magic begins.
    """

    # IPython's own transformer for help has priority 5, and the lowest runs first.
    priority = 4

    def __init__(self, line_begin: Position, magic_begin: Position) -> None:
        # Of two transformers IPython takes the one that begins earlier, and its own
        # begins with the line.
        super().__init__(line_begin)
        self.magic: TokenTransformBase = MagicAssign(magic_begin)
        if magic_begin == line_begin:
            self.magic = EscapedCommand(magic_begin)

    @classmethod
    def find(
        cls, tokens_by_line: list[list[TokenInfo]]
    ) -> QuestionMarkTransform | None:
        """Return a transformer for the first such line of a cell."""
        for line in tokens_by_line:
            tokens = [token for token in line if token.string.strip()]
            index = _magic_index([token.string for token in tokens])
            if index is not None:
                return cls(tokens[0].start, tokens[index].start)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """Transform the line as IPython transforms any other magic."""
        transformed: list[str] = self.magic.transform(lines)
        return transformed


def _magic_index(words: list[str]) -> int | None:
    """Return which word is the ``%`` of a question; None for any other line."""
    if "%" not in words or words[-1] != "?":
        return None
    index = words.index("%")
    is_first = index == 0 or words[index - 1] == "="
    if not is_first or words[index + 1] != "buddy":
        return None
    # `%buddy?` and `%buddy??` do ask for help.
    if words[index + 2] == "?":
        return None
    return index


def has_question(result: Any) -> bool:
    """Return whether a cell that has run contains a question with a question mark.

    Parameters
    ----------
    result
        The ``ExecutionResult`` of the cell.
    """
    info = getattr(result, "info", None)
    source = getattr(info, "raw_cell", None)
    return bool(source and _QUESTION.search(source))
