"""Which cell the code of an answer revises."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from codebuddy_jupyter.context.items import Cell, Notebook
from codebuddy_jupyter.context.revised import (
    Revised,
    asked_about,
    likeness,
    most_similar,
    revised_cell,
)

LOAD = "import pandas as pd\ndf = pd.read_csv('a.csv')"
MERGE = "df = orders.merge(clients)\ndf = df.dropna()\nprint(len(df))"


@dataclass
class FixedSession:
    """A session with these cells, of which one may have failed."""

    cells: list[Cell] = field(default_factory=list)
    failed: int | None = None

    def notebook(self) -> Notebook:
        """Return the cells."""
        return Notebook(tuple(self.cells))

    def failed_cell(self) -> int | None:
        """Return the number of the one that failed."""
        return self.failed

    def input_of(self, number: int) -> str | None:
        """Return what ran under this number."""
        for cell in self.cells:
            if cell.number == number:
                return cell.run_source or cell.source
        return None


def cell(source: str, number: int | None = None, run_source: str = "") -> Cell:
    return Cell(f"id-{number}", "code", source, number, run_source=run_source or None)


CELLS = [cell(LOAD, 1), cell(MERGE, 2), Cell("text", "markdown", MERGE)]


@pytest.mark.parametrize(
    ("prompt", "number"),
    [
        ("what is wrong with @error?", 2),
        ("Rewrite the code of @In[1].", 1),
        ("compare @df and @In[1]", 1),
        ("why is df empty?", None),
        ("`@In[1]` in code is no mention", None),
    ],
)
def test_a_question_says_which_cell_it_is_about(
    prompt: str, number: int | None
) -> None:
    assert asked_about(prompt, FixedSession(CELLS, failed=2)) == number


def test_after_a_question_about_the_error_the_failed_cell_is_meant() -> None:
    session = FixedSession(CELLS, failed=1)
    revised = revised_cell("df = pd.read_csv('a.csv', sep=';')", "fix @error", session)
    assert revised == Revised(1, LOAD)


def test_an_error_of_another_cell_since_then_does_not_count() -> None:
    session = FixedSession(CELLS, failed=1)
    code = MERGE.replace("dropna()", "dropna(how='all')")
    assert revised_cell(code, "fix @error", session) == Revised(2, MERGE)


def test_without_a_named_cell_the_most_similar_one_is_meant() -> None:
    session = FixedSession(CELLS)
    code = MERGE.replace("dropna()", "dropna(how='all')")
    assert revised_cell(code, "drop less", session) == Revised(2, MERGE)
    assert revised_cell("print('hello')", "greet", session) is None


def test_a_cell_that_was_edited_after_its_run_is_compared_as_it_is_now() -> None:
    session = FixedSession([cell("x = 2", 1, run_source="x = 1/0")], failed=1)
    assert revised_cell("x = 1", "fix @error", session) == Revised(1, "x = 2")


def test_of_equal_cells_the_last_one_is_meant() -> None:
    assert most_similar("a\nb", [cell("a\nb", 1), cell("a\nb", 2)]) == (2, "a\nb")


def test_likeness_ignores_indentation_and_blank_lines() -> None:
    assert likeness("a\n\n  b", "b\na") == 1
    assert likeness("a", "b") == 0
    assert likeness("", "") == 0
