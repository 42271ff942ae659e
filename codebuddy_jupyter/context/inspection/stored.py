"""Which names a piece of code stores, and which objects it may change in place."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Methods that change a frame, or another container.
CHANGING = frozenset(
    {"insert", "pop", "update", "setdefault", "append", "extend", "eval"}
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Stored:
    """What code stores.

    ``names`` are those that it defines in any scope, ``changed`` those whose objects it
    may change in place, and ``changed_in_functions`` those that its functions change.
    """

    names: frozenset[str]
    changed: frozenset[str]
    changed_in_functions: frozenset[str] = frozenset()


def stored_in(statements: Iterable[ast.AST]) -> Stored:
    """Return what these statements store."""
    names: set[str] = set()
    changed: set[str] = set()
    in_functions: set[str] = set()
    pending = [(statement, False) for statement in statements]
    while pending:
        node, is_inside = pending.pop()
        names.update(_defined_by(node))
        changed_here = set(_changed_by(node))
        changed |= changed_here
        if is_inside:
            in_functions |= changed_here
        if isinstance(node, _FUNCTIONS):
            is_inside = True
        for child in ast.iter_child_nodes(node):
            pending.append((child, is_inside))
    return Stored(frozenset(names), frozenset(changed), frozenset(in_functions))


def _defined_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node defines in any scope."""
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.alias):
        package = node.name.partition(".")[0]
        yield node.asname or package
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names
    else:
        # An except clause, and the patterns of a match statement.
        for field in ("name", "rest"):
            name = getattr(node, field, None)
            if type(name) is str:
                yield name


def _changed_by(node: ast.AST) -> Iterator[str]:
    """Yield the names whose objects a node may change in place."""
    target = _try_target(node)
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    if isinstance(target, ast.Name):
        yield target.id


def _try_target(node: ast.AST) -> ast.AST | None:
    """Return the item, the attribute or the method by which a node changes an object."""
    if isinstance(node, ast.Subscript | ast.Attribute):
        if isinstance(node.ctx, ast.Load):
            return None
        return node
    if not isinstance(node, ast.Call):
        return None
    method = node.func
    if not isinstance(method, ast.Attribute):
        return None
    is_in_place = any(word.arg == "inplace" for word in node.keywords)
    if is_in_place or method.attr in CHANGING:
        return method
    return None
