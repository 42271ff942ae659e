"""Which cell the code of an answer revises: the one that the question is about, or else
the most similar.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from .items import Cell, Notebook
from .mentions import find_mentions

# The share of common lines from which on code counts as a revision of a cell.
REVISION_SHARE = 0.4


class RevisedSource(Protocol):
    """What is needed of the session."""

    def notebook(self) -> Notebook:
        """Return the notebook as it was found."""

    def failed_cell(self) -> int | None:
        """Return the number of the cell that ended in the last error."""

    def input_of(self, number: int) -> str | None:
        """Return the source that was run as ``In[number]``."""


class Revised(NamedTuple):
    """A cell that code revises: its number, None if it was not run, and its source."""

    number: int | None
    source: str


def asked_about(prompt: str, session: RevisedSource) -> int | None:
    """Return the number of the cell that a question is about; None if it names none.

    That is the cell of the last error or of an input, as the prompts of ``/fix`` and
    ``/refactor`` name them.
    """
    for mention in find_mentions(prompt):
        if mention.kind == "error":
            return session.failed_cell()
        if mention.kind == "in":
            return int(mention.target)
    return None


def revised_cell(code: str, prompt: str, session: RevisedSource) -> Revised | None:
    """Return the cell that code revises; None if no cell is similar.

    Parameters
    ----------
    code
        The code of an answer.
    prompt
        The question.
    session
        The session whose cells there are.
    """
    cells = session.notebook().cells
    similar = most_similar(code, cells)
    number = asked_about(prompt, session)
    source = None
    if number is not None:
        source = session.input_of(number)
    if source is None:
        return similar
    if similar is not None and not likeness(code, source):
        # The error may be a later one than the one that was asked about.
        return similar
    edited = _as_edited(number, source, session)
    return Revised(number, edited)


def most_similar(code: str, cells: Iterable[Cell]) -> Revised | None:
    """Return the cell that has most lines in common with code, if it has enough."""
    best = None
    best_share = REVISION_SHARE
    for cell in cells:
        if cell.type != "code":
            continue
        share = likeness(code, cell.source)
        # Of equal cells, the last one.
        if share >= best_share:
            best = Revised(cell.number, cell.source)
            best_share = share
    return best


def likeness(code: str, source: str) -> float:
    """Return the share of lines that two sources have in common, from 0 to 1."""
    some = _lines(code)
    others = _lines(source)
    most = max(len(some), len(others), 1)
    return len(some & others) / most


def _lines(source: str) -> set[str]:
    lines = {line.strip() for line in source.splitlines()}
    return lines - {""}


def _as_edited(number: int | None, source: str, session: RevisedSource) -> str:
    """Return the source of a cell as it is now, if the notebook has it."""
    for cell in session.notebook().cells:
        if cell.number == number:
            return cell.source
    return source
