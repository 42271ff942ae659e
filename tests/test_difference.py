"""The lines that a new text changes."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.markdown.difference import diff_rows, diff_text


def rows_of(diff: str) -> list[tuple[str, str]]:
    """Rows that are written one after the other, each as its mark and its text."""
    return [(row[0], row[1:]) for row in diff.split("|")]


@pytest.mark.parametrize(
    ("old", "new", "diff"),
    [
        ("a", "b", "-a|+b"),
        ("", "a", "+a"),
        ("a", "", "-a"),
        ("1 2 3 4 5 6", "1 2 3 4 5 x", "…| 3| 4| 5|-6|+x"),
        ("1 2 3 4 5 6", "x 2 3 4 5 6", "-1|+x| 2| 3| 4|…"),
        (
            "1 2 3 4 5 6 7 8 9",
            "x 2 3 4 5 6 7 8 y",
            "-1|+x| 2| 3| 4|…| 6| 7| 8|-9|+y",
        ),
    ],
    ids=["one line", "from nothing", "to nothing", "end", "beginning", "both"],
)
def test_only_lines_that_are_left_out_are_marked_as_such(
    old: str, new: str, diff: str
) -> None:
    rows = diff_rows(old.replace(" ", "\n"), new.replace(" ", "\n"))
    assert rows == rows_of(diff)


def test_texts_that_are_equal_have_no_diff() -> None:
    assert diff_rows("a\nb", "a\nb\n") == []


def test_a_diff_as_a_text_has_a_line_for_each_row() -> None:
    assert diff_text("a\n\nb", "a\n\nc") == "  a\n\n- b\n+ c"
    assert diff_text("a", "a") == ""
