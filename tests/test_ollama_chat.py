"""Ollama's own chat API: where the fields of a request go, and what its lines say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codebuddy_jupyter.messages import (
    Chunk,
    Image,
    Message,
    Request,
    Tool,
    ToolCall,
    Usage,
)
from codebuddy_jupyter.providers.http.chat_stream import ChatStream
from codebuddy_jupyter.providers.http.server_error import ErrorResponse
from codebuddy_jupyter.providers.kinds.ollama_chat import Lines, native_body

HELLO = (Message("user", "hello"),)


def test_a_prompt_is_never_to_be_cut() -> None:
    request = Request(HELLO, "m", temperature=0.5, max_tokens=99)
    assert native_body(request, 8192) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "truncate": False,
        "options": {"num_ctx": 8192, "temperature": 0.5, "num_predict": 99},
    }
    assert native_body(Request(HELLO, "m"), 0)["options"] == {}


def test_a_schema_is_its_format() -> None:
    schema = {"type": "object"}
    assert native_body(Request(HELLO, "m", schema=schema), 0)["format"] == schema
    extra = {"response_format": {"type": "json_object"}}
    request = Request(HELLO, "m", extra=extra, schema=schema)
    assert native_body(request, 0)["format"] == "json"


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (
            {"top_p": 0.9, "seed": 1},
            {"options": {"num_ctx": 8192, "top_p": 0.9, "seed": 1}},
        ),
        ({"stop": "END"}, {"options": {"num_ctx": 8192, "stop": ["END"]}}),
        ({"stop": ["A", "B"]}, {"options": {"num_ctx": 8192, "stop": ["A", "B"]}}),
        ({"max_tokens": 5}, {"options": {"num_ctx": 8192, "num_predict": 5}}),
        (
            {"max_completion_tokens": 5},
            {"options": {"num_ctx": 8192, "num_predict": 5}},
        ),
        ({"num_ctx": 2048}, {"options": {"num_ctx": 2048}}),
        (
            {"options": {"num_gpu": 1}, "extra_body": {"options": {"top_k": 3}}},
            {"options": {"num_ctx": 8192, "num_gpu": 1, "top_k": 3}},
        ),
        (
            {"extra_body": {"keep_alive": "1h", "min_p": 0.1}},
            {"keep_alive": "1h", "options": {"num_ctx": 8192, "min_p": 0.1}},
        ),
        (
            {"stream": False, "stream_options": {}, "n": 2, "user": "me"},
            {"stream": True, "options": {"num_ctx": 8192}},
        ),
        ({"response_format": {"type": "json_object"}}, {"format": "json"}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"type": "object"}},
                }
            },
            {"format": {"type": "object"}},
        ),
        ({"reasoning_effort": "low"}, {"think": "low"}),
        ({"reasoning_effort": "none"}, {"think": False}),
        ({"think": True}, {"think": True}),
        ({"truncate": True}, {"truncate": True}),
        ({"tools": [{"type": "function"}]}, {"tools": [{"type": "function"}]}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_other_fields_find_their_place(
    extra: dict[str, Any], expected: dict[str, Any]
) -> None:
    body = native_body(Request(HELLO, "m", extra=extra), 8192)
    assert body.items() >= expected.items()


def read(*values: Any, size: int = 1 << 20) -> list[Chunk]:
    """The chunks of a body of these lines, received in pieces of so many bytes."""
    body = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    reading = ChatStream(Lines())
    chunks: list[Chunk] = []
    for start in range(0, len(body), size):
        chunks += reading.feed(body[start : start + size])
    chunks += reading.flush()
    return chunks


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("reason", ["stop", "length"])
def test_a_reply_is_its_text_reasoning_counts_and_end(size: int, reason: str) -> None:
    chunks = read(
        {"message": {"content": "", "thinking": "Let me see. "}, "done": False},
        {"message": {"content": "Ünö "}, "done": False},
        {"message": {"content": "two"}, "done": False},
        {
            "message": {"content": ""},
            "done": True,
            "done_reason": reason,
            "prompt_eval_count": 9,
            "eval_count": 3,
            "prompt_eval_duration": 500_000_000,
        },
        size=size,
    )
    assert "".join(chunk.reasoning for chunk in chunks) == "Let me see. "
    assert "".join(chunk.text for chunk in chunks) == "Ünö two"
    assert [chunk.finish for chunk in chunks if chunk.finish] == [reason]
    assert chunks[-1].usage == Usage(9, 3, read_seconds=0.5)


def test_an_error_between_the_lines_is_raised_with_its_numbers() -> None:
    inner = {
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9020,
        "n_ctx": 8192,
        "message": "request (9020 tokens) exceeds the available context size",
    }
    for error in (json.dumps({"error": inner}), {"error": inner}, inner):
        with pytest.raises(ErrorResponse) as raised:
            read({"error": error})
        assert raised.value.is_overflow()
        assert raised.value.tokens_and_window() == (9020, 8192)


def test_images_are_sent_as_ollama_expects_them() -> None:
    request = Request((Message("user", "look", (Image(b"png", "image/png"),)),), "m")
    assert native_body(request, 8192)["messages"] == [
        {"role": "user", "content": "look", "images": ["cG5n"]}
    ]


def test_tool_calls_pass_through() -> None:
    call = {"function": {"name": "look_up", "arguments": {"at": "here"}}}
    line = {"message": {"content": "", "tool_calls": [call, call]}, "done": False}
    chunks = read(line, {"done": True})
    calls = [call for chunk in chunks for call in chunk.tool_calls]
    assert [(call.name, call.arguments) for call in calls] == [
        ("look_up", '{"at": "here"}')
    ] * 2


def test_tools_and_their_calls_are_sent() -> None:
    tool = Tool("rows", "Count rows.", {"type": "object", "properties": {}})
    call = ToolCall("1", "rows", '{"name": "df"}')
    messages = (
        *HELLO,
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "3", tool_call_id="1"),
    )
    body = native_body(Request(messages, "m", tools=(tool,)), 0)
    assert body["tools"][0]["function"]["name"] == "rows"
    function = {"name": "rows", "arguments": {"name": "df"}}
    assert body["messages"][1]["tool_calls"] == [{"function": function}]
    assert body["messages"][2] == {"role": "tool", "content": "3"}
