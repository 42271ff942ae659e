"""The page that the benchmarks write.

What they measure is theirs to tell: no test asserts a time.
"""

from __future__ import annotations

import pytest

from tests.bench.__main__ import page
from tests.bench.rows import ROWS
from tests.bench.table import Row, milliseconds, seconds, table


def test_a_goal_that_is_missed_stands_out() -> None:
    rows = [
        Row("load", "15 ms", "20 ms", "1 s", met=False),
        Row("first", "5 ms", "4 ms", "4 ms", met=True),
    ]
    assert table(rows).splitlines()[2:] == [
        "| load | 15 ms | 20 ms | 1 s | **no** |",
        "| first | 5 ms | 4 ms | 4 ms | yes |",
    ]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            milliseconds([0.003, 0.001, 0.0204]),
            "3.0 (1.0 to 20.4) ms",
            id="median and spread",
        ),
        pytest.param(seconds([1.5]), "1.500 s", id="measured once"),
    ],
)
def test_a_time_is_told_with_its_spread(told: str, expected: str) -> None:
    assert told == expected


@pytest.mark.parametrize("name", ROWS)
def test_the_page_tells_how_each_row_is_measured(name: str) -> None:
    text = page([], busy=0.0, minutes=9.0)
    assert f"- **{name}**: " in text
    assert " ".join((ROWS[name].__doc__ or "").split()[:8]) in text
