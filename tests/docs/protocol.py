"""The types of the messages for JavaScript, from those of Python."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

from codebuddy_jupyter.widgets import editor_protocol, protocol

WIDGETS = Path(protocol.__file__).parent
FILES: dict[Path, types.ModuleType] = {
    WIDGETS / "static" / "protocol.d.ts": protocol,
    WIDGETS.parent / "labextension" / "static" / "protocol.d.ts": editor_protocol,
}
"""Each file with the module that declares its messages."""
HEAD = "// Written by `python -m tests.docs protocol` from widgets/{}.py.\n"
SIMPLE = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    Any: "any",
}
INDENT = "  "


def write() -> str:
    """Write the declarations, and return their files."""
    for file, module in FILES.items():
        file.write_text(declarations(module), encoding="utf-8")
    return "\n".join(map(str, FILES))


def declarations(module: types.ModuleType) -> str:
    """Return the declarations of all messages of a module, as TypeScript."""
    parts = [HEAD.format(module.__name__.rpartition(".")[2])]
    for name, value in vars(module).items():
        if name.startswith("_"):
            continue
        if is_typeddict(value):
            parts.append(_interface(name, value))
        elif isinstance(value, types.UnionType):
            parts.append(_union(name, value))
    return "\n".join(parts)


def _interface(name: str, declared: Any) -> str:
    lines = [_comment(inspect.getdoc(declared) or ""), f"export interface {name} {{"]
    lines += _fields(declared)
    lines.append("}\n")
    return "\n".join(lines)


def _fields(declared: Any) -> Iterator[str]:
    for field, field_type in get_type_hints(declared).items():
        mark = "" if field in declared.__required_keys__ else "?"
        yield f"{INDENT}{field}{mark}: {_typescript(field_type)};"


def _union(name: str, declared: types.UnionType) -> str:
    members = f"\n{INDENT}| ".join(_typescript(member) for member in get_args(declared))
    return f"export type {name} =\n{INDENT}| {members};\n"


def _comment(text: str) -> str:
    # In JavaScript backticks mark code, as in Markdown.
    lines = text.replace("``", "`").splitlines()
    if len(lines) == 1:
        return f"/** {lines[0]} */"
    body = "\n".join(f" * {line}".rstrip() for line in lines)
    return f"/**\n{body}\n */"


def _typescript(declared: Any) -> str:
    """Return a type of Python as a type of TypeScript."""
    if declared in SIMPLE:
        return SIMPLE[declared]
    if is_typeddict(declared):
        return str(declared.__name__)
    arguments = get_args(declared)
    if get_origin(declared) is Literal:
        return " | ".join(f'"{argument}"' for argument in arguments)
    inner = [_typescript(argument) for argument in arguments]
    if isinstance(declared, types.UnionType):
        return " | ".join(inner)
    if get_origin(declared) is list:
        return f"({inner[0]})[]" if " " in inner[0] else f"{inner[0]}[]"
    if get_origin(declared) is tuple:
        return f"[{', '.join(inner)}]"
    if get_origin(declared) is dict:
        return f"{{ [name: string]: {inner[1]} }}"
    raise TypeError(f"{declared} has no counterpart in TypeScript yet.")
