"""Cells as they are titled and sent."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.context.items import (
    MAX_CHARACTERS,
    Cell,
    Output,
    State,
    cell_name,
    joined_outputs,
)


@pytest.mark.parametrize(
    ("number", "state", "title"),
    [
        (3, "run", "In[3]"),
        (3, "failed", "In[3], failed"),
        (None, "not run", "cell, not run"),
    ],
)
def test_a_title_has_the_state_unless_it_is_the_usual_one(
    number: int | None, state: State, title: str
) -> None:
    assert Cell("a", "code", "x", number, state).title == title


def test_a_text_cell_has_no_state() -> None:
    assert Cell("m", "markdown", "# Sales").title == "text"
    assert cell_name(None) == "cell"


def test_a_changed_cell_has_both_sources() -> None:
    cell = Cell("a", "code", "x = 2\n", 1, "changed", run_source="x = 1")
    note = "# That is the present source. The source that was run:"
    assert cell.text == f"x = 2\n{note}\nx = 1"


def test_a_source_that_differs_only_in_space_is_not_changed() -> None:
    assert Cell("a", "code", "x = 2\n", 1, run_source="\nx = 2").text == "x = 2"


def test_a_text_that_is_all_headings_is_empty_since_the_outline_has_it() -> None:
    assert Cell("m", "markdown", "# Sales\n## 2026\n").text == ""
    assert Cell("m", "markdown", "# Sales\nof 2026").text == "# Sales\nof 2026"


def test_a_comment_in_a_fence_is_no_heading() -> None:
    source = "# Sales\n```\n# not this\n```\n#nor this\n## 2026"
    assert Cell("m", "markdown", source).headings == ("# Sales", "## 2026")
    assert Cell("a", "code", "# Sales").headings == ()


def test_a_long_source_is_cut() -> None:
    assert len(Cell("a", "code", "x" * 2 * MAX_CHARACTERS).text) == MAX_CHARACTERS


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["a", "b"], "a\nb"),
        (["\n\n"], ""),
        (["<Axes object at 0x7f3a2b1c4d50>"], ""),
        (
            ["<Axes object at 0x7f3a2b1c4d50>", "b"],
            "<Axes object at 0x7f3a2b1c4d50>\nb",
        ),
    ],
)
def test_outputs_are_joined_unless_they_say_nothing(
    texts: list[str], joined: str
) -> None:
    assert joined_outputs(Output("text", text) for text in texts) == joined
