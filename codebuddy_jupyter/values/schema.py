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
            definition = self._definitions[name]
            definitions[name] = self._clean(definition, (name,))
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
            merged = {**only, **_without(raw, "allOf")}
            return self._clean(merged, within)
        result = self._itself(raw)
        self._add_inner(result, raw, within)
        return result

    def _referred(self, raw: Schema, within: tuple[str, ...]) -> Schema:
        name = raw["$ref"].removeprefix(_REFERENCE)
        if name in within:
            if name not in self._recursive:
                self._recursive.append(name)
            return {"$ref": _REFERENCE + name}
        definition = self._definitions[name]
        merged = {**definition, **_without(raw, "$ref")}
        return self._clean(merged, (*within, name))

    def _itself(self, raw: Schema) -> Schema:
        """Return what is kept of a part, without the parts within it."""
        result: Schema = {}
        for key in _KEPT:
            if key in raw:
                result[key] = raw[key]
        if raw.get("format") in _FORMATS:
            result["format"] = raw["format"]
        if "(?" not in raw.get("pattern", "(?"):
            result["pattern"] = raw["pattern"]
        description = self._description(raw)
        if description:
            result["description"] = description
        return result

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
        description = str(raw.get("description") or "")
        text = inspect.cleandoc(description)[:LONGEST_DESCRIPTION]
        redacted = self._redactor.redact(text)
        return without_control_tokens(redacted.text)


def _without(schema: Schema, left_out: str) -> Schema:
    return {key: value for key, value in schema.items() if key != left_out}


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
            return {
                **result,
                "type": "string",
                "enum": list(by_name),
                MEMBERS: by_name,
            }

        def dataclass_schema(self, schema: Any) -> Any:
            """Describe a dataclass by its docstring, as newer versions do."""
            described = _documentation(schema["cls"])
            result = super().dataclass_schema(schema)
            return {**described, **result}

        def named_tuple_schema(self, schema: Any) -> Any:
            """Describe a named tuple as an object."""
            properties = {}
            for field in schema["fields"]:
                properties[field["name"]] = self.generate_inner(field["schema"])
            return _tuple_object(schema["cls"], properties)

        def call_schema(self, schema: Any) -> Any:
            """Describe a named tuple as an object, as older versions declare it."""
            called = schema["function"]
            is_tuple = isinstance(called, type) and issubclass(called, tuple)
            if not is_tuple:
                # Pydantic would call it with what the model wrote.
                raise NoSchema("a function is not a type")
            properties = {}
            arguments = schema["arguments_schema"]
            for field in arguments["arguments_schema"]:
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
    description = schema.get("description")
    if description:
        yield path, re.sub(r"\s+", " ", description)
    properties = schema.get("properties", {})
    for name, inner in properties.items():
        inner_path = f"{path}.{name}".lstrip(".")
        yield from described_parts(inner, inner_path)
    for key in ("items", "additionalProperties"):
        inner = schema.get(key)
        if isinstance(inner, dict):
            yield from described_parts(inner, path)
    for key in ("anyOf", "prefixItems"):
        for inner in schema.get(key, []):
            yield from described_parts(inner, path)
