"""Where an empty frame lost its rows, as far as the variables and the cells tell."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from .cell_code import cell_code
from .columns import frame_library
from .merge_hints import merge_hints

# Cells that are looked at, the latest first, and characters of each.
MAX_CELLS = 200
MAX_CELL = 5_000
# Steps back from the empty frame.
MAX_STEPS = 6
# Characters of the code that a line shows.
MAX_CODE = 80


class Step(NamedTuple):
    """An assignment in a cell."""

    cell: int
    name: str
    value: ast.expr


Cells = Sequence[tuple[int, str]]
"""The cells that ran, in that order: their numbers and sources."""


def lost_rows(name: str, names: Mapping[str, object], cells: Cells) -> Iterator[str]:
    """Yield lines about where a frame that is empty lost its rows.

    Parameters
    ----------
    name
        The variable that holds it.
    names
        The kernel's variables.
    cells
        The cells that ran.
    """
    seen: set[str] = set()
    for _ in range(MAX_STEPS):
        step = _try_step(name, cells)
        if step is None or name in seen:
            return
        seen.add(name)
        sources = _frames_in(step.value, names)
        sources.pop(name, None)
        empty = [source for source, rows in sources.items() if not rows]
        if not empty:
            yield _line(step, sources)
            yield from merge_hints(step.value, names)
            return
        name = empty[0]


def is_empty_frame(value: object) -> bool:
    """Return whether this is a frame without rows, of a known library's own class."""
    return bool(frame_library(value)) and rows_of(value) == 0


def rows_of(frame: Any) -> int:
    """Return how many rows a frame has."""
    rows: int = frame.shape[0]
    return rows


def _line(step: Step, sources: Mapping[str, int]) -> str:
    source = ast.unparse(step.value)
    code = " ".join(source.split())
    if len(code) > MAX_CODE:
        code = f"{code[:MAX_CODE]}…"
    line = f"{step.name} has 0 rows since In[{step.cell}]: {step.name} = {code}"
    counts = [f"{frame} has {rows:,} rows" for frame, rows in sources.items()]
    if not counts:
        return line
    return f"{line} ({', '.join(counts)})"


def _try_step(name: str, cells: Cells) -> Step | None:
    """Return the latest assignment of a name in the cells that ran."""
    for number, source in reversed(cells[-MAX_CELLS:]):
        if len(source) > MAX_CELL or name not in source:
            continue
        value = _assigned(source, name)
        if value is not None:
            return Step(number, name, value)
    return None


@lru_cache(maxsize=128)
def _assigned(source: str, name: str) -> ast.expr | None:
    """Return what a cell assigns to a name last."""
    tree = cell_code(source).tree
    if tree is None:
        return None
    value = None
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == name:
                value = node.value
    return value


def _frames_in(node: ast.AST, names: Mapping[str, object]) -> dict[str, int]:
    """Return the frames that an expression uses, with how many rows they have now."""
    frames: dict[str, int] = {}
    for part in ast.walk(node):
        if not isinstance(part, ast.Name):
            continue
        value = names.get(part.id)
        if frame_library(value):
            frames[part.id] = rows_of(value)
    return dict(sorted(frames.items()))
