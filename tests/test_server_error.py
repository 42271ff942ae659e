"""Error responses of servers: how their words are quoted."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from codebuddy_jupyter.errors import Remedy
from codebuddy_jupyter.providers.http import error_lines
from codebuddy_jupyter.providers.http.server_error import ErrorResponse, quote
from codebuddy_jupyter.providers.http.transport import Access
from codebuddy_jupyter.settings.keys import Key

URL = "http://gpu.lan:8000/v1"
OWN = "gateway-Xk3bQz81"
# The form of a key, which nobody has.
FOREIGN = "sk-proj-" + "aB3dE6gH9jK2mN5pQ8sT" * 2


def server(key: str) -> error_lines.Server:
    access = Access(URL, Key(key), headers=(("X-Gateway", Key(OWN)),))
    trust = Remedy("Trust it")
    return error_lines.Server(
        "Local", "LocalProvider", URL, Key(key), (), (), access, trust
    )


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_a_secret_that_a_server_repeats_is_not_in_the_error(status: int) -> None:
    message = f"Incorrect API key {FOREIGN} at {OWN} for mine-7Yw2"
    response = ErrorResponse({"error": {"message": message}}, status)
    line = str(error_lines.error_reply(server("mine-7Yw2"), response))
    assert FOREIGN not in line
    assert OWN not in line
    assert "mine-7Yw2" not in line
    assert "[redacted: X-Gateway] for [redacted: API key]" in line


def test_a_secret_that_comes_instead_of_a_reply_is_not_in_the_error() -> None:
    line = str(error_lines.no_reply(server("mine-7Yw2"), 200, f"token={FOREIGN}"))
    assert FOREIGN not in line
    assert str(error_lines.cut_off(server("mine-7Yw2"), OWN)).count("redacted") == 1


def test_the_name_of_a_header_does_not_hide_the_key() -> None:
    access = Access(URL, Key("mine-7Yw2"), headers=(("key", Key(OWN)),))
    assert set(access.secrets) == {"mine-7Yw2", OWN}


def test_a_quote_is_one_line_of_limited_length() -> None:
    text = quote("out of\n\x1b[31mmemory " + "again " * 100)
    assert text.isprintable()
    assert text.startswith("out of [31mmemory again")
    assert len(text) == 300


def test_an_ordinary_message_is_quoted_as_it_is() -> None:
    message = "Invalid or missing authorization token"
    assert quote(message) == message


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0.5", 0.5), (formatdate(0), 0.0)]
)
def test_retry_after_is_read_in_each_form(header: str, seconds: float) -> None:
    assert ErrorResponse("", 429, retry_after=header).retry_after == seconds


def test_retry_after_may_be_a_date_to_come() -> None:
    after = ErrorResponse(
        "", 429, retry_after=formatdate(time.time() + 1000, usegmt=True)
    ).retry_after
    assert after is not None
    assert 900 < after <= 1000


@pytest.mark.parametrize(
    "header", ["", "soon", "-1", "1e99", "9" * 20, "Wed, 99 Foo 2026", "nan"]
)
def test_retry_after_that_says_nothing_is_none(header: str) -> None:
    assert ErrorResponse("", 429, retry_after=header).retry_after is None
