"""Frames of a traceback as text: places, failing lines, long runs folded."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.context.error_message import STDLIB
from codebuddy_jupyter.context.traceback_frames import (
    MAX_LIBRARY_FRAMES,
    MAX_ROWS,
    Frame,
    Source,
    excerpt,
    frame_rows,
)

LINES = ["a = 1", "b = 0", "a / b", "c = 2", "d = 3", "e = 4"]
CELL = Source(3, LINES)
LIBRARY = "/usr/lib/python/site-packages/shop/orders.py"


def frame(
    cell: Source | None = CELL, function: str = "<module>", count: int = 1
) -> Frame:
    return Frame("<ipython-input-3-0>", 3, 3, function, cell, True, count)


def library_frame(line: int) -> Frame:
    return Frame(LIBRARY, line, line, "add", None, False, 1)


def test_the_failing_line_is_marked_among_those_around_it() -> None:
    assert list(excerpt(LINES, 3, 3, caret=2)) == [
        "       1 a = 1",
        "       2 b = 0",
        "-->    3 a / b",
        "           ^",
        "       4 c = 2",
        "       5 d = 3",
    ]


def test_lines_above_the_source_count() -> None:
    assert next(excerpt(LINES, 1, 1, above=1)) == "-->    2 a = 1"


def test_a_line_that_the_source_does_not_have_gives_no_lines() -> None:
    assert list(excerpt(LINES, 20, 20)) == []


@pytest.mark.parametrize(
    ("where", "place"),
    [
        (frame(), "Cell In[3], line 3"),
        (frame(function="f"), "Cell In[3], line 3, in f"),
        (frame(function="<cell line: 3>"), "Cell In[3], line 3"),
        (frame(Source(None, LINES, above=1)), "Cell, line 4"),
        (frame(None), "Cell, line 3"),
        (library_frame(7), "shop/orders.py, line 7, in add"),
        (
            Frame(f"{STDLIB}json/x.py", 1, 1, "f", None, False, 1),
            "json/x.py, line 1, in f",
        ),
    ],
)
def test_a_place_is_named_as_the_user_knows_it(where: Frame, place: str) -> None:
    assert where.location == place


def test_frames_of_libraries_take_a_line_each_and_many_are_folded() -> None:
    rows = frame_rows([library_frame(line) for line in range(MAX_LIBRARY_FRAMES + 3)])
    assert rows == [
        "shop/orders.py:0 in add",
        "shop/orders.py:1 in add",
        "… 3 more",
        "shop/orders.py:5 in add",
        "shop/orders.py:6 in add",
    ]


def test_a_frame_that_recurs_is_counted() -> None:
    (row,) = frame_rows([frame(count=1_000)])
    assert row.splitlines()[0] == "Cell In[3], line 3 (1,000 times)"


def test_of_a_long_traceback_the_middle_is_counted() -> None:
    rows = frame_rows([frame(count=2) for _ in range(MAX_ROWS + 8)])
    assert len(rows) == MAX_ROWS + 1
    assert rows[MAX_ROWS // 2] == "… 16 more frames"
