"""An answer that repeats itself is noticed, and no other."""

from __future__ import annotations

import random

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.repetition import (
    CHARACTERS,
    LENGTH,
    LINES_LENGTH,
    SENTENCES_LENGTH,
    TIMES,
    Repetition,
    without_repetition,
)
from codebuddy_jupyter.display.status import status_line
from codebuddy_jupyter.question.options import Options
from tests.support.fakes import fake_of

SENTENCE = "The `left_on` parameter is a tuple of one string, which is a string.\n\n"
TABLE = "".join(f"| {number} | {number * number} | 0 |\n" for number in range(300))
PARAGRAPH = " ".join(f"Sentence {number} says what it says." for number in range(11))
PLANETS = ["Mercury", "Earth", "Venus", "Mars"]
LABELS = "".join(
    f'    "{name}",\n' for name in random.Random(7).choices(PLANETS, k=300)
)
PROGRAM = "".join(f"x{number} = load('file{number}.csv')\n" for number in range(200))


def is_noticed(text: str, piece: int = 4, *, is_typed: bool = False) -> bool:
    repetition = Repetition(is_typed=is_typed)
    starts = range(0, len(text), piece)
    return any(repetition.feed(text[start : start + piece]) for start in starts)


@pytest.mark.parametrize("piece", [1, 4, 1000])
@pytest.mark.parametrize(
    "repeated",
    [SENTENCE, "ha", "0, ", "\n", PARAGRAPH, SENTENCE + "The `right_on` is not.\n\n"],
)
def test_a_text_without_end_is_noticed(repeated: str, piece: int) -> None:
    times = 2 * TIMES + 2 * LENGTH // len(repeated)
    assert is_noticed("It began well. " + repeated * times, piece)


@pytest.mark.parametrize("piece", [1, 4, 1000])
def test_a_few_lines_without_end_in_any_order_are_noticed(piece: int) -> None:
    assert is_noticed(f"planets = [\n{LABELS}", piece)
    assert not is_noticed(LABELS, piece, is_typed=True)
    assert without_repetition(f"planets = [\n{LABELS}") == "planets = [\n" + "".join(
        dict.fromkeys(LABELS.splitlines(keepends=True))
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        LABELS[: LINES_LENGTH - 100],
        SENTENCE * (TIMES - 1),
        TABLE,
        PROGRAM,
        " ".join(f"word {number} of a paragraph" for number in range(300)),
        "-" * (CHARACTERS - 1),
        (SENTENCE * TIMES + "And then something else happened to the table.\n") * 2,
    ],
    ids=[
        "empty",
        "some labels",
        "a few times",
        "table",
        "program",
        "paragraph",
        "line",
        "different ends",
    ],
)
def test_another_text_is_not(text: str) -> None:
    assert not is_noticed(text)


def test_sentences_and_numbers_are_noticed_before_labels_and_records() -> None:
    sentences = SENTENCE * (2 * SENTENCES_LENGTH // len(SENTENCE))
    assert is_noticed(sentences)
    assert is_noticed("It is 2" + "0" * 2 * CHARACTERS, 1)
    assert not is_noticed("rocky, " * (LENGTH // 7))
    assert not is_noticed(sentences, is_typed=True)
    assert is_noticed(SENTENCE * LENGTH, is_typed=True)


def test_an_answer_that_repeats_itself_is_stopped_and_says_so(buddy: Buddy) -> None:
    fake = fake_of(buddy)
    fake.replies = [[SENTENCE] * 1_000]
    reply = buddy.ask("why?", Options()).result()
    assert len(reply.text) < 2 * LENGTH
    assert reply.error is None
    assert "stopped, since the answer repeated itself" in status_line(reply)


@pytest.mark.parametrize("repeated", [SENTENCE, "ha", "0, "])
def test_the_repeated_piece_is_left_once(repeated: str) -> None:
    shortened = without_repetition("It began well. " + repeated * LENGTH)
    assert shortened.startswith("It began well. ")
    assert len(shortened) <= len("It began well. ") + len(repeated)
    assert without_repetition(TABLE) == TABLE
    assert without_repetition("") == ""


def test_the_next_question_does_not_send_all_of_the_repetition(buddy: Buddy) -> None:
    fake = fake_of(buddy)
    fake.replies = [["It began well. "] + [SENTENCE] * 1_000, ["Fine."]]
    buddy.ask("why?", Options()).result()
    buddy.ask("and now?", Options()).result()
    answers = [
        message.text
        for message in fake.requests[-1].messages
        if message.role == "assistant"
    ]
    assert answers == [f"It began well. {SENTENCE}".strip()]
