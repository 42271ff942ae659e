"""Notebooks with questions about them; each question has a solution that is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CELL_MARK = "# %%\n"


@dataclass(frozen=True)
class Question:
    """A question, as somebody types it who works in the notebook.

    Parameters
    ----------
    name
        Its name, which no other question of the notebook has.
    text
        What is asked.
    reference
        Code whose result is the right one.
    wrong
        Codes with another result, as they could be answered.
    also
        Codes that are as right as the reference.
    loose
        Codes that have the right values in another form.
    into
        The variable that the question asks for; empty: the value of the last expression.
    calls
        Expressions that use what the code defines; their values are compared then.
    figure
        What of a figure is compared then, of `figures.PROPERTIES`.
    ordered
        Whether the order of rows or items counts.
    any_names
        Whether columns may have other names.
    after
        A cell that was run just before the question, and may have failed.
    tolerance
        The relative error of a number that is still right.
    """

    name: str
    text: str
    reference: str
    wrong: tuple[str, ...]
    also: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    into: str = ""
    calls: tuple[str, ...] = ()
    figure: tuple[str, ...] = ()
    ordered: bool = False
    any_names: bool = False
    after: str = ""
    tolerance: float = 1e-6


# Compared by identity, as its files make it unhashable.
@dataclass(frozen=True, eq=False)
class Notebook:
    """A notebook whose cells have been run.

    Parameters
    ----------
    name
        Its name.
    text
        The sources of its cells; each begins with the line ``# %%``.
    questions
        What is asked about it.
    files
        The texts of the files that it reads, by name.
    """

    name: str
    text: str
    questions: tuple[Question, ...]
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> tuple[str, ...]:
        """The sources of the cells, in the order in which they run."""
        _, *sources = self.text.split(CELL_MARK)
        return tuple(source.strip() for source in sources)

    def cells_before(self, question: Question) -> tuple[str, ...]:
        """Return the cells that have run when the question is asked."""
        if question.after:
            return (*self.cells, question.after)
        return self.cells
