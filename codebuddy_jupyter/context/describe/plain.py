"""Python's own values, described: numbers and texts by type, containers by what types
they hold.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from .text import count, listed, size, written
from .types import (
    Known,
    attributes,
    in_class,
    is_exactly,
    is_kind,
    is_of_library,
    name_of,
    raw,
)

# elements of a container whose types are read
_LOOKED_AT = 1000
_MOST_KEYS = 30
# characters of a text that is told
_SHOWN = 1200
_SAFE_KEY = re.compile(r"[a-z_][a-z0-9_]{0,29}|[A-Z][A-Z0-9_]{0,29}", re.ASCII)


def types_in(elements: Iterable[Any], length: int) -> str:
    """What types the first elements have: ``1,200 int, 4 NoneType``.

    Types are told apart by their identity: a metaclass can have a say in how its
    classes compare and hash.
    """
    kinds = list(map(type, islice(elements, _LOOKED_AT)))
    if len(set(map(id, kinds))) == 1:
        words = f"all {name_of(kinds[0])}" if length > 1 else name_of(kinds[0])
    else:
        counts = collections.Counter(map(id, kinds))
        names = {
            id(kind): name_of(kind)
            for kind in {id(kind): kind for kind in kinds}.values()
        }
        words = listed(
            [f"{number:,} {names[one]}" for one, number in counts.most_common()], 6
        )
    return f"of the first {len(kinds):,}: {words}" if length > len(kinds) else words


def _iterated(thing: Any, base: type) -> tuple[int, Iterator[Any]]:
    """How long a container is and what it holds, by Python's own type, whatever a
    subclass has put in its place.
    """
    methods: Any = raw(base)
    return methods["__len__"](thing), methods["__iter__"](thing)


def _heading(thing: Any, base: type) -> str:
    """The type's name, with that of Python's where it is a subclass."""
    name = name_of(type(thing))
    return (
        name
        if type(thing) is base or is_of_library(type(thing), "collections")
        else f"{name} (a {name_of(base)})"
    )


def _container(thing: Any, base: type, values: bool) -> str:
    length, elements = _iterated(thing, base)
    text = f"{_heading(thing, base)} of {length:,}"
    if length:
        text = f"{text}: {types_in(elements, length)}"
        text = f"{text}{_shape_of_first(next(_iterated(thing, base)[1]))}"
    return _with_value(text, thing, values)


def _shape_of_first(first: Any) -> str:
    """What the first element is like, where that is a container itself."""
    if is_exactly(first, list, tuple, dict, set):
        return f"\n  the first: {brief(first)}"
    return ""


def brief(thing: Any) -> str:
    """A container within another, in one line: its length and keys, and no more."""
    if type(thing) is dict:
        keys = _keys(thing)
        return f"dict of {count(len(thing), 'key')}{f': {keys}' if keys else ''}"
    if is_exactly(thing, list, tuple, set):
        return (
            f"{type(thing).__name__} of "
            f"{len(thing):,}{f': {types_in(iter(thing), len(thing))}' if thing else ''}"
        )
    if type(thing) is str:
        return "str"
    return name_of(type(thing))


def _keys(thing: Any) -> str:
    """The keys with the types of their values, where they look like names in a program:
    keys can be data.
    """
    if not 0 < dict.__len__(thing) <= _MOST_KEYS or is_kind(thing, collections.Counter):
        return ""
    pairs = list(dict.items(thing))
    if not all(type(key) is str and _SAFE_KEY.fullmatch(key) for key, _ in pairs):
        return ""
    return ", ".join(f"{key} {name_of(type(value))}" for key, value in pairs)


def describe_dict(thing: Any, values: bool) -> str:
    """A dict or a subclass of it: how many keys, their names where they are such, else
    the types.
    """
    length = dict.__len__(thing)
    lines = [f"{_heading(thing, dict)} of {count(length, 'key')}"]
    if length and _keys(thing):
        lines += [f"  {key}: {brief(value)}" for key, value in dict.items(thing)]
    elif length:
        keys, held = (
            types_in(dict.keys(thing), length),
            types_in(dict.values(thing), length),
        )
        lines.append(
            f"  keys: {keys}; values: {held}{_shape_of_first(next(iter(dict.values(thing))))}"
        )
    return _with_value("\n".join(lines), thing, values)


def describe_list(thing: Any, values: bool) -> str:
    """A list or a subclass of it."""
    return _container(thing, list, values)


def describe_tuple(thing: Any, values: bool) -> str:
    """A tuple; of a named one, the fields."""
    names = in_class(type(thing), "_fields")
    if (
        type(thing) is tuple
        or type(names) is not tuple
        or not all(type(name) is str for name in names)
    ):
        return _container(thing, tuple, values)
    held = [name_of(type(one)) for one in tuple.__iter__(thing)]
    pairs = [f"  {name} {kind}" for name, kind in zip(names, held, strict=False)]
    return _with_value(
        "\n".join([f"{name_of(type(thing))} (a named tuple)", *pairs[:40]]),
        thing,
        values,
    )


def describe_set(thing: Any, values: bool) -> str:
    """A set."""
    return _container(thing, set, values)


def describe_frozenset(thing: Any, values: bool) -> str:
    """A set that does not change."""
    return _container(thing, frozenset, values)


def describe_deque(thing: Any, values: bool) -> str:
    """A queue with two ends."""
    return _container(thing, collections.deque, values)


def describe_str(thing: Any, values: bool) -> str:
    """A text: how long it is."""
    length = str.__len__(thing)
    lines = str.count(thing, "\n") + 1 if length < 1_000_000 else 1
    text = (
        f"{_heading(thing, str)}, "
        f"{count(length, 'character')}{f', {lines:,} lines' if lines > 1 else ''}"
    )
    if not values or type(thing) is not str:
        return text
    if lines == 1 and length <= _SHOWN:
        return f"{text}: {thing!r}"
    end = f"\n…\n{thing[-200:]}" if length > _SHOWN else ""
    return f"{text}:\n{thing[: _SHOWN - 250] if end else thing}{end}"


def describe_bytes(thing: Any, values: bool) -> str:
    """Bytes: how many."""
    base = bytes if is_kind(thing, bytes) else bytearray
    return _with_value(
        f"{_heading(thing, base)}, {size(base.__len__(thing))}", thing, values
    )


def describe_number(thing: Any, values: bool) -> str:
    """A number, a truth value or None: the type, no more."""
    return _with_value(
        "None" if thing is None else name_of(type(thing)),
        thing,
        values and thing is not None,
    )


def describe_range(thing: Any, values: bool) -> str:
    """A range: how long it is."""
    try:
        text = f"range of {count(len(thing), 'number')}"
    except OverflowError:
        text = "range of more numbers than can be counted"
    return f"{text}: {thing!r}" if values else text


def describe_lazily(thing: Any, values: bool) -> str:
    """What gives its elements only once, or only when it is run: it is left as it is."""
    return f"{name_of(type(thing))}, not consumed"


def describe_exception(thing: Any, values: bool) -> str:
    """An exception: its type, and its message where that is a text."""
    args = raw(BaseException)["args"].__get__(thing)
    shown = (
        args[0]
        if type(args) is tuple and len(args) == 1 and type(args[0]) is str
        else None
    )
    return _with_value(
        f"{name_of(type(thing))} (an exception)", shown, values and shown is not None
    )


def describe_record(thing: Any, values: bool) -> str:
    """An instance of a dataclass: its fields and their types."""
    names = raw_fields(type(thing)) or ()
    kept = attributes(thing)
    held = {name: kept[name] for name in names if name in kept}
    lines = [
        f"  {name} {name_of(type(held[name])) if name in held else ''}".rstrip()
        for name in names[:40]
    ]
    text = "\n".join([f"{name_of(type(thing))} (a dataclass)", *lines])
    return _with_value(text, held, values and bool(held))


def raw_fields(kind: type) -> tuple[str, ...]:
    """The names of a dataclass's fields; nothing where the class is none."""
    found = in_class(kind, "__dataclass_fields__")
    return (
        tuple(name for name in found if type(name) is str)
        if type(found) is dict
        else ()
    )


def _with_value(text: str, thing: Any, values: bool) -> str:
    if not values:
        return text
    value = written(thing, _SHOWN)
    return text if value.startswith("<") else f"{text}\n  = {value}"


def describe_value(thing: Any, values: bool) -> str:
    """A value of the standard library that writes itself: a date, a decimal, a path."""
    return _with_value(name_of(type(thing)), thing, values)


_LAZY = ("GeneratorType", "CoroutineType", "AsyncGeneratorType")
_VALUES = (
    "datetime:datetime",
    "datetime:date",
    "datetime:time",
    "datetime:timedelta",
    "decimal:Decimal",
)
_MORE_VALUES = (
    "fractions:Fraction",
    "uuid:UUID",
    "enum:Enum",
    "numpy:generic",
    "pathlib:PurePath",
)

KINDS = (
    *(
        Known(f"builtins:{name}", describe_number, subclasses=True)
        for name in ("int", "float", "complex", "bool")
    ),
    Known("types:NoneType", describe_number),
    Known("builtins:str", describe_str, subclasses=True),
    Known("builtins:bytes", describe_bytes, subclasses=True),
    Known("builtins:bytearray", describe_bytes, subclasses=True),
    Known("builtins:list", describe_list, subclasses=True),
    Known("builtins:tuple", describe_tuple, subclasses=True),
    Known("builtins:dict", describe_dict, subclasses=True),
    Known("builtins:set", describe_set, subclasses=True),
    Known("builtins:frozenset", describe_frozenset, subclasses=True),
    Known("collections:deque", describe_deque, subclasses=True),
    Known("builtins:range", describe_range),
    Known("builtins:BaseException", describe_exception, subclasses=True),
    *(Known(f"types:{name}", describe_lazily) for name in _LAZY),
    *(
        Known(f"builtins:{name}", describe_lazily)
        for name in ("map", "filter", "zip", "enumerate")
    ),
    *(
        Known(where, describe_value, subclasses=True)
        for where in (*_VALUES, *_MORE_VALUES)
    ),
)
