"""What polars' methods need of the columns of a frame, and which columns they give."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .abstract import Arguments, Frame, Value, text_of, texts_in, words
from .pandas_steps import Checker

_SAME_COLUMNS = words(
    """filter sort head tail limit sample slice unique drop_nulls drop_nans fill_null
    fill_nan reverse clone rechunk shift top_k bottom_k gather_every interpolate
    set_sorted shrink_to_fit"""
)
_BY_NAME = words("select sort group_by unique drop_nulls")
_WITH_EXPRESSIONS = words("select with_columns filter sort group_by")
# Of an expression whose names are not written in the code.
_NAMING = words("name alias suffix prefix map_alias")
# Of an expression that has no column's name, unless it gets an alias.
_UNNAMED = words("Series lit len when struct field unnest")
# Methods that change the frame itself.
_IN_PLACE = words("insert_column replace_column drop_in_place extend")


def polars_step(
    checker: Checker, frame: Frame, method: str, arguments: Arguments, node: ast.AST
) -> Value:
    """Check the arguments of a frame's method; return what it gives."""
    call = arguments.call
    if method in _IN_PLACE or "in_place" in arguments.keywords:
        frame.forget()
        return None
    if method in _BY_NAME:
        names: list[ast.Constant] = []
        for value in call.args:
            names.extend(_plain_names(value))
        checker.check(frame, names, node, index=False)
    if method in _WITH_EXPRESSIONS:
        names = []
        for value in (*call.args, *arguments.keywords.values()):
            names.extend(_columns_in(value))
        checker.check(frame, names, node, index=False)
    if method in _SAME_COLUMNS:
        return frame.copied()
    if method == "with_columns":
        return _with_columns(frame, arguments)
    return None


def _plain_names(node: ast.expr) -> Iterator[ast.Constant]:
    for name in texts_in(node):
        text = str(name.value)
        # A pattern, which stands for several columns.
        is_pattern = text.startswith("^") or text == "*"
        if not is_pattern:
            yield name


def _columns_in(node: ast.AST) -> Iterator[ast.Constant]:
    """Yield the names in ``pl.col(…)``, except within what may be another frame's."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        func = node.func
        if func.attr == "col" and isinstance(func.value, ast.Name):
            for value in node.args:
                yield from _plain_names(value)
        if func.attr in _WITH_EXPRESSIONS:
            return
    for part in ast.iter_child_nodes(node):
        yield from _columns_in(part)


def _with_columns(frame: Frame, arguments: Arguments) -> Frame:
    unknown = Frame(columns=None, index=None, library="polars")
    if arguments.is_open:
        return unknown
    names: set[object] = set(arguments.keywords)
    for value in arguments.call.args:
        alias = _alias(value)
        attributes = [
            node.attr for node in ast.walk(value) if isinstance(node, ast.Attribute)
        ]
        naming = sum(attribute in _NAMING for attribute in attributes)
        if naming != (alias is not None):
            return unknown
        if alias is None and not _UNNAMED.isdisjoint(attributes):
            return unknown
        names.add(alias)
    return frame.plus(names)


def _alias(node: ast.expr) -> str | None:
    """Return the name that an expression gives to its only column."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    func = node.func
    if not isinstance(func, ast.Attribute) or func.attr != "alias":
        return None
    return text_of(node.args[0])
