"""Find out which run belongs to which cell of the notebook, and the cell's state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from .items import Cell, Output, State
from .runs import Run, Runs
from .saved import SavedCell, SavedNotebook

# Runs of cells that are not in the notebook, the latest ones.
MAX_UNSAVED = 1_000


class _Content(NamedTuple):
    """What can change about a cell.

    It is a tuple, which is created and compared faster than a cell.
    """

    source: str
    number: int | None
    state: State
    outputs: tuple[Output, ...]
    run_source: str | None = None


class Origin(NamedTuple):
    """What a cell was made from."""

    saved: SavedCell
    run: Run
    saved_at: float
    ended: float | None


def matched_cells(
    notebook: SavedNotebook,
    runs: Runs,
    previous: Mapping[str, Cell],
    origins: dict[str, Origin] | None = None,
) -> Iterator[Cell]:
    """Yield the cells of the notebook, then those that were run and are not in it.

    An execution count in a file may be an earlier kernel's. So a cell counts as run
    only if its id was reported by the hooks, or else if the very same source was run.

    Parameters
    ----------
    notebook
        The cells as they were saved, or as the page shows them.
    runs
        What this kernel has run.
    previous
        The cells of the last call by their ids; those that have not changed are yielded
        again as the same objects.
    origins
        What those cells were made from, by their ids, if that is known; what these ones
        are made from is added.
    """
    if origins is None:
        origins = {}
    cell_ids = {cell.id for cell in notebook.cells}
    by_id, loose = _split(runs, cell_ids)
    run_of = _matched_by_source(notebook.cells, loose, by_id)
    run_of.update(by_id)
    for saved in notebook.cells:
        run = run_of.get(saved.id)
        if run is None:
            content = _content_not_run(saved)
        else:
            origin = Origin(saved, run, notebook.saved_at, run.ended)
            if saved.id in previous and _is_same(origin, origins.get(saved.id)):
                yield previous[saved.id]
                continue
            content = _content_after(saved, run, notebook.saved_at, runs)
            origins[saved.id] = origin
        yield _cell(saved.id, saved.type, content, previous)
    unsaved = _unsaved(loose, run_of.values())
    for run in unsaved[-MAX_UNSAVED:]:
        content = _Content(
            source=run.source,
            number=run.number,
            state=run.state,
            outputs=runs.outputs_of(run),
        )
        yield _cell(run.key, "code", content, previous)


def _is_same(origin: Origin, earlier: Origin | None) -> bool:
    """Return whether a cell is made from what it was made from before, and its run had
    ended then, after which nothing about it changes.
    """
    if earlier is None or earlier.ended is None:
        return False
    if origin.run is not earlier.run:
        return False
    if origin.saved is not earlier.saved:
        return False
    return origin[2:] == earlier[2:]


def _split(runs: Runs, cell_ids: set[str]) -> tuple[dict[str, Run], list[Run]]:
    """Return the runs of these cells by id, and all other runs."""
    by_id: dict[str, Run] = {}
    loose = list(runs.earlier())
    for run in runs.recorded():
        if run.id is not None and run.id in cell_ids:
            by_id[run.id] = run
        else:
            loose.append(run)
    return by_id, loose


def _matched_by_source(
    cells: Iterable[SavedCell], loose: Iterable[Run], by_id: Mapping[str, Run]
) -> dict[str, Run]:
    """Return the runs of cells that are recognised by their source alone."""
    runs_by_source: defaultdict[str, list[Run]] = defaultdict(list)
    for run in loose:
        run_source = run.source.strip()
        runs_by_source[run_source].append(run)
    cells_by_source: defaultdict[str, list[SavedCell]] = defaultdict(list)
    for cell in cells:
        if cell.type != "code" or cell.id in by_id:
            continue
        source = cell.source.strip()
        if source in runs_by_source:
            cells_by_source[source].append(cell)
    run_of: dict[str, Run] = {}
    for source, same_cells in cells_by_source.items():
        same_runs = runs_by_source[source]
        run_of.update(_paired(same_cells, same_runs))
    return run_of


def _paired(cells: Sequence[SavedCell], runs: Sequence[Run]) -> dict[str, Run]:
    """Return which of these runs belongs to which of these cells of the same source.

    A cell that was saved with the number of a run has that run; the latest other runs
    go to the other cells, in their order.
    """
    by_number = {run.number: run for run in runs}
    run_of: dict[str, Run] = {}
    other_cells = []
    for cell in cells:
        if cell.number in by_number:
            run_of[cell.id] = by_number[cell.number]
        else:
            other_cells.append(cell)
    taken = {run.number for run in run_of.values()}
    free = [run for run in runs if run.number not in taken]
    free.sort(key=_number)
    surplus = len(free) - len(other_cells)
    if surplus > 0:
        free = free[surplus:]
    # There may be fewer runs than cells.
    for cell, run in zip(other_cells, free, strict=False):
        run_of[cell.id] = run
    return run_of


def _number(run: Run) -> int:
    return run.number or 0


def _unsaved(loose: Sequence[Run], matched: Iterable[Run]) -> list[Run]:
    """Return the runs of sources that are not in the notebook, the latest last."""
    if not loose:
        return []
    matched_sources = {run.source.strip() for run in matched}
    last_runs: dict[str, Run] = {}
    for run in loose:
        source = run.source.strip()
        if source not in matched_sources:
            last_runs[source] = run
    return sorted(last_runs.values(), key=_number)


def _cell(
    id: str,
    type: Literal["code", "markdown"],
    content: _Content,
    previous: Mapping[str, Cell],
) -> Cell:
    """Return the cell: its previous object if nothing about it has changed."""
    cell = previous.get(id)
    if cell is None or cell.type != type:
        return Cell(id, type, *content)
    if _content_of(cell) != content:
        return Cell(id, type, *content)
    return cell


def _content_of(cell: Cell) -> _Content:
    return _Content(
        cell.source,
        cell.number,
        cell.state,
        cell.outputs,
        cell.run_source,
    )


def _content_not_run(saved: SavedCell) -> _Content:
    return _Content(
        source=saved.source,
        number=None,
        state="not run",
        outputs=saved.outputs,
    )


def _content_after(saved: SavedCell, run: Run, saved_at: float, runs: Runs) -> _Content:
    """Return what a cell holds after its run.

    Source and outputs are those of the file or of the run, whichever is later.
    """
    is_same = saved.source.strip() == run.source.strip()
    if _has_latest_outputs(saved, run, saved_at, is_same):
        outputs = saved.outputs
    else:
        outputs = runs.outputs_of(run)
    if is_same:
        return _Content(saved.source, run.number, run.state, outputs)
    if saved_at < (run.ended or run.started):
        # The file is older: the cell was edited, and then run.
        return _Content(run.source, run.number, run.state, outputs)
    state: State = "changed"
    if run.state == "running":
        state = "running"
    return _Content(
        source=saved.source,
        number=run.number,
        state=state,
        outputs=outputs,
        run_source=run.source,
    )


def _has_latest_outputs(
    saved: SavedCell, run: Run, saved_at: float, is_same: bool
) -> bool:
    """Return whether the file has the outputs of this run."""
    if run.ended is None:
        # Running, or from before the hooks were registered: then the file may agree.
        return is_same and saved.number == run.number
    return run.state != "running" and saved_at >= run.ended
