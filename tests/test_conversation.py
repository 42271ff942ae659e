"""The conversation without any widget: what it sends to the pages that show it, and what
it does when they request something.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands import COMMANDS
from codebuddy_jupyter.errors import ProviderError
from codebuddy_jupyter.messages import Chunk, Model
from codebuddy_jupyter.widgets.conversation import TURNS_IN_FULL
from tests.support.fakes import (
    FOREVER,
    FakeProvider,
    buddy_with_fakes,
    eventually,
    texts,
)
from tests.support.watched import (
    NotebookSession,
    Watched,
    panel_threads,
    slow,
    titles,
)

MARKDOWN = "# Why\n\nBecause of **this**:\n\n```python\nx = 1\n```\n\nAnd that."


@pytest.fixture
def chat(buddy: Buddy) -> Iterator[Watched]:
    """A chat on a Buddy whose providers are fakes."""
    chat = Watched(buddy, {"df": "a frame", "day": 1})
    yield chat
    chat.close()


@pytest.fixture
def kept(buddy: Buddy, tmp_path: Path) -> Buddy:
    """A Buddy whose conversations are kept, as they are of a notebook."""
    buddy.collector.session = NotebookSession(tmp_path / "a.ipynb", {"df": "a frame"})
    return buddy


def test_a_question_is_taken_shown_and_answered_block_by_block(
    chat: Watched, fake: FakeProvider
) -> None:
    fake.replies = [slow(MARKDOWN)]
    chat.ask("why?")
    assert chat.answered()
    assert chat.sent[0] == {"type": "taken", "ask": "page:0"}
    assert chat.sent[1] == {
        "type": "turn",
        "ask": "page:0",
        "turn": 1,
        "question": "why?",
    }
    assert "".join(chat.blocks(1)) == MARKDOWN
    assert len(chat.blocks(1)) == 4
    assert any(message["tail"] for message in chat.told("answer"))
    last = chat.told("answer")[-1]
    assert (last["tail"], last["error"]) == ("", None)
    assert last["line"].split(" · ")[0] == "fake-1"


def test_values_are_put_into_the_question_and_what_was_typed_is_shown(
    chat: Watched, fake: FakeProvider
) -> None:
    chat.ask("what is {df}?")
    assert chat.answered()
    assert texts(fake.requests[-1])[-1] == ("user", "what is a frame?")
    assert chat.told("turn")[-1]["question"] == "what is {df}?"


def test_a_page_that_comes_later_gets_everything(
    chat: Watched, fake: FakeProvider
) -> None:
    fake.replies = [[MARKDOWN], ["Half of ", FOREVER]]
    chat.ask("one")
    assert chat.answered()
    chat.ask("two")
    assert eventually(
        lambda: any("Half" in message["tail"] for message in chat.told("answer"))
    )
    chat.page("ready", view="late")
    assert eventually(lambda: chat.told("all"))
    (told,) = chat.told("all")
    assert told["view"] == "late"
    first, second = told["turns"]
    assert (first["question"], "".join(first["blocks"]), first["done"]) == (
        "one",
        MARKDOWN,
        True,
    )
    assert (second["question"], second["blocks"], second["tail"]) == (
        "two",
        [],
        "Half of ",
    )
    assert "done" not in second


def test_what_a_cell_asks_is_shown_too(chat: Watched, buddy: Buddy) -> None:
    buddy.ask("from a cell").result()
    assert eventually(lambda: chat.told("turn"))
    assert chat.told("turn")[0]["question"] == "from a cell"


def test_a_conversation_that_was_there_before_is_told_when_it_comes_into_view(
    buddy: Buddy,
) -> None:
    for number in range(TURNS_IN_FULL + 5):
        buddy.ask(f"question {number}").result()
    chat = Watched(buddy)
    chat.page("ready", view="v")
    assert eventually(lambda: chat.told("all"))
    turns = chat.told("all")[0]["turns"]
    assert [("blocks" in turn) for turn in turns] == [False] * 5 + [
        True
    ] * TURNS_IN_FULL
    assert turns[-1]["blocks"] == ["An answer."]
    before = len(chat.told("turn"))
    chat.page("want", turn=turns[0]["turn"])
    assert eventually(lambda: len(chat.told("turn")) > before)
    assert chat.told("turn")[-1]["blocks"] == ["An answer."]
    chat.close()


def test_stop_ends_what_comes_and_keeps_what_came(
    chat: Watched, fake: FakeProvider
) -> None:
    fake.replies = [["Once upon ", FOREVER]]
    chat.ask("a story")
    assert eventually(
        lambda: any("Once" in message["tail"] for message in chat.told("answer"))
    )
    chat.page("stop")
    assert chat.answered()
    assert fake.ended.wait(5)
    assert chat.blocks(1) == ["Once upon "]
    assert "stopped before its end" in chat.told("answer")[-1]["line"]


@pytest.mark.parametrize("how", ["stop", "reset"])
def test_a_question_that_is_being_prepared_is_stopped_as_well(
    chat: Watched, buddy: Buddy, fake: FakeProvider, how: str
) -> None:
    prepares, goes_on = threading.Event(), threading.Event()
    prepare = buddy.ask

    def slowly(*args: Any) -> Any:
        prepares.set()
        goes_on.wait(20)
        return prepare(*args)

    buddy.ask = slowly  # type: ignore[method-assign, assignment]
    chat.ask("why?")
    assert prepares.wait(20)
    chat.page(how)
    goes_on.set()
    assert eventually(lambda: chat.told("refused"))
    assert chat.told("refused")[0]["error"]["line"].startswith("It was stopped before")
    assert fake.requests == []
    buddy.ask = prepare  # type: ignore[method-assign]
    chat.ask("and now?")
    assert chat.answered()


def test_stop_ends_a_command_and_what_it_awaits_and_the_next_runs(
    chat: Watched, fake: FakeProvider
) -> None:
    asked, given_up = threading.Event(), threading.Event()

    async def pull(model: str, progress: Callable[[str, int, int], None]) -> str:
        progress("fetching", 1, 2)
        asked.set()
        try:
            await asyncio.sleep(FOREVER)
        finally:
            progress("fetching", 2, 2)
            given_up.set()
        return model

    fake.pull = pull  # type: ignore[method-assign]
    chat.ask("/pull llama3")
    assert asked.wait(5)
    chat.page("stop")
    assert chat.answered()
    assert given_up.wait(5)
    last = chat.told("answer")[-1]
    assert (last["line"], last["error"], last["blocks"], last["tail"]) == (
        "stopped",
        None,
        [],
        "",
    )
    assert eventually(lambda: not panel_threads())
    chat.ask("/version")
    assert chat.answered(2)
    assert "codebuddy" in chat.blocks(2)[0]


def test_a_command_that_was_stopped_changes_nothing_any_more(
    chat: Watched, buddy: Buddy, fake: FakeProvider
) -> None:
    resolving, stopped = threading.Event(), threading.Event()

    async def models() -> list[Model]:
        resolving.set()
        await asyncio.to_thread(stopped.wait, 5)
        return [Model("qwen/qwen-1")]

    fake.models = models  # type: ignore[method-assign]
    chat.ask("/use qwen/qwen-1")
    assert resolving.wait(5)
    chat.page("stop")
    stopped.set()
    assert eventually(lambda: not panel_threads())
    assert (fake.prepared, buddy.provider, fake.model) == ([], "Local", "fake-1")


def test_retry_takes_the_place_of_the_last_turn(
    chat: Watched, buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [["first"], ["second"]]
    chat.ask("hello")
    assert chat.answered()
    chat.ask("hello, again", replaces=1)
    assert chat.answered(2)
    assert [turn.question for turn in buddy.chat.turns] == ["hello, again"]
    assert chat.told("gone")[0]["turns"] == [1]
    assert texts(fake.requests[-1])[1:] == [("user", "hello, again")]


def test_a_new_conversation_clears_every_view(chat: Watched, buddy: Buddy) -> None:
    other = Watched(buddy)
    chat.ask("/version")
    chat.ask("hello")
    assert chat.answered(2)
    assert eventually(lambda: other.told("turn"))
    chat.page("reset")
    assert eventually(lambda: chat.told("gone") and other.told("gone"))
    assert sorted(
        number for message in chat.told("gone") for number in message["turns"]
    ) == [1, 2]
    assert buddy.chat.turns == []
    other.close()


def test_conversations_that_are_kept_can_be_chosen(kept: Buddy) -> None:
    chat, other = Watched(kept), Watched(kept)
    chat.ask("the first")
    assert chat.answered()
    chat.page("reset")
    chat.ask("the second")
    assert chat.answered(2)
    assert eventually(
        lambda: titles(chat) == titles(other) == ["the second", "the first"]
    )
    chosen = next(
        one["number"]
        for one in chat.told("chats")[-1]["chats"]
        if one["title"] == "the first"
    )
    chat.page("switch", number=chosen)
    assert eventually(lambda: other.told("chats")[-1]["current"] == chosen)
    assert eventually(
        lambda: (
            chat.told("turn")[-1]["question"]
            == other.told("turn")[-1]["question"]
            == "the first"
        )
    )
    assert kept.chat.title == "the first"
    chat.page("delete", number=chosen)
    assert eventually(lambda: titles(chat) == ["the second"])
    assert eventually(
        lambda: (kept.chat.turns, chat.told("chats")[-1]["current"]) == ([], None)
    )
    chat.page("switch", number=99)
    assert eventually(lambda: chat.told("noted"))
    assert "no conversation 99" in chat.told("noted")[-1]["text"]["what"]
    chat.close()
    other.close()


def test_another_kernel_of_the_notebook_shows_what_was_kept(
    kept: Buddy, tmp_path: Path
) -> None:
    kept.ask("before the restart").result()
    kept.close()
    again = buddy_with_fakes(tmp_path / "codebuddy.json")
    again.collector.session = kept.collector.session
    chat = Watched(again)
    chat.page("ready", view="v")
    assert eventually(lambda: chat.told("all") and chat.told("chats"))
    (turn,) = chat.told("all")[0]["turns"]
    assert (turn["question"], turn["blocks"], turn["done"]) == (
        "before the restart",
        ["An answer."],
        True,
    )
    assert titles(chat) == ["before the restart"]
    chat.close()
    again.close()


def test_what_was_taken_back_is_not_kept_either(
    kept: Buddy, fake: FakeProvider
) -> None:
    chat = Watched(kept)
    chat.ask("hello")
    assert chat.answered()
    chat.ask("hello, again", replaces=1)
    assert chat.answered(2)
    assert eventually(lambda: titles(chat) == ["hello, again"])
    assert [one.turns for one in kept.history.listed()] == [1]
    chat.close()


def test_an_earlier_question_that_is_edited_begins_a_branch(
    kept: Buddy, fake: FakeProvider
) -> None:
    kept.change({"context": "none"})
    chat = Watched(kept)
    for number, text in enumerate(("the first", "the second", "the third"), 1):
        chat.ask(text)
        assert chat.answered(number)
    chat.ask("another second", replaces=2)
    assert chat.answered(4)
    assert texts(fake.requests[-1])[1:] == [
        ("user", "the first"),
        ("assistant", "An answer."),
        ("user", "another second"),
    ]
    assert [message["turns"] for message in chat.told("gone")] == [[2, 3]]
    # The earlier conversation is still in the list, and complete.
    assert eventually(lambda: titles(chat) == ["another second", "the first"])
    assert [one.turns for one in kept.history.listed()] == [2, 3]
    chat.page("switch", number=1)
    assert eventually(lambda: len(kept.chat.turns) == 3)
    chat.close()


def test_where_nothing_is_kept_an_edited_question_is_asked_as_a_new_one(
    chat: Watched, buddy: Buddy
) -> None:
    for number, text in enumerate(("the first", "the second"), 1):
        chat.ask(text)
        assert chat.answered(number)
    chat.ask("another first", replaces=1)
    assert chat.answered(3)
    assert [turn.question for turn in buddy.chat.turns] == [
        "the first",
        "the second",
        "another first",
    ]
    assert "not kept" in chat.told("noted")[-1]["text"]


def test_a_conversation_is_named_and_found_by_what_was_said(kept: Buddy) -> None:
    chat = Watched(kept)
    chat.ask("why is it empty?")
    assert chat.answered()
    assert eventually(lambda: titles(chat) == ["why is it empty?"])
    chat.page("rename", number=1, name="  The   merge ")
    assert eventually(lambda: titles(chat) == ["The merge"])
    for text, numbers in (("IS IT", [1]), ("An answer", [1]), ("100%", []), ("_", [])):
        chat.page("search", text=text)
        found = {"type": "found", "text": text, "numbers": numbers}
        assert eventually(partial(chat.sent.__contains__, found))
    chat.page("rename", number=1, name="")
    assert eventually(lambda: titles(chat) == ["why is it empty?"])
    chat.page("rename", number=9, name="x")
    assert eventually(lambda: chat.told("noted"))
    assert "no conversation 9" in chat.told("noted")[-1]["text"]["what"]
    chat.close()


def test_where_nothing_is_kept_a_search_says_so(chat: Watched) -> None:
    chat.page("search", text="x")
    assert eventually(lambda: chat.told("noted"))
    assert "only kept for notebooks" in chat.told("noted")[-1]["text"]["what"]


def test_the_page_knows_which_code_can_become_a_cell(chat: Watched) -> None:
    chat.page("ready", view="v")
    assert eventually(lambda: chat.told("all"))
    languages = chat.told("all")[0]["languages"]
    # The shell of this test has no magics.
    assert languages["python"] == ""
    assert "bash" not in languages


def test_the_page_knows_the_cell_that_a_question_is_about(kept: Buddy) -> None:
    chat = Watched(kept)
    session = kept.collector.session
    assert session is not None
    chat.ask("why?")
    assert chat.answered()
    assert "about" not in chat.told("turn")[-1]
    kept.ask("what is in `x`, see @In[1]?").start()
    # An answer that has ended by then is sent when the page asks for it.
    assert eventually(lambda: len(chat.told("turn")) == 2)
    assert chat.told("turn")[-1]["about"] == 1
    chat.close()


def test_where_nothing_is_kept_there_is_nothing_to_choose(kept: Buddy) -> None:
    chat = Watched(kept)
    chat.ask("hello")
    assert chat.answered()
    assert eventually(lambda: titles(chat) == ["hello"])
    kept.change({"keep_chats": False})
    assert eventually(lambda: titles(chat) == [])
    chat.close()


@pytest.mark.parametrize("text", ["", "  "], ids=["empty", "blank"])
def test_an_empty_question_is_refused_with_a_reason(chat: Watched, text: str) -> None:
    chat.ask(text)
    assert eventually(lambda: chat.told("refused"))
    assert "nothing to ask" in chat.told("refused")[0]["error"]["line"]


def test_what_is_mentioned_is_attached_and_what_is_not_there_is_told(
    kept: Buddy, fake: FakeProvider
) -> None:
    chat = Watched(kept, {"df": "a frame"})
    chat.ask("what is in @df?")
    assert chat.answered()
    assert "a frame" in texts(fake.requests[-1])[-1][1]
    chat.ask("what is in @dg?")
    assert eventually(lambda: chat.told("refused"))
    assert "dg" in chat.told("refused")[0]["error"]["line"]
    assert len(kept.chat.turns) == 1
    chat.close()


def test_a_task_asks_the_model(chat: Watched, buddy: Buddy, fake: FakeProvider) -> None:
    chat.ask("/explain\nx = 1")
    assert chat.answered()
    assert "x = 1" in texts(fake.requests[-1])[-1][1]
    assert chat.told("turn")[0]["question"] == "/explain\nx = 1"
    assert len(buddy.chat.turns) == 1
    chat.ask("/fix")
    assert eventually(lambda: chat.told("refused"))
    assert "no code to fix" in chat.told("refused")[0]["error"]["line"]


def test_a_value_that_cannot_be_written_is_told(buddy: Buddy) -> None:
    class Odd:
        def __str__(self) -> str:
            raise ZeroDivisionError("no")

    chat = Watched(buddy, {"odd": Odd()})
    chat.ask("look at {odd}")
    assert eventually(lambda: chat.told("refused"))
    assert (
        chat.told("refused")[0]["error"]["line"]
        == "{odd} cannot be filled: its str() raised ZeroDivisionError: no"
    )
    chat.close()


def test_a_command_is_answered_and_is_no_part_of_the_conversation(
    chat: Watched, buddy: Buddy
) -> None:
    chat.ask("/version")
    assert chat.answered()
    assert chat.told("turn")[0]["command"]
    assert "codebuddy" in chat.blocks(1)[0]
    assert buddy.chat.turns == []


def test_a_command_that_fails_says_why(chat: Watched, fake: FakeProvider) -> None:
    fake.offers = ProviderError("The server is gone.")
    chat.ask("/models")
    assert chat.answered()
    assert chat.told("answer")[-1]["error"]["what"] == "The server is gone."


def test_an_unknown_command_is_answered_with_the_nearest(chat: Watched) -> None:
    def errors() -> list[str]:
        found = [message.get("error") for message in chat.sent]
        return [error["line"] for error in found if error]

    chat.ask("/versoin")
    assert eventually(errors)
    assert "/version" in errors()[0]


def test_commands_and_names_are_completed(chat: Watched) -> None:
    chat.page("complete", text="/mo")
    chat.page("complete", text="@d")
    assert eventually(lambda: len(chat.told("completions")) == 2)
    assert [message["offers"] for message in chat.told("completions")] == [
        [{"name": "/models", "about": COMMANDS["models"].description}],
        [{"name": "@df", "about": "str"}, {"name": "@day", "about": "int"}],
    ]
    assert [message["word"] for message in chat.told("completions")] == ["/mo", "@d"]
    chat.page("complete", text="see @In")
    assert eventually(lambda: len(chat.told("completions")) == 3)
    assert (
        chat.told("completions")[-1]["word"],
        chat.told("completions")[-1]["offers"],
    ) == ("@In", [{"name": "@In[1]", "about": "df"}])


def test_code_is_put_below_the_next_cell_where_the_notebook_is_out_of_reach(
    chat: Watched,
) -> None:
    chat.page("insert", code="x = 1")
    assert chat.inserted == ["x = 1"]
    assert "below the next cell that you run" in chat.told("noted")[0]["text"]


def test_what_code_changes_of_a_cell_is_told_line_by_line(chat: Watched) -> None:
    chat.page("diff", id="d", old="a\nb\nc", new="a\nB\nc")
    assert eventually(lambda: chat.told("diff"))
    assert chat.told("diff")[0]["rows"] == [
        (" ", "a"),
        ("-", "b"),
        ("+", "B"),
        (" ", "c"),
    ]


@pytest.mark.parametrize(
    "content",
    [{"type": "msg", "anything": 1}, {"type": ["ask"]}, {}, [], None, "ask"],
    ids=repr,
)
def test_a_message_of_an_unknown_type_is_ignored(
    chat: Watched, content: object
) -> None:
    chat.receive(content)
    assert chat.sent == []


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ({"type": "ask", "text": "hello"}, "ask: ask"),
        ({"type": "ask", "ask": 1, "text": "hello"}, "ask: ask"),
        ({"type": "ask", "ask": "a", "text": "hi", "cells": [{}]}, "ask: cells"),
        ({"type": "switch", "number": True}, "switch: number"),
        ({"type": "diff", "id": "d", "old": None}, "diff: old, new"),
        ({"type": "sections", "sections": ["cells", 1]}, "sections: sections"),
    ],
    ids=repr,
)
def test_a_message_with_wrong_fields_is_answered_with_a_line(
    chat: Watched, content: object, wrong: str
) -> None:
    chat.receive(content)
    (noted,) = chat.sent
    assert noted["type"] == "noted"
    assert f"({wrong})" in noted["text"]


def test_close_may_be_called_twice_and_ends_all_messages(
    buddy: Buddy, fake: FakeProvider
) -> None:
    chat = Watched(buddy)
    chat.close()
    chat.close()
    chat.page("ready", view="v")
    buddy.ask("hello").result()
    chat.note_end()
    assert chat.sent == []
    assert buddy.watchers == []


def test_it_needs_no_widgets() -> None:
    code = (
        "import sys, codebuddy_jupyter.widgets.conversation; "
        "print({'anywidget', 'ipywidgets'} & set(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == "set()"


def test_two_chats_show_the_same(
    chat: Watched, buddy: Buddy, fake: FakeProvider
) -> None:
    other = Watched(buddy)
    fake.replies = [slow(MARKDOWN)]
    chat.ask("why?")
    assert chat.answered()
    assert other.answered()
    assert chat.blocks(1) == other.blocks(1)
    other.close()


def test_closing_stops_what_was_asked_here_and_nothing_else(
    buddy: Buddy, fake: FakeProvider
) -> None:
    chat = Watched(buddy)
    fake.replies = [["own", FOREVER], ["cell's", 0.5, " end"]]
    chat.ask("hello")
    assert eventually(lambda: buddy.chat.turns and buddy.chat.turns[0].reply.text)
    of_cell = buddy.ask("from a cell").start()
    assert eventually(lambda: of_cell.text)
    begun, given_up = threading.Event(), threading.Event()

    async def models() -> list[Model]:
        begun.set()
        try:
            await asyncio.sleep(FOREVER)
        finally:
            given_up.set()
        return []

    fake.models = models  # type: ignore[method-assign]
    chat.ask("/models")
    assert begun.wait(5)
    assert len(panel_threads()) == 2
    chat.close()
    assert given_up.wait(5)
    assert buddy.chat.turns[0].reply.done
    assert str(of_cell) == "cell's end"
    assert buddy.watchers == []
    assert eventually(lambda: not panel_threads())


def test_there_is_no_thread_while_nothing_comes(chat: Watched) -> None:
    chat.ask("hello")
    assert chat.answered()
    assert eventually(lambda: not panel_threads())


def test_many_questions_leave_no_thread_and_one_watcher(
    chat: Watched, buddy: Buddy, fake: FakeProvider
) -> None:
    for number in range(1, 101):
        chat.ask("/version" if number % 10 == 0 else "hello")
        assert chat.answered(number)
        if number % 25 == 0:
            chat.page("reset")
    assert eventually(lambda: not panel_threads())
    assert len(buddy.watchers) == 1


def test_an_answer_that_turns_out_to_be_reasoning_is_shown_anew(
    chat: Watched, fake: FakeProvider
) -> None:
    thoughts = "Okay.\n\nSo be it."
    fake.replies = [[thoughts, 0.5, Chunk(answer_begins=True), "The answer."]]
    chat.ask("why?")
    assert chat.answered()
    gone = chat.sent.index({"type": "gone", "turns": [1]})
    assert chat.sent[gone + 1]["type"] == "turn"
    assert chat.sent[gone + 1]["question"] == "why?"
    parts = [message for message in chat.sent[gone:] if message["type"] == "answer"]
    assert parts[0]["from"] == 0
    assert "".join(block for part in parts for block in part["blocks"]) == "The answer."
    assert [part["thoughts"] for part in parts if "thoughts" in part] == [thoughts]


def test_an_open_page_lets_the_model_read_ahead_and_shows_how_much(
    chat: Watched, buddy: Buddy, fake: FakeProvider
) -> None:
    fake.keeps = True
    buddy.quiet.seconds = 0.0
    buddy.system_prompt = "Answer in one word. " * 20
    chat.receive({"type": "ready", "view": "page"})
    assert eventually(lambda: chat.told("ahead") and chat.told("ahead")[-1]["tokens"])
    # It may go on meanwhile, and the page is told a moment later.
    assert eventually(lambda: chat.told("ahead")[-1]["tokens"] == buddy.ahead.tokens)
    chat.close()
    assert buddy.ahead.watchers == []


def test_many_requests_of_agents_are_few_messages(chat: Watched, buddy: Buddy) -> None:
    for number in range(500):
        buddy.served.say(f"line {number}")
    assert eventually(
        lambda: chat.told("served") and chat.told("served")[-1]["line"] == "line 499"
    )
    assert len(chat.told("served")) < 100
