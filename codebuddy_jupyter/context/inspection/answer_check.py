"""Checks the Python in the Markdown of an answer against the live kernel."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from ...markdown.blocks import code_blocks
from .cell_code import MAX_CODE, cell_code
from .code_check import CodeCheck
from .finding import Finding

# Characters of an answer.
MAX_ANSWER = 100_000
# Blocks of one answer.
MAX_BLOCKS = 12
# Findings of one answer.
MAX_FINDINGS = 5
# Cells among which a block is looked for that repeats the user's code.
MAX_CELLS = 200
PYTHON = frozenset({"python", "py", "python3", "ipython", "ipython3"})
# A line of a difference between two pieces of code, which Python could take for a sign.
_DIFFERENCE = re.compile(r"(?m)^[-+] ?[^\W\d]")
# Words of a fence's first line that are a language's name in braces.
_BRACES = "{}."


def answer_findings(
    answer: str, namespace: Mapping[str, object]
) -> tuple[Finding, ...]:
    """Return what in the code of an answer does not fit the live kernel.

    Blocks in another language, what is no complete Python, and blocks that repeat the
    code of a cell that has run are left out.

    Parameters
    ----------
    answer
        The answer, as Markdown.
    namespace
        The kernel's variables; they are only looked at.
    """
    has_fence = "```" in answer or "~~~" in answer
    if not has_fence or len(answer) > MAX_ANSWER:
        return ()
    check = CodeCheck(namespace)
    found: dict[str, Finding] = {}
    length = 0
    for code in _python_in(answer, namespace):
        length += len(code)
        if length > MAX_CODE:
            break
        for finding in check.check(code):
            found.setdefault(finding.text, finding)
    findings = tuple(found.values())
    return findings[:MAX_FINDINGS]


def _python_in(answer: str, namespace: Mapping[str, object]) -> Iterator[str]:
    blocks = code_blocks(answer)
    for block in blocks[:MAX_BLOCKS]:
        code = block.code
        language = block.language.strip(_BRACES).lower()
        if language and language not in PYTHON:
            continue
        if not language and not _is_surely_python(code, namespace):
            continue
        if _DIFFERENCE.search(code):
            continue
        if not _repeats_a_cell(code, namespace):
            yield code


def _is_surely_python(code: str, namespace: Mapping[str, object]) -> bool:
    """Return whether a block without a language is code, and no output."""
    tree = cell_code(code).tree
    if tree is None:
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            return True
        if isinstance(node, ast.Call) and _begins_with_known(node, namespace):
            return True
    return False


def _begins_with_known(node: ast.AST, namespace: Mapping[str, object]) -> bool:
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Call):
            node = node.func
        else:
            node = node.value
    return isinstance(node, ast.Name) and node.id in namespace


def _repeats_a_cell(code: str, namespace: Mapping[str, object]) -> bool:
    """Return whether a block quotes a cell: all of its lines are there."""
    sources = namespace.get("_ih")
    lines = _lines(code)
    if not isinstance(sources, list) or not lines:
        return False
    for source in sources[-MAX_CELLS:]:
        if type(source) is not str:
            continue
        if lines <= _lines(source):
            return True
    return False


def _lines(code: str) -> set[str]:
    """Return the lines of code without comments and blanks around them."""
    lines = set()
    for line in code.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            lines.add(stripped)
    return lines
