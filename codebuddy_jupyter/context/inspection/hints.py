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
from .columns import frame_library, told, try_columns
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
        for finding in check.check(code) if code else ():
            # Of a function, not all names that it can see are known here.
            if finding.kind == "name" and facts.name != "NameError":
                continue
            lines.setdefault(finding.text)
            lines.setdefault(finding.fact)
        lines.update(dict.fromkeys(_signatures(facts, check)))
        if not any(finding.strip() for finding in lines):
            lines.update(dict.fromkeys(merge_hints(statement, names)))
    lines.pop("", None)
    if not lines:
        lines.update(dict.fromkeys(_by_the_error(facts, statement, names)))
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
        wanted = [name for name in latest if is_empty_frame(names[name])][:1]
    lines: dict[str, None] = {}
    for name in wanted[:MAX_LINES]:
        lines.update(dict.fromkeys(lost_rows(name, names, cells)))
    return _bounded(lines)


def _bounded(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(line[:MAX_LINE] for line in lines)[:MAX_LINES]


def failing_statement(source: str, line: int) -> ast.stmt | None:
    """Return the innermost statement of a source that a line belongs to.

    Of a compound one, such as a loop, what stands in its first line.
    """
    tree = cell_code(source).tree
    found: ast.stmt | None = None
    pending: list[ast.AST] = list(tree.body) if tree is not None else []
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            if not node.lineno <= line <= (node.end_lineno or node.lineno):
                continue
            found = node
        pending += [
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case)
        ]
    return _without_body(found)


def _without_body(node: ast.stmt | None) -> ast.stmt | None:
    if node is None or not hasattr(node, "body"):
        return node
    if isinstance(node, ast.With | ast.AsyncWith):
        parts: list[ast.expr] = [item.context_expr for item in node.items]
    else:
        fields = [getattr(node, field, None) for field in _HEADERS]
        parts = [part for part in fields if isinstance(part, ast.expr)]
    return ast.Expr(ast.Tuple(parts, ast.Load())) if parts else None


def _try_unparse(statement: ast.stmt) -> str:
    try:
        return ast.unparse(ast.fix_missing_locations(statement))
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
    used = []
    for node in ast.walk(statement) if statement is not None else ():
        if isinstance(node, ast.Name) and node.id in names:
            used.append(node.id)
    if facts.name == "KeyError" and facts.key:
        for name in dict.fromkeys(used):
            yield from _missing_key(name, names[name], facts.key)
    if facts.name == "AttributeError" and facts.attribute:
        yield from _missing_attribute(facts.owner, facts.attribute)


def _missing_key(name: str, value: object, key: str) -> Iterator[str]:
    if frame_library(value):
        columns = [column for column in try_columns(value) or () if type(column) is str]
        if columns and key not in columns:
            nearest = try_nearest(key, columns)
            line = f"{name} has no column '{key}'"
            yield f"{line}; nearest: '{nearest}'" if nearest else line
            yield f"The columns of {name} are {told(columns)}."
    elif isinstance(value, dict) and type(value) is dict:
        # The keys of a dict can be data: one that differs in its spelling is told.
        for other in islice(list(value), MAX_KEYS):
            if type(other) is str and other != key and is_same_name(other, key):
                yield f"{name} has no key '{key}'; nearest: '{other}'"
                return


def _missing_attribute(owner: object, attribute: str) -> Iterator[str]:
    if owner is None:
        return
    cls = type(owner)
    candidates = class_names(cls)
    if is_instance(owner, type):
        cls = owner  # type: ignore[assignment]
        candidates = class_names(cls)
    own = [name for name in list(instance_dict(owner)) if type(name) is str]
    nearest = try_nearest(attribute, [*own, *candidates])
    if nearest and not nearest.startswith("_"):
        yield f"{name_of(cls)} has no attribute '{attribute}'; nearest: '{nearest}'"
