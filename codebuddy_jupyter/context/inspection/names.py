"""The existing name that is nearest to one that does not exist."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from operator import itemgetter

# Names among which the nearest is looked for.
MAX_COMPARED = 3_000
# Characters: a longer text is no name.
MAX_NAME = 100
# How alike two names must be, from 0 to 1.
LIKENESS = 0.7
# Names that are compared letter by letter.
MAX_CLOSELY = 400

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    """Return a name without case, spaces and punctuation."""
    letters = filter(str.isalnum, name.casefold())
    return "".join(letters)


@lru_cache(maxsize=4096)
def _words(name: str) -> frozenset[str]:
    """Return the words of a name without case; a plural counts as its singular."""
    words = set()
    for found in _WORD.findall(name):
        word = found.casefold()
        singular = word.removesuffix("s")
        words.add(singular or word)
    return frozenset(words)


def is_same_name(name: str, other: str) -> bool:
    """Return whether two names differ in case, spaces and punctuation at most."""
    if max(len(name), len(other)) > MAX_NAME:
        return False
    plain = _plain(name)
    return bool(plain) and plain == _plain(other)


def try_nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate nearest to a name; None where none is near.

    First counts what differs in case, spaces and punctuation alone, then a candidate
    that is alike letter by letter, then one that has all the words of the name, or all
    of whose words the name has.

    Parameters
    ----------
    name
        A name that does not exist.
    candidates
        The names that exist; of very many, only the first are compared.
    """
    if not 0 < len(name) <= MAX_NAME:
        return None
    compared = []
    for candidate in islice(candidates, MAX_COMPARED):
        if candidate != name and len(candidate) <= MAX_NAME:
            compared.append(candidate)
    plain = _plain(name)
    for candidate in compared:
        if plain and _plain(candidate) == plain:
            return candidate
    similar = _try_similar(plain, compared)
    return similar or _try_by_words(name, compared)


def _try_similar(plain: str, compared: list[str]) -> str | None:
    by_plain = _roughly_similar(plain, compared)
    found = difflib.get_close_matches(plain, by_plain, n=3, cutoff=LIKENESS)
    if not found:
        return None
    highest = _likeness(plain, found[0])
    best = [other for other in found if _likeness(plain, other) == highest]
    # Of those that are equally alike, the first candidate.
    first = next(other for other in by_plain if other in best)
    return by_plain[first]


def _roughly_similar(plain: str, compared: list[str]) -> dict[str, str]:
    """Return the candidates to compare letter by letter, by their plain names."""
    # Letters that both have are counted quickly, so that few are compared closely.
    letters = set(plain)
    most_different = max(len(plain), 4) // 2
    similar = []
    for candidate in compared:
        other = _plain(candidate)
        if not other or abs(len(other) - len(plain)) > most_different:
            continue
        shared = len(letters.intersection(other))
        if shared * 2 >= len(letters):
            similar.append((shared, candidate))
    if len(similar) > MAX_CLOSELY:
        similar.sort(key=itemgetter(0), reverse=True)
    by_plain: dict[str, str] = {}
    for _, candidate in similar[:MAX_CLOSELY]:
        by_plain.setdefault(_plain(candidate), candidate)
    return by_plain


def _likeness(name: str, other: str) -> float:
    # The arguments in the order in which `difflib` compares them.
    matcher = difflib.SequenceMatcher(None, other, name)
    return matcher.ratio()


def _try_by_words(name: str, compared: list[str]) -> str | None:
    words = _words(name)
    if not _has_long(words):
        return None
    fitting = []
    for candidate in compared:
        others = _words(candidate)
        if not _has_long(others):
            continue
        if words <= others or others <= words:
            different = len(words ^ others)
            fitting.append((different, candidate))
    if not fitting:
        return None
    fewest = min(number for number, _ in fitting)
    best = [candidate for number, candidate in fitting if number == fewest]
    # Of two that fit equally well, neither is the nearest.
    if len(best) != 1:
        return None
    return best[0]


def _has_long(words: frozenset[str]) -> bool:
    """Return whether one of the words has three letters or more."""
    lengths = map(len, words)
    return max(lengths, default=0) >= 3
