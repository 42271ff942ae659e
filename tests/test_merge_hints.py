"""How the keys of a merge fit."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codebuddy_jupyter.context.inspection.merge_hints import merge_hints
from tests.support.hostile_errors import Hostile

A = pd.DataFrame({"id": [1, 2, 3, 3], "code": ["x ", "Y", "z", None]})
B = pd.DataFrame({"id": ["1", "2", "9"], "code": ["X", "y", "q"], "num": [1, 2, 7]})


def hints(code: str, names: Mapping[str, object] | None = None) -> list[str]:
    return list(merge_hints(ast.parse(code), names or {"a": A, "b": B, "pd": pd}))


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        (
            "a.merge(b, left_on='id', right_on='num')",
            ["a['id'] is int64, b['num'] is int64: 2 of 3 keys match"],
        ),
        (
            "m = pd.merge(a, b, on='id')",
            [
                "a['id'] is int64, b['id'] is str: 0 of 3 keys match; 2 if written alike "
                "(type, case and spaces around them)"
            ],
        ),
        (
            "pd.merge(left=a, right=b, on=['code'])",
            [
                "a['code'] is str, b['code'] is str: 0 of 3 keys match; 2 if written "
                "alike (type, case and spaces around them)"
            ],
        ),
        ("a.merge(b)", None),
        ("a.merge(b, left_index=True, right_index=True)", []),
        ("a.merge(c, on='id')", []),
        ("a.merge(b.dropna(), on='id')", []),
        ("a.merge(b, on='missing')", []),
        ("a.merge(b, on=key)", []),
        ("a.merge(*b)", []),
        ("merge(a, b)", []),
    ],
)
def test_types_and_matches_are_told(code: str, lines: list[str] | None) -> None:
    found = hints(code)
    assert len(found) == 2 if lines is None else found == lines


def test_no_value_of_a_key_is_told() -> None:
    names = {"a": pd.DataFrame({"k": ["SECRET"]}), "b": pd.DataFrame({"k": ["OTHER"]})}
    assert hints("a.merge(b, on='k')", names) == [
        "a['k'] is str, b['k'] is str: 0 of 1 keys match"
    ]


def test_keys_of_unknown_types_are_not_compared() -> None:
    odd: Any = pd.Series([Hostile(), Hostile()], dtype=object)
    names = {"a": pd.DataFrame({"k": odd}), "b": pd.DataFrame({"k": [1, 2]})}
    assert hints("a.merge(b, on='k')", names) == ["a['k'] is object, b['k'] is int64"]


def test_a_very_long_frame_is_not_counted() -> None:
    names = {
        "a": pd.DataFrame({"k": np.arange(1_000_000)}),
        "b": pd.DataFrame({"k": np.arange(2_000_000)}),
    }
    assert hints("a.merge(b, on='k')", names) == ["a['k'] is int64, b['k'] is int64"]
    names["b"] = pd.DataFrame({"k": np.arange(10)})
    assert hints("a.merge(b, on='k')", names) == [
        "a['k'] is int64, b['k'] is int64: 10 of 5,000 keys match"
    ]


def test_a_column_that_is_there_twice_is_left_alone() -> None:
    twice = pd.DataFrame([[1, 2]], columns=["k", "k"])
    assert hints("a.merge(b, on='k')", {"a": twice, "b": twice}) == []


def test_a_subclass_is_not_looked_at() -> None:
    class Sheet(pd.DataFrame):
        pass

    assert hints("a.merge(b, on='id')", {"a": Sheet(A), "b": B}) == []
