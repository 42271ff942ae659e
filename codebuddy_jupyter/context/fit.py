"""What of a snapshot is told: what is new, changed or gone since the last message, as
far as the window allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .items import URGENT, Item, Section, Snapshot

# bytes that stand around an item, roughly
LINE = 52
# bytes of what stands around all the news, with the line about what is left out
FRAME = 280
# tokens below which a piece of an item says nothing
LEAST = 48


class Mark(NamedTuple):
    """What is remembered of an item that was told, or left out; of one that is gone,
    the digest is None.
    """

    section: Section
    title: str
    digest: int | None

    @classmethod
    def of(cls, item: Item) -> Mark:
        """The mark of an item as it is now."""
        return cls(item.section, item.title, hash(item.text))


@dataclass(frozen=True)
class Known:
    """What the model was told so far, and what was left out, by the items' ids."""

    told: Mapping[str, Mark] = field(default_factory=dict)
    passed: Mapping[str, Mark] = field(default_factory=dict)

    def after(self, later: Known) -> Known:
        """What is known after a later message."""
        told = {**self.told, **later.told}
        passed = {
            id: mark
            for id, mark in {**self.passed, **later.passed}.items()
            if id not in later.told
        }
        return Known(
            {id: mark for id, mark in told.items() if mark.digest is not None}, passed
        )


@dataclass(frozen=True)
class Renamed:
    """An item whose text the model knows under another title."""

    item: Item
    before: str


@dataclass(frozen=True)
class News:
    """What one message tells about the notebook, in the order of the notebook."""

    items: tuple[Item, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    gone: tuple[Mark, ...] = ()
    left_out: tuple[Item, ...] = ()
    known: Known = field(default_factory=Known)
    redacted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.items or self.renamed or self.gone)


@dataclass(frozen=True)
class Measure:
    """How texts are counted, in tokens, and blanked: into what may go out, and the
    kinds of what was blanked.
    """

    count: Callable[[str], int]
    redact: Callable[[str], tuple[str, tuple[str, ...]]]

    @property
    def line(self) -> int:
        """Tokens of what stands around an item."""
        return self.count("x" * LINE)

    def around(self, item: Item) -> int:
        """Tokens of what stands around this item; variables share one tag."""
        return 1 if item.section == "variables" else self.line

    @property
    def frame(self) -> int:
        """Tokens of what stands around all the news."""
        return self.count("x" * FRAME)


def wanted(snapshot: Snapshot, known: Known, measure: Measure) -> int:
    """How many tokens all that is new would take, roughly."""
    fresh, renamed, gone = _changes(snapshot, known)
    if not (fresh or renamed or gone):
        return 0
    told = sum(measure.count(item.text) + measure.around(item) for item in fresh)
    return told + measure.line * (len(renamed) + len(gone)) + measure.frame


def fit(snapshot: Snapshot, known: Known, room: int, measure: Measure) -> News:
    """Choose what to tell within so many tokens: the most important first, long ones
    trimmed.
    """
    fresh, renamed, gone = _changes(snapshot, known)
    left = room - measure.line * (len(renamed) + len(gone)) - measure.frame
    if left < 0:
        return News(
            left_out=tuple(fresh),
            known=Known(passed={item.id: Mark.of(item) for item in fresh}),
        )
    chosen: list[Item] = []
    left_out: list[Item] = []
    kinds: Counter[str] = Counter()
    marks: dict[str, Mark] = {}

    def redacted(text: str) -> str:
        text, found = measure.redact(text)
        kinds.update(found)
        return text

    for item in sorted(fresh, key=lambda item: item.rank):
        most = min(
            left, room // 2 if item.rank <= URGENT else max(room // 5, LEAST)
        ) - measure.around(item)
        if most < min(LEAST, measure.count(item.text)):
            left_out.append(item)
            continue
        text = trimmed(redacted(item.text), most, measure.count)
        left -= measure.count(text) + measure.around(item)
        chosen.append(item._replace(title=redacted(item.title), text=text))
        marks[item.id] = Mark.of(item)
    marks.update((one.item.id, Mark.of(one.item)) for one in renamed)
    marks.update((id, mark._replace(digest=None)) for id, mark in gone.items())
    passed = {item.id: Mark.of(item) for item in left_out}
    return News(
        tuple(sorted(chosen, key=lambda item: item.place)),
        tuple(
            Renamed(
                one.item._replace(title=redacted(one.item.title)), redacted(one.before)
            )
            for one in renamed
        ),
        tuple(mark._replace(title=redacted(mark.title)) for mark in gone.values()),
        tuple(left_out),
        Known(marks, passed),
        tuple(kinds.elements()),
    )


def _changes(
    snapshot: Snapshot, known: Known
) -> tuple[list[Item], list[Renamed], dict[str, Mark]]:
    fresh, renamed = [], []
    for item in snapshot.items:
        mark, told = Mark.of(item), known.told.get(item.id)
        if told == mark:
            continue
        if told and told.digest == mark.digest:
            renamed.append(Renamed(item, told.title))
        elif told or known.passed.get(item.id) != mark or item.rank <= URGENT:
            fresh.append(item)
    there = {item.id for item in snapshot.items}
    gone = {
        id: mark
        for id, mark in known.told.items()
        if id not in there
        and mark.section in snapshot.sections
        and mark.section != "mentions"
    }
    return fresh, renamed, gone


def trimmed(text: str, most: int, count: Callable[[str], int]) -> str:
    """The text, or its head and its tail within so many tokens, with a line between
    that says what is left out.
    """
    tokens = count(text)
    if tokens <= most:
        return text
    characters = max(0, int(len(text) * (most - count("x" * LINE)) / tokens))
    head, tail = (
        text[: characters * 2 // 3],
        text[len(text) - characters // 3 :] if characters // 3 else "",
    )
    return (
        f"{head}\n[{len(text) - len(head) - len(tail):,} characters left out]\n{tail}"
    )


def told_as(items: Iterable[Item]) -> str:
    """How many things of which sort, as for the line that tells what was left out:

    ``12 cells, 1 variable``.
    """
    counts = Counter(NOUNS[item.section] for item in items)
    return ", ".join(f"{n} {noun}{'' if n == 1 else 's'}" for noun, n in counts.items())


NOUNS: Mapping[Section, str] = {
    "outline": "outline",
    "cells": "cell",
    "outputs": "output",
    "variables": "variable",
    "error": "error",
    "mentions": "attachment",
}
