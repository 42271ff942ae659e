"""The readers of a streamed body, without any wire."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.providers.http.chat_stream import ChatStream, Events, Thinking
from codebuddy_jupyter.providers.http.server_error import (
    ErrorResponse,
    message_in,
    shortened,
)
from tests.support.scripted_server import DONE, delta, event


def thought(*pieces: str) -> tuple[str, str]:
    thinking = Thinking()
    parts = [thinking.feed(piece) for piece in pieces] + [thinking.flush()]
    return "".join(part[0] for part in parts), "".join(part[1] for part in parts)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>why</think>because", "why", "because"),
        ("\n <think>\nwhy\n</think>\n\nbecause", "why\n", "because"),
        ("<think>\n\n</think>\n\nbecause", "", "because"),
        ("<think>never closed", "never closed", ""),
        ("<think>almost</thin", "almost</thin", ""),
        ("<think>a < b</think>    code", "a < b", "    code"),
        ("<thinker>is a word", "", "<thinker>is a word"),
        ("<thin", "", "<thin"),
        ("  indented", "", "  indented"),
        ("the tag <think>x</think> is text", "", "the tag <think>x</think> is text"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("", "", ""),
    ],
)
def test_only_a_think_tag_at_the_very_start_is_reasoning_however_it_is_cut(
    text: str, reasoning: str, answer: str
) -> None:
    assert thought(text) == (reasoning, answer)
    assert thought(*text) == (reasoning, answer)
    for cut in range(len(text)):
        assert thought(text[:cut], text[cut:]) == (reasoning, answer)


@given(st.lists(st.text(alphabet="<>/think ax\n", max_size=9)))
def test_thinking_reads_the_same_whatever_the_pieces(pieces: list[str]) -> None:
    assert thought(*pieces) == thought("".join(pieces))


def test_answers_are_not_held_back() -> None:
    thinking = Thinking()
    assert thinking.feed("Hello <") == ("", "Hello <")


@given(st.lists(st.integers(min_value=0, max_value=400), max_size=8))
def test_a_stream_reads_the_same_however_it_is_cut(cuts: list[int]) -> None:
    body = (
        event(delta("grüße "))
        + b": ping\r\n\r\n"
        + event(delta("🙂", finish="stop"))
        + DONE
    )
    reading, places = (
        ChatStream(),
        sorted({0, len(body), *(cut for cut in cuts if cut < len(body))}),
    )
    text = ""
    for start, end in itertools.pairwise(places):
        text += "".join(chunk.text for chunk in reading.feed(body[start:end]))
    text += "".join(chunk.text for chunk in reading.flush())
    assert (text, reading.whole, reading.finish) == ("grüße 🙂", True, "stop")


@given(st.lists(st.binary(max_size=60)))
def test_no_bytes_raise_anything_but_a_complaint(pieces: list[bytes]) -> None:
    reading = ChatStream()
    with contextlib.suppress(ErrorResponse):
        for piece in pieces:
            list(reading.feed(piece))
        list(reading.flush())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "tool_calls",
                    "function",
                    "usage",
                    "error",
                    "index",
                    "id",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=4))
def test_no_json_raises_anything_but_a_complaint(payloads: list[object]) -> None:
    reading = ChatStream()
    with contextlib.suppress(ErrorResponse):
        for payload in payloads:
            list(reading.feed(event(payload)))
        list(reading.flush())


@given(JSON)
def test_words_are_found_in_any_json_as_one_line(body: object) -> None:
    assert "\n" not in message_in(body)


def test_data_over_several_lines_is_one_event() -> None:
    assert Events().feed(b"event: note\ndata: a\ndata: b\n\n") == [("note", b"a\nb")]


def test_what_is_no_event_is_kept_apart() -> None:
    events = Events()
    assert events.feed(b"<html>\n") == []
    assert bytes(events.other) == b"<html>\n"


def test_deeply_nested_errors_do_not_exhaust_the_stack() -> None:
    body: object = "deep"
    for _ in range(500):
        body = {"error": body}
    assert len(shortened(message_in(body))) <= 300
