"""Describe Python's own values: numbers, texts, containers, exceptions, dataclasses."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from .text import count, format_value, listed, size
from .types import (
    CODE_NAMES,
    Describer,
    class_body,
    instance_dict,
    is_exactly,
    is_instance,
    is_of_library,
    name_of,
    try_class_attribute,
)

# Elements of a container whose types are read.
_MAX_ELEMENTS_READ = 1000
# Keys of a dict that are listed, and fields of a tuple or a dataclass.
_MAX_KEYS = 30
_MAX_FIELDS = 40
# Characters of a value that is shown, and of the end of a long text.
_MAX_SHOWN = 1200
_TEXT_END = 200
# Of a text of so many characters or fewer the length says nothing.
_SHORT_TEXT = 100
# A text of more characters counts as one line: to count them would take too long.
_MAX_COUNTED = 1_000_000
# A key that looks like a name in a program; others can be data.
_NAME_KEY = re.compile(r"[a-z_][a-z0-9_]{0,29}|[A-Z][A-Z0-9_]{0,29}", re.ASCII)


# Containers


def element_types(elements: Iterable[Any], length: int) -> str:
    """Return what types the first elements have: ``1,200 int, 4 NoneType``."""
    types = list(map(type, islice(elements, _MAX_ELEMENTS_READ)))
    # By id, as a metaclass can define how its classes compare and hash.
    counts = collections.Counter(map(id, types))
    if len(counts) == 1:
        words = name_of(types[0])
        if length > 1:
            words = f"all {words}"
    else:
        by_id = {id(cls): cls for cls in types}
        tallied = []
        for key, number in counts.most_common():
            tallied.append(f"{number:,} {name_of(by_id[key])}")
        words = listed(tallied, limit=6)
    if length > len(types):
        return f"of the first {len(types):,}: {words}"
    return words


def describe_list(value: Any, with_values: bool) -> str:
    """Describe a list or an instance of a subclass."""
    return _describe_container(value, list, with_values)


def describe_tuple(value: Any, with_values: bool) -> str:
    """Describe a tuple; a named tuple by its fields."""
    cls = type(value)
    names = try_class_attribute(cls, "_fields")
    if cls is tuple or not _are_names(names):
        return _describe_container(value, tuple, with_values)
    lines = [f"{name_of(cls)} (a named tuple)"]
    pairs = zip(names, tuple.__iter__(value), strict=False)
    for name, element in islice(pairs, _MAX_FIELDS):
        lines.append(f"  {name} {name_of(type(element))}")
    return _add_value("\n".join(lines), value, with_values)


def describe_set(value: Any, with_values: bool) -> str:
    """Describe a set."""
    return _describe_container(value, set, with_values)


def describe_frozenset(value: Any, with_values: bool) -> str:
    """Describe a frozenset."""
    return _describe_container(value, frozenset, with_values)


def describe_deque(value: Any, with_values: bool) -> str:
    """Describe a deque."""
    return _describe_container(value, collections.deque, with_values)


def describe_dict(value: Any, with_values: bool) -> str:
    """Describe a dict by its keys where these are names in code, others by their types.

    With values, keys are told that look like names.
    """
    length = dict.__len__(value)
    lines = [f"{_heading(value, dict)} of {count(length, 'key')}"]
    known = _known_items(value, with_values)
    for key, element in known.items():
        lines.append(f"  {key}: {brief(element)}")
    if length > len(known):
        lines.append(_other_items(value, known))
    return _add_value("\n".join(lines), value, with_values)


def _known_items(value: Any, with_values: bool = False) -> dict[str, Any]:
    """Return the items whose keys are names rather than data."""
    if is_instance(value, collections.Counter):
        return {}
    code_names = CODE_NAMES.get()
    known: dict[str, Any] = {}
    for key, element in islice(dict.items(value), _MAX_ELEMENTS_READ):
        if type(key) is not str or not _NAME_KEY.fullmatch(key):
            if with_values:
                return {}
        elif with_values or key in code_names:
            known[key] = element
    if len(known) > _MAX_KEYS:
        return {}
    return known


def _other_items(value: Any, known: Mapping[str, Any]) -> str:
    """Return a line with the types of the keys and the values that are not told."""
    if not known:
        length = dict.__len__(value)
        keys = element_types(dict.keys(value), length)
        elements = element_types(dict.values(value), length)
        first = next(iter(dict.values(value)))
        shape = _shape_of_first(first)
        return f"  keys: {keys}; values: {elements}{shape}"
    other_keys = []
    other_elements = []
    for key, element in islice(dict.items(value), _MAX_ELEMENTS_READ):
        if type(key) is not str or key not in known:
            other_keys.append(key)
            other_elements.append(element)
    number = dict.__len__(value) - len(known)
    keys = element_types(other_keys, number)
    elements = element_types(other_elements, number)
    return f"  … {count(number, 'other key')}: {keys}; values: {elements}"


def brief(value: Any) -> str:
    """Return one line about a container that is an element of another."""
    if type(value) is dict:
        text = f"dict of {count(len(value), 'key')}"
        known = _known_items(value)
        words = [f"{key} {name_of(type(element))}" for key, element in known.items()]
        if not words:
            return text
        if len(value) > len(words):
            words.append(f"… {len(value) - len(words):,} more")
        return f"{text}: {', '.join(words)}"
    if is_exactly(value, list, tuple, set):
        text = f"{type(value).__name__} of {len(value):,}"
        if not value:
            return text
        return f"{text}: {element_types(iter(value), len(value))}"
    return name_of(type(value))


def _describe_container(value: Any, base: type, with_values: bool) -> str:
    length, elements = _read_container(value, base)
    text = f"{_heading(value, base)} of {length:,}"
    if length:
        _, first = _read_container(value, base)
        text = f"{text}: {element_types(elements, length)}"
        text = f"{text}{_shape_of_first(next(first))}"
    return _add_value(text, value, with_values)


def _read_container(value: Any, base: type) -> tuple[int, Iterator[Any]]:
    """Return length and elements, read through the built-in type, not the subclass."""
    methods: Any = class_body(base)
    return methods["__len__"](value), methods["__iter__"](value)


def _heading(value: Any, base: type) -> str:
    """Return the type's name, and that of the built-in type if it is a subclass."""
    cls = type(value)
    if cls is base or is_of_library(cls, "collections"):
        return name_of(cls)
    return f"{name_of(cls)} (a {name_of(base)})"


def _shape_of_first(first: Any) -> str:
    """Return a line about the first element where that is a container itself."""
    if is_exactly(first, list, tuple, dict, set):
        return f"\n  the first: {brief(first)}"
    return ""


def _are_names(names: Any) -> bool:
    if type(names) is not tuple:
        return False
    return all(type(name) is str for name in names)


# Texts, numbers and other values


def describe_str(value: Any, with_values: bool) -> str:
    """Describe a text: how long it is."""
    length = str.__len__(value)
    line_count = 1
    if length < _MAX_COUNTED:
        line_count += str.count(value, "\n")
    text = _heading(value, str)
    if with_values or length > _SHORT_TEXT:
        text = f"{text}, {count(length, 'character')}"
    if line_count > 1:
        text = f"{text}, {line_count:,} lines"
    if not with_values or type(value) is not str:
        return text
    if length > _MAX_SHOWN:
        start = value[: _MAX_SHOWN - _TEXT_END - 50]
        return f"{text}:\n{start}\n…\n{value[-_TEXT_END:]}"
    if line_count > 1:
        return f"{text}:\n{value}"
    return f"{text}: {value!r}"


def describe_bytes(value: Any, with_values: bool) -> str:
    """Describe bytes: how many."""
    base = bytes if is_instance(value, bytes) else bytearray
    text = f"{_heading(value, base)}, {size(base.__len__(value))}"
    return _add_value(text, value, with_values)


def describe_number(value: Any, with_values: bool) -> str:
    """Describe a number, a truth value or None by its type."""
    if value is None:
        return "None"
    return _add_value(name_of(type(value)), value, with_values)


def describe_range(value: Any, with_values: bool) -> str:
    """Describe a range: how long it is."""
    try:
        text = f"range of {count(len(value), 'number')}"
    except OverflowError:
        text = "range of more numbers than can be counted"
    return f"{text}: {value!r}" if with_values else text


def describe_lazily(value: Any, with_values: bool) -> str:
    """Describe what gives its elements only once, without running it."""
    return f"{name_of(type(value))}, not consumed"


def describe_exception(value: Any, with_values: bool) -> str:
    """Describe an exception: its type, and its message where that is a text."""
    text = f"{name_of(type(value))} (an exception)"
    args = class_body(BaseException)["args"].__get__(value)
    if type(args) is not tuple or len(args) != 1:
        return text
    message = args[0]
    if type(message) is not str:
        return text
    return _add_value(text, message, with_values)


def describe_standard_value(value: Any, with_values: bool) -> str:
    """Describe a value that formats itself safely: a date, a decimal, a path."""
    return _add_value(name_of(type(value)), value, with_values)


# Dataclasses


def describe_dataclass(value: Any, with_values: bool) -> str:
    """Describe an instance of a dataclass: its fields and their types."""
    names = dataclass_fields(type(value))
    attributes = instance_dict(value)
    lines = [f"{name_of(type(value))} (a dataclass)"]
    for name in names[:_MAX_FIELDS]:
        if name in attributes:
            lines.append(f"  {name} {name_of(type(attributes[name]))}")
        else:
            lines.append(f"  {name}")
    set_fields = {name: attributes[name] for name in names if name in attributes}
    text = "\n".join(lines)
    if not set_fields:
        return text
    return _add_value(text, set_fields, with_values)


def dataclass_fields(cls: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields; empty where it is not one."""
    declared = try_class_attribute(cls, "__dataclass_fields__")
    if type(declared) is not dict:
        return ()
    return tuple(name for name in declared if type(name) is str)


def _add_value(text: str, value: Any, with_values: bool) -> str:
    """Add a line with the value, where it is asked for and can be formatted."""
    if not with_values:
        return text
    formatted = format_value(value, _MAX_SHOWN)
    if formatted.startswith("<"):
        return text
    return f"{text}\n  = {formatted}"


_LAZY_TYPES = (
    "types:GeneratorType",
    "types:CoroutineType",
    "types:AsyncGeneratorType",
    "builtins:map",
    "builtins:filter",
    "builtins:zip",
    "builtins:enumerate",
)
_STANDARD_VALUES = (
    "datetime:datetime",
    "datetime:date",
    "datetime:time",
    "datetime:timedelta",
    "decimal:Decimal",
    "fractions:Fraction",
    "uuid:UUID",
    "enum:Enum",
    "numpy:generic",
    "pathlib:PurePath",
)

DESCRIBERS = (
    Describer("builtins:int", describe_number, subclasses=True),
    Describer("builtins:float", describe_number, subclasses=True),
    Describer("builtins:complex", describe_number, subclasses=True),
    Describer("builtins:bool", describe_number, subclasses=True),
    Describer("types:NoneType", describe_number),
    Describer("builtins:str", describe_str, subclasses=True),
    Describer("builtins:bytes", describe_bytes, subclasses=True),
    Describer("builtins:bytearray", describe_bytes, subclasses=True),
    Describer("builtins:list", describe_list, subclasses=True),
    Describer("builtins:tuple", describe_tuple, subclasses=True),
    Describer("builtins:dict", describe_dict, subclasses=True),
    Describer("builtins:set", describe_set, subclasses=True),
    Describer("builtins:frozenset", describe_frozenset, subclasses=True),
    Describer("collections:deque", describe_deque, subclasses=True),
    Describer("builtins:range", describe_range),
    Describer("builtins:BaseException", describe_exception, subclasses=True),
    *(Describer(target, describe_lazily) for target in _LAZY_TYPES),
    *(
        Describer(target, describe_standard_value, subclasses=True)
        for target in _STANDARD_VALUES
    ),
)
