"""A server with its own certificates or gateway: which authorities to trust, which
client certificate and which headers to send.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, cast

from traitlets import Dict, TraitError, Unicode, observe, validate
from traitlets.config import Config

from ..errors import BuddyError, Remedy
from ..messages import Chunk, Request
from ..settings.configured import FILE
from ..settings.keys import Key
from .http.address import host_of
from .http.transport import HEADERS, Access
from .openai_chat import OpenAIChatProvider


class SelfHostedProvider(OpenAIChatProvider):
    """An OpenAI-compatible server that its users run themselves."""

    ca_bundle = Unicode(
        "",
        help=(
            "PEM file or folder of certificate authorities to trust, in addition to "
            "the usual ones."
        ),
    ).tag(config=True, affects="target", label="CA certificates")
    client_certificate = Unicode(
        "",
        help="PEM file of the certificate to identify with; it may contain its key.",
    ).tag(config=True, affects="target")
    client_key = Unicode(
        "",
        help="PEM file of the key of that certificate, if it is in a file of its own.",
    ).tag(config=True, affects="target")
    headers = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help=(
            "Additional headers for each request to the host that is in use when you "
            "set them; other hosts do not get them. They are never saved or shown."
        ),
    ).tag(config=True, affects="target", secret=True)

    def __init__(self, **kwargs: Any) -> None:
        # The host that the headers belong to, like a key.
        self._headers_host = ""
        self._headers_host_of_file = ""
        super().__init__(**kwargs)
        self._headers_host = self._headers_host_of_file or self._try_host()

    def _load_config(
        self, cfg: Config, section_names: Any = None, traits: Any = None
    ) -> None:
        super()._load_config(cfg, section_names, traits)
        # If the file sets an address, too, its headers are for that: the environment
        # may name another one.
        if self.headers and self.origin("base_url") == FILE:
            self._headers_host_of_file = self._try_host()

    def change(self, values: Mapping[str, Any]) -> None:
        """Set these settings in this kernel; headers are for the host in use then."""
        super().change(values)
        # The same headers may be set again, for another host.
        if "headers" in values:
            self._headers_host = self._try_host()

    @observe("headers")
    def _bind_headers(self, change: Mapping[str, Any]) -> None:
        self._headers_host = self._try_host()

    def _try_host(self) -> str:
        try:
            return host_of(self.url)
        except BuddyError:
            return ""

    def _headers_held_back(self) -> Remedy | None:
        """Return how to send the headers to the host in use, if they belong to another."""
        host = self._try_host()
        if not self.headers or host == self._headers_host:
            return None
        names = ", ".join(self.headers)
        owner = type(self).__name__
        return Remedy(
            f"Not sent to {host}: {names}, which belongs to "
            f"{self._headers_host or 'no host'}. To send it here, set it again",
            f"%config {owner}.headers = {{…}}",
        )

    @validate("headers")
    def _headers_can_be_sent(self, proposal: Mapping[str, Any]) -> dict[str, str]:
        headers: dict[str, str] = proposal["value"]
        for name, value in headers.items():
            if not _is_header_name(name) or name.lower() in HEADERS:
                raise TraitError(f"{name!r} is not a header that can be added")
            if not (value.isascii() and value.isprintable()):
                raise TraitError(
                    f"the value of the header {name!r} has characters that no header can have"
                )
        # A Key hides itself in a repr, such as `%config` prints.
        return {name: Key(value) for name, value in headers.items()}

    def access(self, url: str, key: Key) -> Access:
        """Return how to reach the server."""
        headers: tuple[tuple[str, Key], ...] = ()
        if host_of(url) == self._headers_host:
            headers = tuple((name, Key(value)) for name, value in self.headers.items())
        return Access(
            url,
            key,
            headers=headers,
            ca_bundle=self.ca_bundle,
            certificate=self.client_certificate,
            certificate_key=self.client_key,
            offline=self.offline,
            allowed=self.allowed_hosts,
            offline_reason=self.offline_reason,
        )

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Send a request; a note says if the headers are not sent with it."""
        async with aclosing(cast(Any, super().stream(request))) as chunks:
            held_back = self._headers_held_back()
            if held_back is not None:
                yield Chunk(note=f"{held_back}.")
            async for chunk in chunks:
                yield chunk

    def key_remedies(self) -> tuple[Remedy, ...]:
        """Return how the user can provide what the server requires."""
        held_back = self._headers_held_back()
        remedies = super().key_remedies()
        if held_back is None:
            return remedies
        return (held_back, *remedies)

    def secrets(self) -> dict[str, Key]:
        """Return the key and the values of the additional headers."""
        secrets = super().secrets()
        for name, value in self.headers.items():
            secrets[f"header {name}"] = Key(value)
        return secrets

    def trust(self) -> Remedy:
        """Return how to trust the server's certificate."""
        setting = f'%config {type(self).__name__}.ca_bundle = "/path/to/ca.pem"'
        what = "If you trust its certificate, name the file of its authority"
        return Remedy(what, setting)


def _is_header_name(name: str) -> bool:
    letters = name.replace("-", "").replace("_", "")
    return name.isascii() and letters.isalnum()
