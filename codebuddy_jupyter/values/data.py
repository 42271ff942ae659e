"""Values of JSON prepared for their type, along its schema: names become members of
enumerations, and what pydantic would take for something else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .schema import MEMBERS, Schema, followed

# The type of a schema that a value of JSON has.
_JSON_TYPES: Mapping[type, tuple[str, ...]] = {
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    str: ("string",),
    list: ("array",),
    dict: ("object",),
    type(None): ("null",),
}
_NO_NUMBER = re.compile(r"\s*[+-]?(?:nan|inf|infinity)\s*", re.IGNORECASE)
# What pydantic takes for seconds since 1970.
_SECONDS = re.compile(r"\s*[+-]?[\d_]+(?:\.\d*)?\s*")
_DATES = {
    "date": "a date such as 2026-05-31",
    "date-time": "a time such as 2026-05-31T12:00:00Z",
}


class Unfit(ValueError):
    """A value that does not fit its schema; the message says why."""


def prepared(data: Any, schema: Schema, definitions: Mapping[str, Schema]) -> Any:
    """Return a value of JSON as pydantic shall read it.

    Raises
    ------
    Unfit
        If it would be read as something that it does not mean.
    """
    schema = followed(schema, definitions)
    if "anyOf" in schema:
        return _prepared_choice(data, schema["anyOf"], definitions)
    if MEMBERS in schema:
        return _member(data, schema[MEMBERS])
    _check(data, schema)
    if isinstance(data, list):
        return _prepared_list(data, schema, definitions)
    if isinstance(data, dict):
        return _prepared_object(data, schema, definitions)
    return data


def _prepared_choice(
    data: Any, choices: list[Schema], definitions: Mapping[str, Schema]
) -> Any:
    """Return a value by the first choice that it fits, of those of its own type if
    there are any.
    """
    types = _JSON_TYPES.get(type(data), ())
    same = []
    others = []
    for choice in choices:
        kind = followed(choice, definitions).get("type")
        if kind in types:
            same.append(choice)
        elif kind != "null":
            others.append(choice)
    unfit = Unfit("it is of no type that is possible here")
    for choice in same or others:
        try:
            return prepared(data, choice, definitions)
        except Unfit as error:
            unfit = error
    raise unfit


def _prepared_list(
    data: list[Any], schema: Schema, definitions: Mapping[str, Schema]
) -> list[Any]:
    first = schema.get("prefixItems", [])
    others = schema.get("items", {})
    result = []
    for place, item in enumerate(data):
        part = others
        if place < len(first):
            part = first[place]
        result.append(prepared(item, part, definitions))
    return result


def _prepared_object(
    data: dict[str, Any], schema: Schema, definitions: Mapping[str, Schema]
) -> dict[str, Any]:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    result = {}
    for name, value in data.items():
        part = properties.get(name, others)
        if isinstance(part, dict):
            value = prepared(value, part, definitions)
        result[name] = value
    return result


def _member(data: Any, members: Mapping[str, Any]) -> Any:
    """Return the member of an enumeration of this name."""
    if isinstance(data, str) and data in members:
        return members[data]
    raise Unfit(f"it must be one of {', '.join(members)}")


def _check(data: Any, schema: Schema) -> None:
    """Refuse what pydantic would convert without being asked to."""
    kind = schema.get("type")
    if kind in ("integer", "number"):
        if isinstance(data, bool):
            raise Unfit("true and false are no numbers")
        if isinstance(data, str) and _NO_NUMBER.fullmatch(data):
            raise Unfit(f"{data.strip()} is not a number in JSON")
    elif kind == "string" and isinstance(data, int | float):
        raise Unfit(f"it must be a text, not {data!r}"[:80])
    date = _DATES.get(schema.get("format", ""))
    if date and isinstance(data, str) and _SECONDS.fullmatch(data):
        raise Unfit(f'"{data.strip()[:30]}" is not {date}')
