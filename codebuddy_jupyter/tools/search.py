"""Searches in the notebook: lines of its cells, and columns of its frames, by words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..context.describe.text import column, count
from ..context.inspection.columns import frame_library, try_columns
from ..context.inspection.names import is_same_name, try_nearest
from ..context.items import Cell
from .look import Found, NothingThere

# Lines and columns that are told, and characters of a line.
MOST_LINES = 40
MOST_COLUMNS = 60
MAX_LINE = 160
# Frames whose columns are compared.
MOST_FRAMES = 200


def lines_with(text: str, cells: Iterable[Cell], safe: Callable[[str], str]) -> Found:
    """Return the lines of cells that contain a text, else those with all its words.

    Parameters
    ----------
    text
        What is searched for, in any case.
    cells
        The cells.
    safe
        Redacts secrets; of a line alone they could not be recognised.

    Raises
    ------
    NothingThere
        If there are none.
    """
    wanted = text.casefold().strip()
    if not wanted:
        raise NothingThere("search_cells needs a text to search for.")
    cells = list(cells)
    lines = list(_lines(cells, [wanted], safe))
    if not lines:
        words = wanted.split()
        lines = list(_lines(cells, words, safe))
    if not lines:
        raise NothingThere(f"No cell contains {text!r}.")
    titles = {title for title, _ in lines}
    line_count = count(len(lines), "line")
    cell_count = count(len(titles), "cell")
    summary = f"{line_count} in {cell_count}"
    heading = f"{summary} with {text!r}:"
    shown = [line for _, line in lines[:MOST_LINES]]
    return Found(repr(text), summary, "\n".join([heading, *shown]))


def _lines(
    cells: Iterable[Cell], words: list[str], safe: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    for place, cell in enumerate(cells, 1):
        if not _has_all(words, cell.source):
            continue
        title = cell.title
        if cell.number is None:
            title = f"{title} at place {place}"
        lines = safe(cell.source).splitlines()
        for number, line in enumerate(lines, 1):
            if _has_all(words, line):
                shown = line.strip()[:MAX_LINE]
                yield title, f"{title}, line {number}: {shown}"


def _has_all(words: list[str], text: str) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


def columns_like(text: str, names: Mapping[str, Any]) -> Found:
    """Return the columns of frames whose names are like a text.

    Raises
    ------
    NothingThere
        If there are none.
    """
    columns = columns_of_frames(names)
    if not columns:
        raise NothingThere("There is no pandas or polars frame with columns.")
    found = []
    for name, texts in columns.items():
        for column_name in _like(text, texts):
            found.append(f"{name}[{column(column_name)}]")
    if not found:
        listed = ", ".join(columns)
        raise NothingThere(f"No column is like {text!r} in {listed}.")
    report = [f"Columns like {text!r}:"]
    for place in found[:MOST_COLUMNS]:
        report.append(f"  {place}")
    summary = count(len(found), "column")
    return Found(repr(text), summary, "\n".join(report))


def columns_of_frames(names: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the columns whose names are texts, by the variables of the frames."""
    frames = [name for name, value in names.items() if frame_library(value)]
    found = {}
    for frame in frames[:MOST_FRAMES]:
        columns = try_columns(names[frame]) or ()
        found[frame] = [text for text in columns if type(text) is str]
    return found


def _like(text: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that contain a text or mean the same, else the nearest."""
    wanted = text.casefold().strip()
    found = []
    if wanted:
        for name in columns:
            if wanted in name.casefold() or is_same_name(text, name):
                found.append(name)
    if found:
        return found
    nearest = try_nearest(text, columns)
    if nearest is None:
        return []
    return [nearest]
