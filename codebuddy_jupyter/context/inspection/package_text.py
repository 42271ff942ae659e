"""What is attached of a function, class or module of an installed package: its signature,
the start of its docstring, and an example.

Only what is imported already is looked at, by introspection alone.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

from ..describe.types import (
    class_body,
    instance_dict,
    is_exactly,
    is_instance,
    is_of_library,
    module_of,
    try_class_attribute,
)
from .installed import (
    class_names,
    constructor_of,
    is_installed_module,
    module_name,
    plain_function,
    public_names,
    signature_text,
    versioned,
)

# Characters of the docstring's start, and of the example.
MAX_DOC = 800
MAX_EXAMPLE = 800
# Lines of the example.
MAX_EXAMPLE_LINES = 16
# Names of a module or class that are listed.
MAX_NAMES = 80
# Dots in a name.
MAX_PARTS = 10
# Completions of one name.
MAX_COMPLETIONS = 500
_UNDERLINE = re.compile(r"\s*(?:-{3,}|={3,})\s*$")
_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_METHODS = (types.MethodDescriptorType, types.WrapperDescriptorType)


class NotFound(LookupError):
    """A dotted name leads to nothing.

    Parameters
    ----------
    name
        The part that is not there.
    owner
        What it was looked for in; empty if it is a package that is not imported.
    candidates
        The names that are there.
    """

    def __init__(self, name: str, owner: str, candidates: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.owner = owner
        self.candidates = candidates


def package_text(target: str, names: Mapping[str, object]) -> str:
    """Return what is attached of something in an installed package.

    Parameters
    ----------
    target
        A dotted name, such as ``pandas.merge`` or ``pd.merge``.
    names
        The kernel's variables, among which modules can have shorter names.

    Raises
    ------
    NotFound
        When its package is not imported, or has no such thing.
    """
    full_name, value = _found(target, names)
    package = full_name.partition(".")[0]
    version = versioned(package)
    title = full_name if version == package else f"{full_name} ({version})"
    lines = [title, *_signature(full_name, value)]
    doc = _doc(value)
    lines += [_start(doc)]
    example = _example(doc)
    if example:
        lines += ["Example:", example]
    listed = _listed(value)
    if listed:
        lines.append(f"It has: {', '.join(listed)}")
    return "\n".join(line for line in lines if line)


def completions_of(typed: str, names: Mapping[str, object]) -> list[str]:
    """Return the dotted names that begin as typed, of what is imported already."""
    owner, dot, begin = typed.rpartition(".")
    if not dot:
        return [name for name in _packages() if name.startswith(begin)]
    try:
        _, value = _found(owner, names)
    except NotFound:
        return []
    found = [name for name in _names_in(value) if name.startswith(begin)]
    return [f"{owner}.{name}" for name in sorted(found)[:MAX_COMPLETIONS]]


def _packages() -> list[str]:
    """Return the packages that are imported, of those that are installed."""
    names = [name for name in list(sys.modules) if "." not in name and name[:1] != "_"]
    return sorted(name for name in names if is_installed_module(sys.modules.get(name)))


def _found(target: str, names: Mapping[str, object]) -> tuple[str, Any]:
    first, *rest = target.split(".")[:MAX_PARTS]
    value: Any = names.get(first)
    if not is_installed_module(value):
        value = sys.modules.get(first)
    if not is_installed_module(value):
        raise NotFound(first, "", _packages())
    full_name = module_name(value)
    for name in rest:
        value = _member(value, name, full_name)
        full_name = f"{full_name}.{name}"
    return full_name, value


def _member(value: Any, name: str, owner: str) -> Any:
    """Return what a module or class has under a name, without running its code."""
    if is_instance(value, types.ModuleType):
        attributes = instance_dict(value)
        found = attributes.get(name, sys.modules.get(f"{owner}.{name}"))
    elif is_instance(value, type):
        found = try_class_attribute(value, name)
    else:
        found = None
    # Such as `Series.str`.
    found = instance_dict(found).get("_accessor", found)
    if found is None:
        raise NotFound(name, owner, _names_in(value))
    return found


def _names_in(value: Any) -> list[str]:
    if is_instance(value, types.ModuleType):
        return public_names(value)
    return class_names(value) if is_instance(value, type) else []


def _listed(value: Any) -> list[str]:
    """Return the names in a module, or the methods of a class without a docstring."""
    if is_instance(value, types.ModuleType) or is_instance(value, type):
        return sorted(_names_in(value))[:MAX_NAMES]
    return []


def _signature(full_name: str, value: Any) -> Iterator[str]:
    name = full_name.rpartition(".")[2]
    text = ""
    if is_instance(value, type):
        init = constructor_of(value)
        text = signature_text(init, 1) if init is not None else ""
    elif plain_function(value) is not None:
        text = signature_text(value).replace("(self, ", "(").replace("(self)", "()")
    elif is_exactly(value, types.BuiltinFunctionType, *_METHODS):
        text = _native_signature(value)
    elif type(value) is property:
        yield f"{name}: a property"
    if text:
        yield f"{name}{text}"


def _native_signature(value: Any) -> str:
    try:
        return str(inspect.signature(value))
    except (TypeError, ValueError):
        return ""


def _doc(value: Any) -> str:
    """Return the docstring of something that a library defines."""
    doc = None
    if is_exactly(value, types.FunctionType, types.BuiltinFunctionType, *_METHODS):
        doc = value.__doc__
    elif is_exactly(value, property, staticmethod, classmethod):
        function = value.fget if type(value) is property else value.__func__
        return _doc(function) if function is not None else ""
    elif is_instance(value, type):
        doc = class_body(value).get("__doc__")
    elif "__doc__" in instance_dict(value):
        doc = instance_dict(value)["__doc__"]
    elif is_of_library(type(value), module_of(type(value)).partition(".")[0]):
        descriptor: Any = class_body(type(value)).get("__doc__")
        if is_exactly(descriptor, *_DESCRIPTORS):
            doc = descriptor.__get__(value)
    return inspect.cleandoc(doc) if type(doc) is str else ""


def _start(doc: str) -> str:
    """Return a docstring up to its first section."""
    lines = doc.splitlines()
    for number, line in enumerate(lines):
        if number and _UNDERLINE.match(line):
            lines = lines[: number - 1]
            break
    text = "\n".join(lines).strip()
    return text if len(text) <= MAX_DOC else f"{text[:MAX_DOC].rstrip()}…"


def _example(doc: str) -> str:
    """Return the first example of a docstring, with what it shows."""
    lines = doc.splitlines()
    first = next((n for n, line in enumerate(lines) if line.startswith(">>> ")), None)
    if first is None:
        return ""
    kept: list[str] = []
    for line in lines[first:]:
        is_end = not line.strip() and any(not _is_input(one) for one in kept)
        if is_end or len(kept) >= MAX_EXAMPLE_LINES:
            break
        kept.append(line)
    return "\n".join(kept)[:MAX_EXAMPLE].strip()


def _is_input(line: str) -> bool:
    return line.startswith((">>>", "...")) or not line.strip()
