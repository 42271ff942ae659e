"""Whom requests reach:

TLS with one's own authority, proxies, names that point elsewhere, redirects, secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import trustme

from codebuddy_jupyter import errors
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers.http import transport
from codebuddy_jupyter.providers.http.transport import Access
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.providers.openai_chat import OpenAIChatProvider
from codebuddy_jupyter.settings.keys import NO_KEY, Key
from tests.support.names import names_mean
from tests.support.proxies import ForwardProxy
from tests.support.scripted_server import ScriptedServer, delta, plain, stream

HELLO = Request((Message("user", "hello"),), "llama3")

SECRET = "a-secret-of-the-gateway"

TEXT = "Hello from the scripted server."

Far = Callable[[str], LocalProvider]


def ask(provider: OpenAIChatProvider) -> str:
    async def once() -> str:
        try:
            return "".join([chunk.text async for chunk in provider.stream(HELLO)])
        finally:
            await provider.close()

    return asyncio.run(once())


def failure(provider: OpenAIChatProvider) -> str:
    with pytest.raises(errors.ProviderError) as caught:
        ask(provider)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextlib.contextmanager
def behind_tls(server: ScriptedServer, context: ssl.SSLContext) -> Iterator[int]:
    """A port that speaks TLS and hands everything on to the server."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(server.host, server.port)
        await asyncio.gather(carry(reader, back), carry(there, writer))

    async def start() -> asyncio.Server:
        return await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(start(), loop).result(5)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.fixture
def tls(server: ScriptedServer, authority: trustme.CA) -> Iterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1", "models.test").configure_cert(
        context
    )
    with behind_tls(server, context) as port:
        yield port


def pem(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize("offline", [False, True], ids=["online", "offline"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_authority_of_ones_own_is_trusted_when_it_is_named(
    tls: int,
    provider: LocalProvider,
    authority: trustme.CA,
    tmp_path: Path,
    host: str,
    offline: bool,
) -> None:
    provider.base_url = f"https://{host}:{tls}"
    provider.offline = offline
    provider.ca_bundle = pem(authority, tmp_path)
    assert ask(provider) == TEXT


def test_a_certificate_that_nobody_vouches_for_is_refused_with_the_setting(
    tls: int, provider: LocalProvider
) -> None:
    provider.base_url = f"https://localhost:{tls}"
    with pytest.raises(errors.Unreachable) as caught:
        ask(provider)
    assert str(caught.value) == (
        f"There is no secure connection to https://localhost:{tls}/v1 (TLS: "
        "CERTIFICATE_VERIFY_FAILED). If you trust its "
        "certificate, name the file of its authority: %config "
        'LocalProvider.ca_bundle = "/path/to/ca.pem"'
    )


def test_a_certificate_for_another_name_is_refused(
    server: ScriptedServer,
    provider: LocalProvider,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("elsewhere.test").configure_cert(context)
    provider.ca_bundle = pem(authority, tmp_path)
    with behind_tls(server, context) as port:
        provider.base_url = f"https://localhost:{port}"
        with pytest.raises(errors.Unreachable, match="There is no secure connection"):
            ask(provider)
    assert not server.requests


@pytest.mark.parametrize(
    "in_one_file", [True, False], ids=["with its key", "key apart"]
)
def test_a_server_that_asks_for_a_certificate_gets_it(
    server: ScriptedServer,
    provider: LocalProvider,
    authority: trustme.CA,
    tmp_path: Path,
    in_one_file: bool,
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("localhost").configure_cert(context)
    mine, chain, key = (
        authority.issue_cert("me@here.test"),
        tmp_path / "mine.pem",
        tmp_path / "mine.key",
    )
    chain.write_bytes(
        mine.private_key_and_cert_chain_pem.bytes()
        if in_one_file
        else mine.cert_chain_pems[0].bytes()
    )
    key.write_bytes(mine.private_key_pem.bytes())
    provider.ca_bundle, provider.client_certificate = (
        pem(authority, tmp_path),
        str(chain),
    )
    provider.client_key = "" if in_one_file else str(key)
    with behind_tls(server, context) as port:
        provider.base_url = f"https://localhost:{port}"
        assert ask(provider) == TEXT


@pytest.mark.parametrize("setting", ["ca_bundle", "client_certificate"])
@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "other"])
def test_a_certificate_file_that_cannot_be_used_is_told(
    tls: int, provider: LocalProvider, tmp_path: Path, setting: str, content: str | None
) -> None:
    file = tmp_path / "file.pem"
    if content:
        file.write_text(content)
    provider.base_url = f"https://localhost:{tls}"
    setattr(provider, setting, str(file))
    with pytest.raises(errors.SettingError) as caught:
        ask(provider)
    assert str(caught.value).startswith(f"The certificate file {file} cannot be used (")
    assert str(caught.value).endswith(
        f'Name a PEM file: %config LocalProvider.{setting} = "/path/to/file.pem"'
    )


def test_key_and_headers_go_to_no_other_host(server: ScriptedServer) -> None:
    async def get() -> None:
        http = transport.new_http(
            Access("http://127.0.0.1:9/v1", Key(SECRET), (("X-Gateway", Key(SECRET)),))
        )
        await http.get(f"{server.url}/models")
        await http.aclose()

    asyncio.run(get())
    assert SECRET not in str(server.requests)


@pytest.mark.parametrize("offline", [False, True], ids=["online", "offline"])
def test_nothing_follows_a_redirect_to_another_host(
    server: ScriptedServer,
    provider: LocalProvider,
    monkeypatch: pytest.MonkeyPatch,
    offline: bool,
) -> None:
    monkeypatch.setenv("CODEBUDDY_API_KEY", SECRET)
    provider.headers, provider.offline = {"X-Gateway": SECRET}, offline
    with ScriptedServer() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            server.script(
                plain("", status=status, Location=f"{elsewhere.url}/chat/completions")
            )
            with pytest.raises(errors.ServerError, match="redirects to"):
                ask(provider)
        assert elsewhere.requests == []


# Proxies


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForwardProxy]:
    """A proxy that the environment names for everything.

    It alone knows where ``models.test`` is.
    """
    with ForwardProxy({"models.test": "127.0.0.1"}) as proxy:
        name_proxy(monkeypatch, proxy.url)
        yield proxy


def name_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, url)
        monkeypatch.setenv(name.upper(), url)


@pytest.fixture
def elsewhere(
    tls: int,
    authority: trustme.CA,
    server: ScriptedServer,
    provider: LocalProvider,
    tmp_path: Path,
) -> Far:
    """Gives a provider that asks the server as one on another machine, over http or
    https.
    """

    def asking(scheme: str) -> LocalProvider:
        port = tls if scheme == "https" else server.port
        provider.base_url, provider.ca_bundle = (
            f"{scheme}://models.test:{port}",
            pem(authority, tmp_path),
        )
        provider.keys.store("Local", f"models.test:{port}", SECRET)
        provider.retries = 0
        return provider

    return asking


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_proxy_never_sees_what_is_for_this_machine(
    server: ScriptedServer, provider: LocalProvider, proxied: ForwardProxy, host: str
) -> None:
    provider.base_url = f"http://{host}:{server.port}"
    assert ask(provider) == TEXT
    assert asyncio.run(provider.catalogue())
    assert proxied.taken == 0


def test_https_to_this_machine_goes_past_the_proxy(
    tls: int,
    provider: LocalProvider,
    proxied: ForwardProxy,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    provider.base_url, provider.ca_bundle = (
        f"https://localhost:{tls}",
        pem(authority, tmp_path),
    )
    assert ask(provider) == TEXT
    assert proxied.taken == 0


def test_another_host_is_asked_through_the_proxy_of_the_environment(
    server: ScriptedServer, elsewhere: Far, proxied: ForwardProxy
) -> None:
    assert ask(elsewhere("http")) == TEXT
    assert proxied.asked()[-1] == (
        f"POST http://models.test:{server.port}/v1/chat/completions"
    )
    # with what it takes to know which server that is
    assert len(proxied.asked()) == len(server.requests)
    there = server.asked()[0]["headers"]
    assert there["host"] == f"models.test:{server.port}"
    assert not [name for name in there if name.startswith("proxy-")]


def test_over_tls_the_proxy_sees_a_tunnel_and_nothing_in_it(
    tls: int, server: ScriptedServer, elsewhere: Far, proxied: ForwardProxy
) -> None:
    assert ask(elsewhere("https")) == TEXT
    assert set(proxied.asked()) == {f"CONNECT models.test:{tls}"}
    assert SECRET not in str(proxied.seen)
    assert server.asked()[0]["headers"]["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_streams_through_the_proxy(
    server: ScriptedServer, elsewhere: Far, proxied: ForwardProxy, scheme: str
) -> None:
    server.script(stream(delta("One "), done=False, end="hang"))
    provider = elsewhere(scheme)

    async def first_text() -> str:
        async with contextlib.aclosing(cast(Any, provider.stream(HELLO))) as chunks:
            text = (await anext(chunks)).text
        await provider.close()
        return str(text)

    assert asyncio.run(first_text()) == "One "
    assert proxied.taken >= 1


def test_the_models_of_another_host_are_told_through_the_proxy(
    server: ScriptedServer, elsewhere: Far, proxied: ForwardProxy
) -> None:
    assert [model.name for model in asyncio.run(elsewhere("http").models())] == [
        "llama3"
    ]
    there = f"GET http://models.test:{server.port}/"
    assert len([asked for asked in proxied.asked() if asked.startswith(there)]) == len(
        server.requests
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_gets_the_password_that_the_environment_has_for_it(
    elsewhere: Far, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with ForwardProxy({"models.test": "127.0.0.1"}, password="me:open-sesame") as proxy:
        name_proxy(monkeypatch, proxy.url.replace("://", "://me:open-sesame@"))
        assert ask(elsewhere(scheme)) == TEXT
        name_proxy(monkeypatch, proxy.url.replace("://", "://me:mistaken@"))
        with pytest.raises(errors.Unreachable) as caught:
            ask(elsewhere(scheme))
    assert proxy.url in str(caught.value)
    assert "mistaken" not in str(caught.value)


NO_WAY = (
    "Requests to {url} go through the proxy {proxy}, which failed ({why}). {hint}{past}"
)

HINT = "Give the proxy a user name and password: %env {variable}={login}; or "

PAST = "bypass the proxy: %env NO_PROXY=models.test"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password_is_told_as_that(
    elsewhere: Far, proxied: ForwardProxy, scheme: str
) -> None:
    proxied.password, provider = "me:open-sesame", elsewhere(scheme)
    why = "407 Proxy Authentication Required"
    login = proxied.url.replace("://", "://NAME:PASSWORD@")
    hint = HINT.format(variable=f"{scheme}_proxy", login=login)
    told = NO_WAY.format(
        url=provider.where(), proxy=proxied.url, why=why, hint=hint, past=PAST
    )
    assert failure(provider) == told


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_finds_no_way_is_told_as_that(
    elsewhere: Far, proxied: ForwardProxy, scheme: str
) -> None:
    proxied.hosts.clear()
    provider = elsewhere(scheme)
    assert (
        failure(provider)
        == {
            "http": f"{provider.where()} answered with an error (502): The proxy says: "
            "502 Bad Gateway. If the "
            f"proxy {proxied.url} sent this, bypass it: %env NO_PROXY=models.test",
            "https": NO_WAY.format(
                url=provider.where(),
                proxy=proxied.url,
                why="502 Bad Gateway",
                hint="",
                past=f"B{PAST[1:]}",
            ),
        }[scheme]
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_told_as_that(
    elsewhere: Far, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with ForwardProxy() as gone:
        name_proxy(monkeypatch, gone.url)
    provider = elsewhere(scheme)
    why = NO_WAY.format(
        url=provider.where(),
        proxy=gone.url,
        why="connection refused",
        hint="",
        past=f"B{PAST[1:]}",
    )
    assert failure(provider) == why


@pytest.mark.parametrize("trouble", ["no way", "password"])
def test_what_the_line_says_lets_the_next_question_go_past_the_proxy(
    server: ScriptedServer,
    elsewhere: Far,
    proxied: ForwardProxy,
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
) -> None:
    names_mean(monkeypatch, models_test=["127.0.0.1"])
    monkeypatch.setenv("NO_PROXY", "other.test")
    provider = elsewhere("http")
    proxied.hosts = {} if trouble == "no way" else proxied.hosts
    proxied.password = "me:open-sesame" if trouble == "password" else ""

    async def fail_then_ask() -> str:
        with pytest.raises(errors.ProviderError) as caught:
            await anext(aiter(provider.stream(HELLO)))
        setting = str(caught.value).rpartition("%env ")[2]
        monkeypatch.setenv(*setting.split("=", 1))
        taken = proxied.taken
        text = "".join([chunk.text async for chunk in provider.stream(HELLO)])
        await provider.close()
        assert proxied.taken == taken > 0
        return f"{setting}: {text}"

    assert asyncio.run(fail_then_ask()) == f"NO_PROXY=other.test,models.test: {TEXT}"


def test_offline_no_proxy_is_used_even_for_a_host_that_is_allowed(
    server: ScriptedServer,
    provider: LocalProvider,
    proxied: ForwardProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names_mean(monkeypatch, models_test=["127.0.0.1"])
    provider.base_url, provider.offline = f"http://models.test:{server.port}", True
    provider.allowed_hosts = ("models.test",)
    assert ask(provider) == TEXT
    assert proxied.taken == 0


# Offline


@pytest.mark.parametrize(
    "allowed", ["models.test", "Models.Test", "models.test:{port}"]
)
def test_offline_a_host_that_is_allowed_is_reached(
    server: ScriptedServer,
    provider: LocalProvider,
    monkeypatch: pytest.MonkeyPatch,
    allowed: str,
) -> None:
    names_mean(monkeypatch, models_test=["127.0.0.1"])
    provider.base_url, provider.offline = f"http://models.test:{server.port}", True
    provider.allowed_hosts = (allowed.format(port=server.port),)
    assert ask(provider) == TEXT


def test_the_buddy_tells_each_provider_what_may_be_reached(tmp_path: Path) -> None:
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json")
    buddy.change({"offline": True, "allowed_hosts": ["models.test"]})
    provider = buddy.ready("Local")
    assert (provider.offline, provider.allowed_hosts) == (True, ("models.test",))
    assert isinstance(provider, LocalProvider)
    assert provider.access("http://models.test/v1", NO_KEY).allows(
        "http://models.test/v1"
    )
    buddy.close()


@pytest.mark.parametrize("allowed", ["other.test", "models.test:1", "test", ""])
def test_offline_no_other_host_is_reached_nor_its_address_looked_up(
    provider: LocalProvider, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: pytest.fail("a name was looked up")
    )
    provider.base_url, provider.offline, provider.allowed_hosts = (
        "http://models.test:1234",
        True,
        (allowed,),
    )
    with pytest.raises(errors.Offline):
        ask(provider)


def test_offline_a_localhost_that_is_another_machine_is_not_reached(
    provider: LocalProvider, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_mean(monkeypatch, localhost=["127.0.0.1", "192.0.2.7"])
    provider.base_url, provider.offline = f"http://localhost:{server.port}", True
    with pytest.raises(errors.Offline) as caught:
        ask(provider)
    assert str(caught.value).startswith(
        "The buddy is offline and does not send to localhost, which is "
        "192.0.2.7 here: another machine. "
    )
    assert server.requests == []


def test_offline_the_transport_itself_refuses_whatever_asks_for_it(
    server: ScriptedServer,
) -> None:
    async def get() -> None:
        http = transport.new_http(Access(server.url, offline=True))
        try:
            await http.get("http://192.0.2.7/v1/models")
        finally:
            await http.aclose()

    with pytest.raises(errors.Offline):
        asyncio.run(get())


@pytest.mark.parametrize("offline", [False, True], ids=["online", "offline"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_localhost_is_found_on_the_one_address_where_the_server_listens(
    provider: LocalProvider, monkeypatch: pytest.MonkeyPatch, host: str, offline: bool
) -> None:
    other = {"127.0.0.1": "::1", "::1": "127.0.0.1"}[host]
    names_mean(monkeypatch, localhost=[other, host])
    try:
        running = ScriptedServer(host=host).__enter__()
    except AssertionError:
        # this machine has no IPv6 loopback
        return
    provider.base_url, provider.offline = f"http://localhost:{running.port}", offline
    try:
        assert ask(provider) == TEXT
    finally:
        running.__exit__()
