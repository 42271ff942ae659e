"""The readers of a streamed body, without any wire."""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Reading, ToolCall, Usage
from codebuddy_jupyter.providers.http.chat_stream import ChatStream, Events
from codebuddy_jupyter.providers.http.server_error import (
    ErrorResponse,
    message_in,
    shortened,
)
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.outcome import ask
from tests.support.scripted_server import (
    DONE,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    event,
    plain,
    reply,
    stream,
    usage,
)


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
    assert (text, reading.is_complete, reading.finish) == ("grüße 🙂", True, "stop")


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


# Streams


def numbered(
    index: int | str, text: str | None, finish: str | None = None
) -> dict[str, Any]:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return {"choices": [choice]}


REST = [(0.0, event(delta("there"))), (0.0, event(delta(finish="stop")))]

GOOD = {
    "role with null content first, as llama.cpp": stream(
        delta(role="assistant", content=None),
        delta("Hi "),
        delta("there"),
        delta(finish="stop"),
    ),
    "role and content in one, as Ollama": stream(
        delta("Hi ", role="assistant"), delta("there"), delta(finish="stop")
    ),
    "a chunk without choices": stream(
        {"id": "x"}, delta("Hi there"), delta(finish="stop")
    ),
    "choices null": stream({"choices": None}, delta("Hi there"), delta(finish="stop")),
    "choices empty": stream(
        {"choices": []}, delta("Hi there"), delta(finish="stop"), usage(3, 2)
    ),
    "delta null": stream(
        {"choices": [{"index": 0, "delta": None, "finish_reason": None}]},
        delta("Hi there"),
        delta(finish="stop"),
    ),
    "text and finish in one chunk": stream(delta("Hi there", finish="stop")),
    "no [DONE]": stream(delta("Hi there"), delta(finish="stop"), done=False),
    "no finish_reason, but [DONE]": stream(delta("Hi there")),
    "CRLF, comments, no blank after data:": Answer(
        pieces=[
            (
                0,
                b": ping\r\n\r\ndata:"
                + json.dumps(delta("Hi there", finish="stop")).encode()
                + b"\r\n\r\n",
            )
        ]
    ),
    "[DONE] without a last line break": Answer(
        pieces=[(0, event(delta("Hi there")) + b"data: [DONE]")]
    ),
    "one byte at a time": Answer(
        pieces=[
            (0, bytes([byte]))
            for byte in event(delta("Hi there")) + event(delta(finish="stop"))
        ]
    ),
    "content in parts": stream(
        delta(
            content=[{"type": "text", "text": "Hi "}, {"type": "text", "text": "there"}]
        ),
        delta(finish="stop"),
    ),
    "a whole completion, not streamed": as_json(
        {
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hi there"},
                    "finish_reason": "stop",
                }
            ]
        }
    ),
    "a wrong content type": stream(
        delta("Hi there"), delta(finish="stop"), headers={"Content-Type": "text/plain"}
    ),
    "a body that ends with the connection": stream(
        delta("Hi there"), delta(finish="stop"), framing="close"
    ),
    "a drop after the end was told": stream(
        delta("Hi there"), delta(finish="stop"), done=False, end="drop"
    ),
    "a byte order mark first": Answer(
        pieces=[(0.0, b"\xef"), (0.0, b"\xbb\xbf" + event(delta("Hi "))), *REST]
    ),
    "lines ended by CR alone": Answer(
        pieces=[
            (0.0, data.replace(b"\n", b"\r"))
            for data in (event(delta("Hi there")), event(delta(finish="stop")))
        ]
    ),
    "lines ended by CRLF, cut inside": Answer(
        pieces=[
            (0.0, event(delta("Hi "))[:-2] + b"\r"),
            (0.0, b"\n\r\n" + event(delta("there"))),
            (0.0, event(delta(finish="stop"))),
        ]
    ),
    "pieces numbered from 0": stream(
        numbered(0, "Hi"), numbered(1, " the"), numbered(2, "re"), delta(finish="stop")
    ),
    "pieces numbered from 1": stream(
        numbered(1, "Hi"), numbered(2, " the"), numbered(3, "re", "stop")
    ),
    "two pieces, numbered": stream(numbered(0, "Hi "), numbered(1, "there", "stop")),
    "a number as text": stream(
        numbered("0", "Hi "), numbered("0", "there"), numbered("0", None, "stop")
    ),
    "text in place of delta": stream(
        {"choices": [{"text": "Hi "}]},
        {"choices": [{"text": "there", "finish_reason": "stop"}]},
    ),
    "text beside delta": stream(
        {"choices": [{"text": "Hi there", "delta": {"role": "assistant"}}]},
        {"choices": [{"text": "", "delta": {}, "finish_reason": "stop"}]},
    ),
    "a delta that is text": stream(
        {"choices": [{"delta": "Hi there", "finish_reason": "stop"}]}
    ),
    "an object as content": stream(
        {"choices": [{"delta": {"content": {"text": "Hi there"}}}]},
        delta(finish="stop"),
    ),
    "an end that is none in each chunk": stream(
        delta("Hi ", finish="null"), delta("there", finish=""), delta(finish="stop")
    ),
    "a second choice, which is left out": stream(
        delta("Hi there"),
        {"choices": [{"index": 1, "delta": {"content": "No"}}]},
        delta(finish="stop"),
    ),
}


@pytest.mark.parametrize("answer", GOOD.values(), ids=GOOD.keys())
def test_a_reply_comes_whole_however_the_server_puts_it(
    server: ScriptedServer, provider: LocalProvider, answer: Answer
) -> None:
    server.script(answer)
    outcome = ask(provider)
    assert outcome.error is None
    assert outcome.text == "Hi there"


def test_utf8_that_is_split_over_packets_comes_whole(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    text = "日本語 🙂 e\u0301 \u2028 \x0b end"
    body = event(delta(text)) + event(delta(finish="stop")) + DONE
    server.script(Answer(pieces=[(0, bytes([byte])) for byte in body]))
    assert ask(provider).text == text


def test_the_finish_reason_is_told(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(stream(delta("Hi"), delta(finish="length")))
    assert [chunk.finish for chunk in ask(provider).chunks if chunk.finish] == [
        "length"
    ]


REASONING = {
    "reasoning_content": [
        delta(content=None, reasoning_content="let me see"),
        delta("42"),
    ],
    "reasoning with an empty content": [delta("", reasoning="let me see"), delta("42")],
    "both names": [
        delta(reasoning="let me see", reasoning_content="let me see"),
        delta("42"),
    ],
    "a think tag": [delta("<think>let me see</think>42")],
    "a think tag in pieces": [
        delta(piece)
        for piece in ("<th", "ink>\nlet ", "me see</", "thi", "nk>\n\n", "42")
    ],
}


@pytest.mark.parametrize("chunks", REASONING.values(), ids=REASONING.keys())
def test_reasoning_is_kept_apart_from_the_answer(
    server: ScriptedServer, provider: LocalProvider, chunks: list[Any]
) -> None:
    server.script(stream(*chunks, delta(finish="stop")))
    outcome = ask(provider)
    assert (outcome.reasoning, outcome.text) == ("let me see", "42")


def calls(*pieces: dict[str, Any]) -> dict[str, Any]:
    return delta(content=None, tool_calls=list(pieces))


WEATHER, TIME = (
    ToolCall("a", "weather", '{"city": "Oslo"}'),
    ToolCall("b", "time", "{}"),
)

CALLS = {
    "in pieces, by index": [
        calls(
            {"index": 0, "id": "a", "function": {"name": "weather", "arguments": ""}}
        ),
        calls({"index": 0, "function": {"arguments": '{"city": '}}),
        calls({"index": 1, "id": "b", "function": {"name": "time", "arguments": "{"}}),
        calls(
            {"index": 0, "function": {"arguments": '"Oslo"}'}},
            {"index": 1, "function": {"arguments": "}"}},
        ),
    ],
    "in pieces, without an index": [
        calls({"id": "a", "function": {"name": "weather", "arguments": '{"city": '}}),
        calls({"function": {"arguments": '"Oslo"}'}}),
        calls({"id": "b", "function": {"name": "time", "arguments": "{}"}}),
    ],
    "whole, each numbered 0": [
        calls(
            {
                "index": 0,
                "id": "a",
                "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
            }
        ),
        calls({"index": 0, "id": "b", "function": {"name": "time", "arguments": "{}"}}),
    ],
    "in pieces that repeat the name": [
        calls(
            {
                "index": 0,
                "id": "a",
                "function": {"name": "weather", "arguments": '{"city": '},
            }
        ),
        calls(
            {
                "index": 0,
                "id": "a",
                "function": {"name": "weather", "arguments": '"Oslo"}'},
            }
        ),
        calls({"index": 1, "id": "b", "function": {"name": "time", "arguments": "{"}}),
        calls({"index": 1, "function": {"name": "time", "arguments": "}"}}),
    ],
    "whole, arguments as JSON": [
        calls(
            {"id": "a", "function": {"name": "weather", "arguments": {"city": "Oslo"}}},
            {"id": "b", "function": {"name": "time", "arguments": "{}"}},
        ),
    ],
}


@pytest.mark.parametrize("chunks", CALLS.values(), ids=CALLS.keys())
def test_tool_calls_come_whole(
    server: ScriptedServer, provider: LocalProvider, chunks: list[Any]
) -> None:
    server.script(stream(*chunks, delta(finish="tool_calls")))
    assert ask(provider).calls == [WEATHER, TIME]


def test_tool_calls_without_ids_are_told_apart_by_their_names(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    first, second = (
        {"function": {"name": "weather", "arguments": "{}"}},
        {"function": {"name": "time"}},
    )
    server.script(stream(calls(first), calls(second), delta(finish="tool_calls")))
    assert ask(provider).calls == [
        ToolCall("call_0", "weather", "{}"),
        ToolCall("call_1", "time", ""),
    ]


def test_a_tool_call_whose_pieces_repeat_its_name_is_one_without_an_id_too() -> None:
    reading = ChatStream()
    for arguments in ("", '{"city": ', '"Oslo"}', '{"city": "Bern"}'):
        piece = {"function": {"name": "weather", "arguments": arguments}}
        assert list(reading.feed(event(calls(piece)))) == []
    chunks = list(reading.feed(event(delta(finish="tool_calls"))))
    assert chunks[0].tool_calls == (
        ToolCall("call_0", "weather", '{"city": "Oslo"}'),
        ToolCall("call_1", "weather", '{"city": "Bern"}'),
    )


def test_a_tool_without_a_name_that_is_text_raises_nothing() -> None:
    reading = ChatStream()
    piece = {"function": {"name": 7, "arguments": "{}"}}
    chunks = list(reading.feed(event(delta(tool_calls=[piece], finish="stop"))))
    assert chunks[0].tool_calls == (ToolCall("call_0", "", "{}"),)


def test_a_tool_call_that_was_cut_off_is_not_given(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    piece = {
        "index": 0,
        "id": "a",
        "function": {"name": "weather", "arguments": '{"ci'},
    }
    server.script(stream(calls(piece), done=False))
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.CutOff)
    assert outcome.calls == []


def test_usage_is_asked_for_and_told(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(reply("one two three"))
    outcome = ask(provider)
    assert server.asked()[-1]["body"]["stream_options"] == {"include_usage": True}
    assert [chunk.usage for chunk in outcome.chunks if chunk.usage] == [Usage(7, 3)]


@pytest.mark.parametrize(
    ("timings", "expected"),
    [
        ({"prompt_n": 5, "prompt_ms": 250.0}, (5, 0.25)),
        ({"prompt_n": 0, "prompt_ms": 0}, (0, 0.0)),
        ({"prompt_n": -1, "prompt_ms": "long"}, (None, None)),
        ({"prompt_n": True, "prompt_ms": float("inf")}, (None, None)),
        ("none", (None, None)),
    ],
    ids=str,
)
def test_what_the_server_tells_of_its_reading_is_told(
    timings: object, expected: tuple[int | None, float | None]
) -> None:
    reading = ChatStream()
    body = event({**delta("Hi", finish="stop"), "timings": timings})
    chunks = [*reading.feed(body + event(usage(7, 1))), *reading.flush()]
    assert chunks[-1].usage == Usage(7, 1, *expected)


def test_the_tokens_that_were_in_the_cache_were_not_read() -> None:
    counted = usage(700, 1)
    counted["usage"]["prompt_tokens_details"] = {"cached_tokens": 690}
    reading = ChatStream()
    body = event(delta("Hi", finish="stop")) + event(counted)
    chunks = [*reading.feed(body), *reading.flush()]
    assert chunks[-1].usage == Usage(700, 1, 10)


@pytest.mark.parametrize("wrong", ["12", -1, True, float("nan"), [3], 1e300], ids=str)
def test_a_count_that_is_none_is_left_out(wrong: object) -> None:
    reading = ChatStream()
    counted = {"usage": {"prompt_tokens": wrong, "completion_tokens": 3}}
    body = event(delta("Hi", finish="stop")) + event(counted)
    chunks = [*reading.feed(body), *reading.flush()]
    assert chunks[-1].usage == Usage(None, 3)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (
            {"processed": 1240, "total": 4124, "cache": 200, "time_ms": 1500},
            Reading(1240, 4124, 200, 1.5),
        ),
        ({"processed": 9, "total": 4, "cache": 40}, Reading(4, 4, 4)),
        ({"processed": 9, "total": 0}, None),
        ({"processed": "9", "total": 10}, None),
        ({"processed": float("nan"), "total": 10}, None),
        ("half", None),
    ],
    ids=str,
)
def test_how_far_the_prompt_is_read_is_told(
    progress: object, expected: Reading | None
) -> None:
    reading = ChatStream()
    chunks = list(reading.feed(event({**delta(), "prompt_progress": progress})))
    assert [chunk.reading for chunk in chunks] == ([expected] if expected else [])
    assert not reading.began


def test_a_usage_of_zeros_in_every_chunk_is_left_out(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    zeros = {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}
    server.script(stream({**delta("Hi"), **zeros}, {**delta(finish="stop"), **zeros}))
    assert not any(chunk.usage for chunk in ask(provider).chunks)


IN_STREAM = {
    "an object": (event({"error": {"message": "boom", "code": 500}}), "boom"),
    "a text": (event({"error": "boom"}), "boom"),
    "an event with plain text": (b"event: error\ndata: boom\n\n", "boom"),
    "an event with JSON": (b'event: error\ndata: {"message": "boom"}\n\n', "boom"),
    "fields at the top, as older vLLM": (
        event({"object": "error", "message": "boom", "code": 400}),
        "boom",
    ),
    "detail": (event({"detail": "boom"}), "boom"),
    "malformed JSON": (b'data: {"boom\n\n', '{"boom'),
    "JSON inside a string": (
        event({"error": {"message": '{"error": {"message": "boom"}}'}}),
        "boom",
    ),
    "an event at the end, without an empty line": (
        b"event: error\ndata: boom",
        "boom",
    ),
    "a reason to finish, as KoboldCpp": (
        event(delta(finish="error")),
        "it stopped with an error and gave no reason",
    ),
}


@pytest.mark.parametrize(("piece", "words"), IN_STREAM.values(), ids=IN_STREAM.keys())
def test_an_error_in_the_stream_keeps_the_text_and_tells_the_servers_words(
    server: ScriptedServer, provider: LocalProvider, piece: bytes, words: str
) -> None:
    server.script(Answer(pieces=[(0, event(delta("partial")) + piece)]))
    outcome = ask(provider)
    assert outcome.text == "partial"
    assert isinstance(outcome.error, errors.ServerError)
    assert outcome.line == (
        f"{server.url} answered with an error: {words}. Check the server's log, "
        "then ask again"
    )


LM_STUDIO = "Unexpected endpoint or method. (POST /chat/completions)"

NOT_A_STREAM = {
    "nothing": (plain(""), "nothing came"),
    "a login page": (
        plain(
            "<!DOCTYPE html><html><head><title>Sign in &amp; go</title></head></html>",
            "text/html",
        ),
        'a web page "Sign in & go"',
    ),
    "a page without a title": (
        plain(
            "<html><body><script>var x</script><h1>It works!</h1></body></html>",
            "text/html",
        ),
        'a web page "It works!"',
    ),
    "plain text": (plain("Ollama is\nrunning"), 'it says "Ollama is running"'),
    "other JSON": (as_json({"status": "ok"}), 'it says "{"status": "ok"}"'),
    "only [DONE]": (stream(), "nothing came"),
    "only a role": (stream(delta(role="assistant")), "nothing came"),
}


@pytest.mark.parametrize(
    ("answer", "came"), NOT_A_STREAM.values(), ids=NOT_A_STREAM.keys()
)
def test_what_is_no_reply_is_an_error_that_says_what_came(
    server: ScriptedServer, provider: LocalProvider, answer: Answer, came: str
) -> None:
    server.script(answer)
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.NoReply)
    assert outcome.line == (
        f"{server.url} answered 200, but not with a reply: {came}. "
        f'Check the base URL: %config LocalProvider.base_url = "{server.url}"'
    )


def test_an_error_with_a_good_status_is_told(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(as_json({"error": LM_STUDIO}))
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.NoReply)
    assert outcome.line == (
        f'{server.url} answered 200, but not with a reply: it says "{LM_STUDIO}". '
        f'Check the base URL: %config LocalProvider.base_url = "{server.url}"'
    )


CUT = {
    "no finish_reason and no [DONE]": (stream(delta("partial"), done=False), ""),
    "in the midst of a chunk": (stream(delta("partial"), done=False, end="drop"), None),
    "before the promised length": (
        stream(delta("partial"), done=False, end="drop", framing="length"),
        None,
    ),
    "in the midst of an event": (
        Answer(pieces=[(0, event(delta("partial")) + b'data: {"choi')]),
        "",
    ),
    "a JSON line instead of an event, as Ollama": (
        Answer(pieces=[(0, event(delta("partial")) + b'{"error": "runner died"}\n')]),
        ": runner died",
    ),
}


@pytest.mark.parametrize(("answer", "why"), CUT.values(), ids=CUT.keys())
def test_a_reply_that_breaks_off_keeps_the_text_and_says_so(
    server: ScriptedServer, provider: LocalProvider, answer: Answer, why: str | None
) -> None:
    server.script(answer)
    outcome = ask(provider)
    assert outcome.text == "partial"
    assert isinstance(outcome.error, errors.CutOff)
    assert outcome.line.startswith(f"The reply was cut off by {server.url}")
    assert outcome.line.endswith(
        ". The part that was received is kept. Ask again to continue"
    )
    if why is not None:
        assert (
            outcome.line == f"The reply was cut off by {server.url}{why}. "
            "The part that was received is kept. Ask again to continue"
        )


def test_of_several_requested_answers_the_first_is_read() -> None:
    reading = ChatStream(has_several=True)
    payloads = [numbered(0, "A"), numbered(1, "B"), numbered(2, "C"), numbered(0, "!")]
    chunks = [chunk for one in payloads for chunk in reading.feed(event(one))]
    assert "".join(chunk.text for chunk in chunks) == "A!"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("end_turn", "stop"),
        ("eos", "stop"),
        ("FINISH_REASON_STOP", "stop"),
        ({"type": "stop"}, "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("content_filter", "content_filter"),
        ("abort", "abort"),
        ("tool_calls", "tool_calls"),
        ("x\x1b[2J" * 20, ("x [2j" * 20)[:40]),
    ],
)
def test_the_end_of_an_answer_has_one_name(reason: Any, finish: str) -> None:
    reading = ChatStream()
    chunks = list(reading.feed(event(delta("Hi", finish=reason))))
    assert chunks[-1].finish == finish
    assert reading.is_complete


PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "why"}]},
    {"type": "text", "text": "because"},
]


@pytest.mark.parametrize(
    "fields",
    [
        {"content": PARTS},
        {"content": "because", "thinking": "why"},
        {"content": "because", "reasoning": {"content": "why"}},
        {"content": "because", "reasoning": {"type": "reasoning", "text": "why"}},
        {"content": "because", "reasoning": [{"type": "reasoning", "text": "why"}]},
        {"content": "because", "reasoning_content": "why"},
    ],
    ids=["parts, as Mistral", "thinking", "an object", "a type", "a list", "a field"],
)
def test_reasoning_is_read_wherever_the_server_puts_it(fields: dict[str, Any]) -> None:
    reading = ChatStream()
    chunks = list(reading.feed(event(delta(**fields, finish="stop"))))
    assert "".join(chunk.reasoning for chunk in chunks) == "why"
    assert "".join(chunk.text for chunk in chunks) == "because"


def test_reasoning_alone_is_not_part_of_the_answer() -> None:
    reading = ChatStream()
    content = {"type": "reasoning", "text": "why"}
    (chunk,) = reading.feed(event(delta(content=content)))
    assert (chunk.reasoning, chunk.text) == ("why", "")
