"""Ollama, asked as people ask it: no prompt is cut in silence, no model is loaded twice,
and each refusal says what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from traitlets import TraitError

from codebuddy_jupyter import errors
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers.kinds.ollama import Ollama
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.question.options import Options
from tests.support.command_line import run_line
from tests.support.fakes import local
from tests.support.kinds import OLLAMA_REPLY, TEXT, lines
from tests.support.local_calls import CHAT, run
from tests.support.ollama import (
    ANSWER,
    NO_REGISTRY,
    OllamaModel,
    ScriptedOllama,
    tokens_of,
)
from tests.support.scripted_server import NOT_FOUND, as_json, plain, reply

EMBEDDING = OllamaModel(2048, capabilities=("embedding",))
NUMBERS = "\n".join(f"{number},{number * number}" for number in range(10_000, 11_000))


@pytest.fixture
def ollama() -> Iterator[ScriptedOllama]:
    """An Ollama with a model and one that makes embeddings, none of them loaded."""
    models = {"nomic-embed-text:latest": EMBEDDING, "smol:latest": OllamaModel()}
    with ScriptedOllama(models) as server:
        yield server


@pytest.fixture
def asking(tmp_path: Path, ollama: ScriptedOllama) -> Iterator[Buddy]:
    """A Buddy that asks this Ollama."""
    buddy = Buddy(settings_path=tmp_path / "settings.json")
    local(buddy).base_url = ollama.url
    yield buddy
    buddy.close()


def said(buddy: Buddy, line: str) -> str:
    """What a command shows, as text."""
    return unescape(run_line(buddy, line)).replace("\\", "")


# A fresh Ollama


@pytest.mark.parametrize("line", ["/load x", "/doctor"])
def test_a_fresh_ollama_leads_to_pull(
    asking: Buddy, ollama: ScriptedOllama, line: str
) -> None:
    ollama.models.clear()
    command = "%buddy /pull x" if "load" in line else "%buddy /pull llama3.2"
    try:
        shown = said(asking, line)
    except errors.BuddyError as error:
        shown = str(error)
    assert command in shown
    assert "list of models" not in shown


def test_a_question_to_a_fresh_ollama_leads_to_pull(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    ollama.models.clear()
    with pytest.raises(errors.ModelNotFound) as refused:
        asking.ask("hello").result()
    assert str(refused.value) == (
        f"{ollama.url} has no model yet. Download one: %buddy /pull llama3.2"
    )
    assert said(asking, "/models") == (
        "Local offers no models. Download one: %buddy /pull llama3.2"
    )
    with pytest.raises(errors.ModelNotFound, match=r"Download it: %buddy /pull phi4$"):
        asking.ask("hello", Options(model="phi4")).result()


def test_pull_works_on_a_fresh_ollama(asking: Buddy, ollama: ScriptedOllama) -> None:
    ollama.models.clear()
    assert "llama3.2 is downloaded" in said(asking, "/pull llama3.2")
    assert asking.ask("hello").result().text == ANSWER


@pytest.mark.parametrize(
    ("message", "host", "reason"),
    [
        (NO_REGISTRY, "registry.ollama.ai", "no such host"),
        (
            'pull model manifest: Get "https://registry.ollama.ai/v2/": dial tcp '
            "104.21.75.227:443: connect: network is unreachable",
            "registry.ollama.ai",
            "network is unreachable",
        ),
        (
            'Get "https://hf.co/v2/": proxyconnect tcp: dial tcp: lookup proxy.lan: '
            "i/o timeout",
            "hf.co",
            "i/o timeout",
        ),
        (
            'Get "https://registry.ollama.ai/v2/": tls: failed to verify certificate: '
            "x509: certificate signed by unknown authority",
            "registry.ollama.ai",
            "certificate signed by unknown authority",
        ),
        (
            "max retries exceeded: dial tcp 1.2.3.4:443: i/o timeout",
            "registry.ollama.ai",
            "i/o timeout",
        ),
    ],
    ids=["no name", "no network", "proxy", "certificate", "no address in the error"],
)
@pytest.mark.parametrize("status", [200, 500])
def test_pull_without_internet_names_what_ollama_cannot_reach(
    asking: Buddy,
    ollama: ScriptedOllama,
    message: str,
    host: str,
    reason: str,
    status: int,
) -> None:
    ollama.script(as_json({"error": message}, status), path="/api/pull")
    with pytest.raises(errors.ServerError) as failed:
        run_line(asking, "/pull llama3.2")
    assert str(failed.value).startswith(
        f"Ollama cannot reach {host} ({reason}). Check the network connection"
    )


# Prompts that are too long


def test_ollama_is_asked_by_its_own_protocol_not_to_cut(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    assert asking.ask("hello").result().text == ANSWER
    body = ollama.asks[0]
    assert body["truncate"] is False
    assert body["stream"] is True
    assert ollama.asked(CHAT) == []


def test_a_request_that_nothing_preceded_goes_by_its_own_protocol_as_well(
    ollama: ScriptedOllama,
) -> None:
    provider = LocalProvider(base_url=ollama.url)

    async def ask() -> str:
        request = Request((Message("user", "hello"),), "smol")
        return "".join([chunk.text async for chunk in provider.stream(request)])

    assert run(provider, ask) == [ANSWER]


def test_numbers_that_fit_by_an_estimate_for_prose_are_not_cut(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    with pytest.raises(errors.PromptTooLong, match="for a context window of 4,096"):
        asking.ask(f"sum these:\n{NUMBERS}").result()
    assert ollama.counted == []


def test_the_true_count_of_a_refusal_leads_to_one_refit(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    # Tokens that no estimate expects: the server counts a token for four letters.
    word = "internationalization " * 120
    for number in range(6):
        asking.ask(f"{number} {word}").result()
    refused = [body for body in ollama.asks if _tokens(body) > 4096]
    assert len(ollama.asks) - len(refused) == 6
    assert len(ollama.counted) == 6
    assert len(refused) <= 1
    # The counts that came taught what a word takes.
    tokens = asking.tokens["smol:latest"]
    assert tokens.count(word) == pytest.approx(tokens_of(word), rel=0.1)


def test_a_server_that_cuts_in_silence_is_noticed_told_and_not_learned_from(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    ollama.refuses = False
    tokens = asking.tokens["smol:latest"]
    # An estimate that is far too low.
    numbers = "1234567890 " * 450
    tokens.learn_text(numbers, tokens.count(numbers) // 2)
    learned = tokens.count(numbers)
    reply = asking.ask(numbers).result()
    assert ollama.counted == [2050]
    assert len(reply.notes) == 1
    assert "seems to have cut the prompt" in reply.notes[0]
    assert reply.notes[0].endswith(
        "it read 2,050. Enlarge the context window: "
        "%config LocalProvider.num_ctx = 8192"
    )
    assert tokens.count(numbers) == learned


def _tokens(body: dict[str, object]) -> int:
    messages = body["messages"]
    assert isinstance(messages, list)
    return sum(tokens_of(message["content"]) for message in messages)


# Loading


def test_a_cold_model_is_loaded_once(asking: Buddy, ollama: ScriptedOllama) -> None:
    for _ in range(3):
        asking.ask("hello").result()
    assert ollama.loads == [("smol:latest", 4096)]


def test_a_cold_model_is_loaded_once_with_the_window_of_the_settings(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    local(asking).num_ctx = 8192
    for _ in range(3):
        asking.ask("hello").result()
    assert ollama.loads == [("smol:latest", 8192)]


def test_a_model_that_is_loaded_so_is_not_loaded_again(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    ollama.loaded = {"smol:latest": 8192}
    asking.ask("hello").result()
    local(asking).num_ctx = 8192
    asking.ask("hello").result()
    assert ollama.loads == []
    assert asking.preview("hello")[0].room.window == 8192


def test_a_refusal_does_not_have_the_model_loaded_with_another_window(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    ollama.loaded = {"smol:latest": 6000}
    with pytest.raises(errors.PromptTooLong):
        asking.ask(NUMBERS).result()
    asking.ask("hello").result()
    assert ollama.loads == []


def test_the_window_of_the_model_file_is_known_before_the_first_question(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    ollama.models["smol:latest"] = OllamaModel(num_ctx=2048)
    with pytest.raises(errors.PromptTooLong, match="context window of 2,048"):
        asking.ask("word " * 2500).result()
    asking.ask("hello").result()
    assert ollama.loads == [("smol:latest", 2048)]


def test_a_model_that_was_idle_is_looked_at_again(
    asking: Buddy, ollama: ScriptedOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking.ask("hello").result()
    ollama.loaded = {"smol:latest": 8192}
    monkeypatch.setattr(
        "codebuddy_jupyter.providers.local.loaded_windows.KEPT_LOADED", -1.0
    )
    asking.ask("hello").result()
    assert ollama.loads == [("smol:latest", 4096)]
    assert ollama.asks[-1]["options"]["num_ctx"] == 8192


def test_a_preview_loads_nothing(asking: Buddy, ollama: ScriptedOllama) -> None:
    local(asking).num_ctx = 8192
    assert asking.preview("hello")[0].room.window == 8192
    local(asking).num_ctx = 0
    assert asking.preview("hello")[0].room.window is None
    assert ollama.loads == []


def test_a_busy_server_is_waited_for_by_the_question(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    busy = as_json({"error": "server busy, please try again"}, 503)
    ollama.script(busy, path="/api/generate")
    assert asking.ask("hello").result().text == ANSWER


def test_a_model_that_does_not_fit_the_memory_is_told_in_the_servers_words(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    error = as_json({"error": "model requires more system memory (9.1 GiB)"}, 500)
    ollama.script(error, path="/api/generate")
    with pytest.raises(errors.ServerError, match="more system memory"):
        asking.ask("hello").result()


def test_an_older_server_that_reports_no_window_is_asked_without_one(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    ollama.script(as_json({"models": [{"name": "smol:latest"}]}), path="/api/ps")
    ollama.script(plain("404 page not found", status=404), path="/api/show")
    assert asking.ask("hello").result().text == ANSWER
    assert "num_ctx" not in ollama.asks[0]["options"]


# The context window of the settings


@pytest.mark.parametrize("num_ctx", [1, 16, 511, 1_048_577, -5])
def test_a_window_out_of_range_is_refused_with_the_range(num_ctx: int) -> None:
    provider = LocalProvider(num_ctx=4096)
    with pytest.raises(TraitError, match="from 512 to 1,048,576 tokens, or 0"):
        provider.num_ctx = num_ctx
    assert provider.num_ctx == 4096


@pytest.mark.parametrize("num_ctx", [0, 512, 1_048_576])
def test_a_window_in_the_range_is_taken(num_ctx: int) -> None:
    assert LocalProvider(num_ctx=num_ctx).num_ctx == num_ctx


def test_a_window_larger_than_the_model_supports_is_told_once(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    local(asking).num_ctx = 100_000
    notes = asking.ask("hello").result().notes
    assert notes == (
        "smol:latest has a context window of 8,192 tokens: it does not support the "
        "100,000 of num_ctx. Set what it supports: "
        "%config LocalProvider.num_ctx = 8192",
    )
    assert asking.ask("hello").result().notes == ()
    assert ollama.loads == [("smol:latest", 8192)]
    assert "does not support the 100,000 of num_ctx" in said(asking, "/load smol")


def test_load_tells_the_window(asking: Buddy, ollama: ScriptedOllama) -> None:
    shown = said(asking, "/load smol")
    assert shown.endswith("Its context window is 4,096 tokens.")
    asking.ask("hello", Options(model="smol")).result()
    assert ollama.loads == [("smol:latest", 4096)]


# Names, and models without a chat


@pytest.mark.parametrize("name", ["smol", "smol:latest"])
def test_a_name_means_the_same_with_and_without_latest(
    ollama: ScriptedOllama, name: str
) -> None:
    ollama.models["smol:latest"] = OllamaModel(capabilities=("completion", "vision"))
    provider = LocalProvider(base_url=ollama.url)
    found = run(
        provider,
        lambda: provider.window(name),
        lambda: provider.abilities(name),
    )
    assert found == [4096, ("chat", "images")]
    for other in ("smol", "smol:latest"):
        assert provider.widen(other, 16_384).endswith("num_ctx = 8192")
    run(provider, lambda: provider.window("smol"), lambda: provider.load(name))
    assert ollama.loads == [("smol:latest", 4096)]


def test_both_names_are_one_conversation(asking: Buddy, ollama: ScriptedOllama) -> None:
    for name in ("smol", "smol:latest", "smol"):
        asking.ask("hello", Options(model=name)).result()
    assert ollama.loads == [("smol:latest", 4096)]


@pytest.mark.parametrize("name", ["nomic-embed-text", "nomic-embed-text:latest"])
@pytest.mark.parametrize("reported", [True, False], ids=["reported", "an older server"])
def test_a_model_that_makes_embeddings_is_refused_with_one_that_can_chat(
    asking: Buddy, ollama: ScriptedOllama, name: str, reported: bool
) -> None:
    if not reported:
        refusal = as_json({"error": f'"{name}" does not support chat'}, 400)
        ollama.script(refusal, path="/api/chat")
        ollama.models["nomic-embed-text:latest"] = OllamaModel(capabilities=None)
    with pytest.raises(errors.ModelNotFound) as refused:
        asking.ask("hello", Options(model=name)).result()
    assert str(refused.value) == (
        f"{name} only makes embeddings. Switch: %buddy /use smol:latest"
    )


def test_such_a_model_is_not_loaded_either(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    with pytest.raises(errors.ModelNotFound, match="only makes embeddings"):
        run_line(asking, "/load nomic-embed-text")
    assert ollama.loads == []


def test_where_no_model_can_chat_one_can_be_downloaded(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    del ollama.models["smol:latest"]
    for model in ("", "nomic-embed-text"):
        with pytest.raises(errors.ModelNotFound, match="Download one: %buddy /pull"):
            asking.ask("hello", Options(model=model)).result()


def test_the_cloud_models_of_ollama_are_not_loaded(ollama: ScriptedOllama) -> None:
    shown = {
        "remote_model": "gpt-oss:120b",
        "model_info": {"gptoss.context_length": 131_072},
        "capabilities": ["completion"],
    }
    ollama.script(as_json(shown), path="/api/show")
    provider = LocalProvider(base_url=ollama.url)
    assert run(provider, lambda: provider.window("gpt-oss:120b-cloud")) == [131_072]
    assert ollama.loads == []


def test_it_says_that_it_has_a_chat_of_its_own() -> None:
    assert Ollama().chat_url("http://h:1/v1") == "http://h:1/api/chat"


# As by the other protocol


def test_headers_and_key_are_sent_as_by_the_other_protocol(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    local(asking).headers = {"X-Team": "blue"}
    asking.ask("hello").result()
    for path in ("/api/chat", "/api/show", "/api/generate"):
        assert ollama.asked(path)[0]["headers"]["x-team"] == "blue"


def test_a_busy_ollama_is_asked_again(asking: Buddy, ollama: ScriptedOllama) -> None:
    busy = as_json({"error": "server busy, please try again"}, 503)
    ollama.script(busy, OLLAMA_REPLY, path="/api/chat")
    reply = asking.ask("hello").result()
    assert reply.text == TEXT
    assert reply.notes[0].startswith("The server is busy (503). Retrying in ")


def test_a_reply_that_breaks_off_is_told_as_that(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    begun = {"message": {"content": "One "}, "done": False}
    ollama.script(lines(begun), path="/api/chat")
    with pytest.raises(errors.CutOff):
        asking.ask("hello").result()
    ollama.script(lines(begun, {"error": "llama runner has died"}), path="/api/chat")
    with pytest.raises(errors.ProviderError, match="llama runner has died"):
        asking.ask("hello").result()


def test_a_refusal_inside_the_stream_leads_to_a_refit_as_well(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    for number in range(3):
        asking.ask(f"{number} " + "word " * 900).result()
    inner = {
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9020,
        "n_ctx": 4096,
        "message": "request (9020 tokens) exceeds the available context size",
    }
    ollama.script(lines({"error": inner}), OLLAMA_REPLY, path="/api/chat")
    asked = len(ollama.asks)
    reply = asking.ask("and now?").result()
    assert reply.text == TEXT
    assert len(ollama.asks) == asked + 2
    assert len(ollama.asks[-1]["messages"]) < len(ollama.asks[-2]["messages"])


def test_offline_refuses_an_ollama_elsewhere(asking: Buddy) -> None:
    local(asking).base_url = "http://gpu.example:11434"
    asking.offline = True
    with pytest.raises(errors.Offline):
        asking.ask("hello").result()


def test_an_ollama_behind_a_gateway_that_passes_only_the_usual_api_still_answers(
    asking: Buddy, ollama: ScriptedOllama
) -> None:
    for path in ("/api/chat", "/api/show", "/api/ps", "/api/generate", "/api/tags"):
        ollama.script(NOT_FOUND, path=path)
    ollama.script(reply("Hello."), path=CHAT)
    first = asking.ask("hello").result()
    assert first.text == "Hello."
    assert first.notes == (
        "Ollama's own API does not answer here, so a prompt that is too long may be cut "
        "without an error.",
    )
    assert asking.ask("hello").result().notes == ()
    assert len(ollama.asked("/api/chat")) == 1
