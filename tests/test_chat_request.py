"""Requests as the JSON of OpenAI's Chat Completions."""

from __future__ import annotations

from typing import Any

import pytest

from codebuddy_jupyter.errors import ServerError
from codebuddy_jupyter.messages import Image, Message, Request, Tool, ToolCall
from codebuddy_jupyter.providers.chat_request import chat_request, is_strict
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.outcome import ask
from tests.support.scripted_server import ScriptedServer, as_json


def test_the_request_holds_what_was_set_and_nothing_else(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    ask(provider)
    assert server.asked()[-1]["body"] == {
        "model": "llama3",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_options_images_and_other_fields_are_sent(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    messages = (
        Message("system", "be brief"),
        Message("user", "what is it?", (Image(b"\x89PNG", "image/png"),)),
        Message("assistant", "a cat"),
        Message("user", "sure?"),
    )
    ask(
        provider,
        Request(
            messages,
            "llava",
            temperature=0.0,
            max_tokens=5,
            extra={"top_k": 3, "seed": 1},
        ),
    )
    body = server.asked()[-1]["body"]
    assert (body["temperature"], body["max_tokens"], body["top_k"], body["seed"]) == (
        0.0,
        5,
        3,
        1,
    )
    assert [message["role"] for message in body["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert body["messages"][1]["content"] == [
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
    ]


def test_lone_surrogates_are_replaced_and_pairs_joined(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    ask(provider, Request((Message("user", "a\ud800b \ud83d\ude42 é"),), "llama3"))
    assert server.asked()[-1]["body"]["messages"][0]["content"] == "a\ufffdb 🙂 é"


def test_a_prompt_of_ten_megabytes_arrives(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    prompt = "é{" * 5_000_000
    assert ask(provider, Request((Message("user", prompt),), "llama3")).error is None
    assert server.asked()[-1]["body"]["messages"][0]["content"] == prompt


def test_tool_calls_and_their_results_are_sent_as_the_protocol_has_them(
    provider: LocalProvider,
) -> None:
    call = ToolCall("a", "rows", '{"name": "df"}')
    request = Request(
        (
            Message("assistant", "Let me see.", tool_calls=(call,)),
            Message("tool", "3", tool_call_id="a"),
        ),
        "llama3",
    )
    function = {"name": "rows", "arguments": '{"name": "df"}'}
    assert provider.body(request)["messages"] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [{"id": "a", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "3", "tool_call_id": "a"},
    ]


SCHEMA = {
    "type": "object",
    "properties": {"value": {"type": "boolean"}},
    "required": ["value"],
    "additionalProperties": False,
}


def test_a_schema_is_sent_as_the_format_of_the_response(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    ask(provider, Request((Message("user", "late?"),), "llama3", schema=SCHEMA))
    assert server.asked()[-1]["body"]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    }


def test_a_format_that_the_user_sets_wins_over_the_schema() -> None:
    extra = {"response_format": {"type": "text"}}
    request = Request((Message("user", "late?"),), "m", extra=extra, schema=SCHEMA)
    assert chat_request(request, "max_tokens")["response_format"] == {"type": "text"}


def test_a_server_without_schemas_is_asked_for_json() -> None:
    request = Request((Message("user", "late?"),), "m", schema=SCHEMA)
    body = chat_request(request, "max_tokens", takes_schemas=False)
    assert body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "string"}, True),
        ({"enum": ["a", 1]}, True),
        ({"$ref": "#/$defs/Node"}, True),
        ({"type": "array", "items": SCHEMA}, True),
        ({"anyOf": [SCHEMA, {"type": "null"}]}, True),
        ({}, False),
        ({"type": "object"}, False),
        ({"type": "object", "additionalProperties": {"type": "string"}}, False),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, False),
        ({"type": "array", "items": {}}, False),
        ({"anyOf": [{"type": "object"}, {"type": "null"}]}, False),
    ],
    ids=str,
)
def test_only_what_clouds_define_is_asked_for_strictly(
    part: dict[str, Any], expected: bool
) -> None:
    schema = {**SCHEMA, "properties": {"value": part}}
    assert is_strict(schema) is expected
    assert is_strict({**SCHEMA, "$defs": {"Part": part}}) is expected


def test_tools_are_functions() -> None:
    tool = Tool("rows", "Count rows.", {"type": "object", "properties": {}})
    request = Request((Message("user", "hello"),), "m", tools=(tool,))
    function = {
        "name": "rows",
        "description": "Count rows.",
        "parameters": {"type": "object", "properties": {}},
    }
    tools = chat_request(request, "max_tokens")["tools"]
    assert tools == [{"type": "function", "function": function}]


def test_a_server_that_refuses_tools_is_not_asked_without_them(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(as_json({"error": {"message": "tools is not supported"}}, 400))
    tool = Tool("rows", "Count rows.", {"type": "object", "properties": {}})
    request = Request((Message("user", "hello"),), "m", tools=(tool,))
    outcome = ask(provider, request)
    assert isinstance(outcome.error, ServerError)
    assert outcome.chunks == []
