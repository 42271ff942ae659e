"""Where the code of a Markdown text is, and whether all that read Markdown agree on it.

One parser tells what is code. JupyterLab reads another text than it is given, for it
lifts maths out first: `remove_maths` does the same. Other readers differ in known ways;
code that is plain in the sense of `plain_spans` and `is_plain_fence`, in a text whose
formulas keep off it, is code to them all.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


@dataclass(frozen=True)
class Code:
    """A code span (`span`), a fenced block (`fence`) or an indented one (`code_block`),
    from `start` to `end`.

    For a span, `around` holds the start and end of the paragraph, heading or table row
    that it stands in.
    """

    start: int
    end: int
    kind: str
    around: tuple[int, int] = (0, 0)
    markup: str = ""
    info: str = ""


@cache
def parser(*, inline: bool) -> MarkdownIt:
    """Make the parser: blocks and, if asked for, code spans; nothing else can move the
    borders of code.

    HTML is off, because it is text by the time that a front end reads it.
    """
    from markdown_it import MarkdownIt

    parser = (
        MarkdownIt("commonmark", {"html": False}).enable("table").disable("reference")
    )
    parser.core.ruler.enableOnly(
        ["normalize", "block", "inline"] if inline else ["normalize", "block"]
    )
    parser.inline.ruler.enableOnly(["escape", "backticks"])
    parser.inline.ruler2.enableOnly([])
    return parser


_ESCAPE_OR_RUN = re.compile(r"\\[\s\S]|`+")


def _spans(text: str, start: int, end: int) -> Iterator[Code]:
    """Find the code spans between two positions, as CommonMark pairs runs of backticks."""
    unpaired: set[int] = set()
    position = start
    while found := _ESCAPE_OR_RUN.search(text, position, end):
        position = found.end()
        size = len(found[0])
        if found[0][0] == "\\" or size in unpaired:
            continue
        if closing := re.compile(rf"(?<!`)`{{{size}}}(?!`)").search(
            text, position, end
        ):
            position = closing.end()
            yield Code(found.start(), position, "span", (start, end), found[0])
        else:
            unpaired.add(size)


def _bare(code: str) -> str:
    """Leave out what a container may add to a code span, or a table may take from it."""
    return re.sub(r"[\s>\\]+", "", code)


def find_code(text: str) -> tuple[list[Code], list[str]] | None:
    """Find all code of a text: where it is, and what the parser holds it to be; None
    where these two disagree.
    """
    tokens = parser(inline=True).parse(text)
    starts = line_starts(text)
    code: list[Code] = []
    contents: list[str] = []
    row: tuple[int, int] | None = None
    for token in tokens:
        if token.map is None:
            continue
        start, end = (starts[min(line, len(starts) - 1)] for line in token.map)
        if token.type in ("fence", "code_block"):
            code.append(Code(start, end, token.type, (0, 0), token.markup, token.info))
            contents.append(token.content)
        elif token.type == "inline":
            if row != (start, end):
                row = (start, end)
                code.extend(_spans(text, start, end))
            contents.extend(
                child.content
                for child in token.children or ()
                if child.type == "code_inline"
            )
    ours = [_bare(text[c.start : c.end].strip("`")) for c in code if c.kind == "span"]
    theirs = [
        _bare(content)
        for found, content in zip(code, contents, strict=False)
        if found.kind == "span"
    ]
    if len(code) != len(contents) or ours != [content.strip("`") for content in theirs]:
        return None
    return code, contents


def line_starts(text: str) -> list[int]:
    """Give the position at which each line starts, and the end of the text."""
    return [0, *(match.end() for match in re.finditer(r"\r\n?|\n", text)), len(text)]


def redact(text: str, code: list[Code]) -> str:
    """Replace each character of code by NUL, except ends of lines."""
    parts: list[str] = []
    position = 0
    for found in code:
        parts += [
            text[position : found.start],
            re.sub(r"[^\n]", "\0", text[found.start : found.end]),
        ]
        position = found.end
    return "".join([*parts, text[position:]])


def plain_spans(text: str, rest: str, code: list[Code]) -> set[Code]:
    """Give the code spans for which every reader pairs the backticks of the paragraph
    around them alike.
    """
    around = {found.around for found in code if found.kind == "span"}
    left_over = [match.start() for match in re.finditer("`", rest)]
    plain = {
        (start, end)
        for start, end in around
        if _is_plain_paragraph(text[start:end], rest[start:end])
        and not _is_near(left_over, rest, start, end)
    }
    return {found for found in code if found.kind == "span" and found.around in plain}


def _is_near(positions: list[int], rest: str, start: int, end: int) -> bool:
    """Tell whether one of these positions is between the empty lines around `start` and
    `end`.

    What is a paragraph of its own to one reader is part of the one before to another.
    """
    if not positions:
        return False
    last = rest.find("\n\n", max(end - 1, 0))
    index = bisect(positions, rest.rfind("\n\n", 0, start))
    return index < len(positions) and (last < 0 or positions[index] < last)


def _is_plain_paragraph(source: str, outside: str) -> bool:
    """Tell whether every reader finds the same code spans in a paragraph, also given
    with its code blanked.

    Readers differ on runs of several backticks, ends of lines and bars inside code,
    backslashes before it, and on what binds tighter than code: maths, a web address
    before it, strikes, links and angle brackets across its border.
    """
    inside = {char for char, left in zip(source, outside, strict=True) if left == "\0"}
    if (
        "``" in source
        or "\\`" in source
        or "|" in inside
        or "$" in source
        or "<" in outside
    ):
        return False
    if any(inside & group and group & set(outside) for group in ({"~"}, {"[", "]"})):
        return False
    return all(line.count("`") % 2 == 0 for line in source.split("\n")) and not any(
        re.search(r"[\w~]", word[: word.rfind("\0")])
        for word in outside.split()
        if "\0" in word
    )


def is_plain_fence(source: str, markup: str) -> bool:
    """Tell whether a fenced block is closed, and each of its lines stands exactly in
    its container.
    """
    lines = source.rstrip("\n").split("\n")
    prefix = lines[0][: lines[0].index(markup)]
    inner = re.sub(r"[^>\s]", " ", prefix)
    if "\t" in prefix or len(lines) < 2 or lines[-1] != inner + markup:
        return False
    body = lines[1:-1]
    if any(
        not line.startswith(inner) and line.strip() != inner.strip() for line in body
    ):
        return False
    return not any(
        line[len(inner) :].lstrip(" \t>").startswith(markup) for line in body
    )


_FORMULA_MARK = re.compile(r"\$\$|\\begin\{|\\end\{|\\\\?[\[\]()]")
_ENVIRONMENT = re.compile(r"\\begin\{(\w*\*?)\}")


def formulas_keep_off(text: str, rest: str, code: list[Code]) -> bool:
    """Tell whether no formula can begin outside code and end in it, begin in it and end
    outside, or go around it.

    Some readers take formulas before code, blank lines and all.
    """
    if not _FORMULA_MARK.search(rest):
        return True
    borders = [("$$", "$$"), (r"\\[", r"\\]"), (r"\[", r"\]")]
    borders += [
        (f"\\begin{{{name}}}", f"\\end{{{name}}}")
        for name in sorted(set(_ENVIRONMENT.findall(rest)))
    ]
    return (
        not any(_FORMULA_MARK.search(text, found.start, found.end) for found in code)
        and r"\$$" not in rest
        and not any(
            "\0" in formula
            for opening, closing in borders
            for formula in _between(rest, opening, closing)
        )
    )


def _between(text: str, opening: str, closing: str) -> Iterator[str]:
    """Give what stands between each `opening` and the `closing` after it."""
    start = text.find(opening)
    while start >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            return
        yield text[start:end]
        start = text.find(opening, end + len(closing))


_MATHS_SPLIT = re.compile(
    r"(\$\$?|\\(?:begin|end)\{[a-z]*\*?\}|\\[{}$]|[{}]|\n\s*|@@\d+@@|\\\\[()\[\]])",
    re.IGNORECASE,
)
_FENCED = re.compile(
    r"^(?P<fence>`{3,}|(?:~T){3,})[^`\n]*\n([\s\S]*?)^(?P=fence)`*$", re.MULTILINE
)
_SPANNED = re.compile(r"(^|[^\\])(`+)([^\n]*?[^`\n])\2(?!`)", re.MULTILINE)


def same_without_maths(text: str, contents: list[str]) -> bool:
    """Tell whether the code is the same after JupyterLab has put a mark in the place of
    all that it takes for maths.
    """
    if not re.search(r"\$|\\begin|\\\\[\[(]|@@", text):
        return True
    marked, maths = remove_maths(text)

    def restore(code: str) -> str:
        return re.sub(
            r"@@(\d+)@@",
            lambda mark: maths[int(mark[1])] if int(mark[1]) < len(maths) else "",
            code,
        )

    found = find_code(marked)
    return found is not None and [restore(code) for code in found[1]] == contents


def remove_maths(text: str) -> tuple[str, list[str]]:
    """Do what JupyterLab does before it parses Markdown: replace each formula by
    `@@n@@`.

    The same steps as ``removeMath`` in
    https://github.com/jupyterlab/jupyterlab/blob/main/packages/rendermime/src/latex.ts,
    whose slips are the point.
    """
    has_code = "`" in text or "~~~" in text
    if has_code:
        text = text.replace("~", "~T")
        for pattern in (_FENCED, _SPANNED):
            text = pattern.sub(lambda code: code[0].replace("$", "~D"), text)

    def plain(part: str) -> str:
        return (
            re.sub("~([TD])", lambda mark: "~" if mark[1] == "T" else "$", part)
            if has_code
            else part
        )

    parts = _MATHS_SPLIT.split(text)
    maths: list[str] = []

    def lift(first: int, last: int) -> None:
        formula = plain("".join(parts[first : last + 1]))
        parts[first : last + 1] = [f"@@{len(maths)}@@", *[""] * (last - first)]
        maths.append(formula)

    start = last = None
    end, braces, index = "", 0, 1
    while index < len(parts):
        part = parts[index]
        if part.startswith("@"):
            parts[index] = f"@@{len(maths)}@@"
            maths.append(part)
        elif start is None:
            if end := _closing(part):
                start, last, braces = index, None, 0
        elif part == end and not braces:
            lift(start, index)
            start = None
        elif part == end:
            last = index
        elif part.count("\n") > 1:
            if last is not None:
                lift(start, last)
                index = last
            start = None
        elif part == "{":
            braces += 1
        elif part == "}" and braces:
            braces -= 1
        index += 2
    if start is not None and last is not None:
        lift(start, last)
    return plain("".join(parts)), maths


def _closing(part: str) -> str:
    """Give what closes the formula that `part` opens; empty where it opens none."""
    if part in ("$", "$$"):
        return part
    if part in (r"\\(", r"\\["):
        return part.replace("(", ")").replace("[", "]")
    return "\\end" + part[6:] if part[1:6] == "begin" else ""
