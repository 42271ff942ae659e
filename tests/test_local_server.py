"""The server of the local provider: which one it is, where, and with which key."""

from __future__ import annotations

import re

import pytest
from traitlets import TraitError

from codebuddy_jupyter import errors
from codebuddy_jupyter.errors import Remedy
from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.local_calls import chosen, run
from tests.support.map_server import MapServer
from tests.support.scripted_server import (
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    hang,
    model_list,
    plain,
)

NO_KEY = "Bearer not-needed"

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
        await provider.find_server()
        with pytest.raises(errors.ProviderError):
            async for _ in provider.stream(
                Request((Message("user", "hello"),), "llama3")
            ):
                pass
        before = len(server.requests)
        await provider.find_server()
        return before, len(server.requests)

    ((before, after),) = run(provider, look_fail_look)
    assert (after > before) is is_anew


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


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000, ""])
def test_a_broken_file_of_keys_does_not_stop_a_keyless_server(
    server: ScriptedServer, provider: LocalProvider, content: str
) -> None:
    provider.keys.path.parent.mkdir(parents=True, exist_ok=True)
    provider.keys.path.write_text(content)
    run(provider, provider.models)
    assert server.requests[0]["headers"]["authorization"] == NO_KEY
    server.script(plain("no", status=401))

    async def ask() -> None:
        async for _ in provider.stream(Request((Message("user", "hello"),), "llama3")):
            pass

    with pytest.raises(errors.KeyRefused, match=r"stored keys in .* cannot be read"):
        run(provider, ask)


def test_a_stored_key_goes_to_its_host(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    provider.keys.store("Local", f"127.0.0.1:{server.port}", "sk-stored")
    run(provider, provider.models)
    assert server.asked(MODELS)[-1]["headers"]["authorization"] == "Bearer sk-stored"


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
    provider.retries = 0
    server.script(plain("no", status=status), path=MODELS)
    with pytest.raises(errors.ProviderError):
        run(provider, provider.models)
    assert {record["path"] for record in server.requests} == {MODELS}


# Several servers


@pytest.fixture
def pooled(provider: LocalProvider) -> LocalProvider:
    provider.pool = ["http://localhost:7001/v1", provider.base_url, "http://[::1]:7002"]
    return provider


def test_without_a_pool_the_server_in_use_is_the_only_one(
    provider: LocalProvider,
) -> None:
    assert list(provider.servers()) == [provider]


def test_each_server_of_the_pool_is_asked_with_the_same_settings(
    pooled: LocalProvider,
) -> None:
    pooled.change({"temperature": 0.7, "retries": 5, "num_ctx": 4096})
    pooled.offline, pooled.allowed_hosts = True, ("gpu.lan",)
    first, own, last = pooled.servers()
    assert own is pooled
    assert first.where() == "http://localhost:7001/v1"
    assert last.where() == "http://[::1]:7002/v1"
    for member in (first, last):
        assert isinstance(member, LocalProvider)
        assert (member.temperature, member.retries, member.num_ctx) == (0.7, 5, 4096)
        assert (member.offline, member.allowed_hosts) == (True, ("gpu.lan",))
        assert member.pool == []
    assert list(pooled.servers()) == [first, own, last]


def test_a_setting_that_changes_is_that_of_the_pool_as_well(
    pooled: LocalProvider,
) -> None:
    first, *_ = pooled.servers()
    pooled.temperature = 1.5
    pooled.offline = True
    assert next(iter(pooled.servers())) is first
    assert (first.temperature, first.offline) == (1.5, True)


def test_the_environment_does_not_change_the_address_of_a_server_of_the_pool(
    pooled: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", "http://localhost:7009/v1")
    first, *_ = pooled.servers()
    first.read_environment()
    assert first.where() == "http://localhost:7001/v1"


def test_keys_and_headers_are_for_the_host_that_they_were_given_for(
    pooled: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_API_KEY", "of-the-host-in-use")
    pooled.change({"headers": {"X-Key": "of-the-host-in-use"}})
    first, own, _ = pooled.servers()
    assert own.find_key() == "of-the-host-in-use"
    assert first.find_key() == "not-needed"
    assert isinstance(first, LocalProvider)
    assert first.headers == {}
    pooled.keys.store("Local", "localhost:7001", "of-the-other")
    assert next(iter(pooled.servers())).find_key() == "of-the-other"


def test_an_address_of_the_pool_that_cannot_be_used_is_refused(
    provider: LocalProvider,
) -> None:
    with pytest.raises(TraitError):
        provider.pool = ["http://localhost:1/v1", "no address at all"]
    with pytest.raises(TraitError):
        provider.change({"pool": [7]})


def test_a_password_in_an_address_of_the_pool_is_not_shown(
    provider: LocalProvider,
) -> None:
    provider.pool = ["http://jo:hidden@localhost:7001/v1"]
    assert "hidden" not in repr(provider.pool)
    (member,) = provider.servers()
    assert "hidden" in [str(key) for key in member.secrets().values()]
    assert "hidden" not in str(provider.saved_state())


def test_the_slots_of_llama_cpp_are_known(provider: LocalProvider) -> None:
    with MapServer(slots=3) as server:
        provider.base_url = server.url
        assert run(provider, lambda: provider.slots("llama3")) == [3]


def test_the_slots_of_another_server_are_not_known(provider: LocalProvider) -> None:
    assert run(provider, lambda: provider.slots("llama3")) == [None]
