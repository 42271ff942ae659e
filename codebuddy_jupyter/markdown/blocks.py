"""Split Markdown into its top-level blocks while it streams.

It does no I/O and changes no text, except that it closes an open fence at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from .code_spans import (
    Code,
    characters,
    find_code,
    line_starts,
    mask_code,
    parse,
    prefix_of_next_lines,
)

# characters: a `$$` that stays open for longer is not a formula
_MAX_FORMULA = 4_000
# characters: a growing block up to this length is parsed after each eighth that it has
# grown, a longer one after each half
_SHORT_BLOCK = 4_000


Split = Callable[[str, int], list[str]]
"""Cuts a text into blocks, as `split_blocks` does."""


def split_blocks(text: str, end: int) -> list[str]:
    """Cut a text at the start of its second and each later top-level block.

    A display formula is one block, with the empty lines in it.

    Parameters
    ----------
    text
        The text.
    end
        Only blocks that start in the first `end` characters count; the last block holds
        the rest of the text.
    """
    starts = line_starts(text)
    code: list[Code] = []
    block_starts: list[int] = []
    tokens = parse(text[:end], inline=False)
    for token in tokens:
        if token.map is None or token.nesting < 0:
            continue
        first, last = characters(token.map, starts)
        if token.level == 0:
            block_starts.append(first)
        if token.type == "fence":
            code.append(Code(first, last, "fence"))
        elif token.type == "code_block":
            code.append(Code(first, last, "code_block"))
    cuts = _outside_formulas(text, code, block_starts[1:])
    borders = [0, *cuts, len(text)]
    return [text[start:stop] for start, stop in pairwise(borders)]


class Blocks:
    """Splits Markdown that arrives in pieces into its top-level blocks.

    The results of `feed` and `flush`, joined, are the text that was fed; the blocks do
    not depend on how the text was cut into pieces. A block is settled when the next one
    has begun, because nothing that follows can change it then. A definition of a link
    is a paragraph of its own: references to it are linked when the complete text is shown.

    Parameters
    ----------
    split
        Cuts a text into blocks, as `split_blocks` does.
    """

    def __init__(self, split: Split = split_blocks) -> None:
        self._split = split
        self._pieces: list[str] = []
        self._size = 0
        self._size_to_split = 0

    @property
    def tail(self) -> str:
        """The text that was fed and is not settled."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        if not self._pieces:
            return ""
        return self._pieces[0]

    def feed(self, text: str) -> list[str]:
        """Add text; return the blocks that it settles."""
        self._pieces.append(text)
        self._size += len(text)
        if "\n" not in text or self._size < self._size_to_split:
            return []
        tail = self.tail
        last_line_start = tail.rfind("\n") + 1
        *settled, rest = self._split(tail, last_line_start)
        self._pieces = [rest]
        self._size = len(rest)
        # A growing block is parsed again when it has grown by a share of its size, not
        # at each line, so that the total work stays linear.
        share = 2
        if self._size < _SHORT_BLOCK:
            share = 8
        self._size_to_split = self._size + self._size // share
        return settled

    def flush(self) -> list[str]:
        """End the text; return the remaining blocks, with an open fence closed."""
        tail = self.tail
        self._pieces = []
        self._size = 0
        self._size_to_split = 0
        if not tail:
            return []
        *settled, last = self._split(tail, len(tail))
        code_and_contents = find_code(last)
        if code_and_contents is not None:
            code, _ = code_and_contents
            last += missing_fence(last, code)
        return [*settled, last]


def blocks_of(text: str) -> list[str]:
    """Return the blocks of a complete text, with an open fence closed."""
    blocks = Blocks()
    settled = blocks.feed(text)
    return settled + blocks.flush()


def missing_fence(text: str, code: list[Code]) -> str:
    """Return the line that closes the last fence of a text, or "" if none is open.

    Parameters
    ----------
    text
        The text.
    code
        Its code, from `find_code`.
    """
    if not code:
        return ""
    last = code[-1]
    if last.type != "fence" or last.end < len(text):
        return ""
    source = last.source(text).rstrip("\n")
    first_line, *next_lines = source.split("\n")
    if next_lines and _closes(next_lines[-1], last.markup):
        return ""
    prefix = prefix_of_next_lines(first_line, last.markup)
    closing = prefix + last.markup
    if text.endswith("\n"):
        return closing
    return f"\n{closing}"


def _closes(line: str, markup: str) -> bool:
    """Return whether a line closes a fence that these marks opened."""
    content = line.strip(" \t>")
    mark = markup[0]
    return content.startswith(markup) and content.strip(mark) == ""


_DISPLAY_FORMULA = re.compile(
    r"^[ \t]*(?P<opening>\$\$|\\\\?\[|\\begin\{(?P<name>\w+\*?)\})", re.MULTILINE
)


def _outside_formulas(text: str, code: list[Code], cuts: list[int]) -> Iterator[int]:
    """Yield the cuts that are not in a display formula."""
    formulas = _DISPLAY_FORMULA.finditer(mask_code(text, code))
    formula = next(formulas, None)
    end = 0
    for cut in cuts:
        while formula and formula.start() < cut:
            if formula.start() >= end:
                end = _formula_end(text, formula)
            formula = next(formulas, None)
        if cut >= end:
            yield cut


def _formula_end(text: str, opening: re.Match[str]) -> int:
    """Return the position after a formula, or its largest possible end if it is open."""
    if opening["name"]:
        closing = f"\\end{{{opening['name']}}}"
    elif opening["opening"] == "$$":
        closing = "$$"
    else:
        closing = "]"
    limit = opening.end() + _MAX_FORMULA
    start = text.find(closing, opening.end(), limit)
    if start < 0:
        return limit
    return start + len(closing)


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block of an answer: its language, or "" if it names none, and its code."""

    language: str
    code: str


def code_blocks(markdown: str) -> list[CodeBlock]:
    """Return the fenced blocks of a text in order, including one that is still open."""
    blocks = []
    for token in parse(markdown, inline=False):
        if token.type == "fence":
            words = token.info.split()
            language = ""
            if words:
                language = words[0]
            blocks.append(CodeBlock(language, token.content))
    return blocks
