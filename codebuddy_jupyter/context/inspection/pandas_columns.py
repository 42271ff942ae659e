"""What the methods of a column give."""

from __future__ import annotations

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
        return Column(name, column.index) if name else Column()
    return None


def _to_frame(column: Column, arguments: Arguments) -> Value:
    named = arguments.get("name", 0)
    name = column.name if named is None else text_of(named)
    if name is None:
        return Frame(columns=None, index=None)
    index = None if column.index is None else set(column.index)
    return Frame(columns={name, 0}, index=index)


def _column_reset(column: Column, arguments: Arguments) -> Value:
    if arguments.get("drop", 1) is not None:
        return Column(column.name) if not changes_in_place(arguments) else None
    named = arguments.get("name", 2)
    name = column.name if named is None else text_of(named)
    is_known = name is not None and column.index is not None
    if not is_known or "names" in arguments.keywords or arguments.is_open:
        return Frame(columns=None, index=None)
    return Frame(columns={name, 0, *(column.index or ()), *UNNAMED_LEVELS})
