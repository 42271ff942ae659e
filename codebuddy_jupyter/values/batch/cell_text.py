"""The values of a row as text.

Only values of types that are known become text: no code of the user's is run for it.
"""

from __future__ import annotations

import json
import math
import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

# Their str() runs no code of the user's.
_PLAIN = (
    complex,
    Fraction,
    date,
    datetime,
    time,
    timedelta,
    UUID,
)
_SEQUENCES: tuple[Any, ...] = (list, tuple, set, frozenset)
# How deeply values may be nested.
MOST_DEPTH = 20


class NotText(ValueError):
    """A value cannot be sent as text; the message says why."""


def cell_text(value: Any) -> str | None:
    """Return a value as text; None if it is missing: None, NaN, or blank.

    Raises
    ------
    NotText
        If its type is none that can be sent as text.
    """
    value = _simple(value, 0)
    if value is None:
        return None
    text: str = value
    if not isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    if not text.strip():
        return None
    return text


def _simple(value: Any, depth: int) -> Any:
    """Return a value as JSON has it; a value that is missing is None."""
    if depth > MOST_DEPTH:
        raise NotText("its values are nested too deeply")
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if kind in _PLAIN:
        return str(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool | int):
        return int(int.__repr__(value))
    if isinstance(value, float):
        return _number(float.__repr__(value))
    if kind is Decimal:
        if value.is_nan():
            return None
        return str(value)
    if isinstance(value, PurePath) and kind.__module__.startswith("pathlib"):
        return str(value)
    if isinstance(value, dict):
        return _object(value, depth)
    if isinstance(value, _SEQUENCES):
        return _array(value, depth)
    return _of_library(value, depth)


def _number(text: str) -> float | str | None:
    number = float(text)
    if math.isnan(number):
        return None
    if math.isinf(number):
        # JSON has no infinity.
        return text
    return number


def _object(value: Any, depth: int) -> Any:
    simple = {}
    for key, inner in dict.items(value):
        content = _simple(inner, depth + 1)
        name = str(_simple(key, depth + 1))
        simple[name] = content
    return simple


def _array(value: Any, depth: int) -> Any:
    # A subclass could run code of the user's when it is iterated.
    (kind, *_) = [kind for kind in _SEQUENCES if isinstance(value, kind)]
    simple = [_simple(inner, depth + 1) for inner in kind.__iter__(value)]
    if kind in (set, frozenset):
        # In another kernel, it has another order, and its answer would not be found.
        simple.sort(key=json.dumps)
    return simple


def _of_library(value: Any, depth: int) -> Any:
    """Return a value of numpy or pandas as JSON has it."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    numpy = sys.modules.get("numpy")
    if library == "numpy" and numpy is not None:
        if isinstance(value, numpy.datetime64 | numpy.timedelta64):
            if numpy.isnat(value):
                return None
            return str(value)
        if isinstance(value, numpy.generic):
            return _simple(value.item(), depth + 1)
        if kind is numpy.ndarray:
            return _simple(value.tolist(), depth + 1)
    if library == "pandas":
        pandas = sys.modules[library]
        if value is pandas.NA or value is pandas.NaT:
            return None
        times = (pandas.Timestamp, pandas.Timedelta, pandas.Period, pandas.Interval)
        if kind in times:
            return str(value)
    raise NotText(f"a value of the type {kind.__name__} cannot be sent as text")
