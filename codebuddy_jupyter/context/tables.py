"""Files that hold a table, as schema and first rows.

Of a large file only the beginning is read.
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

from ..errors import PromptError, Remedy
from .describe.text import HEAD, MAX_COLUMNS, count, table, tally
from .describe.types import first_line

# Rows from which the type of a column is guessed.
SAMPLE_ROWS = 1_000
COLUMNAR_SUFFIXES = (".parquet", ".feather", ".arrow")

# Columns of the first rows that are shown.
_MAX_COLUMNS = 20
# Columns whose names and types are read; a prompt has no room for more.
_MAX_TYPED_COLUMNS = 2_000
_NAME_CHARACTERS = 80
_ERROR_CHARACTERS = 200
# Characters in which the first line is looked for.
_FIRST_LINE_CHARACTERS = 100_000
_SEPARATORS = ",;\t|"
_EMPTY_CELLS = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))

_INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d*)")
_FLOAT = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_DATE = re.compile(
    r"\d{4}-\d\d?-\d\d?"
    r"(?:[T ]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d\d?[/.]\d\d?[/.]\d{4}"
)
_TYPE_PATTERNS = (("int", _INTEGER), ("float", _FLOAT), ("date", _DATE))
# Characters of a number or a date.
_MAX_VALUE_CHARACTERS = 40


@dataclass(frozen=True)
class Table:
    """What is known of the table in a file.

    ``columns`` are names with types, ``rows`` says how many there are, and ``head``
    holds the first of them. ``other_columns`` is the number of those that are not in
    ``columns``.
    """

    columns: Sequence[tuple[str, str]]
    rows: str
    head: Sequence[Sequence[Any]]
    other_columns: int = 0

    def text(self, title: str, *, with_rows: bool = True) -> str:
        """Return the schema, a line for each column, and the first rows if wanted."""
        typed = self.columns[:_MAX_TYPED_COLUMNS]
        width = len(self.columns) + self.other_columns
        names = [name for name, _ in typed]
        types = [type_name for _, type_name in typed]
        shown = names[:_MAX_COLUMNS]
        first_rows = f"its first {count(len(self.head), 'row')}"
        if len(shown) < width:
            first_rows = f"{first_rows} ({len(shown)} of the columns)"
        described = _field_lines(names, types)
        if len(names) < width:
            described.append(f"  … and {width - len(names):,} more")
        lines = [f"{title}, {self.rows}, {count(width, 'column')}", *described]
        if with_rows:
            head = self._first_columns(len(shown))
            lines += [f"{first_rows}:", *table(shown, head)]
        return "\n".join(lines)

    def _first_columns(self, width: int) -> list[list[Any]]:
        """Return the first values of each column; a short row has an empty cell."""
        columns: list[list[Any]] = [[] for _ in range(width)]
        for row in self.head:
            for index, column in enumerate(columns):
                if index < len(row):
                    column.append(row[index])
                else:
                    column.append("")
        return columns


def _field_lines(names: Sequence[str], types: Sequence[str]) -> list[str]:
    """Return a line for each column; those beyond a limit are counted by type."""
    lines = []
    listed = zip(names[:MAX_COLUMNS], types[:MAX_COLUMNS], strict=True)
    for name, type_name in listed:
        lines.append(f"  {name} {type_name}".rstrip())
    other_types = types[MAX_COLUMNS:]
    if other_types:
        lines.append(f"  … {len(other_types):,} more: {tally(other_types)}")
    return lines


def read_separated(
    text: str, separator: str, file_bytes: int | None = None
) -> Table | None:
    """Return the table in separated values, or None where they cannot be read.

    Parameters
    ----------
    text
        The file's text, or its beginning up to the end of a line.
    separator
        The character between cells; empty to guess it from the first line.
    file_bytes
        The size of the whole file if the text is only its beginning, else None.
    """
    stream = io.StringIO(text, newline="")
    delimiter = separator or _guessed_separator(text)
    reader = csv.reader(stream, delimiter=delimiter)
    try:
        # Blank lines give empty rows.
        first_rows = islice(reader, SAMPLE_ROWS + 1)
        sample = list(filter(None, first_rows))
        other_rows = sum(map(bool, reader))
    except csv.Error:
        # A cell that does not end, or a NUL.
        return None
    if not sample:
        return None
    width = max(map(len, sample))
    typed_width = min(width, _MAX_TYPED_COLUMNS)
    names, sample = _split_header(sample, typed_width)
    columns = []
    for index, name in enumerate(names):
        cells = [row[index] for row in sample if index < len(row)]
        columns.append((name, _type_of(cells)))
    rows = len(sample) + other_rows
    return Table(
        columns,
        _row_count(rows, text, file_bytes),
        head=sample[:HEAD],
        other_columns=width - len(columns),
    )


def _row_count(rows: int, text: str, file_bytes: int | None) -> str:
    """Return how many rows there are; from the beginning of a file, an estimate."""
    if file_bytes is None:
        return count(rows, "row")
    text_bytes = len(text.encode("utf-8", "replace"))
    estimate = rows * file_bytes / max(text_bytes, 1)
    # To hundreds.
    rounded = int(round(estimate, -2))
    return f"about {count(rounded, 'row')}"


def _guessed_separator(text: str) -> str:
    for line in io.StringIO(text[:_FIRST_LINE_CHARACTERS]):
        if line.strip():
            return max(_SEPARATORS, key=line.count)
    return _SEPARATORS[0]


def _split_header(
    rows: list[list[str]], width: int
) -> tuple[list[str], list[list[str]]]:
    """Return the names of so many columns, and the rows below them.

    A first row with a number or a date in it does not hold names.
    """
    first = rows[0][:width]
    types = {_type_of([cell]) for cell in first}
    if not types <= {"text", "empty"}:
        return _numbered_columns(1, width), rows
    names = []
    for number, cell in enumerate(first, 1):
        name = cell.strip()[:_NAME_CHARACTERS]
        name = name.replace("\n", " ")
        names.append(name or f"column {number}")
    names += _numbered_columns(len(names) + 1, width)
    return names, rows[1:]


def _numbered_columns(first: int, last: int) -> list[str]:
    return [f"column {number}" for number in range(first, last + 1)]


def _type_of(cells: Sequence[str]) -> str:
    """Return the type that fits all cells of a column that are not empty."""
    stripped = map(str.strip, cells)
    full = [cell for cell in stripped if cell.lower() not in _EMPTY_CELLS]
    if not full:
        return "empty"
    note = ""
    if len(full) < len(cells):
        note = ", some empty"
    if max(map(len, full)) <= _MAX_VALUE_CHARACTERS:
        for type_name, pattern in _TYPE_PATTERNS:
            if all(map(pattern.fullmatch, full)):
                return f"{type_name}{note}"
    return f"text{note}"


def read_columnar(path: Path, name: str) -> Table:
    """Return the table in a Parquet or Feather file.

    It is read by a library of the user's environment, one that is imported already if
    there is one.

    Parameters
    ----------
    path
        Where the file is.
    name
        What errors call it.

    Raises
    ------
    PromptError
        When no library can read it; the error says what to install.
    """
    file_format = "feather"
    if path.suffix.lower() == ".parquet":
        file_format = "parquet"
    readers = _READERS[file_format]
    imported_first = sorted(readers, key=lambda library: library not in sys.modules)
    for library in imported_first:
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
            _base_error(module),
        ) as error:
            raise _unreadable(name, library, error) from error
    raise PromptError(
        f"{name} cannot be read without a library for its format.",
        Remedy("Install one", "%pip install pyarrow"),
        Remedy("Load it in a cell and mention @df"),
    )


def _unreadable(name: str, library: str, error: Exception) -> PromptError:
    reason = first_line(str(error), _ERROR_CHARACTERS)
    if not reason:
        reason = type(error).__name__
    return PromptError(f"{name} cannot be read by {library}: {reason}")


def _base_error(module: Any) -> type[Exception]:
    """Return the base class of a library's own errors."""
    exceptions = getattr(module, "exceptions", None)
    candidates = (
        getattr(module, "ArrowException", None),
        getattr(module, "Error", None),
        getattr(exceptions, "PolarsError", None),
    )
    for error_class in candidates:
        if isinstance(error_class, type) and issubclass(error_class, Exception):
            return error_class
    return ImportError


def _parquet_by_pyarrow(pyarrow: Any, path: str) -> Table:
    parquet = importlib.import_module("pyarrow.parquet")
    # Without a buffer it would read whole columns at once.
    with parquet.ParquetFile(path, buffer_size=1 << 16) as file:
        schema = file.schema_arrow
        names = [field.name for field in schema]
        batches = file.iter_batches(
            batch_size=HEAD,
            columns=names[:_MAX_COLUMNS],
            use_threads=False,
        )
        rows = count(file.metadata.num_rows, "row")
        return _arrow_table(schema, rows, next(batches, None))


def _feather_by_pyarrow(pyarrow: Any, path: str) -> Table:
    ipc = importlib.import_module("pyarrow.ipc")
    with pyarrow.memory_map(path) as mapped:
        reader = ipc.open_file(mapped)
        batches = reader.num_record_batches
        if not batches:
            return _arrow_table(reader.schema, count(0, "row"), None)
        first = reader.get_batch(0)
        rows = count(first.num_rows, "row")
        if batches > 1:
            # The file does not say how many rows the other batches have.
            rows = f"more than {first.num_rows:,} rows"
        return _arrow_table(reader.schema, rows, first)


def _arrow_table(schema: Any, rows: str, batch: Any) -> Table:
    columns = [(field.name, str(field.type)) for field in schema]
    if batch is None:
        return Table(columns, rows, [])
    values = []
    width = min(batch.num_columns, _MAX_COLUMNS)
    for index in range(width):
        column = batch.column(index)
        values.append(column.slice(0, HEAD).to_pylist())
    head = list(zip(*values, strict=True))
    return Table(columns, rows, head)


def _parquet_by_polars(polars: Any, path: str) -> Table:
    return _polars_table(polars, polars.scan_parquet(path))


def _feather_by_polars(polars: Any, path: str) -> Table:
    return _polars_table(polars, polars.scan_ipc(path))


def _polars_table(polars: Any, frame: Any) -> Table:
    schema = frame.collect_schema()
    columns = [(name, str(dtype)) for name, dtype in schema.items()]
    # The file's metadata has the number of rows.
    counted = frame.select(polars.len()).collect()
    rows = count(counted.item(), "row")
    first_rows = frame.select(polars.all()).head(HEAD)
    head = first_rows.collect().rows()
    return Table(columns, rows, head)


def _parquet_by_duckdb(duckdb: Any, path: str) -> Table:
    count_rows = "SELECT sum(num_rows) FROM parquet_file_metadata(?)"
    with duckdb.connect() as connection:
        file = connection.read_parquet(path)
        types = map(str, file.types)
        columns = list(zip(file.columns, types, strict=True))
        result = connection.execute(count_rows, [path])
        (counted,) = result.fetchall()
        rows = count(int(counted[0]), "row")
        head = file.limit(HEAD).fetchall()
        return Table(columns, rows, head)


_READERS: Mapping[str, Mapping[str, Callable[[Any, str], Table]]] = {
    "parquet": {
        "pyarrow": _parquet_by_pyarrow,
        "polars": _parquet_by_polars,
        "duckdb": _parquet_by_duckdb,
    },
    "feather": {"pyarrow": _feather_by_pyarrow, "polars": _feather_by_polars},
}
