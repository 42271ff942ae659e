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
    title = full_name
    if version != package:
        title = f"{full_name} ({version})"
    lines = [title, *_signature(full_name, value)]
    doc = _doc(value)
    lines.append(_start(doc))
    example = _example(doc)
    if example:
        lines.append("Example:")
        lines.append(example)
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
    found.sort()
    return [f"{owner}.{name}" for name in found[:MAX_COMPLETIONS]]


def _packages() -> list[str]:
    """Return the packages that are imported, of those that are installed."""
    packages = []
    for name in list(sys.modules):
        if "." in name or name[:1] == "_":
            continue
        module = sys.modules.get(name)
        if is_installed_module(module):
            packages.append(name)
    packages.sort()
    return packages


def _found(target: str, names: Mapping[str, object]) -> tuple[str, Any]:
    parts = target.split(".")
    first, *rest = parts[:MAX_PARTS]
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
        submodule = sys.modules.get(f"{owner}.{name}")
        found = attributes.get(name, submodule)
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
    if is_instance(value, type):
        return class_names(value)
    return []


def _listed(value: Any) -> list[str]:
    """Return the names in a module, or the methods of a class without a docstring."""
    names = sorted(_names_in(value))
    return names[:MAX_NAMES]


def _signature(full_name: str, value: Any) -> Iterator[str]:
    name = full_name.rpartition(".")[2]
    text = ""
    if is_instance(value, type):
        init = constructor_of(value)
        if init is not None:
            text = signature_text(init, 1)
    elif plain_function(value) is not None:
        text = signature_text(value)
        text = text.replace("(self, ", "(")
        text = text.replace("(self)", "()")
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
    if type(value) is property:
        return _doc(value.fget)
    if is_exactly(value, staticmethod, classmethod):
        return _doc(value.__func__)
    doc = _raw_doc(value)
    if type(doc) is not str:
        return ""
    return inspect.cleandoc(doc)


def _raw_doc(value: Any) -> Any:
    """Return what is kept as a docstring, without running other code."""
    if is_exactly(value, types.FunctionType, types.BuiltinFunctionType, *_METHODS):
        return value.__doc__
    if is_instance(value, type):
        return class_body(value).get("__doc__")
    attributes = instance_dict(value)
    if "__doc__" in attributes:
        return attributes["__doc__"]
    cls = type(value)
    library = module_of(cls).partition(".")[0]
    if not is_of_library(cls, library):
        return None
    descriptor: Any = class_body(cls).get("__doc__")
    if not is_exactly(descriptor, *_DESCRIPTORS):
        return None
    return descriptor.__get__(value)


def _start(doc: str) -> str:
    """Return a docstring up to its first section."""
    lines = doc.splitlines()
    for number, line in enumerate(lines):
        if number and _UNDERLINE.match(line):
            lines = lines[: number - 1]
            break
    text = "\n".join(lines).strip()
    if len(text) <= MAX_DOC:
        return text
    kept = text[:MAX_DOC].rstrip()
    return f"{kept}…"


def _example(doc: str) -> str:
    """Return the first example of a docstring, with what it shows."""
    kept: list[str] = []
    has_output = False
    for line in doc.splitlines():
        if not kept and not line.startswith(">>> "):
            continue
        is_blank = not line.strip()
        is_end = is_blank and has_output
        if is_end or len(kept) >= MAX_EXAMPLE_LINES:
            break
        kept.append(line)
        if not is_blank and not line.startswith((">>>", "...")):
            has_output = True
    example = "\n".join(kept)
    return example[:MAX_EXAMPLE].strip()
