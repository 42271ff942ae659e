"""Replace secrets in text with marks such as ``[redacted: aws key]``.

Which secrets are found is decided in the modules listed in this package's docstring.
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

from .assignments import find_assigned_secrets
from .columns import find_secrets_in_columns
from .escapes import unescaped_views
from .formats import find_formats
from .markup_tables import find_secrets_in_markup
from .names import find_names
from .private_keys import find_private_keys
from .spans import Span, merge_spans
from .syntax_formats import SYNTAX_FORMATS
from .token_formats import TOKEN_FORMATS
from .vendor_formats import VENDOR_FORMATS
from .words import is_distinctive, strength_of
from .yaml_data import find_secrets_of_kubernetes

# Texts whose spans are cached, about 200 bytes each: a digest, and mostly no spans.
_CACHE_SIZE = 50_000
_FORMATS = (*VENDOR_FORMATS, *TOKEN_FORMATS, *SYNTAX_FORMATS)

# A mark that stands for a secret already.
_MARK = re.compile(r"\[redacted: [^\[\]\n]{1,60}\]")
# In a name; no word that makes a name that of a secret, or of none, has one.
_LONG_NUMBER = re.compile(r"\d{4,}")
# Values of more characters or bytes are not considered as known values.
_MAX_KNOWN_VALUE = 20_000
# A known value of at least so many characters is redacted even inside a longer word.
_MIN_EMBEDDED_VALUE = 16


@dataclass(frozen=True)
class Redacted:
    """A text without its secrets, and the label of each that was redacted, in order."""

    text: str
    labels: tuple[str, ...] = ()


def redact(text: str, values: Mapping[str, str] | None = None) -> str:
    """Return ``text`` with its secrets replaced by marks.

    For many texts that may come again unchanged, keep a `Redactor` instead.

    Parameters
    ----------
    text
        Any text.
    values
        Values to redact in addition, by the label to show for each.
    """
    redactor = Redactor()
    redactor.know(values or {})
    return redactor.redact(text).text


class Redactor:
    """Redacts secrets: by their format, by the name they are assigned to, by value.

    Caches the positions found in each text under a digest, never the text, so that
    redacting an unchanged text again is fast.
    """

    def __init__(self) -> None:
        self._cache: OrderedDict[bytes, tuple[Span, ...]] = OrderedDict()
        self._values: Mapping[str, str] = {}
        self._labels_by_encoded_value: list[tuple[str, str]] = []

    def know(self, values: Mapping[str, str]) -> None:
        """Redact these values wherever they occur; they replace those set before.

        Parameters
        ----------
        values
            The label to show for each value, with the value; see `known_values`.
        """
        if values == self._values:
            return
        self._values = dict(values)
        labels: dict[str, str] = {}
        for label, value in values.items():
            labels.update(dict.fromkeys(_encodings_of(value), label))
        # Longest first, since a shorter value may be part of a longer one.
        self._labels_by_encoded_value = sorted(
            labels.items(), key=lambda item: -len(item[0])
        )

    def redact(self, text: str) -> Redacted:
        """Return the text with a mark in place of each secret, otherwise unchanged."""
        spans = merge_spans([*self._find_known_values(text), *self._find_secrets(text)])
        if not spans:
            return Redacted(text)
        parts = []
        end = 0
        for span in spans:
            parts += [text[end : span.start], f"[redacted: {span.label}]"]
            end = span.end
        parts.append(text[end:])
        return Redacted("".join(parts), tuple(span.label for span in spans))

    def _find_known_values(self, text: str) -> Iterator[Span]:
        for value, label in self._labels_by_encoded_value:
            if value not in text:
                continue
            for match in _value_pattern(value).finditer(text):
                yield Span(match.start(), match.end(), label)

    def _find_secrets(self, text: str) -> tuple[Span, ...]:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        # Each step is one call, since several threads use the cache.
        spans = self._cache.pop(digest, None)
        if spans is None:
            spans = tuple(_find_in_views(text))
        self._cache[digest] = spans
        if len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        return spans


def known_values(
    environ: Mapping[str, str], variables: Mapping[str, object]
) -> dict[str, str]:
    """Return the values whose names say that they are secrets, by label.

    Only ``str`` and ``bytes`` are considered. Values that are too short or too common
    are left out: redacting them would redact ordinary words.

    Parameters
    ----------
    environ
        Environment variables; ``$NAME`` is the label of each.
    variables
        The user's variables; the name is the label of each.
    """
    known = {}
    for name, value in environ.items():
        if _is_known_secret(name, value):
            known[f"${name}"] = value
    for name, variable in variables.items():
        text = _try_text(variable)
        if text is not None and _is_known_secret(name, text):
            known[name] = text
    return known


def _find_in_views(text: str) -> Iterator[Span]:
    for view in unescaped_views(text):
        for span in _find_in_text(view.text):
            start = view.original_index(span.start, is_start=True)
            end = view.original_index(span.end)
            yield Span(start, end, span.label)


def _blank(mark: re.Match[str]) -> str:
    return " " * len(mark[0])


def _find_in_text(text: str) -> Iterator[Span]:
    yield from find_private_keys(text)
    yield from find_formats(text, _FORMATS)
    # The label in a mark is no name, whatever stands behind it.
    names = list(find_names(_MARK.sub(_blank, text)))
    yield from find_assigned_secrets(text, names)
    yield from find_secrets_in_columns(text, names)
    yield from find_secrets_in_markup(text)
    yield from find_secrets_of_kubernetes(text)


def _try_text(variable: object) -> str | None:
    # Not `isinstance`: a subclass may run code of the user's.
    if type(variable) is str:
        return variable
    if type(variable) is bytes and len(variable) <= _MAX_KNOWN_VALUE:
        try:
            return variable.decode()
        except UnicodeDecodeError:
            return None
    return None


def _is_known_secret(name: str, value: str) -> bool:
    if len(value) > _MAX_KNOWN_VALUE:
        return False
    # A loop can make many names that differ in their number alone.
    strength = strength_of(_LONG_NUMBER.sub("0000", name))
    return strength is not None and is_distinctive(strength, value.strip())


def _encodings_of(value: str) -> set[str]:
    """Return a value as it appears in plain text, reprs, JSON, URLs, HTML and base64."""
    value = value.strip()
    raw = value.encode("utf-8", "surrogatepass")
    texts = {
        value,
        repr(value)[1:-1],
        # A repr escapes single quotes only where the text holds a double quote as well.
        repr(f'"{value}')[2:-1],
        repr(raw)[2:-1],
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }
    encodings = set(texts)
    for text in texts:
        encodings.add(repr(text)[1:-1])
        encodings.add(json.dumps(text)[1:-1])
    encodings.update((quote(raw, safe=""), quote(raw), quote_plus(raw), escape(value)))
    encodings.add(b64encode(raw).decode().rstrip("="))
    return encodings


def _value_pattern(value: str) -> re.Pattern[str]:
    """Match a value; a short one only where it is not part of a longer word."""
    escaped = re.escape(value)
    if len(value) >= _MIN_EMBEDDED_VALUE:
        return re.compile(escaped)
    return re.compile(rf"(?<![A-Za-z0-9]){escaped}(?![A-Za-z0-9])")
