"""Results in a plain form, in which those of an answer and of a solution are compared."""

from __future__ import annotations

import datetime as dt
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# Digits by which numbers are sorted; those that are nearly equal come next to each other.
SORTING_DIGITS = 9


@dataclass(frozen=True)
class Form:
    """A value in plain form.

    Parameters
    ----------
    kind
        ``single``, ``duration``, ``list``, ``set``, ``dict``, ``series``, ``table`` or
        ``other``.
    rows
        The rows; each begins with its labels, if it has any that mean something.
    labels
        How many of the values of each row are labels.
    columns
        The names of a table's columns.
    """

    kind: str
    rows: tuple[tuple[Any, ...], ...] = ()
    labels: int = 0
    columns: tuple[str, ...] = ()

    @property
    def values(self) -> list[Any]:
        """All values without the labels."""
        return [value for row in self.rows for value in row[self.labels :]]

    @property
    def atoms(self) -> list[Any]:
        """All values, and the labels."""
        return [value for row in self.rows for value in row]


def form_of(value: Any) -> Form:
    """Return a value in plain form."""
    if isinstance(value, pd.DataFrame):
        return _table(value)
    if isinstance(value, pd.Series):
        labels = _labels(value.index)
        cells = [(plain(one),) for one in value.tolist()]
        return Form("series", _joined(labels, cells), _width(labels))
    if isinstance(value, pd.Timedelta | dt.timedelta | np.timedelta64):
        return Form("duration", ((pd.Timedelta(value) / pd.Timedelta(days=1),),))
    if isinstance(value, Mapping):
        rows = [(plain(key), *_flat(one)) for key, one in value.items()]
        return Form("dict", tuple(rows), 1)
    if isinstance(value, Set):
        return Form("set", tuple((plain(one),) for one in value))
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return form_of(value.item())
    if isinstance(value, np.ndarray | pd.Index | pd.api.extensions.ExtensionArray):
        return Form("list", tuple(_flat(one) for one in value.tolist()))
    if isinstance(value, list | tuple):
        return Form("list", tuple(_flat(one) for one in value))
    if value is None or not _is_single(value):
        return Form("other")
    return Form("single", ((plain(value),),))


def plain(value: Any) -> Any:
    """Return a single value as a plain one that can be compared and sorted."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | str):
        return value
    if isinstance(value, pd.Timedelta | dt.timedelta):
        return pd.Timedelta(value) / pd.Timedelta(days=1)
    if isinstance(value, dt.date):
        return pd.Timestamp(value).isoformat()
    if isinstance(value, numbers.Real) or value.__class__.__name__ == "Decimal":
        return None if math.isnan(value) else float(value)
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    return str(value)


def is_same(
    got: Form, wanted: Form, *, ordered: bool, any_names: bool, near: float
) -> bool:
    """Return whether two values are the same, up to the relative error ``near``."""
    if got.kind != wanted.kind or wanted.kind == "other":
        return False
    # Labels that mean nothing in the solution may be anything.
    if wanted.labels == 0 and got.labels:
        got = Form(
            got.kind, tuple(row[got.labels :] for row in got.rows), 0, got.columns
        )
    if got.labels != wanted.labels:
        return False
    if got.columns != wanted.columns:
        if any_names:
            got = Form(got.kind, got.rows, got.labels, wanted.columns)
        elif sorted(got.columns) == sorted(wanted.columns):
            got = _reordered(got, wanted.columns)
        else:
            return False
    if ordered:
        return are_near(got.rows, wanted.rows, near)
    return are_near(in_order(got.rows), in_order(wanted.rows), near)


def has_same_values(got: Form, wanted: Form, near: float) -> bool:
    """Return whether two forms have the same values, whatever their shape."""
    if wanted.kind == "other" or not wanted.atoms:
        return False
    pairs = [(got.atoms, wanted.atoms), (got.values, wanted.values)]
    return any(are_near(in_order(one), in_order(other), near) for one, other in pairs)


def are_near(got: Sequence[Any], wanted: Sequence[Any], near: float) -> bool:
    """Return whether all values, of rows as well, are equal or nearly so."""
    if len(got) != len(wanted):
        return False
    return all(
        is_near(one, other, near) for one, other in zip(got, wanted, strict=True)
    )


def is_near(got: Any, wanted: Any, near: float) -> bool:
    """Return whether a value is equal or, as a number, nearly so."""
    if isinstance(got, tuple) and isinstance(wanted, tuple):
        return are_near(got, wanted, near)
    if isinstance(got, float) and isinstance(wanted, float):
        return math.isclose(got, wanted, rel_tol=near, abs_tol=1e-9)
    return type(got) is type(wanted) and bool(got == wanted)


def in_order(values: Iterable[Any]) -> list[Any]:
    """Return values, or rows of them, in an order that does not depend on theirs."""
    return sorted(values, key=_sorting_key)


def _sorting_key(value: Any) -> Any:
    if isinstance(value, tuple):
        return ("row", str([_sorting_key(one) for one in value]))
    if isinstance(value, float):
        return ("number", f"{value:+.{SORTING_DIGITS}e}")
    return (type(value).__name__, str(value))


def _table(frame: pd.DataFrame) -> Form:
    labels = _labels(frame.index)
    cells = [tuple(map(plain, row)) for row in frame.itertuples(index=False, name=None)]
    columns = tuple(map(str, frame.columns))
    return Form("table", _joined(labels, cells), _width(labels), columns)


def _labels(index: pd.Index) -> list[tuple[Any, ...]]:
    """Return the labels of rows; empty tuples where they only count the rows."""
    is_named = any(name is not None for name in index.names)
    if not is_named and pd.api.types.is_integer_dtype(index.dtype):
        return [()] * len(index)
    if isinstance(index, pd.MultiIndex):
        return [tuple(map(plain, label)) for label in index.tolist()]
    return [(plain(label),) for label in index.tolist()]


def _width(labels: Sequence[tuple[Any, ...]]) -> int:
    return len(labels[0]) if labels else 0


def _joined(
    labels: Iterable[tuple[Any, ...]], cells: Iterable[tuple[Any, ...]]
) -> tuple[tuple[Any, ...], ...]:
    return tuple((*label, *row) for label, row in zip(labels, cells, strict=True))


def _flat(value: Any) -> tuple[Any, ...]:
    """Return what an item of a collection holds, in one row."""
    if _is_single(value):
        return (plain(value),)
    return tuple(form_of(value).atoms) or (str(value),)


def _is_single(value: Any) -> bool:
    return value is None or isinstance(
        value,
        str
        | numbers.Number
        | np.generic
        | dt.date
        | dt.timedelta
        | pd.Period
        | pd.Interval,
    )


def _reordered(form: Form, columns: Sequence[str]) -> Form:
    places = [form.labels + form.columns.index(name) for name in columns]
    rows = tuple(
        (*row[: form.labels], *(row[place] for place in places)) for row in form.rows
    )
    return Form(form.kind, rows, form.labels, tuple(columns))
