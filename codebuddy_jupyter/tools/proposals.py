"""The proposals of this kernel, and what a person has decided about each.

They are in memory alone: nothing that is stored in a notebook, a conversation or a
replay can be accepted. Nothing is inserted or run here.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ..errors import Remedy, SettingError
from ..messages import Proposal

State = Literal["waiting", "accepted", "rejected", "stale", "ran", "undone"]
"""What has become of a proposal; ``ran`` also if it ended in an error."""
Choice = Literal["insert", "edit", "run", "reject"]
"""What a person can choose; ``edit`` puts it into the notebook as ``insert`` does."""

MOST_STEPS = 5
"""Steps that follow from one question."""
MOST_KEPT = 200
"""Proposals that are kept; the oldest are forgotten first."""
MOST_PAGES = 32
"""Pages that are kept for a proposal."""
ID_BYTES = 12
CELL = "cell"
"""The page that an answer in a cell is, and ``/apply`` there."""

NOT_KNOWN = "This kernel has no such proposal: it is of an earlier one, or an old one."
NOT_SHOWN = "The page does not show the proposal as it is now."
DECIDED = {
    "accepted": "The proposal was put into the notebook already.",
    "rejected": "The proposal was rejected.",
    "stale": "The cell has changed since the proposal was made.",
    "ran": "The proposal has run already.",
    "undone": "The proposal has run, and was undone.",
}
ASK_AGAIN = Remedy("Ask again for one")


class NotCounted(SettingError):
    """A decision that does not count; the message says why."""


@dataclass
class _Entry:
    """A proposal, its state, who has shown it, and who has decided."""

    proposal: Proposal
    state: State = "waiting"
    pages: set[str] = field(default_factory=set)
    page: str = ""


class Proposals:
    """Keeps proposals and their states; any thread may use it.

    Attributes
    ----------
    watchers : list of callable
        Called with the id of a proposal whose state has changed, or that an agent has
        made, on any thread. Each open panel is among them.
    """

    def __init__(self) -> None:
        self.watchers: list[Callable[[str], None]] = []
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def add(
        self,
        code: str,
        *,
        cell: int | None = None,
        old: str | None = None,
        cell_id: str = "",
        step: int = 1,
        by_agent: bool = False,
    ) -> Proposal:
        """Keep a new proposal, which waits for a decision; parameters as its own."""
        id = secrets.token_hex(ID_BYTES)
        proposal = Proposal(id, code, cell, old, cell_id, step, by_agent)
        with self._lock:
            self._entries[id] = _Entry(proposal)
            while len(self._entries) > MOST_KEPT:
                del self._entries[next(iter(self._entries))]
        if by_agent:
            # No answer shows it.
            self._tell(id)
        return proposal

    def waiting_of_agents(self) -> list[Proposal]:
        """Return the proposals of agents about which nobody has decided."""
        waiting = []
        with self._lock:
            for entry in self._entries.values():
                if entry.proposal.by_agent and entry.state == "waiting":
                    waiting.append(entry.proposal)
        return waiting

    def state(self, id: str) -> State | None:
        """Return the state of a proposal; None if this kernel has none of this id."""
        with self._lock:
            entry = self._entries.get(id)
            return None if entry is None else entry.state

    def page(self, id: str) -> str:
        """Return the page in which it was decided; empty if it was not."""
        with self._lock:
            entry = self._entries.get(id)
            return "" if entry is None else entry.page

    def get(self, id: str) -> Proposal | None:
        """Return a proposal; None if this kernel has none of this id."""
        with self._lock:
            entry = self._entries.get(id)
            return None if entry is None else entry.proposal

    def note_shown(self, id: str, digest: str, page: str) -> None:
        """Note that a page shows a proposal, of which it has this digest."""
        with self._lock:
            entry = self._entries.get(id)
            is_right = entry is not None and entry.proposal.digest == digest
            if entry is None or not is_right or len(entry.pages) >= MOST_PAGES:
                return
            entry.pages.add(page)

    def decide(self, id: str, digest: str, page: str, choice: Choice) -> Proposal:
        """Count a decision, the first one alone; return the proposal.

        Parameters
        ----------
        id, digest
            Of the proposal as the page shows it.
        page
            The page in which it was decided.
        choice
            What was chosen.

        Raises
        ------
        NotCounted
            If there is no such proposal, the page does not show it, or it was decided
            already.
        """
        with self._lock:
            entry = self._entries.get(id)
            if entry is None:
                raise NotCounted(NOT_KNOWN, ASK_AGAIN)
            if entry.proposal.digest != digest or page not in entry.pages:
                raise NotCounted(NOT_SHOWN)
            if entry.state != "waiting":
                raise NotCounted(DECIDED[entry.state])
            entry.state = "rejected" if choice == "reject" else "accepted"
            entry.page = page
        self._tell(id)
        return entry.proposal

    def note_stale(self, id: str, page: str) -> None:
        """Note that the cell has changed; of one that was accepted, the page that
        accepted it knows that before it changes anything.
        """
        with self._lock:
            entry = self._entries.get(id)
            if entry is None or page not in entry.pages:
                return
            is_own = entry.state == "accepted" and entry.page == page
            if entry.state != "waiting" and not is_own:
                return
            entry.state = "stale"
        self._tell(id)

    def accepted_with(self, source: str) -> Proposal | None:
        """Return the latest accepted proposal whose code is that of a cell."""
        with self._lock:
            for entry in reversed(self._entries.values()):
                if entry.state != "accepted":
                    continue
                if entry.proposal.code.strip() == source.strip():
                    return entry.proposal
        return None

    def note_ran(self, id: str) -> None:
        """Note that an accepted proposal has run."""
        self._move(id, "accepted", "ran")

    def note_undone(self, id: str) -> None:
        """Note that the run of a proposal was undone."""
        self._move(id, "ran", "undone")

    def _move(self, id: str, before: State, after: State) -> None:
        with self._lock:
            entry = self._entries.get(id)
            if entry is None or entry.state != before:
                return
            entry.state = after
        self._tell(id)

    def _tell(self, id: str) -> None:
        for watcher in list(self.watchers):
            watcher(id)
