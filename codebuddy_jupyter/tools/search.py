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
    lines = lines or list(_lines(cells, wanted.split(), safe))
    if not lines:
        raise NothingThere(f"No cell contains {text!r}.")
    titles = {title for title, _ in lines}
    found = f"{count(len(lines), 'line')} in {count(len(titles), 'cell')}"
    told = [line for _, line in lines[:MOST_LINES]]
    return Found(repr(text), found, "\n".join([f"{found} with {text!r}:", *told]))


def _lines(
    cells: Iterable[Cell], words: list[str], safe: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    for place, cell in enumerate(cells, 1):
        folded = cell.source.casefold()
        if not all(word in folded for word in words):
            continue
        title = cell.title
        if cell.number is None:
            title = f"{title} at place {place}"
        for number, line in enumerate(safe(cell.source).splitlines(), 1):
            folded = line.casefold()
            if all(word in folded for word in words):
                yield title, f"{title}, line {number}: {line.strip()[:MAX_LINE]}"


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
        for one in _like(text, texts):
            found.append(f"{name}[{column(one)}]")
    if not found:
        listed = ", ".join(columns)
        raise NothingThere(f"No column is like {text!r} in {listed}.")
    summary = count(len(found), "column")
    heading = f"Columns like {text!r}:"
    told = "\n".join([heading, *(f"  {one}" for one in found[:MOST_COLUMNS])])
    return Found(repr(text), summary, told)


def columns_of_frames(names: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the columns whose names are texts, by the variables of the frames."""
    frames = [name for name, value in names.items() if frame_library(value)]
    found = {}
    for frame in frames[:MOST_FRAMES]:
        columns = try_columns(names[frame]) or ()
        found[frame] = [one for one in columns if type(one) is str]
    return found


def _like(text: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that contain a text or mean the same, else the nearest."""
    wanted = text.casefold().strip()
    found = []
    for one in columns:
        if wanted and (wanted in one.casefold() or is_same_name(text, one)):
            found.append(one)
    if found:
        return found
    nearest = try_nearest(text, columns)
    return [] if nearest is None else [nearest]
