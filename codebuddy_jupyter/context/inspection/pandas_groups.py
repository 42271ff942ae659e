"""What the methods of a grouped frame need of its columns, and what they give."""

from __future__ import annotations

import ast

from .abstract import (
    Arguments,
    Column,
    Frame,
    Grouped,
    Value,
    keys_in,
    text_of,
    texts_in,
    try_all_keys,
    try_all_texts,
    words,
)
from .pandas_steps import Checker

_AGGREGATIONS = words(
    """sum mean median min max std var count first last nunique prod sem size any all
    skew idxmax idxmin"""
)
"""Methods of a grouped frame that give a row for each group."""


def grouped_step(
    checker: Checker, groups: Grouped, method: str, arguments: Arguments, node: ast.AST
) -> Value:
    """Check the arguments of a grouped frame's method; return what it gives."""
    if method in ("agg", "aggregate"):
        return _grouped_agg(checker, groups, arguments, node)
    if method == "size":
        return _grouped_size(groups)
    if method in _AGGREGATIONS:
        return _per_group(groups)
    if method in ("transform", "cumsum", "cumcount", "rank", "shift", "ngroup"):
        is_column = groups.single or method in ("cumcount", "ngroup")
        return Column() if is_column else None
    if method in ("head", "tail", "nth", "sample", "filter"):
        return None if groups.single else groups.frame.copied()
    return None


def _keys(groups: Grouped) -> set[object] | None:
    return None if groups.keys is None else set(groups.keys)


def _grouped_size(groups: Grouped) -> Value:
    if groups.keys is None:
        return None
    if groups.as_index:
        return Column(0, groups.keys)
    return Frame(columns={*groups.keys, "size"})


def _per_group(groups: Grouped) -> Value:
    """Return what one aggregation gives: the columns, with the keys as their index."""
    keys = _keys(groups)
    if groups.single and groups.as_index:
        name = groups.selected[0] if groups.selected else None
        return Column(name, groups.keys)
    columns = groups.frame.columns
    if groups.selected is not None:
        columns = set(groups.selected)
    if columns is None or keys is None:
        return Frame(columns=None, index=None)
    if groups.as_index:
        return Frame(columns=columns - keys, index=keys)
    return Frame(columns=columns | keys)


def _grouped_agg(
    checker: Checker, groups: Grouped, arguments: Arguments, node: ast.AST
) -> Value:
    function = arguments.get("func", 0)
    if groups.single:
        return _column_agg(groups, function, arguments)
    frame = groups.frame
    if groups.selected is not None:
        frame = frame.derived(set(groups.selected))
    checker.check(frame, keys_in(function), node, index=False)
    if function is None:
        return _named_agg(checker, groups, frame, arguments, node)
    if text_of(function) is not None:
        return _per_group(groups)
    keys = try_all_keys(function)
    is_flat = isinstance(function, ast.Dict) and not any(
        isinstance(value, ast.List | ast.Tuple) for value in function.values
    )
    if keys is None or not is_flat:
        return Frame(columns=None, index=None)
    return _rows_of_groups(groups, keys)


def _named_agg(
    checker: Checker,
    groups: Grouped,
    frame: Frame,
    arguments: Arguments,
    node: ast.AST,
) -> Value:
    for value in arguments.keywords.values():
        if isinstance(value, ast.Tuple) and value.elts:
            checker.check(frame, texts_in(value.elts[0]), node, index=False)
    if arguments.is_open:
        return Frame(columns=None, index=None)
    return _rows_of_groups(groups, set(arguments.keywords))


def _column_agg(
    groups: Grouped, function: ast.AST | None, arguments: Arguments
) -> Value:
    if text_of(function) is not None:
        return _per_group(groups)
    if arguments.is_open:
        return Frame(columns=None, index=None)
    names = try_all_texts(function)
    if function is None:
        names = set(arguments.keywords)
    if names is None:
        return Frame(columns=None, index=None)
    return _rows_of_groups(groups, names)


def _rows_of_groups(groups: Grouped, columns: set[object]) -> Frame:
    keys = _keys(groups)
    if keys is None:
        return Frame(columns=None, index=None)
    if groups.as_index:
        return Frame(columns=columns, index=keys)
    return Frame(columns=columns | keys)
