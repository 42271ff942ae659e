"""What the user reads when a server refuses a request: its own words, and what to do."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Request
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.outcome import HELLO, SECRET, ask
from tests.support.scripted_server import (
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    model_list,
    plain,
    stream,
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


def test_a_key_is_stored_for_the_address_that_this_kernel_alone_has(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(as_json({"error": {"message": "Missing API key"}}, 401))
    provider.change({"base_url": server.url})
    assert ask(provider).line.endswith(
        f"in a terminal: CODEBUDDY_BASE_URL={server.url} codebuddy key Local"
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
        assert outcome.line == (
            "The prompt is too long for llama3: 9,020 tokens for a context "
            "window of 8,192. Shorten it; or start a new conversation: %buddy /reset"
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


# Refusals that are about the user, not the request

GOOGLE_KEY = [
    {"error": {"code": 400, "message": "API key not valid. Please pass one."}}
]
KEYS = {
    "Google, in a list": as_json(GOOGLE_KEY, 400),
    "OpenAI": as_json({"error": {"message": "Incorrect API key provided: x."}}, 400),
    "Anthropic": as_json({"error": {"message": "invalid x-api-key"}}, 403),
    "none": as_json({"error": "No API key provided"}, 400),
    "in the stream": stream({"error": {"message": "Invalid API key"}}, done=False),
}


@pytest.mark.parametrize("answer", KEYS.values(), ids=KEYS)
def test_a_refused_key_is_told_as_one_whatever_the_status(
    server: ScriptedServer, provider: LocalProvider, answer: Answer
) -> None:
    server.script(answer)
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.KeyRefused)
    assert "codebuddy key Local" in outcome.line


CREDIT = {
    "OpenAI": ("You exceeded your current quota.", 429, "insufficient_quota"),
    "DeepSeek": ("Insufficient Balance", 402, None),
    "Anthropic": ("Your credit balance is too low to access the API.", 400, None),
    "LiteLLM": ("Budget has been exceeded! Current cost: 1, Max budget: 0", 400, None),
    "Google": ("The free quota has been exhausted", 403, None),
}


@pytest.mark.parametrize(("words", "status", "code"), CREDIT.values(), ids=CREDIT)
def test_an_account_without_credit_is_not_told_to_wait(
    server: ScriptedServer,
    provider: LocalProvider,
    words: str,
    status: int,
    code: str | None,
) -> None:
    server.script(as_json({"error": {"message": words, "code": code}}, status))
    outcome = ask(provider)
    assert "has no credit or quota left for this account" in outcome.line
    assert "Retry" not in outcome.line
    assert "%buddy /use PROVIDER" in outcome.line
    assert len(server.asked()) == 1


@pytest.mark.parametrize(
    "words",
    [
        "Rate limit reached on tokens per day (TPD). Please try again in 3m.",
        "Quota exceeded for metric 'requests' and limit 'requests per minute'",
        "Too many requests",
    ],
)
def test_a_limit_that_passes_is_told_to_wait_for(
    server: ScriptedServer, provider: LocalProvider, words: str
) -> None:
    server.script(as_json({"error": {"message": words}}, 429))
    assert "is rate-limiting (429)" in ask(provider).line


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ("Country, region, or territory not supported", 403, "in your region"),
        ("User location is not supported for the API use.", 400, "in your region"),
        ("This model is not available in your region", 403, "in your region"),
        ("Your organization must be verified to use the model `o3`.", 404, "verified"),
    ],
)
def test_a_service_that_is_closed_to_the_user_names_other_ways(
    server: ScriptedServer,
    provider: LocalProvider,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    status: int,
    says: str,
) -> None:
    server.script(as_json({"error": {"message": words}}, status))
    lines = [ask(provider).line]
    monkeypatch.setenv("CODEBUDDY_API_KEY", SECRET)
    lines.append(ask(provider).line)
    for line in lines:
        assert says in line
        assert "%buddy /models" in line
        assert "%buddy /use PROVIDER" in line


@pytest.mark.parametrize("end", ["", ".", "...", " ."])
def test_a_message_ends_in_one_full_stop(
    server: ScriptedServer, provider: LocalProvider, end: str
) -> None:
    server.script(as_json({"error": {"message": f"too many requests{end}"}}, 400))
    assert "(400): too many requests. Correct" in ask(provider).line


@pytest.mark.parametrize("end", ["!", "?", "。"])
def test_a_message_that_ends_otherwise_gets_no_full_stop(
    server: ScriptedServer, provider: LocalProvider, end: str
) -> None:
    server.script(as_json({"error": {"message": f"bad{end}"}}, 400))
    assert f"(400): bad{end} Correct" in ask(provider).line


# User names and passwords

WANTS_LOGIN = plain(
    "401 Authorization Required",
    "text/html",
    401,
    **{"WWW-Authenticate": 'Basic realm="models"'},
)


def test_a_server_that_wants_a_password_says_how_to_give_it(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(WANTS_LOGIN)
    outcome = ask(provider)
    assert isinstance(outcome.error, errors.KeyRefused)
    assert "requires a user name and a password" in outcome.line
    url = server.url.replace("http://", "http://NAME:PASSWORD@")
    assert f'%config LocalProvider.base_url = "{url}"' in outcome.line
    assert "%config LocalProvider.headers = " in outcome.line
    assert "codebuddy key" not in outcome.line


def test_a_password_that_is_refused_is_not_repeated(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.base_url = server.url.replace("http://", "http://jo:hush-hush@")
    basic = "Basic am86aHVzaC1odXNo"
    server.script(
        plain(
            f"bad {basic} for jo:hush-hush", status=401, **{"WWW-Authenticate": "Basic"}
        )
    )
    outcome = ask(provider)
    assert server.asked()[-1]["headers"]["authorization"] == basic
    assert "rejects the user name or the password" in outcome.line
    assert "hush" not in outcome.line
    assert "am86" not in outcome.line
