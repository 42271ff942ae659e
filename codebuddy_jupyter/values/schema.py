"""JSON schemas of types: plain, complete and without references where that is possible,
since several servers and most small models take no others.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..context.inert import without_control_tokens
from ..secrets.redactor import Redactor

# Parts of a schema.
MOST_PARTS = 2_000
# Characters of a description.
LONGEST_DESCRIPTION = 600
MEMBERS = "$members"
"""The key of a schema below which the members of an enumeration stand by name; it is
not sent.
"""

# What is kept of a schema as it is.
_KEPT = (
    "type",
    "enum",
    "const",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    MEMBERS,
)
_FORMATS = ("date", "date-time", "time", "duration", "uuid", "email", "ipv4", "ipv6")
_REFERENCE = "#/$defs/"

Schema = dict[str, Any]


class NoSchema(Exception):
    """A type that cannot be a JSON schema; the message says why."""


def schema_of(adapter: Any) -> Schema:
    """Return the JSON schema of a type, with `MEMBERS`.

    Parameters
    ----------
    adapter
        The ``pydantic.TypeAdapter`` of the type.

    Raises
    ------
    NoSchema
        If it has none, or a very large one.
    """
    raw = adapter.json_schema(schema_generator=_generator())
    definitions = raw.pop("$defs", {})
    schema = _Cleaner(definitions).schema(raw)
    if not schema.keys() - {"description"}:
        raise NoSchema("it says nothing about the form of its values")
    if schema.get("properties") == {}:
        raise NoSchema("it has no fields")
    return schema


def sent(schema: Schema) -> Schema:
    """Return the part of a schema that is sent."""
    result: Schema = {}
    for key, value in schema.items():
        if key != MEMBERS:
            result[key] = _sent_value(value)
    return result


def _sent_value(value: Any) -> Any:
    if isinstance(value, dict):
        return sent(value)
    if isinstance(value, list):
        return [_sent_value(inner) for inner in value]
    return value


def followed(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return a schema, or the one that it refers to."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return definitions[reference.removeprefix(_REFERENCE)]


class _Cleaner:
    """Makes one schema plain.

    Parameters
    ----------
    definitions
        The schemas that are referred to, by name.
    """

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._recursive: list[str] = []
        self._parts = 0
        self._redactor = Redactor()

    def schema(self, raw: Schema) -> Schema:
        """Return the schema, with definitions only for what contains itself."""
        result = self._clean(raw, ())
        definitions: dict[str, Schema] = {}
        # Cleaning a definition may find more of them.
        for name in self._recursive:
            definitions[name] = self._clean(self._definitions[name], (name,))
        if definitions:
            result["$defs"] = definitions
        return result

    def _clean(self, raw: Schema, within: tuple[str, ...]) -> Schema:
        """Return a part of the schema.

        Parameters
        ----------
        raw
            The part as pydantic gives it.
        within
            The names of the definitions around it.
        """
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise NoSchema(f"its schema has more than {MOST_PARTS:,} parts")
        if "$ref" in raw:
            return self._referred(raw, within)
        if len(raw.get("allOf", [])) == 1:
            (only,) = raw["allOf"]
            others = {key: value for key, value in raw.items() if key != "allOf"}
            return self._clean({**only, **others}, within)
        result = {key: raw[key] for key in _KEPT if key in raw}
        if raw.get("format") in _FORMATS:
            result["format"] = raw["format"]
        if "(?" not in raw.get("pattern", "(?"):
            result["pattern"] = raw["pattern"]
        description = self._description(raw)
        if description:
            result["description"] = description
        self._add_inner(result, raw, within)
        return result

    def _referred(self, raw: Schema, within: tuple[str, ...]) -> Schema:
        name = raw["$ref"].removeprefix(_REFERENCE)
        if name in within:
            if name not in self._recursive:
                self._recursive.append(name)
            return {"$ref": _REFERENCE + name}
        others = {key: value for key, value in raw.items() if key != "$ref"}
        return self._clean({**self._definitions[name], **others}, (*within, name))

    def _add_inner(self, result: Schema, raw: Schema, within: tuple[str, ...]) -> None:
        """Add the parts within a part."""
        choices = raw.get("anyOf") or raw.get("oneOf")
        if choices:
            result["anyOf"] = [self._clean(choice, within) for choice in choices]
        for key in ("items", "additionalProperties"):
            if isinstance(raw.get(key), dict) and "properties" not in raw:
                result[key] = self._clean(raw[key], within)
        if "prefixItems" in raw:
            items = [self._clean(item, within) for item in raw["prefixItems"]]
            result["prefixItems"] = items
            result.pop("items", None)
        if "properties" in raw:
            properties = {}
            for name, inner in raw["properties"].items():
                properties[name] = self._clean(inner, within)
            result["properties"] = properties
            # Servers that enforce a schema want all of them, and small models leave out
            # what they may.
            result["required"] = list(properties)
            result["additionalProperties"] = False

    def _description(self, raw: Schema) -> str:
        """Return a description as it may be sent."""
        text = inspect.cleandoc(str(raw.get("description") or ""))
        text = text[:LONGEST_DESCRIPTION]
        return without_control_tokens(self._redactor.redact(text).text)


@functools.cache
def _generator() -> Any:
    """Return pydantic's generator of schemas, in which named tuples are objects and
    members of enumerations have names.
    """
    from pydantic.json_schema import GenerateJsonSchema

    class Generator(GenerateJsonSchema):
        """The generator."""

        def sort(self, value: Any, parent_key: str | None = None) -> Any:
            """Keep the order: fields that are asked first are answered first."""
            return value

        def enum_schema(self, schema: Any) -> Any:
            """Name the members whose values are not texts."""
            result = super().enum_schema(schema)
            members = schema["members"]
            if all(isinstance(member.value, str) for member in members):
                return result
            by_name = {member.name: member for member in members}
            named = {"type": "string", "enum": list(by_name), MEMBERS: by_name}
            return {**result, **named}

        def dataclass_schema(self, schema: Any) -> Any:
            """Describe a dataclass by its docstring, as newer versions do."""
            described = _documentation(schema["cls"])
            return {**described, **super().dataclass_schema(schema)}

        def named_tuple_schema(self, schema: Any) -> Any:
            """Describe a named tuple as an object."""
            properties = {}
            for field in schema["fields"]:
                properties[field["name"]] = self.generate_inner(field["schema"])
            return _tuple_object(schema["cls"], properties)

        def call_schema(self, schema: Any) -> Any:
            """Describe a named tuple as an object, as older versions declare it."""
            called = schema["function"]
            if not (isinstance(called, type) and issubclass(called, tuple)):
                # Pydantic would call it with what the model wrote.
                raise NoSchema("a function is not a type")
            properties = {}
            for field in schema["arguments_schema"]["arguments_schema"]:
                properties[field["name"]] = self.generate_inner(field["schema"])
            return _tuple_object(called, properties)

    return Generator


def _tuple_object(cls: type, properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, **_documentation(cls)}


def _documentation(cls: type) -> Schema:
    """Return the docstring of a class as a part of its schema."""
    documentation = cls.__doc__ or ""
    # A dataclass or a named tuple without one has its signature there.
    if documentation.startswith(f"{cls.__name__}("):
        return {}
    return {"description": documentation}


def described_parts(schema: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the descriptions within a schema, each after the path to its place."""
    if schema.get("description"):
        yield path, re.sub(r"\s+", " ", schema["description"])
    for name, inner in schema.get("properties", {}).items():
        yield from described_parts(inner, f"{path}.{name}".lstrip("."))
    for key in ("items", "additionalProperties"):
        inner = schema.get(key)
        if isinstance(inner, dict):
            yield from described_parts(inner, path)
    for inner in [*schema.get("anyOf", []), *schema.get("prefixItems", [])]:
        yield from described_parts(inner, path)
