"""What servers refuse that can be asked otherwise: once, with a line, and remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers.adaptation import (
    MERGED,
    NO_STREAM,
    NO_SYSTEM,
    in_turn,
)
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.outcome import WITH_OPTIONS, Outcome, ask
from tests.support.scripted_server import (
    Answer,
    ScriptedServer,
    as_json,
    delta,
    event,
    reply,
    stream,
)

WITH_SYSTEM = Request((Message("system", "Be brief."), Message("user", "hi")), "llama3")


def refusal(message: str, status: int = 400, **fields: Any) -> Answer:
    return as_json({"error": {"message": message, **fields}}, status)


def notes(outcome: Outcome) -> list[str]:
    return [chunk.note for chunk in outcome.chunks if chunk.note]


def ask_twice(
    server: ScriptedServer,
    provider: LocalProvider,
    request: Request,
    *refusals: Answer,
) -> tuple[list[str], dict[str, Any]]:
    """The lines of an answer after these refusals, and the request that was taken; the
    same request, without a line, is the first that is sent next time.
    """
    server.script(*refusals, reply("Hi"))
    outcome = ask(provider, request)
    assert outcome.error is None
    assert outcome.text == "Hi"
    assert len(server.asked()) == len(refusals) + 1
    taken = server.asked()[-1]["body"]
    assert not notes(ask(provider, request))
    assert server.asked()[-1]["body"] == taken
    return notes(outcome), taken


SYSTEM_REFUSALS = {
    "Gemma": refusal("System role not supported"),
    "llama.cpp": refusal("Jinja Exception: System role not supported", 500),
    "Mistral": refusal(
        "Conversation roles must alternate user/assistant/user/assistant/..."
    ),
    "Google": refusal("Developer instruction is not enabled for models/gemma-3-27b-it"),
    "OpenAI": refusal(
        "Unsupported value: 'messages[0].role' does not support 'system' with this model."
    ),
    "Bedrock": refusal("A conversation must start with a user message."),
    "vLLM": as_json(
        {"object": "error", "message": "Only user and assistant roles are supported!"},
        400,
    ),
    "pydantic": as_json(
        {
            "detail": [
                {
                    "loc": ["body", "messages", 0, "role"],
                    "msg": "Input should be 'user' or 'assistant'",
                }
            ]
        },
        422,
    ),
    "in the stream": Answer(
        pieces=[(0.0, event({"error": {"message": "System role not supported"}}))]
    ),
}


@pytest.mark.parametrize("answer", SYSTEM_REFUSALS.values(), ids=SYSTEM_REFUSALS.keys())
def test_without_a_system_role_the_system_text_goes_into_the_first_question(
    server: ScriptedServer, provider: LocalProvider, answer: Answer
) -> None:
    told, taken = ask_twice(server, provider, WITH_SYSTEM, answer)
    assert told == [NO_SYSTEM]
    assert taken["messages"] == [{"role": "user", "content": "Be brief.\n\nhi"}]


def test_the_system_role_is_sent_to_other_models_as_before(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(refusal("System role not supported"), reply("Hi"))
    ask(provider, WITH_SYSTEM)
    ask(provider, replace(WITH_SYSTEM, model="other"))
    roles = [message["role"] for message in server.asked()[-1]["body"]["messages"]]
    assert roles == ["system", "user"]


def test_questions_in_a_row_are_joined_where_roles_must_alternate(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    request = Request((Message("user", "one"), Message("user", "two")), "llama3")
    words = "Conversation roles must alternate user/assistant/user/assistant/..."
    told, taken = ask_twice(server, provider, request, refusal(words))
    assert told == [MERGED]
    assert taken["messages"] == [{"role": "user", "content": "one\n\ntwo"}]


def test_a_system_role_that_is_refused_again_is_an_error(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(refusal("System role not supported"))
    outcome = ask(provider, WITH_SYSTEM)
    assert "System role not supported. " in outcome.line
    assert len(server.asked()) == 2


def test_messages_in_turn_keep_images_and_calls() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:…"}}
    call = {"role": "assistant", "content": "", "tool_calls": [{"id": "a"}]}
    result = {"role": "tool", "content": "3", "tool_call_id": "a"}
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, image]},
        call,
        result,
        {**result, "tool_call_id": "b"},
    ]
    first, *rest = in_turn(messages)
    text = {"type": "text", "text": "Be brief."}
    assert first == {
        "role": "user",
        "content": [text, {"type": "text", "text": "hi"}, image],
    }
    assert rest == messages[2:]


TEMPERATURE_REFUSALS = [
    "`temperature` is deprecated for this model.",
    "Unsupported value: 'temperature' does not support 0.5 with this model. Only the "
    "default (1) value is supported.",
    "temperature: Extra inputs are not permitted",
    "`temperature` may only be set to 1 when thinking is enabled.",
    "temperature cannot be used with reasoning models",
    "This model doesn't accept temperature",
    "property 'temperature' is unsupported",
    "temperature is not available for this model",
    "Please remove temperature from the request",
    "'temperature' must be omitted",
    "temperature must be 1",
    "temperature is no longer accepted",
]


@pytest.mark.parametrize("words", TEMPERATURE_REFUSALS)
def test_a_refused_temperature_is_left_out_however_it_is_refused(
    server: ScriptedServer, provider: LocalProvider, words: str
) -> None:
    told, taken = ask_twice(server, provider, WITH_OPTIONS, refusal(words))
    assert told == ["This server does not support temperature, so it was left out."]
    assert "temperature" not in taken
    assert taken["seed"] == 1


@pytest.mark.parametrize(
    "words",
    [
        "temperature must be between 0 and 0.2",
        "Invalid value for 'temperature': expected a number",
        "max_tokens is too large: 9. This model supports at most 4 tokens",
        "out of memory",
    ],
)
def test_a_value_that_is_out_of_range_is_an_error(
    server: ScriptedServer, provider: LocalProvider, words: str
) -> None:
    server.script(refusal(words))
    assert words in ask(provider, WITH_OPTIONS).line
    assert len(server.asked()) == 1


def test_the_field_that_the_error_names_by_itself_is_meant(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    words = "Unsupported parameter; temperature and max_tokens are fine"
    told, taken = ask_twice(
        server, provider, WITH_OPTIONS, refusal(words, param="seed")
    )
    assert "seed" in told[0]
    assert "seed" not in taken


RENAMED = {
    "OpenAI": "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead.",
    "in favour of": "max_tokens is deprecated in favor of max_completion_tokens",
    "without the new name": "max_tokens is not supported with this model",
}


@pytest.mark.parametrize("words", RENAMED.values(), ids=RENAMED)
def test_a_renamed_limit_is_sent_by_its_new_name(
    server: ScriptedServer, provider: LocalProvider, words: str
) -> None:
    told, taken = ask_twice(server, provider, WITH_OPTIONS, refusal(words))
    assert told == ["This server expects max_completion_tokens instead of max_tokens."]
    assert taken["max_completion_tokens"] == 9
    assert "max_tokens" not in taken


def test_another_name_that_the_server_mentions_is_tried(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    words = "unknown field max_tokens, use max_output_tokens"
    _, taken = ask_twice(server, provider, WITH_OPTIONS, refusal(words))
    assert taken["max_output_tokens"] == 9


def test_a_limit_that_is_refused_by_each_name_is_left_out(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    refusals = [
        refusal(f"{name} is not supported")
        for name in ("max_tokens", "max_completion_tokens")
    ]
    told, taken = ask_twice(server, provider, WITH_OPTIONS, *refusals)
    assert len(told) == 2
    assert not [name for name in taken if "tokens" in name]


VERIFY = "Your organization must be verified to stream this model."


def test_a_model_that_does_not_stream_is_asked_for_the_whole_answer(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    message = {"role": "assistant", "content": "Hi"}
    whole = as_json({"choices": [{"message": message, "finish_reason": "stop"}]})
    server.script(refusal(VERIFY, param="stream"), whole)
    outcome = ask(provider)
    assert (outcome.text, notes(outcome)) == ("Hi", [NO_STREAM])
    assert not notes(ask(provider))
    taken = server.asked()[-1]["body"]
    assert taken["stream"] is False
    assert "stream_options" not in taken


def test_who_must_be_verified_is_told_so(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(refusal(VERIFY, param="stream"))
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.ServerError)
    assert "requires a verified account (400: " in outcome.line
    assert "Verify the account" in outcome.line
    assert "%buddy /models" in outcome.line


def test_all_that_a_server_refuses_is_learned_one_after_the_other(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    request = replace(WITH_OPTIONS, messages=WITH_SYSTEM.messages)
    refusals = [
        refusal("System role not supported"),
        refusal("`temperature` is deprecated for this model"),
        refusal("Use 'max_completion_tokens'; 'max_tokens' is not supported"),
        refusal("stream_options: Extra inputs are not permitted", 422),
    ]
    told, _ = ask_twice(server, provider, request, *refusals)
    assert len(told) == 4


def test_an_error_after_the_first_words_is_never_asked_again(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    broken = {"error": {"message": "System role not supported"}}
    server.script(stream(delta("Half"), broken, done=False))
    outcome = ask(provider, WITH_SYSTEM)
    assert outcome.text == "Half"
    assert isinstance(outcome.error, errors.ServerError)
    assert len(server.asked()) == 1
