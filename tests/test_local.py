"""The local provider: which model it asks, how far that sees, and what it says when
there is no server.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.errors import Remedy
from codebuddy_jupyter.messages import Chunk, Image, Message, Request, Usage
from codebuddy_jupyter.providers.http.chat_stream import ChatStream
from codebuddy_jupyter.providers.kinds.ollama_chat import Lines, native_body
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.kinds import (
    LM_STUDIO,
    LM_STUDIO_03,
    LOCAL_AI,
    OLLAMA,
    OLLAMA_PS,
    TEXT,
    VLLM_SERVER,
    WEBUI,
    Played,
    lines,
)
from tests.support.scripted_server import (
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    hang,
    model_list,
    plain,
)

PS, GENERATE, NATIVE, CHAT = (
    "/api/ps",
    "/api/generate",
    "/api/chat",
    "/v1/chat/completions",
)
PULL, WIDE = "/api/pull", 16384
NO_KEY = "Bearer not-needed"


def run(
    provider: LocalProvider, *calls: Callable[[], Coroutine[Any, Any, Any]]
) -> list[Any]:
    async def in_turn() -> list[Any]:
        outcomes = [await call() for call in calls]
        await provider.close()
        return outcomes

    return asyncio.run(in_turn())


def chosen(provider: LocalProvider, model: str = "") -> str:
    return str(run(provider, lambda: provider.choose(model))[0])


def window(provider: LocalProvider, model: str) -> int | None:
    found: int | None = run(provider, lambda: provider.window(model))[0]
    return found


def test_it_is_called_as_people_know_it() -> None:
    provider = LocalProvider()
    assert provider.label == "Local LLM (Ollama/LM Studio)"
    assert provider.where() == "http://localhost:11434/v1"


def test_a_named_model_is_asked_without_asking_the_server(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    assert chosen(provider, "phi4") == "phi4"
    provider.model = "qwen3"
    assert chosen(provider) == "qwen3"
    assert server.requests == []


@pytest.mark.parametrize(
    ("names", "choice"),
    [
        (["zephyr", "llama3:latest", "qwen3"], "llama3:latest"),
        (["zephyr", "llama3"], "llama3"),
        (["nomic-embed-text", "bge-m3", "zephyr", "qwen3"], "zephyr"),
    ],
    ids=["llama3:latest", "llama3", "the first that can chat"],
)
def test_without_a_name_llama3_else_the_first_that_can_chat(
    server: ScriptedServer, provider: LocalProvider, names: list[str], choice: str
) -> None:
    server.script(model_list(*names), path=MODELS)
    assert chosen(provider) == choice


@pytest.mark.parametrize(
    "names", [[], ["nomic-embed-text"]], ids=["none", "none that can chat"]
)
def test_a_server_without_a_model_says_how_to_get_one(
    server: ScriptedServer, provider: LocalProvider, names: list[str]
) -> None:
    server.script(model_list(*names), path=MODELS)
    with pytest.raises(errors.ModelNotFound) as refused:
        chosen(provider)
    assert str(refused.value) == (
        f"{server.url} has no model that can chat. Download or load one there; "
        "or with Ollama: ollama pull llama3.2"
    )


def test_choice_and_window_are_remembered_and_forgotten_after_a_failure(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(model_list("qwen3", max_model_len=4096), path=MODELS)

    async def ask() -> str | None:
        try:
            async for _ in provider.stream(
                Request((Message("user", "hello"),), "qwen3")
            ):
                pass
        except errors.ProviderError as error:
            return str(error)
        return None

    def prepare() -> Coroutine[Any, Any, Any]:
        return provider.choose("")

    def probe() -> Coroutine[Any, Any, Any]:
        return provider.window("qwen3")

    assert run(provider, prepare, probe, ask, prepare, probe) == [
        "qwen3",
        4096,
        None,
        "qwen3",
        4096,
    ]
    known = len(server.asked(MODELS))
    server.script(plain("broken", status=500))
    server.script(model_list("phi4", max_model_len=8192), path=MODELS)
    assert "(500): broken" in run(provider, ask, prepare)[0]
    assert chosen(provider) == "phi4"
    # for the list, and to recognise the server
    assert (known, len(server.asked(MODELS))) == (2, 4)


FORGOTTEN = {
    "the key is refused": (plain("no", status=401), False),
    "the model is gone": (
        as_json({"error": {"message": "model 'llama3' not found"}}, 404),
        False,
    ),
    "the prompt is too long": (
        as_json({"error": {"type": "exceed_context_size_error"}}, 400),
        False,
    ),
    "a field is wrong": (plain("temperature must be a number", status=422), False),
    "too many ask": (plain("slow down", status=429), False),
    "something else is there": (plain("404 page not found", status=404), True),
    "it failed": (plain("broken", status=500), True),
    "it answers a page": (plain("<html>hello</html>", "text/html"), True),
    "it hung up": (Answer(framing="raw"), True),
}


@pytest.mark.parametrize(("answer", "is_anew"), FORGOTTEN.values(), ids=FORGOTTEN)
def test_it_is_asked_anew_who_it_is_only_where_it_may_be_another(
    server: ScriptedServer, provider: LocalProvider, answer: Answer, is_anew: bool
) -> None:
    server.script(answer)

    async def look_fail_look() -> tuple[int, int]:
        await provider.found()
        with pytest.raises(errors.ProviderError):
            async for _ in provider.stream(
                Request((Message("user", "hello"),), "llama3")
            ):
                pass
        before = len(server.requests)
        await provider.found()
        return before, len(server.requests)

    ((before, after),) = run(provider, look_fail_look)
    assert (after > before) is is_anew


def test_a_chosen_model_that_is_gone_is_not_asked_again(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    assert chosen(provider) == "llama3"
    server.script(as_json({"error": {"message": "model 'llama3' not found"}}, 404))
    server.script(model_list("phi4"), path=MODELS)
    with pytest.raises(errors.ModelNotFound, match="It has phi4"):
        run(provider, lambda: question_to(provider, "llama3"))
    assert chosen(provider) == "phi4"


async def question_to(provider: LocalProvider, model: str) -> str:
    return "".join(
        [
            chunk.text
            async for chunk in provider.stream(
                Request((Message("user", "hello"),), model)
            )
        ]
    )


def test_where_requests_go_is_settled_without_a_question(
    server: ScriptedServer,
) -> None:
    provider = LocalProvider(base_url=f"{server.root}/api")
    provider.settle_timeout = 60.0
    run(provider, provider.settle)
    assert (provider.where(), server.asked()) == (server.url, [])


@pytest.mark.parametrize(
    "answer",
    [hang(), plain("dead", status=500), plain("no", status=401)],
    ids=["silent", "failing", "key wanted"],
)
def test_what_cannot_be_settled_is_left_for_the_question_to_say(
    server: ScriptedServer, answer: Answer
) -> None:
    server.script(answer, path=MODELS)
    provider = LocalProvider(base_url=server.url)
    run(provider, provider.settle)
    assert provider.where() == server.url


WINDOWS = {
    "as llama.cpp": (
        model_list("m", meta={"n_ctx": 8192, "n_ctx_train": 131072}),
        8192,
    ),
    "as vLLM": (model_list("m", max_model_len=32768), 32768),
    "as LM Studio": (model_list("m", state="loaded", loaded_context_length=6000), 6000),
    "a server that does not tell": (model_list("m"), None),
    "a model that is not listed": (model_list("other"), None),
    "a server without a list": (plain("404 page not found", status=404), None),
}


@pytest.mark.parametrize(("listed", "expected"), WINDOWS.values(), ids=WINDOWS.keys())
def test_the_window_is_what_a_server_of_no_known_kind_tells(
    server: ScriptedServer, provider: LocalProvider, listed: Any, expected: int | None
) -> None:
    server.script(listed, path=MODELS)
    assert window(provider, "m") == expected


def test_a_window_that_is_not_told_before_the_model_is_loaded_is_asked_again(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    OLLAMA.on(server)
    server.script(as_json({"models": []}), as_json(OLLAMA_PS), path=PS)
    assert (window(provider, "qwen3:8b"), window(provider, "qwen3:8b")) == (None, 4096)


def test_a_model_of_ollama_is_known_by_its_short_name(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    OLLAMA.on(server)
    server.script(
        as_json(
            {"models": [{"name": "nomic-embed-text:latest", "context_length": 2048}]}
        ),
        path=PS,
    )
    assert window(provider, "nomic-embed-text") == 2048


def test_a_server_that_never_tells_is_asked_once(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    assert window(provider, "llama3") is None
    known = len(server.requests)
    assert window(provider, "llama3") is None
    assert len(server.requests) == known


def test_a_list_without_data_is_an_error_that_says_what_came(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(
        as_json({"error": "Unexpected endpoint or method. (GET /models)"}), path=MODELS
    )
    with pytest.raises(errors.NoReply) as refused:
        run(provider, provider.models)
    assert str(refused.value) == (
        f'{server.url} does not list models: it says "Unexpected endpoint '
        'or method. (GET /models)". '
        f'Check the base URL: %config LocalProvider.base_url = "{server.url}"'
    )


def test_a_server_that_is_loading_is_waited_for(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    loading = as_json({"error": {"message": "Loading model", "code": 503}}, 503)
    server.script(loading, model_list("llama3"), path=MODELS)
    assert chosen(provider) == "llama3"


@pytest.mark.parametrize(
    ("url", "start", "other_port"),
    [
        ("http://127.0.0.1:11434", Remedy("Start Ollama", "ollama serve"), 1234),
        ("http://127.0.0.1:1234", Remedy("Start LM Studio", "lms server start"), 11434),
        ("http://127.0.0.1:8000", Remedy("Start vLLM", "vllm serve MODEL"), 11434),
        ("http://127.0.0.1:8080", Remedy("Start the server there"), 11434),
        ("http://127.0.0.1:9", Remedy("Start the server there"), 11434),
    ],
)
def test_the_remedy_is_that_of_the_usual_server_at_the_port(
    url: str, start: Remedy, other_port: int
) -> None:
    other = f'%config LocalProvider.base_url = "http://localhost:{other_port}/v1"'
    remedies = LocalProvider(base_url=url).remedies()
    assert remedies == (start, Remedy("Use another address", other))


def test_address_and_model_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", "localhost:1234")
    monkeypatch.setenv("CODEBUDDY_MODEL", "qwen3")
    provider = LocalProvider()
    provider.read_environment()
    assert (provider.where(), provider.model) == ("http://localhost:1234/v1", "qwen3")


def test_a_keyless_server_is_sent_the_placeholder(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    run(provider, provider.models)
    assert {record["headers"]["authorization"] for record in server.requests} == {
        NO_KEY
    }


def test_the_key_of_the_environment_is_for_the_address_of_the_environment(
    server: ScriptedServer, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_API_KEY", "sk-mine")
    run(provider, provider.models)
    monkeypatch.setenv("CODEBUDDY_BASE_URL", "http://my-server:1234")
    run(provider, provider.models)
    sent = [record["headers"]["authorization"] for record in server.requests]
    assert list(dict.fromkeys(sent)) == ["Bearer sk-mine", NO_KEY]


def test_a_stored_key_goes_to_its_host(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.keys.store("Local", f"127.0.0.1:{server.port}", "sk-stored")
    run(provider, provider.models)
    assert server.asked(MODELS)[-1]["headers"]["authorization"] == "Bearer sk-stored"


def test_warming_asks_no_server(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.warm()
    assert server.requests == []


# The address


@pytest.mark.parametrize(
    ("typed", "there"),
    [
        ("{root}/llm", "/llm/v1"),
        ("{root}/llm/", "/llm/v1"),
        ("{root}/llm/v1/v1", "/llm/v1"),
        ("{root}/llm/v1/chat", "/llm/v1"),
        ("{root}/api/v2", "/v1"),
        ("{root}/ui/", "/v1"),
        ("{root}/engines", "/engines/v1"),
        ("{host}:{port}", "/engines/v1"),
        ("HTTP://LocalHost:{port}/v1/models", "/v1"),
        (" 0.0.0.0:{port}/llm ", "/llm/v1"),
    ],
)
def test_the_address_is_put_right_by_asking(
    server: ScriptedServer, typed: str, there: str
) -> None:
    server.script(plain("404 page not found", status=404), path=MODELS)
    server.script(model_list("here"), path=f"{there}/models")
    provider = LocalProvider(
        base_url=typed.format(root=server.root, host=server.host, port=server.port)
    )
    assert chosen(provider) == "here"
    assert re.fullmatch(
        rf"http://(localhost|127\.0\.0\.1):{server.port}{there}", provider.where()
    )


def test_an_address_of_ipv6_is_put_right() -> None:
    with ScriptedServer("::1") as server:
        provider = LocalProvider(base_url=f"[::1]:{server.port}/chat/completions")
        assert chosen(provider) == "llama3"
        assert provider.where() == server.url


def test_an_address_that_answers_a_page_elsewhere_is_put_right(
    server: ScriptedServer,
) -> None:
    server.script(plain("<html>hello</html>", "text/html"), path="/llm/models")
    server.script(model_list("here"), path="/llm/v1/models")
    assert chosen(LocalProvider(base_url=f"{server.root}/llm")) == "here"


def test_what_was_put_right_is_remembered(server: ScriptedServer) -> None:
    provider = LocalProvider(base_url=f"{server.root}/ui")
    run(provider, provider.models)
    known = len(server.requests)
    run(provider, provider.models)
    assert "/ui/models" not in [record["path"] for record in server.requests[known:]]
    assert provider.base_url == f"{server.root}/ui"


def test_what_was_put_right_outlives_a_failure(server: ScriptedServer) -> None:
    provider = LocalProvider(base_url=f"{server.root}/ui")
    run(provider, provider.models, lambda: failing(provider, server))
    assert provider.where() == server.url


async def failing(provider: LocalProvider, server: ScriptedServer) -> None:
    server.script(plain("broken", status=500))
    with pytest.raises(errors.ServerError):
        async for _ in provider.stream(Request((Message("user", "hello"),), "llama3")):
            pass


def test_a_server_that_moved_to_another_path_is_found_again(
    server: ScriptedServer,
) -> None:
    provider = LocalProvider(base_url=f"{server.root}/llm")
    run(provider, provider.models)
    server.script(plain("404 page not found", status=404), path=MODELS)
    server.script(model_list("here"), path="/llm/models")
    run(provider, provider.models)
    assert provider.where() == f"{server.root}/llm"


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_server_that_is_there_but_not_well_is_asked_nowhere_else(
    server: ScriptedServer, provider: LocalProvider, status: int
) -> None:
    provider.retries, provider.first_token_timeout = 0, 0.5
    server.script(plain("no", status=status), path=MODELS)
    with pytest.raises(errors.ProviderError):
        run(provider, provider.models)
    assert {record["path"] for record in server.requests} == {MODELS}


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
    assert reading.whole


# What a server can be told


def pulled(
    provider: LocalProvider, name: str = "qwen3:8b"
) -> list[tuple[str, int, int]]:
    steps: list[tuple[str, int, int]] = []
    run(provider, lambda: provider.pull(name, lambda *step: steps.append(step)))
    return steps


def test_a_pull_tells_how_far_it_is(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    OLLAMA.on(server)
    layer = {"status": "pulling 8b", "digest": "sha256:8b", "total": 100}
    server.script(
        lines(
            {"status": "pulling manifest"},
            layer,
            {**layer, "completed": 60},
            {"status": "success"},
        ),
        path=PULL,
    )
    assert pulled(provider) == [
        ("pulling manifest", 0, 0),
        ("pulling 8b", 0, 100),
        ("pulling 8b", 60, 100),
        ("success", 0, 0),
    ]
    assert server.asked(PULL)[0]["body"] == {"model": "qwen3:8b", "stream": True}


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            lines({"status": "pulling manifest"}, {"error": "no space left on device"}),
            errors.ServerError,
            "no space left",
        ),
        (
            lines({"error": "pull model manifest: file does not exist"}),
            errors.ModelNotFound,
            (
                "Ollama finds no model qwen3:8b to download .*file does not exist.* "
                "https://ollama.com/library"
            ),
        ),
        (
            as_json({"error": "invalid model name"}, 400),
            errors.ServerError,
            "invalid model name",
        ),
        (
            lines({"status": "pulling 8b", "total": 100, "completed": 60}),
            errors.NoReply,
            "the download ended early",
        ),
        (
            lines("<html>not a line of JSON</html>"),
            errors.ServerError,
            "not a line of JSON",
        ),
    ],
    ids=["in a 200", "at once", "a 400", "broken off", "junk"],
)
def test_a_pull_that_fails_says_why(
    server: ScriptedServer,
    provider: LocalProvider,
    answer: Any,
    error: type[Exception],
    words: str,
) -> None:
    OLLAMA.on(server)
    server.script(answer, path=PULL)
    with pytest.raises(error, match=words):
        pulled(provider)


def test_a_pull_that_was_stopped_closes_its_connection_and_can_be_taken_up_again(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    OLLAMA.on(server)
    part = lines({"status": "pulling 8b", "total": 100, "completed": 60})
    server.script(replace(part, end="hang"), lines({"status": "success"}), path=PULL)

    async def stop_it() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(provider.pull("qwen3:8b", lambda *step: begun.set()))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(provider, stop_it)
    assert server.wait_for("closed", PULL)
    assert pulled(provider) == [("success", 0, 0)]


ORDERS = {
    "Ollama, load": (OLLAMA, "load", GENERATE, {"model": "qwen3:8b", "stream": False}),
    "Ollama, unload": (
        OLLAMA,
        "unload",
        GENERATE,
        {"model": "qwen3:8b", "stream": False, "keep_alive": 0},
    ),
    "LM Studio, load": (
        LM_STUDIO,
        "load",
        "/api/v1/models/load",
        {"model": "openai/gpt-oss-20b"},
    ),
    "LM Studio, unload": (
        LM_STUDIO,
        "unload",
        "/api/v1/models/unload",
        {"instance_id": "openai/gpt-oss-20b"},
    ),
    "LocalAI, load": (LOCAL_AI, "load", "/backend/load", {"model": "qwen3-4b"}),
    "LocalAI, unload": (LOCAL_AI, "unload", "/backend/shutdown", {"model": "qwen3-4b"}),
    "text-generation-webui, load": (
        WEBUI,
        "load",
        "/v1/internal/model/load",
        {"model_name": "qwen3.gguf"},
    ),
    "text-generation-webui, unload": (WEBUI, "unload", "/v1/internal/model/unload", {}),
}


@pytest.mark.parametrize(
    ("kind", "order", "path", "body"), ORDERS.values(), ids=ORDERS.keys()
)
def test_an_order_is_given_as_the_server_wants_it(
    server: ScriptedServer, kind: Played, order: str, path: str, body: dict[str, Any]
) -> None:
    provider = LocalProvider(base_url=kind.on(server))
    server.script(as_json({"status": "ok"}), path=path)
    run(provider, lambda: getattr(provider, order)(kind.chosen))
    assert [record["body"] for record in server.asked(path)] == [body]


@pytest.mark.parametrize(
    ("kind", "order", "path", "body"), ORDERS.values(), ids=ORDERS.keys()
)
def test_an_order_that_is_refused_says_why(
    server: ScriptedServer, kind: Played, order: str, path: str, body: dict[str, Any]
) -> None:
    provider = LocalProvider(base_url=kind.on(server))
    server.script(as_json({"error": {"message": "not enough memory"}}, 500), path=path)
    with pytest.raises(errors.ServerError, match="not enough memory"):
        run(provider, lambda: getattr(provider, order)(kind.chosen))


@pytest.mark.parametrize(
    ("order", "line"),
    [
        (
            "pull",
            "LM Studio does not let clients download a model. "
            "Download it there: lms get phi4",
        ),
        (
            "load",
            "vLLM does not let clients load a model. Load it there: vllm serve phi4",
        ),
        (
            "unload",
            "vLLM does not let clients unload a model. Stop the server instead",
        ),
    ],
)
def test_a_server_that_cannot_be_told_so_says_what_to_do(
    server: ScriptedServer, order: str, line: str
) -> None:
    kind = LM_STUDIO if order == "pull" else VLLM_SERVER
    provider = LocalProvider(base_url=kind.on(server))
    arguments = ("phi4", lambda *step: None) if order == "pull" else ("phi4",)
    with pytest.raises(errors.SettingError) as refused:
        run(provider, lambda: getattr(provider, order)(*arguments))
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        (LOCAL_AI, "Ask the model a question, which loads it"),
        (LM_STUDIO_03, "Load it there: lms load qwen3-4b"),
    ],
    ids=lambda kind: getattr(kind, "name", ""),
)
def test_a_version_that_cannot_be_told_yet_says_what_to_do(
    server: ScriptedServer, kind: Played, remedy: str
) -> None:
    provider = LocalProvider(base_url=kind.on(server))
    with pytest.raises(errors.SettingError) as refused:
        run(provider, lambda: provider.load("qwen3-4b"))
    assert str(refused.value) == (
        f"This version of {kind.name} does not let clients load a model. {remedy}"
    )


def test_a_model_that_is_not_loaded_cannot_be_unloaded(server: ScriptedServer) -> None:
    provider = LocalProvider(base_url=LM_STUDIO.on(server))
    with pytest.raises(errors.SettingError, match="no loaded model qwen/qwen3-4b at "):
        run(provider, lambda: provider.unload("qwen/qwen3-4b"))


def test_a_model_that_cannot_be_loaded_since_it_is_not_there_is_told_as_that(
    server: ScriptedServer,
) -> None:
    provider = LocalProvider(base_url=LOCAL_AI.on(server))
    server.script(
        as_json({"error": {"message": "model phi4 not found"}}, 404),
        path="/backend/load",
    )
    with pytest.raises(
        errors.ModelNotFound, match=r"There is no model 'phi4' at .* It has "
    ):
        run(provider, lambda: provider.load("phi4"))


def test_nothing_is_loaded_ahead_unless_the_settings_say_so(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    run(provider, lambda: provider.load_ahead(""))
    assert server.requests == []


@pytest.mark.parametrize(
    ("kind", "path"),
    [(OLLAMA, GENERATE), (VLLM_SERVER, CHAT), (LOCAL_AI, CHAT)],
    ids=[
        "by an order",
        "by a tiny question",
        "by a question where the order is not known",
    ],
)
def test_a_model_is_loaded_ahead(
    server: ScriptedServer, kind: Played, path: str
) -> None:
    provider = LocalProvider(base_url=kind.on(server), warm_up=True)
    run(provider, lambda: provider.load_ahead(""))
    assert [record["body"]["model"] for record in server.asked(path)] == [kind.chosen]


def test_what_goes_wrong_ahead_is_left_for_the_question_to_say() -> None:
    with ScriptedServer() as gone:
        provider = LocalProvider(base_url=gone.url, warm_up=True, retries=0)
    run(provider, lambda: provider.load_ahead(""))
