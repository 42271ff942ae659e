"""What the methods of a column give."""

from __future__ import annotations

import ast

from .abstract import UNNAMED_LEVELS, Arguments, Column, Frame, Value, text_of, words
from .pandas_steps import changes_in_place

_OF_SAME_ROWS = words(
    """abs astype bfill clip copy cummax cummin cumprod cumsum diff dropna ffill fillna
    head interpolate isin isna isnull map mask notna notnull pct_change rank replace
    round sample shift sort_index sort_values tail where between eq ne lt le gt ge
    duplicated"""
)
"""Methods of a column that give another one of the same frame."""


def column_step(column: Column, method: str, arguments: Arguments) -> Value:
    """Return what a column's method gives."""
    if method in _OF_SAME_ROWS:
        return Column(column.name, column.index)
    if method == "to_frame":
        return _to_frame(column, arguments)
    if method == "reset_index":
        return _column_reset(column, arguments)
    if method == "value_counts":
        if column.name is None:
            return Column("count")
        return Column("count", frozenset({column.name, "proportion"}))
    if method == "rename":
        name = text_of(arguments.get("index", 0))
        if not name:
            return Column()
        return Column(name, column.index)
    return None


def _to_frame(column: Column, arguments: Arguments) -> Value:
    name = _name_in_frame(column, arguments.get("name", 0))
    if name is None:
        return Frame(columns=None, index=None)
    index = None if column.index is None else set(column.index)
    return Frame(columns={name, 0}, index=index)


def _column_reset(column: Column, arguments: Arguments) -> Value:
    if arguments.get("drop", 1) is not None:
        if changes_in_place(arguments):
            return None
        return Column(column.name)
    name = _name_in_frame(column, arguments.get("name", 2))
    levels = column.index
    if name is None or levels is None:
        return Frame(columns=None, index=None)
    if "names" in arguments.keywords or arguments.is_open:
        return Frame(columns=None, index=None)
    return Frame(columns={name, 0, *levels, *UNNAMED_LEVELS})


def _name_in_frame(column: Column, named: ast.expr | None) -> object:
    """Return the name of a column in a frame that is made of it, None if not known."""
    if named is None:
        return column.name
    return text_of(named)
