"""The examination of a provider: what it finds of servers that are well and not well,
and each remedy, line by line.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
from markdown_it import MarkdownIt

from codebuddy_jupyter import cli
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.doctor import examination as doctor
from codebuddy_jupyter.doctor.examination import examine
from codebuddy_jupyter.doctor.report import MARKS, Report
from codebuddy_jupyter.doctor.sample_reply import MAX_TOKENS
from codebuddy_jupyter.errors import BuddyError, Remedy, ServerError, SettingError
from codebuddy_jupyter.keys import Key
from codebuddy_jupyter.messages import Chunk, Model, Usage
from codebuddy_jupyter.providers.base import Provider
from codebuddy_jupyter.providers.checks import Announce, Check
from codebuddy_jupyter.providers.cloud import OpenAIProvider
from codebuddy_jupyter.providers.connection_check import ConnectionCheck
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.providers.embedded.recital import RecitedAnswer, write_recital
from codebuddy_jupyter.providers.local.discovery import Discovery
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.question.exchange import ANSWER_ROOM
from tests.support.command_line import run_line
from tests.support.elsewhere import Elsewhere
from tests.support.engines import engine_with
from tests.support.fakes import FakeProvider, Step, fake_of
from tests.support.kinds import PLAYED, Played
from tests.support.proxies import ForwardProxy
from tests.support.scripted_server import (
    CHAT,
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    hang,
    model_list,
    plain,
    reply,
    stream,
    usage,
)
from tests.third_party.codebuddy_echo import EchoProvider

SHORT = stream(*map(delta, "12345678"), delta(finish="length"), usage(20, 8))


@pytest.fixture
def server(server: ScriptedServer) -> ScriptedServer:
    """A server that is well."""
    server.script(SHORT)
    return server


def local(url: str, **settings: Any) -> LocalProvider:
    provider = LocalProvider(base_url=url, **settings)
    provider.search = Discovery([], in_container=False)
    return provider


def report_on(provider: Provider, needed: int = 0) -> Report:
    async def examine_and_close() -> Report:
        try:
            return await examine(provider, needed)
        finally:
            await provider.close()

    return asyncio.run(examine_and_close())


def lines(provider: Provider, needed: int = 0) -> list[str]:
    """The report as a terminal shows it: without the versions, the port taken out, and
    `-` for what is not known.
    """
    text = report_on(provider, needed).text()
    shown = [" ".join(line.split()) for line in text.splitlines()[1:-1]]
    port = (
        str(getattr(provider, "base_url", ""))
        .partition("127.0.0.1:")[2]
        .partition("/")[0]
    )
    shown = [line.replace(MARKS[None], "-", 1) for line in shown]
    return [line.replace(port, "PORT") if port else line for line in shown]


def trouble(provider: Provider, needed: int = 0) -> list[str]:
    """What failed, each with the remedies under it."""
    shown = lines(provider, needed)
    first = next(
        (i for i, line in enumerate(shown) if line.startswith("✗")), len(shown)
    )
    kept = [shown[first]] if first < len(shown) else []
    for line in shown[first + 1 :]:
        if not line.startswith("→"):
            break
        kept.append(line)
    return kept


def sentence(shown: list[str]) -> str:
    """A failed check and its remedies as one error: whether an error's text holds the
    remedies, or the check has them apart, is the error's choice.
    """
    what, *remedies = shown
    texts = [Remedy(line.removeprefix("→ ")) for line in remedies]
    return str(BuddyError(what, *texts)).rstrip(".").lower()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


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


def test_one_tiny_question_is_asked(server: ScriptedServer) -> None:
    lines(local(server.url))
    (asked,) = server.asked()
    assert asked["body"]["max_tokens"] == MAX_TOKENS
    assert len(json.dumps(asked["body"]["messages"])) < 200


def test_an_address_as_typed_is_shown_with_the_one_in_use(
    server: ScriptedServer,
) -> None:
    shown = lines(local(f"127.0.0.1:{server.port}/v1/chat/completions"))
    assert (
        shown[0]
        == "✓ address http://127.0.0.1:PORT/v1, from 127.0.0.1:PORT/v1/chat/completions"
    )


def test_an_address_that_had_to_be_asked_for_is_shown_as_it_is_used(
    server: ScriptedServer,
) -> None:
    provider = local(f"{server.root}/somewhere")
    shown = lines(provider)
    assert (
        shown[0]
        == "✓ address http://127.0.0.1:PORT/v1, from http://127.0.0.1:PORT/somewhere"
    )
    assert not trouble(provider)


def test_a_name_is_shown_with_its_addresses(server: ScriptedServer) -> None:
    shown = lines(local(f"http://localhost:{server.port}"))
    assert shown[1].startswith("✓ name localhost is ")
    assert "127.0.0.1" in shown[1]


def test_a_key_that_is_taken_is_told_and_not_shown(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_API_KEY", "sk-very-secret")
    report = report_on(local(server.url))
    assert Check("key", True, "the server accepts it") in report.checks
    assert (
        "sk-very-secret"
        not in report.text() + report.markdown() + report.json() + repr(report)
    )


def test_a_proxy_is_not_used_for_this_machine(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    shown = lines(local(server.url))
    assert (
        "✓ proxy the environment names one; requests to this machine do not use it"
        in shown
    )
    assert not [line for line in shown if line.startswith("✗")]


def test_a_proxy_on_the_way_is_named_and_what_it_does_not_let_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", "://me:open-sesame@"))
        shown = lines(local("http://models.test:1234/v1", retries=0))
    assert f"- proxy requests go through {proxy.url}, as the environment says" in shown
    failed = " ".join(shown[shown.index(next(s for s in shown if s[0] == "✗")) :])
    assert failed.startswith(
        "✗ server http://models.test:1234/v1 answered with an error (502): The "
        "proxy says: 502 Bad Gateway"
    )
    assert (
        f"→ If the proxy {proxy.url} sent this, bypass it: %env NO_PROXY=models.test"
        in shown
    )
    assert "open-sesame" not in str(shown)


def test_a_proxy_that_wants_a_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with ForwardProxy(password="me:open-sesame") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        what, log_in, bypass = trouble(local("http://models.test:1234/v1", retries=0))
    assert what.endswith("which refuses them (407 Proxy Authentication Required)")
    assert "%env HTTP_PROXY=http://NAME:PASSWORD@127.0.0.1:" in log_in
    assert bypass == "→ Bypass the proxy: %env NO_PROXY=models.test"


def test_a_proxy_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    what, remedy = trouble(local("http://models.test:1234/v1", retries=0))
    assert what.startswith(
        "✗ http Requests to http://models.test:1234/v1 go through the proxy http://127.0.0.1:"
    )
    assert remedy == "→ Bypass the proxy: %env NO_PROXY=models.test"


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


# Servers that are not well

LOADING = as_json({"error": {"message": "Loading model", "code": 503}}, 503)
WEB_PAGE = plain("<html><title>Sign in</title></html>", "text/html")
SET = '%config LocalProvider.base_url = "http://127.0.0.1:PORT/v1"'
NOT_WELL: dict[str, tuple[Answer, list[str]]] = {
    "key wanted": (
        as_json({"error": {"message": "Missing API key"}}, 401),
        [
            "✗ key http://127.0.0.1:PORT/v1 requires a key (Missing API key)",
            "→ Set the environment variable CODEBUDDY_API_KEY",
            "→ Store a key, in a terminal: codebuddy key Local",
        ],
    ),
    "web page": (
        WEB_PAGE,
        [
            '✗ server http://127.0.0.1:PORT/v1 does not list models: a web page "Sign in"',
            f"→ Check the base URL: {SET}",
        ],
    ),
    "wrong path": (
        plain("404 page not found", status=404),
        [
            "✗ server http://127.0.0.1:PORT/v1 answered with an error (404): 404 page not found",
            f"→ Check the base URL: {SET}",
        ],
    ),
    "redirect": (
        plain("", status=301, Location="https://elsewhere.example/v1/models"),
        [
            "✗ server http://127.0.0.1:PORT/v1 redirects to https://elsewhere.example/v1/models; "
            "a key is not sent there automatically",
            '→ If that is right: %config LocalProvider.base_url = "https://elsewhere.example/v1"',
        ],
    ),
    "loading": (
        LOADING,
        [
            "✗ loaded the server is still loading its model",
            "→ Wait a little, then: %buddy /doctor",
        ],
    ),
    "failing": (
        as_json({"error": {"message": "out of memory"}}, 500),
        [
            "✗ server http://127.0.0.1:PORT/v1 answered with an error (500): out of memory",
            "→ Check the server's log, then ask again",
        ],
    ),
    "no model": (
        model_list(),
        [
            "✗ model http://127.0.0.1:PORT/v1 has no model that can chat",
            "→ Download or load one there",
            "→ With Ollama: ollama pull llama3.2",
        ],
    ),
    "silent": (
        hang(),
        [
            "✗ http it accepted the connection and was silent for 0.3 s",
            "→ Check the server's log, then: %buddy /doctor",
        ],
    ),
    "hanging up": (
        Answer(end="drop", framing="close"),
        [
            "✗ server http://127.0.0.1:PORT/v1 does not list models: nothing came",
            f"→ Check the base URL: {SET}",
        ],
    ),
}


@pytest.mark.parametrize(("answer", "told"), NOT_WELL.values(), ids=NOT_WELL)
def test_what_is_not_well_is_told_with_its_remedy(
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    told: list[str],
) -> None:
    if answer.wait:
        monkeypatch.setattr(ConnectionCheck, "answer_timeout", 0.3)
    server.script(answer, path=MODELS)
    assert sentence(trouble(local(server.url))) == sentence(told)
    assert server.asked(CHAT) == []


def test_nothing_that_listens_is_told_with_the_command_that_starts_it() -> None:
    assert trouble(local(f"http://127.0.0.1:{free_port()}/v1")) == [
        "✗ connection nothing answers (connection refused)",
        "→ Start the server there",
    ]


@pytest.mark.parametrize(
    ("port", "remedies"),
    [
        (11434, ["→ Start Ollama: ollama serve"]),
        (1234, ["→ Start LM Studio: lms server start"]),
    ],
)
def test_at_a_usual_port_the_remedy_starts_the_usual_server(
    monkeypatch: pytest.MonkeyPatch, port: int, remedies: list[str]
) -> None:
    async def refuse(*args: Any, **kwargs: Any) -> None:
        raise ConnectionRefusedError(111, "Connect call failed")

    # whether or not one runs on this machine
    monkeypatch.setattr(asyncio, "open_connection", refuse)
    assert trouble(local(f"http://127.0.0.1:{port}/v1"))[1:] == remedies


def test_a_server_that_answers_elsewhere_is_offered(server: ScriptedServer) -> None:
    provider = local(f"http://127.0.0.1:{free_port()}/v1")
    provider.search = Discovery([(server.port, "/v1")], in_container=False)
    there = f"http://localhost:{server.port}/v1"
    assert trouble(provider)[1:] == [
        (
            f"→ Use OpenAI-compatible server, which answers at {there}: %config "
            f'LocalProvider.base_url = "{there}"'
        ),
        "→ Start the server there",
    ]
    assert server.asked(CHAT) == []


def test_inside_a_container_the_machine_around_it_is_named() -> None:
    provider = local(f"http://127.0.0.1:{free_port()}/v1")
    provider.search = Discovery([], in_container=True)
    around = '%config LocalProvider.base_url = "http://host.docker.internal:PORT/v1"'
    assert (
        trouble(provider)[-1]
        == f"→ Since localhost is a container here, use its host machine: {around}"
    )


def test_a_host_that_nobody_knows_is_told() -> None:
    assert trouble(local("http://no-such-host.example:1234/v1")) == [
        "✗ name no-such-host.example: there is no such host",
        '→ Correct the host name: %config LocalProvider.base_url = "http://HOST:PORT/v1"',
    ]


def test_a_server_without_tls_behind_https_is_told(server: ScriptedServer) -> None:
    what, remedy = trouble(local(f"https://127.0.0.1:{server.port}/v1"))
    assert what.startswith(
        "✗ tls There is no secure connection to https://127.0.0.1:PORT/v1 (TLS: "
    )
    assert remedy == f"→ If the server speaks plain HTTP: {SET}"


def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with ScriptedServer(tls=context) as server:
        server.script(SHORT)
        what, remedy = trouble(local(server.url))
        trusted = lines(local(server.url, ca_bundle=str(tmp_path / "ca.pem")))
    assert what == (
        "✗ tls There is no secure connection to https://127.0.0.1:PORT/v1 (TLS: "
        "CERTIFICATE_VERIFY_FAILED)"
    )
    assert remedy == (
        "→ If you trust its certificate, name the file of its authority: "
        '%config LocalProvider.ca_bundle = "/path/to/ca.pem"'
    )
    assert (
        "✓ tls the connection is encrypted, and the certificate is trusted" in trusted
    )
    assert not [line for line in trusted if line.startswith("✗")]


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


def test_a_key_that_only_questions_need_is_told(server: ScriptedServer) -> None:
    server.script(as_json({"error": "no key"}, 401))
    shown = lines(local(server.url))
    assert [line for line in shown if " key " in f"{line} " and line[2:5] == "key"] == [
        "✗ key http://127.0.0.1:PORT/v1 requires a key (no key)"
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


@pytest.mark.parametrize(
    "provider",
    [local("http://192.0.2.1:1234/v1"), OpenAIProvider()],
    ids=["other host", "cloud"],
)
def test_offline_nothing_is_sent_and_no_name_looked_up(
    provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    provider.offline = True
    shown = lines(provider)
    assert len([line for line in shown if line.startswith(("✓", "✗"))]) == 1
    assert shown[0].startswith("✗ offline The buddy is offline and does not send to ")


def test_a_cloud_without_a_key_is_asked_nothing(server: ScriptedServer) -> None:
    provider = OpenAIProvider(base_url=server.url)
    assert trouble(provider)[0] == "✗ key There is no key for OpenAI at 127.0.0.1:PORT"
    assert server.requests == []


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


def test_the_key_of_the_environment_stays_with_the_host_of_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ELSEWHERE_KEY", "sk-very-secret")
    provider = Elsewhere(base_url="https://gateway.example/v1")
    assert provider.try_key() is None
    assert provider.store_key("sk-gateway")
    assert provider.try_key() == "sk-gateway"
    assert provider.forget_key()
    assert not provider.forget_key()


def test_a_provider_without_an_address_stores_no_key() -> None:
    with pytest.raises(SettingError, match="Echo uses no key"):
        EchoProvider().store_key("sk-any")
    assert EchoProvider().secrets() == {}


# What the answer shows

HEARD: dict[str, tuple[Sequence[Step], str]] = {
    "max_tokens kept": (
        ["a", Chunk(finish="length")],
        "✓ max_tokens the server respects it",
    ),
    "max_tokens ignored": (
        ["a", Chunk(finish="stop", usage=Usage(9, 60))],
        "- max_tokens the server ignores it: 60 tokens came, 8 were allowed",
    ),
    "a short answer": (
        ["a", Chunk(finish="stop")],
        "- max_tokens not known: the answer ended before 8 tokens",
    ),
    "no usage": (
        ["a", Chunk(finish="stop")],
        "- usage the server counts no tokens; they are estimated",
    ),
    "reasoning": (
        [Chunk(reasoning="Hm."), "a", Chunk(finish="stop")],
        "✓ reasoning the model reasons first; its reasoning is shown separately",
    ),
    "a note": (
        [Chunk(note="It refused stream_options."), "a", Chunk(finish="stop")],
        "- note It refused stream_options.",
    ),
    "an error": (
        [ServerError("It broke.", Remedy("Check the log", "tail log"))],
        "✗ answer It broke",
    ),
    "the error's remedy": (
        [ServerError("It broke.", Remedy("Check the log", "tail log"))],
        "→ Check the log: tail log",
    ),
}


@pytest.mark.parametrize(("steps", "line"), HEARD.values(), ids=HEARD)
def test_the_answer_shows_what_the_server_can(steps: Sequence[Step], line: str) -> None:
    provider = FakeProvider()
    provider.replies = [steps]
    assert line in lines(provider)


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
    "→ Make it larger: %config LocalProvider.num_ctx = 16384",
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
    assert widen == f"→ Make it larger: {played.widen.replace('16384', str(wider))}"


def test_a_window_on_ollama_is_widened_by_a_setting(server: ScriptedServer) -> None:
    server.script(plain("Ollama is running"), path="/")
    server.script(as_json({"version": "0.12.3"}), path="/api/version")
    server.script(
        as_json({"models": [{"name": "llama3", "context_length": 4096}]}),
        path="/api/ps",
    )
    server.script(as_json({"models": [{"name": "llama3"}]}), path="/api/tags")
    provider = local(server.url)
    assert "✓ server Ollama 0.12.3" in lines(provider)
    assert trouble(provider, needed=5000) == TOO_SMALL


# How it is shown


def test_a_report_of_json_holds_no_key_and_no_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "q7Rk29-of-the-Environment")
    told = {
        f"{Path.home()}/models/a.gguf": "~/models/a.gguf",
        "/home/ann/x and /Users/ann/y": "/home/…/x and /Users/…/y",
        r"C:\Users\ann\x": r"C:\Users\…\x",
        "it said q7Rk29-of-the-Environment": "it said [redacted: $HF_TOKEN]",
        "it said my-own-key": "it said [redacted: API key]",
        "http://me:word@proxy:3128": "http://me:[redacted: password in URL]@proxy:3128",
    }
    checks = tuple(Check("c", True, text) for text in told)
    report = Report("Local", checks, {}, {"API key": Key("my-own-key")})
    shown = json.loads(report.json())["checks"]
    assert [check["finding"] for check in shown] == list(told.values())


SECRETS = {
    "AWS": "AKIAQ3EGRTYU7PLMNB2K",
    "GitHub": "github_pat_11ABCDEFG0abcdefghijkl_0123456789abcdefghijklmnopqrstuvwxyzABCD",
    "GitLab": "glpat-abcdefghij0123456789",
    "JWT": (
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0."
        "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    ),
    "Slack": "xoxb-123456789012-abcdefghijklmnopqrstuvwx",
    "OpenAI": "sk-proj-abcdefghijkl0123456789ABCDEFGHIJKL",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_the_json_of_the_command_redacts_a_secret_in_a_finding(
    buddy: Buddy, fake: FakeProvider, secret: str
) -> None:
    remedy = Remedy("Look", f"curl -H 'Authorization: Bearer {secret}' URL")
    fake.replies = [[ServerError(f"It refused {secret} of {secret}!", remedy)]]
    shown = run_line(buddy, "/doctor --json")
    assert secret not in shown
    assert shown.count("[redacted: ") == 3


@pytest.mark.parametrize(
    "words",
    [
        "password=hunter22xyz",
        "It was called with password=hunter22xyz here.",
        "The login failed (user=ann, password=hunter22xyz)",
        "Server=db;User=ann;Password=hunter22xyz;",
        "It said password='hunter22xyz' to me.",
    ],
)
def test_the_json_of_the_command_redacts_a_password_in_a_finding(
    buddy: Buddy, fake: FakeProvider, words: str
) -> None:
    fake.replies = [[ServerError(words)]]
    shown = run_line(buddy, "/doctor --json")
    assert "hunter22xyz" not in shown
    assert "[redacted: password]" in shown


def test_the_headers_of_a_request_are_redacted() -> None:
    provider = LocalProvider(headers={"X-Gateway": "plain words"})
    report = Report("Local", (Check("c", True, "plain words"),), {}, provider.secrets())
    assert "plain words" not in report.json()
    assert "[redacted: header X-Gateway]" in report.json()


def test_hostile_words_of_a_server_are_shown_as_text() -> None:
    words = (
        "<img src=x onerror=alert(1)> `code` **bold** [a](javascript:b)\n\n# heading"
    )
    provider = FakeProvider()
    provider.offers = [Model(words)]
    shown = report_on(provider).markdown()
    tokens = MarkdownIt("commonmark", {"html": True}).parse(shown)
    kinds = {token.type for token in tokens} | {
        child.type for token in tokens for child in token.children or ()
    }
    assert not kinds & {
        "html_inline",
        "html_block",
        "link_open",
        "heading_open",
        "image",
    }


def test_hostile_words_of_a_server_stay_on_their_line_in_a_terminal() -> None:
    provider = FakeProvider()
    provider.offers = [Model("two\n✓ lines")]
    assert "- model fake-1 is not in the server's list, which has two ✓ lines" in lines(
        provider
    )


# Where it is asked for


def command(buddy: Buddy, line: str) -> str:
    return str(MarkdownIt().render(run_line(buddy, line)))


def test_the_command_examines_the_provider_in_use(
    buddy: Buddy, fake: FakeProvider
) -> None:
    shown = command(buddy, "/doctor")
    assert "Fake is working." in shown
    assert len(fake.requests) == 1
    assert buddy.chat.turns == []


def test_the_command_examines_the_provider_that_is_named(buddy: Buddy) -> None:
    command(buddy, "/doctor openai")
    assert len(fake_of(buddy, "OpenAI").requests) == 1


def test_the_command_gives_json_for_a_report(buddy: Buddy) -> None:
    shown = run_line(buddy, "/doctor --json")
    assert (
        json.loads(shown.removeprefix("```json\n").removesuffix("```\n"))["ok"] is True
    )


@pytest.mark.parametrize("line", ["/doctor --jsn", "/doctor local openai"])
def test_the_command_says_what_it_takes(buddy: Buddy, line: str) -> None:
    with pytest.raises(SettingError, match="/doctor takes a provider and --json"):
        run_line(buddy, line)


def test_what_the_next_question_needs_grows_with_the_conversation(
    buddy: Buddy, fake: FakeProvider
) -> None:
    before = buddy.needed()
    assert before > ANSWER_ROOM
    buddy.ask("x" * 7000).result()
    assert buddy.needed() > before + 1500


@pytest.mark.parametrize(
    ("answer", "status"),
    [(SHORT, 0), (as_json({"error": "oh"}, 500), 1)],
    ids=["well", "not well"],
)
def test_the_shell_command_ends_as_the_checks_do(
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: Answer,
    status: int,
) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", server.url)
    server.script(answer)
    assert cli.main(["doctor"]) == status
    assert f"\n{'✗✓'[status == 0]} answer" in capsys.readouterr().out
    assert cli.main(["doctor", "local", "--json"]) == status
    assert json.loads(capsys.readouterr().out)["ok"] is (status == 0)


def test_the_shell_command_names_a_provider_that_there_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["doctor", "olama"]) == 1
    assert "There is no provider 'olama'" in capsys.readouterr().err


def test_a_good_reply_that_goes_on_is_not_waited_for(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "QUESTION_TIMEOUT", 0.3)
    server.script(Answer(pieces=reply("One two three").pieces[:2], end="hang"))
    assert any(
        line.startswith("✓ answer it streams: 2 pieces")
        for line in lines(local(server.url))
    )
