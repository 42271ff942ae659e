"""What of the notebook can be sent with a question, and what was sent before.

An error is sent once, and an earlier one never again. The variables on its failing lines
are described with it, and with each question that attaches it, even if they were
described before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..chat.conversation import Turn
from ..context.fit import ItemRecord, SentItems
from ..context.items import ATTACHED_ERROR, Item, Snapshot
from ..context.snapshot import EARLIER_ERROR, LAST_ERROR

# Variables on failing lines that are described again, those of the innermost line first.
MAX_NAMES = 12
# Before all but the error itself and what is attached.
NAMES_RANK = -499.0
# Behind the error, before what is attached.
NAMES_POSITION = (4, 1)


@dataclass(frozen=True)
class Unsent:
    """What can be sent, and what of it the model knows."""

    snapshot: Snapshot
    known: SentItems


def unsent_after(snapshot: Snapshot, turns: Sequence[Turn]) -> Unsent:
    """Return what can be sent after these turns, and what they sent.

    Parameters
    ----------
    snapshot
        The notebook as it is now.
    turns
        The earlier turns, the oldest first; none for a complete description.
    """
    known = sent_items_after(turns)
    sent_errors = _titles_of_errors(turns)
    items = {item.id: item for item in snapshot.items}
    error = items.get(LAST_ERROR)
    is_sent_now = error is not None and error.wanted and _is_other(error, known)
    is_attached = ATTACHED_ERROR in items
    if is_sent_now:
        items.pop(ATTACHED_ERROR, None)
    for id, item in list(items.items()):
        if id.startswith(EARLIER_ERROR) and item.title in sent_errors:
            del items[id]
    if is_sent_now or is_attached:
        failing = [id for id in snapshot.failing if id in items][:MAX_NAMES]
        for id in failing:
            is_known = known.sent.get(id) == ItemRecord.of(items[id])
            items[id] = items[id]._replace(rank=NAMES_RANK)
            if is_known:
                # Only the error makes it be told again, behind what is always sent.
                items[id] = items[id]._replace(
                    base_rank=None, position=NAMES_POSITION, wanted=True, told_by=""
                )
        known = _without(known, failing)
    return Unsent(replace(snapshot, items=tuple(items.values())), known)


def _is_other(error: Item, known: SentItems) -> bool:
    """Return whether the error is not the one that was sent last."""
    record = known.sent.get(error.id)
    return record is None or record.digest != ItemRecord.of(error).digest


def _without(known: SentItems, ids: Sequence[str]) -> SentItems:
    """Return what is known without these items, so that they are sent again."""
    sent = {id: record for id, record in known.sent.items() if id not in ids}
    left_out = {id: record for id, record in known.left_out.items() if id not in ids}
    return SentItems(sent, left_out)


def _titles_of_errors(turns: Sequence[Turn]) -> set[str]:
    """Return the titles of the errors that these turns sent as the last one."""
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
