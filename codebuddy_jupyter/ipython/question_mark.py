"""Lines with ``%buddy`` that IPython would read otherwise.

IPython reads ``%buddy why is df empty?`` as a request for help on ``empty``, also where
another magic such as ``%time`` precedes. A token transformer that runs earlier takes
such lines for magics. Where no magic can stand, the user is told what to type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from keyword import iskeyword
from tokenize import NAME, OP, TokenInfo
from typing import Any

from IPython.core.inputtransformer2 import (
    EscapedCommand,
    MagicAssign,
    TokenTransformBase,
)

from ..errors import Remedy, SettingError

Position = tuple[int, int]
"""A line and a column of a cell, as `tokenize` counts them."""

MAGIC = "buddy"
NO_OPERATORS = frozenset({"True", "False", "None"})
# What runs a shell command: it would not find one of this name.
SHELL = (["!"], ["!", "!"], ["%", "sx"], ["%", "system"])

_QUESTION = re.compile(
    r"^\s*(?:\w+\s*=\s*)?(?:%\w+\s.*)?%buddy\s.*\w.*\?\s*$", re.MULTILINE
)


class QuestionMarkTransform(TokenTransformBase):
    """Reads lines such as ``%buddy …?``, ``x = %buddy …?`` and ``%time %buddy …?`` as
    magics and not as help.

    Parameters
    ----------
    line_begin
        Where the line begins.
    transform
        How the line is transformed.
    """

    # IPython's own transformer for help has priority 5, and the lowest runs first.
    priority = 4

    def __init__(self, line_begin: Position, transform: TokenTransformBase) -> None:
        # Of two transformers IPython takes the one that begins earlier, and its own
        # begins with the line.
        super().__init__(line_begin)
        self._transform = transform

    @classmethod
    def find(
        cls, tokens_by_line: list[list[TokenInfo]]
    ) -> QuestionMarkTransform | None:
        """Return a transformer for the first such line of a cell."""
        for line in tokens_by_line:
            tokens = [token for token in line if token.string.strip()]
            transform = _transform_for(tokens)
            if transform is not None:
                return cls(tokens[0].start, transform)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """Transform the line as IPython transforms any other magic."""
        transformed: list[str] = self._transform.transform(lines)
        return transformed


class _Automagic(TokenTransformBase):
    """Puts the sign of a magic before a line that begins without one."""

    def transform(self, lines: list[str]) -> list[str]:
        line = lines[self.start_line]
        indent = line[: self.start_col]
        typed = line[self.start_col :]
        lines = list(lines)
        lines[self.start_line] = f"{indent}%{typed}"
        return lines


class _Refusal(TokenTransformBase):
    """Replaces a line by a call that says what to type instead of it.

    Parameters
    ----------
    first, magic
        The first token of the line, and the sign of the magic.
    is_shell
        Whether the line is a command of the shell.
    """

    def __init__(self, first: TokenInfo, magic: TokenInfo, *, is_shell: bool) -> None:
        super().__init__(first.start)
        self._magic = magic
        self._is_shell = is_shell

    def transform(self, lines: list[str]) -> list[str]:
        row, column = self._magic.start
        question = lines[row - 1][column:].strip()
        if not self._is_shell:
            # The end of the call in which it was typed.
            question = question.rstrip(")]}, ")
        indent = lines[self.start_line][: self.start_col]
        arguments = f"{question!r}, is_shell={self._is_shell}"
        call = f"{indent}get_ipython().codebuddy.refuse({arguments})\n"
        return [*lines[: self.start_line], call, *lines[row:]]


def refusal(question: str, *, is_shell: bool) -> SettingError:
    """Return the error for ``%buddy`` where no magic can stand.

    Parameters
    ----------
    question
        The magic with its question, as it was typed.
    is_shell
        Whether it was typed as a command of the shell.
    """
    if is_shell:
        return SettingError(
            "%buddy is no shell command.", Remedy("Ask without the shell", question)
        )
    return SettingError(
        "%buddy must begin a line, or follow a name and an equals sign.",
        Remedy("On a line of its own, type", question),
    )


def _transform_for(tokens: Sequence[TokenInfo]) -> TokenTransformBase | None:
    """Return how a line is transformed; None for a line that IPython reads rightly."""
    words = [token.string for token in tokens]
    index = _magic_index(tokens)
    if index is None:
        is_question = words[:1] == [MAGIC] and _is_question(words)
        if is_question and _is_name(tokens[1]):
            return _Automagic(tokens[0].start)
        return None
    first = tokens[0]
    magic = tokens[index]
    before = words[:index]
    is_assigned = "=" in before and first.string not in "%!"
    begin = 0
    if is_assigned:
        begin = before.index("=") + 1
    if before[begin:] in SHELL:
        return _Refusal(first, magic, is_shell=True)
    is_nested = _is_nested(before)
    if words[begin] in ("%", "!") and not (is_assigned and is_nested):
        if not _is_question(words):
            return None
        if is_assigned:
            return MagicAssign(tokens[begin].start)
        return EscapedCommand(first.start)
    if is_assigned and before[-1] == "=" and not is_nested:
        return MagicAssign(magic.start)
    if _is_operand(tokens[index - 1]):
        return None
    return _Refusal(first, magic, is_shell=False)


def _is_nested(words: Sequence[str]) -> bool:
    """Return whether a bracket is open after these words."""
    for sign, end in (("(", ")"), ("[", "]"), ("{", "}")):
        if words.count(sign) > words.count(end):
            return True
    return False


def _magic_index(tokens: Sequence[TokenInfo]) -> int | None:
    """Return which token is the ``%`` of a question; None if there is none."""
    for index in range(len(tokens) - 2):
        sign, name, following = tokens[index : index + 3]
        if sign.string != "%" or name.string != MAGIC:
            continue
        if sign.end != name.start:
            continue
        if following.string == "?":
            # `%buddy?` and `%buddy??` do ask for help.
            return None
        return index
    return None


def _is_question(words: Sequence[str]) -> bool:
    return len(words) > 2 and words[-1] == "?"


def _is_name(token: TokenInfo) -> bool:
    return token.type == NAME and not iskeyword(token.string)


def _is_operand(token: TokenInfo) -> bool:
    """Return whether ``%`` after this token is the operator."""
    if token.type == NAME:
        return token.string in NO_OPERATORS or not iskeyword(token.string)
    return token.type != OP or token.string in (")", "]", "}")


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
