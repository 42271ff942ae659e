"""A provider of OpenAI's Chat Completions: what it sends, waits for and remembers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from traitlets import TraitError

from codebuddy_jupyter import errors
from codebuddy_jupyter.providers.http import timeouts
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.outcome import SECRET, ask, chunks_of, notes_of, text_of
from tests.support.scripted_server import (
    ScriptedServer,
    as_json,
    delta,
    hang,
    reply,
    stream,
)


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
    server: ScriptedServer, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script(as_json({"error": {"message": "Loading model"}}, 503))
    # The third request would come too late.
    monkeypatch.setattr(timeouts, "BACKOFF", (0.1, 3600.0))
    provider.first_token_timeout = 60.0
    outcome = ask(provider)
    assert len(server.asked()) == 2
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


# Logins and queries in the base URL


def test_a_login_in_the_base_url_is_sent_to_its_host_and_never_shown(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.base_url = server.url.replace("http://", "http://jo:hush%20hush@")
    assert provider.base_url == server.url
    assert provider.url == server.url
    assert ask(provider).error is None
    sent = [asked["headers"].get("authorization") for asked in server.requests]
    assert set(sent) == {"Basic am86aHVzaCBodXNo"}
    assert "hush" not in str(provider.saved_state())
    assert "hush hush" in provider.secrets().values()
    assert "hush" not in repr(asyncio.run(provider.server()))


def test_a_login_is_not_sent_to_another_host(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.base_url = "http://jo:hush@gpu.lan:1"
    provider.base_url = server.url
    ask(provider)
    sent = [asked["headers"].get("authorization") for asked in server.requests]
    assert set(sent) == {"Bearer not-needed"}


def test_a_login_comes_from_the_environment_as_well(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.url.replace("http://", "http://jo:hush@")
    monkeypatch.setenv("CODEBUDDY_BASE_URL", url)
    provider = LocalProvider()
    assert provider.base_url == server.url
    assert ask(provider).error is None
    assert server.asked()[-1]["headers"]["authorization"].startswith("Basic ")


def test_a_query_of_the_base_url_is_sent_with_each_request(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    query = "?api-version=2024-10-21&subscription-key=hush"
    provider.base_url = f"{server.url}/chat/completions{query}"
    server.script(reply("Hi"), path=f"/v1/chat/completions{query}")
    server.script(as_json({"data": [{"id": "llama3"}]}), path=f"/v1/models{query}")
    assert ask(provider).text == "Hi"
    assert [model.name for model in asyncio.run(provider.models())] == ["llama3"]
    assert all(asked["path"].endswith(query) for asked in server.requests)
    assert "hush" in provider.secrets().values()


# Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_url", "not a url"),
        ("base_url", ""),
        ("base_url", "ftp://host"),
        ("base_url", "http://user:password@"),
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


# Fields that a server does not take

REFUSED = {
    "OpenAI": (
        {
            "error": {
                "message": "Unsupported parameter: 'temperature' is not supported with this model."
            }
        },
        400,
    ),
    "OpenAI, by its value": (
        {
            "error": {
                "message": "Unsupported value: 'temperature' does not support 0.5",
                "param": "temperature",
            }
        },
        400,
    ),
    "FastAPI": (
        {
            "detail": [
                {
                    "loc": ["body", "temperature"],
                    "msg": "Extra inputs are not permitted",
                }
            ]
        },
        422,
    ),
    "text": ("unknown field: temperature", 400),
}


@pytest.mark.parametrize(("body", "status"), REFUSED.values(), ids=REFUSED)
def test_a_field_that_is_refused_is_left_out_with_a_line_and_that_is_remembered(
    server: ScriptedServer, provider: LocalProvider, body: Any, status: int
) -> None:
    server.script(as_json(body, status), reply("Hi"))
    first = chunks_of(provider)
    assert text_of(first) == "Hi"
    assert notes_of(first) == [
        "This server does not support temperature, so it was left out."
    ]
    assert notes_of(chunks_of(provider)) == []
    assert ["temperature" in asked["body"] for asked in server.asked()] == [
        True,
        False,
        False,
    ]
    assert all(
        asked["body"]["seed"] == 1 and asked["body"]["max_tokens"] == 9
        for asked in server.asked()
    )


def test_several_fields_are_left_out_one_after_the_other(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    refusals = [
        as_json({"error": f"unknown field {name}"}, 400)
        for name in ("seed", "max_tokens", "temperature")
    ]
    usage = as_json({"error": {"message": "stream_options is not allowed"}}, 400)
    server.script(*refusals, usage, reply("Hi"))
    assert len(notes_of(chunks_of(provider))) == 4
    assert set(server.asked()[-1]["body"]) == {"model", "messages", "stream"}


KEPT = {
    "a value that is not right": "temperature must be between 0 and 0.2",
    "a field that was not sent": "unknown field: top_k",
    "what no request does without": "unsupported messages: the model is unknown",
    "a prompt that is too long": "context length exceeded: max_tokens is not supported beyond it",
}


@pytest.mark.parametrize("words", KEPT.values(), ids=KEPT)
def test_other_complaints_leave_the_request_as_it_is(
    server: ScriptedServer, provider: LocalProvider, words: str
) -> None:
    server.script(as_json({"error": {"message": words}}, 400))
    with pytest.raises(errors.ProviderError):
        chunks_of(provider)
    assert len(server.asked()) == 1
