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
        if not isinstance(node, ast.Call):
            continue
        sides = list(_sides(node, names))
        for left, right in sides[:MAX_KEYS]:
            yield _line(left, right)


def _sides(node: ast.Call, names: Mapping[str, object]) -> Iterator[tuple[Side, Side]]:
    func = node.func
    if not isinstance(func, ast.Attribute) or func.attr != "merge":
        return
    arguments = Arguments(node)
    left = arguments.get("left", 0)
    shift = 1
    if _try_frame(func.value, names) is not None:
        left = func.value
        shift = 0
    right = arguments.get("right", shift)
    left_frame = _try_frame(left, names)
    right_frame = _try_frame(right, names)
    if left_frame is None or right_frame is None:
        return
    if not arguments.keywords and len(node.args) <= shift + 1:
        common = _common(left_frame, right_frame)
        pairs = [(name, name) for name in common]
    else:
        pairs = _written_keys(arguments, shift)
    for left_key, right_key in pairs:
        left_side = Side(_name(left), left_frame, left_key)
        right_side = Side(_name(right), right_frame, right_key)
        if _has_key(left_side) and _has_key(right_side):
            yield left_side, right_side


def _written_keys(arguments: Arguments, shift: int) -> list[tuple[str, str]]:
    """Return the keys that a merge names, those of both sides in pairs."""
    on = arguments.get("on", shift + 2)
    left_on = arguments.get("left_on", shift + 3)
    right_on = arguments.get("right_on", shift + 4)
    left_keys = texts_in(left_on or on)
    right_keys = texts_in(right_on or on)
    pairs = []
    for left_key, right_key in zip(left_keys, right_keys, strict=False):
        pair = str(left_key.value), str(right_key.value)
        pairs.append(pair)
    return pairs


def _try_frame(node: ast.AST | None, names: Mapping[str, object]) -> Any:
    """Return the pandas frame that an expression names; None for anything else."""
    if not isinstance(node, ast.Name):
        return None
    value = names.get(node.id)
    if frame_library(value) != "pandas":
        return None
    return value


def _name(node: ast.AST | None) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return "?"


def _common(left: Any, right: Any) -> list[str]:
    others = try_columns(right) or []
    columns = try_columns(left) or []
    common = []
    for name in columns:
        if type(name) is str and name in others:
            common.append(name)
    return common


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
    bare_ours = set(map(_bare, ours))
    bare_theirs = set(map(_bare, theirs))
    alike = len(bare_ours & bare_theirs)
    if alike <= found:
        return line
    return f"{line}; {alike:,} if written alike (type, case and spaces around them)"


def _type(side: Side) -> str:
    dtype = side.column.dtype
    if not _is_known(dtype):
        return "of an unknown type"
    if type(dtype).__name__ == "CategoricalDtype":
        return "category"
    return str(dtype)[:40]


def _is_known(dtype: Any) -> bool:
    """Return whether a type of keys is one of numpy's or pandas' own."""
    cls = type(dtype)
    return is_of_library(cls, "numpy") or is_of_library(cls, "pandas")


def _try_keys(side: Side, most: int) -> set[object] | None:
    """Return the different keys; None where comparing them could run other code."""
    column = side.column
    dtype = column.dtype
    if not _is_known(dtype):
        return None
    rows = side.frame.shape[0]
    if rows > most and most == MAX_RIGHT:
        return None
    compared = column.iloc[:most]
    values = compared.tolist()
    kind = getattr(dtype, "kind", "O")
    if kind == "O" and not all(is_exactly(value, *_PLAIN) for value in values):
        return None
    keys = set()
    for value in values:
        # What is missing can be unequal to itself.
        if value is not None and value == value:
            keys.add(value)
    return keys


def _bare(key: object) -> object:
    """Return a key without what often differs: its type, case and blanks around it."""
    if type(key) is float and key.is_integer():
        key = int(key)
    return str(key).strip().casefold()
