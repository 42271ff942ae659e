"""The code of an answer."""

from __future__ import annotations

import ast
import re
from collections.abc import Set

_FENCE = re.compile(
    r"^[ ]{0,3}(?P<mark>`{3,}|~{3,})[ ]*(?P<language>[\w+-]*)[^\n]*\n"
    r"(?P<code>.*?)(?:^[ ]{0,3}(?P=mark)|\Z)",
    re.DOTALL | re.MULTILINE,
)
_PYTHON = frozenset({"python", "python3", "py", "ipython", "ipython3"})
# What only a shell understands is left out.
_SHELL_LINE = re.compile(r"(?m)^[ ]*[%!].*$")


def code_in(answer: str) -> str:
    """Return the Python of an answer: its fenced blocks, joined; empty if there is none.

    A block that names no language counts where none is Python by name: else it is what
    the code is said to print. An answer without blocks may be code alone.
    """
    blocks = _blocks(answer, _PYTHON) or _blocks(answer, {""})
    code = "\n".join(blocks)
    if not _FENCE.search(answer) and _is_code(answer):
        code = answer
    return _SHELL_LINE.sub("", code).strip()


def _blocks(answer: str, languages: Set[str]) -> list[str]:
    return [
        match["code"]
        for match in _FENCE.finditer(answer)
        if match["language"].lower() in languages
    ]


def _is_code(text: str) -> bool:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    # A single word would be Python, too.
    return any(not isinstance(node, ast.Expr) for node in tree.body) or "(" in text
