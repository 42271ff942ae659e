"""Choose who describes an object: the user, the object itself, or a built-in describer."""

from __future__ import annotations

import sys
from collections.abc import Set as AbstractSet
from typing import Any

from . import arrays, code, databases, frames, models, plain
from .text import MAX_LENGTH, MAX_LENGTH_WITH_VALUES, trim
from .types import (
    CODE_NAMES,
    Describer,
    class_body,
    is_instance,
    is_of_library,
    mro,
    name_of,
    try_loaded,
)
from .user_code import (
    DescribeFunction,
    DescriptionTimeout,
    LoopBusy,
    NoTimeLeft,
    UserCode,
)

BUILT_IN: tuple[Describer, ...] = (
    *plain.DESCRIBERS,
    *code.DESCRIBERS,
    *frames.DESCRIBERS,
    *arrays.DESCRIBERS,
    *models.DESCRIBERS,
    *databases.DESCRIBERS,
)
# Types whose schema is their name; looked up first, as most variables are of these.
_SCALARS = (bool, int, float, complex, type(None))


class Describers:
    """Describes variables: with the user's describers first, then the built-in ones."""

    def __init__(self) -> None:
        # The keys are the ids of classes, as a metaclass can define how its classes
        # compare and hash. The values keep the classes alive, and so the ids valid.
        self._registered: dict[int, tuple[type, DescribeFunction]] = {}
        self._too_slow: dict[int, type] = {}
        self._built_in: dict[int, tuple[type, Describer]] = {}
        self._scalars = {id(cls): name_of(cls) for cls in _SCALARS}
        self._not_loaded = list(BUILT_IN)
        self._module_count = 0
        self._user_code = UserCode()
        self._code_names: AbstractSet[str] = frozenset()

    def register(self, cls: type, function: DescribeFunction) -> None:
        """Describe the instances of a class, and of its subclasses, by a function.

        Parameters
        ----------
        cls
            The class. Where several fit an object, the nearest of its bases is used.
        function
            Gets the object and returns its description. A plain function runs on a
            thread of its own; an ``async`` one is awaited on the kernel's own loop.
            Each has a quarter of a second, all of a snapshot together one second.

        Raises
        ------
        TypeError
            When ``cls`` is not a class.
        """
        if not is_instance(cls, type):
            raise TypeError(
                "A describer is registered for a class, not for an instance "
                f"of {name_of(type(cls))}"
            )
        self._registered[id(cls)] = cls, function
        # The registered describer may apply to one of these.
        self._scalars = {}
        for key, slow in list(self._too_slow.items()):
            if any(base is cls for base in mro(slow)):
                del self._too_slow[key]

    def begin(self, code_names: AbstractSet[str] = frozenset()) -> None:
        """Start a snapshot: the user's describers get a new time limit.

        Parameters
        ----------
        code_names
            The names in the notebook's code; of dicts only such keys are told.
        """
        self._user_code.begin()
        self._code_names = code_names
        self._module_count = 0

    def schema(self, value: object) -> str:
        """Return names, types, shapes and sizes, in at most 1,500 characters.

        Never shows values.
        """
        scalar = self._scalars.get(id(type(value)))
        return scalar or self._describe(value, with_values=False)

    def built_in_schema(self, value: object) -> str:
        """Return what `schema` returns where no describer of the user's is registered."""
        scalar = self._scalars.get(id(type(value)))
        return scalar or self._describe(value, with_values=False, may_run_code=False)

    def values(self, value: object) -> str:
        """Return the schema with the value or the first rows, in 4,000 characters."""
        return self._describe(value, with_values=True)

    def built_in_values(self, value: object) -> str:
        """Return what `values` returns where no describer of the user's is registered."""
        return self._describe(value, with_values=True, may_run_code=False)

    def _describe(
        self, value: object, *, with_values: bool, may_run_code: bool = True
    ) -> str:
        self._find_loaded_types()
        CODE_NAMES.set(self._code_names)
        function = None
        if may_run_code:
            function = self._try_own_function(value)
        try:
            if function:
                text = self._run_user_code(function, value)
            else:
                text = self._describe_built_in(value, with_values)
        except Exception:  # noqa: BLE001 - any failure costs one line, not the answer
            text = f"{name_of(type(value))}, could not be described"
        if with_values:
            return trim(text, MAX_LENGTH_WITH_VALUES)
        return trim(text, MAX_LENGTH)

    def _try_own_function(self, value: object) -> DescribeFunction | None:
        """Return what the user registered or the class defines, if nearer than ours."""
        for base in mro(type(value)):
            if id(base) in self._registered:
                return self._registered[id(base)][1]
            method = class_body(base).get("_repr_llm_")
            if method is not None:
                return method if callable(method) else None
            if id(base) in self._built_in:
                return None
        return None

    def _run_user_code(self, function: DescribeFunction, value: object) -> str:
        cls = type(value)
        name = name_of(cls)
        if id(cls) in self._too_slow:
            return f"{name}, too slow to describe"
        try:
            text = self._user_code.run(function, value)
        except DescriptionTimeout:
            self._too_slow[id(cls)] = cls
            return f"{name}, too slow to describe"
        except (NoTimeLeft, LoopBusy):
            return f"{name}, not described: no time was left"
        if not is_instance(text, str):
            return f"{name}, could not be described: no text came"
        return str.__str__(text)

    def _describe_built_in(self, value: object, with_values: bool) -> str:
        cls = type(value)
        for base in mro(cls):
            if id(base) not in self._built_in:
                continue
            describer = self._built_in[id(base)][1]
            is_own_type = base is cls or is_of_library(cls, describer.library)
            if is_own_type or describer.subclasses:
                return describer.describe(value, with_values)
            return f"{name_of(cls)} (a {describer.name})"
        if plain.dataclass_fields(cls):
            return plain.describe_dataclass(value, with_values)
        return code.describe_unknown(value, with_values)

    def _find_loaded_types(self) -> None:
        """Look up the types of libraries that were loaded since the last time."""
        if self._module_count == len(sys.modules):
            return
        self._module_count = len(sys.modules)
        not_loaded: list[Describer] = []
        for describer in self._not_loaded:
            module, _, name = describer.target.partition(":")
            cls: Any = try_loaded(module, name)
            if cls is None:
                not_loaded.append(describer)
            elif is_instance(cls, type):
                self._built_in[id(cls)] = cls, describer
        self._not_loaded = not_loaded
