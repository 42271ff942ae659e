"""Markdown written by a model: split into blocks while it streams, and made safe to
show; it never displays anything.

Front ends run what stands in Markdown: JupyterLab executes ``<img onerror=...>`` and
fetches images. Yet no two of them read Markdown alike: JupyterLab lifts maths out
before its parser runs, others let maths swallow backticks, tables split code at a bar.
So `neutralise` works in three steps. A text in which nothing dangerous stands is
returned as it is. Else whatever is dangerous outside code is written anew, as entities
that every parser shows as the same text. What is dangerous inside code may stay when
the parser and an imitation of JupyterLab's maths removal find the same code, and that
code is of a form which no reader doubts; a block that fails this is shown as its
source, in a fence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from textwrap import dedent

from .code_spans import (
    Code,
    find_code,
    formulas_keep_off,
    is_plain_fence,
    line_starts,
    parser,
    plain_spans,
    redact,
    same_without_maths,
)

# A text longer than this is shown as its source: no front end renders it in useful
# time.
_MAX_TEXT = 1_000_000
# Beyond these, a text with something dangerous is shown as its source, so that no
# parser is kept busy by it.
_MAX_LENGTH = 200_000
_MAX_LINE = 20_000
_MAX_BACKTICKS = 24
# What has been written anew can make something else dangerous: a link whose address is
# no longer one.
_ATTEMPTS = 2
# A display formula is one block, blank lines and all; a `$$` that stays open for longer
# is no formula.
_MAX_FORMULA = 4_000


_URL = (
    r"(?:https?://|mailto:|\#)(?![^\s)>]*@@)"
    r"(?:[^\s<>\"'`\\$\[\](){}|^\x00-\x20]|\((?:[^\s<>\"'`\\$\[\](){}|^\x00-\x20])*\))*"
)
_TITLE = r"\"[^\"\n<>`$\\@&]*\""
_TEX = (
    r"href|url|style|class|cssId|data|require|mmlToken|unicode|includegraphics|csname"
    r"|html(?:Data|Style|Class|Id)"
)
_DANGER = re.compile(
    rf"""
    (?P<fine>
        <(?:https?://|mailto:)[^\s<>"'`\\$\[\]{{}}|^\x00-\x20]+(?<!@@)>
      | <[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*>
      | <code>(?:[^\W_]|\ |&\#\d+;)*</code>
      | !\[[^\[\]\n<>"'`$\\@&]*\]\(data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={{0,2}}\)
    )
  | (?P<tag> (?<!\\)(?:\\\\)*\\<(?=[A-Za-z/!?]) | <(?=[A-Za-z/!?]) )
  | (?P<image> !\[ )
  | (?P<link> \]\((?!{_URL}(?:[ ]+{_TITLE})?\)) )
  | (?P<definition> \]:
        (?![ \t]*{_URL}(?:[ \t]+{_TITLE})?[ \t]*(?:\Z|\n(?![ \t>]*["'(])))
        (?![ \t]*[^ \t\n<$\\@][^ \t\n$\\@]*[ \t]+[^ \t\n"'($\\@]) )
  | (?P<tex> (?<!\\)\\+(?!href\{{{_URL}\}})(?=(?:{_TEX})\s*[%\[{{]) )
  | (?P<address> (?i:https?://|ftp://|www\.) )
  | (?P<mark> (?<!\\)(?:\\\\)*\\@ )
    """,
    re.VERBOSE,
)
_MAY_BE_DANGEROUS = re.compile(
    rf"<[A-Za-z/!?]|!\[|\]\(|\]:|\\(?:{_TEX})\s*[%\[{{]|\\@|(?i:p://|ps://|www\.)"
)
_LEAD = r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t>]+)*"
_LEADING = re.compile(_LEAD)
_LINE_START_BRACKET = re.compile(rf"^{_LEAD}\[", re.MULTILINE)
_CLOSE = re.compile(">")
_MATHS = re.compile(r"[$\\]|@@")
_WORD_END = re.compile(r"[\s<]")
_QUOTE = re.compile('"')
_BLANK_LINE = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class _Danger:
    """Something in a text that a reader of Markdown could act on: where it stands, and
    its kind.
    """

    start: int
    end: int
    kind: str


def _dangers(text: str) -> Iterator[_Danger]:
    """Find what could become a tag, a foreign image, an odd link or a command of TeX,
    wherever it stands.
    """
    if not _MAY_BE_DANGEROUS.search(text):
        return
    can_define = "]:" in text and _LINE_START_BRACKET.search(text) is not None
    can_link = can_define or "](" in text
    context = _Context(text)
    for match in _DANGER.finditer(text):
        kind = match.lastgroup or ""
        if (
            kind == "fine"
            or (kind == "definition" and not can_define)
            or (kind == "image" and not can_link)
        ):
            continue
        if kind == "tag" and not context.opens_tag(match.end() - 1):
            continue
        if kind == "address" and not context.takes_in_maths(match.end()):
            continue
        yield _Danger(match.start(), match.end(), kind)


class _Context:
    """Tells what a danger depends on further on; asked at growing positions, it goes
    over the text once.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[re.Pattern[str], int] = {}

    def _next(self, pattern: re.Pattern[str], position: int) -> int:
        """Give where `pattern` is next found, at or after a position; the end of the
        text if nowhere.
        """
        if self._found.get(pattern, -1) < position:
            match = pattern.search(self._text, position)
            self._found[pattern] = match.start() if match else len(self._text)
        return self._found[pattern]

    def opens_tag(self, position: int) -> bool:
        """Tell whether a `<` can open a tag: at the start of a line, or if a `>`
        follows in its paragraph.
        """
        text, nearest = self._text, max(position - 100, 0)
        line_start = text.rfind("\n", nearest, position) + 1 or nearest
        return (
            text.startswith(("<!", "<?"), position)
            or _LEADING.fullmatch(text, line_start, position) is not None
            or self._next(_CLOSE, position) < self._next(_BLANK_LINE, position)
        )

    def takes_in_maths(self, position: int) -> bool:
        """Tell whether a bare address runs into maths, which JupyterLab would put into
        the attribute of the link.
        """
        return self._next(_MATHS, position) < self._next(_WORD_END, position) and (
            self._next(_QUOTE, position) < self._next(_BLANK_LINE, position)
        )


_BAD_INFO = re.compile(
    rf"""
    ^{_LEAD}(?:
        `{{3,}}+ (?: [ \t]*mermaid | [^`\n]*["'<>&][^`\n]*$ | [^\n]*[$@\\] )
      | ~{{3,}}+ (?: [ \t]*mermaid | [^\n]*["'<>&$@\\~`] )
    )
    """,
    re.MULTILINE | re.IGNORECASE | re.VERBOSE,
)


def _safe_info(info: str) -> str:
    """Give the words after a fence as they may stand:

    JupyterLab puts them into an attribute as they are.

    A diagram of Mermaid becomes plain code, for it may fetch images and styles from
    anywhere.
    """
    safe = re.sub(r"[\"'<>&$@\\~`].*", "", info.strip())
    return "text" if safe.lower().startswith("mermaid") else safe


def _reads_alike(text: str) -> bool:
    """Tell whether nothing dangerous stands outside code, and every reader agrees on
    where the code is.
    """
    found = find_code(text)
    if found is None:
        return False
    code, contents = found
    rest = redact(text, code)
    touched, outside = _sorted_out(code, _dangers(text))
    fences = [found for found in code if found.kind == "fence"]
    if (
        outside
        or _BAD_INFO.search(rest)
        or any(found.info.strip() != _safe_info(found.info) for found in fences)
    ):
        return False
    if not touched:
        return True
    return (
        formulas_keep_off(text, rest, code)
        and plain_spans(text, rest, touched).issuperset(
            found for found in touched if found.kind != "fence"
        )
        and all(
            is_plain_fence(text[found.start : found.end], found.markup)
            for found in fences
        )
        and same_without_maths(text, contents)
    )


def _sorted_out(
    code: list[Code], dangers: Iterable[_Danger]
) -> tuple[list[Code], list[_Danger]]:
    """Give the code in which something dangerous begins, and what begins outside code;
    all in the order of the text.
    """
    touched: list[Code] = []
    outside: list[_Danger] = []
    index = 0
    for danger in dangers:
        while index < len(code) and code[index].end <= danger.start:
            index += 1
        if index == len(code) or danger.start < code[index].start:
            outside.append(danger)
        elif touched[-1:] != [code[index]]:
            touched.append(code[index])
    return touched, outside


_FORMULA = re.compile(
    r"\$\$[\s\S]{1,2000}?\$\$|(?<!\\)\$(?![\s$])(?:[^$\\\n]|\\.|\n(?!\s*\n))*?\$"
    r"|\\begin\{(\w+\*?)\}[\s\S]{0,2000}?\\end\{\1\}|\\\\?\[[\s\S]{0,2000}?\\\\?\]|\\\\?\([^\n]{0,2000}?\\\\?\)"
)


def neutralise(markdown: str) -> str:
    """Make Markdown that a model wrote safe to show as ``text/markdown``, in any front
    end.

    Raw HTML becomes visible text. Links keep only http, https, mailto and `#`. Images
    become links, save small raster ones that stand in the text itself. Code, maths and
    whatever else is innocent come through unchanged. The text may be a whole answer,
    one of its blocks, or the growing tail of one; an open fence is closed where that
    matters.

    Parameters
    ----------
    markdown
        Any text: lone surrogates and control characters are replaced, no length or
        depth makes it fail.

    Returns
    -------
    str
        `markdown` itself where no reader could find anything dangerous in it, else the
        text written anew.
    """
    text = _clean(markdown)
    if len(text) > _MAX_TEXT:
        return fence(text)
    if not _is_dangerous(text):
        return text
    if _is_excessive(text):
        return fence(text)
    return _made_safe(text) or _safe_by_blocks(text) or fence(text)


def _clean(text: str) -> str:
    """Replace what no text holds: lone surrogates, control characters, and ends of
    lines of other kinds.
    """
    text = re.sub(r"\r\n?|[\u2028\u2029]", "\n", text)
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]", "\ufffd", text)


def _is_dangerous(text: str) -> bool:
    return next(_dangers(text), None) is not None or _BAD_INFO.search(text) is not None


def _is_excessive(text: str) -> bool:
    """Tell whether a text is too long or too wide to be parsed."""
    return (
        len(text) > _MAX_LENGTH
        or "`" * _MAX_BACKTICKS in text
        or re.search(rf"[^\n]{{{_MAX_LINE}}}", text) is not None
    )


def _safe_by_blocks(text: str) -> str | None:
    """Show the source of each block that cannot be made safe; None where the blocks are
    not safe together.
    """
    blocks = Blocks()
    made = [
        _made_safe(block) or fence(dedent(block.strip("\n")))
        for block in (*blocks.feed(text), *blocks.flush())
    ]
    joined = "\n\n".join(block.strip("\n") for block in made)
    return joined if _reads_alike(joined) else None


def _made_safe(text: str) -> str | None:
    """Write anew what is dangerous outside code; None where some reader may still see
    the result in another way.
    """
    for _ in range(_ATTEMPTS):
        found = find_code(text)
        if found is None:
            return None
        code = found[0]
        parts: list[str] = []
        position = 0
        for start, end, new in sorted(_edits(text, code)):
            parts += [text[position:start], new]
            position = end
        text = "".join([*parts, text[position:], _missing_fence(text, code)])
        if _reads_alike(text):
            return text
    return None


def _edits(text: str, code: list[Code]) -> Iterator[tuple[int, int, str]]:
    """Give what must be replaced, as start, end and new text: first lines of fences,
    doubtful spans, outside code.
    """
    rest = redact(text, code)
    for found in code:
        if found.kind == "fence" and found.info.strip() != _safe_info(found.info):
            header = text[found.start : text.find("\n", found.start) + 1 or len(text)]
            opening = header[: header.index(found.markup)] + found.markup
            yield (
                found.start,
                found.start + len(header),
                opening + _safe_info(found.info) + "\n",
            )
    touched, outside = _sorted_out(code, _dangers(text))
    plain = plain_spans(text, rest, touched)
    for span in touched:
        source = text[span.start : span.end]
        if span.kind == "span" and "\n" not in source and span not in plain:
            yield span.start, span.end, _spelt_out(source, span.markup)
    formulas = _FORMULA.finditer(rest)
    formula = next(formulas, None)
    for danger in outside:
        while formula and formula.end() <= danger.start:
            formula = next(formulas, None)
        in_formula = formula is not None and formula.start() <= danger.start
        yield danger.start, danger.end, _harmless(text, danger, in_formula)


def _harmless(text: str, danger: _Danger, in_formula: bool) -> str:
    """Write something dangerous so that it shows the same and does nothing."""
    source = text[danger.start : danger.end]
    if danger.kind == "tex":
        return source + " "
    if danger.kind == "address":
        return source.replace(":", "&#58;").replace(".", "&#46;")
    if danger.kind == "mark":
        return source[:-2] + "@"
    if in_formula:
        return source[:-1] + " " + source[-1] if danger.kind != "tag" else source + " "
    if danger.kind == "tag":
        return source[:-2] + "&lt;"
    if danger.kind == "image":
        return _image_as_link(text, danger.start)
    return "]&#40;" if danger.kind == "link" else "]&#58;"


def _image_as_link(text: str, start: int) -> str:
    before = text[max(start - 1, 0) : start]
    if before == "\\":
        return "!&#91;"
    if before == "!":
        return "&#33;["
    return "[image" if text.startswith("![](", start) else "["


def _spelt_out(span: str, markup: str) -> str:
    """Write a code span so that nothing in it or around it can change where it ends."""
    code = span[len(markup) : -len(markup)]
    if code.startswith(" ") and code.endswith(" ") and code.strip():
        code = code[1:-1]
    return f"<code>{_entities(code)}</code>"


def _entities(text: str) -> str:
    """Spell out every character that could mean something to a parser."""
    return re.sub(r"[^\w ]|_", lambda char: f"&#{ord(char[0])};", text)


def _missing_fence(text: str, code: list[Code]) -> str:
    """Give the line that closes the last fence of a text that still grows; empty where
    none is open.
    """
    if not code or code[-1].kind != "fence" or code[-1].end < len(text):
        return ""
    lines = text[code[-1].start :].rstrip("\n").split("\n")
    prefix = lines[0][: lines[0].index(code[-1].markup)]
    closing = re.sub(r"[^>\s]", " ", prefix) + code[-1].markup
    last = lines[-1].strip(" \t>")
    if (
        len(lines) > 1
        and last.startswith(code[-1].markup)
        and not last.strip(code[-1].markup[0])
    ):
        return ""
    return ("" if text.endswith("\n") else "\n") + closing


class Blocks:
    """Splits Markdown that comes in pieces into its top-level blocks.

    What `feed` and `flush` give, joined, is the text that came in; the blocks do not
    depend on how it was cut into pieces. A block is given out when the next one has
    begun, so that nothing that follows can change it. A display formula is one block,
    blank lines and all. A definition of a link is a paragraph of its own: what refers
    to it is linked when the whole text is shown.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self._parse_at = 0

    @property
    def tail(self) -> str:
        """The text that has come but is not settled."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def feed(self, text: str) -> list[str]:
        """Add text and give the blocks that are settled by it."""
        self._pieces.append(text)
        self._size += len(text)
        if "\n" not in text or self._size < self._parse_at:
            return []
        tail = self.tail
        settled = _split(tail, tail.rfind("\n") + 1)
        rest = settled.pop()
        self._pieces, self._size = [rest], len(rest)
        # A block that only grows is parsed again each time that it has grown by a part,
        # which keeps the sum linear.
        self._parse_at = self._size + self._size // (8 if self._size < 4_000 else 2)
        return settled

    def flush(self) -> list[str]:
        """End the text: give the blocks that are left, an open fence closed."""
        tail = self.tail
        self._pieces, self._size, self._parse_at = [], 0, 0
        if not tail:
            return []
        *settled, last = _split(tail, len(tail))
        found = find_code(last)
        closing = _missing_fence(last, found[0]) if found else ""
        return [*settled, last + closing]


def _split(text: str, end: int) -> list[str]:
    """Cut a text where the second and each later top-level block of its first `end`
    characters begins.
    """
    starts = line_starts(text)
    code: list[Code] = []
    cuts: list[int] = []
    for token in parser(inline=False).parse(text[:end]):
        if token.map is None or token.nesting < 0:
            continue
        first, last = (starts[min(line, len(starts) - 1)] for line in token.map)
        if token.level == 0:
            cuts.append(first)
        if token.type in ("fence", "code_block"):
            code.append(Code(first, last, token.type))
    kept = [0, *_outside_formulas(text, code, cuts[1:]), len(text)]
    return [text[first:last] for first, last in pairwise(kept)]


_DISPLAY = re.compile(
    r"^[ \t]*(?P<open>\$\$|\\\\?\[|\\begin\{(?P<name>\w+\*?)\})", re.MULTILINE
)


def _outside_formulas(text: str, code: list[Code], cuts: list[int]) -> Iterator[int]:
    """Leave out the cuts that fall into a display formula."""
    formulas = _DISPLAY.finditer(redact(text, code))
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
    """Give the position after a display formula; for one that is open, the farthest
    that it may reach.
    """
    closing = {"$": "$$", "[": "]"}.get(
        opening["open"][-1], f"\\end{{{opening['name']}}}"
    )
    limit = opening.end() + _MAX_FORMULA
    found = text.find(closing, opening.end(), limit)
    return limit if found < 0 else found + len(closing)


def fence(code: str, language: str = "") -> str:
    """Give code as a fenced block, with a fence that is longer than any run of
    backticks in it.

    Parameters
    ----------
    code
        Any text; a line end at its end makes no empty line.
    language
        What follows the opening fence; whatever could not stand there safely is left
        out.
    """
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{_safe_info(language)}\n{code.removesuffix(chr(10))}\n{marks}\n"


def escape(text: str) -> str:
    """Give plain text as Markdown that shows exactly this text, on one line."""
    return _entities(" ".join(_clean(text).split()))


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block of an answer: its language, as far as it is named, and its code."""

    language: str
    code: str


def code_blocks(markdown: str) -> list[CodeBlock]:
    """Give the fenced blocks of a text, in order; one that is still open counts."""
    tokens = parser(inline=False).parse(markdown)
    fences = [token for token in tokens if token.type == "fence"]
    return [
        CodeBlock((token.info.split() or [""])[0], token.content) for token in fences
    ]
