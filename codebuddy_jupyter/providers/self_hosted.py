"""A server behind one's own certificates or gateway: whom to trust, how to prove who
asks, what else to send.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traitlets import Dict, TraitError, Unicode, validate

from ..errors import Remedy
from ..keys import Key
from .http.transport import HEADERS, Access
from .openai_chat import OpenAIChatProvider


class SelfHostedProvider(OpenAIChatProvider):
    """An OpenAI-compatible server that somebody runs for themselves."""

    ca_bundle = Unicode(
        "",
        help=(
            "A PEM file, or a folder, of authorities whose certificates are "
            "trusted besides the usual ones."
        ),
    ).tag(config=True, label="Authorities")
    client_certificate = Unicode(
        "", help="A PEM file that proves to the server who asks; it may hold its key."
    ).tag(config=True)
    client_key = Unicode(
        "",
        help="The PEM file of that certificate's key, where it is not in the same file.",
    ).tag(config=True)
    headers = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="More headers for each request; they are never saved or shown.",
    ).tag(config=True, secret=True)

    @validate("headers")
    def _headers_can_be_sent(self, proposal: Mapping[str, Any]) -> dict[str, str]:
        headers: dict[str, str] = proposal["value"]
        for name, value in headers.items():
            if (
                not name.isascii()
                or not name.replace("-", "").replace("_", "").isalnum()
                or name.lower() in HEADERS
            ):
                raise TraitError(f"{name!r} is no header that can be added")
            if not (value.isascii() and value.isprintable()):
                raise TraitError(
                    f"the value of the header {name!r} holds what no header can carry"
                )
        # so that no repr, as `%config` prints it, tells
        return {name: Key(value) for name, value in headers.items()}

    def access(self, url: str, key: Key) -> Access:
        """How to reach the server."""
        headers = tuple((name, Key(value)) for name, value in self.headers.items())
        return Access(
            url,
            key,
            headers,
            self.ca_bundle,
            self.client_certificate,
            self.client_key,
            self.offline,
            self.allowed_hosts,
        )

    def trust(self) -> Remedy:
        """Return how to trust the certificate of the server."""
        return Remedy(
            "If you trust its certificate, name the file of its authority",
            f'%config {type(self).__name__}.ca_bundle = "/path/to/ca.pem"',
        )
