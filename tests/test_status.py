"""The lines around an answer: its status, and what is waited for."""

from __future__ import annotations

from datetime import datetime

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.chat.answer_file import day_of
from codebuddy_jupyter.chat.reply import ExpectedReading, Reply
from codebuddy_jupyter.display.status import (
    stalled_line,
    status_line,
    waiting_line,
    waiting_markdown,
)
from codebuddy_jupyter.errors import CutOff, Stopped
from codebuddy_jupyter.messages import Chunk, Reading, ToolCall, Usage
from tests.support.replies import a_reply, ended


def test_the_status_line_has_model_tokens_times_and_notes(loop: Loop) -> None:
    reply = ended(
        loop,
        "Hi",
        Chunk(usage=Usage(5, 1200), finish="length"),
        Chunk(note="One turn was left out."),
    )
    reply.started, reply.first, reply.ended = 100.0, 101.5, 104.0
    assert status_line(reply) == (
        "llama3 · 1,200 tokens · first after 1.5 s · 480 tokens/s"
        " · cut at its length limit · One turn was left out."
    )


def test_a_replayed_answer_has_its_day_instead_of_times(loop: Loop) -> None:
    reply = ended(loop, "Hi", Chunk(usage=Usage(5, 7), finish="length"))
    reply.started, reply.first, reply.ended = 100.0, 100.0, 102.0
    reply.replayed = datetime(2024, 11, 12, 10, 15)
    assert status_line(reply) == (
        "replayed, from 12 Nov 2024, llama3 · 7 tokens · cut at its length limit"
    )
    this_year = datetime.now().year
    assert day_of(datetime(this_year, 3, 1)) == "1 Mar"
    reply.model = reply.provider = ""
    assert status_line(reply).startswith("replayed, from 12 Nov 2024 · 7 tokens")


def test_a_slow_reply_has_its_speed_with_decimals(loop: Loop) -> None:
    reply = ended(loop, "Hi", Chunk(usage=Usage(5, 7)))
    reply.started, reply.first, reply.ended = 100.0, 100.0, 102.0
    assert status_line(reply) == "llama3 · 7 tokens · first after 0.0 s · 3.5 tokens/s"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Stopped("Stopped."), "stopped before its end"),
        (CutOff("The reply was cut off."), "broke off"),
    ],
    ids=["stopped", "broken"],
)
def test_the_status_line_marks_an_incomplete_answer(
    loop: Loop, error: BaseException, says: str
) -> None:
    assert status_line(ended(loop, "Once", error)).endswith(says)


@pytest.fixture
def waiting(loop: Loop) -> Reply:
    """A reply whose request was sent at 100 s, without an answer so far."""
    reply = a_reply(loop)
    reply.model = "qwen2.5"
    reply.started = 100.0
    return reply


def test_a_second_without_an_answer_is_not_worth_a_line(waiting: Reply) -> None:
    assert (waiting_markdown(waiting, 100.9), waiting_line(waiting, 100.9)) == ("", "")


def test_the_terminal_names_the_model_as_it_is_and_markdown_escapes_it(
    waiting: Reply,
) -> None:
    waiting.chunks.append(Chunk(note="1 secret redacted"))
    assert waiting_line(waiting, 102.0) == (
        "1 secret redacted waiting for qwen2.5… 2 s"
    )
    assert waiting_markdown(waiting, 102.0) == (
        "1 secret redacted\n\n*waiting for qwen2.5… 2 s*"
    )


def test_the_model_loads_only_while_the_server_says_so(waiting: Reply) -> None:
    waiting.sent_tokens = 4012
    assert waiting_line(waiting, 114.0) == "waiting for qwen2.5… 14 s"
    waiting.loading = True
    assert waiting_line(waiting, 102.0) == "waiting for the model to load… 2 s"
    assert waiting_markdown(waiting, 114.0) == ("*waiting for the model to load… 14 s*")
    waiting.loading = False
    reads = "waiting for qwen2.5, which reads the prompt of about 4,000 tokens… 14 s"
    assert waiting_line(waiting, 114.0) == reads


@pytest.mark.parametrize(
    ("tokens", "says"), [(7, "7"), (61, "61"), (4999, "5,000"), (123_456, "120,000")]
)
def test_the_length_of_the_prompt_is_rounded(
    waiting: Reply, tokens: int, says: str
) -> None:
    waiting.loading = False
    waiting.sent_tokens = tokens
    assert f"of about {says} tokens" in waiting_line(waiting, 114.0)


def test_before_the_prompt_is_sent_the_model_does_not_read_it(waiting: Reply) -> None:
    waiting.loading = False
    assert waiting_line(waiting, 114.0) == "waiting for qwen2.5… 14 s"


def test_how_far_the_prompt_is_read_is_shown_as_the_server_tells_it(
    waiting: Reply,
) -> None:
    waiting.sent_tokens = 4012
    waiting.reading = Reading(1240, 4124, 200, 15.0)
    line = "waiting for qwen2.5, reading 1,240 of 4,124 tokens… 14 s"
    assert waiting_line(waiting, 114.0) == line
    assert waiting_markdown(waiting, 114.0) == f"*{line}*"
    waiting.loading = True
    assert waiting_line(waiting, 114.0) == "waiting for the model to load… 14 s"


@pytest.mark.parametrize(
    ("now", "done"), [(101.0, "1,000"), (111.0, "2,000"), (200.0, "4,000")]
)
def test_else_it_is_estimated_from_the_speed_of_the_model(
    waiting: Reply, now: float, done: str
) -> None:
    waiting.loading = False
    waiting.sent_tokens = 4012
    waiting.expected_reading = ExpectedReading(unread=3000, speed=100.0, since=101.0)
    says = f"waiting for qwen2.5, reading about {done} of about 4,000 tokens… "
    assert waiting_line(waiting, now).startswith(says)


def test_a_model_that_may_be_loading_is_not_said_to_read(waiting: Reply) -> None:
    waiting.sent_tokens = 4012
    waiting.expected_reading = ExpectedReading(unread=3000, speed=100.0, since=101.0)
    assert waiting_line(waiting, 114.0) == "waiting for qwen2.5… 14 s"
    waiting.loading = True
    assert waiting_line(waiting, 114.0) == "waiting for the model to load… 14 s"


def test_a_server_that_stops_in_mid_answer_is_noticed(waiting: Reply) -> None:
    waiting.first, waiting.last = 101.0, 105.0
    assert stalled_line(waiting, 114.9) == ""
    assert stalled_line(waiting, 117.0) == "nothing for 12 s; interrupt to stop"
    assert waiting_line(waiting, 117.0) == "nothing for 12 s; interrupt to stop"
    assert waiting_line(waiting, 114.9) == "thinking… 14 s"
    waiting.chunks.append(Chunk(reasoning="Let me see."))
    assert waiting_markdown(waiting, 117.0) == (
        "*nothing for 12 s; interrupt to stop*\n\n> … Let me see."
    )
    waiting.close()
    assert stalled_line(waiting, 117.0) == ""


def test_before_the_first_token_nothing_has_stalled(waiting: Reply) -> None:
    assert stalled_line(waiting, 200.0) == ""


def test_the_last_words_of_the_reasoning_are_shown_while_the_model_thinks(
    waiting: Reply,
) -> None:
    waiting.first = 103.0
    waiting.chunks.append(Chunk(reasoning="word " * 100 + "*last*"))
    assert waiting_line(waiting, 110.0) == "thinking… 7 s"
    thinking, _, quote = waiting_markdown(waiting, 110.0).partition("\n\n")
    assert thinking == "*thinking… 7 s*"
    assert quote.endswith("&#42;last&#42;")
    assert len(quote) < 300


def test_what_a_model_does_stands_in_place_of_its_thoughts(waiting: Reply) -> None:
    waiting.first = 103.0
    waiting.activity = "llama3 answers"
    assert waiting_line(waiting, 110.0) == "llama3 answers… 7 s"


@pytest.mark.parametrize(
    ("finish", "says"),
    [
        ("content_filter", "cut by the server's content filter"),
        ("safety", "cut by the server's content filter"),
        ("refusal", "cut by the server's content filter"),
        ("abort", 'ended early: the server says "abort"'),
        ("tool_calls", "ended with a tool call: weather"),
    ],
)
def test_the_status_line_says_how_an_answer_ended(
    loop: Loop, finish: str, says: str
) -> None:
    calls = (ToolCall("1", "weather", "{}"),)
    reply = ended(loop, "Once", Chunk(tool_calls=calls, finish=finish))
    assert status_line(reply).endswith(f" · {says}")


def test_a_plain_end_is_not_told(loop: Loop) -> None:
    assert status_line(ended(loop, "Hi", Chunk(finish="stop"))).startswith("llama3")
    assert "end" not in status_line(ended(loop, "Hi", Chunk(finish="stop")))
