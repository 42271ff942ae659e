"""The redactor: what it caches, and the values that it knows."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable
from html import escape
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.secrets.redactor import Redactor, known_values, redact
from tests.support.innocent import CAREFUL, innocent_text
from tests.support.secrets_planted import PLANTED, WRITTEN, Planted


@given(
    st.lists(
        st.one_of(
            st.sampled_from([planted.text for planted in PLANTED]),
            st.sampled_from(CAREFUL.splitlines()),
            st.text(max_size=20),
            st.sampled_from(
                [
                    "password=",
                    "token: ",
                    '"',
                    "'",
                    "\n",
                    "\\n",
                    " ",
                    "://",
                    "@",
                    ":",
                    "[redacted: ",
                    "]",
                    "İ",
                ]
            ),
        ),
        max_size=8,
    )
)
def test_redacting_twice_changes_nothing_more(parts: list[str]) -> None:
    redactor = Redactor()
    once = redactor.redact("".join(parts))
    assert redactor.redact(once.text).text == once.text


def test_a_mark_is_no_name_of_what_stands_behind_it() -> None:
    text = '[redacted: password] = "Kb7xQ2mZ"'
    assert Redactor().redact(text).text == text
    # Unlike a part of one, which is none.
    assert not Redactor().redact(text.replace("]", "")).text.endswith('Kb7xQ2mZ"')


@given(st.text())
def test_text_without_secrets_is_returned_unchanged(text: str) -> None:
    redacted = Redactor().redact(text)
    assert redacted.labels or redacted.text is text


def test_positions_are_cached_and_the_text_is_not() -> None:
    redactor, text = Redactor(), innocent_text()[:200_000]
    redactor.redact(text)
    cached = [
        size for item in redactor._cache.items() for size in map(sys.getsizeof, item)
    ]
    assert sum(cached) < 1000


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codebuddy_jupyter.secrets.redactor._CACHE_SIZE", 10)
    redactor = Redactor()
    for number in range(50):
        redactor.redact(f"text {number}")
    assert len(redactor._cache) == 10


def test_a_known_value_is_redacted_under_its_name() -> None:
    redactor = Redactor()
    redactor.know({"$DB_PASSWORD": "hunter2", "pin": "swordfish-and-more"})
    redacted = redactor.redact("got hunter2, xhunter2x and swordfish-and-more")
    assert (
        redacted.text == "got [redacted: $DB_PASSWORD], xhunter2x and [redacted: pin]"
    )
    assert redacted.labels == ("$DB_PASSWORD", "pin")


WAYS_TO_WRITE_A_VALUE: dict[str, Callable[[str], str]] = {
    "as it is": str,
    **{
        name: write
        for name, write in WRITTEN.items()
        if "Windows" not in name and "tabs" not in name
    },
    "in JSON as it is": lambda value: json.dumps(value, ensure_ascii=False),
    "in a query": lambda value: urlencode({"q": value}),
    "in a path": quote,
    "in a URL": lambda value: f"https://jo:{quote(value, safe='')}@example.com",
    "in HTML": escape,
    "in base64": lambda value: b64encode(value.encode()).decode(),
    "in base64 of bytes": lambda value: repr(b64encode(value.encode())),
}


@pytest.mark.parametrize(
    "write", WAYS_TO_WRITE_A_VALUE.values(), ids=WAYS_TO_WRITE_A_VALUE
)
@pytest.mark.parametrize(
    "value",
    [
        "kv7-plumplum",
        "it's-a/long-one",
        'x9 "b" & <c> 1',
        "naïve-schlüssel-7",
        "back\\slash-7",
    ],
)
def test_a_known_value_is_redacted_however_it_is_written(
    value: str, write: Callable[[str], str]
) -> None:
    redactor, written = Redactor(), write(value)
    redactor.know(known_values({"BILLING_PASSWORD": value}, {}))
    redacted = redactor.redact(f"x {written} y").text
    assert "[redacted: $BILLING_PASSWORD]" in redacted
    assert value not in redacted
    assert written not in redacted


@given(st.text(max_size=40))
def test_any_value_can_be_known(value: str) -> None:
    redactor = Redactor()
    redactor.know({"mine": f"x7{value}x7"})
    assert redactor.redact(f"x7{value}x7").text == "[redacted: mine]"


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_secret_is_known_from_the_environment(planted: Planted) -> None:
    known = known_values(
        {"BILLING_PASSWORD": planted.secret}, {"billing_password": planted.secret}
    )
    redactor = Redactor()
    redactor.know(known)
    for write in (str, repr, json.dumps):
        assert (
            planted.secret not in redactor.redact(f"x {write(planted.secret)} y").text
        )


def test_new_known_values_replace_those_before() -> None:
    redactor = Redactor()
    redactor.know({"one": "first-value-1"})
    assert redactor.redact("first-value-1").labels == ("one",)
    redactor.know({})
    assert redactor.redact("first-value-1").labels == ()


def test_known_values_come_from_the_environment_and_variables() -> None:
    environ = {
        "GITHUB_TOKEN": "abc123def456",
        "PATH": "/usr/bin",
        "DB_PASSWORD": "swordfish",
        "TOKENIZERS": "abc123def456",
    }
    names = {
        "api_key": "zyx987wvu",
        "secret": b"bytes-too-1",
        "df": object(),
        "conn_string": "mysql://u:x1@h/d",
    }
    assert known_values(environ, names) == {
        "$GITHUB_TOKEN": "abc123def456",
        "$DB_PASSWORD": "swordfish",
        "api_key": "zyx987wvu",
        "secret": "bytes-too-1",
        "conn_string": "mysql://u:x1@h/d",
    }


def test_only_plain_texts_become_known_values() -> None:
    class Hostile(str):
        def __len__(self) -> int:
            raise AssertionError

        def __contains__(self, _: object) -> bool:
            raise AssertionError

    assert (
        known_values(
            {},
            {
                "password": Hostile("abc123def"),
                "token": 12345678901234,
                "secret": b"\xff\xfe" * 9,
            },
        )
        == {}
    )


def test_one_text_is_redacted_by_a_function() -> None:
    text = "password = 'Kb7xQ2mZ' for hunter2-and-more"
    assert redact(text) == "password = '[redacted: password]' for hunter2-and-more"
    assert redact(text, {"$PIN": "hunter2-and-more"}) == (
        "password = '[redacted: password]' for [redacted: $PIN]"
    )
