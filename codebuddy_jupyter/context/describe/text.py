"""How descriptions are worded: counts, sizes, lists that are cut, and values of which
it is certain how they print.
"""

from __future__ import annotations

import datetime
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from .types import attributes, is_kind, is_of_library, mro, name_of

# characters of a description
LONGEST = 1500
LONGEST_WITH_VALUES = 4000
# named one by one
MOST_COLUMNS = 40
# rows or elements that are shown where values are told
HEAD = 5
# characters
_WIDEST_CELL = 40
_UNITS = ("B", "kB", "MB", "GB", "TB")
_BRACKETS = {
    list: "[]",
    tuple: "()",
    dict: "{}",
    set: "{}",
    frozenset: "{}",
    deque: "[]",
}
_BASES = {
    id(kind): kind
    for kind in (*_BRACKETS, str, bytes, bool, int, float, complex, type(None))
}
# What the standard library and pandas write themselves, from texts and numbers of their
# own.
_WRITTEN = {
    "datetime": {"datetime", "date", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "uuid": {"UUID"},
    "pathlib": {"PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
    "pandas": {"Timestamp", "Timedelta", "NaTType", "NAType", "Period", "Interval"},
}


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: ``1 row``, ``1,204 rows``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def size(number: float) -> str:
    """A size in bytes as people write it: ``24 kB``."""
    unit = 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return (
        f"{number:.1f} {_UNITS[unit]}"
        if unit and number < 9.95
        else f"{number:.0f} {_UNITS[unit]}"
    )


def listed(words: Sequence[str], most: int = 20) -> str:
    """Words in a row, those beyond ``most`` counted."""
    more = [f"… {len(words) - most:,} more"] if len(words) > most else []
    return ", ".join([*words[:most], *more])


def tally(words: Iterable[str]) -> str:
    """How many there are of each: ``100 float64, 60 int64``."""
    return listed(
        [f"{number:,} {word}" for word, number in Counter(words).most_common()], 6
    )


def fields(
    names: Sequence[str], kinds: Sequence[str], most: int = MOST_COLUMNS
) -> list[str]:
    """A line for each column, and one that counts the types of those beyond ``most``."""
    lines = [
        f"  {name} {kind}".rstrip()
        for name, kind in zip(names[:most], kinds[:most], strict=True)
    ]
    more = (
        [f"  … {len(names) - most:,} more: {tally(kinds[most:])}"]
        if len(names) > most
        else []
    )
    return lines + more


def trimmed(text: str, longest: int = LONGEST) -> str:
    """A text of at most so many characters, cut at the end of a line where there is
    one.
    """
    text = text[: longest + 1]
    if len(text) <= longest:
        return text
    kept = text[: longest - 2]
    end = kept.rfind("\n")
    return f"{kept[:end]}\n…" if end > longest // 2 else f"{kept}…"


def label(thing: Any) -> str:
    """The name of a column or a level: a text, or a few that are put together."""
    if type(thing) is str or is_kind(thing, str):
        return _on_one_line(str.__str__(thing), 80) or "''"
    if type(thing) is tuple:
        return f"({', '.join(label(one) for one in thing[:4])})"
    return written(thing, 80)


def written(value: Any, longest: int = 400, depth: int = 3) -> str:
    """A value as Python writes it, where that is sure to run nobody's code; of anything
    else, the type.

    What derives from a type of Python's is written as that type would be, whatever it
    has put in its place.
    """
    if id(type(value)) not in _BASES and (text := _written_by_library(value, longest)):
        return text
    base: Any = next((one for one in mro(type(value)) if id(one) in _BASES), None)
    if base is None:
        return f"<{name_of(type(value))}>"
    if base is str or base is bytes:
        return _quoted(
            base.__getitem__(value, slice(longest)), base.__len__(value) > longest
        )
    if base is int:
        bits = int.bit_length(value)
        return int.__repr__(value) if bits < 1000 else f"an int of {bits:,} bits"
    if base in _BRACKETS:
        return (
            _container(value, base, longest, depth)
            if depth
            else f"<{name_of(type(value))}>"
        )
    return str(base.__repr__(value))


def cell(value: Any) -> str:
    """A value as it stands in a table."""
    text = (
        _on_one_line(value, _WIDEST_CELL)
        if type(value) is str
        else written(value, _WIDEST_CELL, 1)
    )
    return text if len(text) <= _WIDEST_CELL else f"{text[: _WIDEST_CELL - 1]}…"


def table(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[str]:
    """The first rows of some columns, a line each."""
    rows = zip(*columns, strict=True)
    return [
        f"  {' | '.join(names)}",
        *(f"  {' | '.join(map(cell, row))}" for row in rows),
    ]


def _on_one_line(text: str, longest: int) -> str:
    kept = text[:longest].replace("\r", " ").replace("\n", "⏎")
    return f"{kept}…" if len(text) > longest else kept


def _quoted(text: str | bytes, is_cut: bool) -> str:
    return f"{text!r}{'…' if is_cut else ''}"


def _container(value: Any, base: Any, longest: int, depth: int) -> str:
    """A container's first elements, as its type of Python's gives them."""
    if base is dict:
        pairs = islice(dict.items(value), 10)
        words = [
            f"{written(key, 40, 1)}: {written(one, longest // 2, depth - 1)}"
            for key, one in pairs
        ]
    else:
        words = [
            written(one, longest // 2, depth - 1)
            for one in islice(base.__iter__(value), 10)
        ]
    if (length := base.__len__(value)) > len(words):
        words.append(f"… {length - len(words):,} more")
    brackets = _BRACKETS[base]
    text = f"{brackets[0]}{', '.join(words)}{brackets[1]}"
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _written_by_library(value: Any, longest: int) -> str:
    kind = type(value)
    library, _, name = name_of(kind).partition(".")
    if library == "numpy" and is_of_library(kind, "numpy"):
        return _scalar(value)
    if name.rpartition(".")[2] in _WRITTEN.get(library, ()) and is_of_library(
        kind, library
    ):
        return _on_one_line(str(_without_foreign_zone(value)), longest)
    return _enumerated(value)


def _without_foreign_zone(value: Any) -> Any:
    """A moment that can be written without asking somebody's own time zone for its
    offset.
    """
    zone = (
        value.tzinfo
        if is_kind(value, datetime.datetime) or is_kind(value, datetime.time)
        else None
    )
    known = zone is None or any(
        is_of_library(type(zone), one)
        for one in ("datetime", "zoneinfo", "pytz", "dateutil")
    )
    return value if known else value.replace(tzinfo=None)


def _scalar(value: Any) -> str:
    """A numpy number, date or text; records, which hold anything, are not written."""
    if any(
        name_of(base)
        in ("numpy.number", "numpy.bool", "numpy.bool_", "numpy.datetime64")
        for base in mro(type(value))
    ):
        return str(value)
    return cell(value.item()) if is_kind(value, str) or is_kind(value, bytes) else ""


def _enumerated(value: Any) -> str:
    """A member of an enumeration, by its name."""
    name = attributes(value).get("_name_")
    is_member = any(name_of(base) == "enum.Enum" for base in mro(type(value)))
    return f"{name_of(type(value))}.{name}" if is_member and type(name) is str else ""
