"""The runs of cells that were proposed: what each did to variables, and its undoing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ..context.buddy_cells import is_buddy_cell
from ..errors import Remedy, SettingError
from .proposals import Proposals
from .undo import Names, Undo, Undone

MOST_UNDOS = 5
"""Runs that can be undone; of older ones, nothing is kept alive."""

NOTHING_TO_UNDO = "No run of a proposed cell can be undone."
BUSY = "A cell is running. Undo when it has ended."


class _Running(NamedTuple):
    """A cell that runs: its source, and the proposal if it is one."""

    source: str
    id: str = ""
    undo: Undo | None = None


class ProposedRuns:
    """Notes what accepted proposals do when they run as cells.

    Parameters
    ----------
    proposals
        The proposals of this kernel.
    """

    def __init__(self, proposals: Proposals) -> None:
        self._proposals = proposals
        self._running: list[_Running] = []
        self._undos: OrderedDict[str, Undo] = OrderedDict()
        self._copies: dict[str, tuple[str, ...]] = {}

    def keep_copies(self, id: str, names: Collection[str]) -> None:
        """Let the run of a proposal begin with copies of these objects."""
        self._copies = {id: tuple(names)}

    def begin(self, source: str, names: Mapping[str, Any]) -> None:
        """Note that a cell is about to run, in the thread that runs it."""
        proposal = self._proposals.accepted_with(source)
        if proposal is None:
            self._running.append(_Running(source))
            return
        copies = self._copies.pop(proposal.id, ())
        undo = Undo(proposal.code, names, copies)
        self._running.append(_Running(source, proposal.id, undo))

    def end(self, source: str, names: Mapping[str, Any]) -> None:
        """Note that a cell has run."""
        sources = [running.source for running in self._running]
        if source not in sources:
            return
        # A cell can run others, whose ends can be missed.
        while True:
            running = self._running.pop()
            if running.source == source:
                break
        if running.undo is None:
            return
        running.undo.end(names)
        self._undos[running.id] = running.undo
        while len(self._undos) > MOST_UNDOS:
            self._undos.popitem(last=False)
        self._proposals.note_ran(running.id)

    def can_undo(self, id: str) -> bool:
        """Return whether the run of a proposal can be undone."""
        return id in self._undos

    def undo(self, names: Names, id: str = "") -> Undone:
        """Undo a run.

        Parameters
        ----------
        names
            The variables.
        id
            The proposal that ran; empty: the one that ran last.

        Raises
        ------
        SettingError
            If it cannot be undone, or a cell is running that is not the buddy's.
        """
        sources = [running.source for running in self._running]
        if not all(map(is_buddy_cell, sources)):
            raise SettingError(BUSY)
        if not id:
            id = next(reversed(self._undos), "")
        undo = self._undos.pop(id, None)
        if undo is None:
            remedy = Remedy("Let the model propose something", "%%buddy --propose")
            raise SettingError(NOTHING_TO_UNDO, remedy)
        undone = undo.undo(names)
        self._proposals.note_undone(id)
        return undone
