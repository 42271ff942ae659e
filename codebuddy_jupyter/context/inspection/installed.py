"""What installed packages define: attributes, signatures, keywords.

It reads what is imported already, by introspection alone: no module is imported, and no
property and no ``__getattr__`` runs.
"""

from __future__ import annotations

import abc
import functools
import inspect
import os
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..describe.code import is_installed
from ..describe.types import (
    class_body,
    instance_dict,
    is_exactly,
    is_instance,
    is_of_library,
    module_of,
    mro,
    try_class_attribute,
)

# Decorators that are followed to the function below.
MAX_WRAPPERS = 8
# Characters of a signature.
MAX_SIGNATURE = 500
# Packages whose modules have a `__getattr__` that was looked at: what it gives is in
# the module's own tables or is a submodule.
_KNOWN_LAZY = frozenset({"numpy", "pandas", "polars", "scipy", "sklearn"})
# Where such a `__getattr__` keeps the names of what was removed.
_REMOVED_TABLES = ("__former_attrs__", "__expired_attributes__")
_OWN_DEFAULTS = (type(None), bool)
_SHOWN_DEFAULTS = (type(None), bool, int, float, str)
_METACLASSES = (type, abc.ABCMeta)

_REPLACED = {
    ("numpy", "float"): "float",
    ("numpy", "int"): "int",
    ("numpy", "bool"): "bool",
    ("numpy", "object"): "object",
    ("numpy", "str"): "str",
    ("numpy", "product"): "numpy.prod",
    ("numpy", "cumproduct"): "numpy.cumprod",
    ("numpy", "in1d"): "numpy.isin",
    ("numpy", "trapz"): "numpy.trapezoid",
    ("numpy", "row_stack"): "numpy.vstack",
    ("pandas.DataFrame", "append"): "pandas.concat",
    ("pandas.Series", "append"): "pandas.concat",
    ("numpy.random.Generator", "rand"): "random",
    ("numpy.random.Generator", "randint"): "integers",
    ("numpy.random.Generator", "randn"): "standard_normal",
    ("pandas.DataFrame", "iteritems"): "items",
    ("pandas.Series", "iteritems"): "items",
    ("pandas.DataFrame", "ix"): "loc",
    ("pandas.Series", "ix"): "loc",
    ("pandas.DataFrame", "applymap"): "map",
    ("pandas.DataFrame", "as_matrix"): "to_numpy",
    ("pandas.Series", "as_matrix"): "to_numpy",
    ("pandas.DataFrame", "get_value"): "at",
    ("pandas.DataFrame", "sort"): "sort_values",
    ("pandas.Series", "sort"): "sort_values",
    ("pandas.Series", "order"): "sort_values",
}
"""What took the place of attributes that were removed, by their owner and name."""


def try_replacement(owner: str, name: str) -> str:
    """Return what took the place of a removed attribute; empty if that is not known."""
    return _REPLACED.get((owner, name), "")


# Modules


def module_name(module: types.ModuleType) -> str:
    """Return the name of a module; empty where it is not a text."""
    name = instance_dict(module).get("__name__")
    if type(name) is not str:
        return ""
    return name


def is_installed_module(value: object) -> bool:
    """Return whether this is a module of Python or of an installed package."""
    if not is_instance(value, types.ModuleType):
        return False
    name = instance_dict(value).get("__name__")
    # Anybody can set a name.
    return is_installed(name) and sys.modules.get(str(name)) is value


def lacks_attribute(module: types.ModuleType, name: str) -> bool:
    """Return whether an installed module surely has no such attribute.

    Where a ``__getattr__`` may give it, or a submodule of this name can be imported, it
    is not sure.
    """
    attributes = instance_dict(module)
    if not attributes or name in attributes:
        return False
    if name.startswith("__"):
        return False
    full_name = module_name(module)
    for table in _REMOVED_TABLES:
        removed: Any = attributes.get(table)
        if is_exactly(removed, dict, set, frozenset) and name in removed:
            return full_name == "numpy"
    if type(module) is not types.ModuleType:
        return False
    if f"{full_name}.{name}" in sys.modules or _is_submodule(attributes, name):
        return False
    lazy = attributes.get("__getattr__")
    return lazy is None or _is_known_lazy(lazy, full_name, name)


def _is_known_lazy(lazy: object, module: str, name: str) -> bool:
    """Return whether a module's ``__getattr__`` surely does not give a name."""
    if module not in _KNOWN_LAZY or type(lazy) is not types.FunctionType:
        return False
    code = lazy.__code__
    mentioned = {const for const in code.co_consts if type(const) is str}
    if name in mentioned or name in code.co_names:
        return False
    for table in code.co_names:
        names: Any = lazy.__globals__.get(table)
        if is_exactly(names, dict, set, frozenset, list, tuple) and name in names:
            return False
        # Such as polars' `exceptions`, whose names it gives as well.
        if is_instance(names, types.ModuleType) and name in instance_dict(names):
            return False
    return True


def _is_submodule(attributes: dict[str, Any], name: str) -> bool:
    path = attributes.get("__path__")
    # Another kind of path, as of a namespace package, has names that are not known.
    if path is not None and type(path) is not list:
        return True
    folders = [folder for folder in path or () if type(folder) is str]
    return any(name in _modules_in(folder) for folder in folders)


@functools.lru_cache(maxsize=64)
def _modules_in(folder: str) -> frozenset[str]:
    try:
        entries = os.listdir(folder)
    except OSError:
        return frozenset()
    return frozenset(entry.partition(".")[0] for entry in entries)


def public_names(module: types.ModuleType) -> list[str]:
    """Return the public names of a module."""
    names = list(instance_dict(module))
    return [name for name in names if type(name) is str and not name.startswith("_")]


# Classes


def is_plain_class(value: object) -> bool:
    """Return whether this is a class of an installed package, whose attributes are all
    in its body and its bases'.
    """
    if not is_instance(value, type):
        return False
    cls: Any = value
    if not is_exactly(cls, *_METACLASSES):
        return False
    library = module_of(cls).partition(".")[0]
    if library == "builtins":
        return True
    return is_of_library(cls, library) and is_installed(library)


def class_lacks(cls: type, name: str) -> bool:
    """Return whether instances of exactly this class surely lack an attribute.

    A class with a ``__getattr__`` or a ``__getattribute__`` of its own may have any.
    """
    return not class_has(cls, name) and not _is_dynamic(cls)


def class_has(cls: type, name: str) -> bool:
    """Return whether a class or one of its bases defines an attribute."""
    if name.startswith("__"):
        return True
    return any(name in class_body(base) for base in mro(cls))


def _is_dynamic(cls: type) -> bool:
    for base in mro(cls)[:-1]:
        body = class_body(base)
        if "__getattr__" in body:
            return True
        # Built-in classes have one that looks up what is there, and no more.
        getter = body.get("__getattribute__")
        if getter is not None and type(getter) is not types.WrapperDescriptorType:
            return True
    return False


def takes_attributes(cls: type) -> bool:
    """Return whether objects of a class can be given attributes that it does not name."""
    return any("__dict__" in class_body(base) for base in mro(cls))


def class_names(cls: type) -> list[str]:
    """Return the public attributes that a class and its bases define."""
    names: dict[str, None] = {}
    for base in mro(cls):
        for name in class_body(base):
            if type(name) is str and not name.startswith("_"):
                names[name] = None
    return list(names)


# Functions


@dataclass(frozen=True)
class Parameters:
    """What can be passed to a function.

    Parameters
    ----------
    named
        The names that can be passed as keywords.
    positions
        How many values can be passed without a name; None: any number.
    takes_any
        Whether it takes any keyword.
    """

    named: tuple[str, ...]
    positions: int | None
    takes_any: bool


def plain_function(value: object) -> types.FunctionType | None:
    """Return the Python function that a value is, or that its decorators hide."""
    function = value
    if is_exactly(function, staticmethod, classmethod):
        function = function.__func__  # type: ignore[attr-defined]
    for _ in range(MAX_WRAPPERS):
        wrapped = instance_dict(function).get("__wrapped__")
        if wrapped is None:
            break
        function = wrapped
    if type(function) is not types.FunctionType:
        return None
    return function


def try_parameters(value: object, skip: int = 0) -> Parameters | None:
    """Return what can be passed to a function; None if that is not known.

    Parameters
    ----------
    value
        A plain function, a ``staticmethod`` or ``classmethod``, or one that is wrapped
        by decorators.
    skip
        How many of the first parameters are bound already.
    """
    function = plain_function(value)
    if function is None:
        return None
    code = function.__code__
    names = code.co_varnames
    count = code.co_argcount
    positional_only = code.co_posonlyargcount
    if positional_only and skip:
        either = names[max(positional_only, skip) : count]
    else:
        either = names[positional_only:count][max(0, skip) :]
    keyword_only = names[count : count + code.co_kwonlyargcount]
    positions = None
    if not code.co_flags & inspect.CO_VARARGS:
        positions = max(0, count - skip)
    return Parameters(
        named=(*either, *keyword_only),
        positions=positions,
        takes_any=bool(code.co_flags & inspect.CO_VARKEYWORDS),
    )


def decorators_mention(value: object, keyword: str) -> bool:
    """Return whether a decorator may take a keyword that its function lacks.

    Such a one is mentioned in what the decorator holds, as by pandas' ``deprecate_kwarg``.
    """
    function = value
    if is_exactly(function, staticmethod, classmethod):
        function = function.__func__  # type: ignore[attr-defined]
    for _ in range(MAX_WRAPPERS):
        wrapped = instance_dict(function).get("__wrapped__")
        if wrapped is None:
            return False
        if type(function) is types.FunctionType and _holds(function, keyword):
            return True
        function = wrapped
    return True


def _holds(function: types.FunctionType, keyword: str) -> bool:
    code = function.__code__
    if keyword in code.co_varnames or _contains(code.co_consts, keyword):
        return True
    for cell in function.__closure__ or ():
        try:
            contents = cell.cell_contents
        except ValueError:
            continue
        held: Iterable[object] = (contents,)
        if is_exactly(contents, tuple, list, dict, set, frozenset):
            held = contents
        if _contains(held, keyword):
            return True
    return False


def _contains(values: Iterable[object], keyword: str) -> bool:
    return any(type(value) is str and value == keyword for value in values)


def is_wrapper(value: object) -> bool:
    """Return whether a function is wrapped by a decorator."""
    return "__wrapped__" in instance_dict(value)


def constructor_of(cls: type) -> types.FunctionType | None:
    """Return the ``__init__`` of a class whose calls surely reach it as they are."""
    if not is_exactly(cls, *_METACLASSES):
        return None
    if try_class_attribute(cls, "__new__") is not vars(object)["__new__"]:
        return None
    init = try_class_attribute(cls, "__init__")
    if init is vars(object)["__init__"]:
        return None
    return plain_function(init)


def signature_text(value: object, skip: int = 0) -> str:
    """Return a function's parameters with plain defaults; empty where not known."""
    function = plain_function(value)
    if function is None:
        return ""
    bare = types.FunctionType(
        function.__code__,
        {},
        "bare",
        function.__defaults__,
        function.__closure__,
    )
    bare.__kwdefaults__ = function.__kwdefaults__
    signature = inspect.signature(bare)
    parameters = list(signature.parameters.values())
    module = function.__module__
    types_shown: tuple[type, ...] = _SHOWN_DEFAULTS
    if module == "__main__" or not is_installed(module):
        # The defaults of the user's own functions can be data.
        types_shown = _OWN_DEFAULTS
    shown = [
        _with_plain_default(parameter, types_shown) for parameter in parameters[skip:]
    ]
    text = str(signature.replace(parameters=shown))
    if len(text) > MAX_SIGNATURE:
        text = f"{text[:MAX_SIGNATURE]}…"
    return text


def _with_plain_default(
    parameter: inspect.Parameter, types_shown: tuple[type, ...]
) -> inspect.Parameter:
    default = parameter.default
    if default is inspect.Parameter.empty or is_exactly(default, *types_shown):
        return parameter
    return parameter.replace(default=_Unshown())


class _Unshown:
    """A default that is not shown."""

    def __repr__(self) -> str:
        return "…"


def versioned(name: str) -> str:
    """Return the name of a package with its version: ``pandas 3.1.1``."""
    package = name.partition(".")[0]
    loaded = sys.modules.get(package)
    if loaded is None or not is_instance(loaded, types.ModuleType):
        return package
    version = instance_dict(loaded).get("__version__")
    if type(version) is not str:
        return package
    return f"{package} {version[:40]}"


def nested_attribute(module: types.ModuleType, name: str) -> Iterator[str]:
    """Yield where a module has an attribute inside a class that has its own name.

    So ``now`` is in ``datetime.datetime``, and not in ``datetime``.
    """
    own_name = module_name(module)
    last = own_name.rpartition(".")[2]
    inner = instance_dict(module).get(last)
    if inner is None or not is_plain_class(inner):
        return
    if class_has(inner, name):
        yield f"{own_name}.{last}.{name}"
