"""The prose of a prompt: its text without code, as Markdown reads it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

Span = tuple[int, int]

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE = re.compile(
    r"[ \t]*(?P<mark>`{3,}(?=[^`\n]*$)|~{3,})(?P<info>[^\n]*)$", re.MULTILINE
)
_INDENTED = re.compile(r" {0,3}\t| {4}")
_LIST_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])\s")
_BACKTICKS = re.compile("`+")
# Bounded repeats keep this linear; a longer decorator can be put into a fence.
_DECORATOR = (
    r"@[\w.]{1,200}+(?:\((?>(?:[^()]|\([^()]{0,200}\)){0,400})\))?[ \t]*"
    r"(?:\#[^\n]{0,200})?\n"
)
_DECORATED = re.compile(
    rf"""^[ \t]*{_DECORATOR}(?>(?:[ \t]*(?:{_DECORATOR}|\#[^\n]{{0,200}}\n)){{0,20}})"""
    r"""[ \t]*(?:async[ \t]+def|def|class)\b""",
    re.MULTILINE,
)


def blank_code(prompt: str) -> str:
    """Return the prompt with spaces for its code, every other character at its place.

    Code is what is in a fence, in an indented block or in backticks, and the decorators
    of a pasted function or class.
    """
    spans = [*_code(prompt), *(match.span() for match in _DECORATED.finditer(prompt))]
    pieces = []
    end = 0
    for start, stop in sorted(spans):
        # Spans can overlap.
        start, stop = max(start, end), max(stop, end)
        pieces += [prompt[end:start], " " * (stop - start)]
        end = stop
    pieces.append(prompt[end:])
    return "".join(pieces)


def _code(prompt: str) -> Iterator[Span]:
    """Yield where code is: fences, indented blocks, and backticks in a paragraph."""
    # The mark that opened a fence, until it is closed.
    fence = ""
    paragraph_start = 0
    # An indented block cannot interrupt a paragraph, and is none in a list.
    is_after_gap = True
    is_in_list = False
    for line in _LINE.finditer(prompt):
        start, end = line.span()
        text = line[0]
        mark = _FENCE.match(text)
        if fence:
            yield start, end
            if mark and mark["mark"].startswith(fence) and not mark["info"].strip():
                fence = ""
            paragraph_start = end
            is_after_gap = True
        elif mark:
            yield from _in_backticks(prompt, paragraph_start, start)
            yield start, end
            fence = mark["mark"]
            paragraph_start = end
        elif not text.strip():
            yield from _in_backticks(prompt, paragraph_start, start)
            paragraph_start = end
            is_after_gap = True
        elif _INDENTED.match(text) and is_after_gap and not is_in_list:
            yield start, end
            paragraph_start = end
        else:
            if not _INDENTED.match(text):
                is_in_list = bool(_LIST_ITEM.match(text))
            is_after_gap = False
    yield from _in_backticks(prompt, paragraph_start, len(prompt))


def _in_backticks(prompt: str, start: int, end: int) -> Iterator[Span]:
    """Yield what is in backticks: from some of them to the next run of as many."""
    runs = list(_BACKTICKS.finditer(prompt, start, end))
    indices_by_length: defaultdict[int, list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        indices_by_length[len(run[0])].append(index)
    index = 0
    while index < len(runs):
        opening = runs[index]
        same_length = indices_by_length[len(opening[0])]
        following = bisect_right(same_length, index)
        if following == len(same_length):
            index += 1
            continue
        closing_index = same_length[following]
        yield opening.start(), runs[closing_index].end()
        index = closing_index + 1
