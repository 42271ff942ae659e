"""A draft: the conversation only grows at its end, until it no longer fits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.chat.reply import Reply, Turn
from codebuddy_jupyter.context.items import SECTIONS, Item, Snapshot
from codebuddy_jupyter.loop import Loop
from codebuddy_jupyter.messages import Chunk, Message
from codebuddy_jupyter.question.draft import Brief, Draft, Room, conversation, draft
from codebuddy_jupyter.question.tokens import Tokens
from codebuddy_jupyter.secrets.redactor import Redacted

SYSTEM = "Be brief."


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    """A background loop."""
    loop = Loop()
    yield loop
    loop.stop()


async def _no_chunks(reply: Reply) -> AsyncIterator[Chunk]:
    raise AssertionError("It is never asked.")
    yield


def notebook(*cells: str) -> Snapshot:
    items = (
        Item(f"cell:{n}", "cells", f"In[{n}]", text, -n, (n,))
        for n, text in enumerate(cells, 1)
    )
    return Snapshot(tuple(items), frozenset(SECTIONS), "sales.ipynb")


def brief(question: str, seen: Snapshot, system: str = SYSTEM) -> Brief:
    tokens = Tokens()
    return Brief(question, system, seen, tokens, Redacted)


def room(window: int, notebook: int = 8192) -> Room:
    return Room(window, 4096, window - window // 4, notebook)


class Talk:
    """A conversation that goes on with each question."""

    def __init__(
        self, loop: Loop, window: int = 100_000, answer: str = "An answer."
    ) -> None:
        self.loop, self.room, self.answer = loop, room(window), answer
        self.turns: list[Turn] = []

    def ask(self, question: str, *cells: str) -> Draft:
        made = draft(brief(question, notebook(*cells)), self.turns, self.room)
        reply = Reply(question, _no_chunks, self.loop)
        reply.chunks.append(Chunk(text=self.answer))
        reply._end(None)
        self.turns.append(
            Turn(question, reply, made.question, made.news.sent_items, made.before)
        )
        return made


@pytest.fixture
def talk(loop: Loop) -> Talk:
    """A conversation with a large window."""
    return Talk(loop)


def test_the_first_question_carries_the_notebook(talk: Talk) -> None:
    made = talk.ask("why?", "df = 1")
    assert [message.role for message in made.messages] == ["system", "user"]
    assert "df = 1" in made.question.text
    assert made.question.text.endswith("</notebook>\n\nwhy?")


def test_each_turn_begins_with_the_one_before_byte_for_byte(talk: Talk) -> None:
    before: tuple[Message, ...] = ()
    for number in range(5):
        made = talk.ask(f"{number}?", "df = 1", *(f"x = {n}" for n in range(number)))
        assert made.messages[: len(before)] == before
        assert made.before is None
        before = made.messages


def test_a_turn_without_news_is_the_question_alone(talk: Talk) -> None:
    talk.ask("why?", "df = 1")
    assert talk.ask("and now?", "df = 1").question.text == "and now?"


def test_a_later_turn_tells_only_what_is_new(talk: Talk) -> None:
    talk.ask("why?", "df = 1", "y = 2")
    text = talk.ask("and now?", "df = 1", "y = 3").question.text
    assert "y = 3" in text
    assert "df = 1" not in text
    assert "What changed in the notebook" in text


def test_near_the_windows_end_it_goes_on_from_a_fresh_look_and_the_latest_turns(
    loop: Loop,
) -> None:
    talk = Talk(loop, window=2000, answer="word " * 100)
    cuts = []
    for number in range(24):
        made = talk.ask(f"{number}?", "df = 1", "y = " + "1" * 100)
        assert made.tokens <= talk.room.prompt
        if made.before is not None:
            cuts.append(number)
            assert "df = 1" in made.question.text
            assert "The notebook as it is now" in made.question.text
            assert "df = 1" not in str(made.before)
            assert made.turns_left_out + len(made.before) // 2 == number
    assert len(cuts) >= 2
    assert min(later - earlier for earlier, later in pairwise(cuts)) >= 2


def test_after_a_cut_it_grows_at_its_end_again(loop: Loop) -> None:
    talk = Talk(loop, window=2000, answer="word " * 100)
    cut = next(
        made
        for made in (talk.ask(f"{n}?", "df = 1") for n in range(24))
        if made.before is not None
    )
    made = talk.ask("next?", "df = 1")
    assert made.messages[: len(cut.messages)] == cut.messages
    assert made.question.text == "next?"


def test_a_turn_that_was_never_sent_stands_with_its_question(loop: Loop) -> None:
    reply = Reply("1?", _no_chunks, loop)
    reply.close()
    assert conversation([Turn("1?", reply)], Redacted) == (
        Message("user", "1?"),
        Message("assistant", "(This answer broke off.)"),
    )


def test_question_and_system_prompt_are_blanked_too(loop: Loop) -> None:
    tokens = Tokens()

    def redact(text: str) -> Redacted:
        kinds = ("password",) * text.count("hunter2")
        return Redacted(text.replace("hunter2", "[x]"), kinds)

    made = draft(
        Brief("is hunter2 good?", "hunter2", notebook("hunter2"), tokens, redact),
        [],
        room(4096),
    )
    assert "hunter2" not in str(made.messages)
    assert made.redacted == ("password",) * 3
    assert made.notes == ("3 secrets redacted",)


def test_what_is_left_out_is_noted(loop: Loop) -> None:
    made = draft(brief("why?", notebook(*["word " * 200] * 30)), [], room(2000))
    assert made.notes[0].startswith("left out of the context: ")
    assert "<omitted>" in made.question.text


def test_the_parts_tell_where_the_tokens_go(talk: Talk) -> None:
    talk.ask("why?", "df = 1")
    parts = dict(talk.ask("and now?", "df = 2").parts)
    assert list(parts) == ["system prompt", "earlier turns", "cells", "question"]
    assert all(parts.values())


@given(
    st.integers(100, 5000),
    st.lists(st.integers(0, 900), max_size=12),
    st.integers(0, 300),
)
def test_it_fits_whatever_there_is_as_long_as_the_question_does(
    window: int, sizes: list[int], question: int
) -> None:
    made = draft(
        brief("word " * question, notebook(*("word " * size for size in sizes))),
        [],
        room(window),
    )
    alone = draft(brief("word " * question, notebook()), [], room(window))
    assert made.tokens <= max(made.room.prompt, alone.tokens)
