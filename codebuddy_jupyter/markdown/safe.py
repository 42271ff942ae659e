"""Make Markdown that a model wrote safe to show; display nothing.

Front ends run what a Markdown text contains: JupyterLab executes ``<img onerror=...>``
and fetches images. No two front ends read Markdown in the same way: JupyterLab takes
formulas out before its parser runs, in others a formula can contain backticks, and
tables split code at a bar.

So `neutralise` works in three steps. A text without anything dangerous is returned
unchanged. Otherwise, what is dangerous outside code is replaced by entities, which every
parser shows as the same text. What is dangerous inside code may stay if the parser and
an imitation of JupyterLab's removal of formulas find the same code, and if that code has
a form that all readers agree on. A block that fails this test is shown as its source, in
a fence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import dedent

from .blocks import blocks_of, missing_fence
from .characters import has_invisible, name_hiding, name_invisible
from .code_spans import (
    Code,
    find_code,
    is_unambiguous_fence,
    mask_code,
    unambiguous_spans,
)
from .maths import formulas_avoid_code, same_without_maths

# A text of more characters is shown as its source: no front end renders it in useful
# time.
_MAX_TEXT = 1_000_000
# A text with something dangerous that exceeds one of these is shown as its source, so
# that it cannot keep a parser busy.
_MAX_LENGTH = 200_000
_MAX_LINE = 20_000
_MAX_BACKTICKS = 24
# A replacement can make something else dangerous, for example when it invalidates the
# address of a link.
_ATTEMPTS = 2


def neutralise(markdown: str) -> str:
    """Make Markdown that a model wrote safe to show as ``text/markdown``.

    Raw HTML becomes visible text. Links keep only http, https, mailto and `#`. Images
    become links, except small raster images whose data is in the text. Formulas define
    nothing, since a definition holds for the whole page. Invisible characters in code are
    named. Code, maths and everything else that is harmless stay unchanged. The text may
    be a complete answer, one of its blocks, or its growing tail; an open fence is closed
    where that matters.

    Parameters
    ----------
    markdown
        Any text, of any length and nesting. Lone surrogates and control characters are
        replaced.

    Returns
    -------
    str
        `markdown` itself if no reader can find anything dangerous in it, else the
        rewritten text.
    """
    text = _clean(show_invisible(markdown))
    if len(text) > _MAX_TEXT:
        return fence(text)
    if not _is_dangerous(text):
        return text
    if _is_excessive(text):
        return fence(text)
    return _rewritten(text) or _rewritten_by_blocks(text) or fence(text)


def show_invisible(markdown: str) -> str:
    """Return Markdown in which invisible characters of code are named, and in prose those
    that no script needs.
    """
    if not has_invisible(markdown):
        return markdown
    found = find_code(markdown) if len(markdown) <= _MAX_LENGTH else None
    if found is None:
        return name_invisible(markdown)
    code, _ = found
    parts: list[str] = []
    position = 0
    for piece in code:
        before = markdown[position : piece.start]
        parts += [name_hiding(before), name_invisible(piece.source(markdown))]
        position = piece.end
    parts.append(name_hiding(markdown[position:]))
    return "".join(parts)


def escape(text: str) -> str:
    """Return Markdown that shows exactly this plain text, on one line.

    Only what a reader could take for Markdown becomes an entity, so that the text can
    be read in its source as well.
    """
    words = _clean(text).split()
    line = " ".join(words)
    return _SPECIAL.sub(_as_entities, line)


def fence(code: str, language: str = "") -> str:
    """Return code as a fenced block that no backticks in the code can close.

    Parameters
    ----------
    code
        Any text; a line end at its end does not make an empty line.
    language
        The word after the opening fence; unsafe characters are left out.
    """
    runs = re.findall(r"`+", code)
    longest = max(map(len, runs), default=0)
    marks = "`" * max(3, longest + 1)
    content = code.removesuffix("\n")
    return f"{marks}{_safe_info(language)}\n{content}\n{marks}\n"


def _clean(text: str) -> str:
    """Replace lone surrogates and control characters, and unify line ends."""
    text = re.sub(r"\r\n?|[\u2028\u2029]", "\n", text)
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]", "\ufffd", text)


def _entities(text: str) -> str:
    """Replace every character that could mean something to a parser by its entity."""
    return re.sub(r"[^\w ]|_", _as_entities, text)


def _as_entities(match: re.Match[str]) -> str:
    return "".join([f"&#{ord(character)};" for character in match[0]])


# The ends of names that a reader can take for a host, as linkify-it does.
_TOP_DOMAIN = (
    r"(?:[^\W\d_]{2}|biz|com|edu|gov|net|org|pro|web|xxx|aero|asia|coop|info|museum|name"
    r"|shop|xn--[\w-]+)(?![^\W_])"
)
_SPECIAL = re.compile(
    rf"""
      [\\`*{{}}\[\]<>&|~^$@]
    # At the start: a heading, a list, a rule, and what dialects add, as a comment
    | ^ [!-/:-@\[-`{{-~]
    | (?<=^\d)[.)] | (?<=^\d\d)[.)] | ^\d{{3,9}}[.)]
    # Beside a letter or digit on one side only
    | (?<![^\W_])_ | _(?![^\W_])
    # An address, with or without its scheme
    | :(?=/) | /(?=/) | (?<=www)[.] | [.](?={_TOP_DOMAIN})
    # Invisible
    | [^\w\s!-~](?<![^\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb])
    """,
    re.VERBOSE | re.IGNORECASE,
)


# What can be dangerous


_URL = (
    r"(?:https?://|mailto:|\#)(?![^\s)>]*@@)"
    r"(?:[^\s<>\"'`\\$\[\](){}|^\x00-\x20]|\((?:[^\s<>\"'`\\$\[\](){}|^\x00-\x20])*\))*"
)
_TITLE = r"\"[^\"\n<>`$\\@&]*\""
_TEX = (
    r"href|url|style|class|cssId|data|require|mmlToken|unicode|includegraphics|csname"
    r"|html(?:Data|Style|Class|Id)"
)
# Commands that change what a later formula means, or make a command of another; all
# formulas of a page share them. MathJax and KaTeX know these.
_DEFINE = (
    r"(?:[gex]?def|let|futurelet|global|long|outer|protected"
    r"|(?:(?:re)?new|provide)(?:command|environment|tagform|columntype|theorem|if|count)"
    r"|Declare[A-Za-z]+|Newextarrow|definecolor|require|usetagform|mathtoolsset|setOptions"
    r"|(?:end)?csname|(?:cat|lc|uc|math)code|(?:begin|end)group(?:Sandbox|Reset)?"
    r"|expandafter|noexpand|makeat(?:letter|other)|label)(?![A-Za-z])"
    r"|bbox(?=\s*\[[^\]]{0,400}[:(\\])"
)
# Entities of a letter, a dollar or a backslash, of which a command or formula can consist.
_LETTER_ENTITY = (
    r"&(?:\#0*(?:36|6[5-9]|[78][0-9]|9[02789]|10[0-9]|11[0-9]|12[0-2])"
    r"|\#[xX]0*(?:24|4[1-9a-fA-F]|5[0-9aAcC]|6[1-9a-fA-F]|7[0-9aA])|bsol|dollar);"
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
  | (?P<label> (?<!\\)\\label\s*\{{[^{{}}$\n]*\}} )
  | (?P<macro> (?<!\\)\\+(?={_DEFINE}) )
  | (?P<caret> \^\^(?=[^\s^]) )
  | (?P<entity> {_LETTER_ENTITY} )
  | (?P<address> (?i:https?://|ftp://|www\.) )
  | (?P<mark> (?<!\\)(?:\\\\)*\\@ )
    """,
    re.VERBOSE,
)
_MAY_BE_DANGEROUS = re.compile(
    rf"<[A-Za-z/!?]|!\[|\]\(|\]:|\\(?:{_TEX})\s*[%\[{{]|\\@|(?i:p://|ps://|www\.)"
    rf"|\\(?:{_DEFINE})|\^\^|{_LETTER_ENTITY}"
)
_MAY_HAVE_MATHS = re.compile(r"\$|\\[(\[]|\\begin|&")
_ONLY_IN_MATHS = ("macro", "label", "caret")
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
    """Something that a reader of Markdown could act on.

    ``type`` is the name of a group of `_DANGER`.
    """

    start: int
    end: int
    type: str


def _dangers(text: str) -> Iterator[_Danger]:
    """Find what could become a tag, a foreign image, a bad link or a TeX command.

    Code is searched like everything else.
    """
    if not _MAY_BE_DANGEROUS.search(text):
        return
    can_define = "]:" in text and _LINE_START_BRACKET.search(text) is not None
    can_have_maths = _MAY_HAVE_MATHS.search(text) is not None
    can_link = can_define or "](" in text
    lookahead = _Lookahead(text)
    for match in _DANGER.finditer(text):
        type = match.lastgroup or ""
        if type == "fine":
            continue
        if type == "definition" and not can_define:
            continue
        if type in _ONLY_IN_MATHS and not can_have_maths:
            continue
        if type == "image" and not can_link:
            continue
        if type == "tag" and not lookahead.opens_tag(match.end() - 1):
            continue
        if type == "address" and not lookahead.runs_into_maths(match.end()):
            continue
        yield _Danger(match.start(), match.end(), type)


class _Lookahead:
    """Answers what follows a position; for growing positions in linear time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._matches: dict[re.Pattern[str], int] = {}

    def _next(self, pattern: re.Pattern[str], position: int) -> int:
        """Return the next match of `pattern` from a position on, or the text's end."""
        if self._matches.get(pattern, -1) < position:
            match = pattern.search(self._text, position)
            start = match.start() if match else len(self._text)
            self._matches[pattern] = start
        return self._matches[pattern]

    def opens_tag(self, position: int) -> bool:
        """Return whether a `<` can open a tag.

        It can at the start of a line, or if a `>` follows in its paragraph.
        """
        text = self._text
        if text.startswith(("<!", "<?"), position):
            return True
        nearest = max(position - 100, 0)
        line_start = text.rfind("\n", nearest, position) + 1 or nearest
        if _LEADING.fullmatch(text, line_start, position):
            return True
        close = self._next(_CLOSE, position)
        paragraph_end = self._next(_BLANK_LINE, position)
        return close < paragraph_end

    def runs_into_maths(self, position: int) -> bool:
        """Return whether a bare address contains maths.

        JupyterLab would put the maths into an attribute of the link.
        """
        maths = self._next(_MATHS, position)
        word_end = self._next(_WORD_END, position)
        if maths >= word_end:
            return False
        quote = self._next(_QUOTE, position)
        paragraph_end = self._next(_BLANK_LINE, position)
        return quote < paragraph_end


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
    """Return the safe part of the words after a fence.

    JupyterLab puts these words into an attribute without escaping them. A Mermaid
    diagram becomes plain code, because it can fetch images and styles from anywhere.
    """
    safe = re.sub(r"[\"'<>&$@\\~`].*", "", info.strip())
    return "text" if safe.lower().startswith("mermaid") else safe


def _has_safe_info(fenced: Code) -> bool:
    return fenced.info.strip() == _safe_info(fenced.info)


def _is_dangerous(text: str) -> bool:
    if _BAD_INFO.search(text):
        return True
    return next(_dangers(text), None) is not None


def _is_excessive(text: str) -> bool:
    """Return whether a text is too long or too wide to be parsed."""
    if len(text) > _MAX_LENGTH or "`" * _MAX_BACKTICKS in text:
        return True
    return re.search(rf"[^\n]{{{_MAX_LINE}}}", text) is not None


def _is_safe(text: str) -> bool:
    """Return whether all that is dangerous is in code, and all readers agree on that."""
    code_and_contents = find_code(text)
    if code_and_contents is None:
        return False
    code, contents = code_and_contents
    masked = mask_code(text, code)
    touched, outside = _by_code(code, _dangers(text))
    if outside or _BAD_INFO.search(masked):
        return False
    fences = [piece for piece in code if piece.type == "fence"]
    if not all(map(_has_safe_info, fences)):
        return False
    if not touched:
        return True
    if not formulas_avoid_code(text, masked, code):
        return False
    spans = {piece for piece in touched if piece.type != "fence"}
    if not spans <= unambiguous_spans(text, masked, touched):
        return False
    for fenced in fences:
        if not is_unambiguous_fence(fenced.source(text), fenced.markup):
            return False
    return same_without_maths(text, contents)


def _by_code(
    code: list[Code], dangers: Iterable[_Danger]
) -> tuple[list[Code], list[_Danger]]:
    """Return the code in which something dangerous starts, and the dangers outside code.

    Both are in the order of the text, as `code` and `dangers` must be.
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


# How it is rewritten


_FORMULA = re.compile(
    r"""
      \$\$ [\s\S]{1,2000}? \$\$
    | (?<!\\) \$ (?![\s$]) (?: [^$\\\n] | \\. | \n(?!\s*\n) )*? \$
    | \\begin\{(\w+\*?)\} [\s\S]{0,2000}? \\end\{\1\}
    | \\\\?\[ [\s\S]{0,2000}? \\\\?\]
    | \\\\?\( [^\n]{0,2000}? \\\\?\)
    """,
    re.VERBOSE,
)


def _rewritten(text: str) -> str | None:
    """Replace what is dangerous outside code; return None if that is not enough."""
    for _ in range(_ATTEMPTS):
        code_and_contents = find_code(text)
        if code_and_contents is None:
            return None
        code, _ = code_and_contents
        edits = sorted(_edits(text, code))
        text = _apply(edits, text) + missing_fence(text, code)
        if _is_safe(text):
            return text
    return None


def _rewritten_by_blocks(text: str) -> str | None:
    """Rewrite each block, or show its source; return None if the result is not safe."""
    rewritten = []
    for block in blocks_of(text):
        safe = _rewritten(block)
        if safe is None:
            source = dedent(block.strip("\n"))
            safe = fence(source)
        rewritten.append(safe.strip("\n"))
    joined = "\n\n".join(rewritten)
    return joined if _is_safe(joined) else None


_Edit = tuple[int, int, str]
"""Start and end of what is replaced, and the new text."""


def _apply(edits: Iterable[_Edit], text: str) -> str:
    parts: list[str] = []
    position = 0
    for start, end, replacement in edits:
        parts += [text[position:start], replacement]
        position = end
    parts.append(text[position:])
    return "".join(parts)


def _edits(text: str, code: list[Code]) -> Iterator[_Edit]:
    """Yield the edits for fences, ambiguous spans and dangers outside code."""
    for piece in code:
        if piece.type == "fence" and not _has_safe_info(piece):
            yield _edit_info(text, piece)
    masked = mask_code(text, code)
    touched, outside = _by_code(code, _dangers(text))
    yield from _span_edits(text, masked, touched)
    yield from _danger_edits(text, masked, outside)


def _span_edits(text: str, masked: str, touched: list[Code]) -> Iterator[_Edit]:
    """Yield the edits that make a ``<code>`` element of each ambiguous span."""
    unambiguous = unambiguous_spans(text, masked, touched)
    for span in touched:
        if span.type != "span" or span in unambiguous:
            continue
        source = span.source(text)
        if "\n" not in source:
            element = _as_code_element(source, span.markup)
            yield span.start, span.end, element


def _danger_edits(text: str, masked: str, outside: list[_Danger]) -> Iterator[_Edit]:
    """Yield the edits for what is dangerous outside code."""
    formulas = _FORMULA.finditer(masked)
    formula = next(formulas, None)
    for danger in outside:
        while formula and formula.end() <= danger.start:
            formula = next(formulas, None)
        in_formula = formula is not None and formula.start() <= danger.start
        yield danger.start, danger.end, _replacement(text, danger, in_formula)


def _edit_info(text: str, fenced: Code) -> _Edit:
    """Return the edit that leaves only what is safe on the first line of a fence."""
    end = text.find("\n", fenced.start) + 1 or len(text)
    header = text[fenced.start : end]
    indent = header[: header.index(fenced.markup)]
    replacement = f"{indent}{fenced.markup}{_safe_info(fenced.info)}\n"
    return fenced.start, end, replacement


def _replacement(text: str, danger: _Danger, in_formula: bool) -> str:
    """Return a text that looks the same as something dangerous and does nothing."""
    source = text[danger.start : danger.end]
    if danger.type in ("tex", "macro"):
        return source + " "
    if danger.type == "label":
        # A formula shows nothing of its label, and a page can have each only once.
        return ""
    if danger.type == "caret":
        return "^ ^"
    if danger.type == "entity":
        return f"&amp;{source[1:]}"
    if danger.type == "address":
        return source.replace(":", "&#58;").replace(".", "&#46;")
    if danger.type == "mark":
        return source[:-2] + "@"
    if in_formula:
        # An entity would be shown as it is in a formula; a space is not shown.
        if danger.type == "tag":
            return source + " "
        return f"{source[:-1]} {source[-1]}"
    if danger.type == "tag":
        return source[:-2] + "&lt;"
    if danger.type == "image":
        return _image_as_link(text, danger.start)
    return "]&#40;" if danger.type == "link" else "]&#58;"


def _image_as_link(text: str, start: int) -> str:
    """Return what replaces the ``![`` of an image at a position."""
    before = text[max(start - 1, 0) : start]
    if before == "\\":
        return "!&#91;"
    if before == "!":
        return "&#33;["
    return "[image" if text.startswith("![](", start) else "["


def _as_code_element(span: str, markup: str) -> str:
    """Return a code span as a ``<code>`` element whose end is clear to every reader."""
    code = span[len(markup) : -len(markup)]
    if code.startswith(" ") and code.endswith(" ") and code.strip():
        code = code[1:-1]
    return f"<code>{_entities(code)}</code>"
