"""Find the code in a Markdown text, and check whether all readers agree where it is.

One parser decides what is code. Other readers differ from it in known ways. Code that
is unambiguous in the sense of `unambiguous_spans` and `is_unambiguous_fence`, in a text
whose formulas do not touch it (see `maths`), is code to all of them.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from ..background.logs import quietly

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


@dataclass(frozen=True)
class Code:
    """A piece of code in a text, as character positions.

    Parameters
    ----------
    start, end
        The code with its marks is ``text[start:end]``.
    type
        A code span in a line, a fenced block, or an indented block.
    paragraph
        For a span: start and end of the paragraph, heading or table row around it.
    markup
        The backticks or tildes that open it; empty for an indented block.
    info
        For a fence: the words after the opening marks, such as ``python``.
    """

    start: int
    end: int
    type: Literal["span", "fence", "code_block"]
    paragraph: tuple[int, int] = (0, 0)
    markup: str = ""
    info: str = ""

    def source(self, text: str) -> str:
        """Return the code with its marks."""
        return text[self.start : self.end]


@cache
def parser(*, inline: bool) -> MarkdownIt:
    """Return the parser for blocks and, with ``inline``, for code spans.

    Nothing else can move the borders of code. HTML is off, because a front end gets it
    as escaped text.
    """
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False})
    parser.enable("table")
    parser.disable("reference")
    steps = ["normalize", "block"]
    if inline:
        steps.append("inline")
    parser.core.ruler.enableOnly(steps)
    parser.inline.ruler.enableOnly(["escape", "backticks"])
    parser.inline.ruler2.enableOnly([])
    return parser


def parse(text: str, *, inline: bool) -> list[Token]:
    """Return the tokens of a Markdown text; see `parser`."""
    # The parser logs each rule that it tries.
    with quietly():
        return parser(inline=inline).parse(text)


def line_starts(text: str) -> list[int]:
    """Return the position at which each line starts, and the end of the text."""
    starts = [0]
    for line_end in re.finditer(r"\r\n?|\n", text):
        starts.append(line_end.end())
    starts.append(len(text))
    return starts


def characters(lines: Sequence[int], starts: list[int]) -> tuple[int, int]:
    """Return the positions of the first and past the last character of some lines.

    Parameters
    ----------
    lines
        The first line and the line after the last, as in ``Token.map`` of the parser.
    starts
        What `line_starts` returned for the text.
    """
    end = len(starts) - 1
    first, last = (min(line, end) for line in lines)
    return starts[first], starts[last]


def find_code(text: str) -> tuple[list[Code], list[str]] | None:
    """Find all code of a text.

    Returns
    -------
    tuple or None
        Where the code is, and the content that the parser found in each piece. None
        when these two do not match.
    """
    tokens = parse(text, inline=True)
    starts = line_starts(text)
    code: list[Code] = []
    contents: list[str] = []
    # The cells of a table row are tokens of their own with the position of the row.
    last_row = (-1, -1)
    for token in tokens:
        if token.map is None:
            continue
        start, end = characters(token.map, starts)
        if token.type == "fence":
            fence = Code(
                start,
                end,
                "fence",
                markup=token.markup,
                info=token.info,
            )
            code.append(fence)
            contents.append(token.content)
        elif token.type == "code_block":
            code.append(Code(start, end, "code_block"))
            contents.append(token.content)
        elif token.type == "inline":
            if last_row != (start, end):
                last_row = (start, end)
                code.extend(_spans(text, start, end))
            for child in token.children or ():
                if child.type == "code_inline":
                    contents.append(child.content)
    if len(code) != len(contents):
        return None
    for piece, content in zip(code, contents, strict=True):
        if piece.type != "span":
            continue
        source = piece.source(text)
        if not _is_same_span(source, content):
            return None
    return code, contents


_ESCAPE_OR_RUN = re.compile(r"\\[\s\S]|`+")


def _spans(text: str, start: int, end: int) -> Iterator[Code]:
    """Find the code spans between two positions, as CommonMark pairs backticks."""
    unpaired_sizes: set[int] = set()
    position = start
    while opening := _ESCAPE_OR_RUN.search(text, position, end):
        position = opening.end()
        run = opening[0]
        size = len(run)
        if run.startswith("\\") or size in unpaired_sizes:
            continue
        same_run = re.compile(rf"(?<!`)`{{{size}}}(?!`)")
        closing = same_run.search(text, position, end)
        if closing is None:
            unpaired_sizes.add(size)
            continue
        position = closing.end()
        paragraph = (start, end)
        yield Code(opening.start(), position, "span", paragraph, run)


def _is_same_span(source: str, content: str) -> bool:
    """Return whether a span that we found is the same that the parser found."""
    ours = _without_container_marks(source.strip("`"))
    theirs = _without_container_marks(content)
    return ours == theirs.strip("`")


def _without_container_marks(code: str) -> str:
    """Remove what a container may add to a code span, or a table may take from it."""
    return re.sub(r"[\s>\\]+", "", code)


_NOT_LINE_END = re.compile(r"[^\n]")


def mask_code(text: str, code: list[Code]) -> str:
    """Replace each character of code by NUL, except line ends."""
    parts: list[str] = []
    position = 0
    for piece in code:
        before = text[position : piece.start]
        source = piece.source(text)
        masked = _NOT_LINE_END.sub("\0", source)
        parts += [before, masked]
        position = piece.end
    parts.append(text[position:])
    return "".join(parts)


def unambiguous_spans(text: str, masked: str, code: list[Code]) -> set[Code]:
    """Return the code spans that every reader finds in the same place.

    Parameters
    ----------
    text
        The text.
    masked
        The text after `mask_code` with all of its code.
    code
        The code to check; only its spans count.
    """
    spans = [piece for piece in code if piece.type == "span"]
    backticks = [match.start() for match in re.finditer("`", masked)]
    paragraphs = {span.paragraph for span in spans}
    unambiguous = set()
    for start, end in paragraphs:
        source = text[start:end]
        masked_source = masked[start:end]
        if not _is_unambiguous(source, masked_source):
            continue
        if not _is_near(backticks, masked, start, end):
            unambiguous.add((start, end))
    return {span for span in spans if span.paragraph in unambiguous}


def _is_near(positions: list[int], masked: str, start: int, end: int) -> bool:
    """Return whether a position is between the empty lines around `start` and `end`.

    A paragraph of its own to one reader is part of the previous one to another.
    """
    if not positions:
        return False
    empty_before = masked.rfind("\n\n", 0, start)
    empty_after = masked.find("\n\n", max(end - 1, 0))
    index = bisect(positions, empty_before)
    if index == len(positions):
        return False
    return empty_after < 0 or positions[index] < empty_after


def _is_unambiguous(source: str, masked: str) -> bool:
    """Return whether every reader finds the same code spans in a paragraph.

    Readers differ on runs of several backticks, on line ends and bars inside code, on
    backslashes before it, and on what binds tighter than code: maths, a web address
    before it, strikes, links and angle brackets across its border.
    """
    for marks in ("``", "\\`", "$"):
        if marks in source:
            return False
    pairs = zip(source, masked, strict=True)
    inside = {character for character, shown in pairs if shown == "\0"}
    outside = set(masked)
    if "|" in inside or "<" in outside:
        return False
    for crossing in ({"~"}, {"[", "]"}):
        if crossing & inside and crossing & outside:
            return False
    for line in source.split("\n"):
        has_open_span = line.count("`") % 2 == 1
        if has_open_span:
            return False
    words = masked.split()
    return not any(map(_has_letter_before_code, words))


def _has_letter_before_code(word: str) -> bool:
    """Return whether a letter, digit or tilde comes before the last code of a word."""
    before, code, _ = word.rpartition("\0")
    return code != "" and re.search(r"[\w~]", before) is not None


def prefix_of_next_lines(first_line: str, markup: str) -> str:
    """Return how the later lines of a fenced block begin: quote marks and indentation.

    Parameters
    ----------
    first_line
        The opening line, such as ``- > ```python``.
    markup
        Its backticks or tildes.
    """
    prefix = first_line[: first_line.index(markup)]
    return re.sub(r"[^>\s]", " ", prefix)


def is_unambiguous_fence(source: str, markup: str) -> bool:
    """Return whether a fenced block is closed and no line leaves its container."""
    lines = source.rstrip("\n").split("\n")
    prefix = prefix_of_next_lines(lines[0], markup)
    closing = prefix + markup
    if "\t" in prefix:
        return False
    if len(lines) < 2 or lines[-1] != closing:
        return False
    for line in lines[1:-1]:
        is_empty = line.strip() == prefix.strip()
        if not is_empty and not line.startswith(prefix):
            return False
        content = line[len(prefix) :].lstrip(" \t>")
        if content.startswith(markup):
            return False
    return True
