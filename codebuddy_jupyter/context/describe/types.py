"""Read an object's type and attributes without running any of the object's code.

A class can lie about everything that is reached through an instance (``__class__``,
``__dict__``, ``__len__``), and a metaclass about everything that is reached through the
class. So everything is read through the descriptors of ``type``, classes are compared
by identity, and libraries are looked up in ``sys.modules``, never imported.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

_TYPE: Mapping[str, Any] = vars(type)
_get_mro = _TYPE["__mro__"].__get__
_get_body = _TYPE["__dict__"].__get__
_get_module = _TYPE["__module__"].__get__
_get_name = _TYPE["__name__"].__get__
_get_qualname = _TYPE["__qualname__"].__get__
_get_module_dict: Any = vars(types.ModuleType)["__dict__"].__get__
# What ``__dict__`` is in a class that has not replaced it.
_DICT_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_NO_ATTRIBUTES: dict[str, Any] = {}
# Characters
_MAX_NAME = 80

# The names that stand in the notebook's code. A key of a dict can be data, such as the
# name of a person, so one that is not among these is only counted.
CODE_NAMES: ContextVar[AbstractSet[str]] = ContextVar("CODE_NAMES", default=frozenset())


@dataclass(frozen=True)
class Describer:
    """A type, and the function that describes its instances.

    Parameters
    ----------
    target
        The type, as ``module:name``.
    describe
        Gets the instance, and whether to show values; returns the description.
    subclasses
        Whether the function also gets instances of the user's subclasses. Only for one
        that reads nothing that a subclass can replace; the library's own subclasses are
        always included.
    """

    target: str
    describe: Callable[[Any, bool], str]
    subclasses: bool = False

    @property
    def name(self) -> str:
        """The type's name as a user writes it: ``pandas.DataFrame``."""
        path = self.target.replace(":", ".")
        return path.removeprefix("builtins.")

    @property
    def library(self) -> str:
        """The top-level package of the type."""
        module = self.target.partition(":")[0]
        return module.partition(".")[0]


def mro(cls: type) -> tuple[type, ...]:
    """Return the class and its bases, nearest first."""
    bases: tuple[type, ...] = _get_mro(cls)
    return bases


def class_body(cls: type) -> Mapping[str, Any]:
    """Return what the class itself defines, without its bases."""
    body: Mapping[str, Any] = _get_body(cls)
    return body


def try_class_attribute(cls: type, name: str) -> Any:
    """Return what the class or its nearest base defines under a name, else None.

    The result is not bound: for a method it is the function.
    """
    for base in mro(cls):
        body = class_body(base)
        if name in body:
            return body[name]
    return None


def is_instance(value: object, cls: type) -> bool:
    """Return what ``isinstance`` would return if no class could interfere."""
    return any(base is cls for base in mro(type(value)))


def is_exactly(value: object, *classes: type) -> bool:
    """Return whether the value's type is one of these, not a subclass."""
    # Not `in`, which compares by `==`, and a metaclass can define that.
    value_type = type(value)
    return any(value_type is cls for cls in classes)


def module_of(cls: type) -> str:
    """Return the module in which a class says it was defined."""
    module = class_body(cls).get("__module__")
    if module is None:
        module = _get_module(cls)
    if type(module) is not str:
        return ""
    return module


def name_of(cls: type) -> str:
    """Return the name of a class as a user would write it.

    Private modules, ``builtins`` and ``__main__`` are left out.
    """
    if cls is types.NoneType:
        return "None"
    name = _get_qualname(cls)
    if type(name) is not str:
        name = "?"
    name = name[:_MAX_NAME].replace("<locals>.", "")
    module = module_of(cls)[:_MAX_NAME]
    if module == "builtins":
        return name
    parts = [part for part in module.split(".") if not part.startswith("_")]
    return ".".join([*parts, name])


def instance_dict(value: object) -> dict[str, Any]:
    """Return the instance's ``__dict__``; empty where the class has replaced it."""
    for base in mro(type(value)):
        descriptor: Any = class_body(base).get("__dict__")
        if descriptor is None:
            continue
        if not is_exactly(descriptor, *_DICT_DESCRIPTORS):
            break
        attributes = descriptor.__get__(value)
        return attributes if type(attributes) is dict else _NO_ATTRIBUTES
    return _NO_ATTRIBUTES


def try_loaded(module: str, name: str) -> Any:
    """Return what a loaded module has under a name; None where it is not loaded."""
    loaded = sys.modules.get(module)
    if loaded is None or not is_instance(loaded, types.ModuleType):
        return None
    return dict.get(_get_module_dict(loaded), name)


def is_of_library(cls: type, library: str) -> bool:
    """Return whether a class really is defined by a loaded library.

    Its ``__module__`` alone proves nothing: anybody can set it.
    """
    module = module_of(cls)
    if module.partition(".")[0] != library:
        return False
    name = _get_name(cls)
    if type(name) is not str:
        return False
    return try_loaded(module, name) is cls


def first_line(text: object, max_length: int = 120) -> str:
    """Return the first line of a text; empty where it is not a plain ``str``."""
    if type(text) is not str:
        return ""
    start = text[:1000].strip()
    lines = start.splitlines()
    if not lines:
        return ""
    return lines[0].strip()[:max_length]
