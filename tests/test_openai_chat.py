"""What servers really do on the wire, each deviation with what the user gets to see."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from traitlets import TraitError

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Chunk, Image, Message, Request, ToolCall, Usage
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.scripted_server import (
    CHAT,
    DONE,
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    event,
    hang,
    model_list,
    plain,
    reply,
    stream,
    usage,
)

HELLO = Request((Message("user", "hello"),), "llama3")
SECRET = "sk-very-secret-0123456789"


@dataclass
class Outcome:
    """What came of a question: the chunks, and the error if it ended in one."""

    chunks: list[Chunk] = field(default_factory=list)
    error: errors.ProviderError | None = None

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def reasoning(self) -> str:
        return "".join(chunk.reasoning for chunk in self.chunks)

    @property
    def calls(self) -> list[ToolCall]:
        return [call for chunk in self.chunks for call in chunk.tool_calls]

    @property
    def line(self) -> str:
        line = str(self.error)
        assert "\n" not in line
        assert len(line) < 900
        return line


async def asking(provider: LocalProvider, request: Request = HELLO) -> Outcome:
    outcome = Outcome()
    try:
        async for chunk in provider.stream(request):
            outcome.chunks.append(chunk)
    except errors.ProviderError as error:
        outcome.error = error
    return outcome


def ask(provider: LocalProvider, request: Request = HELLO) -> Outcome:
    async def once() -> Outcome:
        outcome = await asking(provider, request)
        await provider.close()
        return outcome

    return asyncio.run(once())


# Streams


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


def test_a_usage_of_zeros_in_every_chunk_is_left_out(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    zeros = {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}
    server.script(stream({**delta("Hi"), **zeros}, {**delta(finish="stop"), **zeros}))
    assert not any(chunk.usage for chunk in ask(provider).chunks)


def test_a_server_that_refuses_to_count_is_asked_again_without_and_that_is_remembered(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    refusal = as_json(
        {"error": {"message": "Unrecognized request argument: stream_options"}}, 400
    )
    server.script(refusal, stream(delta("Hi"), delta(finish="stop")))
    outcome = ask(provider)
    assert outcome.text == "Hi"
    assert (
        outcome.chunks[0].note
        == "This server does not count tokens while streaming: it refused stream_options."
    )
    assert not any(chunk.note for chunk in ask(provider).chunks)
    assert ["stream_options" in asked["body"] for asked in server.asked()] == [
        True,
        False,
        False,
    ]


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


# Answers that are errors


HTML_502 = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    "<body><h1>502</h1></body></html>"
)
REFUSALS = {
    "HTML": (plain(HTML_502, "text/html", 502), "(502): 502 Bad Gateway."),
    "text": (plain("upstream\n\n broke", "text/plain", 500), "(500): upstream broke."),
    "nothing": (plain("", "text/plain", 500), "(500): no message."),
    "an object": (
        as_json({"error": {"message": "bad", "type": "x"}}, 400),
        "(400): bad.",
    ),
    "a text in JSON": (as_json({"error": "bad"}, 400), "(400): bad."),
    "detail": (as_json({"detail": "bad"}, 422), "(422): bad."),
    "a list of details": (
        as_json({"detail": [{"loc": ["body"], "msg": "field required"}]}, 422),
        "field required.",
    ),
    "JSON inside a string": (
        as_json({"error": {"message": '{"error":{"message":"deep down"}}'}}, 400),
        "(400): deep down.",
    ),
    "a message beside a flag": (
        as_json({"error": True, "message": "flagged"}, 400),
        "(400): flagged.",
    ),
    "too often": (
        as_json({"error": {"message": "slow down"}}, 429),
        "is rate-limiting (429): slow down. Retry later; or switch: %buddy /use",
    ),
    "a wrong path": (
        plain("404 page not found", status=404),
        "404 page not found. Check the base URL: %config",
    ),
    "codes that would steer a terminal": (
        plain("\x1b[2J\x1b]0;x\x07bad", status=500),
        "(500): [2J ]0;x bad.",
    ),
}


@pytest.mark.parametrize(("answer", "said"), REFUSALS.values(), ids=REFUSALS.keys())
def test_the_servers_own_words_are_found(
    server: ScriptedServer, provider: LocalProvider, answer: Answer, said: str
) -> None:
    server.script(answer)
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.ServerError)
    assert outcome.error.status == answer.status
    assert said in outcome.line
    assert "\x1b" not in outcome.line


def test_long_words_are_cut(server: ScriptedServer, provider: LocalProvider) -> None:
    server.script(plain("blah " * 10_000, status=500))
    assert len(ask(provider).line) < 500


OLLAMA_404 = {
    "error": {
        "message": 'model "lama3" not found, try pulling it first',
        "type": "not_found_error",
    }
}
OPENAI_404 = {
    "error": {"message": "The model `lama3` does not exist", "code": "model_not_found"}
}


@pytest.mark.parametrize("body", [OLLAMA_404, OPENAI_404], ids=["Ollama", "OpenAI"])
def test_an_unknown_model_names_the_ones_that_are_there_nearest_first(
    server: ScriptedServer, provider: LocalProvider, body: dict[str, Any]
) -> None:
    server.script(as_json(body, 404))
    server.script(model_list(*(f"other{i}" for i in range(9)), "llama3"), path=MODELS)
    outcome = ask(provider, Request(HELLO.messages, "lama3"))
    assert isinstance(outcome.error, errors.ModelNotFound)
    assert outcome.line == (
        f"There is no model 'lama3' at {server.url}. It has llama3, other0, "
        "other1, other2, other3, other4, other5, "
        "other6 and 2 more. Switch: %buddy /use llama3"
    )


def test_an_unknown_model_on_a_server_that_lists_none(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(as_json(OLLAMA_404, 404))
    server.script(plain("no", status=500), path=MODELS)
    outcome = ask(provider, Request(HELLO.messages, "lama3"))
    assert isinstance(outcome.error, errors.ModelNotFound)
    assert "it lists none" in outcome.line


def test_a_server_that_wants_a_key_says_how_to_give_one(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(as_json({"error": {"message": "Missing API key"}}, 401))
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.KeyRefused)
    assert outcome.line == (
        f"{server.url} requires a key (Missing API key). Set the environment "
        "variable CODEBUDDY_API_KEY; "
        "or store a key, in a terminal: codebuddy key Local"
    )


def test_a_key_that_a_server_echoes_is_redacted(
    server: ScriptedServer, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_API_KEY", SECRET)
    server.script(
        as_json({"error": {"message": f"Incorrect API key provided: {SECRET}."}}, 401)
    )
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.KeyRefused)
    assert server.asked()[-1]["headers"]["authorization"] == f"Bearer {SECRET}"
    assert (
        f"{server.url} rejects the key for Local "
        "(Incorrect API key provided: [redacted: API key].)." in outcome.line
    )
    assert SECRET not in "".join(traceback.format_exception(outcome.error))
    assert SECRET not in repr(vars(provider))


def test_a_server_that_forbids_without_a_key_is_not_said_to_want_one(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(plain("origin not allowed", status=403))
    assert "(403): origin not allowed." in ask(provider).line


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_told_and_not_followed(
    server: ScriptedServer, provider: LocalProvider, status: int
) -> None:
    with ScriptedServer() as elsewhere:
        location = f"{elsewhere.url}/chat/completions"
        server.script(plain("", status=status, Location=location))
        outcome = ask(provider)
        assert isinstance(outcome.error, errors.ServerError)
        assert outcome.line == (
            f"{server.url} redirects to {location}; a key is not sent there automatically. "
            f'If that is right: %config LocalProvider.base_url = "{elsewhere.url}"'
        )
        assert elsewhere.requests == []


# The prompt is too long


LLAMA_CPP = {
    "error": {
        "code": 400,
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9020,
        "n_ctx": 8192,
        "message": (
            "request (9020 tokens) exceeds the available context size (8192 "
            "tokens), try increasing it"
        ),
    }
}
VLLM = (
    "This model's maximum context length is 8192 tokens. However, you requested "
    "9020 tokens (in the messages)."
)
LM_OVERFLOW = (
    "Trying to keep the first 9020 tokens when context the overflows. However, the "
    "model is loaded with "
)
TOO_LONG = {
    "llama.cpp": (as_json(LLAMA_CPP, 400), 9020, 8192),
    "llama.cpp, in the stream": (stream(LLAMA_CPP, done=False), 9020, 8192),
    "Ollama, JSON inside JSON": (
        as_json({"error": {"message": json.dumps(LLAMA_CPP)}}, 400),
        9020,
        8192,
    ),
    "vLLM": (
        as_json({"object": "error", "message": VLLM, "code": 400}, 400),
        9020,
        8192,
    ),
    "OpenAI": (
        as_json(
            {
                "error": {
                    "code": "context_length_exceeded",
                    "message": "This model's maximum context length is 8192 tokens. "
                    "However, your messages resulted in 9,020 tokens.",
                }
            },
            400,
        ),
        9020,
        8192,
    ),
    "LM Studio, as an event": (
        Answer(
            pieces=[
                (
                    0,
                    (
                        "event: error\n"
                        f"data: {LM_OVERFLOW}context length of only 8192 tokens\n\n"
                    ).encode(),
                )
            ]
        ),
        9020,
        8192,
    ),
    "a good status": (as_json({"error": VLLM}), 9020, 8192),
    "no numbers": (as_json({"error": "the tokens to keep exceed it"}, 400), None, None),
}


@pytest.mark.parametrize(
    ("answer", "tokens", "window"), TOO_LONG.values(), ids=TOO_LONG.keys()
)
def test_a_prompt_that_is_too_long_tells_how_long_and_how_large_the_window_is(
    server: ScriptedServer,
    provider: LocalProvider,
    answer: Answer,
    tokens: int | None,
    window: int | None,
) -> None:
    server.script(answer)
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.PromptTooLong)
    assert (outcome.error.tokens, outcome.error.window) == (tokens, window)
    if tokens:
        assert outcome.line.startswith(
            "The prompt is too long for llama3: 9,020 tokens for a context "
            "window of 8,192. Shorten it; or start a new conversation: "
            "%buddy /reset; or load the model with a larger context window"
        )


def test_the_log_of_a_runner_that_died_is_no_prompt_that_is_too_long(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    log = (
        "llama.cpp terminated unexpectedly:\nllama_context: n_ctx = 4096\n"
        "n_ctx_train = 8192, context size is fine"
    )
    server.script(plain(f"unable to load runner: {log}", status=500))
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.ServerError)
    assert "unable to load runner" in outcome.line


# Requests


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


def test_neither_key_nor_address_nor_account_of_openai_is_taken_from_the_environment(
    server: ScriptedServer, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "OPENAI_ADMIN_KEY",
    ):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv(
        "OPENAI_CUSTOM_HEADERS", f"X-Secret: {SECRET}\nAuthorization: Bearer {SECRET}"
    )
    assert ask(provider).error is None
    headers = server.asked()[-1]["headers"]
    assert headers["authorization"] == "Bearer not-needed"
    assert SECRET not in str(headers)


def test_a_request_tells_nothing_of_this_machine(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    ask(provider)
    assert not [name for name in server.asked()[-1]["headers"] if name.startswith("x-")]


def test_loopback_never_goes_through_a_proxy(
    server: ScriptedServer, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert ask(provider).error is None


def test_localhost_finds_a_server_that_listens_on_ipv4_only(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.base_url = f"http://localhost:{server.port}/v1"
    assert ask(provider).error is None


def test_an_ipv6_address_is_reached(provider: LocalProvider) -> None:
    try:
        running = ScriptedServer(host="::1").__enter__()
    except AssertionError:
        # this machine has no IPv6 loopback
        return
    provider.base_url = f"::1:{running.port}"
    try:
        assert ask(provider).error is None
    finally:
        running.__exit__()


def test_two_streams_run_side_by_side_on_one_provider(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(Answer(tokens=50, per_second=500))

    async def both() -> list[Outcome]:
        return list(await asyncio.gather(asking(provider), asking(provider)))

    first, second = asyncio.run(both())
    assert first.error is second.error is None
    assert first.text == second.text != ""


def test_offline_refuses_another_machine_before_any_connection(
    provider: LocalProvider,
) -> None:
    provider.offline = True
    provider.base_url = "http://models.invalid:1234"
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.Offline)
    assert outcome.line == (
        "The buddy is offline and does not send to models.invalid:1234. Ask a "
        "model on this machine: "
        "%buddy /use Local; or allow this host: %config Buddy.allowed_hosts = "
        '["models.invalid:1234"]; '
        "or leave offline mode: %config Buddy.offline = False"
    )


def test_offline_lets_loopback_through(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.offline = True
    assert ask(provider).error is None


# Waiting, and the end of it


def test_a_server_that_loads_its_model_is_waited_for_and_the_user_told(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    loading = as_json(
        {
            "error": {
                "code": 503,
                "message": "Loading model",
                "type": "unavailable_error",
            }
        },
        503,
    )
    server.script(loading, loading, reply("Hi there"))
    outcome = ask(provider)
    assert outcome.text == "Hi there"
    assert [c.note for c in outcome.chunks if c.note] == [
        "The server is still loading the model; waiting for it."
    ]


def test_a_server_that_never_gets_ready_is_given_up(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(as_json({"error": {"message": "Loading model"}}, 503))
    provider.first_token_timeout = 1.0
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.ServerError)
    assert "(503): Loading model." in outcome.line


def test_a_silent_server_is_given_up_after_the_first_token_timeout(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(hang())
    provider.first_token_timeout = 1.0
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.Unreachable)
    assert outcome.line == (
        f"{server.url} accepted the request and sent nothing for 1 s. "
        "If the model needs longer to load: "
        "%config LocalProvider.first_token_timeout = 2"
    )


def test_a_server_that_falls_silent_in_its_answer_cuts_it_off(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(stream(delta("partial"), done=False, end="hang"))
    provider.next_token_timeout = 0.5
    outcome = ask(provider)
    assert outcome.text == "partial"
    assert isinstance(outcome.error, errors.CutOff)
    assert outcome.line == (
        f"The reply from {server.url} paused for 0.5 s. "
        "The part that was received is kept. "
        "Wait longer: %config LocalProvider.next_token_timeout = 1"
    )


def test_an_end_that_is_followed_by_nothing_does_not_keep_the_user_waiting(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(stream(delta("Hi there"), delta(finish="stop"), end="hang"))
    assert ask(provider).error is None


def test_a_port_where_nothing_listens(provider: LocalProvider) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        provider.base_url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        outcome = ask(provider)
    assert isinstance(outcome.error, errors.Unreachable)
    assert outcome.line == (
        f"Nothing answers at {provider.url} (connection refused). Start the "
        "server there; or use another address: "
        '%config LocalProvider.base_url = "http://localhost:11434/v1"'
    )
    assert outcome.error.__cause__ is not None


def test_a_host_that_does_not_exist(provider: LocalProvider) -> None:
    provider.base_url = "http://models.invalid:1234"
    assert ask(provider).line.startswith(
        "Nothing answers at http://models.invalid:1234/v1 (there is no such host). "
    )


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


def test_https_to_a_server_that_speaks_http_is_told(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.base_url = f"https://127.0.0.1:{server.port}"
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.Unreachable)
    assert outcome.line.startswith(
        f"There is no secure connection to {provider.url} (TLS: "
    )
    assert outcome.line.endswith(
        f'If the server speaks plain HTTP: %config LocalProvider.base_url = "{server.url}"'
    )


def hang_up(listener: socket.socket, times: int) -> threading.Thread:
    """Take this many connections, read what is asked, and close them without a word."""

    def serve() -> None:
        for _ in range(times):
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_connection_that_is_closed_without_a_word_is_told(
    mute: socket.socket, provider: LocalProvider
) -> None:
    thread = hang_up(mute, times=2)
    provider.base_url = f"http://127.0.0.1:{mute.getsockname()[1]}"
    outcome = ask(provider)
    thread.join(5)
    assert isinstance(outcome.error, errors.NoReply)
    assert outcome.line.startswith(
        f"{provider.url} closed the connection without an answer"
    )


def test_a_question_is_put_again_once_when_its_connection_was_given_up(
    mute: socket.socket, provider: LocalProvider
) -> None:
    thread = hang_up(mute, times=1)

    def answer() -> None:
        thread.join(5)
        connection, _ = mute.accept()
        connection.recv(65536)
        body = event(delta("again", finish="stop"))
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            + body
        )
        connection.close()

    second = threading.Thread(target=answer)
    second.start()
    provider.base_url = f"http://127.0.0.1:{mute.getsockname()[1]}"
    outcome = ask(provider)
    second.join(5)
    assert (outcome.text, outcome.error) == ("again", None)


def test_cancelling_while_connecting_ends_the_question(
    mute: socket.socket, provider: LocalProvider
) -> None:
    # the TLS handshake never ends
    provider.base_url = f"https://127.0.0.1:{mute.getsockname()[1]}"

    async def cancel() -> None:
        task = asyncio.create_task(asking(provider))
        connection, _ = await asyncio.to_thread(mute.accept)
        with connection:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())


PHASES = {
    "before the headers": (hang(), "arrived"),
    "before the first token": (Answer(end="hang"), "arrived"),
    "in the midst": (Answer(tokens=1000, per_second=50), "first"),
}


@pytest.mark.parametrize(("answer", "moment"), PHASES.values(), ids=PHASES.keys())
def test_cancelling_closes_the_connection(
    server: ScriptedServer, provider: LocalProvider, answer: Answer, moment: str
) -> None:
    server.script(answer)

    async def cancel() -> None:
        task = asyncio.create_task(asking(provider))
        await asyncio.to_thread(server.wait_for, moment)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(server.wait_for, "closed")

    asyncio.run(cancel())


def test_closing_the_iterator_closes_the_connection(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(Answer(tokens=1000, per_second=50))

    async def close() -> None:
        async with aclosing(cast(Any, provider.stream(HELLO))) as chunks:
            assert (await anext(chunks)).text
        await asyncio.to_thread(server.wait_for, "closed")

    asyncio.run(close())


LEFT_EARLY = {
    "an error in the stream": (
        stream(delta("Half"), {"error": "no"}, done=False, end="hang"),
        "Response.aiter_bytes",
    ),
    "an error of a megabyte": (
        Answer(status=500, pieces=[(0, b"x" * 2**20)], end="hang"),
        "BoundAsyncStream.__aiter__",
    ),
}


@pytest.mark.parametrize(("answer", "reader"), LEFT_EARLY.values(), ids=LEFT_EARLY)
def test_no_body_that_is_left_early_waits_for_the_garbage_collector(
    server: ScriptedServer, provider: LocalProvider, answer: Answer, reader: str
) -> None:
    left: list[str] = []

    async def once() -> None:
        sys.set_asyncgen_hooks(finalizer=lambda generator: left.append(repr(generator)))
        assert (await asking(provider)).error
        await provider.close()
        gc.collect()

    server.script(answer)
    asyncio.run(once())
    assert [one for one in left if reader in one] == []


def test_a_connection_is_used_again_for_the_next_question(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    async def twice() -> None:
        await asking(provider)
        await asking(provider)
        assert [asked["closed"] for asked in server.asked()] == [None, None]
        await provider.close()

    asyncio.run(twice())
    assert len(server.asked(CHAT)) == 2


# Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_url", "not a url"),
        ("base_url", ""),
        ("base_url", "ftp://host"),
        ("base_url", "http://user:password@host"),
        ("connect_timeout", -1.0),
        ("first_token_timeout", -1.0),
        ("temperature", -0.1),
        ("max_tokens", 0),
    ],
)
def test_a_bad_setting_is_refused_and_the_old_value_stays(
    provider: LocalProvider, name: str, value: Any
) -> None:
    before = getattr(provider, name)
    with pytest.raises(TraitError):
        setattr(provider, name, value)
    assert getattr(provider, name) == before


def test_the_base_url_stays_as_typed_and_is_shown_as_used(
    provider: LocalProvider,
) -> None:
    provider.base_url = "localhost:1234/"
    assert provider.base_url == "localhost:1234/"
    assert provider.where() == "http://localhost:1234/v1"


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
