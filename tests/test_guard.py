"""Who is let in, by the head of a request."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.tools.server.exchange import Head
from codebuddy_jupyter.tools.server.guard import (
    LARGEST_BODY,
    LONGEST_NONCE,
    Guard,
    client_proof,
    server_proof,
)

KEY = "the-right-key"
GUARD = Guard(4321, KEY)
RIGHT = (
    ("host", "127.0.0.1:4321"),
    ("authorization", f"Bearer {KEY}"),
    ("content-type", "application/json; charset=utf-8"),
)


def with_header(name: str, *values: str) -> tuple[tuple[str, str], ...]:
    """The right headers with other ones of this name."""
    others = tuple(header for header in RIGHT if header[0] != name)
    return (*others, *((name, value) for value in values))


def status(headers: tuple[tuple[str, str], ...], method: str = "POST") -> int | None:
    refusal = GUARD.refusal(Head(method, "/mcp", headers))
    return None if refusal is None else refusal.status


@pytest.mark.parametrize(
    "headers",
    [
        RIGHT,
        with_header("host", "LOCALHOST:4321"),
        with_header("authorization", f"bearer {KEY}"),
        (*RIGHT, ("content-length", str(LARGEST_BODY))),
    ],
    ids=["usual", "by its name", "lower case", "the largest body"],
)
def test_a_request_with_the_key_is_let_in(headers: tuple[tuple[str, str], ...]) -> None:
    assert status(headers) is None


REFUSED = {
    "no host": (with_header("host"), 421),
    "another host": (with_header("host", "evil.example:4321"), 421),
    "rebound name": (with_header("host", "127.0.0.1.evil.example:4321"), 421),
    "another port": (with_header("host", "127.0.0.1:80"), 421),
    "no port": (with_header("host", "127.0.0.1"), 421),
    "all interfaces": (with_header("host", "0.0.0.0:4321"), 421),
    "two hosts": (with_header("host", "127.0.0.1:4321", "evil.example"), 421),
    "a page": ((*RIGHT, ("origin", "https://evil.example")), 403),
    "a page of this address": ((*RIGHT, ("origin", "http://127.0.0.1:4321")), 403),
    "a sandboxed page": ((*RIGHT, ("origin", "null")), 403),
    "no key": (with_header("authorization"), 401),
    "an empty key": (with_header("authorization", "Bearer "), 401),
    "a wrong key": (with_header("authorization", "Bearer wrong"), 401),
    "a part of the key": (with_header("authorization", f"Bearer {KEY[:-1]}"), 401),
    "more than the key": (with_header("authorization", f"Bearer {KEY}x"), 401),
    "another scheme": (with_header("authorization", f"Basic {KEY}"), 401),
    "no scheme": (with_header("authorization", KEY), 401),
    "letters of no ASCII": (with_header("authorization", "Bearer \xe9\xff"), 401),
    "two keys": (
        with_header("authorization", "Bearer wrong", f"Bearer {KEY}"),
        401,
    ),
    "too large": ((*RIGHT, ("content-length", str(LARGEST_BODY + 1))), 413),
    "a form": (with_header("content-type", "application/x-www-form-urlencoded"), 415),
    "plain text": (with_header("content-type", "text/plain"), 415),
    "no type": (with_header("content-type"), 415),
}


@pytest.mark.parametrize(("headers", "expected"), REFUSED.values(), ids=REFUSED)
def test_any_other_request_is_refused(
    headers: tuple[tuple[str, str], ...], expected: int
) -> None:
    assert status(headers) == expected


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PUT"])
def test_only_post_is_answered(method: str) -> None:
    assert status(RIGHT, method) == 405


def test_without_the_key_nothing_is_told_of_what_there_is() -> None:
    headers = with_header("authorization")
    for target in ("/mcp", "/", "/.well-known/oauth-protected-resource"):
        refusal = GUARD.refusal(Head("GET", target, headers))
        assert refusal is not None
        assert refusal.status == 401
    refusal = GUARD.refusal(Head("POST", "/other", RIGHT))
    assert refusal is not None
    assert refusal.status == 404


def proof_of(credentials: str, method: str = "GET") -> bytes | None:
    answer = GUARD.proof(Head(method, "/mcp", (("authorization", credentials),)))
    return None if answer is None else answer.body.strip()


def test_server_and_client_prove_to_each_other_that_they_have_the_key() -> None:
    proof = proof_of(f"Proof n0nce:{client_proof(KEY, 'n0nce')}")
    assert proof == server_proof(KEY, "n0nce").encode()
    assert server_proof(KEY, "n0nce") != client_proof(KEY, "n0nce")


def test_nobody_else_gets_a_proof() -> None:
    mac = client_proof(KEY, "n0nce")
    assert proof_of(f"Proof other:{mac}") is None
    assert proof_of(f"Proof n0nce:{client_proof('wrong', 'n0nce')}") is None
    assert proof_of(f"Proof n0nce:{mac}", "POST") is None
    assert proof_of(f"Bearer n0nce:{mac}") is None
    assert proof_of("Proof") is None
    long = "n" * (LONGEST_NONCE + 1)
    assert proof_of(f"Proof {long}:{client_proof(KEY, long)}") is None


def test_the_key_is_in_no_repr() -> None:
    assert KEY not in repr(GUARD)
