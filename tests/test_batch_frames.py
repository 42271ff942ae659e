"""Frames of pandas and polars as rows, and values as such."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Any

import pandas as pd
import polars as pl
import pytest

from codebuddy_jupyter.errors import NoReply, PromptError
from codebuddy_jupyter.values.batch.frames import (
    PandasFrame,
    PandasSeries,
    PolarsFrame,
    PolarsSeries,
)
from codebuddy_jupyter.values.batch.sources import Answers


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def answers(*values: Any, fields: tuple[str, ...] = ()) -> Answers:
    answers = Answers(fields)
    for number, value in enumerate(values):
        answers.put(number, number, value)
    return answers


FRAME = pd.DataFrame({"text": ["a", "b"], 2024: [1, 2]}, index=["x", "y"])


def test_a_frame_gives_its_columns_by_name_and_the_labels_of_its_index() -> None:
    source = PandasFrame(FRAME, pd)
    assert list(source.columns or ()) == ["text", "2024"]
    assert [(key, list(row)) for key, row in source.rows(["2024", "text"])] == [
        ("x", [1, "a"]),
        ("y", [2, "b"]),
    ]


def test_where_a_label_stands_twice_the_keys_are_numbers() -> None:
    frame = FRAME.set_axis(["x", "x"])
    keys = [key for key, _ in PandasFrame(frame, pd).rows(["text"])]
    assert keys == [0, 1]
    output = PandasFrame(frame, pd).output(answers(True, False))
    assert list(output.index) == ["x", "x"]


def test_two_columns_of_one_name_are_refused() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["1", 1])
    with pytest.raises(PromptError, match="Two columns are named '1'"):
        PandasFrame(frame, pd)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([True, False], "bool"),
        ([True, None], "boolean"),
        ([1, 2], "int64"),
        ([1, NoReply("no")], "Int64"),
        ([1.5, None], "Float64"),
        ([1.5, 2], "Float64"),
        ([1, 10**30], "object"),
        (["a", None], str(pd.Series(["a", None]).dtype)),
        ([["a"], None], "object"),
        ([date(2024, 1, 1), None], "object"),
        ([None, None], "object"),
    ],
    ids=str,
)
def test_the_type_of_a_series_tells_a_missing_value_from_false(
    values: list[Any], dtype: str
) -> None:
    output = PandasFrame(FRAME, pd).output(answers(*values))
    assert str(output.dtype) == dtype
    assert list(output.index) == ["x", "y"]
    assert output.isna().tolist() == [
        value is None or isinstance(value, NoReply) for value in values
    ]


def test_records_are_a_frame_with_the_same_index() -> None:
    values = answers({"n": 1, "tag": "x"}, None, fields=("n", "tag"))
    output = PandasFrame(FRAME, pd).output(values)
    assert list(output.columns) == ["n", "tag"]
    assert list(output.index) == ["x", "y"]
    assert output["n"].dtype == "Int64"
    assert output.loc["x"].tolist() == [1, "x"]


def test_a_series_has_its_name_as_a_field() -> None:
    series = pd.Series(["a", "b"], index=["x", "y"], name="text")
    source = PandasSeries(series, pd)
    assert list(source.columns or ()) == ["item", "text"]
    assert list(source.rows(["text"])) == [("x", ["a"]), ("y", ["b"])]
    output = source.output(answers("p", "q"))
    assert (output.name, output.tolist()) == ("text", ["p", "q"])


@pytest.mark.parametrize("fields", [(), ("n",)])
def test_an_empty_frame_gives_an_empty_one(fields: tuple[str, ...]) -> None:
    output = PandasFrame(FRAME.iloc[:0], pd).output(Answers(fields))
    assert len(output) == 0
    polars = PolarsFrame(pl.DataFrame({"text": []}), pl).output(Answers(fields))
    assert len(polars) == 0


def test_a_frame_of_polars_gives_its_rows_by_number() -> None:
    source = PolarsFrame(pl.DataFrame({"text": ["a", "b"], "n": [1, None]}), pl)
    assert list(source.rows(["n", "text"])) == [(0, (1, "a")), (1, (None, "b"))]
    output = source.output(answers(True, None))
    assert (output.dtype, output.to_list()) == (pl.Boolean, [True, None])


def test_records_are_a_frame_of_polars() -> None:
    source = PolarsFrame(pl.DataFrame({"text": ["a", "b"]}), pl)
    values = answers({"n": 1, "tags": ["x"]}, None, fields=("n", "tags"))
    output = source.output(values)
    assert output.to_dict(as_series=False) == {"n": [1, None], "tags": [["x"], None]}


def test_a_series_of_polars_may_have_structs() -> None:
    series = pl.Series("row", [{"text": "a"}, {"text": "b"}])
    source = PolarsSeries(series, pl)
    assert source.columns == ["item", "row", "text"]
    assert list(source.rows(["text", "row"])) == [
        (0, ["a", {"text": "a"}]),
        (1, ["b", {"text": "b"}]),
    ]
    plain = PolarsSeries(pl.Series("text", ["a"]), pl)
    assert list(plain.rows(["text"])) == [(0, ["a"])]


@pytest.mark.parametrize(
    "values",
    [
        [{"apples": 2}, {"pears": 5, "plums": 1}],
        [[{"a": "1"}], [{"b": "2"}]],
        [{"apples": 2}, None],
    ],
)
def test_dicts_of_several_keys_keep_them_in_polars(values: list[Any]) -> None:
    source = PolarsSeries(pl.Series("text", ["a", "b"]), pl)
    assert source.output(answers(*values)).to_list() == values


@pytest.mark.parametrize("other", [None, Colour.BLUE])
def test_members_of_an_enum_are_their_values_in_polars(other: Colour | None) -> None:
    source = PolarsSeries(pl.Series("text", ["a", "b"]), pl)
    output = source.output(answers(Colour.RED, other))
    assert output.to_list() == ["red", other and other.value]


def test_half_of_a_character_is_kept_in_polars() -> None:
    source = PolarsSeries(pl.Series("text", ["a"]), pl)
    assert source.output(answers("\ud83d")).to_list() == ["\ud83d"]


def test_values_of_several_types_are_objects() -> None:
    source = PolarsSeries(pl.Series("text", ["a", "b"]), pl)
    output = source.output(answers(1, "x"))
    assert output.to_list() == [1, "x"]
