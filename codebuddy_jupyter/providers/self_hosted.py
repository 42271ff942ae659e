"""A server with its own certificates or gateway: which authorities to trust, which
client certificate and which headers to send.
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
        help="Additional headers for each request. They are never saved or shown.",
    ).tag(config=True, affects="target", secret=True)

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
    return name.isascii() and name.replace("-", "").replace("_", "").isalnum()
