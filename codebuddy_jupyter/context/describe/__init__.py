"""Variables, described: what a thing is and how large, never what is in it, unless the
user named it.

A description computes nothing over the data, starts nothing lazy and runs no code of an
unknown type. It never raises.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from . import arrays, code, databases, frames, models, plain
from .text import LONGEST, LONGEST_WITH_VALUES, trimmed
from .types import Known, is_kind, is_of_library, loaded, mro, name_of, raw
from .user_code import Busy, Describe, Foreign, TooSlow

KINDS: tuple[Known, ...] = (
    *plain.KINDS,
    *code.KINDS,
    *frames.KINDS,
    *arrays.KINDS,
    *models.KINDS,
    *databases.KINDS,
)
# without their values, all instances are described alike
_ALIKE = (bool, int, float, complex, type(None))


class Describers:
    """All that can be described, those that the user has registered first."""

    def __init__(self) -> None:
        # By identity: a metaclass can have a say in how its classes hash. The types
        # stay alive with their entries.
        self._own: dict[int, tuple[type, Describe]] = {}
        self._slow: dict[int, type] = {}
        self._found: dict[int, tuple[type, Known]] = {}
        self._alike = {id(kind): name_of(kind) for kind in _ALIKE}
        self._missing = list(KINDS)
        self._modules = 0
        self._foreign = Foreign()

    def register(self, kind: type, function: Describe) -> None:
        """Describe the instances of a class, and of those derived from it, by a
        function of the user's.

        Parameters
        ----------
        kind
            The class; of several that fit an object, the nearest of its bases counts.
        function
            Gets the object and returns its description. A plain function runs on a
            thread of its own; an ``async`` one is awaited on the kernel's own loop.
            Each has a quarter of a second, all of a snapshot one second.

        Raises
        ------
        TypeError
            When ``kind`` is no class.
        """
        if not is_kind(kind, type):
            raise TypeError(
                "A describer is registered for a class, not for an instance "
                f"of {name_of(type(kind))}"
            )
        self._own[id(kind)] = kind, function
        self._alike = {}
        self._slow = {
            key: slow
            for key, slow in self._slow.items()
            if not any(base is kind for base in mro(slow))
        }

    def begin(self) -> None:
        """Begin a snapshot: the user's describers get a new allowance of time."""
        self._foreign.begin()
        self._modules = 0

    def schema(self, thing: object) -> str:
        """Names, types, shapes and sizes, never values; at most 1,500 characters."""
        return self._alike.get(id(type(thing))) or self._described(thing, values=False)

    def values(self, thing: object) -> str:
        """The schema, and the first rows or the value, trimmed; for what the user
        named; at most 4,000 characters.
        """
        return self._described(thing, values=True)

    def _described(self, thing: object, values: bool) -> str:
        self._find_loaded()
        own = self._own_describer(thing)
        try:
            text = (
                self._by_foreign(own, thing) if own else self._by_known(thing, values)
            )
        except Exception:  # noqa: BLE001 - whatever a library or a describer raises costs one line, not the answer
            text = f"{name_of(type(thing))}, could not be described"
        return trimmed(text, LONGEST_WITH_VALUES if values else LONGEST)

    def _own_describer(self, thing: object) -> Describe | None:
        for base in mro(type(thing)):
            if id(base) in self._own:
                return self._own[id(base)][1]
            itself = raw(base).get("_repr_llm_")
            if itself is not None:
                return itself if callable(itself) else None
            if id(base) in self._found:
                return None
        return None

    def _by_foreign(self, describe: Describe, thing: object) -> str:
        kind = type(thing)
        if id(kind) in self._slow:
            return f"{name_of(kind)}, too slow to describe"
        try:
            text = self._foreign.run(describe, thing)
        except TooSlow:
            self._slow[id(kind)] = kind
            return f"{name_of(kind)}, too slow to describe"
        except Busy:
            return f"{name_of(kind)}, not described: no time was left"
        return (
            str.__str__(text)
            if is_kind(text, str)
            else f"{name_of(kind)}, could not be described: no text came"
        )

    def _by_known(self, thing: object, values: bool) -> str:
        for base, known in self._fitting(type(thing)):
            if (
                base is type(thing)
                or known.subclasses
                or is_of_library(type(thing), known.library)
            ):
                return known.describe(thing, values)
            return f"{name_of(type(thing))} (a {known.name})"
        if plain.raw_fields(type(thing)):
            return plain.describe_record(thing, values)
        return code.describe_unknown(thing, values)

    def _fitting(self, kind: type) -> Iterator[tuple[type, Known]]:
        return (self._found[id(base)] for base in mro(kind) if id(base) in self._found)

    def _find_loaded(self) -> None:
        """Look for those libraries that were not loaded so far, where any module has
        been since.
        """
        if self._modules == len(sys.modules):
            return
        self._modules = len(sys.modules)
        missing: list[Known] = []
        for known in self._missing:
            module, _, name = known.where.partition(":")
            found: Any = loaded(module, name)
            if found is None:
                missing.append(known)
            elif is_kind(found, type):
                self._found[id(found)] = found, known
        self._missing = missing
