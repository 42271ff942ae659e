"""The code of an answer as the source of a cell.

Code in another language than Python needs its cell magic, such as ``%%bash``; where the
shell has none, it does not become a cell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..context.inspection.cell_code import cell_code
from ..display.formats import closed
from ..markdown.blocks import CodeBlock, code_blocks

PYTHON = frozenset({"python", "py", "python3", "py3", "ipython", "ipython3"})
MAGICS: Mapping[str, tuple[str, ...]] = {
    "bash": ("bash", "sh"),
    "sh": ("sh", "bash"),
    "shell": ("bash", "sh"),
    "zsh": ("bash", "sh"),
    "cmd": ("cmd",),
    "bat": ("cmd",),
    "batch": ("cmd",),
    "sql": ("sql",),
    "r": ("R",),
    "julia": ("julia",),
    "cython": ("cython",),
    "html": ("html",),
    "svg": ("svg",),
    "latex": ("latex",),
    "tex": ("latex",),
    "javascript": ("javascript", "js"),
    "js": ("javascript", "js"),
    "perl": ("perl",),
    "ruby": ("ruby",),
    "markdown": ("markdown",),
    "md": ("markdown",),
}
"""The cell magics that can run a language, the best first."""


@dataclass(frozen=True)
class NewCell:
    """What an answer puts into a cell.

    Parameters
    ----------
    source
        The source of the cell.
    is_all
        Whether it has all the code of the answer.
    """

    source: str
    is_all: bool = True


def cell_magics(shell: Any) -> frozenset[str]:
    """Return the names of the cell magics of a shell."""
    manager = getattr(shell, "magics_manager", None)
    magics = getattr(manager, "magics", {})
    return frozenset(magics.get("cell", ()))


def cell_languages(magics: Collection[str]) -> dict[str, str]:
    """Return the languages whose code can become a cell, in lower case, each with the
    line that it needs: empty for Python.
    """
    languages = dict.fromkeys(sorted(PYTHON), "")
    for language, names in MAGICS.items():
        known = [name for name in names if name in magics]
        if known:
            languages[language] = f"%%{known[0]}"
    return languages


def cell_source(block: CodeBlock, magics: Collection[str]) -> str | None:
    """Return the source of a cell with this code; None if no cell could run it.

    Parameters
    ----------
    block
        The code and its language.
    magics
        The cell magics of the shell.
    """
    code = block.code.strip("\n")
    language = block.language.lower()
    if not code.strip():
        return None
    if language in PYTHON or code.startswith("%%"):
        return code
    if not language:
        if cell_code(code).tree is None:
            return None
        return code
    magic = cell_languages(magics).get(language)
    if not magic:
        return None
    return f"{magic}\n{code}"


def new_cell(answer: str, magics: Collection[str]) -> NewCell | None:
    """Return the cell with the code of an answer; None if no cell could run it.

    Python blocks become one cell; else the first block that a cell could run.
    An answer without blocks is code as a whole.

    Parameters
    ----------
    answer
        The Markdown of the answer.
    magics
        The cell magics of the shell.
    """
    text = closed(answer)
    blocks = code_blocks(text) or [CodeBlock("", text)]
    sources = [cell_source(block, magics) for block in blocks]
    python = _python(blocks, sources)
    if python:
        is_all = len(python) == len(blocks)
        return NewCell("\n\n".join(python), is_all)
    for source in sources:
        if source is not None:
            return NewCell(source, len(blocks) == 1)
    return None


def _python(blocks: Sequence[CodeBlock], sources: Sequence[str | None]) -> list[str]:
    """Return the sources of blocks that are Python, without cells of their own."""
    python = []
    for block, source in zip(blocks, sources, strict=True):
        is_python = block.language.lower() in (*PYTHON, "")
        if is_python and source is not None and not source.startswith("%%"):
            python.append(source)
    return python
