"""The tools with which a model proposes code: they show it to a person, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AnySet

from ..context.collector import Collector
from ..context.describe.text import count
from ..context.items import Cell, Section, cell_name
from ..context.session import Session
from ..errors import printable
from ..markdown.characters import has_invisible
from ..markdown.difference import diff_text
from ..markdown.safe import fence
from ..messages import Proposal
from .look import Found, Function, Look, NothingThere, look_of
from .proposals import Proposals

LONGEST_CODE = 12_000
"""Characters of the code of a proposal."""
# Cells that an error lists.
MOST_CELLS = 60
PROPOSED = (
    "The user sees this proposal and decides about it. Nothing was changed or run. "
    "Answer in a sentence or two what it does, without repeating the code."
)
ITS_ID = "{}, of which proposal(id={!r}) tells what became"
MOST_WAITING = 10
"""Proposals of agents that wait for the user."""
NO_PANEL = (
    "The user has no panel open that would show it. To open one, they type: "
    "%buddy /panel"
)
TOO_MANY = f"{MOST_WAITING} proposals wait for the user already."
NOTHING_TO_SEE = "The code is empty."
TOO_LONG = f"The code is longer than {LONGEST_CODE:,} characters."
UNSEEN = "The code has characters that cannot be seen, so nobody could check it."


class Proposing:
    """Proposes code for one question.

    Parameters
    ----------
    collector
        Knows the kernel.
    proposals
        Keeps what is proposed.
    step
        Which of the steps this is that follow from one question.
    for_agents
        Whether other agents propose, whose proposals only a panel shows.
    """

    def __init__(
        self,
        collector: Collector,
        proposals: Proposals,
        step: int = 1,
        *,
        for_agents: bool = False,
    ) -> None:
        self._collector = collector
        self._proposals = proposals
        self._step = step
        self._for_agents = for_agents

    def propose_cell(self, code: str, after: int = 0) -> Found:
        """Propose a new cell with this Python code, for the user to insert and run by a
        click; after is the number of the cell In[number] above it, 0 for the last one.
        """
        self._check_panel()
        code = _checked(code)
        number, cell_id = None, ""
        if after > 0:
            cell = self._cell(after)
            number, cell_id = cell.number, cell.id
        proposal = self._proposals.add(
            code,
            cell=number,
            cell_id=cell_id,
            step=self._step,
            by_agent=self._for_agents,
        )
        return _found(proposal)

    def propose_edit(self, cell: int, code: str) -> Found:
        """Propose a new text for the cell In[cell], for the user to accept by a click;
        code is all of the new text.
        """
        self._check_panel()
        code = _checked(code)
        found = self._cell(cell)
        if found.source.strip() == code.strip():
            raise NothingThere(f"{cell_name(cell)} has this code already.")
        proposal = self._proposals.add(
            code,
            cell=cell,
            old=found.source,
            cell_id=found.id,
            step=self._step,
            by_agent=self._for_agents,
        )
        return _found(proposal)

    def _check_panel(self) -> None:
        """Find out whether what an agent proposes can be shown."""
        if not self._for_agents:
            return
        if not self._proposals.watchers:
            raise NothingThere(NO_PANEL)
        if len(self._proposals.waiting_of_agents()) >= MOST_WAITING:
            raise NothingThere(TOO_MANY)

    def _cell(self, number: int) -> Cell:
        cells = self._numbered()
        if number not in cells:
            latest = sorted(cells)[-MOST_CELLS:]
            listed = ", ".join(map(cell_name, latest)) or "none"
            raise NothingThere(f"There is no cell In[{number}]; there are: {listed}.")
        return cells[number]

    def _numbered(self) -> dict[int, Cell]:
        """Return the cells that have run, by their numbers."""
        with self._collector.reading() as session:
            if session is None:
                return {}
            return _cells(session)


def _cells(session: Session) -> dict[int, Cell]:
    cells = {}
    for cell in session.notebook().cells:
        if cell.type == "code" and cell.number is not None:
            cells[cell.number] = cell
    return cells


def proposing_tools(
    proposing: Proposing, sections: AnySet[Section], safe: Callable[[str], str]
) -> list[Look]:
    """Return the tools; to change a cell only where the model may know of cells.

    Parameters
    ----------
    proposing
        What they do.
    sections
        The sections of the context that may be told.
    safe
        Redacts secrets in a text and makes it inert.
    """
    functions: list[Function] = [proposing.propose_cell]
    if "cells" in sections:
        functions.append(proposing.propose_edit)
    tools = []
    for function in functions:
        tools.append(look_of(function, safe, proposes=True))
    return tools


def _checked(code: str) -> str:
    """Return code that a person can see as it is."""
    code = code.replace("\r\n", "\n").strip("\n")
    if not code.strip():
        raise NothingThere(NOTHING_TO_SEE)
    if len(code) > LONGEST_CODE:
        raise NothingThere(TOO_LONG)
    # What Python takes for one line must not be shown as two.
    has_odd_line_ends = code.splitlines() != code.split("\n")
    if has_odd_line_ends or has_invisible(code) or printable(code) != code:
        raise NothingThere(UNSEEN)
    return code


def _found(proposal: Proposal) -> Found:
    shown = shown_code(proposal)
    title = title_of(proposal)
    # Before the code, since a long text is cut at its end.
    head = title
    if proposal.by_agent:
        head = ITS_ID.format(title, proposal.id)
    text = f"{head}:\n{shown}\n{PROPOSED}"
    lines = proposal.code.splitlines()
    return Found(title, count(len(lines), "line"), text, proposal)


def as_text(proposals: Iterable[Proposal]) -> str:
    """Return proposals as Markdown that can be stored, by which nothing can be accepted."""
    parts = []
    for proposal in proposals:
        parts.append(f"Proposed: {title_of(proposal)}.\n\n{shown_code(proposal)}")
    return "\n\n".join(parts)


def title_of(proposal: Proposal) -> str:
    """Return what a proposal is, in a few words."""
    if proposal.old is not None:
        return f"a change of {cell_name(proposal.cell)}"
    if proposal.cell is not None:
        return f"a new cell below {cell_name(proposal.cell)}"
    return "a new cell"


def code_block(proposal: Proposal) -> str:
    """Return all of the code of a proposal as a block of Markdown."""
    return fence(proposal.code, "python")


def shown_code(proposal: Proposal) -> str:
    """Return the code of a proposal as Markdown: a change as a difference."""
    if proposal.old is None:
        return code_block(proposal).rstrip("\n")
    difference = diff_text(proposal.old, proposal.code)
    return fence(difference, "diff").rstrip("\n")
