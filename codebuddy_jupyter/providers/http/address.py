"""Base URLs: put right as people type and paste them, and what one can tell from them.

Nothing is resolved here.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

ENDPOINTS = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/models",
)
# Ollama's own protocol, which also has a /v1
NATIVE = ("/api/chat", "/api/generate", "/api/tags")
AROUND = " \t\r\n\"'“”<>,;"
"""What comes along when an address is copied out of a text."""
SCHEMES = re.compile(r"^(?:(https?)(?::/+|//+|:(?!\d)))+", re.IGNORECASE)
"""A scheme as people type it: with a slash or a colon too few, or twice."""
NEAR = (".local", ".lan", ".internal", ".home.arpa", ".localhost")
"""Ends of names that no public host has."""
ANY_TO_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def normalise_base_url(text: str) -> str:
    """The base URL that is meant: with scheme and version, without slashes and
    endpoints at its end.

    Parameters
    ----------
    text
        What a person typed or pasted, such as ``localhost:1234`` or
        ``http://host/v1/chat/completions``.

    Raises
    ------
    ValueError
        When it is no URL, or one that cannot be used; the text says why.
    """
    parts = _split(SCHEMES.sub(r"\1://", text.strip(AROUND), count=1))
    host = parts.hostname or ""
    host = ANY_TO_LOOPBACK.get(host, host)
    netloc = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        netloc += f":{parts.port}"
    return f"{parts.scheme.lower()}://{netloc}{_path(parts.path)}"


def other_base_urls(url: str) -> list[str]:
    """What else may be meant by a base URL, the likeliest first: with a version, or
    with less of its path.
    """
    root = root_of(url)
    parts = [part for part in url.removeprefix(root).split("/") if part]
    above = ["/".join([root, *parts[:n]]) for n in range(len(parts), -1, -1)]
    likely = [f"{one}/v1" for one in above if not re.search(r"/v\d+$", one)]
    return [
        other
        for other in dict.fromkeys([*likely, f"{root}/engines/v1"])
        if other != url
    ]


def is_loopback(url: str) -> bool:
    """Whether a base URL stays on this machine, as far as it says so itself."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or _is_loopback_address(host)


def host_of(url: str) -> str:
    """The host that a key is bound to: its name, with the port unless that is the one
    of https.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = (
        f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    )
    return host if parts.scheme == "https" and port == 443 else f"{host}:{port}"


def root_of(url: str) -> str:
    """The address of the server, without a path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def native_of(url: str) -> str:
    """Where a server's own protocol begins: the base URL without the path of the
    OpenAI-compatible part.
    """
    return re.sub(r"(?:/engines(?:/[^/]+)?)?/v\d+$", "", url)


def _split(text: str) -> SplitResult:
    if not text:
        raise ValueError("it is empty; write for instance http://localhost:11434/v1")
    if re.search(r"[\s\\\x00-\x1f\x7f]", text):
        raise ValueError(f"{text!r} is no URL: there are blanks in it")
    if "://" not in text:
        text = f"{_likely_scheme(text)}://{text}"
    text = re.sub(r"(?<=://)::1(?=[:/]|$)", "[::1]", text)
    try:
        parts = urlsplit(text)
        usable_port = parts.port != 0
    except ValueError as error:
        raise ValueError(f"{text!r} is no URL: {error}") from error
    if parts.scheme.lower() not in ("http", "https"):
        raise ValueError(
            f"{text!r} is no address of a server: it must begin with http:// or https://"
        )
    if "@" in parts.netloc:
        raise ValueError(
            "a base URL holds no name or password; keys are kept by the shell "
            "command `codebuddy key`"
        )
    if not usable_port or not _is_host(parts.hostname or ""):
        raise ValueError(f"{text!r} is no URL: {parts.netloc!r} is no host")
    if parts.query or parts.fragment:
        raise ValueError(f"{text!r} is no base URL: it ends where its ? or # begins")
    return parts


def _likely_scheme(text: str) -> str:
    """A public name without a port is most likely https; ports, addresses and bare
    names are of near machines.
    """
    name = text.split("/", 1)[0]
    near = (
        ":" in name
        or "." not in name
        or name.lower().endswith(NEAR)
        or _is_address(name)
    )
    return "http" if near else "https"


def _path(path: str) -> str:
    path = re.sub(r"/+", "/", path).rstrip("/")
    for endpoint in ENDPOINTS:
        if path not in NATIVE:
            path = path.removesuffix(endpoint)
    path = re.sub(r"(/v\d+)(\1)+$", r"\1", path.rstrip("/"))
    return "/v1" if not path or path in NATIVE else path


def _is_host(host: str) -> bool:
    if re.fullmatch(r"[\d.]+", host) or ":" in host:
        return _is_address(host)
    return (
        re.fullmatch(r"[a-z0-9](?:[\w.-]*\w)?\.?", host, re.ASCII) is not None
        and ".." not in host
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback_address(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback
