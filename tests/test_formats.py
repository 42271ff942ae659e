"""Secrets that are recognised by their format."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.formats import SecretFormat, find_formats
from codebuddy_jupyter.secrets.redactor import Redactor
from codebuddy_jupyter.secrets.syntax_formats import SYNTAX_FORMATS
from codebuddy_jupyter.secrets.vendor_formats import VENDOR_FORMATS
from tests.support.secrets_planted import SINGLE_LINES

# A short prefix and random characters: half of that could be anything.
RECOGNISED_ONLY_WHOLE = {
    "azure client secret",
    "twilio key",
    "mailgun key",
    "mailchimp key",
    "discord token",
}


@pytest.mark.parametrize(
    "name", [name for name in SINGLE_LINES if name not in RECOGNISED_ONLY_WHOLE]
)
def test_a_key_that_is_cut_is_recognised_by_its_head(name: str) -> None:
    cut = SINGLE_LINES[name][: max(28, len(SINGLE_LINES[name]) * 3 // 4)]
    assert cut[-8:] not in Redactor().redact(f"key: {cut}").text


def test_every_format_has_a_label_and_a_source() -> None:
    for secret_format in (*VENDOR_FORMATS, *SYNTAX_FORMATS):
        assert secret_format.label
        assert secret_format.source.startswith("https://")


FORMAT = SecretFormat("a key", ("kv7_",), r"kv7_[a-z]{8,}", "https://a.example")


def spans(text: str, *formats: SecretFormat) -> list[tuple[str, str]]:
    found = find_formats(text, formats)
    return [(text[span.start : span.end], span.label) for span in found]


def test_each_match_of_a_format_is_found() -> None:
    text = "kv7_ kv7_abcdefgh kv7_kv7_ijklmnop"
    assert spans(text, FORMAT) == [
        ("kv7_abcdefgh", "a key"),
        ("kv7_ijklmnop", "a key"),
    ]


def test_a_placeholder_is_no_secret() -> None:
    assert spans("kv7_xxxxxxxx", FORMAT) == []
    pattern = r"Bearer (?P<secret>\S+)"
    bearer = SecretFormat("token", ("Bearer",), pattern, "https://a.example")
    assert spans("Bearer abcdefgh", bearer) == [("abcdefgh", "token")]
    assert spans("Bearer your-token-here", bearer) == []
    assert spans("Bearer xxxxxxxx", bearer) == []


def test_a_format_can_refuse_a_match() -> None:
    only_a = SecretFormat(
        "a key",
        ("kv7_",),
        r"kv7_[a-z]{8,}",
        "https://a.example",
        accepts=lambda secret: secret.endswith("a"),
    )
    assert spans("kv7_bbbbbbbb kv7_bbbbbbba", only_a) == [("kv7_bbbbbbba", "a key")]


def test_a_match_may_start_before_its_anchor() -> None:
    offset = SecretFormat(
        "a key", ("~",), r"[a-z]{3}~[a-z]{3}", "https://a.example", anchor_offset=3
    )
    assert spans("~abc abc~def", offset) == [("abc~def", "a key")]


def test_a_port_is_no_password() -> None:
    url = SecretFormat(
        "password",
        ("://",),
        r"://(?P<user>[^:/@]+):(?P<secret>[^@/]+)@",
        "https://a.example",
        anchor_offset=0,
    )
    assert spans("http://jo:12345@a.example", url) == [("12345", "password")]
    assert spans("http://a.example:8080@x", url) == []
