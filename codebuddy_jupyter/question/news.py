"""What a question tells of the notebook beside what has changed: about errors.

An error is told once, and an earlier one never again. What is on its failing lines is
described with it, and with each question that attaches it, even if that was described
before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..chat.conversation import Turn
from ..context.fit import ItemRecord, SentItems
from ..context.items import Item, Snapshot
from ..context.snapshot import ATTACHED_ERROR, EARLIER_ERROR, LAST_ERROR

# Variables on failing lines that are described again, those of the innermost line first.
MAX_NAMES = 12
# Before all but the error itself and what is attached.
NAMES_RANK = -499.0


@dataclass(frozen=True)
class News:
    """What can be told, and what of it the model knows."""

    snapshot: Snapshot
    known: SentItems


def news_for(snapshot: Snapshot, turns: Sequence[Turn]) -> News:
    """Return what can be told after these turns.

    Parameters
    ----------
    snapshot
        The notebook as it is now.
    turns
        The earlier turns, the oldest first; none for a complete description.
    """
    known = sent_items_after(turns)
    told = _titles_of_errors(turns)
    items = {item.id: item for item in snapshot.items}
    is_told = LAST_ERROR in items and _is_news(items[LAST_ERROR], known)
    is_attached = ATTACHED_ERROR in items
    if is_told:
        items.pop(ATTACHED_ERROR, None)
    for id, item in list(items.items()):
        if id.startswith(EARLIER_ERROR) and item.title in told:
            del items[id]
    if is_told or is_attached:
        failing = [id for id in snapshot.failing if id in items][:MAX_NAMES]
        for id in failing:
            items[id] = items[id]._replace(rank=NAMES_RANK)
        known = _without(known, failing)
    return News(replace(snapshot, items=tuple(items.values())), known)


def _is_news(error: Item, known: SentItems) -> bool:
    """Return whether the error is not the one that was told last."""
    record = known.sent.get(error.id)
    return record is None or record.digest != ItemRecord.of(error).digest


def _without(known: SentItems, ids: Sequence[str]) -> SentItems:
    """Return what is known without these items, so that they are told again."""
    sent = {id: record for id, record in known.sent.items() if id not in ids}
    left_out = {id: record for id, record in known.left_out.items() if id not in ids}
    return SentItems(sent, left_out)


def _titles_of_errors(turns: Sequence[Turn]) -> set[str]:
    """Return the titles of the errors that these turns told as the last one."""
    titles: set[str] = set()
    for turn in turns:
        if turn.before is not None:
            titles.clear()
        record = turn.sent_items.sent.get(LAST_ERROR)
        if record is not None:
            titles.add(record.title)
    return titles


def sent_items_after(turns: Sequence[Turn]) -> SentItems:
    """Return what the model knows of the notebook after these turns."""
    known = SentItems()
    for turn in turns:
        # A turn for which the conversation was cut describes the notebook completely.
        is_complete = turn.before is not None
        known = turn.sent_items if is_complete else known.after(turn.sent_items)
    return known
