"""A schema with limits, for a model that went on without end: servers that enforce a
schema then end its texts and lists.
"""

from __future__ import annotations

from typing import Any

from .schema import Schema

# Items of a list, and of a list within one.
ITEMS = 5
INNER_ITEMS = 3
# Tokens of an answer whose length the request does not limit.
USUAL_TOKENS = 1024
# The share of the tokens that is for texts. A character can be a token of its own.
TEXT_SHARE = 0.5
SHORTEST_TEXT = 12
LONGEST_TEXT = 400

_NOT_FREE = frozenset({"enum", "const", "format", "pattern"})


def bounded(schema: Schema, max_tokens: int | None) -> Schema:
    """Return a schema whose values fit into so many tokens, as far as limits of texts and
    lists can do that.
    """
    limited: Schema = _with_items(schema, ITEMS)
    texts = max(_texts(limited), 1)
    room = int((max_tokens or USUAL_TOKENS) * TEXT_SHARE / texts)
    length = min(max(room, SHORTEST_TEXT), LONGEST_TEXT)
    result: Schema = _with_length(limited, length)
    return result


def _with_items(part: Any, most: int) -> Any:
    """Return a part with at most so many items in its lists."""
    if isinstance(part, list):
        return [_with_items(inner, most) for inner in part]
    if not isinstance(part, dict):
        return part
    is_list = _is_list(part)
    inside = most
    if is_list:
        inside = INNER_ITEMS
    result = {}
    for key, value in part.items():
        result[key] = _with_items(value, inside)
    if is_list:
        allowed = min(part.get("maxItems", most), most)
        least = part.get("minItems", 0)
        result["maxItems"] = max(allowed, least)
    return result


def _texts(part: Any) -> int:
    """Return how many free texts a value can have, with all items of its lists."""
    if isinstance(part, list):
        return sum([_texts(inner) for inner in part])
    if not isinstance(part, dict):
        return 0
    if _is_free_text(part):
        return 1
    inner = sum([_texts(value) for value in part.values()])
    if _is_list(part):
        return inner * int(part["maxItems"])
    return inner


def _with_length(part: Any, most: int) -> Any:
    """Return a part whose free texts have at most so many characters."""
    if isinstance(part, list):
        return [_with_length(inner, most) for inner in part]
    if not isinstance(part, dict):
        return part
    result = {}
    for key, value in part.items():
        result[key] = _with_length(value, most)
    if _is_free_text(part):
        allowed = min(part.get("maxLength", most), most)
        least = part.get("minLength", 0)
        result["maxLength"] = max(allowed, least)
    return result


def _is_list(part: Schema) -> bool:
    return part.get("type") == "array" and "prefixItems" not in part


def _is_free_text(part: Schema) -> bool:
    is_text = part.get("type") == "string"
    return is_text and not part.keys() & _NOT_FREE
