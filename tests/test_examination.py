"""The examination of a provider: which steps it takes, and what it finds of the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codebuddy_jupyter.doctor import examination as doctor
from codebuddy_jupyter.doctor.examination import examine
from codebuddy_jupyter.errors import Remedy
from codebuddy_jupyter.messages import Model
from codebuddy_jupyter.providers.checks import Announce, Check
from codebuddy_jupyter.providers.cloud import OpenAIProvider
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.elsewhere import Elsewhere
from tests.support.engines import engine_with
from tests.support.fakes import FakeProvider
from tests.support.kinds import OLLAMA_REPLY, PLAYED, Played
from tests.support.recital import RecitedAnswer, write_recital
from tests.support.reports import lines, local, report_on, trouble
from tests.support.scripted_server import (
    CHAT,
    MODELS,
    ScriptedServer,
    as_json,
    hang,
    plain,
)
from tests.third_party.codebuddy_echo import EchoProvider

pytestmark = pytest.mark.usefixtures("well_server")


# Servers that are well


def test_a_server_that_is_well_passes_every_check(server: ScriptedServer) -> None:
    shown = lines(local(server.url))
    assert shown.pop(1).startswith("✓ connection made in ")
    assert shown.pop(5).startswith("✓ answer it streams: 8 pieces, the first after 0.")
    assert shown == [
        "✓ address http://127.0.0.1:PORT/v1",
        "✓ http it answers with status 200",
        "✓ server OpenAI-compatible server",
        "✓ key none is needed",
        "✓ model llama3",
        "✓ max_tokens the server respects it",
        "✓ usage the server counts tokens",
        "- context window the server does not report it; 4,096 tokens are assumed",
        "- tools the server does not report whether this model supports tools",
        "- images the server does not report whether this model supports images",
    ]


@pytest.mark.parametrize("played", PLAYED.values(), ids=PLAYED)
def test_a_server_of_every_kind_is_known_and_well(
    server: ScriptedServer, played: Played
) -> None:
    report = report_on(local(played.on(server)))
    assert (
        Check("server", True, f"{played.name} {played.version}".strip())
        in report.checks
    )
    assert [check for check in report.checks if check.ok is False] == []
    window = next(check for check in report.checks if check.name == "context window")
    assert (window.ok is True) == (played.window is not None)


def test_the_real_engine_is_known_and_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine_with(
        tmp_path, [RecitedAnswer("one two three four five six seven eight nine ten")]
    ) as engine:
        monkeypatch.setenv("CODEBUDDY_API_KEY", engine.key)
        report = report_on(local(f"{engine.url}/v1"))
    assert [check for check in report.checks if check.ok is False] == []
    told = {check.name: check.finding for check in report.checks}
    assert told["server"].startswith("llama.cpp")
    assert told["key"] == "the server accepts it"
    assert told["context window"].startswith("8,192 tokens")
    assert engine.key not in report.json()


def test_the_embedded_engine_is_called_by_its_name_and_is_well(tmp_path: Path) -> None:
    model = tmp_path / "small.gguf"
    write_recital(
        model, [RecitedAnswer("one two three four five six seven eight nine ten")]
    )
    report = report_on(EmbeddedProvider(model=str(model), threads=1))
    assert [check for check in report.checks if check.ok is False] == []
    assert (
        Check("server", True, "Embedded llama.cpp (no server needed)") in report.checks
    )
    assert "OpenAI-compatible" not in report.text()


# What is told meanwhile


def told_meanwhile(provider: LocalProvider) -> list[str]:
    told: list[str] = []

    async def examine_and_close() -> None:
        await examine(provider, progress=lambda what, done, total: told.append(what))
        await provider.close()

    asyncio.run(examine_and_close())
    return told


def test_a_step_that_takes_long_is_told_once(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "ANNOUNCE_AFTER", 0.05)
    monkeypatch.setattr(doctor, "QUESTION_TIMEOUT", 0.5)
    server.script(hang())
    told = told_meanwhile(local(server.url))
    assert told.count("waiting for llama3 to answer a tiny question…") == 1
    assert told[-1].startswith("examined in ")


def test_of_steps_that_are_quick_nothing_is_told(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "ANNOUNCE_AFTER", 60.0)
    assert told_meanwhile(local(server.url)) == []


def test_a_model_that_is_not_there_is_told_with_those_that_are(
    server: ScriptedServer,
) -> None:
    server.script(as_json({"error": {"message": "model 'lama3' not found"}}, 404))
    shown = lines(local(server.url, model="lama3"))
    assert "- model lama3 is not in the server's list, which has llama3" in shown
    assert trouble(local(server.url, model="lama3")) == [
        "✗ model There is no model 'lama3' at http://127.0.0.1:PORT/v1. It has llama3",
        "→ Switch: %buddy /use llama3",
    ]


def test_a_question_that_fails_is_told_in_the_server_s_words(
    server: ScriptedServer,
) -> None:
    server.script(as_json({"error": {"message": "the runner has died"}}, 500))
    assert trouble(local(server.url)) == [
        "✗ answer http://127.0.0.1:PORT/v1 answered with an error (500): the runner has died",
        "→ Check the server's log, then ask again",
    ]


def test_a_question_that_is_not_answered_is_told(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "QUESTION_TIMEOUT", 0.3)
    server.script(hang())
    assert trouble(local(server.url)) == [
        "✗ answer nothing came within 0.3 s",
        "→ Check the server's log, then: %buddy /doctor",
    ]


def test_a_cloud_is_asked_for_its_models_and_not_for_what_local_servers_tell(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = OpenAIProvider(base_url=server.url, model="llama3")
    provider.keys.store("OpenAI", f"127.0.0.1:{server.port}", "sk-stored")
    shown = lines(provider)
    assert "✓ key the server accepts it" in shown
    assert "✓ context window 128,000 tokens" in shown
    assert {record["path"] for record in server.requests} == {MODELS, CHAT}


# Providers of other packages, which say by the contract what is examined


class Watchful(Elsewhere):
    """One that examines its own connection."""

    async def check(self, announce: Announce) -> AsyncIterator[Check]:
        """Yield what it found."""
        announce("counting the wires")
        yield Check("wires", True, "two of them")
        yield Check("current", False, "none", (Remedy("Pay the bill"),))


def test_a_provider_that_only_streams_is_examined() -> None:
    shown = lines(EchoProvider())
    assert shown[0] == "✓ model echo-1"
    assert shown[1].startswith("✓ answer it streams: 9 pieces")
    assert [line for line in shown if line.startswith("✗")] == []
    assert (
        "- tools the server does not report whether this model supports tools" in shown
    )


def test_a_provider_with_an_address_and_a_key_is_examined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ELSEWHERE_KEY", "sk-very-secret")
    report = report_on(Elsewhere())
    shown = report.text().splitlines()
    assert shown[0] == "Elsewhere is working."
    assert [" ".join(line.split()) for line in shown[1:4]] == [
        "✓ address https://api.elsewhere.example/v1",
        "✓ key a key is there",
        "✓ model else-1, one of 2",
    ]
    assert report.secrets == {"API key": "sk-very-secret"}


def test_a_provider_without_its_key_is_not_asked() -> None:
    assert lines(Elsewhere())[1:] == [
        "✗ key There is no key for Elsewhere at api.elsewhere.example",
        "→ Set the environment variable ELSEWHERE_KEY",
        "→ Store a key, in a terminal: codebuddy key Elsewhere",
    ]


def test_a_provider_that_checks_its_connection_ends_the_examination_there() -> None:
    assert lines(Watchful()) == [
        "✓ wires two of them",
        "✗ current none",
        "→ Pay the bill",
    ]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Model("fake-1", loaded=True), ["✓ loaded yes"]),
        (
            Model("fake-1", loaded=False),
            ["- loaded no; the first question waits until it is"],
        ),
        (
            Model("fake-1", abilities=("chat", "tools")),
            [
                "✓ tools this model supports tools",
                "- images this model does not support images",
            ],
        ),
        (
            Model("fake-1", abilities=("chat", "images")),
            ["✓ images this model supports images"],
        ),
        (
            Model("other"),
            ["- model fake-1 is not in the server's list, which has other"],
        ),
    ],
    ids=["loaded", "not loaded", "tools", "images", "not listed"],
)
def test_the_list_of_models_shows_what_the_model_can(
    model: Model, told: list[str]
) -> None:
    provider = FakeProvider()
    provider.offers = [model]
    assert set(told) <= set(lines(provider))


def test_a_window_that_is_too_small_for_the_next_question_fails() -> None:
    provider = FakeProvider()
    provider.size = 4096
    assert trouble(provider, needed=5000) == [
        "✗ context window 4,096 tokens; the next question needs 5,000",
        "→ Start a new conversation: %buddy /reset",
    ]
    assert "✓ context window 4,096 tokens" in lines(provider, needed=4096)


TOO_SMALL = [
    "✗ context window 4,096 tokens; the next question needs 5,000",
    "→ Enlarge it: %config LocalProvider.num_ctx = 16384",
    "→ Start a new conversation: %buddy /reset",
]


@pytest.mark.parametrize(
    "played",
    [kind for kind in PLAYED.values() if kind.window and kind.widen],
    ids=lambda k: k.name,
)
def test_a_window_that_is_too_small_is_widened_by_the_command_of_its_kind(
    server: ScriptedServer, played: Played
) -> None:
    assert played.window
    what, widen, _ = trouble(local(played.on(server)), needed=played.window + 1)
    assert what.startswith(f"✗ context window {played.window:,} tokens")
    wider = 1 << (2 * played.window + 1).bit_length()
    assert widen == f"→ Enlarge it: {played.widen.replace('16384', str(wider))}"


def test_a_window_on_ollama_is_widened_by_a_setting(server: ScriptedServer) -> None:
    server.script(plain("Ollama is running"), path="/")
    server.script(as_json({"version": "0.12.3"}), path="/api/version")
    server.script(
        as_json({"models": [{"name": "llama3", "context_length": 4096}]}),
        path="/api/ps",
    )
    server.script(as_json({"models": [{"name": "llama3"}]}), path="/api/tags")
    server.script(OLLAMA_REPLY, path="/api/chat")
    provider = local(server.url)
    assert "✓ server Ollama 0.12.3" in lines(provider)
    assert trouble(provider, needed=5000) == TOO_SMALL
