"""Files that hold a table, as schema and head.

Of a large one only the beginning is read.
"""

from __future__ import annotations

import csv
import importlib
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import PromptError
from .describe.text import HEAD, count, fields, table

# rows from which a text column's type is guessed
SAMPLE = 1_000
COLUMNAR = (".parquet", ".feather", ".arrow")
# columns of the head
_MOST_SHOWN = 20
_SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Table:
    """What is known of a file's table: its columns with their types, how many rows, and
    the first of them.
    """

    columns: Sequence[tuple[str, str]]
    rows: str
    head: Sequence[Sequence[Any]]

    def text(self, title: str) -> str:
        """The schema, a line for each column, and the head."""
        names, kinds = (
            [name for name, _ in self.columns],
            [kind for _, kind in self.columns],
        )
        shown = names[:_MOST_SHOWN]
        columns = [
            [row[place] if place < len(row) else "" for row in self.head]
            for place in range(len(shown))
        ]
        more = f" ({len(shown)} of the columns)" if len(shown) < len(names) else ""
        return "\n".join(
            [
                f"{title}, {self.rows}, {count(len(names), 'column')}",
                *fields(names, kinds),
                f"its first {count(len(self.head), 'row')}{more}:",
                *table(shown, columns),
            ]
        )


_INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d*)")
_FLOAT = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_DATE = re.compile(
    r"\d{4}-\d\d?-\d\d?(?:[T "
    r"]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?|\d\d?[/.]\d\d?[/.]\d{4}"
)
_KINDS = (("int", _INTEGER), ("float", _FLOAT), ("date", _DATE))
_EMPTY = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))
# characters of a number or a date
_LONGEST = 40


def read_separated(text: str, separator: str, size: int | None) -> Table | None:
    """The table that a text of separated values holds, or None where it cannot be read
    as one.

    Parameters
    ----------
    text
        The file's text, or its beginning up to the end of a line.
    separator
        What stands between cells; empty where that shall be guessed from the first
        line.
    size
        The size of the whole file in bytes where the text is only its beginning, else
        None.
    """
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator or _separator(text)
    )
    try:
        sample = [row for row in islice(reader, SAMPLE + 1) if row]
        more = sum(1 for row in reader if row)
    except csv.Error:
        # a cell without end, or a NUL
        return None
    if not sample:
        return None
    names, sample = _names(sample)
    columns = [
        (name, _kind([row[place] for row in sample if place < len(row)]))
        for place, name in enumerate(names)
    ]
    rows = len(sample) + more
    if size is None:
        return Table(columns, count(rows, "row"), sample[:HEAD])
    likely = int(round(rows * size / max(1, len(text.encode("utf-8", "replace"))), -2))
    return Table(columns, f"about {count(likely, 'row')}", sample[:HEAD])


def _separator(text: str) -> str:
    first = next((line for line in io.StringIO(text[:100_000]) if line.strip()), "")
    return max(_SEPARATORS, key=first.count)


def _names(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """The columns' names, and the rows below them; a first row with a number or a date
    in it is none of names.
    """
    first, width = rows[0], max(map(len, rows))
    if any(_kind([cell]) not in ("text", "empty") for cell in first):
        return [f"column {number}" for number in range(1, width + 1)], rows
    names = [
        cell.strip()[:80].replace("\n", " ") or f"column {number}"
        for number, cell in enumerate(first, 1)
    ]
    return names + [
        f"column {number}" for number in range(len(names) + 1, width + 1)
    ], rows[1:]


def _kind(cells: Sequence[str]) -> str:
    """The type that fits all cells of a column which are not empty."""
    full = [cell for cell in map(str.strip, cells) if cell.lower() not in _EMPTY]
    some = ", some empty" if len(full) < len(cells) else ""
    if not full:
        return "empty"
    for kind, pattern in _KINDS:
        if all(len(cell) <= _LONGEST and pattern.fullmatch(cell) for cell in full):
            return f"{kind}{some}"
    return f"text{some}"


def read_columnar(path: Path, name: str) -> Table:
    """The table in a Parquet or Feather file, read by a library of the user's
    environment.

    Raises
    ------
    PromptError
        When no library can read it; the line names what to install.
    """
    kind = "parquet" if path.suffix.lower() == ".parquet" else "feather"
    readers = _READERS[kind]
    for library in sorted(readers, key=lambda library: library not in sys.modules):
        try:
            module = importlib.import_module(library)
        except ImportError:
            continue
        try:
            return readers[library](module, str(path))
        except (
            OSError,
            ValueError,
            ArithmeticError,
            NotImplementedError,
            _error_of(module),
        ) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise PromptError(
                f"{name} cannot be read by {library}: {said[0][:200]}"
            ) from error
    raise PromptError(
        f"{name} needs a library to be read: %pip install pyarrow, or load it "
        "in a cell and mention @df."
    )


def _error_of(module: Any) -> type[Exception]:
    """The base of a library's own errors."""
    found = getattr(module, "ArrowException", None) or getattr(module, "Error", None)
    found = found or getattr(getattr(module, "exceptions", None), "PolarsError", None)
    return (
        found
        if isinstance(found, type) and issubclass(found, Exception)
        else ImportError
    )


def _parquet_by_pyarrow(pyarrow: Any, path: str) -> Table:
    parquet = importlib.import_module("pyarrow.parquet")
    # without a buffer it reads whole columns at once
    with parquet.ParquetFile(path, buffer_size=1 << 16) as file:
        schema = file.schema_arrow
        shown = [field.name for field in schema][:_MOST_SHOWN]
        batch = next(
            file.iter_batches(batch_size=HEAD, columns=shown, use_threads=False), None
        )
        return _arrow_table(schema, file.metadata.num_rows, batch)


def _feather_by_pyarrow(pyarrow: Any, path: str) -> Table:
    ipc = importlib.import_module("pyarrow.ipc")
    with pyarrow.memory_map(path) as mapped:
        reader = ipc.open_file(mapped)
        batches = reader.num_record_batches
        first = reader.get_batch(0) if batches else None
        rows = 0 if first is None else first.num_rows
        return _arrow_table(
            reader.schema,
            rows if batches < 2 else None,
            first,
            f"more than {rows:,} rows",
        )


def _arrow_table(
    schema: Any, rows: int | None, batch: Any, otherwise: str = ""
) -> Table:
    columns = [(field.name, str(field.type)) for field in schema]
    width = 0 if batch is None else min(batch.num_columns, _MOST_SHOWN)
    cells = [batch.column(place).slice(0, HEAD).to_pylist() for place in range(width)]
    return Table(
        columns,
        otherwise if rows is None else count(rows, "row"),
        list(zip(*cells, strict=True)),
    )


def _parquet_by_polars(polars: Any, path: str) -> Table:
    return _polars_table(polars, polars.scan_parquet(path))


def _feather_by_polars(polars: Any, path: str) -> Table:
    return _polars_table(polars, polars.scan_ipc(path))


def _polars_table(polars: Any, frame: Any) -> Table:
    columns = [(name, str(kind)) for name, kind in frame.collect_schema().items()]
    # from the file's own notes
    rows = frame.select(polars.len()).collect().item()
    return Table(
        columns,
        count(rows, "row"),
        frame.select(polars.all()).head(HEAD).collect().rows(),
    )


def _parquet_by_duckdb(duckdb: Any, path: str) -> Table:
    with duckdb.connect() as connection:
        file = connection.read_parquet(path)
        columns = list(zip(file.columns, map(str, file.types), strict=True))
        rows = connection.execute(
            "SELECT sum(num_rows) FROM parquet_file_metadata(?)", [path]
        ).fetchall()[0][0]
        return Table(columns, count(int(rows), "row"), file.limit(HEAD).fetchall())


_READERS: Mapping[str, Mapping[str, Callable[[Any, str], Table]]] = {
    "parquet": {
        "pyarrow": _parquet_by_pyarrow,
        "polars": _parquet_by_polars,
        "duckdb": _parquet_by_duckdb,
    },
    "feather": {"pyarrow": _feather_by_pyarrow, "polars": _feather_by_polars},
}
