"""What a model has read, and how fast it reads."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.messages import Chunk, Image, Message, Reading, Usage
from codebuddy_jupyter.question.reading import (
    CAREFUL_SHARE,
    PromptWatch,
    Reader,
    Readers,
    common_beginning,
)
from codebuddy_jupyter.question.speeds import ReadingSpeeds
from codebuddy_jupyter.question.target import Target
from codebuddy_jupyter.question.tokens import Tokens, TokensByModel
from tests.support.fakes import FakeProvider

SYSTEM = Message("system", "You help in a notebook. " * 20)
NOTEBOOK = "value = compute(value)\n" * 100
QUESTION = Message("user", f"{NOTEBOOK}\nWhy is it empty?")
OTHER = Message("user", f"{NOTEBOOK}\nHow do I plot it?")
ANSWER = Message("assistant", "Since nothing was put in. " * 10)
TOKENS = Tokens()


class Keeping(FakeProvider):
    """Keeps prompts, and is expected to read 50 tokens a second."""

    def keeps_prompts(self) -> bool:
        return True

    def expected_speed(self, model: str) -> float | None:
        return 50.0


@pytest.fixture
def target() -> Target:
    return Target("Local", Keeping(), "m", 8192)


@pytest.fixture
def reader(target: Target) -> Reader:
    return Reader(target, ReadingSpeeds(), TOKENS)


def total(*messages: Message) -> int:
    return TOKENS.total(messages)


def test_a_prompt_is_unread_at_first_and_read_afterwards(reader: Reader) -> None:
    prompt = [SYSTEM, QUESTION]
    assert reader.unread(prompt) == total(*prompt)
    reader.note(prompt)
    assert reader.unread(prompt) == 0


def test_only_what_follows_the_common_beginning_is_unread(reader: Reader) -> None:
    reader.note([SYSTEM, QUESTION])
    assert 0 < reader.unread([SYSTEM, OTHER]) < 20
    grown = [SYSTEM, QUESTION, ANSWER, Message("user", "And then?")]
    assert reader.unread(grown) == total(*grown) - total(SYSTEM, QUESTION)


def test_after_another_beginning_everything_is_unread(reader: Reader) -> None:
    reader.note([SYSTEM, QUESTION])
    other = [Message("system", "Another prompt."), QUESTION]
    assert reader.unread(other) > total(QUESTION)


def test_images_that_were_not_sent_are_unread(reader: Reader) -> None:
    reader.note([SYSTEM, QUESTION])
    with_image = replace(QUESTION, images=(Image(b"", "image/png"),))
    assert reader.unread([SYSTEM, with_image]) > 800


def test_of_a_prompt_that_was_read_in_part_the_rest_is_unread(reader: Reader) -> None:
    prompt = [SYSTEM, QUESTION]
    reader.note(prompt, 300)
    assert reader.unread(prompt) == total(*prompt) - 300
    assert reader.has_read("You help in a notebook.")
    assert reader.has_read(NOTEBOOK[:200])
    assert not reader.has_read("Why is it empty?")


def test_the_beginning_of_a_prompt_ends_with_a_line(reader: Reader) -> None:
    prompt = [SYSTEM, QUESTION]
    reader.note([SYSTEM])
    beginning = reader.beginning(prompt, 100)
    assert beginning[0] == SYSTEM
    assert QUESTION.text.startswith(f"{beginning[1].text}\n")
    assert 80 < reader.unread(beginning) <= 100
    assert reader.beginning(prompt, 10_000) == tuple(prompt)


def test_the_speed_is_the_expected_one_until_it_is_measured(reader: Reader) -> None:
    assert reader.speed == 50
    reader.learn(1000, 10.0)
    assert reader.speed == 100
    reader.learn(None, 10.0)
    reader.learn(1000, None)
    assert reader.speed == 100


def test_there_is_one_reader_for_each_model_of_a_server(target: Target) -> None:
    readers = Readers(ReadingSpeeds(), TokensByModel())
    reader = readers.of(target)
    assert readers.of(replace(target, window=4096)) is reader
    assert readers.of(replace(target, model="n")) is not reader
    assert readers.of(replace(target, provider=FakeProvider())) is None


def test_a_prompt_that_was_answered_is_read_with_its_answer(reader: Reader) -> None:
    watch = PromptWatch(reader, [SYSTEM, QUESTION])
    watch.feed(Chunk(text="Since"))
    watch.end([ANSWER])
    assert reader.unread([SYSTEM, QUESTION, ANSWER]) == 0


def test_what_the_server_told_before_it_was_stopped_is_read(reader: Reader) -> None:
    prompt = [SYSTEM, QUESTION]
    watch = PromptWatch(reader, prompt)
    assert watch.unread == total(*prompt)
    watch.feed(Chunk(reading=Reading(100, 400, 0, 2.0)))
    watch.feed(Chunk(reading=Reading(200, 400, 0, 4.0)))
    assert watch.read == total(*prompt) // 2
    watch.end()
    assert reader.unread(prompt) == total(*prompt) - total(*prompt) // 2
    assert reader.speed == 50


def test_where_the_server_tells_nothing_its_speed_says_what_was_read(
    reader: Reader,
) -> None:
    moments = iter([100.0, 104.0, 104.0])
    watch = PromptWatch(reader, [SYSTEM, QUESTION], lambda: next(moments))
    assert watch.read == 4 * 50 * CAREFUL_SHARE
    watch.end()
    assert reader.unread([SYSTEM, QUESTION]) == total(SYSTEM, QUESTION) - 160


@pytest.mark.parametrize(
    ("usage", "speed"),
    [
        (Usage(700, 1, 600, 6.0), 100),
        # As Ollama counts: with the tokens that were cached.
        (Usage(700, 1, None, 10.0), total(SYSTEM, QUESTION) / 10),
        # Everything was cached.
        (Usage(700, 1, 1, 0.05), 50),
        (Usage(700, 1), 50),
    ],
)
def test_the_speed_is_learned_from_what_the_server_reports(
    reader: Reader, usage: Usage, speed: float
) -> None:
    watch = PromptWatch(reader, [SYSTEM, QUESTION])
    watch.feed(Chunk(text="Since"))
    watch.feed(Chunk(usage=usage))
    watch.end()
    assert reader.speed == speed


def test_of_a_loaded_model_the_time_to_the_first_token_is_learned(
    reader: Reader,
) -> None:
    moments = iter([100.0, 110.0])
    watch = PromptWatch(reader, [SYSTEM, QUESTION], lambda: next(moments))
    watch.feed(Chunk(finish="length"))
    watch.end(was_loaded=True)
    assert reader.speed == total(SYSTEM, QUESTION) / 10


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_what_two_texts_have_in_common_is_found(
    common: str, rest: str, other: str
) -> None:
    found = common_beginning(common + rest, common + other)
    assert found.startswith(common)
    assert found == os.path.commonprefix([common + rest, common + other])  # noqa: RUF071 - of texts
