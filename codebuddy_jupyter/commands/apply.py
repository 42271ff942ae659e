"""``/apply``: what the code of the last answer, or what it proposes, changes in the
notebook.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..buddy import Buddy
from ..chat.conversation import Turn
from ..context.describe.text import count
from ..context.items import cell_name
from ..context.revised import Revised, RevisedSource, likeness, revised_cell
from ..display.formats import closed
from ..errors import PromptError, Remedy, SettingError
from ..markdown.blocks import CodeBlock, code_blocks
from ..markdown.difference import diff_text
from ..markdown.safe import fence
from ..messages import Proposal
from ..tools.proposals import CELL
from ..tools.proposing import shown_code, title_of
from .command import Invocation, command
from .new_cell import cell_source

MOST_DIGITS = 4
"""Digits in the number of a code block, at most."""
PUT_BELOW = "The new text is in the next cell. It was not run."
UNDO = " Once it has run, `%buddy /undo` gives its variables back."
NOT_PUT = "No cell can be added here: copy the text from the answer."


@dataclass(frozen=True)
class _Change:
    """A code block of an answer, and the cell that it revises, if there is one."""

    block: CodeBlock
    revised: Revised | None


@command(
    "apply",
    "[N]",
    "show what the code of the last answer (or its block or proposal N) changes in the "
    "cell that it revises, and put the new text into a new cell below; nothing is run",
)
def apply(invocation: Invocation, arguments: str) -> str:
    """Show the difference to a cell, and put the new text below."""
    turn = _last_with_code(invocation.buddy)
    blocks = code_blocks(closed(turn.reply.text))
    proposed = turn.reply.proposed
    if arguments:
        number = _number(arguments, len(blocks), len(proposed))
        place = number - len(blocks) - 1
        proposed = proposed[max(place, 0) :]
        if number <= len(blocks):
            blocks = [blocks[number - 1]]
            proposed = ()
    if proposed:
        return apply_proposal(invocation, proposed[0])
    session = invocation.buddy.collector.session
    change = _likeliest(blocks, turn, session)
    source = cell_source(change.block, invocation.magics)
    if source is None:
        language = change.block.language or "no language that is known"
        raise SettingError(
            f"No cell of this notebook can run the code: it is in {language}.",
            Remedy("Ask for Python", "%buddy -f code write it in Python"),
        )
    if change.revised is None:
        heading = "No cell resembles this code:"
        shown = fence(change.block.code, change.block.language)
    else:
        name = cell_name(change.revised.number)
        difference = diff_text(change.revised.source, source)
        if not difference:
            return f"{name} has this code already."
        heading = f"Changes to {name}:"
        shown = fence(difference, "diff")
    end = _put(invocation, source)
    return f"{heading}\n\n{shown}\n{end}"


def apply_proposal(invocation: Invocation, proposal: Proposal) -> str:
    """Show what is proposed, and put the new text below; that accepts it.

    Raises
    ------
    SettingError
        If it was rejected, or is of another kernel, or its cell has changed.
    """
    proposed = invocation.buddy.proposed
    proposed.note_shown(proposal.id, proposal.digest, CELL)
    if _has_changed(invocation.buddy, proposal):
        proposed.note_stale(proposal.id, CELL)
    shown = f"Proposed: {title_of(proposal)}.\n\n{shown_code(proposal)}\n\n"
    if invocation.add_cell is None:
        return f"{shown}{NOT_PUT}"
    # What has not run yet can be put into a cell once more.
    if proposed.state(proposal.id) != "accepted":
        proposed.decide(proposal.id, proposal.digest, CELL, "insert")
    return f"{shown}{_put(invocation, proposal.code)}{UNDO}"


def _has_changed(buddy: Buddy, proposal: Proposal) -> bool:
    """Return whether the cell that is to change has another text by now."""
    session = buddy.collector.session
    if proposal.old is None or session is None:
        return False
    for cell in session.notebook().cells:
        is_same = cell.id == proposal.cell_id
        if is_same or cell.number == proposal.cell:
            return cell.source != proposal.old
    return True


def _put(invocation: Invocation, source: str) -> str:
    """Put the source into a new cell, if that is possible; return what was done."""
    if invocation.add_cell is None:
        return NOT_PUT
    invocation.add_cell(source)
    return PUT_BELOW


def _last_with_code(buddy: Buddy) -> Turn:
    for turn in reversed(list(buddy.chat.turns)):
        has_code = turn.reply.proposed or code_blocks(turn.reply.text)
        if turn.reply.done and has_code:
            return turn
    raise PromptError(
        "There is no answer with code yet.",
        Remedy("Ask for code", "%buddy /fix"),
    )


def _number(typed: str, blocks: int, proposed: int) -> int:
    """Return the number of a code block, or of what is proposed after these."""
    is_number = typed.isdecimal() and len(typed) <= MOST_DIGITS
    if is_number and 1 <= int(typed) <= blocks + proposed:
        return int(typed)
    more = f" and {count(proposed, 'proposal')}" if proposed else ""
    raise SettingError(
        f"/apply takes the number of a code block, not {typed}: the last answer has "
        f"{count(blocks, 'block')}{more}.",
        Remedy("Apply the first one", "%buddy /apply 1"),
    )


def _likeliest(
    blocks: list[CodeBlock], turn: Turn, session: RevisedSource | None
) -> _Change:
    """Return the block that revises a cell most closely, else the first one."""
    best = _Change(blocks[0], None)
    best_share = -1.0
    if session is None:
        return best
    # An earlier kernel has numbered its cells otherwise.
    question = "" if turn.reply.is_restored else turn.question
    for block in blocks:
        revised = revised_cell(block.code, question, session)
        if revised is None:
            continue
        share = likeness(block.code, revised.source)
        if share > best_share:
            best = _Change(block, revised)
            best_share = share
    return best
