"""Describe functions, classes, modules and objects of unknown types."""

from __future__ import annotations

import inspect
import os
import re
import sys
import types
from collections.abc import Mapping
from itertools import islice
from typing import Any

from .plain import dataclass_fields
from .text import count, listed
from .types import (
    CODE_NAMES,
    Describer,
    class_body,
    first_line,
    instance_dict,
    is_exactly,
    is_instance,
    is_of_library,
    module_of,
    mro,
    name_of,
    try_class_attribute,
)

# Characters of a signature.
_MAX_SIGNATURE = 400
# Decorators that are followed to the function below.
_MAX_WRAPPERS = 10
# Attributes of an unknown object that are listed.
_MAX_ATTRIBUTES = 20
_MAX_ATTRIBUTES_READ = 1000
_SITE_FOLDERS = frozenset({"site-packages", "dist-packages"})
_SIMPLE_DEFAULTS = (type(None), bool)
# An annotation that is a text, as one of a module with `from __future__ import
# annotations` is: what is in quotes or in `Literal` is a value.
_LITERAL = re.compile(r"\bLiteral\s*\[[^\[\]]*(?:\]|\Z)")
_QUOTED = re.compile(r"'[^']*(?:'|\Z)|\"[^\"]*(?:\"|\Z)")
_TYPE = r"[\w.…]+(?:\[[\w., |…\[\]()]*\]?)?"
_TYPE_EXPRESSION = re.compile(rf"{_TYPE}(?:\s?\|\s?{_TYPE})*")
_METHOD_TYPES = (types.FunctionType, staticmethod, classmethod)


# Signatures


def signature(function: types.FunctionType) -> str:
    """Return a function's parameters, in at most 400 characters.

    A default other than None, True or False is shown as ``…``.
    """
    for _ in range(_MAX_WRAPPERS):
        wrapped = instance_dict(function).get("__wrapped__")
        if type(wrapped) is not types.FunctionType:
            break
        function = wrapped
    notes = _annotations(function)
    bare = inspect.signature(_without_attributes(function))
    parameters = []
    for parameter in bare.parameters.values():
        parameters.append(_simplify(parameter, notes))
    simple = bare.replace(
        parameters=parameters,
        return_annotation=_annotation_of("return", notes),
    )
    text = str(simple)
    if len(text) <= _MAX_SIGNATURE:
        return text
    return f"{text[:_MAX_SIGNATURE]}…"


def annotation(note: Any, depth: int = 3) -> str:
    """Return an annotation as it was written; empty for objects that are not types."""
    if note is None:
        return "None"
    if note is ...:
        return "..."
    if type(note) is str:
        return _text_annotation(note)
    if is_instance(note, type) and type(note) is not types.GenericAlias:
        return name_of(note)
    if not depth:
        return "…"
    if type(note) is types.UnionType:
        members = _annotations_in(note.__args__, depth)
        return " | ".join(members)
    return _generic_annotation(note, depth)


def _text_annotation(note: str) -> str:
    """Return an annotation that is a text, without the values in it."""
    text = _LITERAL.sub("Literal[…]", note[:400])
    text = _QUOTED.sub("…", text)
    if not _TYPE_EXPRESSION.fullmatch(text):
        return "…"
    return text[:80]


def _generic_annotation(note: Any, depth: int) -> str:
    if _is_literal(note):
        return f"Literal[{count(len(note.__args__), 'value')}]"
    origin: Any
    args: Any
    if type(note) is types.GenericAlias:
        origin = note.__origin__
        args = note.__args__
    elif is_of_library(type(note), "typing"):
        attributes = instance_dict(note)
        origin = attributes.get("__origin__")
        args = attributes.get("__args__")
    else:
        return ""
    name = ""
    if origin is not None:
        name = annotation(origin, depth - 1)
        name = name.removeprefix("collections.abc.")
    if type(args) is not tuple or not args:
        return name
    return f"{name or 'Union'}[{', '.join(_annotations_in(args, depth))}]"


def _is_literal(note: Any) -> bool:
    cls = type(note)
    # Only then is its name safe to read.
    return is_of_library(cls, "typing") and cls.__name__ == "_LiteralGenericAlias"


def _annotations_in(args: tuple[Any, ...], depth: int) -> list[str]:
    return [annotation(arg, depth - 1) for arg in args]


def _without_attributes(function: types.FunctionType) -> types.FunctionType:
    """Return the function without its attributes, which ``inspect`` would read."""
    bare = types.FunctionType(
        function.__code__,
        {},
        "bare",
        function.__defaults__,
        function.__closure__,
    )
    bare.__kwdefaults__ = function.__kwdefaults__
    return bare


def _annotations(function: types.FunctionType) -> Mapping[str, Any]:
    # From 3.14 on, reading annotations runs them, except in the form of texts.
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations

        return get_annotations(function, format=Format.STRING)
    return function.__annotations__


def _simplify(
    parameter: inspect.Parameter, notes: Mapping[str, Any]
) -> inspect.Parameter:
    note = _annotation_of(parameter.name, notes)
    default = parameter.default
    has_default = default is not inspect.Parameter.empty
    if has_default and not is_exactly(default, *_SIMPLE_DEFAULTS):
        default = _Verbatim("…")
    return parameter.replace(default=default, annotation=note)


def _annotation_of(name: str, notes: Mapping[str, Any]) -> Any:
    text = ""
    if name in notes:
        text = annotation(notes[name])
    if not text:
        return inspect.Signature.empty
    return _Verbatim(text)


class _Verbatim:
    """A text that a signature shows without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


# Functions


def describe_function(function: Any, with_values: bool) -> str:
    """Describe a function by its signature; one of an installed library by its name."""
    name = _name(function)
    if not with_values and is_installed(function.__module__):
        return f"imported function {function.__module__}.{name}"
    word = "async def" if _is_coroutine_function(function) else "def"
    return _add_doc(f"{word} {name}{signature(function)}", function.__doc__)


def describe_builtin(function: Any, with_values: bool) -> str:
    """Describe a function that is written in C."""
    return _add_doc(f"built-in function {_name(function)}", function.__doc__)


def describe_method(method: Any, with_values: bool) -> str:
    """Describe a bound method, without reading the object that it is bound to."""
    owner = name_of(type(method.__self__))
    function = method.__func__
    if type(function) is not types.FunctionType:
        return f"method of {owner}"
    heading = f"method of {owner}: {_name(function)}{signature(function)}"
    return _add_doc(heading, function.__doc__)


def is_installed(module: object) -> bool:
    """Return whether a module is part of Python or of an installed library."""
    if type(module) is not str:
        return False
    package = module.partition(".")[0]
    if package in sys.stdlib_module_names:
        return True
    loaded = sys.modules.get(package)
    if type(loaded) is not types.ModuleType:
        return False
    file = vars(loaded).get("__file__")
    if type(file) is not str:
        return False
    folders = file.split(os.sep)
    return not _SITE_FOLDERS.isdisjoint(folders)


def _is_coroutine_function(function: Any) -> bool:
    if type(function) is not types.FunctionType:
        return False
    return bool(function.__code__.co_flags & inspect.CO_COROUTINE)


def _name(function: Any) -> str:
    return str(function.__name__)[:80]


def _add_doc(heading: str, doc: Any) -> str:
    line = first_line(doc)
    if not line:
        return heading
    return f"{heading}\n  {line}"


# Classes, modules, other objects


def describe_class(cls: Any, with_values: bool) -> str:
    """Describe a class by its bases, its ``__init__`` and its public methods.

    One of an installed library is described by its name alone.
    """
    if not with_values and is_installed(module_of(cls)):
        return f"imported class {name_of(cls)}"
    heading = f"class {name_of(cls)}"
    bases = []
    for base in mro(cls)[1:]:
        if base is not object:
            bases.append(name_of(base))
    if bases:
        heading = f"{heading}({listed(bases, limit=4)})"
    lines = [_add_doc(heading, _doc_of(cls))]
    init = try_class_attribute(cls, "__init__")
    if type(init) is types.FunctionType:
        lines.append(f"  __init__{signature(init)}")
    methods = []
    # A library's methods are known to the model.
    if module_of(cls) == "__main__":
        methods = _public_methods(cls)
    if methods:
        lines.append(f"  methods: {listed(methods)}")
    return "\n".join(lines)


def _public_methods(cls: type) -> list[str]:
    methods = []
    for name, attribute in class_body(cls).items():
        if not is_exactly(attribute, *_METHOD_TYPES):
            continue
        if not name.startswith("_"):
            methods.append(name)
    return methods


def describe_module(module: Any, with_values: bool) -> str:
    """Describe a module by its name, and its version where it has one."""
    attributes = instance_dict(module)
    name = attributes.get("__name__")
    version = attributes.get("__version__")
    text = "module ?"
    if type(name) is str:
        text = f"module {name[:80]}"
    if type(version) is str and version:
        text = f"{text} {version[:40]}"
    return text


def describe_unknown(value: Any, with_values: bool) -> str:
    """Describe any object by its class, and the names and types of its attributes."""
    cls = type(value)
    doc = None
    # What a library's class is, its name tells the model.
    if not is_installed(module_of(cls)):
        doc = _doc_of(cls)
    lines = [_add_doc(name_of(cls), doc)]
    attributes = instance_dict(value)
    public = _public_attributes(attributes)
    takes_any_attribute = _takes_any_attribute(cls)
    if takes_any_attribute:
        code_names = CODE_NAMES.get()
        public = [pair for pair in public if pair[0] in code_names]
    shown = public[:_MAX_ATTRIBUTES]
    for name, attribute in shown:
        lines.append(f"  .{name[:60]} {name_of(type(attribute))}")
    is_cut = len(shown) == _MAX_ATTRIBUTES or takes_any_attribute
    if is_cut and len(attributes) > len(shown):
        lines.append(f"  of {count(len(attributes), 'attribute')}")
    return "\n".join(lines)


def _takes_any_attribute(cls: type) -> bool:
    """Return whether attributes can be data, as the keys of a dict can."""
    if cls is types.SimpleNamespace or module_of(cls) == "__main__":
        return True
    return name_of(cls) == "argparse.Namespace"


def _public_attributes(attributes: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    public: list[tuple[str, Any]] = []
    for name, value in islice(attributes.items(), _MAX_ATTRIBUTES_READ):
        if type(name) is str and not name.startswith("_"):
            public.append((name, value))
    return public


def _doc_of(cls: type) -> Any:
    """Return a class's docstring; not that of a dataclass, which has its defaults."""
    doc = class_body(cls).get("__doc__")
    if type(doc) is not str or not dataclass_fields(cls):
        return doc
    if doc.startswith(f"{_short_name(cls)}("):
        return None
    return doc


def _short_name(cls: type) -> str:
    return name_of(cls).rpartition(".")[2]


DESCRIBERS = (
    Describer("types:FunctionType", describe_function),
    Describer("types:BuiltinFunctionType", describe_builtin),
    Describer("types:MethodType", describe_method),
    Describer("builtins:type", describe_class, subclasses=True),
    Describer("types:ModuleType", describe_module, subclasses=True),
)
