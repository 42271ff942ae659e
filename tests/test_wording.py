"""What a prompt says about the form of its answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum
from typing import Annotated, Any, Literal

import pydantic
import pytest

from codebuddy_jupyter.values.form import form_of
from codebuddy_jupyter.values.wording import ASKED


class Level(IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Person:
    """Somebody."""

    name: Annotated[str, pydantic.Field(description="The full\n name.")]
    age: int
    tags: list[str] = field(default_factory=list)


class Node(pydantic.BaseModel):
    name: str
    children: list[Node] = []


@pytest.mark.parametrize(
    ("into", "form"),
    [
        (bool, '{"value": true or false}'),
        (int, '{"value": a whole number}'),
        (float, '{"value": a number}'),
        (str, '{"value": "..."}'),
        (Literal["a", "b"], '{"value": "a" or "b"}'),
        (Level, '{"value": "LOW" or "HIGH"}'),
        (date, '{"value": "YYYY-MM-DD"}'),
        (datetime, '{"value": "YYYY-MM-DDTHH:MM:SSZ"}'),
        (int | None, '{"value": a whole number or null}'),
        (list[int], '{"value": [a whole number, ...]}'),
        (list, '{"value": [any value, ...]}'),
        (tuple[int, str], '{"value": [a whole number, "..."]}'),
        (dict[str, float], '{"...": a number, ...}'),
        (Person, '{"name": "...", "age": a whole number, "tags": ["...", ...]}'),
        ("name, age int", '{"name": "...", "age": a whole number}'),
    ],
    ids=str,
)
def test_a_form_is_told_in_words(into: Any, form: str) -> None:
    lines = form_of(into).instruction(with_schema=False).splitlines()
    assert lines[:2] == [ASKED, form]


def test_descriptions_follow_on_a_line_each() -> None:
    told = form_of(Person).instruction(with_schema=False).splitlines()
    assert told[2:] == ["Somebody.", "name: The full name."]
    told = form_of(list[Person]).instruction(with_schema=False).splitlines()
    assert told[2:] == ["value: Somebody.", "value.name: The full name."]


def test_a_type_that_contains_itself_is_told_to_some_depth() -> None:
    told = form_of(Node).instruction(with_schema=False)
    assert told.count("children") == 5
    assert "{...}" in told


class Rated(pydantic.BaseModel):
    level: Level
    stars: int = pydantic.Field(ge=1, le=5)


@pytest.mark.parametrize("into", [Rated, list[Rated], Node])
def test_a_schema_that_says_more_is_quoted_where_the_server_takes_none(
    into: Any,
) -> None:
    form = form_of(into)
    last = form.instruction(with_schema=True).splitlines()[-1]
    assert last == f"Its JSON schema: {json.dumps(form.schema)}"
    assert "$members" not in last


@pytest.mark.parametrize("into", [bool, Level, Person, list[Person], dict[str, int]])
def test_a_schema_that_says_no_more_than_words_is_not_quoted(into: Any) -> None:
    form = form_of(into)
    assert form.instruction(with_schema=True) == form.instruction(with_schema=False)
