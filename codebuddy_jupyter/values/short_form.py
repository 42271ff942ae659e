"""Records in one line: ``name, age int, tags list[str]``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import make_dataclass
from typing import Any

from ..errors import Remedy, SettingError
from .type_text import KNOWN, check_name, resolve

# The name of the class, as its values show it.
CLASS_NAME = "Answer"
MOST_FIELDS = 100
EXAMPLE = Remedy("Write names and types", 'into="name, age int, tags list[str]"')

_FIELD = re.compile(r"(?P<name>\w+)\s*:?\s*(?P<type>.*)", re.DOTALL)


def record_of(text: str, names: Mapping[str, Any] | None = None) -> type:
    """Return the class of a record: a dataclass.

    Parameters
    ----------
    text
        Names with types, between commas; one without a type is a text.
    names
        Other types that can be named.

    Raises
    ------
    SettingError
        If the text is not of this form.
    """
    fields: dict[str, Any] = {}
    for part in _parts(text):
        match = _FIELD.fullmatch(part.strip())
        if match is None:
            raise SettingError(f"{part.strip()!r} is not a name with a type.", EXAMPLE)
        name = match["name"]
        check_name(name)
        if name in fields:
            raise SettingError(f"The field {name} stands twice in {text!r}.", EXAMPLE)
        if name in KNOWN and not match["type"]:
            what = f"{name} is a type, and stands without a name in {text!r}."
            raise SettingError(what, EXAMPLE)
        fields[name] = resolve(match["type"] or "str", names or {})
    if len(fields) > MOST_FIELDS:
        raise SettingError(f"A record has at most {MOST_FIELDS} fields.", EXAMPLE)
    record = make_dataclass(CLASS_NAME, list(fields.items()))
    record.__module__ = __name__
    return record


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between the commas that are not in brackets or quotes."""
    depth = 0
    quote = ""
    begin = 0
    for place, character in enumerate(text):
        if quote:
            if character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
        elif character == "," and not depth:
            yield text[begin:place]
            begin = place + 1
    rest = text[begin:]
    # A comma may stand at the end.
    if rest.strip() or not begin:
        yield rest
