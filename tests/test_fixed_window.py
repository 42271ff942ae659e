"""The context window of the settings, with which Ollama loads a model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Chunk, Image, Message, Request, Usage
from codebuddy_jupyter.providers.http.chat_stream import ChatStream
from codebuddy_jupyter.providers.kinds.ollama_chat import Lines, native_body
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.kinds import (
    OLLAMA,
    TEXT,
    VLLM_SERVER,
    lines,
)
from tests.support.local_calls import CHAT, GENERATE, NATIVE, PS, WIDE, run, window
from tests.support.scripted_server import (
    ScriptedServer,
    as_json,
)

# The window that the user wants of Ollama


async def question(provider: LocalProvider, **fields: Any) -> tuple[int | None, str]:
    size = await provider.window("qwen3:8b")
    request = Request((Message("user", "hello"),), "qwen3:8b", **fields)
    return size, "".join([chunk.text async for chunk in provider.stream(request)])


def ps(window: int) -> Any:
    return as_json({"models": [{"name": "qwen3:8b", "context_length": window}]})


NATIVE_REPLY = lines(
    {
        "message": {"role": "assistant", "content": "", "thinking": "Let me count. "},
        "done": False,
    },
    {"message": {"role": "assistant", "content": "One two "}, "done": False},
    {"message": {"role": "assistant", "content": "three."}, "done": False},
    {
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 9,
        "eval_count": 3,
    },
)


@pytest.fixture
def wide(server: ScriptedServer, provider: LocalProvider) -> LocalProvider:
    """A provider of Ollama with a window of its own, in which one falls back to 4,096
    by the usual protocol.
    """
    OLLAMA.on(server)
    server.script(ps(WIDE), ps(4096), ps(WIDE), path=PS)
    server.script(as_json({"done": True, "done_reason": "load"}), path=GENERATE)
    server.script(NATIVE_REPLY, path=NATIVE)
    provider.num_ctx = WIDE
    return provider


def test_ollama_loads_the_model_with_the_window_of_the_settings(
    server: ScriptedServer, wide: LocalProvider
) -> None:
    server.script(ps(WIDE), path=PS)
    assert run(wide, lambda: question(wide)) == [(WIDE, TEXT)]
    assert server.asked(GENERATE)[0]["body"] == {
        "model": "qwen3:8b",
        "stream": False,
        "options": {"num_ctx": WIDE},
    }


def test_where_the_window_stays_requests_go_by_the_usual_protocol(
    server: ScriptedServer, wide: LocalProvider
) -> None:
    server.script(ps(WIDE), path=PS)
    assert run(wide, lambda: question(wide)) == [(WIDE, TEXT)]
    assert [record["body"].get("max_tokens") for record in server.asked(CHAT)] == [
        1,
        None,
    ]
    assert server.asked(NATIVE) == []


def test_where_it_falls_back_requests_go_by_the_protocol_of_ollama(
    server: ScriptedServer, wide: LocalProvider
) -> None:
    assert run(wide, lambda: question(wide, temperature=0.5, max_tokens=99)) == [
        (WIDE, TEXT)
    ]
    assert server.asked(NATIVE)[0]["body"] == {
        "model": "qwen3:8b",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "options": {"num_ctx": WIDE, "temperature": 0.5, "num_predict": 99},
    }
    assert [
        record["body"]["messages"][0]["content"] for record in server.asked(CHAT)
    ] == ["1"]


def test_by_the_protocol_of_ollama_chunks_are_as_any_other(wide: LocalProvider) -> None:
    async def ask() -> list[Chunk]:
        await wide.window("qwen3:8b")
        return [
            chunk
            async for chunk in wide.stream(
                Request((Message("user", "hello"),), "qwen3:8b")
            )
        ]

    chunks: list[Chunk] = run(wide, ask)[0]
    assert [chunk.reasoning for chunk in chunks if chunk.reasoning] == [
        "Let me count. "
    ]
    assert [chunk.text for chunk in chunks if chunk.text] == ["One two ", "three."]
    assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"]
    assert chunks[-1].usage == Usage(9, 3)


def test_once_it_is_known_how_a_wide_question_is_one_request(
    server: ScriptedServer, wide: LocalProvider
) -> None:
    run(wide, lambda: question(wide))
    server.requests.clear()
    run(wide, lambda: question(wide))
    assert [record["path"] for record in server.requests] == [NATIVE]


def test_a_wide_reply_that_breaks_off_is_told_as_that(
    server: ScriptedServer, wide: LocalProvider
) -> None:
    begun = {"message": {"content": "One "}, "done": False}
    server.script(lines(begun, {"error": "llama runner has died"}), path=NATIVE)
    with pytest.raises(errors.ProviderError, match="llama runner has died"):
        run(wide, lambda: question(wide))
    server.script(lines(begun), path=NATIVE)
    with pytest.raises(errors.CutOff):
        run(wide, lambda: question(wide))


def test_a_model_that_cannot_be_loaded_so_is_told_with_the_words_of_the_server(
    server: ScriptedServer, wide: LocalProvider
) -> None:
    server.script(
        as_json({"error": "model requires more system memory (9.1 GiB)"}, 500),
        path=GENERATE,
    )
    with pytest.raises(errors.ServerError, match="more system memory"):
        run(wide, lambda: question(wide))


def test_only_ollama_is_asked_for_a_window(server: ScriptedServer) -> None:
    provider = LocalProvider(base_url=VLLM_SERVER.on(server), num_ctx=WIDE)
    assert window(provider, VLLM_SERVER.chosen) == 8192
    assert server.asked(GENERATE) == []


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (
            {"top_p": 0.9, "seed": 1},
            {"options": {"num_ctx": 8192, "top_p": 0.9, "seed": 1}},
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
        ({"tools": [{"type": "function"}]}, {"tools": [{"type": "function"}]}),
    ],
    ids=["options", "json", "schema", "effort", "tools"],
)
def test_other_fields_find_their_place_in_the_protocol_of_ollama(
    extra: dict[str, Any], expected: dict[str, Any]
) -> None:
    body = native_body(Request((Message("user", "hello"),), "m", extra=extra), 8192)
    assert body.items() >= expected.items()


def test_images_and_tool_calls_pass_through_the_protocol_of_ollama() -> None:
    request = Request((Message("user", "look", (Image(b"png", "image/png"),)),), "m")
    assert native_body(request, 8192)["messages"] == [
        {"role": "user", "content": "look", "images": ["cG5n"]}
    ]
    reading = ChatStream(Lines())
    call = {"function": {"name": "look_up", "arguments": {"at": "here"}}}
    line = {"message": {"content": "", "tool_calls": [call, call]}, "done": False}
    chunks = [
        *reading.feed(json.dumps(line).encode() + b"\n"),
        *reading.feed(b'{"done": true}'),
        *reading.flush(),
    ]
    calls = [call for chunk in chunks for call in chunk.tool_calls]
    assert [(call.name, call.arguments) for call in calls] == [
        ("look_up", '{"at": "here"}')
    ] * 2
    assert reading.is_complete
