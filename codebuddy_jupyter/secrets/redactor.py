"""Blanks secrets in whatever leaves the notebook.

Never keeps one, never tells more of it than its kind.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from html import escape
from urllib.parse import quote, quote_plus

from .assignments import find_assigned
from .escapes import readings
from .forms import find_forms
from .words import Strength, is_mixed, looks_like_secret, strength_of

_REMEMBERED = 50_000
"""Texts whose secrets are remembered: by a digest and the places, so 200 bytes each
where there is none.
"""

_LONGEST_KNOWN = 20_000
_ORDINARY = re.compile(
    r"""
    administrator | anonymous | clickhouse | cassandra | chocolate | computer | container | customer | database
    | development | elasticsearch | employee | football | guest | jupyter | localhost | minioadmin | mongodb |
    mysecret | mysql | neo4j | notebook | nobody | oracle | postgres | postgresql | princess | production |
    qwerty | rabbitmq | research | root | snowflake | software | standard | staging | student | sunshine |
    superuser | supersecret | superman | system | testing | username | welcome | whatever | workshop
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Redacted:
    """A text without its secrets, and the kind of each that was blanked, in their
    order.
    """

    text: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Place:
    """Where a secret stands."""

    start: int
    end: int
    kind: str


class Redactor:
    """Blanks secrets: those that tell themselves by their form or their name, and the
    values it was told of.

    Remembers what it found in a text, not the text, so that an unchanged one costs
    little.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, tuple[_Place, ...]] = OrderedDict()
        self._values: Mapping[str, str] = {}
        self._known: tuple[tuple[str, str], ...] = ()

    def know(self, values: Mapping[str, str]) -> None:
        """Blank these values wherever they stand, instead of those told before.

        Parameters
        ----------
        values
            The name under which each value is marked, with the value; see
            `known_values`.
        """
        if values == self._values:
            return
        self._values = dict(values)
        written = {
            form: name for name, value in values.items() for form in _as_written(value)
        }
        self._known = tuple(sorted(written.items(), key=lambda pair: -len(pair[0])))

    def redact(self, text: str) -> Redacted:
        """The text with a mark such as ``[redacted: aws key]`` in place of each secret;
        all else byte for byte.
        """
        places = _merged([*self._known_in(text), *self._found_in(text)])
        if not places:
            return Redacted(text)
        parts, end = [], 0
        for place in places:
            parts += [text[end : place.start], f"[redacted: {place.kind}]"]
            end = place.end
        return Redacted(
            "".join([*parts, text[end:]]), tuple(place.kind for place in places)
        )

    def _known_in(self, text: str) -> Iterator[_Place]:
        for value, name in self._known:
            if value in text:
                yield from (
                    _Place(*found.span(), name)
                    for found in _whole(value).finditer(text)
                )

    def _found_in(self, text: str) -> tuple[_Place, ...]:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._found:
            self._found.move_to_end(digest)
            return self._found[digest]
        places = tuple(
            _Place(reading.place(start), reading.place(end), kind)
            for reading in readings(text)
            for finder in (find_forms, find_assigned)
            for start, end, kind in finder(reading.text)
        )
        self._found[digest] = places
        if len(self._found) > _REMEMBERED:
            self._found.popitem(last=False)
        return places


def known_values(
    environ: Mapping[str, str], names: Mapping[str, object]
) -> dict[str, str]:
    """The values that are secrets by their names: of environment variables (as
    ``$NAME``) and of the user's variables.

    Only plain texts and bytes are looked at. What is too short or too common to be told
    from ordinary words is left out: blanking it would blank those.
    """
    found = {
        f"${name}": value for name, value in environ.items() if _is_telling(name, value)
    }
    for name, thing in names.items():
        value = _plain(thing)
        if value is not None and _is_telling(name, value):
            found[name] = value
    return found


def _plain(thing: object) -> str | None:
    if type(thing) is str:
        return thing
    if type(thing) is bytes and len(thing) <= _LONGEST_KNOWN:
        try:
            return thing.decode()
        except UnicodeDecodeError:
            return None
    return None


def _is_telling(name: str, value: str) -> bool:
    strength = strength_of(name) if len(value) <= _LONGEST_KNOWN else None
    return strength is not None and _stands_out(strength, value.strip())


def _stands_out(strength: Strength, value: str) -> bool:
    """Whether a value is none that ordinary text holds as well."""
    if "PRIVATE KEY" in value:
        return True
    if "://" in value:
        return "@" in value
    if "\n" in value or value.isdigit() or not looks_like_secret(strength, value):
        return False
    if value.isalpha():
        return (
            len(value) >= 8
            and not _ORDINARY.fullmatch(value)
            and (strength != "secret" or len(value) >= 12)
        )
    return len(value) >= 6 and (is_mixed(value) or len(value) >= 8)


def _as_written(value: str) -> set[str]:
    """A value as it is, and as a repr, a JSON text, a repr of either, a URL, HTML and
    base64 write it.
    """
    value = value.strip()
    raw = value.encode("utf-8", "surrogatepass")
    # In a repr, a single quote is escaped only where a double one stands in the text as
    # well, before it or behind.
    reprs = {repr(value)[1:-1], repr(f'"{value}')[2:-1], repr(raw)[2:-1]}
    texts = {
        value,
        *reprs,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }
    within = {repr(text)[1:-1] for text in texts} | {
        json.dumps(text)[1:-1] for text in texts
    }
    encoded = b64encode(raw).decode().rstrip("=")
    return {
        *texts,
        *within,
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        escape(value),
        encoded,
    }


def _whole(value: str) -> re.Pattern[str]:
    """The value; a short one only where it is no part of a longer word."""
    escaped = re.escape(value)
    return re.compile(
        escaped if len(value) >= 16 else rf"(?<![A-Za-z0-9]){escaped}(?![A-Za-z0-9])"
    )


def _merged(places: list[_Place]) -> list[_Place]:
    """In their order, those that overlap made one, which keeps the kind of the first."""
    merged: list[_Place] = []
    for place in sorted(places, key=lambda place: place.start):
        last = merged[-1] if merged else None
        if last and place.start < last.end:
            merged[-1] = _Place(last.start, max(last.end, place.end), last.kind)
        elif place.start < place.end:
            merged.append(place)
    return merged
