"""Calls in code: keywords that a function does not take, and what some calls give."""

from __future__ import annotations

import ast
from typing import Any, Protocol

from ..describe.types import (
    is_instance,
    name_of,
    try_loaded,
)
from .abstract import Arguments, Column, Frame, Value, try_all_keys, try_all_texts
from .installed import (
    Parameters,
    constructor_of,
    decorators_mention,
    is_wrapper,
    plain_function,
    signature_text,
    try_parameters,
)
from .pandas_steps import Checker, merged
from .report import Called, Report

# Calls of one piece of code that are kept.
MAX_CALLS = 50


class CallReader(Checker, Protocol):
    """What is needed of the one that reads the code."""

    def read_arguments(self, node: ast.Call, *, trusted: bool) -> None:
        """Read the arguments of a call."""


def check_call(
    report: Report, function: Any, node: ast.Call, *, skip: int = 0, owner: str = ""
) -> None:
    """Report a keyword that a function surely does not take, or too many values.

    Parameters
    ----------
    report
        Gets the finding.
    function
        The function, class or method that is called.
    node
        The call.
    skip
        How many of its first parameters are bound already.
    owner
        How the line names the function; by default its own name.
    """
    called = function
    if is_instance(function, type):
        called = constructor_of(function)
        skip = 1
        owner = name_of(function)
    elif type(function) is classmethod:
        skip = 1
    if called is None:
        return
    parameters = try_parameters(called, skip)
    if parameters is None:
        return
    name = _function_name(called)
    owner = owner or name
    if len(report.calls) < MAX_CALLS:
        last_name = name.rpartition(".")[2]
        report.calls.append(Called(owner, last_name, called, skip))
    _check_keywords(report, called, parameters, node, owner, skip)
    _check_positions(report, called, parameters, node, owner, skip)


def _check_keywords(
    report: Report,
    called: Any,
    parameters: Parameters,
    node: ast.Call,
    owner: str,
    skip: int,
) -> None:
    if parameters.takes_any:
        return
    for word in node.keywords:
        if word.arg is None or word.arg in parameters.named:
            continue
        if is_wrapper(called) and decorators_mention(called, word.arg):
            continue
        text = signature_text(called, skip)
        report.keyword(owner, word.arg, parameters.named, text, word.value)


def _check_positions(
    report: Report,
    called: Any,
    parameters: Parameters,
    node: ast.Call,
    owner: str,
    skip: int,
) -> None:
    most = parameters.positions
    is_starred = any(isinstance(value, ast.Starred) for value in node.args)
    # A decorator may pass on others.
    if most is None or is_starred or is_wrapper(called):
        return
    if len(node.args) > most:
        text = signature_text(called, skip)
        report.positions(owner, most, len(node.args), text, node)


def _function_name(function: Any) -> str:
    plain = plain_function(function)
    if plain is None:
        return "the function"
    return plain.__qualname__.rpartition("<locals>.")[2][:80]


def constructed(
    reader: CallReader, called: Any, arguments: Arguments, node: ast.Call
) -> tuple[Value] | None:
    """Return what some functions of pandas give, in a tuple; None for any other.

    Their arguments are read then.
    """
    if called is None:
        return None
    if called is try_loaded("pandas", "merge"):
        left_node = arguments.get("left", 0)
        left = reader.frame_in(left_node)
        return (merged(reader, left, left_node or node, arguments, shift=1),)
    if called is try_loaded("pandas", "concat"):
        reader.read_arguments(node, trusted=True)
        return (_concatenated(reader, arguments),)
    if called is try_loaded("pandas", "DataFrame"):
        reader.read_arguments(node, trusted=True)
        return (_new_frame(arguments),)
    for name in ("to_datetime", "to_numeric", "to_timedelta"):
        if called is try_loaded("pandas", name):
            reader.read_arguments(node, trusted=True)
            value = reader.value_of(arguments.get("arg", 0), Frame())
            is_column = isinstance(value, Column)
            return (Column() if is_column else None,)
    return None


def _concatenated(reader: CallReader, arguments: Arguments) -> Value:
    frames = arguments.get("objs", 0)
    columns: set[object] = set()
    elements = getattr(frames, "elts", None)
    is_plain = "keys" not in arguments.keywords and not arguments.is_open
    if not elements or not is_plain:
        return Frame(columns=None, index=None)
    for element in elements:
        frame = reader.frame_in(element)
        if frame is None or frame.columns is None:
            return Frame(columns=None, index=None)
        columns |= frame.columns
    return Frame(columns=columns, index=None)


def _new_frame(arguments: Arguments) -> Value:
    named = arguments.get("columns", 2)
    columns = try_all_texts(named)
    if named is None:
        columns = try_all_keys(arguments.get("data", 0))
    if arguments.is_open or columns is None:
        return Frame(columns=None, index=None)
    is_indexed = arguments.get("index", 1) is not None
    return Frame(columns=columns, index=None if is_indexed else set())
