"""Base URLs: corrected as people type and paste them, and what can be read from them.

Nothing is resolved and nothing is sent here.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

ENDPOINTS = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/models",
)
# Ollama's own protocol; the same server also has a /v1.
OLLAMA_ENDPOINTS = ("/api/chat", "/api/generate", "/api/tags")
# Characters that are copied along with an address out of a text.
SURROUNDINGS = " \t\r\n\"'“”<>,;"
# A scheme as people type it: with a slash or a colon too few, or twice.
SCHEMES = re.compile(r"^(?:(https?)(?::/+|//+|:(?!\d)))+", re.IGNORECASE)
GIVEN_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# A password with a slash: what is before that is no port.
LOGIN_WITH_SLASH = re.compile(r"[^/@:\[]+:(?!\d*/)[^/@]*/.*@")
# Names of values in a query that nobody else may read.
SECRET_NAMES = re.compile(
    r"key|token|secret|password|passwd|\bpwd|auth|credential|\bcode\b|\bsig",
    re.IGNORECASE,
)
# Suffixes of names that no public host has.
PRIVATE_SUFFIXES = (".local", ".lan", ".internal", ".home.arpa", ".localhost")
ANY_TO_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


# Each question reads the base URL some thirty times.
@lru_cache(maxsize=64)
def normalise_base_url(text: str) -> str:
    """Return the intended base URL, with scheme and version, and without an endpoint, a
    login and a query.

    Parameters
    ----------
    text
        What a person typed or pasted, such as ``localhost:1234`` or
        ``http://host/v1/chat/completions``.

    Raises
    ------
    ValueError
        If it is not a URL, or one that cannot be used; the text says why.
    """
    typed = without_login(text)
    parts = _split(SCHEMES.sub(r"\1://", typed, count=1))
    host = parts.hostname or ""
    host = ANY_TO_LOOPBACK.get(host, host)
    netloc = _bracketed(host)
    if parts.port is not None:
        netloc += f":{parts.port}"
    return f"{parts.scheme.lower()}://{netloc}{_normalised_path(parts.path)}"


def login_of(text: str) -> str:
    """Return the ``NAME:PASSWORD`` in a base URL as it was typed; empty if it has none."""
    _, login, _ = _parts_of_typed(text)
    if not login:
        return ""
    name, _, password = login.partition(":")
    return f"{unquote(name)}:{unquote(password)}"


def without_login(text: str) -> str:
    """Return a base URL as it was typed, without user name and password."""
    scheme, _, rest = _parts_of_typed(text)
    return f"{scheme}{rest}"


def query_of(text: str) -> str:
    """Return what stands after ``?`` in a base URL as it was typed."""
    before_fragment, _, _ = text.strip(SURROUNDINGS).partition("#")
    _, _, query = before_fragment.partition("?")
    return query


def secrets_in_query(query: str) -> dict[str, str]:
    """Return the values in a query whose names say that they are secret, by name."""
    secrets = {}
    for name, value in parse_qsl(query):
        if SECRET_NAMES.search(name):
            secrets[name] = value
    return secrets


def other_base_urls(url: str) -> list[str]:
    """Return other base URLs that may be meant, the likeliest first: with a version, or
    with less of the path.
    """
    root = root_of(url)
    path = url.removeprefix(root)
    folders = [part for part in path.split("/") if part]
    candidates = []
    for length in range(len(folders), -1, -1):
        parent = "/".join([root, *folders[:length]])
        if not re.search(r"/v\d+$", parent):
            candidates.append(f"{parent}/v1")
    candidates.append(f"{root}/engines/v1")
    return [other for other in dict.fromkeys(candidates) if other != url]


def is_loopback(url: str) -> bool:
    """Return whether a base URL names this machine, without resolving its host."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or is_loopback_address(host)


def is_ip_address(host: str) -> bool:
    """Return whether a host is an IP address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback_address(host: str) -> bool:
    """Return whether a host is an IP address of this machine's loopback."""
    return is_ip_address(host) and ipaddress.ip_address(host).is_loopback


def host_of(url: str) -> str:
    """Return the host that a key belongs to: its name, and its port unless that is 443
    over https.
    """
    parts = urlsplit(url)
    host = _bracketed(parts.hostname or "")
    port = port_of(url)
    if parts.scheme == "https" and port == 443:
        return host
    return f"{host}:{port}"


def port_of(url: str) -> int:
    """Return the port of a URL, which may be the default of its scheme."""
    parts = urlsplit(url)
    if parts.port:
        return parts.port
    if parts.scheme == "https":
        return 443
    return 80


def root_of(url: str) -> str:
    """Return the address of the server, without a path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def native_of(url: str) -> str:
    """Return where a server's own API begins: the base URL without the path of the
    OpenAI-compatible API.
    """
    return re.sub(r"(?:/engines(?:/[^/]+)?)?/v\d+$", "", url)


def _parts_of_typed(text: str) -> tuple[str, str, str]:
    """Return the scheme, the login and the rest of a base URL as it was typed.

    A password may have an @, and no host has.
    """
    text = text.strip(SURROUNDINGS)
    match = SCHEMES.match(text) or GIVEN_SCHEME.match(text)
    scheme = match[0] if match else ""
    rest = text[len(scheme) :]
    place, slash, path = rest.partition("/")
    if LOGIN_WITH_SLASH.match(rest):
        place = rest
        slash = ""
        path = ""
    login, _, host = place.rpartition("@")
    return scheme, login, f"{host}{slash}{path}"


def _bracketed(host: str) -> str:
    """Return the host as URLs write it: an IPv6 address in brackets."""
    if ":" in host:
        return f"[{host}]"
    return host


def _split(text: str) -> SplitResult:
    """Return the parts of a URL, or raise `ValueError` with the reason."""
    if not text:
        raise ValueError("it is empty; for example: http://localhost:11434/v1")
    if re.search(r"[\s\\\x00-\x1f\x7f]", text):
        raise ValueError(f"{text!r} is not a URL: it contains spaces")
    if "://" not in text:
        text = f"{_likely_scheme(text)}://{text}"
    # An IPv6 loopback address that was typed without its brackets.
    text = re.sub(r"(?<=://)::1(?=[:/]|$)", "[::1]", text)
    try:
        parts = urlsplit(text)
        is_usable_port = parts.port != 0
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URL: {error}") from error
    if parts.scheme.lower() not in ("http", "https"):
        raise ValueError(
            f"{text!r} is not a URL: it must begin with http:// or https://"
        )
    if not is_usable_port or not _is_host(parts.hostname or ""):
        raise ValueError(f"{text!r} is not a URL: {parts.netloc!r} is not a host")
    if parts.fragment:
        raise ValueError(f"{text!r} is not a base URL: remove the part from #")
    return parts


def _likely_scheme(text: str) -> str:
    """Return https for a public name without a port.

    Ports, IP addresses and names without a dot are of machines nearby, which rarely
    have a certificate.
    """
    host = text.split("/", 1)[0]
    if ":" in host or "." not in host or is_ip_address(host):
        return "http"
    if host.lower().endswith(PRIVATE_SUFFIXES):
        return "http"
    return "https"


def _normalised_path(path: str) -> str:
    """Return the path without slashes and endpoints at its end; ``/v1`` if none is
    left.
    """
    path = re.sub(r"/+", "/", path).rstrip("/")
    for endpoint in ENDPOINTS:
        if path not in OLLAMA_ENDPOINTS:
            path = path.removesuffix(endpoint)
    # A version that was written twice.
    path = re.sub(r"(/v\d+)(\1)+$", r"\1", path.rstrip("/"))
    if not path or path in OLLAMA_ENDPOINTS:
        return "/v1"
    return path


def _is_host(host: str) -> bool:
    if re.fullmatch(r"[\d.]+", host) or ":" in host:
        return is_ip_address(host)
    if ".." in host:
        return False
    name = re.fullmatch(r"[a-z0-9](?:[\w.-]*\w)?\.?", host, re.ASCII)
    return name is not None
