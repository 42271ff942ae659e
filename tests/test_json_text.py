"""JSON in the text of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from codebuddy_jupyter.values.json_text import MOST_VALUES, NotJSON, json_values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ('  {"a": 1}\n', {"a": 1}),
        ("true", True),
        ("-12.5", -12.5),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ("```\n[1, 2]\n```", [1, 2]),
        ('Here it is:\n```json\n{"a": {"b": [1]}}\n```\nDone.', {"a": {"b": [1]}}),
        ('Sure! {"a": 1} I hope that helps.', {"a": 1}),
        ('<think>maybe {x}</think>{"a": 1}', {"a": 1}),
        ('as in [1], the answer is {"a": 1}', {"a": 1}),
        ('{broken {"a": 1}', {"a": 1}),
        ('{"a": "with } and ``` in it"}', {"a": "with } and ``` in it"}),
        ('{"a": "line\nbreak"}', {"a": "line\nbreak"}),
        ('{"a": 1, "a": 1}', {"a": 1}),
    ],
)
def test_the_first_value_is_the_likeliest(text: str, expected: Any) -> None:
    assert next(json_values(text)) == expected


def test_all_values_are_found_once() -> None:
    text = 'First {"a": 1}, then {"a": 2}, and {"a": 1} again.'
    assert list(json_values(text)) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON"),
        ("no idea", "no JSON"),
        ('{"a": ', "no JSON"),
        ("{'a': 1}", "no JSON"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ('{"a": 1e999}', "too large"),
        ('{"a": 1, "a": 2}', 'the key "a" stands twice'),
        ('x {"a": 1, "a": 2}', 'the key "a" stands twice'),
        ('{"a": %s}' % ("9" * 10_000), "10,000 digits"),
    ],
)
def test_what_is_no_json_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(NotJSON, match=words):
        list(json_values(text))


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, "{" * 200_000, '{"a":' * 100_000, "[{" * 100_000 + "]" * 100_000],
    ids=["arrays", "objects", "nested", "both"],
)
def test_a_hostile_text_ends_in_an_error(text: str) -> None:
    with pytest.raises(NotJSON):
        list(json_values(text))


def test_only_so_many_values_are_returned() -> None:
    text = " ".join(f'{{"a": {number}}}' for number in range(1_000))
    assert len(list(json_values(text))) == MOST_VALUES
