"""Schemas with limits, for a model that went on without end."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pydantic
import pytest

from codebuddy_jupyter.values.bounds import (
    INNER_ITEMS,
    ITEMS,
    LONGEST_TEXT,
    SHORTEST_TEXT,
    bounded,
)
from codebuddy_jupyter.values.form import form_of

SHORT = Annotated[str, pydantic.Field(max_length=7)]
LONG = Annotated[str, pydantic.Field(min_length=999)]


def limits(into: Any, max_tokens: int | None = 100) -> dict[str, Any]:
    """The limited schema of a value."""
    part: dict[str, Any] = bounded(form_of(into).schema, max_tokens)["properties"][
        "value"
    ]
    return part


@pytest.mark.parametrize(
    ("into", "expected"),
    [
        (str, {"type": "string", "maxLength": 50}),
        (SHORT, {"type": "string", "maxLength": 7}),
        (LONG, {"type": "string", "minLength": 999, "maxLength": 999}),
        (
            list[str],
            {
                "type": "array",
                "items": {"type": "string", "maxLength": SHORTEST_TEXT},
                "maxItems": ITEMS,
            },
        ),
        (bool, {"type": "boolean"}),
        (date, {"type": "string", "format": "date"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
    ],
    ids=str,
)
def test_texts_and_lists_are_limited(into: Any, expected: dict[str, Any]) -> None:
    assert limits(into) == expected


def test_lists_within_lists_are_shorter() -> None:
    part = limits(list[list[int]])
    assert (part["maxItems"], part["items"]["maxItems"]) == (ITEMS, INNER_ITEMS)


def test_a_text_has_a_least_and_a_greatest_length() -> None:
    assert limits(str, None)["maxLength"] == LONGEST_TEXT
    assert limits(list[list[str]])["items"]["items"]["maxLength"] == SHORTEST_TEXT


def test_fields_may_be_named_like_parts_of_a_schema() -> None:
    form = form_of(
        "items list[str], type, enum, maxItems int, properties dict[str, str]"
    )
    properties = bounded(form.schema, 100)["properties"]
    assert properties["items"]["maxItems"] == ITEMS
    assert properties["type"] == {"type": "string", "maxLength": SHORTEST_TEXT}
    assert properties["maxItems"] == {"type": "integer"}


def test_the_schema_itself_stays_as_it_is() -> None:
    form = form_of("name, tags list[str]")
    before = str(form.schema)
    limited = bounded(form.schema, 100)
    assert str(form.schema) == before
    assert limited["properties"]["tags"]["maxItems"] == ITEMS
    assert limited["required"] == ["name", "tags"]
