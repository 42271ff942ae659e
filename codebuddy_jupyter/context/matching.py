"""Which run belongs to which cell of the notebook, and what that makes of the cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from .items import Cell, Output, State
from .runs import Run, Runs
from .saved import Saved, SavedCell

CommandOutput: TypeAlias = tuple[str, int | None, State, tuple[Output, ...], str | None]

# runs of cells that are not in the notebook
APPENDED = 1_000


def matched(saved: Saved, runs: Runs, before: Mapping[str, Cell]) -> Iterator[Cell]:
    """The cells of the notebook with what was run of them; then the runs of cells that
    are not in it.

    An execution count in a file may be an earlier kernel's. So a cell was run when its
    id was seen to be run, or else when the very same source was. A cell that is as it
    was ``before`` (by id) is that very object.
    """
    recorded = runs.recorded()
    ids = {cell.id for cell in saved.cells}
    known = {run.id: run for run in recorded if run.id is not None and run.id in ids}
    loose = [*runs.earlier(), *(run for run in recorded if run.id not in ids)]
    found = {**_by_source(saved.cells, loose, known), **known}
    for cell in saved.cells:
        run = found.get(cell.id)
        told = (
            _after(cell, run, saved.at, runs)
            if run
            else (cell.source, None, "not run", cell.outputs, None)
        )
        yield _cell(before, cell.id, cell.type, *told)
    placed = {run.source.strip() for run in found.values()} if loose else set()
    rest = {
        source: run for run in loose if (source := run.source.strip()) not in placed
    }
    for run in sorted(rest.values(), key=lambda run: run.number or 0)[-APPENDED:]:
        yield _cell(
            before,
            run.key,
            "code",
            run.source,
            run.number,
            run.state,
            runs.outputs_of(run),
            None,
        )


def _by_source(
    cells: Iterable[SavedCell], loose: Iterable[Run], known: Mapping[str, Run]
) -> dict[str, Run]:
    """The runs of cells whose ids were not seen.

    Of cells with the same source, a run's own number decides first.
    """
    by_source: defaultdict[str, list[Run]] = defaultdict(list)
    for run in loose:
        by_source[run.source.strip()].append(run)
    alike: defaultdict[str, list[SavedCell]] = defaultdict(list)
    for cell in cells:
        if (
            cell.type == "code"
            and cell.id not in known
            and (source := cell.source.strip()) in by_source
        ):
            alike[source].append(cell)
    found: dict[str, Run] = {}
    for source, same in alike.items():
        found.update(_paired(same, by_source[source]))
    return found


def _paired(cells: Sequence[SavedCell], runs: Sequence[Run]) -> dict[str, Run]:
    numbered = {run.number: run for run in runs}
    found: dict[str, Run] = {
        cell.id: numbered[cell.number] for cell in cells if cell.number in numbered
    }
    taken = {run.number for run in found.values()}
    left = [cell for cell in cells if cell.id not in found]
    free = [run for run in runs if run.number not in taken]
    latest = sorted(free, key=lambda run: run.number or 0)[-len(left) :] if left else []
    found.update(zip((cell.id for cell in left), latest, strict=False))
    return found


def _cell(
    before: Mapping[str, Cell],
    id: str,
    type: Literal["code", "markdown"],
    *told: *CommandOutput,
) -> Cell:
    was = before.get(id)
    if (
        was
        and was.type == type
        and (was.source, was.number, was.state, was.outputs, was.run_source) == told
    ):
        return was
    return Cell(id, type, *told)


def _after(cell: SavedCell, run: Run, at: float, runs: Runs) -> CommandOutput:
    """The cell after its run; of cell and run, the later one has the source and the
    outputs as they are now.
    """
    same = cell.source == run.source or cell.source.strip() == run.source.strip()
    newer = run.state != "running" and run.ended is not None and at >= run.ended
    # nobody looked, and the file agrees
    as_run = run.ended is None and same and cell.number == run.number
    outputs = cell.outputs if newer or as_run else runs.outputs_of(run)
    if same or at < (run.ended or run.started):
        return cell.source if same else run.source, run.number, run.state, outputs, None
    state: State = "running" if run.state == "running" else "changed"
    return cell.source, run.number, state, outputs, run.source
