"""What pages have of each answer and command, and what is new of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import ProviderError, Remedy, Stopped
from codebuddy_jupyter.messages import Chunk, Looked
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.widgets.transcript import AnswerEntry, CommandOutput
from tests.support.attacks import ATTACKS, attack
from tests.support.fakes import FakeProvider, Step
from tests.support.watched import Watched, slow


@pytest.fixture
def chat(buddy: Buddy) -> Iterator[Watched]:
    """A conversation on a Buddy whose providers are fakes."""
    chat = Watched(buddy)
    yield chat
    chat.close()


@pytest.mark.parametrize(
    "reply", [[ProviderError("gone")], [Chunk(reasoning="Hm.", finish="stop")]]
)
def test_an_answer_without_text_has_nothing_to_copy(
    chat: Watched, fake: FakeProvider, reply: list[Step]
) -> None:
    fake.replies = [reply]
    chat.ask("hello")
    assert chat.answered()
    assert chat.told("answer")[-1]["has_text"] is False


def test_a_failure_is_one_line_below_what_came(
    chat: Watched, fake: FakeProvider
) -> None:
    remedy = Remedy("Start it again", "%buddy /load")
    fake.replies = [["Half", ProviderError("The server is gone.", remedy)]]
    chat.ask("hello")
    assert chat.answered()
    last = chat.told("answer")[-1]
    assert last["has_text"]
    assert last["error"] == {
        "line": "The server is gone. Start it again: %buddy /load",
        "what": "The server is gone.",
        "remedies": [{"text": "Start it again", "command": "%buddy /load"}],
    }
    assert chat.blocks(1) == ["Half"]


def test_thoughts_are_told_apart_and_once(chat: Watched, fake: FakeProvider) -> None:
    fake.replies = [[Chunk(reasoning="Let me <b>think</b>."), 0.1, "So be it."]]
    chat.ask("hello")
    assert chat.answered()
    assert [m["thoughts"] for m in chat.told("answer") if "thoughts" in m] == [
        "Let me <b>think</b>."
    ]
    assert chat.blocks(1) == ["So be it."]


def test_an_answer_in_another_format_is_one_block(
    chat: Watched, buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [slow('{"a": 1}\n\n{"b": 2}')]
    buddy.ask("as json", Options(format="json")).result()
    assert chat.answered()
    assert chat.blocks(1) == ['```json\n{"a": 1}\n\n{"b": 2}\n```\n']


def test_an_answer_without_text_says_so(chat: Watched, fake: FakeProvider) -> None:
    fake.replies = [[Chunk(finish="stop")]]
    chat.ask("hello")
    assert chat.answered()
    assert "gave no text" in chat.blocks(1)[0].replace("&#46;", ".")


def test_what_a_model_writes_is_made_harmless(
    chat: Watched, fake: FakeProvider
) -> None:
    text = "\n\n".join(attack(name, "run()", "http://127.0.0.1/x") for name in ATTACKS)
    fake.replies = [slow(text, 200)]
    chat.ask("hello")
    assert chat.answered()
    told = [*chat.blocks(1), *(message["tail"] for message in chat.told("answer"))]
    assert not [
        text
        for text in told
        if "<img src=x onerror" in text and "`" not in text and "$" not in text
    ]


def test_an_old_answer_has_no_changes_due_and_is_drawn_when_it_is_requested(
    buddy: Buddy,
) -> None:
    entry = AnswerEntry(7, buddy.ask("hello").result())
    assert entry.due == math.inf
    assert entry.head() == {"turn": 7, "question": "hello"}
    full = entry.full()
    assert (full["from"], full["blocks"], full["done"]) == (0, ["An answer."], True)
    assert entry.full() == full
    assert entry.changes() is None


def test_blocks_are_reported_once_and_counted_on(buddy: Buddy) -> None:
    entry = AnswerEntry(1, buddy.ask("hello").result(), "what was typed")
    assert entry.question == "what was typed"
    first = entry.changes()
    assert first is not None
    assert (first["from"], first["blocks"]) == (0, ["An answer."])
    assert entry.due == math.inf
    assert entry.changes() is None


def test_a_command_reports_its_progress_until_it_ends() -> None:
    output = CommandOutput(3, "/pull llama3")
    assert output.head() == {"turn": 3, "question": "/pull llama3", "command": True}
    output.progress("part_1", 1, 4)
    changes = output.changes()
    assert changes is not None
    assert "part" in changes["tail"]
    assert "25" in changes["tail"]
    assert output.due < math.inf
    assert output.changes() is None
    output.end("Done.")
    output.progress("part_1", 2, 4)
    assert output.full()["tail"] == ""
    assert output.full()["blocks"] == ["Done."]
    output.changes()
    assert output.due == math.inf


def test_a_progress_without_a_known_total_has_no_share() -> None:
    output = CommandOutput(1, "/pull llama3")
    output.progress("loading", 5, 0)
    assert output.full()["tail"] == "loading"


def test_only_the_first_end_of_a_command_counts() -> None:
    output = CommandOutput(1, "/models")
    output.end(error=ProviderError("The server is gone."))
    output.end("Too late.")
    output.close()
    full = output.full()
    assert (full["blocks"], full["error"]["what"]) == ([], "The server is gone.")
    assert output.stop.cancelled()


def test_a_command_that_the_user_stopped_has_a_line_and_no_error() -> None:
    output = CommandOutput(1, "/models")
    output.end(error=Stopped("stopped"))
    assert (output.full()["line"], output.full()["error"]) == ("stopped", None)


def test_looks_are_told_once_and_again_to_a_new_page(
    chat: Watched, fake: FakeProvider
) -> None:
    looked = Looked("orders", "8 columns", "orders: <b>8</b> columns")
    other = Looked("error", "there is none", "There is no error.")
    fake.replies = [[Chunk(looked=(looked,)), 0.1, Chunk(looked=(other,)), "Yes."]]
    chat.ask("hello")
    assert chat.answered()
    told = [message["looks"] for message in chat.told("answer") if "looks" in message]
    assert told[-1] == [
        {"line": "looked at orders: 8 columns", "text": "orders: <b>8</b> columns"},
        {"line": "looked at error: there is none", "text": "There is no error."},
    ]
    assert len(told) <= 2
    assert "looked at" not in chat.told("answer")[-1]["line"]


def test_looks_are_told_again_for_a_turn_that_begins_anew(
    chat: Watched, fake: FakeProvider
) -> None:
    looked = Looked("orders", "8 columns", "orders: 8 columns")
    begins = Chunk(answer_begins=True)
    fake.replies = [[Chunk(looked=(looked,)), 0.2, "Hm.\n\nSo.", 0.5, begins, "Yes."]]
    chat.ask("hello")
    assert chat.answered()
    gone = chat.sent.index({"type": "gone", "turns": [1]})
    assert any("looks" in message for message in chat.sent[gone:])
