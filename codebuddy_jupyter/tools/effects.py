"""What code does to variables, as far as that can be seen without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..context.inspection.cell_code import cell_code

SHELL_COMMAND = "what its shell commands and magics do"
NOT_PYTHON = "what it does, since it is not Python"
CALLS = "files, what was sent to other machines, and objects that other code keeps"

# Methods that change their object, of lists, dicts, sets, arrays and frames.
# fmt: off
CHANGING = frozenset(
    {
        "add", "append", "appendleft", "clear", "difference_update", "discard",
        "extend", "extendleft", "fill", "insert", "intersection_update",
        "itemset", "pop", "popitem", "popleft", "put", "remove", "resize",
        "reverse", "rotate", "setdefault", "shuffle", "sort",
        "symmetric_difference_update", "update", "write",
    }
)
# fmt: on
_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ClassDef,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


@dataclass(frozen=True)
class Effects:
    """What code does.

    Parameters
    ----------
    binds
        The names that it binds or deletes.
    changes
        The names of objects that it may change in place.
    deep
        Those of which an object in the object may be changed.
    names
        All names that stand in it.
    unseen
        What else it may do that cannot be undone, in words.
    """

    binds: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    deep: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    unseen: tuple[str, ...] = ()


def effects_of(code: str) -> Effects:
    """Return what the code of a cell does; never raises."""
    parsed = cell_code(code)
    if parsed.tree is None:
        return Effects(unseen=(NOT_PYTHON,))
    nodes = list(ast.walk(parsed.tree))
    changed = dict(_changed(nodes))
    unseen = []
    if parsed.magics or parsed.has_command:
        unseen.append(SHELL_COMMAND)
    if any(isinstance(node, ast.Call) for node in nodes):
        unseen.append(CALLS)
    deep = [name for name, is_deep in changed.items() if is_deep]
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    return Effects(
        binds=frozenset(_bound(parsed.tree)),
        changes=frozenset(changed),
        deep=frozenset(deep),
        names=frozenset(names),
        unseen=tuple(unseen),
    )


def _bound(tree: ast.Module) -> Iterator[str]:
    """Yield the names that are bound or deleted in the scope of the cell."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, True)]
    while waiting:
        node, is_outer = waiting.pop()
        if is_outer:
            yield from _bound_by(node)
        elif isinstance(node, ast.NamedExpr):
            # In a comprehension, it binds a name around it.
            yield node.target.id
        elif isinstance(node, ast.Global):
            yield from node.names
        is_inner = not is_outer or isinstance(node, _SCOPES)
        for child in ast.iter_child_nodes(node):
            waiting.append((child, not is_inner))


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node itself binds or deletes."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            package, _, _ = alias.name.partition(".")
            yield alias.asname or package
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        if node.name:
            yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def _changed(nodes: list[ast.AST]) -> Iterator[tuple[str, bool]]:
    """Yield the names of objects that may be changed in place, and whether that is an
    object in the object; the deep ones come last.
    """
    deep = []
    for node in nodes:
        target: ast.AST | None = None
        is_part = isinstance(node, ast.Subscript | ast.Attribute)
        if is_part and not isinstance(getattr(node, "ctx", None), ast.Load):
            target = node
        elif isinstance(node, ast.AugAssign):
            target = node.target
        elif isinstance(node, ast.Call) and _changes(node):
            target = node.func
        name, depth = _base(target)
        if depth > 1:
            deep.append((name, True))
        elif name:
            yield name, False
    yield from deep


def _changes(call: ast.Call) -> bool:
    method = call.func
    if not isinstance(method, ast.Attribute):
        return False
    if any(keyword.arg == "inplace" for keyword in call.keywords):
        return True
    return method.attr in CHANGING


def _base(node: ast.AST | None) -> tuple[str, int]:
    """Return the name at which ``name.part[0]`` begins, and the number of its parts;
    empty and 0 if it begins at something else.
    """
    depth = 0
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
        depth += 1
    if isinstance(node, ast.Name):
        return node.id, depth
    return "", 0
