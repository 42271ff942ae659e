"""Counts over the values of frames: which are missing, and how many differ.

Only frames of pandas and polars themselves are counted, in columns whose values compare
without code of the user's, and so many values that it takes some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..context.describe.text import column, count
from ..context.describe.types import is_of_library, name_of
from ..context.inspection.columns import frame_library
from .look import Found, NothingThere

# Values of a frame that are counted.
MOST_MISSING = 3_000_000
MOST_UNIQUE = 300_000
# Values of a column of objects whose types are looked at first.
MOST_OBJECTS = 300_000
# Columns of a frame that are counted.
MOST_COLUMNS = 80
NOT_COUNTED = "not counted"

# The types of values in a column of objects that compare by code of Python's own.
_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})


@dataclass(frozen=True)
class _Column:
    """A column of a frame: its name as code writes it, and how to count its values;
    the counters give None where they would run other code.
    """

    name: str
    missing: Callable[[], int | None]
    unique: Callable[[], int | None]


def missing_values(name: str, frame: Any) -> Found:
    """Return how many values are missing in each column of a frame."""
    rows, columns, uncounted = _columns(name, frame)
    total = 0
    lines = []
    for number, one in enumerate(columns, 1):
        found = None
        if rows * number <= MOST_MISSING:
            found = one.missing()
        if found is None:
            uncounted += 1
        elif found:
            total += found
            lines.append(f"  {one.name}: {found:,} missing")
    if 0 < len(lines) < len(columns) - uncounted:
        lines.append("  the other columns: none missing")
    summary = count(total, "missing value")
    heading = f"{name}: {count(rows, 'row')}, {summary}"
    return Found(name, summary, _report(heading, uncounted, lines))


def unique_values(name: str, frame: Any) -> Found:
    """Return how many different values each column of a frame has."""
    rows, columns, uncounted = _columns(name, frame)
    lines = []
    for number, one in enumerate(columns, 1):
        found = None
        if rows * number <= MOST_UNIQUE:
            found = one.unique()
        if found is None:
            uncounted += 1
        else:
            lines.append(f"  {one.name}: {count(found, 'different value')}")
    heading = f"{name}: {count(rows, 'row')}; different values in each column:"
    summary = f"different values of {count(len(lines), 'column')}"
    return Found(name, summary, _report(heading, uncounted, lines))


def _report(heading: str, uncounted: int, lines: Iterable[str]) -> str:
    report = [heading]
    if uncounted:
        report.append(f"  {count(uncounted, 'column')} {NOT_COUNTED}")
    report += lines
    return "\n".join(report)


def _columns(name: str, frame: Any) -> tuple[int, list[_Column], int]:
    """Return the number of rows, the columns, and how many others there are."""
    library = frame_library(frame)
    if not library:
        kind = name_of(type(frame))
        raise NothingThere(
            f"{name} is a {kind}: only values of pandas and polars frames are counted."
        )
    of_library = _of_polars
    if library == "pandas":
        of_library = _of_pandas
    rows, width = frame.shape
    left_out = max(width - MOST_COLUMNS, 0)
    places = range(width - left_out)
    columns = [of_library(frame, place) for place in places]
    return rows, columns, left_out


def _of_pandas(frame: Any, place: int) -> _Column:
    # By position, since columns can share a name.
    series = frame.iloc[:, place]

    def missing() -> int | None:
        if not _is_plain(series):
            return None
        return int(series.isna().sum())

    def unique() -> int | None:
        if not _is_plain(series):
            return None
        return int(series.nunique())

    return _Column(column(frame.columns[place]), missing, unique)


def _is_plain(series: Any) -> bool:
    """Return whether the values of a column compare without code of the user's."""
    dtype = series.dtype
    cls = type(dtype)
    if is_of_library(cls, "pandas"):
        return cls.__name__ not in ("IntervalDtype", "SparseDtype")
    if not is_of_library(cls, "numpy"):
        return False
    if dtype.kind != "O":
        return True
    if len(series) > MOST_OBJECTS:
        return False
    # Types are compared by identity: a metaclass can define how its classes compare.
    types = map(type, series.tolist())
    ids = set(map(id, types))
    return ids <= set(map(id, _PLAIN))


def _of_polars(frame: Any, place: int) -> _Column:
    series = frame.to_series(place)
    dtype = series.dtype
    is_simple = dtype.__class__.__name__ not in ("List", "Array", "Struct")
    is_plain = is_simple and "Object" not in str(dtype)

    def missing() -> int | None:
        return int(series.null_count())

    def unique() -> int | None:
        if not is_plain:
            return None
        return int(series.drop_nulls().n_unique())

    return _Column(column(series.name), missing, unique)
