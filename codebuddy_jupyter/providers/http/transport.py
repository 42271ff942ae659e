"""The http client by which requests go out: whom it may reach, what it shows to whom,
and how much it takes.

It stands on the http library of the installed ``openai``, which is imported at the
first use, since that takes seconds.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import os
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ... import errors
from ...keys import NO_KEY, Key
from .address import host_of, is_loopback

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
# openai takes them from the environment
OPENAI_HEADERS = frozenset({"openai-organization", "openai-project"})
# bytes of an answer that is an error, of which are read enough to say what came
MOST_ERROR = 1 << 20
# bytes of any other answer that is no stream, such as a list of models
MOST_ANSWER = 8 << 20


@dataclass(frozen=True)
class Access:
    """How to reach a server, and what to show to it and to nobody else.

    Parameters
    ----------
    url, key
        The base URL, and the key for its host.
    headers
        More headers, by name; their values may be secrets.
    ca_bundle
        The file or folder of certificates of authorities that are trusted besides the
        usual ones; empty: none.
    certificate, certificate_key
        The files of a certificate by which this side proves who it is, and of its key,
        unless that is in the first.
    offline, allowed
        Whether this machine alone may be reached, and the hosts that may be all the
        same.
    """

    url: str
    key: Key = NO_KEY
    headers: tuple[tuple[str, Key], ...] = ()
    ca_bundle: str = ""
    certificate: str = ""
    certificate_key: str = ""
    offline: bool = False
    allowed: tuple[str, ...] = ()

    @property
    def secrets(self) -> list[str]:
        """What no error may repeat."""
        return [
            str(value)
            for value in (self.key, *(value for _, value in self.headers))
            if value and value != NO_KEY
        ]

    def check(self, url: str) -> None:
        """See to it that a request may go to a URL, as far as that can be told without
        asking for its address.

        Raises
        ------
        Offline
            When it may not.
        """
        if self.offline and not is_loopback(url) and not self.allows(url):
            raise self.offence(url, f"does not send to {host_of(url)}")

    def offence(self, url: str, what: str) -> errors.Offline:
        """The error for a request to a URL that may not be made, with how to allow it
        beside what is allowed.
        """
        hosts = ", ".join(f'"{host}"' for host in (*self.allowed, host_of(url)))
        return errors.Offline(
            f"The buddy is offline and {what}. Ask a model on this machine: "
            "%buddy /use Local, allow this host: "
            f"%config Buddy.allowed_hosts = [{hosts}], or let all requests "
            "out: %config Buddy.offline = False"
        )

    @property
    def proxy(self) -> str:
        """The proxy through which requests go, without its password; empty where they
        go straight.
        """
        return "" if self.offline else proxy_of(self.url)

    def allows(self, url: str) -> bool:
        """Whether the user named this host as one that may be reached."""
        host = host_of(url)
        return not {host, host.rpartition(":")[0]}.isdisjoint(
            name.lower() for name in self.allowed
        )


def proxies() -> dict[str, str]:
    """The proxies that the environment names, by the schemes for which they are."""
    return {
        name: url
        for name, url in urllib.request.getproxies().items()
        if name in ("http", "https", "all")
    }


def proxy_of(url: str) -> str:
    """The proxy that the environment names for a URL, without its password; empty where
    requests go straight.
    """
    parts, known = urlsplit(url), proxies()
    # Not `proxy_bypass`: on Windows it looks the name up, which blocks, and the http
    # library does not heed it.
    bypassed = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed leaves it out
    if is_loopback(url) or bypassed(parts.hostname or ""):
        return ""
    text = known.get(parts.scheme) or known.get("all", "")
    scheme, _, rest = text.rpartition("://")
    return f"{scheme or 'http'}://{rest.rpartition('@')[2]}" if text else ""


def past_proxy(url: str) -> str:
    """The line that lets requests to the host of a URL go past the proxy, beside those
    that do already.
    """
    # the small letters win where both are there
    name = "no_proxy" if "no_proxy" in os.environ else "NO_PROXY"
    hosts = filter(None, [os.environ.get(name), urlsplit(url).hostname])
    return f"%env {name}={','.join(hosts)}"


def load_openai() -> Any:
    """The package of that name."""
    return importlib.import_module("openai")


def http_library() -> Any:
    """The http library on which this openai stands: httpx, or httpx2."""
    return importlib.import_module(
        load_openai().DefaultAsyncHttpxClient.__base__.__module__
    )


def broken() -> tuple[type[Exception], ...]:
    """What a connection that breaks can raise; not all of it does the http library make
    its own.
    """
    return (
        http_library().HTTPError,
        OSError,
        importlib.import_module("anyio").EndOfStream,
    )


def new_http(access: Access) -> Any:
    """A client of the http library for one server.

    Raises
    ------
    SettingError
        When a certificate that the settings name cannot be used.
    """
    hooks = {"request": [_only_ours(access)], "response": [_take_no_more_than_enough]}
    # A key must not follow to where a server points.
    how: dict[str, Any] = {"follow_redirects": False, "event_hooks": hooks}
    here = is_loopback(access.url)
    if here or access.ca_bundle or access.certificate:
        # To build a TLS context takes 50 ms, which http does not need.
        how["verify"] = _tls(access) if access.url.startswith("https") else False
    if access.offline:
        how |= {
            "transport": _Guarded(access, how.get("verify", True)),
            "trust_env": False,
        }
    elif here:
        # the environment's proxies would take 127.0.0.1 as well
        how["trust_env"] = False
    return load_openai().DefaultAsyncHttpxClient(**how)


def _only_ours(access: Access) -> Callable[[Any], Awaitable[None]]:
    """A hook that takes out of a request what openai adds by itself: what its variables
    hold, facts of this machine.
    """
    host = host_of(access.url)
    meant = HEADERS | OPENAI_HEADERS if host == "api.openai.com" else HEADERS

    async def leave_out(request: Any) -> None:
        for name in [name for name in request.headers if name.lower() not in meant]:
            del request.headers[name]
        if host_of(str(request.url)) == host:
            request.headers["Authorization"] = f"Bearer {access.key}"
            request.headers.update(dict(access.headers))

    return leave_out


async def _take_no_more_than_enough(response: Any) -> None:
    """A hook that reads an answer that is no stream itself, up to a limit: openai would
    read whatever comes.
    """
    if response.request.method == "POST" and response.status_code == 200:
        return
    most = MOST_ANSWER if response.status_code == 200 else MOST_ERROR
    stream = response.stream
    try:
        async with aclosing(aiter(stream)) as pieces:
            body = await _at_most(most, pieces)
    finally:
        await stream.aclose()
    response.stream = http_library().ByteStream(body)


async def _at_most(size: int, pieces: AsyncIterator[bytes]) -> bytes:
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) >= size:
            break
    return bytes(held[:size])


def _tls(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for setting, name, load in (
        ("ca_bundle", access.ca_bundle, _trust),
        ("client_certificate", access.certificate, _prove_by(access.certificate_key)),
    ):
        if not name:
            continue
        try:
            load(context, Path(name).expanduser())
        except (OSError, ValueError) as error:
            # ssl.SSLError is an OSError
            why = (
                (isinstance(error, ssl.SSLError) and error.reason)
                or getattr(error, "strerror", "")
                or error
            )
            raise errors.SettingError(
                f"The certificate file {name} cannot be used ({why}). Name a PEM file: "
                f'%config LocalProvider.{setting} = "/path/to/file.pem"'
            ) from error
    return context


def _trust(context: ssl.SSLContext, path: Path) -> None:
    context.load_verify_locations(
        **{"capath" if path.is_dir() else "cafile": str(path)}
    )


def _prove_by(key: str) -> Callable[[ssl.SSLContext, Path], None]:
    def load(context: ssl.SSLContext, path: Path) -> None:
        # Without a password here, OpenSSL would ask for one at the terminal of the
        # kernel, where nobody is.
        context.load_cert_chain(
            path, Path(key).expanduser() if key else None, password=""
        )

    return load


class _Guarded:
    """A transport that reaches this machine and the hosts that are allowed, whatever
    names resolve to.

    It connects to the very addresses that it has checked, and through no proxy, which
    would be another host.
    """

    def __init__(self, access: Access, verify: ssl.SSLContext | bool) -> None:
        self._access = access
        self._inner = http_library().AsyncHTTPTransport(verify=verify, trust_env=False)

    async def handle_async_request(self, request: Any) -> Any:
        url = str(request.url)
        self._access.check(url)
        if self._access.allows(url) or _is_address(request.url.host):
            return await self._inner.handle_async_request(request)
        return await self._ask_here(request, await self._addresses(request.url))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _ask_here(self, request: Any, addresses: list[str]) -> Any:
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

    async def _addresses(self, url: Any) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                url.host, None, type=socket.SOCK_STREAM
            )
        except socket.gaierror as error:
            raise http_library().ConnectError(str(error)) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            if not ipaddress.ip_address(address.split("%")[0]).is_loopback:
                what = f"does not send to {url.host}, which is {address} here: another machine"
                raise self._access.offence(str(url), what)
        return addresses


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
