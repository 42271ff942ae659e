"""Find the names in a text that suggest a secret: variables, settings, columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .languages import NAME_CHARACTER, search_forms
from .words import Strength, strength_of

_STEMS = (
    *("pass", "pwd", "pw", "secret", "token", "key", "cred", "auth", "dsn", "conn"),
    *("sessionid", "sas"),
)
_TAIL = rf"(?>(?:{NAME_CHARACTER}|-){{0,60}})"


def _any_of(patterns: Sequence[str]) -> str:
    """Return a pattern for any of these, which all begin with a letter.

    They are grouped by that letter, since of a long list each would be tried in turn
    at almost every letter of a text.
    """
    groups: dict[str, list[str]] = {}
    for pattern in patterns:
        groups.setdefault(pattern[0], []).append(pattern[1:])
    parts = [f"{first}(?:{'|'.join(rest)})" for first, rest in groups.items()]
    return f"(?:{'|'.join(parts)})"


_IN_ASCII = re.compile(
    rf"{_any_of([*search_forms(only_ascii=True), *_STEMS])}[\w-]{{0,60}}+"
)
_IN_ANY_TEXT = re.compile(
    rf"{_any_of([*search_forms(only_ascii=False), *_STEMS])}{_TAIL}"
)
_MARK = re.compile(NAME_CHARACTER)
# Characters of a name before the part that was found, and of a word before the name.
_MAX_HEAD = 40
_MAX_WORD = 20


class Name(NamedTuple):
    """Where a name is, and how strongly it suggests a secret."""

    start: int
    end: int
    text: str
    strength: Strength


def find_names(text: str) -> Iterator[re.Match[str]]:
    """Return the ends of names that may suggest a secret, in order."""
    # İ is the only letter that gets longer in lower case, which would shift the spans.
    lowered = text.replace("İ", "I").lower()
    pattern = _IN_ASCII if lowered.isascii() else _IN_ANY_TEXT
    return pattern.finditer(lowered)


def try_name(text: str, tail: re.Match[str]) -> Name | None:
    """Return the whole name that ends with such a part, if it suggests a secret."""
    end = tail.end()
    start = _start_of_word(text, tail.start(), _MAX_HEAD)
    strength = strength_of(text[start:end])
    if strength is None and text[start - 1 : start] == " ":
        # A word that means nothing alone: `API key`, `Access Token`.
        start = _start_of_word(text, start - 1, _MAX_WORD)
        strength = strength_of(text[start:end])
    if strength is None:
        return None
    return Name(start, end, text[start:end], strength)


def _start_of_word(text: str, end: int, length: int) -> int:
    """Return where the name starts of which a part ends at a position."""
    start = end
    stop = max(0, end - length)
    while start > stop and _is_in_name(text[start - 1]):
        start -= 1
    return start


def _is_in_name(char: str) -> bool:
    if char.isalnum() or char in "_.-":
        return True
    return not char.isascii() and _MARK.match(char) is not None
