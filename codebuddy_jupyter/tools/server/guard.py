"""Who is let in: a request with the key, to this address, that no web page has sent.

A page can make a browser send requests to loopback, also under a name of its own that it
lets point there (DNS rebinding). So the ``Host`` must be the server's address, and
nothing with an ``Origin``, which browsers add, is let in. What other programs and users
of the machine lack is the key.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from .exchange import PATH, Answer, Head, text_answer

LARGEST_BODY = 256 * 1024
"""Bytes of a request, at most."""
# Of a nonce, characters.
LONGEST_NONCE = 100
PROOF = "proof"


@dataclass(frozen=True)
class Guard:
    """Lets requests in, or says why not.

    Parameters
    ----------
    port
        The port of the server.
    key
        What a request must bring.
    """

    port: int
    key: str = field(repr=False)

    def refusal(self, head: Head) -> Answer | None:
        """Return the answer to a request that is not let in; None for one that is."""
        if not self._is_addressed(head):
            return text_answer(421, "The Host is not the address of this server.")
        if head.all("origin"):
            return text_answer(403, "Web pages are not let in.")
        if not self._has_key(head):
            challenge = {"www-authenticate": "Bearer"}
            return text_answer(401, "The key is missing or wrong.", **challenge)
        if head.target != PATH:
            return text_answer(404, f"There is nothing but {PATH}.")
        if head.method != "POST":
            return text_answer(405, "Only POST is answered.", allow="POST")
        return self._unreadable(head)

    def proof(self, head: Head) -> Answer | None:
        """Return the proof that this server has the key, to a client that proves that it
        has it, too; None for other requests.

        After a kernel has died, another user's program may get its port.
        """
        authorization = head.first("authorization")
        scheme, _, credentials = authorization.partition(" ")
        nonce, _, mac = credentials.partition(":")
        if head.method != "GET" or scheme.lower() != PROOF:
            return None
        if len(nonce) > LONGEST_NONCE:
            return None
        right = client_proof(self.key, nonce)
        if not _are_equal(mac, right):
            return None
        return text_answer(200, server_proof(self.key, nonce))

    def _is_addressed(self, head: Head) -> bool:
        hosts = head.all("host")
        if len(hosts) != 1:
            return False
        host = hosts[0].lower()
        return host in (f"127.0.0.1:{self.port}", f"localhost:{self.port}")

    def _has_key(self, head: Head) -> bool:
        credentials = head.all("authorization")
        if len(credentials) != 1:
            return False
        scheme, _, key = credentials[0].partition(" ")
        if scheme.lower() != "bearer":
            return False
        return _are_equal(key, self.key)

    def _unreadable(self, head: Head) -> Answer | None:
        """Return the answer to a body that is too long or no JSON, by what its head
        says.
        """
        length = head.first("content-length")
        # The parser of HTTP has made sure that it is a number.
        if length and int(length) > LARGEST_BODY:
            return too_large()
        content_type = head.first("content-type")
        media_type, _, _ = content_type.partition(";")
        if media_type.strip().lower() != "application/json":
            return text_answer(415, "Only application/json is read.")
        return None


def too_large() -> Answer:
    """Return the answer to a request whose body is too long."""
    return text_answer(413, f"A request has at most {LARGEST_BODY:,} bytes.")


def client_proof(key: str, nonce: str) -> str:
    """Return how a client proves that it has the key."""
    return _mac(key, f"client:{nonce}")


def server_proof(key: str, nonce: str) -> str:
    """Return how the server proves that it has the key."""
    return _mac(key, f"server:{nonce}")


def _mac(key: str, text: str) -> str:
    mac = hmac.new(key.encode(), _encoded(text), "sha256")
    return mac.hexdigest()


def _are_equal(text: str, secret: str) -> bool:
    """Compare in a time that does not tell how much is right."""
    return hmac.compare_digest(_encoded(text), secret.encode())


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
