"""What type an object has and what it keeps, found without asking the object: none of
its own code ever runs.

A class can lie about everything that is reached through an instance (``__class__``,
``__dict__``, ``__len__``), and a metaclass about everything that is reached through the
class. So all is read through ``type``'s own descriptors, classes are compared by
identity, and libraries are found in ``sys.modules``, never imported.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TYPE: Mapping[str, Any] = vars(type)
_get_mro, _get_body = _TYPE["__mro__"].__get__, _TYPE["__dict__"].__get__
_EMPTY: dict[str, Any] = {}
_OWN_DICTS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_MODULE_DICT: Any = vars(types.ModuleType)["__dict__"]


@dataclass(frozen=True)
class Known:
    """A type that can be described.

    ``where`` is ``module:name``. ``describe`` gets the object, and whether values may
    be told. ``subclasses`` says whether it reads only what no subclass of the user's
    can have replaced; else it gets the library's own types alone.
    """

    where: str
    describe: Callable[[Any, bool], str]
    subclasses: bool = False

    @property
    def name(self) -> str:
        """The name as a user writes it: ``pandas.DataFrame``."""
        return self.where.replace(":", ".").removeprefix("builtins.")

    @property
    def library(self) -> str:
        """The package that it comes from."""
        return self.where.partition(":")[0].partition(".")[0]


def mro(kind: type) -> tuple[type, ...]:
    """The class and its bases, nearest first."""
    bases: tuple[type, ...] = _get_mro(kind)
    return bases


def raw(kind: type) -> Mapping[str, Any]:
    """What stands in the body of the class itself."""
    body: Mapping[str, Any] = _get_body(kind)
    return body


def in_class(kind: type, name: str) -> Any:
    """What a class or its nearest base has under a name, not bound to anything; None
    where none has it.
    """
    return next((raw(base)[name] for base in mro(kind) if name in raw(base)), None)


def is_kind(thing: object, kind: type) -> bool:
    """Whether it is an instance, as ``isinstance`` would tell if nobody could
    interfere.
    """
    return id(kind) in map(id, mro(type(thing)))


def is_exactly(thing: object, *kinds: type) -> bool:
    """Whether its type is one of these.

    Not ``in``, which asks by ``==``, and that a metaclass can answer.
    """
    kind = type(thing)
    return any(kind is one for one in kinds)


def module_of(kind: type) -> str:
    """The module in which a class says it was defined."""
    module = raw(kind).get("__module__")
    if type(module) is str:
        return module
    found = _TYPE["__module__"].__get__(kind) if module is None else None
    return found if type(found) is str else ""


def name_of(kind: type) -> str:
    """The name of a class as a user would write it: without private modules,
    ``builtins`` and ``__main__``.
    """
    if kind is types.NoneType:
        return "None"
    name = _TYPE["__qualname__"].__get__(kind)
    name = name[:80].replace("<locals>.", "") if type(name) is str else "?"
    module = module_of(kind)[:80]
    parts = [part for part in module.split(".") if not part.startswith("_")]
    return ".".join([*([] if module == "builtins" else parts), name])


def attributes(thing: object) -> dict[str, Any]:
    """What the instance keeps in its ``__dict__``; nothing where a class has put
    something else in its place.
    """
    for base in mro(type(thing)):
        found = raw(base).get("__dict__")
        if found is not None:
            kept = found.__get__(thing) if is_exactly(found, *_OWN_DICTS) else None
            return kept if type(kept) is dict else _EMPTY
    return _EMPTY


def loaded(module: str, name: str) -> Any:
    """What a module that is loaded already has under a name; None where it is not
    loaded, or has not got there yet.
    """
    found = sys.modules.get(module)
    if found is None or not (
        type(found) is types.ModuleType or is_kind(found, types.ModuleType)
    ):
        return None
    return dict.get(_MODULE_DICT.__get__(found), name)


def is_of_library(kind: type, library: str) -> bool:
    """Whether a class really is one of a loaded library, and does not merely say so."""
    module, name = module_of(kind), _TYPE["__name__"].__get__(kind)
    return (
        module.partition(".")[0] == library
        and type(name) is str
        and loaded(module, name) is kind
    )


def doc_line(doc: object, longest: int = 120) -> str:
    """The first line of a docstring, where it is a plain text."""
    lines = doc[:1000].strip().splitlines() if type(doc) is str else []
    return lines[0].strip()[:longest] if lines else ""
