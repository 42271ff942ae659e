"""What is sent of a snapshot: what is new, changed or gone, the most important first,
within the room.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context.fit import (
    ITEM_FRAME_BYTES,
    SentItems,
    Update,
    fit,
    tally,
    tokens_wanted,
    trimmed,
)
from codebuddy_jupyter.context.items import SECTIONS, URGENT_RANK, Item, Snapshot
from codebuddy_jupyter.question.tokens import Tokens
from codebuddy_jupyter.secrets.redactor import Redacted

PLENTY = 10_000
# In tokens: enough for an item's share to be more than the smallest piece of one.
ROOM = 1000
COUNT = Tokens().count
NOTHING_SENT = SentItems()


def fitted(
    snapshot: Snapshot, sent: SentItems = NOTHING_SENT, room: int = PLENTY
) -> Update:
    return fit(snapshot, sent, room, COUNT, Redacted)


def seen(*items: Item) -> Snapshot:
    return Snapshot(items, frozenset(SECTIONS))


def cell(
    name: str,
    text: str = "x = 1",
    rank: float = 0.0,
    place: int = 0,
    title: str = "In[1]",
) -> Item:
    return Item(f"cell:{name}", "cells", title, text, rank, (1, place), base_rank=rank)


def test_the_first_time_everything_is_sent_in_the_order_of_the_notebook() -> None:
    later, first = cell("b", "b = 2", rank=-9, place=2), cell("a", "a = 1", place=1)
    update = fitted(seen(later, first))
    assert [item.id for item in update.items] == ["cell:a", "cell:b"]
    assert not update.left_out
    assert not update.gone


def test_what_was_sent_is_not_sent_again() -> None:
    snapshot = seen(cell("a"), cell("b"))
    sent = fitted(snapshot).sent_items
    assert not fitted(snapshot, sent)
    assert tokens_wanted(snapshot, sent, COUNT) == 0


def test_only_what_changed_is_sent_again() -> None:
    sent = fitted(seen(cell("a"), cell("b"))).sent_items
    update = fitted(seen(cell("a", "x = 2"), cell("b")), sent)
    assert [item.text for item in update.items] == ["x = 2"]


def test_a_cell_that_ran_again_unchanged_costs_nothing() -> None:
    sent = fitted(seen(cell("a", title="In[1]"))).sent_items
    assert not fitted(seen(cell("a", title="In[7]")), sent)


def test_a_cell_that_is_in_another_state_costs_a_line() -> None:
    sent = fitted(seen(cell("a", title="In[1], failed"))).sent_items
    update = fitted(seen(cell("a", title="In[7]")), sent)
    assert not update.items
    assert [(one.old_title, one.item.title) for one in update.renamed] == [
        ("In[1], failed", "In[7]")
    ]
    sent = sent.after(update.sent_items)
    assert not fitted(seen(cell("a", title="In[7]")), sent)


def test_what_is_gone_is_reported_once() -> None:
    sent = fitted(seen(cell("a"), cell("b", title="In[2]"))).sent_items
    update = fitted(seen(cell("a")), sent)
    assert [record.title for record in update.gone] == ["In[2]"]
    sent = sent.after(update.sent_items)
    assert not fitted(seen(cell("a")), sent)
    assert [item.id for item in fitted(seen(cell("a"), cell("b")), sent).items] == [
        "cell:b"
    ]


def test_items_of_a_section_that_was_not_collected_are_not_gone() -> None:
    sent = fitted(seen(cell("a"))).sent_items
    assert not fitted(Snapshot((), frozenset()), sent)


def test_an_attachment_is_never_gone() -> None:
    sent = fitted(seen(Item("mention:df", "mentions", "@df", "head"))).sent_items
    assert not fitted(seen(), sent)


def asked(name: str, text: str = "shown", rank: float = -20.0) -> Item:
    """What only a question brings in."""
    return Item(f"output:{name}", "outputs", "output of In[1]", text, rank, (3, 1))


def told(update: Update) -> list[tuple[str, str]]:
    return [(item.id, item.text) for item in update.stable]


def test_what_no_question_changes_comes_first_and_stays_the_same() -> None:
    cells = [cell(str(n), "word " * 60, rank=-float(n), place=n) for n in range(20)]
    quiet = fitted(seen(*cells), NOTHING_SENT, 1000)
    # Another question gives the cells other ranks, and brings things in.
    ranked = [one._replace(rank=-5.0) for one in reversed(cells)]
    other = fitted(seen(asked("a"), asked("b"), *ranked), NOTHING_SENT, 1000)
    assert 3 < len(quiet.stable) < 20
    assert told(other) == told(quiet)
    assert {"output:a", "output:b"} <= {item.id for item in other.asked}
    assert other.items == other.stable + other.asked


def test_a_cell_without_room_comes_with_what_the_question_brings_in() -> None:
    cells = [cell(str(n), "word " * 60, rank=-float(n), place=n) for n in range(20)]
    quiet = fitted(seen(*cells), NOTHING_SENT, 1000)
    cells[0] = cells[0]._replace(rank=-40.0)
    update = fitted(seen(*cells), NOTHING_SENT, 1000)
    assert told(update) == told(quiet)
    assert update.asked[0].id == "cell:0"
    assert "cell:0" in update.sent_items.sent


def test_what_is_not_wanted_is_sent_only_where_an_earlier_state_of_it_was() -> None:
    unwanted = asked("a")._replace(wanted=False)
    update = fitted(seen(unwanted))
    assert not update
    assert not update.left_out
    sent = fitted(seen(asked("a"))).sent_items
    assert not fitted(seen(unwanted), sent)
    (item,) = fitted(seen(unwanted._replace(text="shown later")), sent).items
    assert item.text == "shown later"
    assert not fitted(seen(), sent).items


def test_another_error_is_not_a_later_state_of_the_first() -> None:
    error = Item("error", "error", "error in In[1]", "KeyError", position=(4,))
    sent = fitted(seen(error)).sent_items
    later = error._replace(title="error in In[3]", text="ValueError", wanted=False)
    assert not fitted(seen(later), sent)


def test_a_function_is_not_described_beside_its_code() -> None:
    code = cell("a", "def f(): ...")
    line = Item("variable:f", "variables", "f", "f: def f()", base_rank=-50.0)
    line = line._replace(told_by="cell:a")
    assert [item.id for item in fitted(seen(line, code)).items] == ["cell:a"]
    sent = fitted(seen(code)).sent_items
    assert not fitted(seen(line, code), sent)
    long = cell("a", "def f(): ..." + "word " * 5000)
    update = fitted(seen(line, long), NOTHING_SENT, 1000)
    assert "variable:f" in {item.id for item in update.items}
    assert [item.id for item in fitted(seen(line)).items] == ["variable:f"]


def test_the_most_important_goes_first_and_the_rest_is_left_out() -> None:
    items = [cell(str(n), "word " * 60, rank=-float(n), place=n) for n in range(10)]
    update = fitted(seen(*items), NOTHING_SENT, 700)
    ids = {item.id for item in update.items}
    assert 3 <= len(ids) < 10
    assert ids == {f"cell:{n}" for n in range(10 - len(ids), 10)}
    assert len(update.left_out) == 10 - len(ids)


def test_what_was_left_out_is_offered_again_only_when_it_changed_or_is_urgent() -> None:
    items = [
        cell(str(n), f"{n} " + "word " * 60, rank=-float(n), place=n) for n in range(10)
    ]
    update = fitted(seen(*items), NOTHING_SENT, 600)
    sent, skipped = update.sent_items, update.left_out[-1]
    assert not fitted(seen(*items), sent)
    for now in (skipped._replace(text="new"), skipped._replace(rank=URGENT_RANK - 1)):
        others = [now if item.id == now.id else item for item in items]
        assert [item.id for item in fitted(seen(*others), sent).items] == [skipped.id]


def test_a_long_item_is_trimmed_and_says_so() -> None:
    update = fitted(
        seen(cell("a", "begin " + "word " * 5000 + " end")), NOTHING_SENT, 1000
    )
    assert update.items[0].text.startswith("begin word")
    assert update.items[0].text.endswith("word  end")
    assert "characters left out" in update.items[0].text


def redact(text: str) -> Redacted:
    kinds = ("password",) * text.count("hunter2")
    return Redacted(text.replace("hunter2", "[redacted]"), kinds)


def test_texts_are_redacted_before_they_are_trimmed_and_the_kinds_are_counted() -> None:
    snapshot = seen(cell("a", "hunter2 and hunter2"), cell("b", "hunter2"))
    update = fit(snapshot, NOTHING_SENT, PLENTY, COUNT, redact)
    assert [item.text for item in update.items] == [
        "[redacted] and [redacted]",
        "[redacted]",
    ]
    assert update.redacted == ("password",) * 3


def test_the_line_that_names_a_cell_is_redacted_and_then_cut() -> None:
    source = f"show({'x' * 55}, hunter2)"
    gone = cell("a", "y = 1")._replace(source=source)
    output = asked("b")._replace(source=f"y = 1\n{source}")
    update = fit(seen(output), fitted(seen(gone)).sent_items, PLENTY, COUNT, redact)
    assert update.asked[0].name == f"show({'x' * 55}"
    assert update.gone[0].name == f"show({'x' * 55}"
    multiline = asked("c")._replace(source="password = (\n'hunter2')")
    (item,) = fit(seen(multiline), NOTHING_SENT, PLENTY, COUNT, redact).asked
    assert item.name == "'[redacted]')"
    assert update.redacted == ()


@pytest.mark.parametrize(
    ("rank", "share"),
    [
        pytest.param(URGENT_RANK, ROOM // 2, id="urgent: half of the room"),
        pytest.param(URGENT_RANK - 1, ROOM // 2, id="more than urgent: half, too"),
        pytest.param(URGENT_RANK + 1, ROOM // 5, id="not urgent: a fifth"),
    ],
)
def test_one_item_takes_at_most_its_share_of_the_room(rank: float, share: int) -> None:
    # With a token for each character, sizes are exact.
    longest = share - ITEM_FRAME_BYTES
    for size, is_whole in ((longest, True), (longest + 1, False)):
        item = cell("a", "x" * size, rank=rank)
        (sent,) = fit(seen(item), NOTHING_SENT, ROOM, len, Redacted).items
        assert (sent.text == item.text) is is_whole
        assert len(sent.text) <= longest


@pytest.mark.parametrize("room", [-50, 0, 10, 47])
def test_without_room_nothing_is_sent_and_all_is_left_out(room: int) -> None:
    update = fitted(seen(cell("a", "word " * 100)), NOTHING_SENT, room)
    assert not update.items
    assert tally(update.left_out) == "1 cell"


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(-10, 3000))
def test_what_is_sent_fits(sizes: list[int], room: int) -> None:
    items = [
        cell(str(n), "word " * size + "x", rank=-float(size % 7), place=n)
        for n, size in enumerate(sizes)
    ]
    update = fitted(seen(*items), NOTHING_SENT, room)
    assert sum(COUNT(item.text) for item in update.items) <= max(room, 0)
    assert len(update.items) + len(update.left_out) == len(items)


@given(
    st.text("ab \n[é", min_size=1, max_size=30),
    st.integers(1, 40),
    st.integers(20, 200),
)
def test_trimmed_text_is_head_and_tail(piece: str, times: int, most: int) -> None:
    text = piece * times
    short = trimmed(text, most, COUNT)
    if COUNT(text) <= most:
        assert short == text
    else:
        head, gone, tail = re.split(r"\n\[([0-9,]+) characters left out\]\n", short)
        assert COUNT(short) <= most
        assert text == head + text[len(head) :][: int(gone.replace(",", ""))] + tail
