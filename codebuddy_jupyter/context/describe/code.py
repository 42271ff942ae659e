"""Functions, classes and modules, described: how they are called, and the first line of
what they say of themselves.
"""

from __future__ import annotations

import inspect
import os
import sys
import types
from collections.abc import Mapping
from typing import Any

from .text import count, listed
from .types import (
    Known,
    attributes,
    doc_line,
    in_class,
    is_exactly,
    is_kind,
    is_of_library,
    module_of,
    mro,
    name_of,
    raw,
)

# characters
_LONGEST_SIGNATURE = 400
_MOST_WRAPPERS = 10
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_PLAIN_DEFAULTS = (type(None), bool, int, float)
_METHODS = (types.FunctionType, staticmethod, classmethod)


def signature(function: types.FunctionType) -> str:
    """The parameters of a function; a default that is neither None, True, False nor a
    number is ``…``.
    """
    for _ in range(_MOST_WRAPPERS):
        inner = attributes(function).get("__wrapped__")
        if type(inner) is not types.FunctionType:
            break
        function = inner
    notes, found = _annotations(function), inspect.signature(_bare(function))
    shown = [_shown(parameter, notes) for parameter in found.parameters.values()]
    text = str(
        found.replace(parameters=shown, return_annotation=_noted(notes, "return"))
    )
    return text if len(text) <= _LONGEST_SIGNATURE else f"{text[:_LONGEST_SIGNATURE]}…"


def _bare(function: types.FunctionType) -> types.FunctionType:
    """The same function without what others have hung on it, which ``inspect`` would
    ask.
    """
    bare = types.FunctionType(
        function.__code__, {}, "bare", function.__defaults__, function.__closure__
    )
    bare.__kwdefaults__ = function.__kwdefaults__
    return bare


def _annotations(function: types.FunctionType) -> Mapping[str, Any]:
    # there, to read them is to run them, save as texts
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations

        return get_annotations(function, format=Format.STRING)
    return function.__annotations__


def _shown(parameter: inspect.Parameter, notes: Mapping[str, Any]) -> inspect.Parameter:
    default = parameter.default
    if default is not inspect.Parameter.empty and not is_exactly(
        default, *_PLAIN_DEFAULTS
    ):
        default = _Word("…")
    return parameter.replace(default=default, annotation=_noted(notes, parameter.name))


def _noted(notes: Mapping[str, Any], name: str) -> Any:
    text = annotation(notes[name]) if name in notes else ""
    return _Word(text) if text else inspect.Signature.empty


class _Word:
    """Is written as it is, without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def annotation(note: Any, depth: int = 3) -> str:
    """An annotation as it was written; of what is neither a text, a class nor made of
    such, nothing.
    """
    if note is None or note is ...:
        return "None" if note is None else "..."
    if type(note) is str:
        return note[:80]
    if is_kind(note, type) and type(note) is not types.GenericAlias:
        return name_of(note)
    if not depth:
        return "…"
    if type(note) is types.UnionType:
        return " | ".join(annotation(one, depth - 1) for one in note.__args__)
    origin: Any
    args: Any
    if type(note) is types.GenericAlias:
        origin, args = note.__origin__, note.__args__
    elif is_of_library(type(note), "typing"):
        origin, args = (
            attributes(note).get("__origin__"),
            attributes(note).get("__args__", ()),
        )
    else:
        return ""
    args = args if type(args) is tuple else ()
    name = (
        annotation(origin, depth - 1).removeprefix("collections.abc.")
        if origin is not None
        else ""
    )
    return (
        f"{name or 'Union'}[{', '.join(annotation(one, depth - 1) for one in args)}]"
        if args
        else name
    )


def is_installed(module: object) -> bool:
    """Whether a module belongs to Python or to an installed library, and not to the
    user.
    """
    top = module.partition(".")[0] if type(module) is str else ""
    found = sys.modules.get(top)
    file = vars(found).get("__file__") if type(found) is types.ModuleType else None
    return top in sys.stdlib_module_names or (
        type(file) is str and bool(_INSTALLED & set(file.split(os.sep)))
    )


def describe_function(function: Any, values: bool) -> str:
    """A function, with its signature; one of an installed library is known well enough
    by its name.
    """
    if not values and is_installed(function.__module__):
        return f"imported function {function.__module__}.{_name(function)}"
    code = function.__code__ if type(function) is types.FunctionType else None
    word = "async def" if code and code.co_flags & inspect.CO_COROUTINE else "def"
    return _documented(
        f"{word} {_name(function)}{signature(function)}", function.__doc__
    )


def describe_builtin(function: Any, values: bool) -> str:
    """A function that is written in C."""
    return _documented(f"built-in function {_name(function)}", function.__doc__)


def describe_method(method: Any, values: bool) -> str:
    """A method that is bound to an object; the object is not asked."""
    owner, function = name_of(type(method.__self__)), method.__func__
    if type(function) is not types.FunctionType:
        return f"method of {owner}"
    return _documented(
        f"method of {owner}: {_name(function)}{signature(function)}", function.__doc__
    )


def _name(function: Any) -> str:
    return str(function.__name__)[:80]


def _documented(first: str, doc: Any) -> str:
    line = doc_line(doc)
    return f"{first}\n  {line}" if line else first


def describe_class(kind: Any, values: bool) -> str:
    """A class: its bases, how it is made, its public methods; one of an installed
    library by its name alone.
    """
    if not values and is_installed(module_of(kind)):
        return f"imported class {name_of(kind)}"
    body = raw(kind)
    bases = [name_of(base) for base in mro(kind)[1:] if base is not object]
    first = (
        f"class {name_of(kind)}({listed(bases, 4)})"
        if bases
        else f"class {name_of(kind)}"
    )
    init = in_class(kind, "__init__")
    lines = [_documented(first, body.get("__doc__"))]
    if type(init) is types.FunctionType:
        lines.append(f"  __init__{signature(init)}")
    methods = [
        name
        for name, value in body.items()
        if is_exactly(value, *_METHODS) and not name.startswith("_")
    ]
    # those of a library the model knows
    if methods and module_of(kind) == "__main__":
        lines.append(f"  methods: {listed(methods)}")
    return "\n".join(lines)


def describe_module(module: Any, values: bool) -> str:
    """A module, with its version where it tells."""
    kept = attributes(module)
    name, version = kept.get("__name__"), kept.get("__version__")
    words = [
        "module",
        name[:80] if type(name) is str else "?",
        version[:40] if type(version) is str else "",
    ]
    return " ".join(word for word in words if word)


def describe_unknown(thing: Any, values: bool) -> str:
    """Any object: its class, what the class says of itself, and the names and types of
    what it keeps.
    """
    kind = type(thing)
    lines = [_documented(name_of(kind), raw(kind).get("__doc__"))]
    kept = attributes(thing)
    names = [(name, name_of(type(value))) for name, value in _public(kept)]
    lines += [f"  .{name} {of}" for name, of in names]
    if len(kept) > len(names) and len(names) == _MOST_ATTRIBUTES:
        lines.append(f"  of {count(len(kept), 'attribute')}")
    return "\n".join(lines)


_MOST_ATTRIBUTES = 20


def _public(kept: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in kept.items():
        if len(found) == _MOST_ATTRIBUTES:
            break
        if type(name) is str and not name.startswith("_"):
            found.append((name[:60], value))
    return found


KINDS = (
    Known("types:FunctionType", describe_function),
    Known("types:BuiltinFunctionType", describe_builtin),
    Known("types:MethodType", describe_method),
    Known("builtins:type", describe_class, subclasses=True),
    Known("types:ModuleType", describe_module, subclasses=True),
)
