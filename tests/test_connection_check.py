"""The examination of the connection to a server: each step from its address to its key,
with the remedies of a step that fails.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from codebuddy_jupyter.providers.checks import Check
from codebuddy_jupyter.providers.cloud import OpenAIProvider
from codebuddy_jupyter.providers.connection_check import ConnectionCheck
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.proxies import ForwardProxy
from tests.support.reports import (
    SHORT,
    free_port,
    lines,
    local,
    report_on,
    trouble,
)
from tests.support.scripted_server import (
    CHAT,
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    hang,
    model_list,
    plain,
)

pytestmark = pytest.mark.usefixtures("well_server")


def test_an_address_as_typed_is_shown_with_the_one_in_use(
    server: ScriptedServer,
) -> None:
    shown = lines(local(f"127.0.0.1:{server.port}/v1/chat/completions"))
    assert (
        shown[0]
        == "✓ address http://127.0.0.1:PORT/v1, from 127.0.0.1:PORT/v1/chat/completions"
    )


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
    assert what.endswith("which failed (407 Proxy Authentication Required)")
    assert "%env HTTP_PROXY=http://NAME:PASSWORD@127.0.0.1:" in log_in
    assert bypass == "→ Bypass the proxy: %env NO_PROXY=models.test"


def test_a_proxy_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    what, remedy = trouble(local("http://models.test:1234/v1", retries=0))
    assert what.startswith(
        "✗ http Requests to http://models.test:1234/v1 go through the proxy http://127.0.0.1:"
    )
    assert remedy == "→ Bypass the proxy: %env NO_PROXY=models.test"


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
            "✗ model http://127.0.0.1:PORT/v1 has no model yet",
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
    assert trouble(local(server.url)) == told
    assert server.asked(CHAT) == []


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


def test_a_key_that_only_questions_need_is_told(server: ScriptedServer) -> None:
    server.script(as_json({"error": "no key"}, 401))
    shown = lines(local(server.url))
    assert [line for line in shown if " key " in f"{line} " and line[2:5] == "key"] == [
        "✗ key http://127.0.0.1:PORT/v1 requires a key (no key)"
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
