"""Build the text of descriptions: counts, sizes, lists with a limit, and values.

Values are only formatted where that is certain to run no code of the user's.
"""

from __future__ import annotations

import datetime
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from .types import (
    instance_dict,
    is_instance,
    is_of_library,
    mro,
    name_of,
    try_class_attribute,
)

# Characters of a description.
MAX_LENGTH = 1500
MAX_LENGTH_WITH_VALUES = 4000
# Columns that are listed by name.
MAX_COLUMNS = 40
# Columns that are listed each with its type; of more, each type is written once.
MAX_PAIRS = 12
# Rows or elements that are shown with values.
HEAD = 5
# Characters of a value in a table.
_MAX_CELL = 40
# Characters of a name.
_MAX_LABEL = 80
# Elements of a container that are shown.
_MAX_ELEMENTS = 10
_UNITS = ("B", "kB", "MB", "GB", "TB")
_BRACKETS = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    dict: ("{", "}"),
    set: ("{", "}"),
    frozenset: ("{", "}"),
    deque: ("[", "]"),
}
_SCALARS = (str, bytes, bool, int, float, complex, type(None))
# Python's own types, by id, as a metaclass can define how its classes compare.
_BUILT_IN_TYPES = {id(cls): cls for cls in (*_BRACKETS, *_SCALARS)}
# Types of the standard library and pandas whose `str` runs only code of their own.
_SAFE_TYPES = {
    "datetime": {"datetime", "date", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "uuid": {"UUID"},
    "pathlib": {"PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
    "pandas": {"Timestamp", "Timedelta", "NaTType", "NAType", "Period", "Interval"},
}
_SAFE_TIME_ZONES = ("datetime", "zoneinfo", "pytz", "dateutil")
_SAFE_NUMPY_BASES = frozenset(
    {"numpy.number", "numpy.bool", "numpy.bool_", "numpy.datetime64"}
)


# Numbers and lists


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 row``, ``1,204 rows``."""
    if number != 1:
        noun = plural or f"{noun}s"
    return f"{number:,} {noun}"


def size(number: float) -> str:
    """Return a number of bytes with a unit: ``24 kB``."""
    unit = 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number /= 1000
        unit += 1
    decimals = 0
    if unit and number < 9.95:
        decimals = 1
    return f"{number:.{decimals}f} {_UNITS[unit]}"


def listed(words: Sequence[str], limit: int = 20) -> str:
    """Join words with commas; those beyond the limit are only counted."""
    shown = list(words[:limit])
    if len(words) > limit:
        shown.append(f"… {len(words) - limit:,} more")
    return ", ".join(shown)


def tally(words: Iterable[str]) -> str:
    """Return how often each word occurs: ``100 float64, 60 int64``."""
    counts = Counter(words).most_common()
    tallied = [f"{number:,} {word}" for word, number in counts]
    return listed(tallied, limit=6)


def fields(
    names: Sequence[str], types: Sequence[str], noun: str = "columns"
) -> list[str]:
    """Return a line with the columns and their types; none where there are no columns.

    Those of a wide table are grouped by type, those beyond a limit are only counted.
    """
    if not names:
        return []
    shown_names = names[:MAX_COLUMNS]
    shown_types = types[:MAX_COLUMNS]
    pairs = list(zip(shown_names, shown_types, strict=True))
    if len(pairs) > MAX_PAIRS:
        words = _by_type(pairs)
    else:
        words = [f"{name} {type_name}" for name, type_name in pairs]
    text = f"  {noun}: {', '.join(words)}"
    if len(names) > MAX_COLUMNS:
        more = f"{len(names) - MAX_COLUMNS:,} more: {tally(types[MAX_COLUMNS:])}"
        text = f"{text}, … {more}"
    return [text]


def _by_type(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return each type with the columns that have it: ``float64 ('a', 'b')``."""
    names_by_type: dict[str, list[str]] = {}
    for name, type_name in pairs:
        same_type = names_by_type.setdefault(type_name, [])
        same_type.append(name)
    words = []
    for type_name, names in names_by_type.items():
        words.append(f"{type_name} ({', '.join(names)})")
    return words


def on_one_line(text: str) -> str:
    """Return a description of several lines as a single one."""
    if "\n" not in text:
        return text
    lines = [line.strip() for line in text.splitlines()]
    return "; ".join(filter(None, lines))


def table(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[str]:
    """Return a line with the names of columns, and one for each row.

    There is a bar even in a table of one column, and none inside a cell: secrets are
    redacted by the name of their column.
    """
    margin = "  "
    if len(names) == 1:
        margin = "  | "
    titles = [_without_bars(name) for name in names]
    lines = [f"{margin}{' | '.join(titles)}"]
    for row in zip(*columns, strict=True):
        cells = [_without_bars(cell(value)) for value in row]
        lines.append(f"{margin}{' | '.join(cells)}")
    return lines


def _without_bars(text: str) -> str:
    return text.replace("|", "\\|")


def trim(text: str, max_length: int = MAX_LENGTH) -> str:
    """Cut a text to a length in characters, at the end of a line where possible."""
    text = text[: max_length + 1]
    if len(text) <= max_length:
        return text
    kept = text[: max_length - 2]
    last_line_end = kept.rfind("\n")
    if last_line_end > max_length // 2:
        return f"{kept[:last_line_end]}\n…"
    return f"{kept}…"


# Values


def label(name: Any) -> str:
    """Return the name of a column or a level: a text, or a tuple of a few."""
    if is_instance(name, str):
        text = str.__str__(name)
        return _on_one_line(text, _MAX_LABEL) or "''"
    if type(name) is tuple:
        return f"({', '.join(map(label, name[:4]))})"
    return format_value(name, _MAX_LABEL)


def column(name: Any) -> str:
    """Return the name of a column as code writes it: ``'Growth Rate'``, ``2020``.

    A name that is cut is not one that could be used, so it has no quotes.
    """
    if type(name) is tuple:
        return f"({', '.join(map(column, name[:4]))})"
    text = label(name)
    if is_instance(name, str) and str.__str__(name) == text:
        return repr(text)
    return text


def cell(value: Any) -> str:
    """Return a value as it is shown in a table."""
    if type(value) is str:
        text = _on_one_line(value, _MAX_CELL)
    else:
        text = format_value(value, _MAX_CELL, depth=1)
    return _cut(text, _MAX_CELL)


def format_value(value: Any, max_length: int = 400, depth: int = 3) -> str:
    """Return a value as Python writes it, or its type where that may run user code.

    An instance of a subclass of a built-in type is written as that type writes it.

    Parameters
    ----------
    value
        Any object.
    max_length
        Of texts and containers, in characters.
    depth
        How many levels of nested containers are written.
    """
    cls = type(value)
    if id(cls) not in _BUILT_IN_TYPES:
        text = _format_library_value(value, max_length)
        if text:
            return text
    base = _built_in_base(cls)
    is_container = base in _BRACKETS
    if base is None or (is_container and not depth):
        return f"<{name_of(cls)}>"
    if is_container:
        return _format_container(value, base, max_length, depth)
    if base is str or base is bytes:
        return _format_text(value, base, max_length)
    if base is int and int.bit_length(value) >= 1000:
        return f"an int of {int.bit_length(value):,} bits"
    return str(base.__repr__(value))


def _built_in_base(cls: type) -> Any:
    for base in mro(cls):
        if id(base) in _BUILT_IN_TYPES:
            return base
    return None


def _on_one_line(text: str, max_length: int) -> str:
    start = text[:max_length]
    line = start.replace("\r", " ").replace("\n", "⏎")
    if len(text) > max_length:
        return f"{line}…"
    return line


def _cut(text: str, max_length: int) -> str:
    if len(text) <= max_length:
        return text
    return f"{text[: max_length - 1]}…"


def _format_text(value: Any, base: Any, max_length: int) -> str:
    """Return the beginning of a text or of bytes, read through the built-in type."""
    start = base.__getitem__(value, slice(max_length))
    if base.__len__(value) > max_length:
        return f"{start!r}…"
    return f"{start!r}"


def _format_container(value: Any, base: Any, max_length: int, depth: int) -> str:
    """Return a container's first elements, read through its built-in type."""
    half = max_length // 2
    elements = list(_format_elements(value, base, half, depth - 1))
    more = base.__len__(value) - len(elements)
    if more > 0:
        elements.append(f"… {more:,} more")
    opening, closing = _BRACKETS[base]
    return _cut(f"{opening}{', '.join(elements)}{closing}", max_length)


def _format_elements(
    value: Any, base: Any, max_length: int, depth: int
) -> Iterator[str]:
    fields: tuple[str, ...] = ()
    if base is tuple:
        fields = _field_names(value)
    if fields:
        # By name, since secrets are redacted by their names.
        pairs = zip(fields, tuple.__iter__(value), strict=False)
        for name, element in islice(pairs, _MAX_ELEMENTS):
            yield f"{name}={format_value(element, max_length, depth)}"
        return
    if base is dict:
        for key, element in islice(dict.items(value), _MAX_ELEMENTS):
            formatted = format_value(element, max_length, depth)
            yield f"{format_value(key, 40, depth=1)}: {formatted}"
        return
    for element in islice(base.__iter__(value), _MAX_ELEMENTS):
        yield format_value(element, max_length, depth)


def _field_names(value: Any) -> tuple[str, ...]:
    """Return the names of the fields of a named tuple; empty for any other tuple."""
    if type(value) is tuple:
        return ()
    names = try_class_attribute(type(value), "_fields")
    if type(names) is not tuple:
        return ()
    if not all(type(name) is str for name in names):
        return ()
    if len(names) != tuple.__len__(value):
        return ()
    return names


def _format_library_value(value: Any, max_length: int) -> str:
    """Return a value of a known library's type; empty where it is of no such type."""
    cls = type(value)
    library, _, name = name_of(cls).partition(".")
    if library == "numpy" and is_of_library(cls, "numpy"):
        return _format_numpy_scalar(value)
    short_name = name.rpartition(".")[2]
    is_safe = short_name in _SAFE_TYPES.get(library, ())
    if is_safe and is_of_library(cls, library):
        safe_value = _without_unsafe_time_zone(value)
        return _on_one_line(str(safe_value), max_length)
    return _format_enum_member(value)


def _without_unsafe_time_zone(value: Any) -> Any:
    """Return a time without its time zone where that zone is a class of the user's.

    To format a time, Python asks its zone for the offset.
    """
    is_datetime = is_instance(value, datetime.datetime)
    if not is_datetime and not is_instance(value, datetime.time):
        return value
    zone = value.tzinfo
    if zone is None:
        return value
    zone_type = type(zone)
    if any(is_of_library(zone_type, library) for library in _SAFE_TIME_ZONES):
        return value
    return value.replace(tzinfo=None)


def _format_numpy_scalar(value: Any) -> str:
    """Return a numpy number, date or text; empty for records, which hold anything."""
    bases = mro(type(value))
    if any(name_of(base) in _SAFE_NUMPY_BASES for base in bases):
        return str(value)
    if is_instance(value, str) or is_instance(value, bytes):
        return cell(value.item())
    return ""


def _format_enum_member(value: Any) -> str:
    """Return the name of an enumeration's member; empty for anything else."""
    cls = type(value)
    name = instance_dict(value).get("_name_")
    if type(name) is not str:
        return ""
    if not any(name_of(base) == "enum.Enum" for base in mro(cls)):
        return ""
    return f"{name_of(cls)}.{name}"
