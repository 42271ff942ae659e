"""Check that formulas in a Markdown text do not change what is code.

Some readers find formulas before code. JupyterLab takes formulas out of a text before
its parser runs; `remove_maths` does the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .code_spans import Code, find_code

_FORMULA_MARK = re.compile(r"\$\$|\\begin\{|\\end\{|\\\\?[\[\]()]")
_ENVIRONMENT = re.compile(r"\\begin\{(\w*\*?)\}")


def formulas_avoid_code(text: str, masked: str, code: list[Code]) -> bool:
    """Return whether no formula can start or end in code, or surround it.

    Some readers find formulas before code, even across empty lines.
    """
    if not _FORMULA_MARK.search(masked):
        return True
    if r"\$$" in masked:
        return False
    for piece in code:
        if _FORMULA_MARK.search(text, piece.start, piece.end):
            return False
    return not any("\0" in formula for formula in _formulas(masked))


def _formulas(text: str) -> Iterator[str]:
    """Yield every formula that some reader may find in a text."""
    borders = [("$$", "$$"), (r"\\[", r"\\]"), (r"\[", r"\]")]
    names = set(_ENVIRONMENT.findall(text))
    for name in sorted(names):
        opening = f"\\begin{{{name}}}"
        closing = f"\\end{{{name}}}"
        borders.append((opening, closing))
    for opening, closing in borders:
        yield from _between(text, opening, closing)


def _between(text: str, opening: str, closing: str) -> Iterator[str]:
    """Yield the text between each `opening` and the next `closing`."""
    start = text.find(opening)
    while start >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            return
        yield text[start:end]
        start = text.find(opening, end + len(closing))


_POSSIBLE_MATHS = re.compile(r"\$|\\begin|\\\\[\[(]|@@")
_PLACEHOLDER = re.compile(r"@@(\d+)@@")
# Python raises an error for numbers of more than some thousand digits.
_MAX_DIGITS = 20


def same_without_maths(text: str, contents: list[str]) -> bool:
    """Return whether JupyterLab finds the same code after it has taken formulas out.

    Parameters
    ----------
    text
        The text.
    contents
        The content of its code, from `find_code`.
    """
    if not _POSSIBLE_MATHS.search(text):
        return True
    without, formulas = remove_maths(text)
    code_and_contents = find_code(without)
    if code_and_contents is None:
        return False
    _, contents_without = code_and_contents
    restored = [_restore_maths(code, formulas) for code in contents_without]
    return restored == contents


def _restore_maths(code: str, formulas: list[str]) -> str:
    """Put formulas back in the place of ``@@n@@``, and nothing for an unknown number."""

    def formula(placeholder: re.Match[str]) -> str:
        digits = placeholder[1]
        if len(digits) > _MAX_DIGITS:
            return ""
        number = int(digits)
        if number >= len(formulas):
            return ""
        return formulas[number]

    return _PLACEHOLDER.sub(formula, code)


_MATHS_SPLIT = re.compile(
    r"(\$\$?|\\(?:begin|end)\{[a-z]*\*?\}|\\[{}$]|[{}]|\n\s*|@@\d+@@|\\\\[()\[\]])",
    re.IGNORECASE,
)
_FENCED = re.compile(
    r"^(?P<fence>`{3,}|(?:~T){3,})[^`\n]*\n([\s\S]*?)^(?P=fence)`*$", re.MULTILINE
)
_SPANNED = re.compile(r"(^|[^\\])(`+)([^\n]*?[^`\n])\2(?!`)", re.MULTILINE)


def remove_maths(text: str) -> tuple[str, list[str]]:
    """Replace each formula by ``@@n@@``, as JupyterLab does before it parses Markdown.

    The steps are those of ``removeMath`` in
    https://github.com/jupyterlab/jupyterlab/blob/main/packages/rendermime/src/latex.ts
    with its mistakes, because these are what an attack would use.

    Returns
    -------
    tuple
        The text with placeholders, and the formulas by number.
    """
    has_code = "`" in text or "~~~" in text
    if not has_code:
        removal = _MathsRemoval(text)
        return removal.text(), removal.formulas
    text = text.replace("~", "~T")
    for pattern in (_FENCED, _SPANNED):
        text = pattern.sub(_escape_dollars, text)
    removal = _MathsRemoval(text)
    formulas = [_unescape(formula) for formula in removal.formulas]
    return _unescape(removal.text()), formulas


def _escape_dollars(code: re.Match[str]) -> str:
    return code[0].replace("$", "~D")


def _unescape(text: str) -> str:
    return text.replace("~D", "$").replace("~T", "~")


class _MathsRemoval:
    """One run over a text that replaces formulas by placeholders.

    Every second part of the split text is something that can open or close a formula.
    """

    def __init__(self, text: str) -> None:
        self.formulas: list[str] = []
        self._parts = _MATHS_SPLIT.split(text)
        # the part that opened a formula, and the last one that may close it
        self._start: int | None = None
        self._last: int | None = None
        self._closing = ""
        self._open_braces = 0
        index = 1
        while index < len(self._parts):
            index = self._read(index) + 2
        self._replace_up_to_last()

    def text(self) -> str:
        """Return the text with placeholders."""
        return "".join(self._parts)

    def _read(self, index: int) -> int:
        """Read one part; return the index to continue after."""
        part = self._parts[index]
        if part.startswith("@"):
            self._parts[index] = f"@@{len(self.formulas)}@@"
            self.formulas.append(part)
        elif self._start is None:
            self._open(index)
        elif part == self._closing:
            self._close(index)
        elif part.count("\n") > 1:
            # A formula ends before an empty line. What follows it is read again.
            last = self._last
            self._replace_up_to_last()
            self._start = None
            if last is not None:
                return last
        elif part == "{":
            self._open_braces += 1
        elif part == "}" and self._open_braces:
            self._open_braces -= 1
        return index

    def _open(self, index: int) -> None:
        closing = _closing_of(self._parts[index])
        if closing:
            self._closing = closing
            self._start = index
            self._last = None
            self._open_braces = 0

    def _close(self, index: int) -> None:
        self._last = index
        if not self._open_braces:
            self._replace_up_to_last()
            self._start = None

    def _replace_up_to_last(self) -> None:
        if self._start is None or self._last is None:
            return
        # The list keeps its length, so that indexes stay valid.
        formula = ""
        for index in range(self._start, self._last + 1):
            formula += self._parts[index]
            self._parts[index] = ""
        self._parts[self._start] = f"@@{len(self.formulas)}@@"
        self.formulas.append(formula)


def _closing_of(part: str) -> str:
    """Return what closes the formula that `part` opens, or "" if it opens none."""
    if part in ("$", "$$"):
        return part
    if part in (r"\\(", r"\\["):
        return part.replace("(", ")").replace("[", "]")
    if part[1:6] == "begin":
        return "\\end" + part[6:]
    return ""
