"""Frames and columns of pandas and polars as rows, and values as such.

The libraries are those of the objects; nothing is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, ClassVar

from ...errors import PromptError, Remedy
from .sources import Answers, Row, Source
from .template import ITEM

# The types of pandas that can have missing values, by the type of the others.
NULLABLE = {bool: "boolean", int: "Int64", float: "Float64"}


class PandasFrame(Source):
    """A pandas DataFrame; the keys are the labels of its index.

    Where a label stands twice in the index, the keys are the numbers of the rows.
    """

    may_append: ClassVar[bool] = False

    def __init__(self, frame: Any, pandas: Any) -> None:
        self._frame = frame
        self._pandas = pandas
        self.total = len(frame)
        self._labels = _labels(frame.columns)
        self.columns = list(self._labels)

    def rows(self, fields: Sequence[str]) -> Iterator[Row]:
        """Yield the key of each row, and the values of these columns."""
        columns = [self._frame[self._labels[name]] for name in fields]
        keys = _keys(self._frame.index)
        values = zip(*columns, strict=True)
        yield from zip(keys, values, strict=True)

    def output(self, answers: Answers) -> Any:
        """Return a Series, or a DataFrame of records, with the same index."""
        return _pandas_output(
            self._pandas,
            self._frame.index,
            answers,
            name=None,
        )


class PandasSeries(Source):
    """A pandas Series, whose field is ``{item}`` or its name."""

    def __init__(self, series: Any, pandas: Any) -> None:
        self._series = series
        self._pandas = pandas
        self.total = len(series)
        self.columns = _names_of_column(series.name)

    def rows(self, fields: Sequence[str]) -> Iterator[Row]:
        """Yield the key of each row, and its value for each field."""
        keys = _keys(self._series.index)
        for key, value in zip(keys, self._series, strict=True):
            yield key, [value] * len(fields)

    def output(self, answers: Answers) -> Any:
        """Return a Series, or a DataFrame of records, with the same index."""
        series = self._series
        return _pandas_output(
            self._pandas,
            series.index,
            answers,
            name=series.name,
        )


class PolarsFrame(Source):
    """A polars DataFrame; the keys are the numbers of its rows."""

    may_append: ClassVar[bool] = False

    def __init__(self, frame: Any, polars: Any) -> None:
        self._frame = frame
        self._polars = polars
        self.total = len(frame)
        self.columns = list(frame.columns)

    def rows(self, fields: Sequence[str]) -> Iterator[Row]:
        """Yield the number of each row, and the values of these columns."""
        selected = self._frame.select(list(fields))
        yield from enumerate(selected.iter_rows())

    def output(self, answers: Answers) -> Any:
        """Return a Series, or a DataFrame of records."""
        return _polars_output(
            self._polars,
            len(self._frame),
            answers,
            name="",
        )


class PolarsSeries(Source):
    """A polars Series, whose field is ``{item}`` or its name, or one of its structs'."""

    def __init__(self, series: Any, polars: Any) -> None:
        self._series = series
        self._polars = polars
        self.total = len(series)
        self.columns = _names_of_column(series.name)
        if series.dtype == polars.Struct:
            self.columns += [field.name for field in series.dtype.fields]

    def rows(self, fields: Sequence[str]) -> Iterator[Row]:
        """Yield the number of each row, and its value for each field."""
        for number, value in enumerate(self._series):
            if isinstance(value, dict):
                yield number, [value.get(name, value) for name in fields]
            else:
                yield number, [value] * len(fields)

    def output(self, answers: Answers) -> Any:
        """Return a Series, or a DataFrame of records."""
        return _polars_output(
            self._polars,
            len(self._series),
            answers,
            name=self._series.name,
        )


def _labels(columns: Iterable[Any]) -> dict[str, Any]:
    """Return the labels of columns by their names as a field has them.

    Raises
    ------
    PromptError
        If two have the same name.
    """
    labels: dict[str, Any] = {}
    for label in columns:
        name = label
        if not isinstance(label, str):
            name = str(label)
        if name in labels:
            rename = Remedy("Rename one of them")
            raise PromptError(f"Two columns are named {name!r}.", rename)
        labels[name] = label
    return labels


def _names_of_column(name: Any) -> list[str]:
    if isinstance(name, str) and name:
        return [ITEM, name]
    return [ITEM]


def _keys(index: Any) -> Iterable[Any]:
    keys: Iterable[Any] = index
    if not index.is_unique:
        keys = range(len(index))
    return keys


def _pandas_output(pandas: Any, index: Any, answers: Answers, name: Any) -> Any:
    total = len(index)
    if not answers.fields:
        values = answers.filled(total)
        return _pandas_series(pandas, index, values, name)
    columns = {}
    for field, values in answers.columns(total).items():
        columns[field] = _pandas_series(pandas, index, values, field)
    names = list(answers.fields)
    return pandas.DataFrame(columns, index=index, columns=names)


def _pandas_series(pandas: Any, index: Any, values: list[Any], name: Any) -> Any:
    dtype = _dtype_of(values)
    try:
        return pandas.Series(values, index=index, name=name, dtype=dtype)
    except (OverflowError, ValueError):
        # Such as whole numbers that no column of numbers can hold.
        return pandas.Series(values, index=index, name=name, dtype=object)


def _dtype_of(values: list[Any]) -> Any:
    """Return a type of pandas that tells a missing value from False and 0; None leaves
    it to pandas.
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return "Float64"
    if len(kinds) != 1:
        return object
    (kind,) = kinds
    has_missing = any(value is None for value in values)
    if kind in NULLABLE and has_missing:
        return NULLABLE[kind]
    is_plain = kind in (*NULLABLE, str)
    if is_plain or kind.__module__ == "datetime":
        return None
    return object


def _polars_output(polars: Any, total: int, answers: Answers, name: str) -> Any:
    if not answers.fields:
        return _polars_series(polars, name, answers.filled(total))
    columns = []
    for field, values in answers.columns(total).items():
        columns.append(_polars_series(polars, field, values))
    return polars.DataFrame(columns)


def _polars_series(polars: Any, name: str, values: list[Any]) -> Any:
    values = list(map(_without_enum, values))
    has_nested = any(isinstance(value, dict | list) for value in values)
    try:
        series = polars.Series(name, values, strict=True)
        # It has the keys of the first dict alone.
        is_whole = not has_nested or series.to_list() == values
    except (OverflowError, TypeError, ValueError, polars.exceptions.PolarsError):
        # Such as values of several types.
        is_whole = False
    if is_whole:
        return series
    return polars.Series(name, values, dtype=polars.Object)


def _without_enum(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value
