"""Choose what one message reports about the notebook.

That is what is new, changed or gone since the last message, as much of it as fits into
the context window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AnySet
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple, TypeAlias

from ..secrets.redactor import Redacted
from .items import URGENT_RANK, Item, Section, Snapshot

Count: TypeAlias = Callable[[str], int]
Redact: TypeAlias = Callable[[str], Redacted]

# The size in bytes of the fence and the title around one item, roughly.
ITEM_FRAME_BYTES = 40
# The size in bytes of the text around all items, with the line about what is left out.
UPDATE_FRAME_BYTES = 220
# Characters of a line by which a cell is recognised.
NAME_CHARACTERS = 60
# How often a text is shortened until its ends fit.
TRIM_ATTEMPTS = 4
# In tokens: a shorter piece of an item is of no use to the model.
SMALLEST_PIECE = 48
# Variables share one heading, so each costs only what makes it a line, in tokens.
VARIABLE_FRAME = 3
# The share of the room that is kept for what the question brings in.
ASKED_SHARE = 0.2
# Where an item stands that the question brought in: behind all that it did not.
ASKED_POSITION = 3

SECTION_NOUNS: Mapping[Section, str] = {
    "outline": "outline",
    "cells": "cell",
    "outputs": "output",
    "variables": "variable",
    "error": "error",
    "mentions": "attachment",
}


class ItemRecord(NamedTuple):
    """What is remembered of an item that was sent or left out.

    ``digest`` is that of its text or identity, or None where the model was sent that it
    is gone. ``source`` is that of the cell, and ``name`` the line by which it is
    recognised, once it is redacted.
    """

    section: Section
    title: str
    digest: int | None
    source: str = ""
    name: str = ""

    @classmethod
    def of(cls, item: Item) -> ItemRecord:
        """Return the record of an item as it is now."""
        return cls(
            item.section,
            item.title,
            hash(item.identity or item.text),
            item.source,
        )


@dataclass(frozen=True)
class SentItems:
    """The items that the model was sent, and those that were left out, by their ids."""

    sent: Mapping[str, ItemRecord] = field(default_factory=dict)
    left_out: Mapping[str, ItemRecord] = field(default_factory=dict)

    def after(self, later: SentItems) -> SentItems:
        """Return what was sent once a later message has been sent as well."""
        sent = dict(self.sent)
        left_out = {**self.left_out, **later.left_out}
        for id, record in later.sent.items():
            left_out.pop(id, None)
            if record.digest is None:
                # The model knows now that it is gone.
                sent.pop(id, None)
            else:
                sent[id] = record
        return SentItems(sent, left_out)


@dataclass(frozen=True)
class Renamed:
    """An item whose text the model was sent under another title."""

    item: Item
    old_title: str


@dataclass(frozen=True)
class Update:
    """What one message reports about the notebook.

    ``stable`` are the items that do not depend on the question, ``asked`` those that it
    brought in, each in the order of the notebook. ``redacted`` holds the label of each
    secret that was redacted.
    """

    stable: tuple[Item, ...] = ()
    asked: tuple[Item, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    gone: tuple[ItemRecord, ...] = ()
    left_out: tuple[Item, ...] = ()
    sent_items: SentItems = field(default_factory=SentItems)
    redacted: tuple[str, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """All items, in the order in which they are sent."""
        return self.stable + self.asked

    def __bool__(self) -> bool:
        """Return whether there is anything to report."""
        return bool(self.items or self.renamed or self.gone)


@dataclass
class _Changes:
    """How a snapshot differs from what was sent; ``gone`` is keyed by item id."""

    items: list[Item] = field(default_factory=list)
    renamed: list[Renamed] = field(default_factory=list)
    gone: dict[str, ItemRecord] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.items or self.renamed or self.gone)

    @property
    def lines(self) -> int:
        """How many single lines report what was renamed and what is gone."""
        return len(self.renamed) + len(self.gone)


class _Frames:
    """The sizes, in tokens, of what is written around the items."""

    def __init__(self, count: Count) -> None:
        self.item = count("x" * ITEM_FRAME_BYTES)
        self.update = count("x" * UPDATE_FRAME_BYTES)

    def around(self, item: Item) -> int:
        """Return the size of what is written around this item."""
        if item.section == "variables":
            return VARIABLE_FRAME
        return self.item

    def besides_items(self, changes: _Changes) -> int:
        """Return the size of all that an update holds besides its items."""
        return self.item * changes.lines + self.update


def tokens_wanted(
    snapshot: Snapshot, sent: SentItems, count: Count, most: float = inf
) -> int:
    """Return how many tokens a report of everything new would take, roughly; at least
    ``most`` if it takes more.

    Parameters
    ----------
    snapshot
        The notebook as it is now.
    sent
        What the model was sent so far.
    count
        Counts the tokens of a text.
    most
        The size, in tokens, from which the answer does not matter.
    """
    changes = _changes(snapshot, sent)
    if not changes:
        return 0
    frames = _Frames(count)
    total = frames.besides_items(changes)
    for item in changes.items:
        # A notebook may have 100,000 variables.
        if total >= most:
            break
        total += count(item.text) + frames.around(item)
    return total


def fit(
    snapshot: Snapshot, sent: SentItems, room: int, count: Count, redact: Redact
) -> Update:
    """Choose what to report: the most important items first, long ones trimmed.

    What is sent whatever the question is comes first and gets most of the room, so that
    another question about the same notebook is sent the same.

    Parameters
    ----------
    snapshot
        The notebook as it is now.
    sent
        What the model was sent so far.
    room
        How much the report may take, in tokens.
    count
        Counts the tokens of a text.
    redact
        Removes the secrets from a text.
    """
    changes = _changes(snapshot, sent)
    room_for_items = room - _Frames(count).besides_items(changes)
    if room_for_items < 0:
        return Update(
            left_out=tuple(changes.items),
            sent_items=SentItems(left_out=_records(changes.items)),
        )
    selection = _Selection(room, room_for_items, count, redact)
    changed = {item.id for item in changes.items}
    selection.choose(changes.items, known=sent.sent.keys() - changed)
    return selection.update(changes)


class _Selection:
    """Takes items as long as there is room, trimmed and redacted."""

    def __init__(
        self, room: int, room_for_items: int, count: Count, redact: Redact
    ) -> None:
        self._room = room
        self._left = room_for_items
        self._count = count
        self._redact = redact
        self._frames = _Frames(count)
        self._labels: list[str] = []
        self._chosen: list[Item] = []
        self._taken: list[Item] = []
        self._left_out: list[Item] = []

    def choose(self, items: Sequence[Item], known: AnySet[str]) -> None:
        """Take what is sent whatever the question is, then what it brings in.

        Parameters
        ----------
        items
            What can be sent.
        known
            The ids of items that the model was sent as they are now.
        """
        kept = int(self._left * ASKED_SHARE)
        self._left -= kept
        ranked: list[tuple[float, Item]] = []
        asked: list[Item] = []
        for item in items:
            if item.base_rank is None:
                asked.append(item)
            else:
                ranked.append((item.base_rank, item))
        ranked.sort(key=_by_rank)
        offered = set(known)
        for rank, item in ranked:
            # What tells the same has been offered before.
            if item.told_by in offered:
                continue
            if self._offer(item, rank):
                offered.add(item.id)
        self._left += kept
        self._choose_asked(asked)

    def _choose_asked(self, asked: Sequence[Item]) -> None:
        """Take what the question brings in, and by its rank what had no room before."""
        offered = [*asked, *self._left_out]
        offered.sort(key=lambda item: item.rank)
        self._left_out = []
        for item in offered:
            position = item.position
            if item.base_rank is not None:
                position = (ASKED_POSITION, *position)
            brought_in = item._replace(base_rank=None, position=position)
            self._offer(brought_in, item.rank)

    def _offer(self, item: Item, rank: float) -> bool:
        """Take an item, or what fits of it; leave it out where too little would fit.

        Returns
        -------
        bool
            Whether all of it was taken.
        """
        frame = self._frames.around(item)
        most = min(self._left, self._largest_share(rank))
        limit = most - frame
        if limit < SMALLEST_PIECE and not self._is_within(item.text, limit):
            self._left_out.append(item)
            return False
        redacted = self._redacted(item.text)
        text = trimmed(redacted, limit, self._count)
        title = self._redacted(item.title)
        name = ""
        if item.section == "outputs":
            name = self._line(item.source, last=True)
        self._left -= self._count(text) + frame
        self._taken.append(item)
        chosen = item._replace(title=title, text=text, name=name)
        self._chosen.append(chosen)
        return text == redacted

    def _is_within(self, text: str, limit: int) -> bool:
        return limit > 0 and self._count(text) <= limit

    def _largest_share(self, rank: float) -> int:
        """Return the most that one item may take of the room, in tokens."""
        if rank <= URGENT_RANK:
            return self._room // 2
        return max(self._room // 5, SMALLEST_PIECE)

    def _redacted(self, text: str) -> str:
        redacted = self._redact(text)
        self._labels += redacted.labels
        return redacted.text

    def update(self, changes: _Changes) -> Update:
        """Return the update with the items that were taken."""
        stable = []
        asked = []
        for item in sorted(self._chosen, key=lambda item: item.position):
            if item.base_rank is None:
                asked.append(item)
            else:
                stable.append(item)
        renamed = [self._redacted_renaming(renaming) for renaming in changes.renamed]
        gone = [self._redacted_record(record) for record in changes.gone.values()]
        sent_items = SentItems(
            sent=self._sent(changes),
            left_out=_records(self._left_out),
        )
        return Update(
            stable=tuple(stable),
            asked=tuple(asked),
            renamed=tuple(renamed),
            gone=tuple(gone),
            left_out=tuple(self._left_out),
            sent_items=sent_items,
            redacted=tuple(self._labels),
        )

    def _sent(self, changes: _Changes) -> dict[str, ItemRecord]:
        """Return the records of all that the model will know after this update."""
        sent = _records(self._taken)
        for renaming in changes.renamed:
            item = renaming.item
            sent[item.id] = ItemRecord.of(item)
        for id, record in changes.gone.items():
            sent[id] = record._replace(digest=None)
        return sent

    def _redacted_renaming(self, renamed: Renamed) -> Renamed:
        item = renamed.item
        title = self._redacted(item.title)
        old_title = self._redacted(renamed.old_title)
        name = self._line(item.source)
        redacted = item._replace(title=title, name=name)
        return Renamed(redacted, old_title)

    def _redacted_record(self, record: ItemRecord) -> ItemRecord:
        title = self._redacted(record.title)
        name = self._line(record.source)
        return record._replace(title=title, name=name)

    def _line(self, source: str, *, last: bool = False) -> str:
        """Return the first or the last line of a cell, by which it is recognised.

        All of it is redacted first: a part of a secret may not look like one.
        """
        redacted = self._redact(source)
        lines = redacted.text.strip().splitlines()
        if not lines:
            return ""
        line = lines[-1] if last else lines[0]
        return line.strip()[:NAME_CHARACTERS]


def _by_rank(ranked: tuple[float, Item]) -> tuple[bool, float]:
    """Order items by their rank, those that another one may tell last."""
    rank, item = ranked
    return bool(item.told_by), rank


def _records(items: Iterable[Item]) -> dict[str, ItemRecord]:
    return {item.id: ItemRecord.of(item) for item in items}


def _changes(snapshot: Snapshot, sent: SentItems) -> _Changes:
    changes = _Changes()
    for item in snapshot.items:
        record = ItemRecord.of(item)
        last_sent = sent.sent.get(item.id)
        if last_sent == record:
            continue
        if last_sent is not None and last_sent.digest == record.digest:
            if is_told_state(last_sent.title) or is_told_state(item.title):
                changes.renamed.append(Renamed(item, last_sent.title))
        elif _is_worth_sending(item, record, sent):
            changes.items.append(item)
    present = {item.id for item in snapshot.items}
    for id, record in sent.sent.items():
        if id not in present and _can_be_gone(record, snapshot):
            changes.gone[id] = record
    return changes


def is_told_state(title: str) -> bool:
    """Return whether a cell's title says more than its number.

    The numbers of cells are not sent, and change with each run.
    """
    return ", " in title


def _is_worth_sending(item: Item, record: ItemRecord, sent: SentItems) -> bool:
    """Return whether an item that is new or has changed is offered.

    One that was left out before and has not changed is not, unless it is urgent now.
    """
    if item.id in sent.sent and item.section != "error":
        return True
    if not item.wanted:
        return False
    if item.rank <= URGENT_RANK:
        return True
    return sent.left_out.get(item.id) != record


def _can_be_gone(record: ItemRecord, snapshot: Snapshot) -> bool:
    """Return whether an item that is not in the snapshot is no longer there.

    A section that was not collected says nothing about its items, and what a prompt
    attached belongs to that prompt.
    """
    if record.section == "mentions":
        return False
    if record.section == "variables" and record.title in snapshot.undescribed:
        return False
    return record.section in snapshot.sections


def trimmed(text: str, limit: int, count: Count) -> str:
    """Return the text, shortened to its head and tail where it is too long.

    Parameters
    ----------
    text
        Any text.
    limit
        The most that may be left, in tokens.
    count
        Counts the tokens of a text.

    Returns
    -------
    str
        The text as it is where it fits; else its head and its tail, with a line between
        them that says how much is left out.
    """
    tokens = count(text)
    if tokens <= limit:
        return text
    # The line about what is left out takes about as much as a frame.
    room = limit - count("x" * ITEM_FRAME_BYTES)
    kept = int(len(text) * room / tokens)
    for _ in range(TRIM_ATTEMPTS):
        head, tail = _ends(text, max(kept, 0))
        # The ends may be denser than the rest, such as a table of numbers after prose.
        size = count(head) + count(tail)
        if size <= max(room, 2):
            break
        kept = int(kept * room / size)
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[{left_out:,} characters left out]\n{tail}"


def _ends(text: str, kept: int) -> tuple[str, str]:
    """Return so many characters of a text, two thirds of them from the beginning."""
    head_end = kept * 2 // 3
    tail_start = len(text) - kept // 3
    return text[:head_end], text[tail_start:]


def tally(items: Iterable[Item]) -> str:
    """Return how many items there are of which section: ``12 cells, 1 variable``."""
    nouns = [SECTION_NOUNS[item.section] for item in items]
    parts = []
    for noun, number in Counter(nouns).items():
        plural = "" if number == 1 else "s"
        parts.append(f"{number} {noun}{plural}")
    return ", ".join(parts)
