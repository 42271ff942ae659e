"""How the keys of a merge fit: their types, and how many of one are found in the other.

Counts and names only. Keys of unknown types are not compared, since that could run code
of the user's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..describe.types import is_exactly, is_of_library
from .abstract import Arguments, texts_in
from .columns import frame_library, try_columns

# Rows whose keys are compared; of a longer frame on the right, nothing is counted.
MAX_LEFT = 5_000
MAX_RIGHT = 50_000
# Keys of one merge that are told.
MAX_KEYS = 3
_PLAIN = (str, int, float, bool, type(None))


class Side(NamedTuple):
    """One side of a merge: the variable, its frame and the key."""

    name: str
    frame: Any
    key: str

    @property
    def column(self) -> Any:
        """The column of the key; only the frame's own code runs for it."""
        return self.frame[self.key]

    @property
    def label(self) -> str:
        """How a line names the key."""
        return f"{self.name}['{self.key}']"


def merge_hints(tree: ast.AST, names: Mapping[str, object]) -> Iterator[str]:
    """Yield a line for each key of the merges in some code.

    Parameters
    ----------
    tree
        The code.
    names
        The variables; only pandas' own frames are looked at.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for left, right in list(_sides(node, names))[:MAX_KEYS]:
                yield _line(left, right)


def _sides(node: ast.Call, names: Mapping[str, object]) -> Iterator[tuple[Side, Side]]:
    arguments = Arguments(node)
    if not isinstance(node.func, ast.Attribute) or node.func.attr != "merge":
        return
    left, shift = arguments.get("left", 0), 1
    if _try_frame(node.func.value, names) is not None:
        left, shift = node.func.value, 0
    right = arguments.get("right", shift)
    left_frame, right_frame = _try_frame(left, names), _try_frame(right, names)
    if left_frame is None or right_frame is None:
        return
    on = arguments.get("on", shift + 2)
    left_keys = texts_in(arguments.get("left_on", shift + 3) or on)
    right_keys = texts_in(arguments.get("right_on", shift + 4) or on)
    pairs = [
        (str(one.value), str(other.value))
        for one, other in zip(left_keys, right_keys, strict=False)
    ]
    if not arguments.keywords and len(node.args) <= shift + 1:
        pairs = [(name, name) for name in _common(left_frame, right_frame)]
    for one, other in pairs:
        sides = (
            Side(_name(left), left_frame, one),
            Side(_name(right), right_frame, other),
        )
        if all(_has_key(side) for side in sides):
            yield sides


def _try_frame(node: ast.AST | None, names: Mapping[str, object]) -> Any:
    """Return the pandas frame that an expression names; None for anything else."""
    value = names.get(node.id) if isinstance(node, ast.Name) else None
    return value if frame_library(value) == "pandas" else None


def _name(node: ast.AST | None) -> str:
    return node.id if isinstance(node, ast.Name) else "?"


def _common(left: Any, right: Any) -> list[str]:
    others = try_columns(right) or []
    columns = [name for name in try_columns(left) or () if type(name) is str]
    return [name for name in columns if name in others]


def _has_key(side: Side) -> bool:
    columns = try_columns(side.frame) or []
    # A frame can have a column twice, of which there is no one type.
    return columns.count(side.key) == 1


def _line(left: Side, right: Side) -> str:
    line = f"{left.label} is {_type(left)}, {right.label} is {_type(right)}"
    ours = _try_keys(left, MAX_LEFT)
    theirs = _try_keys(right, MAX_RIGHT)
    if ours is None or theirs is None:
        return line
    found = len(ours & theirs)
    line = f"{line}: {found:,} of {len(ours):,} keys match"
    if found == len(ours):
        return line
    alike = len(set(map(_bare, ours)) & set(map(_bare, theirs)))
    if alike <= found:
        return line
    return f"{line}; {alike:,} if written alike (type, case and spaces around them)"


def _type(side: Side) -> str:
    dtype = side.column.dtype
    cls = type(dtype)
    if is_of_library(cls, "numpy") or is_of_library(cls, "pandas"):
        return "category" if cls.__name__ == "CategoricalDtype" else str(dtype)[:40]
    return "of an unknown type"


def _try_keys(side: Side, most: int) -> set[object] | None:
    """Return the different keys; None where comparing them could run other code."""
    column = side.column
    dtype = column.dtype
    is_known = is_of_library(type(dtype), "numpy") or is_of_library(
        type(dtype), "pandas"
    )
    if not is_known or (side.frame.shape[0] > most and most == MAX_RIGHT):
        return None
    values = column.iloc[:most].tolist()
    kind = getattr(dtype, "kind", "O")
    if kind == "O" and not all(is_exactly(value, *_PLAIN) for value in values):
        return None
    return {value for value in values if value is not None and value == value}


def _bare(key: object) -> object:
    """Return a key without what often differs: its type, case and blanks around it."""
    if type(key) is float and key.is_integer():
        key = int(key)
    return str(key).strip().casefold()
