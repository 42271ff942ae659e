"""Tables of pyarrow and relations of DuckDB as rows, and values as such.

Neither can carry anything besides columns, so the errors are a column, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from .sources import Answers, Row, Source

# Rows that are turned into Python's values at once.
BATCH = 512
VALUE = "value"
ERROR = "error"


class ArrowTable(Source):
    """A table or a batch of records of pyarrow; the keys are the numbers of its rows."""

    may_append: ClassVar[bool] = False

    def __init__(self, table: Any, pyarrow: Any) -> None:
        self._table = table
        self._pyarrow = pyarrow
        self.total = table.num_rows
        self.columns = list(table.schema.names)

    def rows(self, fields: Sequence[str]) -> Iterator[Row]:
        """Yield the number of each row, and the values of these columns."""
        selected = self._table.select(list(fields))
        for start in range(0, self._table.num_rows, BATCH):
            batch = selected.slice(start, BATCH)
            columns = batch.to_pydict()
            in_order = [columns[name] for name in fields]
            values = zip(*in_order, strict=True)
            yield from enumerate(values, start)

    def output(self, answers: Answers) -> Any:
        """Return a table of the values, or of the fields of records, and the errors."""
        total = self._table.num_rows
        return arrow_output(self._pyarrow, total, answers)


class ArrowColumn(Source):
    """An array of pyarrow, in chunks or in one."""

    def __init__(self, column: Any, pyarrow: Any) -> None:
        self._column = column
        self._pyarrow = pyarrow
        self.total = len(column)

    def rows(self, fields: Sequence[str]) -> Iterator[Row]:
        """Yield the number of each row, and its value for each field."""
        for start in range(0, len(self._column), BATCH):
            batch = self._column.slice(start, BATCH)
            for number, value in enumerate(batch.to_pylist(), start):
                yield number, [value] * len(fields)

    def output(self, answers: Answers) -> Any:
        """Return a table of the values, or of the fields of records, and the errors."""
        total = len(self._column)
        return arrow_output(self._pyarrow, total, answers)


class DuckRelation(Source):
    """A relation of DuckDB, which is executed once."""

    may_append: ClassVar[bool] = False

    def __init__(self, relation: Any, duckdb: Any) -> None:
        self._relation = relation
        self._duckdb = duckdb
        self.columns = list(relation.columns)

    def rows(self, fields: Sequence[str]) -> Iterator[Row]:
        """Yield the number of each row, and the values of these columns."""
        names = list(self._relation.columns)
        places = [names.index(name) for name in fields]
        for number, values in enumerate(_rows_of(self._relation)):
            yield number, [values[place] for place in places]

    def output(self, answers: Answers) -> Any:
        """Return a relation of the values, or of the fields of records, and the errors,
        in DuckDB's default connection.
        """
        columns, errors = _columns(answers, len(answers.values))
        parts = []
        for name in columns:
            kind = "::VARCHAR" if name == errors else ""
            parts.append(f'unnest(?){kind} AS "{name}"')
        query = "SELECT " + ", ".join(parts)
        values = [self._storable(column) for column in columns.values()]
        return self._duckdb.sql(query, params=values)

    def _storable(self, values: list[Any]) -> list[Any]:
        """Return values that DuckDB can hold; of others, such as members of an enum,
        their texts.
        """
        duckdb = self._duckdb
        try:
            duckdb.sql("SELECT unnest(?)", params=[values])
        except (duckdb.Error, OverflowError, TypeError, ValueError):
            return list(map(_text, values))
        return values


def _rows_of(relation: Any) -> Iterator[Sequence[Any]]:
    """Yield the rows of a relation, which are not all in memory at once."""
    # Not of the relation itself, where a column could have this name.
    iter_rows = getattr(type(relation), "iter_rows", None)
    if iter_rows is not None:
        yield from iter_rows(relation)
        return
    # Before DuckDB 2.
    relation.execute()
    while batch := relation.fetchmany(BATCH):
        yield from batch


def arrow_output(pyarrow: Any, total: int, answers: Answers) -> Any:
    """Return a table of pyarrow of so many rows."""
    columns, errors = _columns(answers, total)
    arrays = {}
    for name, values in columns.items():
        arrays[name] = _array(pyarrow, values)
    arrays[errors] = arrays[errors].cast(pyarrow.string())
    return pyarrow.table(arrays)


def _columns(answers: Answers, total: int) -> tuple[dict[str, list[Any]], str]:
    """Return the columns, and the name of the last, which has the errors."""
    if answers.fields:
        columns = answers.columns(total)
    else:
        columns = {VALUE: answers.filled(total)}
    name = ERROR
    while name in columns:
        name += "_"
    return {**columns, name: answers.texts_of_errors(total)}, name


def _array(pyarrow: Any, values: list[Any]) -> Any:
    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowException, OverflowError, TypeError, ValueError):
        # Such as members of an enum.
        texts = map(_text, values)
        return pyarrow.array(texts, pyarrow.string())


def _text(value: Any) -> str | None:
    if value is None:
        return None
    # A model can write half of a surrogate pair, which no library takes as text.
    return str(value).encode("utf-8", "replace").decode()
