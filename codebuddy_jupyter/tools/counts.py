"""Counts over the values of frames: which are missing, and how many differ.

Only frames of pandas and polars themselves are counted, in columns whose values compare
without code of the user's, and so many values that it takes some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
# Columns of a frame.
MOST_COLUMNS = 200
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
    rows, columns = _columns(name, frame)
    total, lines, uncounted = 0, [], 0
    for number, one in enumerate(columns):
        found = one.missing() if rows * (number + 1) <= MOST_MISSING else None
        if found is None:
            uncounted += 1
        elif found:
            total += found
            lines.append(f"  {one.name}: {found:,} missing")
    heading = f"{name}: {count(rows, 'row')}, {total:,} missing values"
    if lines:
        lines.append("  the other columns: none missing")
    lines += _uncounted(uncounted)
    summary = count(total, "missing value")
    return Found(name, summary, "\n".join([heading, *lines]))


def unique_values(name: str, frame: Any) -> Found:
    """Return how many different values each column of a frame has."""
    rows, columns = _columns(name, frame)
    lines, uncounted = [], 0
    for number, one in enumerate(columns):
        found = one.unique() if rows * (number + 1) <= MOST_UNIQUE else None
        if found is None:
            uncounted += 1
        else:
            lines.append(f"  {one.name}: {count(found, 'different value')}")
    heading = f"{name}: {count(rows, 'row')}; different values in each column:"
    summary = f"different values of {count(len(lines), 'column')}"
    return Found(name, summary, "\n".join([heading, *lines, *_uncounted(uncounted)]))


def _uncounted(columns: int) -> Iterator[str]:
    if columns:
        yield f"  {count(columns, 'column')} {NOT_COUNTED}"


def _columns(name: str, frame: Any) -> tuple[int, list[_Column]]:
    """Return the number of rows, and the columns."""
    library = frame_library(frame)
    if library == "pandas":
        width = min(frame.shape[1], MOST_COLUMNS)
        return len(frame), [_of_pandas(frame, place) for place in range(width)]
    if library == "polars":
        names = frame.columns[:MOST_COLUMNS]
        return frame.height, [_of_polars(frame, one) for one in names]
    kind = name_of(type(frame))
    raise NothingThere(
        f"{name} is a {kind}: only values of pandas and polars frames are counted."
    )


def _of_pandas(frame: Any, place: int) -> _Column:
    # By position, since columns can share a name.
    series = frame.iloc[:, place]

    def missing() -> int | None:
        return int(series.isna().sum()) if _is_plain(series) else None

    def unique() -> int | None:
        return int(series.nunique()) if _is_plain(series) else None

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
    ids = set(map(id, map(type, series.tolist())))
    return ids <= {id(plain) for plain in _PLAIN}


def _of_polars(frame: Any, name: str) -> _Column:
    series = frame.get_column(name)
    is_simple = series.dtype.__class__.__name__ not in ("List", "Array", "Struct")
    is_plain = is_simple and "Object" not in str(series.dtype)

    def missing() -> int | None:
        return int(series.null_count())

    def unique() -> int | None:
        return int(series.drop_nulls().n_unique()) if is_plain else None

    return _Column(column(name), missing, unique)
