"""Types that are typed as text, such as ``list[Person]``: the text is read as names,
attributes, subscripts and literals, and never evaluated.
"""

from __future__ import annotations

import ast
import inspect
import keyword
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from types import ModuleType
from typing import Annotated, Any, Literal, Optional, Union

from ..errors import Remedy, SettingError, did_you_mean

# Characters of a type.
LONGEST = 2_000

KNOWN: Mapping[str, Any] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "date": date,
    "datetime": datetime,
    "time": time,
    "timedelta": timedelta,
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
    "Annotated": Annotated,
    "Literal": Literal,
    "Optional": Optional,
    "Union": Union,
}
"""The types that need no import, by name."""

EXAMPLE = Remedy("Name a type", "%%buddy --into people list[Person]")


def check_name(name: str) -> None:
    """Refuse a text that cannot be the name of a variable.

    Raises
    ------
    SettingError
        If it cannot.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise SettingError(f"{name!r} cannot be the name of a variable.", EXAMPLE)


def resolve(text: str, names: Mapping[str, Any]) -> Any:
    """Return the type that a text means; a text in quotes means itself.

    Parameters
    ----------
    text
        The type as it was typed.
    names
        The variables to look names up in; those of `KNOWN` need not be there.

    Raises
    ------
    SettingError
        If the text is no type, or names something that does not exist.
    """
    if len(text) > LONGEST:
        raise SettingError(f"A type has at most {LONGEST:,} characters.", EXAMPLE)
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _Reader(names).read(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SettingError(f"{text!r} is not a type.", EXAMPLE) from error


class _Reader:
    """Reads one type.

    Parameters
    ----------
    names
        The variables to look names up in.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names

    def read(self, node: ast.expr) -> Any:
        """Return what an expression means."""
        read = _READERS.get(type(node))
        if read is None:
            raise _no_type(node)
        return read(self, node)

    def name(self, node: ast.Name) -> Any:
        """Return what a name means."""
        for names in (self._names, KNOWN):
            if node.id in names:
                return names[node.id]
        known = list(KNOWN)
        for name in self._names:
            if not name.startswith("_"):
                known.append(name)
        suggestion = did_you_mean(node.id, known)
        remedies = [suggestion] if suggestion else []
        raise SettingError(f"There is no type {node.id}.", *remedies, EXAMPLE)

    def attribute(self, node: ast.Attribute) -> Any:
        """Return an attribute of a module or a class, without running its code."""
        owner = self.read(node.value)
        if isinstance(owner, ModuleType | type):
            found = inspect.getattr_static(owner, node.attr, None)
            if found is not None:
                return found
        raise SettingError(f"There is no type {ast.unparse(node)}.", EXAMPLE)

    def subscript(self, node: ast.Subscript) -> Any:
        """Return a type with its arguments."""
        generic = self.read(node.value)
        parts = [node.slice]
        if isinstance(node.slice, ast.Tuple):
            parts = node.slice.elts
        if generic is Literal:
            return Literal[tuple([_literal(part) for part in parts])]
        arguments = tuple([self.read(part) for part in parts])
        try:
            if len(arguments) == 1:
                return generic[arguments[0]]
            return generic[arguments]
        except Exception as error:
            # A class of the user's may raise anything.
            what = f"{ast.unparse(node)} is not a type: {error}"
            raise SettingError(what, EXAMPLE) from error

    def union(self, node: ast.BinOp) -> Any:
        """Return a union."""
        if not isinstance(node.op, ast.BitOr):
            raise _no_type(node)
        left = self.read(node.left)
        right = self.read(node.right)
        return _union(left, right)

    def constant(self, node: ast.Constant) -> Any:
        """Return None, a text, or the dots of ``tuple[int, ...]``."""
        value = node.value
        if value is None or value is ... or isinstance(value, str):
            return value
        raise _no_type(node)


_READERS: Mapping[type[ast.expr], Callable[[_Reader, Any], Any]] = {
    ast.Name: _Reader.name,
    ast.Attribute: _Reader.attribute,
    ast.Subscript: _Reader.subscript,
    ast.BinOp: _Reader.union,
    ast.Constant: _Reader.constant,
}


def _union(left: Any, right: Any) -> Any:
    try:
        return left | right
    except TypeError as error:
        raise SettingError(f"This is not a type: {error}", EXAMPLE) from error


def _literal(node: ast.expr) -> Any:
    """Return a constant; a number may have a sign."""
    value = ast.literal_eval(node)
    if value is None or isinstance(value, str | int | bool):
        return value
    raise _no_type(node)


def _no_type(node: ast.expr) -> SettingError:
    return SettingError(f"{ast.unparse(node)} is not a type.", EXAMPLE)
