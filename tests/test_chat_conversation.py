"""A conversation: its turns, and which of them are sent again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.chat.conversation import Chat, Place, Turn, titled
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.errors import CutOff, PromptTooLong
from codebuddy_jupyter.messages import Chunk, Message


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    """A background loop."""
    loop = Loop()
    yield loop
    loop.stop()


def ended(loop: Loop, text: str, error: BaseException | None = None) -> Reply:
    """Return a reply that has ended."""
    reply = Reply.ended_with("why?", Chunk(text), loop, complete=True)
    reply.error = error
    return reply


def test_a_chat_knows_what_came_before_a_reply(loop: Loop) -> None:
    replies = [ended(loop, str(number)) for number in range(3)]
    chat = Chat([Turn(f"{number}?", reply) for number, reply in enumerate(replies)])
    assert [turn.question for turn in chat.before(replies[2])] == ["0?", "1?"]
    assert len(chat.before(ended(loop, "new"))) == 3


def test_a_turn_that_did_not_fit_is_not_sent_again(loop: Loop) -> None:
    errors = [None, CutOff("cut off"), PromptTooLong("too long")]
    chat = Chat([Turn("1?", ended(loop, "Half", error)) for error in errors])
    assert [turn.reply.error for turn in chat.before(None)] == errors[:2]


def test_a_turn_as_typed_has_nothing_of_the_notebook(loop: Loop) -> None:
    turn = Turn("1?", ended(loop, "An answer."))
    turn.sent = Message("user", "<notebook/>\n\n1?")
    answer = Message("assistant", "An answer.")
    assert turn.messages == (turn.sent, answer)
    assert turn.messages_as_typed == (Message("user", "1?"), answer)


@pytest.mark.parametrize(
    ("question", "title"),
    [
        pytest.param("", "", id="empty"),
        pytest.param(" why\n is  df\tempty? ", "why is df empty?", id="one line"),
        pytest.param("x" * 60, "x" * 60, id="as long as a title may be"),
        pytest.param("x" * 61, "x" * 59 + "…", id="too long"),
        pytest.param("x" * 58 + " yz", "x" * 58 + "…", id="no blank at its end"),
    ],
)
def test_a_title_is_the_start_of_the_question_in_one_line(
    question: str, title: str
) -> None:
    assert titled(question) == title


def test_a_cell_that_ran_again_counts_once_and_later_ones_not_at_all(
    loop: Loop,
) -> None:
    a, b = Place("a", 1), Place("b", 1)
    turns = [
        Turn("A?", ended(loop, "first"), place=a),
        Turn("panel?", ended(loop, "shown")),
        Turn("B?", ended(loop, "second"), place=b),
        Turn("failed?", ended(loop, "", CutOff("gone")), place=Place("d", 1)),
        Turn("A?", ended(loop, "third"), place=a),
    ]

    def answers(place: Place | None) -> list[str]:
        asking = Turn("?", ended(loop, ""), place=place)
        chat = Chat([*turns, asking])
        return [turn.reply.text for turn in chat.before_in_cells(asking)]

    assert answers(a) == []
    assert answers(b) == ["third"]
    assert answers(Place("c", 1)) == ["third", "second"]
    assert answers(Place("a", 2)) == ["third", "second"]
