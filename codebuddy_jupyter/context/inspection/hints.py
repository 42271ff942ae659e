"""What the kernel can tell about an error or a question: nearest names, real signatures,
how keys fit, where rows were lost. Counts and names only, never values.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from ..describe.types import instance_dict, is_instance, name_of
from .cell_code import cell_code
from .code_check import CodeCheck
from .columns import frame_library, quoted_names, try_columns
from .finding import Finding
from .installed import class_names, signature_text
from .lost_rows import Cells, is_empty_frame, lost_rows
from .merge_hints import merge_hints
from .names import is_same_name, try_nearest

# Lines of one error or question.
MAX_LINES = 5
# Characters of a line.
MAX_LINE = 600
# Keys of a dict that are compared.
MAX_KEYS = 2_000
# Variables that one question asks about.
MAX_NAMES = 50
_FUNCTION = re.compile(r"^(?P<name>[\w.<>]+)\(\) (?:got an unexpected|missing|takes )")
_EMPTY = re.compile(r"\b(?:empty|no rows|0 rows|zero rows)\b", re.IGNORECASE)
_HEADERS = ("test", "iter", "subject", "items")


@dataclass(frozen=True)
class ErrorFacts:
    """What an error is and where it was raised.

    Parameters
    ----------
    name
        The name of its class.
    message
        What it says.
    source
        The code of the user's innermost function or cell.
    line
        The line of it that failed, from 1.
    key
        The key that a ``KeyError`` could not find, if it is a plain text.
    attribute
        The attribute that an ``AttributeError`` could not find.
    owner
        The object that lacks it; it is only looked at.
    """

    name: str
    message: str
    source: str = ""
    line: int = 0
    key: str = ""
    attribute: str = ""
    owner: object = None


def error_hints(facts: ErrorFacts, names: Mapping[str, object]) -> tuple[str, ...]:
    """Return what the kernel can tell about an error.

    Parameters
    ----------
    facts
        The error.
    names
        The variables where it was raised; they are only looked at.
    """
    lines: dict[str, None] = {}
    statement = failing_statement(facts.source, facts.line)
    if statement is not None:
        code = _try_unparse(statement)
        check = CodeCheck(names)
        findings: tuple[Finding, ...] = ()
        if code:
            findings = check.check(code)
        for finding in findings:
            # Of a function, not all names that it can see are known here.
            if finding.kind == "name" and facts.name != "NameError":
                continue
            lines.setdefault(finding.text)
            lines.setdefault(finding.fact)
        signatures = _signatures(facts, check)
        lines.update(dict.fromkeys(signatures))
        if not any(line.strip() for line in lines):
            merges = merge_hints(statement, names)
            lines.update(dict.fromkeys(merges))
    lines.pop("", None)
    if not lines:
        told_by_error = _by_the_error(facts, statement, names)
        lines.update(dict.fromkeys(told_by_error))
    return _bounded(lines)


def question_hints(
    prompt: str,
    mentioned: Iterable[str],
    names: Mapping[str, object],
    cells: Cells,
) -> tuple[str, ...]:
    """Return what the kernel can tell about a question: where empty frames lost rows.

    Parameters
    ----------
    prompt
        The question.
    mentioned
        The names that it mentions.
    names
        The kernel's variables, the latest defined first; they are only looked at.
    cells
        The cells that ran.
    """
    wanted = [name for name in mentioned if is_empty_frame(names.get(name))]
    if not wanted and _EMPTY.search(prompt):
        latest = islice(names, MAX_NAMES)
        empty = [name for name in latest if is_empty_frame(names[name])]
        wanted = empty[:1]
    lines: dict[str, None] = {}
    for name in wanted[:MAX_LINES]:
        lost = lost_rows(name, names, cells)
        lines.update(dict.fromkeys(lost))
    return _bounded(lines)


def _bounded(lines: Iterable[str]) -> tuple[str, ...]:
    first = islice(lines, MAX_LINES)
    return tuple(line[:MAX_LINE] for line in first)


def failing_statement(source: str, line: int) -> ast.stmt | None:
    """Return the innermost statement of a source that a line belongs to.

    Of a compound one, such as a loop, what stands in its first line.
    """
    tree = cell_code(source).tree
    if tree is None:
        return None
    found: ast.stmt | None = None
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            end = node.end_lineno or node.lineno
            if not node.lineno <= line <= end:
                continue
            found = node
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
                pending.append(child)
    return _without_body(found)


def _without_body(node: ast.stmt | None) -> ast.stmt | None:
    if node is None or not hasattr(node, "body"):
        return node
    if isinstance(node, ast.With | ast.AsyncWith):
        parts: list[ast.expr] = [item.context_expr for item in node.items]
    else:
        fields = [getattr(node, field, None) for field in _HEADERS]
        parts = [part for part in fields if isinstance(part, ast.expr)]
    if not parts:
        return None
    header = ast.Tuple(parts, ast.Load())
    return ast.Expr(header)


def _try_unparse(statement: ast.stmt) -> str:
    try:
        ast.fix_missing_locations(statement)
        return ast.unparse(statement)
    except RecursionError:
        return ""


def _signatures(facts: ErrorFacts, check: CodeCheck) -> Iterator[str]:
    """Yield the signature of the function that was called wrongly."""
    match = _FUNCTION.match(facts.message)
    if facts.name != "TypeError" or match is None:
        return
    name = match["name"].rpartition(".")[2]
    for call in check.calls:
        if name in (call.name, "__init__", "__new__"):
            text = signature_text(call.function, call.skip)
            if text:
                yield f"The signature is {call.owner}{text}."


def _by_the_error(
    facts: ErrorFacts, statement: ast.stmt | None, names: Mapping[str, object]
) -> Iterator[str]:
    """Yield what the error itself tells, where its code does not."""
    if facts.name == "KeyError" and facts.key and statement is not None:
        used = _names_used(statement, names)
        for name in dict.fromkeys(used):
            yield from _missing_key(name, names[name], facts.key)
    if facts.name == "AttributeError" and facts.attribute:
        yield from _missing_attribute(facts.owner, facts.attribute)


def _names_used(statement: ast.stmt, names: Mapping[str, object]) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and node.id in names:
            yield node.id


def _missing_key(name: str, value: object, key: str) -> Iterator[str]:
    if frame_library(value):
        yield from _missing_column(name, value, key)
    elif isinstance(value, dict) and type(value) is dict:
        # The keys of a dict can be data: one that differs in its spelling is told.
        for other in islice(list(value), MAX_KEYS):
            if type(other) is not str or other == key:
                continue
            if is_same_name(other, key):
                yield f"{name} has no key '{key}'; nearest: '{other}'"
                return


def _missing_column(name: str, frame: object, key: str) -> Iterator[str]:
    known = try_columns(frame) or ()
    columns = [column for column in known if type(column) is str]
    if not columns or key in columns:
        return
    line = f"{name} has no column '{key}'"
    nearest = try_nearest(key, columns)
    if nearest:
        line = f"{line}; nearest: '{nearest}'"
    yield line
    yield f"The columns of {name} are {quoted_names(columns)}."


def _missing_attribute(owner: object, attribute: str) -> Iterator[str]:
    if owner is None:
        return
    cls = type(owner)
    if is_instance(owner, type):
        cls = owner  # type: ignore[assignment]
    candidates = class_names(cls)
    attributes = list(instance_dict(owner))
    own = [name for name in attributes if type(name) is str]
    nearest = try_nearest(attribute, [*own, *candidates])
    if nearest and not nearest.startswith("_"):
        yield f"{name_of(cls)} has no attribute '{attribute}'; nearest: '{nearest}'"
