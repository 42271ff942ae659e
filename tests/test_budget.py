"""What a question sends so that its answer begins soon."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.conversation import Turn
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.context.items import Item, Section, Snapshot
from codebuddy_jupyter.messages import Message
from codebuddy_jupyter.question.budget import LEAST_NOTEBOOK, TOLERANCE, Budget
from codebuddy_jupyter.question.draft import Draft, Drafter, Room
from codebuddy_jupyter.question.reading import Reader
from codebuddy_jupyter.question.speeds import ReadingSpeeds
from codebuddy_jupyter.question.target import Target
from codebuddy_jupyter.question.tokens import Tokens
from codebuddy_jupyter.secrets.redactor import Redacted
from tests.support.fakes import FakeProvider

ROOM = Room(window=16_384, assumed=4096, prompt=15_360, notebook=8192)
# Tokens a second.
SPEED = 50.0
SECONDS = 8.0
MOST = SPEED * SECONDS * (1 + TOLERANCE)
TOKENS = Tokens()


def cell(number: int, rank: float, lines: int = 10) -> Item:
    text = "\n".join(f"value_{number}_{line} = compute()" for line in range(lines))
    return Item(
        f"cell:{number}",
        "cells",
        f"In[{number}]",
        text,
        rank,
        (1, number, 0),
        base_rank=rank,
    )


# The later, the more important.
CELLS = tuple(cell(number, -float(number)) for number in range(1, 26))


def drafter(*items: Item, question: str = "Why is it empty?") -> Drafter:
    snapshot = Snapshot(items or CELLS, frozenset({"cells", "error", "mentions"}))
    return Drafter(question, "Be brief.", snapshot, TOKENS, Redacted)


@pytest.fixture
def fake() -> FakeProvider:
    fake = FakeProvider()
    fake.keeps, fake.speed = True, SPEED
    return fake


@pytest.fixture
def reader(fake: FakeProvider) -> Reader:
    return Reader(Target("Local", fake, "m", 16_384), ReadingSpeeds(), TOKENS)


def limited(
    reader: Reader, drafter: Drafter, *turns: Turn, seconds: float = SECONDS
) -> Draft:
    whole = drafter.draft(turns, ROOM)
    return Budget(reader, seconds).limited(whole, drafter, turns, ROOM)


def cells(draft: Draft) -> list[str]:
    return [item.id for item in draft.update.items]


def turn(draft: Draft, buddy: Buddy) -> Turn:
    """The turn that sent this draft, and was answered."""
    reply = Reply("Why?", lambda reply: buddy.ask("no")._source(reply), buddy.loop)
    reply.close()
    return Turn(
        "Why?",
        reply,
        draft.question,
        draft.update.sent_items,
        postponed=draft.postponed,
    )


def test_what_is_read_slowly_is_cut_to_its_time(reader: Reader) -> None:
    whole = drafter().draft((), ROOM)
    draft = limited(reader, drafter())
    assert reader.unread(whole.messages) > 2 * SPEED * SECONDS
    assert SPEED * SECONDS / 2 < reader.unread(draft.messages) <= MOST
    # The most important are kept, as they were.
    assert cells(draft) == cells(whole)[-len(cells(draft)) :]
    assert CELLS[-1].text in draft.question.text
    assert set(draft.postponed) == set(cells(whole)) - set(cells(draft))
    assert {item.id for item in draft.update.left_out} == set(draft.postponed)
    assert draft.notes[0].startswith("left out of the context: ")


@pytest.mark.parametrize(
    ("speed", "seconds"),
    [(5000.0, SECONDS), (None, SECONDS), (SPEED, 0.0)],
    ids=["fast", "not known", "no limit"],
)
def test_everything_is_sent_where_reading_is(
    reader: Reader, fake: FakeProvider, speed: float | None, seconds: float
) -> None:
    fake.speed = speed
    draft = limited(reader, drafter(), seconds=seconds)
    assert cells(draft) == [item.id for item in CELLS]
    assert draft.postponed == {}


def test_however_slow_the_model_is_a_little_is_sent(
    reader: Reader, fake: FakeProvider
) -> None:
    fake.speed = 0.5
    draft = limited(reader, drafter(cell(1, -1.0, lines=4), *CELLS[1:]))
    assert 0 < reader.unread(draft.messages) < 2 * LEAST_NOTEBOOK


def test_variables_have_a_share_of_the_time(reader: Reader) -> None:
    lines = [
        Item(
            f"variable:{number}",
            "variables",
            f"value_{number}",
            f"value_{number}: int",
            0.0,
            (2, number),
            base_rank=0.0,
        )
        for number in range(100)
    ]
    draft = limited(reader, drafter(*CELLS, *lines))
    sections = [item.section for item in draft.update.items]
    assert sections.count("variables") > 10
    assert sections.count("cells") > 1
    assert reader.unread(draft.messages) <= MOST


def test_what_was_read_ahead_is_sent_as_it_was_read(reader: Reader) -> None:
    stable = drafter(question="").draft((), ROOM).stable
    reader.note(stable)
    draft = limited(reader, drafter())
    assert cells(draft) == [item.id for item in CELLS]
    assert reader.unread(draft.messages) < 20


def test_what_was_read_in_part_is_kept_and_costs_nothing(reader: Reader) -> None:
    stable = drafter(question="").draft((), ROOM).stable
    reader.note(stable, reader.total(stable) // 3)
    draft = limited(reader, drafter())
    assert reader.unread(draft.messages) <= MOST
    # The first were read, the last are the most important.
    assert cells(draft)[:5] == [item.id for item in CELLS[:5]]
    assert cells(draft)[-1] == "cell:25"
    assert len(cells(draft)) < len(CELLS)


def test_what_was_read_is_kept_even_if_the_rest_takes_too_long(
    reader: Reader, fake: FakeProvider
) -> None:
    stable = drafter(question="").draft((), ROOM).stable
    reader.note(stable, reader.total(stable) // 3)
    fake.speed = 1.0
    draft = limited(reader, drafter())
    assert cells(draft)[:5] == [item.id for item in CELLS[:5]]
    assert reader.unread(draft.messages) < 2 * LEAST_NOTEBOOK


def test_what_a_question_brings_in_stays_behind_what_was_read(
    reader: Reader, fake: FakeProvider
) -> None:
    # The window has no room for all cells; the first is wanted by this question.
    room = Room(window=2048, assumed=4096, prompt=1500, notebook=8192)
    wanted = CELLS[0]._replace(rank=-100.0)
    drafters = [drafter(wanted, *CELLS[1:], question=text) for text in ("", "Why?")]
    stable = drafters[0].draft((), room).stable
    reader.note(stable, reader.total(stable) // 2)
    fake.speed = 30.0
    whole = drafters[1].draft((), room)
    assert whole.update.asked[0].id == "cell:1"
    draft = Budget(reader, SECONDS).limited(whole, drafters[1], (), room)
    assert cells(draft)[:3] == cells(whole)[:3]
    assert cells(draft)[-1] == "cell:1"
    assert reader.unread(draft.messages) <= 30.0 * SECONDS * (1 + TOLERANCE)


def test_secrets_are_counted_in_a_smaller_draft_too(reader: Reader) -> None:
    def redact(text: str) -> Redacted:
        return Redacted(text.replace("compute", "[key]"), ("key",))

    draft = limited(reader, replace(drafter(), redact=redact))
    assert "compute" not in draft.question.text
    assert "key" in draft.redacted


def test_nothing_takes_the_place_of_what_is_left_out(reader: Reader) -> None:
    lines = [
        Item(
            f"variable:{number}",
            "variables",
            f"value_{number}",
            f"value_{number}: the same in short",
            -float(number),
            (2, number),
            base_rank=-float(number),
            told_by=f"cell:{number}",
        )
        for number in range(1, 26)
    ]
    draft = limited(reader, drafter(*CELLS, *lines))
    assert cells(draft)
    assert all(id.startswith("cell:") for id in cells(draft))
    assert reader.unread(draft.messages) <= MOST


def test_what_does_not_fit_the_window_is_not_new_the_next_time(
    reader: Reader, buddy: Buddy
) -> None:
    small = Room(window=2048, assumed=4096, prompt=1600, notebook=8192)
    questions = [drafter(), drafter()]
    turns: list[Turn] = []
    drafts: list[Draft] = []
    for question in questions:
        whole = question.draft(turns, small)
        draft = Budget(reader, SECONDS).limited(whole, question, turns, small)
        reader.note(draft.messages)
        turns.append(turn(draft, buddy))
        drafts.append(draft)
    assert cells(drafts[0])
    assert not drafts[1].update


@pytest.mark.parametrize(
    ("id", "section", "title"),
    [("mention:a.py", "mentions", "@file:a.py"), ("error", "error", "error in In[3]")],
)
def test_what_the_user_waits_for_is_sent_whatever_its_length(
    reader: Reader, id: str, section: Section, title: str
) -> None:
    text = "one line of a file\n" * 150
    awaited = Item(id, section, title, text, -20.0, (5, 0))
    draft = limited(reader, drafter(*CELLS, awaited))
    assert text.strip() in draft.question.text
    assert reader.unread(draft.messages) > SPEED * SECONDS


def test_what_was_left_out_is_not_sent_with_the_next_question(
    reader: Reader, buddy: Buddy
) -> None:
    first = limited(reader, drafter())
    reader.note(first.messages)
    second = limited(reader, drafter(*CELLS, cell(26, -26.0)), turn(first, buddy))
    assert cells(second) == ["cell:26"]
    assert set(second.postponed) == set(first.postponed)


def test_what_was_left_out_is_sent_once_it_was_read_ahead(
    reader: Reader, buddy: Buddy
) -> None:
    first = limited(reader, drafter())
    turns = (turn(first, buddy),)
    reader.note(drafter(question="").draft(turns, ROOM).stable)
    second = limited(reader, drafter(), *turns)
    assert set(cells(second)) == set(first.postponed)
    assert second.postponed == {}
    assert reader.unread(second.messages) < 50


def test_what_was_left_out_and_has_changed_is_new(reader: Reader, buddy: Buddy) -> None:
    first = limited(reader, drafter())
    reader.note(first.messages)
    changed = cell(1, -1.0, lines=3)
    second = limited(reader, drafter(changed, *CELLS[1:]), turn(first, buddy))
    assert cells(second) == ["cell:1"]


def test_another_conversation_begins_without_what_was_read(reader: Reader) -> None:
    reader.note([Message("system", "Another prompt."), Message("user", "Hello")])
    draft = limited(reader, drafter())
    assert reader.unread(draft.messages) <= MOST


def test_what_the_model_knows_and_has_changed_is_never_left_out(
    reader: Reader, fake: FakeProvider, buddy: Buddy
) -> None:
    first = limited(reader, drafter(*CELLS[:2]))
    reader.note(first.messages)
    fake.speed = 0.5
    changed = [cell(number, 0.0, lines=20) for number in (1, 2)]
    second = limited(reader, drafter(*changed, *CELLS[2:]), turn(first, buddy))
    assert {"cell:1", "cell:2"} <= set(cells(second))
    assert second.update.gone == ()
    assert len(cells(second)) < 6
