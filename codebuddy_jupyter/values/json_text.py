"""Finds JSON in the text of an answer, whatever stands around it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

# Characters in which JSON is looked for.
LONGEST = 1_000_000
# Places at which JSON may begin, and values that are returned, at most.
MOST_STARTS = 200
MOST_VALUES = 20

_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)
_START = re.compile(r"[{\[]")


class NotJSON(ValueError):
    """A text is JSON that no value should be made of; the message says why."""


def json_values(text: str) -> Iterator[Any]:
    """Yield the values that a text contains as JSON, the likeliest first: all of it,
    those in fenced blocks, then objects and arrays anywhere.

    Raises
    ------
    NotJSON
        At the end, if there is none, with the reason.
    """
    text = text[:LONGEST].strip()
    blocks = [block.strip() for block in _FENCE.findall(text)]
    reason = ""
    found: list[Any] = []
    for candidate in (text, *blocks[:MOST_VALUES]):
        try:
            found.append(_decode(candidate))
        except NotJSON as error:
            reason = reason or str(error)
        except ValueError:
            continue
        else:
            yield found[-1]
    for value in _values_within(text):
        if isinstance(value, NotJSON):
            reason = reason or str(value)
        elif value not in found:
            found.append(value)
            yield value
    if not found:
        raise NotJSON(reason or "there is no JSON in the answer")


def _values_within(text: str) -> Iterator[Any]:
    """Yield the objects in a text, then the arrays outside of them, and what is wrong
    with those that are none.
    """
    values: list[Any] = []
    place = 0
    for _ in range(MOST_STARTS):
        start = _START.search(text, place)
        if start is None:
            break
        place = start.end()
        try:
            value, place = _DECODER.raw_decode(text, start.start())
        except NotJSON as error:
            values.append(error)
        except (ValueError, RecursionError):
            continue
        else:
            values.append(value)
    # A list in brackets is often not meant as one, such as [1] for a reference.
    values.sort(key=lambda value: isinstance(value, list))
    yield from values[:MOST_VALUES]


def _decode(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise NotJSON("it is nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a key may stand twice with the same value only."""
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result and result[key] != value:
            raise NotJSON(f'the key "{key[:50]}" stands twice with different values')
        result[key] = value
    return result


def _refuse_constant(constant: str) -> Any:
    raise NotJSON(f"{constant} is not a number in JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotJSON(f"the number {digits[:20]} is too large")
    return number


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError as error:
        raise NotJSON(f"a number has {len(digits):,} digits") from error


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_refuse_constant,
    parse_float=_finite,
    parse_int=_whole,
    strict=False,
)
