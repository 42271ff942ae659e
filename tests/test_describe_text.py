"""What descriptions are made of: counts, sizes, lists with a limit, values."""

from __future__ import annotations

from typing import Any

import pytest

from codebuddy_jupyter.context.describe import text


def test_a_count_has_its_noun() -> None:
    assert text.count(1, "row") == "1 row"
    assert text.count(1204, "row") == "1,204 rows"
    assert text.count(0, "category", "categories") == "0 categories"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_a_size_has_a_unit(number: int, shown: str) -> None:
    assert text.size(number) == shown


def test_words_beyond_a_limit_are_counted() -> None:
    assert text.listed(["a", "b"], 2) == "a, b"
    assert text.listed(["a", "b", "c"], 2) == "a, b, … 1 more"
    assert text.tally("aabca") == "3 a, 1 b, 1 c"


def test_columns_beyond_a_limit_are_counted_by_type() -> None:
    types = ["int"] * text.MAX_COLUMNS + ["float"]
    (line,) = text.fields([f"c{number}" for number in range(len(types))], types)
    assert line.startswith("  columns: int (c0, c1, ")
    assert line.endswith(", c39), … 1 more: 1 float")
    assert text.fields(["a", "b"], ["int", "str"], "fields") == [
        "  fields: a int, b str"
    ]
    assert text.fields([], []) == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("Growth Rate", "'Growth Rate'", id="text"),
        pytest.param("it's", '"it\'s"', id="quote"),
        pytest.param(2020, "2020", id="number"),
        pytest.param(("a", 1), "('a', 1)", id="levels"),
        pytest.param("x" * 90, "x" * 80 + "…", id="too long to be used"),
    ],
)
def test_a_column_is_named_as_code_writes_it(name: object, shown: str) -> None:
    assert text.column(name) == shown


def test_a_description_can_be_on_one_line() -> None:
    assert text.on_one_line("Table\n  index id\n\n  columns: 'a'") == (
        "Table; index id; columns: 'a'"
    )


def test_a_text_is_trimmed_at_the_end_of_a_line() -> None:
    assert text.trim("a" * 10, 10) == "a" * 10
    assert text.trim("aaaaaa\nbbbbbb", 10) == "aaaaaa\n…"
    assert text.trim("a" * 11, 10) == "aaaaaaaa…"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("price", "price"),
        ("", "''"),
        ("two\nlines", "two⏎lines"),
        (("a", 1), "(a, 1)"),
        (3, "3"),
        ("x" * 90, "x" * 80 + "…"),
    ],
)
def test_a_label_is_a_short_line(name: Any, shown: str) -> None:
    assert text.label(name) == shown


def test_a_container_is_written_to_a_depth() -> None:
    assert text.format_value([[[[1]]]], depth=2) == "[[<list>]]"
    assert text.format_value({"a": (1, 2)}) == "{'a': (1, 2)}"
    assert (
        text.format_value(list(range(12)), 400)
        == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … 2 more]"
    )


def test_a_subclass_of_a_text_is_written_as_a_text() -> None:
    class Loud(str):
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    assert text.format_value(Loud("a")) == "'a'"
