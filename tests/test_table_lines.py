"""The lines of a text with tables, and their cells."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.table_lines import MAX_LINE, Cell, Line, Lines


def test_lines_come_with_where_the_next_one_starts() -> None:
    lines = list(Lines("one\ntwo\n\nthree").after(4))
    assert lines == [(Line(4, "two"), 8), (Line(8, ""), 9), (Line(9, "three"), 15)]


def test_a_line_is_found_by_a_position_within_it() -> None:
    assert Lines("one\ntwo").at(5) == (Line(4, "two"), 8)


def test_of_a_long_line_only_the_beginning_is_read() -> None:
    line, next_start = Lines("x" * (MAX_LINE + 5) + "\nend").at(0)
    assert (len(line.text), next_start) == (MAX_LINE, MAX_LINE + 6)


def test_the_line_before_another_is_known() -> None:
    lines = Lines("one\ntwo")
    assert lines.before(Line(4, "two")) == Line(0, "one")
    assert lines.before(Line(0, "one")) is None


def test_nothing_stands_before_what_is_behind_a_quote() -> None:
    text = "one\nx = 'user,token"
    assert Lines(text).before(Line(9, "user,token", is_behind_quote=True)) is None


@pytest.mark.parametrize("text", [" 'secret' ", '"secret"', "`secret`", "secret"])
def test_a_cell_is_read_without_blanks_and_quotes(text: str) -> None:
    line = Line(10, f"user,{text}")
    inner = line.cell(5, len(line.text)).inner()
    assert inner.text == "secret"
    assert inner.start == 15 + text.index("secret")
    assert inner.end == inner.start + len("secret")


def test_a_cell_without_text_has_no_width() -> None:
    assert Cell(3, 7, ' "" ').inner() == Cell(3, 3, "")
