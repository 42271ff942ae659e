"""Lists, dicts and iterables as rows, and values as such."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from codebuddy_jupyter.errors import NoReply, PromptError
from codebuddy_jupyter.values.batch.sources import (
    Answers,
    DictOfAnswers,
    DictSource,
    IterableSource,
    ListOfAnswers,
    MissingField,
    Source,
    checked,
    fields_of,
    texts_of,
)
from codebuddy_jupyter.values.batch.template import template_of


def answers(*values: Any, fields: tuple[str, ...] = ()) -> Answers:
    answers = Answers(fields)
    for number, value in enumerate(values):
        answers.put(number, f"key {number}", value)
    return answers


def test_a_list_gives_its_items_by_their_place() -> None:
    source = IterableSource(["a", "b"])
    assert (source.total, source.columns) == (2, ("item",))
    assert list(source.rows(["item"])) == [(0, ["a"]), (1, ["b"])]


def test_dicts_in_a_list_have_columns() -> None:
    source = IterableSource([{"text": "a", "n": 1}, {"text": "b"}])
    assert list(source.columns or ()) == ["text", "n", "item"]
    (_, first), (_, second) = source.rows(["n", "text", "item"])
    assert first == [1, "a", {"text": "a", "n": 1}]
    assert isinstance(second[0], MissingField)


def test_an_endless_iterable_is_read_as_it_is_needed() -> None:
    read: list[int] = []

    def endless() -> Iterator[int]:
        for number in itertools.count():
            read.append(number)
            yield number

    source = IterableSource(endless())
    assert source.total is None
    rows = source.rows(["item"])
    assert [next(rows) for _ in range(3)] == [(0, [0]), (1, [1]), (2, [2])]
    assert read == [0, 1, 2]


@pytest.mark.parametrize("source", [IterableSource([]), DictSource({})])
def test_without_a_row_no_column_is_known(source: Source) -> None:
    assert source.columns is None
    template = template_of("{text} or {price}?", source.columns, may_append=True)
    assert template.fields == ("text", "price")


def test_keys_that_are_no_texts_are_fields_as_well() -> None:
    source = IterableSource([{0: "a", "1": "b"}])
    assert list(source.rows(["0", "1"])) == [(0, ["a", "b"])]


def test_a_dict_keeps_its_keys() -> None:
    source = DictSource({"x": "a", 7: {"text": "b"}})
    assert list(source.rows(["item"])) == [("x", ["a"]), (7, [{"text": "b"}])]
    output = source.output(answers(True, False))
    assert output == {"x": True, 7: False}
    assert isinstance(output, dict)


def test_a_list_of_values_is_a_list() -> None:
    output = IterableSource(["a", "b", "c"]).output(answers(1, NoReply("none")))
    assert output == [1, None, None]


def test_answers_may_come_in_any_order_and_a_second_time() -> None:
    answers = Answers()
    answers.put(2, "c", NoReply("no"))
    answers.put(0, "a", 1)
    assert answers.filled(3) == [1, None, None]
    assert list(answers.errors) == [2]
    answers.put(2, "c", 3)
    assert (answers.filled(3), answers.errors) == ([1, None, 3], {})
    assert answers.keys == ["a", None, "c"]


def test_records_give_a_column_for_each_field() -> None:
    class Record:
        n = 1
        tag = "x"

    values = answers(Record(), None, {"n": 2}, fields=("n", "tag"))
    assert values.columns(3) == {"n": [1, None, 2], "tag": ["x", None, None]}


def test_values_can_be_copied_and_pickled() -> None:
    values = ListOfAnswers([1, 2])
    values.retry = lambda: None
    by_key = DictOfAnswers({"a": 1})
    by_key.retry = lambda: None
    for value in (values, by_key):
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value


@pytest.mark.parametrize("items", ["one text", b"bytes", 7, None, object()])
def test_what_has_no_rows_is_refused(items: Any) -> None:
    with pytest.raises(PromptError, match=r"buddy\.map takes"):
        checked(items)


def test_a_row_without_any_value_has_no_texts() -> None:
    assert texts_of([None, float("nan")], ["a", "b"]) is None
    assert texts_of([None, "x"], ["a", "b"]) == ["", "x"]


def test_a_row_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(PromptError, match="The row has no 'b'"):
        texts_of(fields_of({"a": 1}, ["a", "b"]), ["a", "b"])
    with pytest.raises(PromptError, match=r"\{a\} cannot be filled: a value of"):
        texts_of([b"x"], ["a"])
