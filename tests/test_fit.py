"""What of a snapshot is told: what is new, changed or gone, the most important first,
within the room.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context.fit import Known, Measure, fit, told_as, trimmed, wanted
from codebuddy_jupyter.context.items import SECTIONS, URGENT, Item, Snapshot
from codebuddy_jupyter.question.tokens import Tokens

PLENTY = 10_000
COUNT = Tokens().count
MEASURE = Measure(COUNT, lambda text: (text, ()))


def seen(*items: Item) -> Snapshot:
    return Snapshot(items, frozenset(SECTIONS))


def cell(
    name: str,
    text: str = "x = 1",
    rank: float = 0.0,
    place: int = 0,
    title: str = "In[1]",
) -> Item:
    return Item(f"cell:{name}", "cells", title, text, rank, (1, place))


def test_the_first_time_all_is_told_in_the_order_of_the_notebook() -> None:
    later, first = cell("b", "b = 2", rank=-9, place=2), cell("a", "a = 1", place=1)
    news = fit(seen(later, first), Known(), PLENTY, MEASURE)
    assert [item.id for item in news.items] == ["cell:a", "cell:b"]
    assert not news.left_out
    assert not news.gone


def test_what_was_told_is_not_told_again() -> None:
    snapshot = seen(cell("a"), cell("b"))
    known = fit(snapshot, Known(), PLENTY, MEASURE).known
    assert not fit(snapshot, known, PLENTY, MEASURE)
    assert wanted(snapshot, known, MEASURE) == 0


def test_what_changed_is_told_anew_and_nothing_else() -> None:
    known = fit(seen(cell("a"), cell("b")), Known(), PLENTY, MEASURE).known
    news = fit(seen(cell("a", "x = 2"), cell("b")), known, PLENTY, MEASURE)
    assert [item.text for item in news.items] == ["x = 2"]


def test_a_cell_that_ran_again_unchanged_costs_a_line() -> None:
    known = fit(seen(cell("a", title="In[1]")), Known(), PLENTY, MEASURE).known
    news = fit(seen(cell("a", title="In[7]")), known, PLENTY, MEASURE)
    assert not news.items
    assert [(one.before, one.item.title) for one in news.renamed] == [
        ("In[1]", "In[7]")
    ]
    known = known.after(news.known)
    assert not fit(seen(cell("a", title="In[7]")), known, PLENTY, MEASURE)


def test_what_is_gone_is_told_once() -> None:
    known = fit(
        seen(cell("a"), cell("b", title="In[2]")), Known(), PLENTY, MEASURE
    ).known
    news = fit(seen(cell("a")), known, PLENTY, MEASURE)
    assert [mark.title for mark in news.gone] == ["In[2]"]
    known = known.after(news.known)
    assert not fit(seen(cell("a")), known, PLENTY, MEASURE)
    assert [
        item.id
        for item in fit(seen(cell("a"), cell("b")), known, PLENTY, MEASURE).items
    ] == ["cell:b"]


def test_a_section_that_was_not_looked_at_is_not_gone() -> None:
    known = fit(seen(cell("a")), Known(), PLENTY, MEASURE).known
    assert not fit(Snapshot((), frozenset()), known, PLENTY, MEASURE)


def test_an_attached_thing_is_never_gone() -> None:
    known = fit(
        seen(Item("mention:df", "mentions", "@df", "head")), Known(), PLENTY, MEASURE
    ).known
    assert not fit(seen(), known, PLENTY, MEASURE)


def test_the_most_important_goes_first_and_the_rest_is_left_out() -> None:
    items = [cell(str(n), "word " * 60, rank=-float(n), place=n) for n in range(10)]
    news = fit(seen(*items), Known(), 600, MEASURE)
    told = {item.id for item in news.items}
    assert 3 <= len(told) < 10
    assert told == {f"cell:{n}" for n in range(10 - len(told), 10)}
    assert len(news.left_out) == 10 - len(told)


def test_what_was_left_out_is_not_tried_again_unless_it_changed_or_matters_now() -> (
    None
):
    items = [
        cell(str(n), f"{n} " + "word " * 60, rank=-float(n), place=n) for n in range(10)
    ]
    news = fit(seen(*items), Known(), 600, MEASURE)
    known, passed = news.known, news.left_out[-1]
    assert not fit(seen(*items), known, PLENTY, MEASURE)
    for now in (passed._replace(text="new"), passed._replace(rank=URGENT - 1)):
        others = [now if item.id == now.id else item for item in items]
        assert [
            item.id for item in fit(seen(*others), known, PLENTY, MEASURE).items
        ] == [passed.id]


def test_a_long_thing_is_trimmed_and_says_so() -> None:
    news = fit(
        seen(cell("a", "begin " + "word " * 5000 + " end")), Known(), 1000, MEASURE
    )
    assert news.items[0].text.startswith("begin word")
    assert news.items[0].text.endswith("word  end")
    assert "characters left out" in news.items[0].text


def test_texts_are_blanked_before_they_are_trimmed_and_the_kinds_are_counted() -> None:
    measure = Measure(
        COUNT,
        lambda text: (
            text.replace("hunter2", "[redacted]"),
            ("password",) * text.count("hunter2"),
        ),
    )
    news = fit(
        seen(cell("a", "hunter2 and hunter2"), cell("b", "hunter2")),
        Known(),
        PLENTY,
        measure,
    )
    assert [item.text for item in news.items] == [
        "[redacted] and [redacted]",
        "[redacted]",
    ]
    assert news.redacted == ("password",) * 3


@pytest.mark.parametrize("room", [-50, 0, 10, 47])
def test_without_room_nothing_is_told_and_all_is_left_out(room: int) -> None:
    news = fit(seen(cell("a", "word " * 100)), Known(), room, MEASURE)
    assert not news.items
    assert told_as(news.left_out) == "1 cell"


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(-10, 3000))
def test_what_is_told_fits(sizes: list[int], room: int) -> None:
    items = [
        cell(str(n), "word " * size + "x", rank=-float(size % 7), place=n)
        for n, size in enumerate(sizes)
    ]
    news = fit(seen(*items), Known(), room, MEASURE)
    assert sum(COUNT(item.text) for item in news.items) <= max(room, 0)
    assert len(news.items) + len(news.left_out) == len(items)


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
