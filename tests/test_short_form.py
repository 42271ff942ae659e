"""Records in one line."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal

import pytest

from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.values.short_form import MOST_FIELDS, record_of


class Person:
    """Somebody."""


def types_of(text: str) -> dict[str, Any]:
    return {
        field.name: field.type for field in fields(record_of(text, {"Person": Person}))
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name", {"name": str}),
        (
            "name, age int, tags list[str]",
            {"name": str, "age": int, "tags": list[str]},
        ),
        ("name: str, age: int", {"name": str, "age": int}),
        ("a dict[str, int], b", {"a": dict[str, int], "b": str}),
        ("mood Literal['good, or so', 'bad']", {"mood": Literal["good, or so", "bad"]}),
        ("age int | None", {"age": int | None}),
        ("who Person", {"who": Person}),
        ("name,\n age int,\n", {"name": str, "age": int}),
    ],
)
def test_fields_have_names_and_types(text: str, expected: dict[str, Any]) -> None:
    assert types_of(text) == expected


def test_a_record_is_made_and_shown_by_its_fields() -> None:
    record = record_of("name, age int")
    assert repr(record(name="Ada", age=36)) == "Answer(name='Ada', age=36)"
    assert record("Ada", 36) == record("Ada", 36)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a name with a type"),
        ("a,,b", "not a name with a type"),
        ("int", "int is a type, and stands without a name"),
        ("a, a int", "stands twice"),
        ("class", "cannot be the name of a variable"),
        ("1st int", "cannot be the name of a variable"),
        ("age integer", "no type integer"),
        ("age int int", "is not a type"),
        ("age __import__('os')", "is not a type"),
        ("age list[", "is not a type"),
        ("!", "not a name with a type"),
        (", ".join(f"f{n}" for n in range(MOST_FIELDS + 1)), "at most 100 fields"),
    ],
)
def test_another_text_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        record_of(text)
