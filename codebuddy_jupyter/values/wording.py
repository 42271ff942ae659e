"""What a prompt says about the form of its answer, in words that a small model reads."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .schema import Schema, described_parts, followed, sent

# Levels of a type that contains itself.
DEEPEST = 4
MOST_DESCRIPTIONS = 60
LIMITS = frozenset(
    {
        "$ref",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "pattern",
    }
)
"""What words do not tell of a schema."""
ASKED = "Answer with JSON and nothing else, in this form:"

_WORDS: Mapping[str, str] = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "null",
    "string": '"..."',
}
_FORMATS: Mapping[str, str] = {
    "date": '"YYYY-MM-DD"',
    "date-time": '"YYYY-MM-DDTHH:MM:SSZ"',
    "time": '"HH:MM:SS"',
}


def instruction(schema: Schema, *, with_schema: bool) -> str:
    """Return what a prompt says of the form of its answer.

    Parameters
    ----------
    schema
        The schema of the answer.
    with_schema
        Whether to quote the schema as well if it says more than words do, for a model
        whose server takes none. Small models repeat a schema instead of filling it in.
    """
    definitions = schema.get("$defs", {})
    lines = [ASKED, form_in_words(schema, definitions)]
    for path, description in list(described_parts(schema))[:MOST_DESCRIPTIONS]:
        if path:
            description = f"{path}: {description}"
        lines.append(description)
    if with_schema and _says_more(schema):
        quoted = json.dumps(sent(schema), ensure_ascii=False)
        lines.append(f"Its JSON schema: {quoted}")
    return "\n".join(lines)


def _says_more(part: object) -> bool:
    """Return whether a schema has what words do not tell: limits, and references."""
    if isinstance(part, list):
        return any(_says_more(inner) for inner in part)
    if not isinstance(part, dict):
        return False
    return bool(part.keys() & LIMITS) or _says_more(list(part.values()))


def form_in_words(
    schema: Schema, definitions: Mapping[str, Schema], depth: int = 0
) -> str:
    """Return the form of a value as JSON with words in place of values."""
    if "$ref" in schema:
        if depth >= DEEPEST:
            return "{...}"
        schema = followed(schema, definitions)
        depth += 1
    if "anyOf" in schema:
        return _choice(
            [form_in_words(part, definitions, depth) for part in schema["anyOf"]]
        )
    if "enum" in schema:
        return _choice([_quoted(value) for value in schema["enum"]])
    if "const" in schema:
        return _quoted(schema["const"])
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, definitions, depth)
    if kind == "array":
        return _array(schema, definitions, depth)
    words = _WORDS.get(str(kind), "any value")
    return _FORMATS.get(schema.get("format", ""), words)


def _object(schema: Schema, definitions: Mapping[str, Schema], depth: int) -> str:
    fields = []
    for name, part in schema.get("properties", {}).items():
        fields.append(f"{_quoted(name)}: {form_in_words(part, definitions, depth)}")
    if "properties" not in schema:
        others = schema.get("additionalProperties", {})
        fields = [f'"...": {form_in_words(others, definitions, depth)}', "..."]
    return f"{{{', '.join(fields)}}}"


def _array(schema: Schema, definitions: Mapping[str, Schema], depth: int) -> str:
    parts = []
    for part in schema.get("prefixItems", []):
        parts.append(form_in_words(part, definitions, depth))
    if "prefixItems" not in schema:
        parts = [form_in_words(schema.get("items", {}), definitions, depth), "..."]
    return f"[{', '.join(parts)}]"


def _choice(words: list[str]) -> str:
    return " or ".join(dict.fromkeys(words))


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
