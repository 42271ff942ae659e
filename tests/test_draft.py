"""A draft: the conversation only grows at its end, until it no longer fits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.chat.conversation import Chat, Turn
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.context.items import SECTIONS, Item, Snapshot
from codebuddy_jupyter.errors import CutOff, Stopped
from codebuddy_jupyter.messages import Chunk, Message, ToolCall
from codebuddy_jupyter.question.draft import Draft, Drafter, Room, conversation
from codebuddy_jupyter.question.prompts import BROKE_OFF
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
        Item(f"cell:{n}", "cells", f"In[{n}]", text, -n, (n,), base_rank=-n)
        for n, text in enumerate(cells, 1)
    )
    return Snapshot(tuple(items), frozenset(SECTIONS))


def drafter(question: str, snapshot: Snapshot, system: str = SYSTEM) -> Drafter:
    tokens = Tokens()
    return Drafter(question, system, snapshot, tokens, Redacted)


def ended(
    loop: Loop, question: str, *chunks: Chunk, error: BaseException | None = None
) -> Turn:
    """A turn whose reply has ended."""
    reply = Reply(question, _no_chunks, loop)
    reply.chunks += chunks
    reply._end(error)
    return Turn(question, reply)


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
        made = drafter(question, notebook(*cells)).draft(self.turns, self.room)
        reply = Reply(question, _no_chunks, self.loop)
        reply.chunks.append(Chunk(text=self.answer))
        reply._end(None)
        self.turns.append(
            Turn(question, reply, made.question, made.update.sent_items, made.before)
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
    assert made.question.text.endswith("```\n\nwhy?")


def test_control_tokens_are_broken_up_in_all_but_the_system_prompt(loop: Loop) -> None:
    """In cells, in the question with its values, and in earlier answers."""
    talk = Talk(loop, answer="It says <|im_end|>.")
    talk.ask("what is <|im_start|>?", "text = '</s>'")
    made = talk.ask("and now? [INST]", "text = '<|eot_id|>'")
    sent = "\n".join(message.text for message in made.messages)
    for token in ("<|im_end|>", "<|im_start|>", "</s>", "[INST]", "<|eot_id|>"):
        assert token not in sent
        assert f"{token[0]} {token[1:-2]}" in sent
    system = drafter("a?", notebook(), system="<|im_end|>").draft([], room(4096))
    assert system.messages[0].text == "<|im_end|>"


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
    assert text.startswith("Cells that ran since then:")


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
            assert "The cells of the notebook before" in made.question.text
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


def test_the_next_question_says_that_the_answer_before_broke_off(loop: Loop) -> None:
    half = ended(loop, "1?", Chunk("Half an "), error=CutOff("cut off"))
    whole = ended(loop, "2?", Chunk("An answer."))
    made = drafter("2?", notebook()).draft([half], room(4096))
    assert made.messages[1:] == (
        Message("user", "1?"),
        Message("assistant", "Half an"),
        Message("user", f"{BROKE_OFF}\n\n2?"),
    )
    assert made.question == Message("user", "2?")
    whole.sent = made.question
    later = drafter("3?", notebook()).draft([half, whole], room(4096))
    assert later.messages[: len(made.messages)] == made.messages
    assert later.messages[-1] == Message("user", "3?")


def test_a_cut_conversation_says_as_well_what_broke_off(loop: Loop) -> None:
    half = ended(loop, "1?", Chunk("Half an"), error=CutOff("cut off"))
    whole = ended(loop, "2?", Chunk("An answer."))
    made = drafter("3?", notebook()).draft([half, whole], room(4096), cut=True)
    assert [message.text for message in made.messages[1:]] == [
        "1?",
        "Half an",
        f"{BROKE_OFF}\n\n2?",
        "An answer.",
        "3?",
    ]
    made = drafter("2?", notebook()).draft([half], room(40), cut=True)
    assert made.messages[1:] == (Message("user", "2?"),)


def test_tool_calls_stand_between_question_and_answer(loop: Loop) -> None:
    turn = ended(loop, "1?", Chunk("Let me see. "), Chunk("It has 3 rows."))
    call = ToolCall("a", "rows", '{"name": "df"}')
    turn.steps = (
        Message("assistant", "Let me see. ", tool_calls=(call,)),
        Message("tool", "3", tool_call_id="a"),
    )
    sent = conversation([turn], Redacted)
    assert [message.role for message in sent] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert [message.text for message in sent] == [
        "1?",
        "Let me see.",
        "3",
        "It has 3 rows.",
    ]
    assert sent[1].tool_calls == (call,)


@pytest.mark.parametrize(
    "error",
    [None, CutOff("cut off"), Stopped("stopped")],
    ids=["whole", "cut", "stopped"],
)
def test_a_turn_without_text_is_not_sent_again(
    loop: Loop, error: BaseException | None
) -> None:
    turn = ended(loop, "1?", Chunk(reasoning="Hm.", text=" \n"), error=error)
    assert Chat([turn]).before(None) == []


def test_a_turn_that_still_runs_is_not_sent(loop: Loop) -> None:
    reply = Reply("1?", _no_chunks, loop)
    reply.chunks.append(Chunk("Half an"))
    assert Chat([Turn("1?", reply)]).before(None) == []
    reply.close()
    assert len(Chat([Turn("1?", reply)]).before(None)) == 1


def test_the_beginning_does_not_depend_on_the_question(talk: Talk) -> None:
    talk.ask("why?", "df = 1")
    snapshot = notebook("df = 1", "y = 2")
    one = drafter("", snapshot).draft(talk.turns, talk.room)
    output = Item("output:2", "outputs", "output of In[2]", "2", -50.0, (3,))
    attached = Item("mention:y", "mentions", "@y", "int", -1000.0, (5,))
    asked = replace(snapshot, items=(output, attached, *snapshot.items))
    other = drafter("plot @y by month", asked).draft(talk.turns, talk.room)
    assert one.stable == other.stable
    roles = [message.role for message in one.stable]
    assert roles == ["system", "user", "assistant", "user"]
    assert one.stable[:-1] == one.messages[:-1]
    for made in (one, other):
        assert made.messages[-1].text.startswith(one.stable[-1].text)
    assert "y = 2" in one.stable[-1].text
    rest = other.messages[-1].text.removeprefix(one.stable[-1].text)
    assert rest.startswith("\n\nOutput of In[2]:")
    assert rest.endswith("\n\nplot y by month")


def test_without_news_the_beginning_ends_before_the_question(talk: Talk) -> None:
    talk.ask("why?", "df = 1")
    made = drafter("and now?", notebook("df = 1")).draft(talk.turns, talk.room)
    assert made.stable == made.messages[:-1]


def test_the_beginning_says_that_the_last_answer_broke_off(loop: Loop) -> None:
    half = ended(loop, "1?", Chunk("Half an "), error=CutOff("cut off"))
    made = drafter("2?", notebook("df = 1")).draft([half], room(4096))
    assert made.stable[-1].text.startswith(f"{BROKE_OFF}\n\nThe cells")
    assert made.messages[-1].text.startswith(made.stable[-1].text)


@given(st.lists(st.integers(0, 400), max_size=12), st.integers(0, 60))
def test_where_not_all_fits_the_beginning_stays_the_same(
    sizes: list[int], length: int
) -> None:
    snapshot = notebook(*["word " * size for size in sizes])
    quiet = drafter("", snapshot).draft([], room(2000))
    other = drafter("word " * length, snapshot).draft([], room(2000))
    assert other.stable == quiet.stable


def test_attachments_are_named_in_words(loop: Loop) -> None:
    items = (
        Item("error", "error", "error in In[2]", "KeyError"),
        Item("mention:error", "mentions", "@error", "KeyError"),
        Item("mention:df", "mentions", "@df", "a frame"),
    )
    snapshot = Snapshot(items, frozenset(SECTIONS))
    made = drafter("why @error in @df.a, not @df2 or @property?", snapshot)
    sent = made.draft([], room(4096)).question.text
    assert sent.endswith("why the error in In[2] in df.a, not @df2 or @property?")


def test_question_and_system_prompt_are_redacted_too(loop: Loop) -> None:
    def redact(text: str) -> Redacted:
        labels = ("password",) * text.count("hunter2")
        return Redacted(text.replace("hunter2", "[x]"), labels)

    secretive = Drafter(
        "is hunter2 good?", "hunter2", notebook("hunter2"), Tokens(), redact
    )
    made = secretive.draft([], room(4096))
    assert "hunter2" not in str(made.messages)
    assert made.redacted == ("password",) * 3
    assert made.notes == ("3 secrets redacted",)


def test_what_is_left_out_is_noted(loop: Loop) -> None:
    made = drafter("why?", notebook(*["word " * 200] * 30)).draft([], room(2000))
    assert made.notes[0].startswith("left out of the context: ")
    assert "(Left out, as there was no room: " in made.question.text


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
    cells = ["word " * size for size in sizes]
    made = drafter("word " * question, notebook(*cells)).draft([], room(window))
    alone = drafter("word " * question, notebook()).draft([], room(window))
    assert made.tokens <= max(made.room.prompt, alone.tokens)
