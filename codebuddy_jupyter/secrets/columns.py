"""Secrets in tables of text: the columns whose names suggest a secret.

Knows tables with bars (Markdown, psql, DuckDB, polars, aws), separated values, and
columns that are aligned by spaces (pandas). Every row counts, also behind a line that
says that rows were left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from .languages import NAME_CHARACTER
from .names import try_name
from .spans import Span
from .table_lines import Cell, Line, Lines
from .words import Strength, are_secrets_of_column, label_of, strength_of

# Rows from which it is decided whether a table is one.
_MAX_SAMPLE = 3
# Characters of a table that is looked at once more, where it had no secrets, for a header
# further down.
_SHORT_TABLE = 400
# Bars of a header, and bars that are in the cells of a row.
_MAX_BARS = 200
_MAX_EXTRA_BARS = 3
# Lines with another number of cells, after which a table has ended.
_MAX_MISFITS = 3

_BAR = re.compile(r"(?<!\\)[|│┃║┆]")
_RULE = re.compile(r"[\s\-+=|:.╞╪═╡─┼├┤└┴┘┌┬┐━┏┳┓┡╇┩┗┻┛╋┠╂┨╔╦╗╠╬╣╚╩╝┆│]+")
_LEFT_OUT = re.compile(r"\s*(?:\[[^\[\]\n]{1,40} left out\]|[.…⋮·\s|│]+)\s*")
_NAME = re.compile(
    rf"[ \"'*`(]*{NAME_CHARACTER}(?:{NAME_CHARACTER}|[ .\-/'\u2019:#)*`\"])*"
)
# The name of a column may be one of several levels: `(a, password)`.
_NAME_BETWEEN_BARS = re.compile(
    rf"[ \"'*`(]*{NAME_CHARACTER}(?:{NAME_CHARACTER}|[ ,.\-/'\u2019:#)*`\"])*"
)
# Names of types, under or beside the names of columns.
_TYPE = re.compile(
    r"object|u?int\d*|float\d*|string|str|bool(?:ean)?|varchar|category|datetime64.*"
)
# At the end of a text in code.
_CLOSING_QUOTE = re.compile(r"(?:\"{3}|'{3}|[\"'`])[\s)\],;}]*\Z")
_SEPARATORS = "\t;,"
# What follows a name in code, but not the name of a column.
_NO_BORDER = tuple("=([.:+<>@&%!?{}")
_CODE_ROW = re.compile(
    r"\s=\s|\w\(|[(\[{]\s*\Z"
    r"|^\s*(?:def|for|if|elif|return|import|from|with|class|print|and|or)\b"
)
_TOKEN = re.compile(r"\S+")
_WIDE_TOKEN = re.compile(r"\S+(?: \S+)*")
_SERIES_END = re.compile(
    r"(?:Name: (?P<name>[^\n]{1,80}?), )?(?:Length: \d+, )?dtype: (?:object|str|category)\b"
)
_SERIES_ROW = re.compile(r"(?P<index>\S+(?: \S+)*?)?(?:[ ]{2,})(?P<value>\S.*?)[ ]*\Z")


def find_secrets_in_columns(
    text: str, names: Iterable[re.Match[str]]
) -> Iterator[Span]:
    """Find the values in columns whose names suggest a secret.

    Parameters
    ----------
    text
        The text.
    names
        What `find_names` found in it.
    """
    lines = Lines(text)
    end = 0
    for tail in names:
        if tail.start() < end or text.startswith(_NO_BORDER, tail.end()):
            continue
        if try_name(text, tail) is None:
            continue
        line, next_start = lines.at(tail.start())
        # The rest of the line is looked at with it.
        end = next_start
        spans, table_end = _table_at(lines, line, next_start)
        if spans or table_end > next_start + _SHORT_TABLE:
            end = table_end
        yield from spans
    yield from _find_secrets_in_series(text, lines)


def _table_at(lines: Lines, line: Line, next_start: int) -> tuple[list[Span], int]:
    """Return the secrets of the table of which a line is the header, and its end."""
    for candidate in (line, _behind_quote(line)):
        if candidate is None:
            continue
        for make in (_try_bars, _try_separated, _try_aligned):
            header = make(lines, candidate, next_start)
            if header is not None:
                return _read_rows(header, lines, next_start)
    return [], next_start


def _behind_quote(line: Line) -> Line | None:
    """Return what follows a quote that is open at the end of a line of code."""
    text = line.text
    last = max(text.rfind(quote) for quote in "\"'`")
    if last < 0 or text.count(text[last]) % 2 == 0:
        return None
    start = last + 1
    return Line(line.start + start, text[start:], is_behind_quote=True)


# Columns whose names suggest a secret: the index, the name and what it suggests.
_Columns = Sequence[tuple[int, str, Strength]]


class _Header:
    """The header of a table: its secret columns, by index, and how rows are read."""

    def __init__(self, columns: _Columns) -> None:
        self.columns = columns

    def try_cells(self, line: Line) -> list[Cell] | None:
        """Return the cells of the secret columns; None where the line is no row."""
        raise NotImplementedError

    def try_part(self, line: Line) -> list[Cell]:
        """Return these cells of a row whose beginning was cut off."""
        return []


def _read_rows(header: _Header, lines: Lines, start: int) -> tuple[list[Span], int]:
    """Return the secrets in the rows from a position on, and where the table ends."""
    found: list[list[Cell]] = [[] for _ in header.columns]
    end = start
    misfits = 0
    is_after_gap = False
    for line, next_start in lines.after(start):
        if not line.text.strip() or misfits >= _MAX_MISFITS:
            break
        end = next_start
        if _LEFT_OUT.fullmatch(line.text):
            is_after_gap = True
            continue
        cells = header.try_cells(line)
        if cells is None and is_after_gap:
            cells = header.try_part(line)
        is_after_gap = False
        if cells is None and not _RULE.fullmatch(line.text):
            misfits += 1
        if cells:
            misfits = 0
            for column, cell in zip(found, cells, strict=True):
                column.append(cell)
    spans: list[Span] = []
    for (_, name, strength), column in zip(header.columns, found, strict=True):
        spans += _secrets_of(column, name, strength)
    return sorted(spans, key=lambda span: span.start), end


def _secrets_of(cells: Sequence[Cell], name: str, strength: Strength) -> Iterator[Span]:
    inner = [cell.inner() for cell in cells]
    texts = [cell.text for cell in inner]
    are_secret = are_secrets_of_column(strength, texts)
    label = label_of(name, strength)
    for cell, is_secret in zip(inner, are_secret, strict=True):
        if is_secret:
            yield Span(cell.start, cell.end, label)


def _secret_columns(cells: Sequence[str], pattern: re.Pattern[str] = _NAME) -> _Columns:
    columns = []
    for index, cell in enumerate(cells):
        name = cell.strip(" \t\"'`*")
        if len(name) > 80 or not pattern.fullmatch(cell.strip()):
            continue
        strength = strength_of(name)
        if strength is not None:
            columns.append((index, name, strength))
    return columns


# Bars


class _Bars(_Header):
    def __init__(self, columns: _Columns, bars: int) -> None:
        super().__init__(columns)
        self._bars = bars

    def try_cells(self, line: Line) -> list[Cell] | None:
        borders = _bars_in(line.text)
        # A cell with a bar in it makes the line longer; what it holds is not known.
        extra = len(borders) - self._bars
        if not 0 <= extra <= _MAX_EXTRA_BARS or _RULE.fullmatch(line.text):
            return None
        edges = [-1, *borders, len(line.text)]
        cells = []
        for index, _, _ in self.columns:
            start = edges[index] + 1
            end = edges[index + 1 + extra]
            cells.append(line.cell(start, end))
        return cells

    def try_part(self, line: Line) -> list[Cell]:
        borders = _bars_in(line.text)
        return _part_of(line, borders, self)

    @property
    def width(self) -> int:
        return self._bars + 1


def _bars_in(line: str) -> list[int]:
    return [bar.start() for bar in _BAR.finditer(line)]


def _part_of(line: Line, borders: Sequence[int], header: _Bars) -> list[Cell]:
    """Return the cells of a row whose beginning was cut off."""
    missing = header.width - len(borders) - 1
    edges = [-1, *borders, len(line.text)]
    cells = []
    for index, _, _ in header.columns:
        if index < missing:
            cells.append(line.cell(0, 0))
        else:
            start = edges[index - missing] + 1
            end = edges[index - missing + 1]
            cells.append(line.cell(start, end))
    return cells


def _try_bars(lines: Lines, line: Line, next_start: int) -> _Header | None:
    bars = _bars_in(line.text)
    if not bars or len(bars) > _MAX_BARS:
        return None
    columns = _secret_columns(_BAR.split(line.text), _NAME_BETWEEN_BARS)
    if not columns:
        return None
    header = _Bars(columns, len(bars))
    before = lines.before(line)
    if before is None or _RULE.fullmatch(before.text):
        return header
    if len(_bars_in(before.text)) == len(bars):
        return None
    return header


# Separated values


class _Separated(_Header):
    def __init__(
        self,
        columns: _Columns,
        separator: str,
        width: int,
    ) -> None:
        super().__init__(columns)
        self._separator = separator
        self._width = width

    def try_cells(self, line: Line) -> list[Cell] | None:
        borders = _separators_in(line.text, self._separator)
        if len(borders) + 1 != self._width:
            return None
        edges = [-1, *borders, len(line.text)]
        cells = []
        for index, _, _ in self.columns:
            start = edges[index] + 1
            end = edges[index + 1]
            if index + 1 == self._width:
                # Of a table that is a text in code, the quotes end the last row.
                closing = _CLOSING_QUOTE.search(line.text, start)
                is_quoted = line.text.startswith(("'", '"'), start)
                if closing and not is_quoted:
                    end = closing.start()
            cells.append(line.cell(start, end))
        return cells

    def try_part(self, line: Line) -> list[Cell]:
        borders = _separators_in(line.text, self._separator)
        if len(borders) >= self._width:
            return []
        header = _Bars(self.columns, self._width - 1)
        return _part_of(line, borders, header)


def _separators_in(line: str, separator: str) -> list[int]:
    """Return where the separators are that are not inside quotes."""
    if '"' not in line:
        return [index for index, char in enumerate(line) if char == separator]
    found = []
    is_quoted = False
    for index, char in enumerate(line):
        if char == '"':
            is_quoted = not is_quoted
        elif char == separator and not is_quoted:
            found.append(index)
    return found


def _try_separated(lines: Lines, line: Line, next_start: int) -> _Header | None:
    text = line.text
    separator = next((char for char in _SEPARATORS if char in text), "")
    if not separator:
        return None
    borders = _separators_in(text, separator)
    edges = [-1, *borders, len(text)]
    cells = [text[start + 1 : end] for start, end in pairwise(edges)]
    columns = _secret_columns(cells)
    if not columns or not _are_names(cells):
        return None
    header = _Separated(columns, separator, len(cells))
    first = next(lines.after(next_start), None)
    if first is None:
        return None
    row, _ = first
    found = header.try_cells(row)
    if found is None or _CODE_ROW.search(row.text):
        return None
    if separator == "\t":
        return header
    before = lines.before(line)
    is_first = before is None or header.try_cells(before) is None
    if is_first and f"{separator} " not in text:
        return header
    # Where code and prose look like this, too, the values must look like secrets.
    for cell in found:
        value = cell.inner().text
        if any(are_secrets_of_column("token", [value])):
            return header
    return None


def _are_names(cells: Sequence[str]) -> bool:
    """Return whether all cells are names; the first may be empty, as of an index."""
    for index, cell in enumerate(cells):
        name = cell.strip()
        if not name and index:
            return False
        if name and not _NAME.fullmatch(name):
            return False
    return True


# Columns that are aligned by spaces


class _Aligned(_Header):
    def __init__(self, columns: _Columns, borders: Sequence[tuple[int, int]]) -> None:
        super().__init__(columns)
        self._borders = borders
        self.is_right: list[bool] = []

    def try_cells(self, line: Line) -> list[Cell] | None:
        matching = sum(self._edges(line.text))
        if 2 * matching < len(self._borders) or not matching:
            return None
        return [self._cell(line, index) for index, _, _ in self.columns]

    def _edges(self, line: str) -> Iterator[bool]:
        """Yield for each column whether a line has a cell with its edge."""
        for border, is_right in zip(self._borders, self.is_right, strict=True):
            yield _is_edge(line, border, is_right=is_right)

    def _cell(self, line: Line, index: int) -> Cell:
        start, end = self._borders[index]
        text = line.text
        if self.is_right[index]:
            low = 0
            if index:
                low, high = self._borders[index - 1]
                if self.is_right[index - 1]:
                    low = high
            gap = text.rfind("  ", 0, max(low, end - 1))
            if gap >= 0:
                low = max(low, gap + 2)
            return line.cell(min(low, end), min(end, len(text)))
        high = len(text)
        if index + 1 < len(self._borders) and not self.is_right[index + 1]:
            next_start, _ = self._borders[index + 1]
            high = min(high, next_start)
        gap = text.find("  ", start, high)
        if gap >= 0:
            high = gap
        return line.cell(min(start, len(text)), high)

    def is_row(self, line: Line) -> bool:
        """Return whether a line has a cell in each column."""
        if _RULE.fullmatch(line.text):
            return False
        return all(self._edges(line.text))

    def fit(self, rows: Sequence[str]) -> bool:
        """Learn on which side columns are aligned; False where they are not."""
        fitting = 0
        for border in self._borders:
            right = all(_is_edge(row, border, is_right=True) for row in rows)
            left = all(_is_edge(row, border, is_right=False) for row in rows)
            self.is_right.append(right or not left)
            fitting += right or left
        edges = list(self._edges(rows[0]))
        are_aligned = all(edges[index] for index, _, _ in self.columns)
        return are_aligned and 5 * fitting >= 4 * len(self._borders)


def _is_edge(line: str, border: tuple[int, int], *, is_right: bool) -> bool:
    """Return whether a line has a cell with the same edge as a name in the header."""
    start, end = border
    if is_right:
        has_end = end <= len(line) and not line[end - 1].isspace()
        # A quote ends a table that is a text in code.
        return has_end and (end == len(line) or line[end] in " \t\"'")
    has_start = start < len(line) and not line[start].isspace()
    return has_start and (not start or line[start - 1].isspace())


def _try_aligned(lines: Lines, line: Line, next_start: int) -> _Header | None:
    if len(line.text) > 2_000:
        return None
    sample = _sample(lines, line, next_start)
    if not sample:
        return None
    before = lines.before(line)
    for pattern in (_TOKEN, _WIDE_TOKEN):
        header = _try_aligned_by(pattern, line, sample)
        if header is None:
            continue
        # In a row further down, the line before is a row, too.
        if before is None or not header.is_row(before):
            return header
    return None


def _sample(lines: Lines, line: Line, next_start: int) -> list[str]:
    """Return the first rows under a header, without rules and names of an index."""
    rows: list[str] = []
    width = len(line.text.rstrip())
    for row, _ in lines.after(next_start):
        if len(rows) >= _MAX_SAMPLE or not row.text.strip():
            break
        if _RULE.fullmatch(row.text) or _LEFT_OUT.fullmatch(row.text):
            continue
        is_index_name = not rows and len(row.text.rstrip()) < width / 2
        if is_index_name and _TOKEN.fullmatch(row.text.strip()):
            continue
        rows.append(row.text)
    return rows


def _try_aligned_by(
    pattern: re.Pattern[str], line: Line, rows: Sequence[str]
) -> _Aligned | None:
    tokens = list(pattern.finditer(line.text.removesuffix("\\")))
    names = [token[0] for token in tokens]
    columns = _secret_columns(names)
    if not columns or any(map(_TYPE.fullmatch, names)):
        return None
    if not all(_NAME.fullmatch(name) or name in ("...", "#") for name in names):
        return None
    header = _Aligned(columns, [token.span() for token in tokens])
    if not header.fit(rows) or not _is_table(line, tokens, rows, header):
        return None
    return header


def _is_table(
    line: Line,
    tokens: Sequence[re.Match[str]],
    rows: Sequence[str],
    header: _Aligned,
) -> bool:
    """Return whether aligned words are a table rather than prose or code."""
    if any(map(_CODE_ROW.search, rows)):
        return False
    is_indented = line.text.startswith("  ")
    has_index = all(not row[0].isspace() and len(row.split()) > 1 for row in rows)
    if is_indented and has_index:
        # The index of pandas stands before the first name.
        return all(header.is_right) or len(tokens) > 1
    gaps = [right.start() - left.end() for left, right in pairwise(tokens)]
    if not gaps:
        return _is_right_column(tokens[0], rows)
    if all(gap > 1 for gap in gaps):
        return True
    if not all(header.is_right):
        return False
    return any(any(map(str.isdigit, row)) for row in rows)


def _is_right_column(name: re.Match[str], rows: Sequence[str]) -> bool:
    """Return whether a name and rows are one column that is aligned on the right alone,
    as of a frame of pandas without its index.
    """
    starts = {name.start()}
    for row in rows:
        if len(row.rstrip()) != name.end():
            return False
        starts.add(len(row) - len(row.lstrip()))
    return len(starts) > 1


# A pandas series, whose name stands under its values; or a row of a frame, as a series


def _find_secrets_in_series(text: str, lines: Lines) -> Iterator[Span]:
    position = text.find("dtype: ")
    end = 0
    while position >= 0:
        line, next_start = lines.at(position)
        match = _SERIES_END.match(line.text)
        if match:
            rows = _rows_above(lines, line, end)
            yield from _secrets_of_series(match["name"] or "", rows)
            end = next_start
        position = text.find("dtype: ", max(next_start, position + 1))


def _secrets_of_series(name: str, rows: Sequence[tuple[str, Cell]]) -> Iterator[Span]:
    strength = strength_of(name)
    if strength is not None:
        cells = [cell for _, cell in rows]
        yield from _secrets_of(cells, name, strength)
        return
    for index, cell in rows:
        strength = strength_of(index)
        if strength is not None:
            yield from _secrets_of([cell], index, strength)


def _rows_above(lines: Lines, line: Line, end: int) -> list[tuple[str, Cell]]:
    """Return the index and the value of each row above the end of a series."""
    rows = []
    above = lines.before(line)
    while above is not None and above.start >= end:
        row = _SERIES_ROW.fullmatch(above.text)
        if row is not None:
            value = above.cell(*row.span("value"))
            rows.append((row["index"] or "", value))
        elif not _LEFT_OUT.fullmatch(above.text) or not above.text.strip():
            break
        above = lines.before(above)
    return rows[::-1]
