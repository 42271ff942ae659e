"""Which variables come first, and what each is."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from codebuddy_jupyter.commands.likeliest import kind_of, likeliest_first


class Hostile:
    """Raises when anything of it is looked at."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)


VALUES = {
    "i": 3,
    "math": math,
    "load": lambda: 1,
    "model": Hostile(),
    "old": pd.DataFrame({"a": [1]}),
    "df": pd.DataFrame({"a": [1]}),
    "text": "a",
}


def test_the_frame_of_the_last_cell_comes_before_the_loop_counter() -> None:
    last_cell = "for i in range(3):\n    df['a'] += i"
    assert likeliest_first(VALUES, VALUES, last_cell) == [
        "df",
        "old",
        "i",
        "model",
        "load",
        "text",
        "math",
    ]


def test_without_a_last_cell_tables_come_first_and_modules_last() -> None:
    names = likeliest_first(VALUES, VALUES, "")
    assert names[:3] == ["old", "df", "model"]
    assert names[-1] == "math"
    # A name whose variable has just gone.
    assert likeliest_first(["gone"], {}, "gone") == ["gone"]


def test_a_kind_is_the_name_of_the_type() -> None:
    kinds = [kind_of(value) for value in VALUES.values()]
    assert kinds == [
        "int",
        "module",
        "function",
        "tests.test_likeliest.Hostile",
        "pandas.DataFrame",
        "pandas.DataFrame",
        "str",
    ]
