"""Base URLs as people type and paste them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.providers.http.address import (
    host_of,
    is_loopback,
    login_of,
    native_of,
    normalise_base_url,
    other_base_urls,
    query_of,
    root_of,
    secrets_in_query,
    without_login,
)


@pytest.mark.parametrize(
    ("typed", "used"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://localhost:11434", "http://localhost:11434/v1"),
        ("http://localhost:11434/", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1/v1", "http://localhost:11434/v1"),
        ("http://localhost:11434//v1//", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1/chat/completions", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1/chat/completions/", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1/models", "http://localhost:11434/v1"),
        ("http://localhost:11434/api/chat", "http://localhost:11434/v1"),
        ("http://localhost:3000/api/chat/completions", "http://localhost:3000/api"),
        ("localhost:1234", "http://localhost:1234/v1"),
        ("localhost", "http://localhost/v1"),
        ("192.168.0.7:8080", "http://192.168.0.7:8080/v1"),
        ("gpu-box", "http://gpu-box/v1"),
        ("my_box:8000/v1", "http://my_box:8000/v1"),
        ("api.example.com", "https://api.example.com/v1"),
        ("  'http://localhost:1234/v1' ", "http://localhost:1234/v1"),
        (" <http://localhost:1234/v1>, ", "http://localhost:1234/v1"),
        ("“http://localhost:1234”", "http://localhost:1234/v1"),
        ("http:/localhost:1234", "http://localhost:1234/v1"),
        ("http//localhost:1234", "http://localhost:1234/v1"),
        ("http:localhost:1234", "http://localhost:1234/v1"),
        ("http://http://localhost:1234", "http://localhost:1234/v1"),
        ("http://https://host", "https://host/v1"),
        ("http:8080", "http://http:8080/v1"),
        ("https", "http://https/v1"),
        ("gpu.lan", "http://gpu.lan/v1"),
        ("host.docker.internal", "http://host.docker.internal/v1"),
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080/v1"),
        ("http://[::]:8080", "http://[::1]:8080/v1"),
        ("::1", "http://[::1]/v1"),
        ("http://::1:8080/v1", "http://[::1]:8080/v1"),
        ("HTTP://LocalHost:8080", "http://localhost:8080/v1"),
        ("http://localhost:12434/engines/v1", "http://localhost:12434/engines/v1"),
        ("https://api.z.ai/api/paas/v4/", "https://api.z.ai/api/paas/v4"),
        ("https://host/v1beta/openai/", "https://host/v1beta/openai"),
    ],
)
def test_a_base_url_is_put_right(typed: str, used: str) -> None:
    assert normalise_base_url(typed) == used


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "it is empty"),
        ("not a url", "it contains spaces"),
        ("http://host\nname", "it contains spaces"),
        ("ftp://host", "it must begin with http:// or https://"),
        ("http://", "'' is not a host"),
        ("http://..", "'..' is not a host"),
        ("http://999.1.1.1", "'999.1.1.1' is not a host"),
        ("http://grüße.example", "is not a host"),
        ("http://host:99999", "Port out of range"),
        ("http://host:0", "'host:0' is not a host"),
        ("http://[::1", "is not a URL"),
        ("http://host/v1#top", "remove the part from #"),
    ],
)
def test_what_is_no_base_url_is_refused_with_the_reason(
    typed: str, reason: str
) -> None:
    with pytest.raises(
        ValueError, match=reason.replace("?", r"\?").replace(".", r"\.")
    ):
        normalise_base_url(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "http://jo:hush-hush@ho st",
        "http://jo:hush-hush@",
        "ftp://jo:hush-hush@host",
        "http://jo:hush-hush@host:99999",
        "jo:hush-hush@..",
        "http://jo:hush-hush/7@ho st",
    ],
)
def test_a_password_in_a_base_url_is_not_repeated(typed: str) -> None:
    with pytest.raises(ValueError, match="is not a") as refused:
        normalise_base_url(typed)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "login", "rest", "used"),
    [
        ("http://host:1/v1", "", "http://host:1/v1", "http://host:1/v1"),
        ("http://jo:a@host:1/v1", "jo:a", "http://host:1/v1", "http://host:1/v1"),
        ("jo:a%40b@host:1", "jo:a@b", "host:1", "http://host:1/v1"),
        ("https://jo:a@b@host", "jo:a@b", "https://host", "https://host/v1"),
        ("http://jo@host:1", "jo:", "http://host:1", "http://host:1/v1"),
        ("http://jo:a/b@host:1/v1", "jo:a/b", "http://host:1/v1", "http://host:1/v1"),
        ("http://jo:a?b#c@host:1", "jo:a?b#c", "http://host:1", "http://host:1/v1"),
        ("http://host:1/v1/@x", "", "http://host:1/v1/@x", "http://host:1/v1/@x"),
    ],
)
def test_a_login_in_a_base_url_is_taken_out_of_it(
    typed: str, login: str, rest: str, used: str
) -> None:
    assert login_of(typed) == login
    assert without_login(typed) == rest
    assert normalise_base_url(typed) == used


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("https://host/v1?api-version=2024-10-21", "api-version=2024-10-21"),
        ("https://host/v1/chat/completions?a=1&b=2", "a=1&b=2"),
        ("https://host/v1", ""),
    ],
)
def test_a_query_in_a_base_url_is_kept_apart(typed: str, query: str) -> None:
    assert query_of(typed) == query
    assert normalise_base_url(typed) == "https://host/v1"


def test_secrets_in_a_query_are_known_by_their_names() -> None:
    assert secrets_in_query("api-version=1&subscription-key=a&sig=b") == {
        "subscription-key": "a",
        "sig": "b",
    }


@given(st.text())
def test_any_text_gives_a_stable_url_or_a_reason(text: str) -> None:
    with contextlib.suppress(ValueError):
        url = normalise_base_url(text)
        assert normalise_base_url(url) == url


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.0.0.1:1/v1", True),
        ("http://127.8.8.8:1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://192.168.0.7:1/v1", False),
        ("http://localhost.example.com/v1", False),
        ("http://127.0.0.1.example.com/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_loopback_is_told_from_other_machines(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.openai.com/v1", "api.openai.com"),
        ("http://api.openai.com/v1", "api.openai.com:80"),
        ("https://host:8443/v1", "host:8443"),
        ("http://[::1]:1234/v1", "[::1]:1234"),
    ],
)
def test_a_host_is_its_name_and_its_port(url: str, host: str) -> None:
    assert host_of(url) == host


def test_the_root_is_the_address_without_a_path() -> None:
    assert root_of("http://localhost:11434/v1") == "http://localhost:11434"


@pytest.mark.parametrize(
    ("url", "others"),
    [
        ("http://host:1/v1", ["http://host:1/engines/v1"]),
        (
            "http://host:1/llm",
            ["http://host:1/llm/v1", "http://host:1/v1", "http://host:1/engines/v1"],
        ),
        (
            "http://host:1/a/b",
            [
                "http://host:1/a/b/v1",
                "http://host:1/a/v1",
                "http://host:1/v1",
                "http://host:1/engines/v1",
            ],
        ),
    ],
)
def test_what_else_may_be_meant_is_at_the_same_host(
    url: str, others: list[str]
) -> None:
    assert other_base_urls(url) == others


@pytest.mark.parametrize(
    ("url", "native"),
    [
        ("http://host:1/v1", "http://host:1"),
        ("http://host:1/llm/v1", "http://host:1/llm"),
        ("http://host:1/engines/v1", "http://host:1"),
        ("http://host:1/engines/llama.cpp/v1", "http://host:1"),
        ("http://host:1/api", "http://host:1/api"),
    ],
)
def test_a_protocol_of_its_own_stands_beside_the_usual_one(
    url: str, native: str
) -> None:
    assert native_of(url) == native
