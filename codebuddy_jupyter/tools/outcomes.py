"""What became of proposals, and what their runs gave, for a model or an agent. Nothing is
decided or run here.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AnySet
from typing import NamedTuple

from ..context.collector import Collector
from ..context.items import Cell, Section
from ..context.outputs import shorten
from ..context.session import Session
from ..markdown.safe import fence
from ..messages import Proposal
from .look import Found, NothingThere
from .proposals import NOT_KNOWN, Proposals, State
from .proposing import title_of

MOST_OUTPUT = 1_200
"""Characters of a run's output that an agent is told."""

NAMES: dict[State, str] = {"accepted": "inserted"}
"""What agents are told as a state, where it has another name."""
MEANINGS: dict[State, str] = {
    "waiting": "The user has not decided about it.",
    "accepted": (
        "The user put it into the notebook, as it is or edited. No run of it as it is "
        "has ended."
    ),
    "rejected": "The user does not want it.",
    "stale": "The cell has changed since you proposed it, so nothing was done.",
    "ran": "The user ran it.",
    "undone": "The user ran it, and took back what it did to variables.",
}
FAILED = "The user ran it, and it failed."
NO_VALUES = "Outputs are not told: the user has not allowed that."
NO_OUTPUT = "It has shown nothing, or its cell has changed since."


class Outcome(NamedTuple):
    """What a run gave: whether it failed, and its output as far as that may be told."""

    has_failed: bool
    output: str


def try_outcome(
    session: Session | None, proposal: Proposal, sections: AnySet[Section]
) -> Outcome | None:
    """Return what the last run of a proposal gave; None if no cell has its code.

    Parameters
    ----------
    session
        Knows the cells, if there is any notebook.
    proposal
        What was proposed.
    sections
        The sections of the context that may be told.
    """
    code = proposal.code.strip()
    cell = try_latest(session, lambda cell: cell.source.strip() == code)
    if cell is None:
        return None
    texts = []
    if "outputs" in sections:
        texts.append(cell.shown_text)
    if "error" in sections:
        texts.append(cell.error_text)
    output = "\n".join(filter(None, texts))
    return Outcome(cell.state == "failed", output)


def try_latest(session: Session | None, is_it: Callable[[Cell], bool]) -> Cell | None:
    """Return the cell that ran last of those for which this holds."""
    if session is None:
        return None
    found = [cell for cell in session.notebook().cells if is_it(cell)]
    return max(found, key=lambda cell: cell.number or 0, default=None)


class Outcomes:
    """Tells agents what became of what they proposed.

    Parameters
    ----------
    collector
        Knows the kernel.
    proposals
        The proposals of this kernel.
    sections
        The sections of the context that may be told.
    safe
        Redacts secrets in a text and makes it inert: before it is cut, since a part of
        a secret may not look like one.
    """

    def __init__(
        self,
        collector: Collector,
        proposals: Proposals,
        sections: AnySet[Section],
        safe: Callable[[str], str],
    ) -> None:
        self._collector = collector
        self._proposals = proposals
        self._sections = sections
        self._safe = safe

    def proposal(self, id: str) -> Found:
        """Tell what became of code that you proposed, by the id that you were given:
        whether it waits for the user, was inserted, ran and with what output, was
        rejected, or is stale.
        """
        proposal = self._proposals.get(id)
        state = self._proposals.state(id)
        if proposal is None or state is None or not proposal.by_agent:
            raise NothingThere(NOT_KNOWN)
        if state == "ran":
            meaning = self._of_run(proposal)
        else:
            meaning = MEANINGS[state]
        name = NAMES.get(state, state)
        return Found(title_of(proposal), name, f"{name}: {meaning}")

    def _of_run(self, proposal: Proposal) -> str:
        with self._collector.reading() as session:
            outcome = try_outcome(session, proposal, self._sections)
        if outcome is None:
            return f"{MEANINGS['ran']} {NO_OUTPUT}"
        # Of an error, agents are told what the look at it would tell.
        parts = [MEANINGS["ran"]]
        if outcome.has_failed and "error" in self._sections:
            parts = [FAILED]
        if outcome.output:
            output = shorten(self._safe(outcome.output), MOST_OUTPUT)
            shown = f"Its output:\n{fence(output)}"
            parts.append(shown.rstrip())
        if "outputs" not in self._sections:
            parts.append(NO_VALUES)
        elif not outcome.output:
            parts.append(NO_OUTPUT)
        return "\n".join(parts)
