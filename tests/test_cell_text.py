"""The values of a row as text."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from codebuddy_jupyter.values.batch.cell_text import MOST_DEPTH, NotText, cell_text


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


class Name(str):
    def __str__(self) -> str:
        raise AssertionError("code of the user's was run")


class Point(NamedTuple):
    x: int
    y: float


class Watched(list[int]):
    def __iter__(self) -> Iterator[int]:
        raise AssertionError("code of the user's was run")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        (Name("Anna"), "Anna"),
        (np.str_("Anna"), "Anna"),
        (3, "3"),
        (Level.HIGH, "3"),
        (True, "true"),
        (np.bool_(False), "false"),
        (2.5, "2.5"),
        (np.float32(0.5), "0.5"),
        (np.int64(7), "7"),
        (float("inf"), "inf"),
        (decimal.Decimal("1.10"), "1.10"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (pd.Timestamp("2024-02-29 12:00"), "2024-02-29 12:00:00"),
        (np.datetime64("2024-02-29"), "2024-02-29"),
        (pd.Interval(1, 2), "(1, 2]"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (["a", 1, None], '["a", 1, null]'),
        (Watched([1, 2]), "[1, 2]"),
        (Point(1, 2.5), "[1, 2.5]"),
        ({"größe": {"x": (1, float("nan"))}}, '{"größe": {"x": [1, null]}}'),
        ({"pear", "apple", "plum", "fig"}, '["apple", "fig", "pear", "plum"]'),
        (np.array([1, 2]), "[1, 2]"),
        (10**100, str(10**100)),
    ],
    ids=repr,
)
def test_a_value_of_a_known_type_is_text(value: Any, text: str) -> None:
    assert cell_text(value) == text


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " \n\t",
        float("nan"),
        np.float32("nan"),
        pd.NA,
        pd.NaT,
        np.datetime64("NaT"),
        decimal.Decimal("NaN"),
    ],
    ids=repr,
)
def test_a_value_that_is_missing_is_none(value: Any) -> None:
    assert cell_text(value) is None


class Foreign:
    def __str__(self) -> str:
        raise AssertionError("code of the user's was run")

    __repr__ = __str__


@pytest.mark.parametrize(
    "value",
    [b"bytes", object(), Colour.RED, [object()], Foreign()],
    ids=["bytes", "object", "enum", "nested", "foreign"],
)
def test_a_value_of_any_other_type_is_refused(value: Any) -> None:
    with pytest.raises(NotText, match="cannot be sent as text"):
        cell_text(value)


def test_a_value_that_is_nested_without_end_is_refused() -> None:
    inner: list[Any] = []
    for _ in range(MOST_DEPTH + 1):
        inner = [inner]
    with pytest.raises(NotText, match="nested too deeply"):
        cell_text(inner)
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NotText, match="nested too deeply"):
        cell_text(endless)


def test_a_whole_number_that_python_does_not_write_is_refused() -> None:
    with pytest.raises(ValueError, match="digits"):
        cell_text(10**5_000)
