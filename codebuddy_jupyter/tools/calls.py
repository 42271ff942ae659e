"""Calls of tools that a model writes into its text, in the forms that are known.

Small models do that although a server offers them tools: as JSON, bare or in a fence,
in ``<tool_call>`` marks, or as ``[name(argument=1)]``. Only calls of tools that there
are count as such; nothing is run here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..values.json_text import NotJSON, json_values

# Characters of a text that may be calls; a longer one is an answer.
LONGEST = 4_000
MOST_CALLS = 8

_NAMES = ("look", "name", "tool", "function", "tool_name")
_ARGUMENTS = ("arguments", "parameters", "args", "input")
_MARK = re.compile(
    r"</?tool_calls?>|<\|?/?(?:tool_call|python_tag|function_call)\|?>|\[/?TOOL_CALLS\]"
)
_FENCE = re.compile(r"```[\w-]*")
_PYTHON_CALL = re.compile(r"\[?\s*([A-Za-z_]\w*)\(")
# What a text begins with that may be a call: a part of it, or all of it and more.
_STARTS = (
    "{",
    "[{",
    "<tool_call",
    "<|tool_call",
    "<|python_tag",
    "<function",
    "[TOOL_CALLS",
    "```json",
    "```tool",
)


@dataclass(frozen=True)
class Call:
    """A call of a tool: its name, and the arguments as the model wrote them."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def may_be_call(text: str, names: Collection[str]) -> bool:
    """Return whether the beginning of an answer may become a call of one of the tools."""
    begun = text.lstrip()[:LONGEST]
    if len(text) > LONGEST:
        return False
    starts = [*_STARTS]
    for name in names:
        starts += [f"[{name}(", f"{name}("]
    if begun.startswith(tuple(starts)):
        return True
    return any(start.startswith(begun) for start in starts)


def calls_in(text: str, names: Collection[str]) -> list[Call]:
    """Return the calls of these tools that a text consists of; none of an answer."""
    if len(text) > LONGEST or not may_be_call(text, names):
        return []
    unmarked = _MARK.sub(" ", text)
    bare = _FENCE.sub(" ", unmarked).strip()
    calls = [*_json_calls(bare, names), *_python_calls(bare, names)]
    return calls[:MOST_CALLS]


def try_call(data: object, names: Collection[str]) -> Call | None:
    """Return the call that a value of JSON is; None if it is none of these tools."""
    if not isinstance(data, Mapping):
        return None
    nested = data.get("function")
    if isinstance(nested, Mapping):
        return try_call(nested, names)
    for key in _NAMES:
        name = data.get(key)
        if isinstance(name, str) and name in names:
            return Call(name, _arguments(data, key))
    return None


def _arguments(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the arguments: those of a field for them, or the fields beside the name."""
    for name in _ARGUMENTS:
        given = data.get(name)
        if isinstance(given, Mapping):
            return given
        if isinstance(given, str):
            return _parsed(given)
    return {name: value for name, value in data.items() if name != key}


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        for value in json_values(text):
            if isinstance(value, Mapping):
                return value
    except NotJSON:
        pass
    return {}


def _json_calls(text: str, names: Collection[str]) -> Iterator[Call]:
    try:
        for value in json_values(text):
            values = [value]
            if isinstance(value, list):
                values = value
            for data in values:
                call = try_call(data, names)
                if call is not None:
                    yield call
    except NotJSON:
        return


def _python_calls(text: str, names: Collection[str]) -> Iterator[Call]:
    """Yield calls such as ``[variable(name="df")]``; the code is only parsed."""
    match = _PYTHON_CALL.match(text)
    if match is None or match[1] not in names:
        return
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    nodes = [tree.body]
    if isinstance(tree.body, ast.List):
        nodes = tree.body.elts
    for node in nodes:
        if not isinstance(node, ast.Call):
            continue
        name = node.func
        if isinstance(name, ast.Name) and name.id in names:
            yield Call(name.id, _keywords(node))


def _keywords(call: ast.Call) -> dict[str, Any]:
    arguments = {}
    for keyword in call.keywords:
        if keyword.arg and isinstance(keyword.value, ast.Constant):
            arguments[keyword.arg] = keyword.value.value
    return arguments
