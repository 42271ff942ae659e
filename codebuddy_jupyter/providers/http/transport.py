"""The HTTP client that sends the requests: which hosts it may reach, what it sends to
each, and how much it reads.

It uses the HTTP library of the installed ``openai``, which is imported at the first use
because that takes seconds.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import os
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ... import errors
from ...errors import Remedy
from ...settings.keys import NO_KEY, Key
from .address import (
    host_of,
    is_ip_address,
    is_loopback,
    is_loopback_address,
    secrets_in_query,
    without_login,
)
from .client_errors import cannot_import, cannot_make_client

HEADERS = frozenset(
    {
        "host",
        "connection",
        "user-agent",
        "accept",
        "accept-encoding",
        "content-type",
        "content-length",
    }
)
# openai takes their values from the environment.
OPENAI_HEADERS = frozenset({"openai-organization", "openai-project"})
# Bytes that are read of an error response: enough to say what it was.
MAX_ERROR_BODY = 1 << 20
# Bytes that are read of any other answer that is not a stream, such as a model list.
MAX_ANSWER_BODY = 8 << 20


NO_LOGIN = Key("")


@dataclass(frozen=True)
class Access:
    """How to reach a server, and what to send to it and to no other host.

    Parameters
    ----------
    url, key
        The base URL, and the key for its host.
    headers
        Additional headers, by name; their values may be secrets.
    ca_bundle
        A file or folder of certificate authorities that are trusted besides the
        system's; empty: none.
    certificate, certificate_key
        The files of a client certificate and of its key, unless that is in the first.
    offline, allowed
        Whether only this machine may be reached, and the hosts that are exempt.
    offline_reason
        Why, if the user did not set that; a sentence.
    login
        ``NAME:PASSWORD`` for the host, which is sent in place of the key; empty: none.
    query
        What stands after ``?`` in each request; empty: nothing.
    """

    url: str
    key: Key = NO_KEY
    headers: tuple[tuple[str, Key], ...] = ()
    ca_bundle: str = ""
    certificate: str = ""
    certificate_key: str = ""
    offline: bool = False
    allowed: tuple[str, ...] = ()
    offline_reason: str = ""
    login: Key = NO_LOGIN
    query: str = ""

    @property
    def secrets_by_name(self) -> dict[str, str]:
        """What no error may repeat: the key and the values of the headers, by name."""
        password = self.login.partition(":")[2]
        values = {
            "API key": self.key,
            "password": password,
            "login": self._basic,
            **secrets_in_query(self.query),
            **dict(self.headers),
        }
        return {
            name: str(value)
            for name, value in values.items()
            if value and value != NO_KEY
        }

    @property
    def _basic(self) -> str:
        """The login as a header carries it."""
        return base64.b64encode(self.login.encode()).decode()

    @property
    def authorization(self) -> str:
        """The header that carries the login, else the key."""
        if self.login:
            return f"Basic {self._basic}"
        return f"Bearer {self.key}"

    @property
    def secrets(self) -> list[str]:
        """The values of `secrets_by_name`."""
        return list(self.secrets_by_name.values())

    def check(self, url: str) -> None:
        """Check that a request may go to a URL, without resolving its host.

        Raises
        ------
        Offline
            If it may not.
        """
        if self.offline and not is_loopback(url) and not self.allows(url):
            raise self.offline_error(url, f"does not send to {host_of(url)}")

    def offline_error(self, url: str, refusal: str) -> errors.Offline:
        """Return the error for a request that offline mode forbids.

        Parameters
        ----------
        url
            Where the request would go.
        refusal
            What the buddy does not do, as the end of a sentence.
        """
        hosts = [*self.allowed, host_of(url)]
        names = ", ".join(f'"{host}"' for host in hosts)
        allow = f"%config Buddy.allowed_hosts = [{names}]"
        local = Remedy("Ask a model on this machine", "%buddy /use Local")
        online = "%config Buddy.offline = False"
        if self.offline_reason:
            reason = self.offline_reason.rstrip(".")
            return errors.Offline(
                f"{reason}. Until this is corrected, the buddy {refusal}.",
                Remedy("Correct the settings"),
                local,
                Remedy("Send it anyway, in this kernel", online),
            )
        return errors.Offline(
            f"The buddy is offline and {refusal}.",
            local,
            Remedy("Allow this host", allow),
            Remedy("Leave offline mode", online),
        )

    @property
    def proxy(self) -> str:
        """The proxy that requests go through, without its password; empty if none."""
        if self.offline:
            return ""
        return proxy_of(self.url)

    def allows(self, url: str) -> bool:
        """Return whether the user listed this host as allowed in offline mode."""
        host = host_of(url)
        allowed = {name.lower() for name in self.allowed}
        return host in allowed or host.rpartition(":")[0] in allowed


def proxies() -> dict[str, str]:
    """Return the proxies of the environment, by URL scheme."""
    proxies = urllib.request.getproxies()
    # Without those of FTP and others, and the list of hosts that bypass them.
    return {
        scheme: proxy
        for scheme, proxy in proxies.items()
        if scheme in ("http", "https", "all")
    }


def proxy_of(url: str) -> str:
    """Return the environment's proxy for a URL, without its password; empty if requests
    do not go through one.
    """
    parts = urlsplit(url)
    # Not `proxy_bypass`: on Windows it resolves the name, which blocks, and the HTTP
    # library does not respect it.
    # typeshed does not list it.
    is_bypassed = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]
    if is_loopback(url) or is_bypassed(parts.hostname or ""):
        return ""
    by_scheme = proxies()
    proxy = by_scheme.get(parts.scheme) or by_scheme.get("all", "")
    if not proxy:
        return ""
    proxy = without_login(proxy)
    if "://" in proxy:
        return proxy
    return f"http://{proxy}"


def past_proxy(url: str) -> str:
    """Return the command that lets requests to the host of a URL bypass the proxy, in
    addition to the hosts that do already.
    """
    # The lower-case name wins if both are set.
    name = "no_proxy"
    if name not in os.environ:
        name = name.upper()
    hosts = urlsplit(url).hostname or ""
    others = os.environ.get(name)
    if others:
        hosts = f"{others},{hosts}"
    return f"%env {name}={hosts}"


def proxy_login(url: str) -> str:
    """Return the command that names the proxy for a URL with a user name and password."""
    scheme, _, address = proxy_of(url).partition("://")
    name = f"{urlsplit(url).scheme}_proxy"
    # The lower-case name wins if both are set.
    if name not in os.environ:
        name = name.upper()
    return f"%env {name}={scheme}://NAME:PASSWORD@{address}"


def load_openai() -> Any:
    """Import the package ``openai`` and return it.

    Raises
    ------
    ExtraMissing
        If it cannot be imported.
    """
    with _importing("openai"):
        openai = importlib.import_module("openai")
        # Another module of this name, or a version without it, fails here.
        _ = openai.AsyncOpenAI, openai.DefaultAsyncHttpxClient
    return openai


def http_library() -> Any:
    """Import the HTTP library that this ``openai`` uses, httpx or httpx2, and return it."""
    client = load_openai().DefaultAsyncHttpxClient.__base__
    with _importing(client.__module__):
        return importlib.import_module(client.__module__)


def connection_errors() -> tuple[type[Exception], ...]:
    """Return the errors that a broken connection can raise; the HTTP library does not
    translate all of them into its own.
    """
    http = http_library()
    with _importing("anyio"):
        end_of_stream = importlib.import_module("anyio").EndOfStream
    return (http.HTTPError, http.InvalidURL, OSError, end_of_stream)


@contextmanager
def _importing(name: str) -> Iterator[None]:
    """Turn an error about a package into one that says which file is in its place."""
    try:
        yield
    except (Exception, SystemExit) as error:
        # A file of the user that has the name of a package may raise anything.
        raise cannot_import(name, error) from error


def new_http(access: Access) -> Any:
    """Return a client of the HTTP library for one server.

    Raises
    ------
    SettingError
        If a certificate in the settings, or what the environment says of proxies and
        certificates, cannot be used.
    ExtraMissing
        If a package cannot be imported.
    """
    hooks = {"request": [_only_our_headers(access)], "response": [_read_limited]}
    # A key must not follow a redirect.
    options: dict[str, Any] = {"follow_redirects": False, "event_hooks": hooks}
    is_local = is_loopback(access.url)
    if is_local or access.ca_bundle or access.certificate:
        options["verify"] = _verification(access)
    if access.offline:
        options["transport"] = _OfflineTransport(access, options.get("verify", True))
    if access.offline or is_local:
        # The proxies of the environment would take requests to 127.0.0.1 as well.
        options["trust_env"] = False
    make_client = load_openai().DefaultAsyncHttpxClient
    try:
        return make_client(**options)
    except Exception as error:
        # The libraries raise all kinds of errors for what the environment says.
        raise cannot_make_client(error, http_library()) from error


def _verification(access: Access) -> ssl.SSLContext | bool:
    # Building a TLS context takes 50 ms, and plain HTTP does not need it.
    if not access.url.startswith("https"):
        return False
    return _tls_context(access)


def _only_our_headers(access: Access) -> Callable[[Any], Awaitable[None]]:
    """Return a hook that removes the headers that openai adds itself: values of its
    environment variables, facts about this machine.
    """
    host = host_of(access.url)
    kept = HEADERS
    if host == "api.openai.com":
        kept = HEADERS | OPENAI_HEADERS

    async def set_headers(request: Any) -> None:
        for name in list(request.headers):
            if name.lower() not in kept:
                del request.headers[name]
        if host_of(str(request.url)) == host:
            request.headers["Authorization"] = access.authorization
            request.headers.update(dict(access.headers))
            if access.query:
                query = dict(parse_qsl(access.query, keep_blank_values=True))
                request.url = request.url.copy_merge_params(query)

    return set_headers


async def _read_limited(response: Any) -> None:
    """A hook that reads an answer that is not a stream, up to a limit; openai would read
    it without one.
    """
    is_success = response.status_code == 200
    if response.request.method == "POST" and is_success:
        return
    limit = MAX_ERROR_BODY
    if is_success:
        limit = MAX_ANSWER_BODY
    stream = response.stream
    try:
        async with aclosing(aiter(stream)) as pieces:
            body = await _read_at_most(limit, pieces)
    finally:
        await stream.aclose()
    response.stream = http_library().ByteStream(body)


async def _read_at_most(limit: int, pieces: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def _tls_context(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if access.ca_bundle:
        with _certificate_errors("ca_bundle", access.ca_bundle):
            _trust(context, Path(access.ca_bundle).expanduser())
    if access.certificate:
        with _certificate_errors("client_certificate", access.certificate):
            _load_client_certificate(context, access)
    return context


@contextmanager
def _certificate_errors(setting: str, name: str) -> Iterator[None]:
    """Turn an error about a certificate file into one about the setting that names it."""
    try:
        yield
    except (OSError, ValueError) as error:
        # An ssl.SSLError, which is an OSError, has a reason.
        why = getattr(error, "reason", "") or getattr(error, "strerror", "")
        raise errors.SettingError(
            f"The certificate file {name} cannot be used ({why or error}).",
            Remedy(
                "Name a PEM file",
                f'%config LocalProvider.{setting} = "/path/to/file.pem"',
            ),
        ) from error


def _trust(context: ssl.SSLContext, path: Path) -> None:
    if path.is_dir():
        context.load_verify_locations(capath=str(path))
    else:
        context.load_verify_locations(cafile=str(path))


def _load_client_certificate(context: ssl.SSLContext, access: Access) -> None:
    key = None
    if access.certificate_key:
        key = Path(access.certificate_key).expanduser()
    # Without a password, OpenSSL would prompt for one at the kernel's terminal, where
    # nobody is.
    certificate = Path(access.certificate).expanduser()
    context.load_cert_chain(certificate, key, password="")


class _OfflineTransport:
    """A transport that reaches only this machine and the allowed hosts, however their
    names resolve.

    It connects to the very addresses that it has checked, and never through a proxy,
    which would be another host.
    """

    def __init__(self, access: Access, verify: ssl.SSLContext | bool) -> None:
        self._access = access
        self._inner = http_library().AsyncHTTPTransport(verify=verify, trust_env=False)

    async def handle_async_request(self, request: Any) -> Any:
        url = str(request.url)
        self._access.check(url)
        if self._access.allows(url) or is_ip_address(request.url.host):
            return await self._inner.handle_async_request(request)
        addresses = await self._loopback_addresses(request.url)
        return await self._send(request, addresses)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _send(self, request: Any, addresses: list[str]) -> Any:
        """Send the request to the first of these addresses that accepts it."""
        name = request.url.host
        for address in addresses:
            request.url = request.url.copy_with(host=address)
            request.extensions = {**request.extensions, "sni_hostname": name}
            try:
                return await self._inner.handle_async_request(request)
            except http_library().ConnectError:
                if address == addresses[-1]:
                    raise
        raise http_library().ConnectError(f"{name} has no address")

    async def _loopback_addresses(self, url: Any) -> list[str]:
        """Return the addresses of a host, which must all be loopback."""
        try:
            entries = await asyncio.get_running_loop().getaddrinfo(
                url.host, None, type=socket.SOCK_STREAM
            )
        except socket.gaierror as error:
            raise http_library().ConnectError(str(error)) from error
        # Each once, in their order.
        unique: dict[str, None] = {}
        for *_, socket_address in entries:
            unique[str(socket_address[0])] = None
        addresses = list(unique)
        for address in addresses:
            # An IPv6 address may end in the name of a network interface.
            if not is_loopback_address(address.partition("%")[0]):
                raise self._access.offline_error(
                    str(url),
                    f"does not send to {url.host}, which is {address} here: "
                    "another machine",
                )
        return addresses
