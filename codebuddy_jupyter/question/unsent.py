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
    is_sent_now = _is_unsent_error(items.get(LAST_ERROR), known)
    is_attached = ATTACHED_ERROR in items
    if is_sent_now:
        items.pop(ATTACHED_ERROR, None)
    for id, item in list(items.items()):
        if id.startswith(EARLIER_ERROR) and item.title in sent_errors:
            del items[id]
    if is_sent_now or is_attached:
        failing = [id for id in snapshot.failing if id in items]
        failing = failing[:MAX_NAMES]
        for id in failing:
            items[id] = _with_error(items[id], known)
        known = _without(known, failing)
    unsent = replace(snapshot, items=tuple(items.values()))
    return Unsent(unsent, known)


def _is_unsent_error(error: Item | None, known: SentItems) -> bool:
    """Return whether there is an error to send that is not the one sent last."""
    if error is None or not error.wanted:
        return False
    record = known.sent.get(error.id)
    if record is None:
        return True
    return record.digest != ItemRecord.of(error).digest


def _with_error(item: Item, known: SentItems) -> Item:
    """Return the item of a variable on a failing line as the error brings it in."""
    is_known = known.sent.get(item.id) == ItemRecord.of(item)
    item = item._replace(rank=NAMES_RANK)
    if not is_known:
        return item
    # Only the error makes it be told again, behind what is always sent.
    return item._replace(
        base_rank=None,
        position=NAMES_POSITION,
        wanted=True,
        told_by="",
    )


def _without(known: SentItems, ids: Sequence[str]) -> SentItems:
    """Return what is known without these items, so that they are sent again."""
    sent = dict(known.sent)
    left_out = dict(known.left_out)
    for id in ids:
        sent.pop(id, None)
        left_out.pop(id, None)
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
        if turn.before is None:
            known = known.after(turn.sent_items)
        else:
            # The conversation was cut: this turn describes the notebook completely.
            known = turn.sent_items
    return known
