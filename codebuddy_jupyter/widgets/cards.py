"""The proposals of answers as cards in the page, and what users decide there.

A page says which cards it shows; only these can be decided in it. What a decision means
for the notebook is done by the page that decided, and by no other.
"""

from __future__ import annotations

from collections.abc import Callable

from ..buddy import Buddy
from ..commands.undo import undo_run, undone_lines
from ..context.describe.text import size
from ..context.inert import inert
from ..errors import BuddyError, SettingError
from ..markdown.difference import diff_rows
from ..markdown.safe import fence
from ..messages import Proposal
from ..question.options import sections_of
from ..tools.outcomes import try_latest, try_outcome
from ..tools.proposals import DECIDED, MOST_STEPS, NOT_KNOWN
from ..tools.proposing import title_of
from ..tools.undo import copyable
from .protocol import (
    ActMessage,
    CardFields,
    CardMessage,
    ChatMessage,
    DecideRequest,
    ShowedRequest,
    UndoRequest,
    problem_of,
)

MOST_OUTPUT = 2_000
"""Characters of a run's output that the model reads."""

RAN = "The cell that you proposed has run."
FAILED = "The cell that you proposed has run and failed."
NEXT = (
    "If the task is not done, propose the next step; otherwise say in a sentence or two "
    "what came out."
)
NOT_RUN = "The proposal has not run, so that nothing follows from it yet."
NO_STEP_LEFT = f"{MOST_STEPS} steps have followed from one question, which is the most."


class Cards:
    """Shows proposals, and takes the decisions about them.

    Parameters
    ----------
    buddy
        Whose proposals they are.
    send
        Sends a message to all pages, on any thread.
    on_agent
        Called, on any thread, when an agent has proposed something.
    """

    def __init__(
        self,
        buddy: Buddy,
        send: Callable[[ChatMessage], None],
        on_agent: Callable[[], None],
    ) -> None:
        self._buddy = buddy
        self._send = send
        self._on_agent = on_agent
        self._notes: dict[str, str] = {}
        # The proposals after which the next step was asked for.
        self._followed: set[str] = set()
        buddy.proposed.watchers.append(self._tell)

    def close(self) -> None:
        """Show nothing any more."""
        self._buddy.proposed.watchers.remove(self._tell)

    def fields(self, proposal: Proposal) -> CardFields:
        """Return what the page shows of a proposal."""
        state = self._buddy.proposed.state(proposal.id) or "stale"
        session = self._buddy.collector.session
        copies = {}
        if session is not None and state == "waiting":
            copies = copyable(proposal.code, session.namespace())
        return {
            "id": proposal.id,
            "digest": proposal.digest,
            "title": title_of(proposal) + _step(proposal),
            "code": proposal.code,
            "old": proposal.old,
            "rows": diff_rows(proposal.old or "", proposal.code),
            "cell": proposal.cell,
            "cell_id": proposal.cell_id,
            "state": state,
            "note": self._notes.get(proposal.id, ""),
            "copies": [[name, size(number)] for name, number in copies.items()],
            "undo": self._buddy.proposed_runs.can_undo(proposal.id),
            "goes_on": _goes_on(proposal),
        }

    def on_showed(self, request: ShowedRequest) -> None:
        """Note that a page shows a card."""
        self._buddy.proposed.note_shown(
            request["id"], request["digest"], request["view"]
        )

    def on_decide(self, request: DecideRequest) -> None:
        """Count a decision, and let the page act that made it."""
        proposed = self._buddy.proposed
        id = request["id"]
        view = request["view"]
        choice = request["choice"]
        proposal = proposed.get(id)
        try:
            if proposal is not None and choice != "reject":
                self._check(proposal, request)
            proposed.decide(id, request["digest"], view, choice)
        except BuddyError as error:
            self._send({"type": "noted", "text": problem_of(error)})
            self._tell(id)
            return
        if choice == "run":
            self._buddy.proposed_runs.keep_copies(id, request["copies"])
        if choice != "reject":
            act: ActMessage = {"type": "act", "id": id, "view": view, "choice": choice}
            self._send(act)

    def _check(self, proposal: Proposal, request: DecideRequest) -> None:
        """Find out whether the cell to change is as it was; if not, it is stale."""
        if proposal.old is None:
            return
        source = request["source"]
        if source is None:
            session = self._buddy.collector.session
            cell = try_latest(session, lambda cell: cell.number == proposal.cell)
            if cell is not None:
                source = cell.source
        if source != proposal.old:
            self._buddy.proposed.note_stale(proposal.id, request["view"])

    def on_undo(self, request: UndoRequest) -> None:
        """Undo the run of a proposal, and show what was and was not undone."""
        id = request["id"]
        try:
            lines = undone_lines(undo_run(self._buddy, id))
            self._notes[id] = "\n".join(lines)
        except BuddyError as error:
            self._send({"type": "noted", "text": problem_of(error)})
        self._tell(id)

    def _tell(self, id: str) -> None:
        proposal = self._buddy.proposed.get(id)
        if proposal is None:
            return
        if proposal.by_agent and self._buddy.proposed.state(id) == "waiting":
            self._on_agent()
        message: CardMessage = {"type": "card", **self.fields(proposal)}
        self._send(message)

    # What follows from a run

    def next_prompt(self, id: str) -> tuple[str, int]:
        """Return what the model is told of a run, once, and the number of its step.

        Raises
        ------
        SettingError
            If the proposal has not run, it was told already, or no step is left.
        """
        proposal = self._buddy.proposed.get(id)
        if proposal is None:
            raise SettingError(NOT_KNOWN)
        if self._buddy.proposed.state(id) != "ran":
            raise SettingError(NOT_RUN)
        if id in self._followed:
            raise SettingError(DECIDED["ran"])
        if not _goes_on(proposal):
            raise SettingError(NO_STEP_LEFT)
        self._followed.add(id)
        return self._prompt(proposal), proposal.step + 1

    def _prompt(self, proposal: Proposal) -> str:
        sections = sections_of(self._buddy.context)
        outcome = try_outcome(self._buddy.collector.session, proposal, sections)
        if outcome is None:
            return f"{RAN}\n\n{NEXT}"
        parts = []
        if outcome.has_failed:
            parts.append(FAILED)
        else:
            parts.append(RAN)
        if outcome.output:
            # Redacted before it is cut: a part of a secret may not look like one.
            safe = inert(self._buddy.redacted(outcome.output))
            shown = fence(_shortened(safe))
            parts.append(f"Its output:\n{shown}".rstrip())
        parts.append(NEXT)
        return "\n\n".join(parts)


def _goes_on(proposal: Proposal) -> bool:
    """Return whether another step may follow; what an agent goes on with is its own."""
    return proposal.step < MOST_STEPS and not proposal.by_agent


def _step(proposal: Proposal) -> str:
    if proposal.by_agent:
        return ""
    return f", step {proposal.step} of {MOST_STEPS}"


def _shortened(text: str) -> str:
    """Return the beginning and the end of a text that is too long."""
    if len(text) <= MOST_OUTPUT:
        return text
    half = MOST_OUTPUT // 2
    return f"{text[:half]}\n…\n{text[-half:]}"
