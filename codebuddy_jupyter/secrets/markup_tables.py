"""Secrets in tables of HTML: the columns and rows whose names suggest a secret."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .spans import Span
from .words import Strength, are_secrets_of_column, label_of, strength_of

_TAG = re.compile(r"<(?P<end>/?)(?P<name>table|tr|t[dh])\b[^<>]{0,400}>", re.IGNORECASE)
_OTHER_TAGS = re.compile(r"<[^<>]{0,400}>")
_MAX_NAME = 80
_MAX_CELL = 4_000


class _Cell(NamedTuple):
    is_header: bool
    start: int
    end: int
    text: str


def find_secrets_in_markup(text: str) -> Iterator[Span]:
    """Find the values in cells of HTML beside or under a name that suggests a secret."""
    if "<t" not in text and "<T" not in text:
        return
    table: list[list[_Cell]] = []
    for row in _rows(text):
        if row is None:
            yield from _secrets_in(table)
            table = []
        else:
            table.append(row)
    yield from _secrets_in(table)


def _rows(text: str) -> Iterator[list[_Cell] | None]:
    """Return each row as its cells; None where a table starts or ends."""
    row: list[_Cell] = []
    cell_start = -1
    is_header = False
    for tag in _TAG.finditer(text):
        name = tag["name"].lower()
        if cell_start >= 0:
            row.append(_cell(text, is_header, cell_start, tag.start()))
            cell_start = -1
        if name in ("td", "th"):
            if not tag["end"]:
                cell_start = tag.end()
                is_header = name == "th"
            continue
        if row:
            yield row
            row = []
        if name == "table":
            yield None
    if cell_start >= 0:
        row.append(_cell(text, is_header, cell_start, len(text)))
    if row:
        yield row


def _cell(text: str, is_header: bool, start: int, end: int) -> _Cell:
    """Return a cell, without the tags and the white space around its text."""
    raw = text[start : min(end, start + _MAX_CELL)]
    content = html.unescape(_OTHER_TAGS.sub("", raw)).strip()
    end = start + len(raw)
    while True:
        left = len(raw) - len(raw.lstrip())
        opening = _OTHER_TAGS.match(raw, left)
        if opening is None:
            break
        raw = raw[opening.end() :]
        start += opening.end()
    left = len(raw) - len(raw.lstrip())
    closing = raw.find("<", left)
    stop = len(raw.rstrip()) if closing < 0 else closing
    return _Cell(is_header, start + left, min(end, start + stop), content)


def _secrets_in(table: Sequence[list[_Cell]]) -> Iterator[Span]:
    columns: list[tuple[int, str, Strength]] = []
    values: list[list[_Cell]] = []
    for index, row in enumerate(table):
        named = _named(row)
        is_header = bool(named) and (not index or all(cell.is_header for cell in row))
        if is_header and len(row) > 1 and not _is_pair(row):
            yield from _secrets_of(columns, values)
            columns, values = named, [[] for _ in named]
            continue
        if is_header and not index and len(table) > 1 and len(row) == 1:
            columns, values = named, [[] for _ in named]
            continue
        for (column, _, _), found in zip(columns, values, strict=True):
            if column < len(row):
                found.append(row[column])
        if _is_pair(row) and not columns:
            yield from _secrets_of(named[:1], [row[1:]])
    yield from _secrets_of(columns, values)


def _named(row: Sequence[_Cell]) -> list[tuple[int, str, Strength]]:
    named = []
    for index, cell in enumerate(row):
        strength = strength_of(cell.text) if len(cell.text) <= _MAX_NAME else None
        if strength is not None:
            named.append((index, cell.text, strength))
    return named


def _is_pair(row: Sequence[_Cell]) -> bool:
    """Return whether a row is a name and its value, as in a table without a header."""
    return len(row) == 2 and not row[1].is_header and bool(_named(row[:1]))


def _secrets_of(
    columns: Sequence[tuple[int, str, Strength]], values: Sequence[Sequence[_Cell]]
) -> Iterator[Span]:
    for (_, name, strength), cells in zip(columns, values, strict=True):
        secret = are_secrets_of_column(strength, [cell.text for cell in cells])
        for cell, is_secret in zip(cells, secret, strict=True):
            if is_secret:
                yield Span(cell.start, cell.end, label_of(name, strength))
