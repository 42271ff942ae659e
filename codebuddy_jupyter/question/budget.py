"""How much of the notebook a question sends, so that its answer begins soon.

Reading a prompt takes time. What the server has not read yet takes a few seconds at
most: the most important first, and what it has read already costs nothing. What is left
out for that is offered again once it was read ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AnySet
from dataclasses import dataclass, replace

from ..chat.conversation import Turn
from ..context.fit import ItemRecord, SentItems
from ..context.items import URGENT_RANK, Item
from .draft import Draft, Drafter, Room
from .reading import Reader
from .unsent import sent_items_after

# Tokens of the notebook that a question may send, however slowly the model reads.
LEAST_NOTEBOOK = 128
# What is sent however long it takes to read: what the prompt attaches by name, and an
# error, without which a question about it has no answer.
AWAITED = frozenset({"mentions", "error"})
# The share of the time in which variables come first: their lines are short, and say
# most of what an answer's code needs.
LINES_SHARE = 0.3
# Tokens of what is written around an item, and around a line.
FRAME = 6
LINE_FRAME = 2
# The share of the time by which a draft may exceed it.
TOLERANCE = 0.15
# How often a draft is shortened in each way.
ATTEMPTS = 2
# Seconds of reading that what was left out for its time may take later: it was read
# ahead then.
SHORT_WHILE = 1.0


@dataclass(frozen=True)
class Budget:
    """The seconds for which a model may read what is new in a prompt.

    Parameters
    ----------
    reader
        The model.
    seconds
        The seconds; 0: no limit.
    """

    reader: Reader
    seconds: float

    def limited(
        self, draft: Draft, drafter: Drafter, turns: Sequence[Turn], room: Room
    ) -> Draft:
        """Return the draft if it can be read in time, else a smaller one.

        Parameters
        ----------
        draft
            The draft that uses all of the room.
        drafter, turns, room
            Those with which it was made.
        """
        speed = self.reader.speed
        if not (speed and self.seconds):
            return draft
        postponed: Mapping[str, ItemRecord] = {}
        if turns:
            postponed = turns[-1].postponed
        seconds = self.seconds
        if postponed:
            seconds = min(seconds, SHORT_WHILE)
        if self._unread(draft) <= speed * seconds:
            return draft
        known = sent_items_after(turns).sent
        lean = _without_postponed(drafter, postponed, known)
        smaller = draft
        if lean is not drafter:
            smaller = lean.draft(turns, room)
        left_out: list[Item] = []
        if self._unread(smaller) > speed * self.seconds:
            smaller, left_out = self._smaller(smaller, lean, turns, room)
        update = replace(
            smaller.update,
            left_out=(*smaller.update.left_out, *left_out),
            sent_items=_with_left_out(smaller, draft),
        )
        return replace(
            smaller,
            update=update,
            postponed=_left_out(draft, smaller),
            # The texts of the smaller draft were redacted for the first one.
            redacted=draft.redacted,
        )

    def _unread(self, draft: Draft) -> int:
        """Return the tokens to read, without what the user waits for."""
        unread = self.reader.unread(draft.messages)
        for item in draft.update.items:
            if item.section in AWAITED:
                unread -= self.reader.count(item.text)
        return unread

    def _smaller(
        self, draft: Draft, drafter: Drafter, turns: Sequence[Turn], room: Room
    ) -> tuple[Draft, list[Item]]:
        """Return a draft that is read in time if there is one, and what it leaves out.

        What was read already is kept first, as long as the rest can follow it.
        """
        speed = self.reader.speed or 0
        limit = int(speed * self.seconds)
        known = set(sent_items_after(turns).sent)
        best: tuple[int, Draft, list[Item]] | None = None
        for cost in (self._unread_cost, self._cost):
            aim = limit
            for _ in range(ATTEMPTS):
                beyond = self._beyond(draft, aim, cost)
                # The model must be told that what it knows has changed.
                left_out = [item for item in beyond if item.id not in known]
                # Nothing takes the place of what is left out.
                ids = known | _ids(draft.update.items)
                ids -= _ids(left_out)
                lean = _as_fitted(_with_only(drafter, ids), draft)
                smaller = lean.draft(turns, room)
                over = self._unread(smaller) - limit
                if best is None or over < best[0]:
                    best = over, smaller, left_out
                if over <= limit * TOLERANCE:
                    return smaller, left_out
                # The costs are estimates.
                aim -= over
        if best is None:
            return draft, []
        _, smaller, left_out = best
        return smaller, left_out

    def _beyond(
        self, draft: Draft, limit: int, cost: Callable[[Item], int]
    ) -> list[Item]:
        """Return the items of a draft for which there is no time, the least important
        ones.
        """
        by_rank = sorted(draft.update.items, key=lambda item: item.rank)
        lines = [item for item in by_rank if item.section == "variables"]
        left = max(limit - self._besides(draft), LEAST_NOTEBOOK)
        left_for_lines = int(left * LINES_SHARE)
        first = _chosen(lines, left_for_lines, cost)
        for item in first:
            left -= cost(item)
        others = [item for item in by_rank if item not in first]
        rest = _chosen(others, left, cost)
        chosen = _ids(first) | _ids(rest)
        return [item for item in by_rank if item.id not in chosen]

    def _besides(self, draft: Draft) -> int:
        """Return the tokens to read besides the items."""
        before = self.reader.unread(draft.messages[:-1])
        items = sum(map(self._size, draft.update.items))
        question = self.reader.count(draft.question.text)
        return before + max(question - items, 0)

    def _size(self, item: Item) -> int:
        """Return the tokens of an item, with what is written around it."""
        size = self.reader.count(item.text)
        if item.section == "variables":
            return size + LINE_FRAME
        return size + FRAME

    def _cost(self, item: Item) -> int:
        """Return the tokens that an item costs, none if the user waits for it."""
        if item.section in AWAITED:
            return 0
        return self._size(item)

    def _unread_cost(self, item: Item) -> int:
        """Return the same, none if it was read ahead."""
        if self.reader.has_read(item.text):
            return 0
        return self._cost(item)


def _ids(items: Iterable[Item]) -> set[str]:
    return {item.id for item in items}


def _chosen(
    items: Sequence[Item], left: int, cost: Callable[[Item], int]
) -> list[Item]:
    """Return those of the items that fit, the first of them first."""
    chosen = []
    for item in items:
        size = cost(item)
        if size <= left:
            chosen.append(item)
            left -= size
    return chosen


def _with_only(drafter: Drafter, ids: AnySet[str]) -> Drafter:
    """Return the drafter with the items of these ids alone."""
    items = [item for item in drafter.snapshot.items if item.id in ids]
    return _with_items(drafter, items)


def _as_fitted(drafter: Drafter, draft: Draft) -> Drafter:
    """Return the drafter with the items as the draft has them: shortened or not, and
    where it has them. With more room, what was read would be sent otherwise.
    """
    fitted = {item.id: item for item in draft.update.items}
    items = []
    for item in drafter.snapshot.items:
        if item.id in fitted:
            # By its identity it stays the same item.
            identity = item.identity or item.text
            item = fitted[item.id]._replace(title=item.title, identity=identity)
        items.append(item)
    return _with_items(drafter, items)


def _with_items(drafter: Drafter, items: Iterable[Item]) -> Drafter:
    snapshot = replace(drafter.snapshot, items=tuple(items))
    return replace(drafter, snapshot=snapshot)


def _without_postponed(
    drafter: Drafter,
    postponed: Mapping[str, ItemRecord],
    known: Mapping[str, ItemRecord],
) -> Drafter:
    """Return the drafter without what was left out before for its time, unless it is
    urgent now or has changed.
    """
    if not postponed:
        return drafter
    ids = set()
    for item in drafter.snapshot.items:
        is_urgent = item.rank <= URGENT_RANK
        is_old = postponed.get(item.id) == ItemRecord.of(item)
        # Without what the model knows, it would be told that it is gone.
        if is_urgent or item.id in known or not is_old:
            ids.add(item.id)
    return _with_only(drafter, ids)


def _left_out(draft: Draft, smaller: Draft) -> Mapping[str, ItemRecord]:
    """Return what the smaller of two drafts leaves out of the other."""
    sent = smaller.update.sent_items.sent
    offered = draft.update.sent_items.sent
    return {id: record for id, record in offered.items() if id not in sent}


def _with_left_out(smaller: Draft, draft: Draft) -> SentItems:
    """Return what a draft sends, with what does not fit the window as the larger draft
    found.
    """
    sent_items = smaller.update.sent_items
    left_out = {**draft.update.sent_items.left_out, **sent_items.left_out}
    for id in sent_items.sent:
        left_out.pop(id, None)
    return replace(sent_items, left_out=left_out)
