"""What a run did to variables, and how that is undone.

Names are bound again to the identical objects that they had. The contents of plain lists,
dicts, sets and bytearrays are put back into the identical object. Nothing else that a
run has changed can be taken back, unless a copy was made before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from ..context.describe.types import is_of_library
from ..context.inspection.columns import frame_library
from .effects import Effects, effects_of

MOST_ITEMS = 100_000
"""Items of all containers whose contents are kept for one run."""
MOST_COPIED = 100_000_000
"""Bytes of an object of which a copy is offered."""

# What IPython itself binds: inputs, outputs, and what belongs to the shell.
_OF_SHELL = re.compile(
    r"_{1,3}|_i{1,3}|_i\d+|_\d+|_[ido]h|_exit_code|__builtins?__|In|Out|exit|quit|open"
    r"|get_ipython"
)

_CONTAINERS = (list, dict, set, bytearray)


class _Missing:
    """Stands for a name that is not bound."""


MISSING = _Missing()
Names = MutableMapping[str, Any]


@dataclass
class Undone:
    """What was undone, by the names of variables.

    Parameters
    ----------
    restored
        Bound again to what they were bound to.
    removed
        Deleted, since they did not exist.
    refilled
        Containers that have their former contents again.
    copied
        Bound to the copy that was made before.
    left
        Left alone, since they were changed again since the run.
    not_undone
        What cannot be undone, in words.
    """

    restored: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refilled: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    not_undone: list[str] = field(default_factory=list)


@dataclass
class _Contents:
    """A container, the variable in which it was found, and its items before a run and
    after it.
    """

    name: str
    container: Any
    before: Any
    after: Any = None


class Undo:
    """What a run does to variables, from its beginning on.

    Parameters
    ----------
    code
        The code that is about to run.
    names
        The variables. They are only read here.
    copies
        The names of objects of which a copy is kept, of those that `copyable` names.
    """

    def __init__(
        self, code: str, names: Mapping[str, Any], copies: Collection[str] = ()
    ) -> None:
        self.effects = effects_of(code)
        self._before = dict(names)
        self._contents = list(_contents(self.effects, names))
        self._copies: dict[str, tuple[Any, Any]] = {}
        offered = copyable(code, names)
        for name in copies:
            if name in offered:
                value = names[name]
                self._copies[name] = value, value.copy()
        self._watched: set[str] = set()
        # What each name that the run bound had before, and has after it.
        self._bound: dict[str, tuple[Any, Any]] = {}
        # Names that the run has made for objects that were there before.
        self._aliases: set[str] = set()

    def end(self, names: Mapping[str, Any]) -> None:
        """Note what the run has left; only what it has changed is kept."""
        after = dict(names)
        restorable = {id(kept.container) for kept in self._contents}
        restorable |= {id(value) for value, _ in self._copies.values()}
        others = set(map(id, self._before.values())) - restorable
        for name in {**self._before, **after}:
            had = self._before.get(name, MISSING)
            has = after.get(name, MISSING)
            if had is not has and not _is_of_shell(name):
                self._bound[name] = had, has
                if had is MISSING and id(has) in others:
                    self._aliases.add(name)
        self._before = {}
        self._watched = {kept.name for kept in self._contents}
        changed = []
        for kept in self._contents:
            if not _same_items(kept.container, kept.before):
                kept.after = kept.container.copy()
                changed.append(kept)
        self._contents = changed

    def undo(self, names: Names) -> Undone:
        """Give the variables back what they had before the run."""
        undone = Undone()
        for name, (had, has) in sorted(self._bound.items()):
            if names.get(name, MISSING) is not has:
                undone.left.append(name)
            elif had is MISSING:
                del names[name]
                undone.removed.append(name)
            else:
                names[name] = had
                undone.restored.append(name)
        refilled = set()
        left = set(undone.left)
        for kept in self._contents:
            if _same_items(kept.container, kept.after):
                _refill(kept.container, kept.before)
                refilled.add(kept.name)
            else:
                left.add(kept.name)
        undone.refilled = sorted(refilled)
        undone.left = sorted(left)
        for name, (changed, copy) in sorted(self._copies.items()):
            if names.get(name, MISSING) is changed:
                names[name] = copy
                undone.copied.append(name)
        undone.not_undone = self._not_undone(undone.removed)
        return undone

    def _not_undone(self, removed: Iterable[str]) -> list[str]:
        """Return what cannot be undone, in words."""
        # Of what is deeper in a container, only other containers are known.
        seen = {kept.name for kept in self._contents}
        seen |= self._watched - self.effects.deep
        inside = self.effects.changes - seen
        inside -= {*self._copies, *removed} - self._aliases
        changes = [f"changes inside {name}" for name in sorted(inside)]
        return [*changes, *self.effects.unseen]


def copyable(code: str, names: Mapping[str, Any]) -> dict[str, int]:
    """Return the frames and arrays that code may change in place and of which a copy can
    be made, each with its bytes.
    """
    sizes = {}
    for name in sorted(effects_of(code).changes):
        size = _size(names.get(name))
        if size is not None and size <= MOST_COPIED:
            sizes[name] = size
    return sizes


def _size(value: Any) -> int | None:
    """Return the bytes of a frame of pandas or an array of numpy; None of others."""
    if frame_library(value) == "pandas":
        of_columns = value.memory_usage()
        return int(of_columns.sum())
    cls = type(value)
    if is_of_library(cls, "numpy") and cls.__name__ == "ndarray":
        return int(value.nbytes)
    return None


def _is_of_shell(name: object) -> bool:
    if not isinstance(name, str):
        return True
    return _OF_SHELL.fullmatch(name) is not None


def _contents(effects: Effects, names: Mapping[str, Any]) -> Iterator[_Contents]:
    """Yield the plain containers that the code names, and those in them, with their
    items.
    """
    left = MOST_ITEMS
    known: set[int] = set()
    for name in sorted(effects.names):
        waiting = [names.get(name, MISSING)]
        while waiting:
            value = waiting.pop()
            kind = type(value)
            if kind not in _CONTAINERS or id(value) in known:
                continue
            known.add(id(value))
            size = len(value)
            if size > left:
                continue
            left -= size
            # A shallow copy, for which no code of the items runs.
            yield _Contents(name, value, value.copy())
            if kind is dict:
                waiting += value.values()
            elif kind is list:
                waiting += value


def _same_items(container: Any, items: Any) -> bool:
    """Return whether a container has the identical items, in the same order."""
    kind = type(container)
    if kind is bytearray:
        return bool(container == items)
    if len(container) != len(items):
        return False
    if kind is set:
        ids = set(map(id, container))
        return ids == set(map(id, items))
    if kind is dict and not _are_identical(container.values(), items.values()):
        return False
    return _are_identical(container, items)


def _are_identical(items: Iterable[Any], others: Iterable[Any]) -> bool:
    pairs = zip(items, others, strict=True)
    return all(item is other for item, other in pairs)


def _refill(container: Any, items: Any) -> None:
    if type(container) in (list, bytearray):
        container[:] = items
    else:
        container.clear()
        container.update(items)
