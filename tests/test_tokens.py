"""How many tokens a text has: an estimate that learns."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.messages import Image, Message
from codebuddy_jupyter.question.tokens import Tokens

TEXT = "word " * 1000


def test_an_estimate_goes_by_the_bytes_of_a_text() -> None:
    tokens = Tokens()
    assert tokens.count("") == 1
    assert tokens.count("日本語") > tokens.count("abc")
    assert tokens.total([Message("user", TEXT)]) == pytest.approx(
        tokens.count(TEXT), rel=0.02
    )


def test_a_picture_counts() -> None:
    with_picture = Message("user", "x", (Image(b"", "image/png"),))
    assert Tokens().total([with_picture]) > Tokens().total([Message("user", "x")]) + 500


def test_it_learns_at_once_at_first_and_whenever_texts_are_denser() -> None:
    tokens = Tokens()
    tokens.learn_text(TEXT, 1000)
    assert tokens.bytes_per_token == 5
    tokens.learn_text(TEXT, 2500)
    assert tokens.bytes_per_token == 2


def test_it_rises_slowly() -> None:
    tokens = Tokens()
    tokens.learn_text(TEXT, 2500)
    tokens.learn_text(TEXT, 1000)
    assert 2 < tokens.bytes_per_token < 2.2
    for _ in range(30):
        tokens.learn_text(TEXT, 1000)
    assert tokens.bytes_per_token == 5


@pytest.mark.parametrize(("text", "told"), [("short", 1), (TEXT, None), (TEXT, 0)])
def test_what_tells_nothing_teaches_nothing(text: str, told: int | None) -> None:
    tokens = Tokens()
    tokens.learn_text(text, told)
    assert (tokens.bytes_per_token, tokens.learned) == (3.5, False)


def test_it_stays_within_bounds() -> None:
    tokens = Tokens()
    tokens.learn_text(TEXT, 1)
    assert tokens.bytes_per_token == 8.0
    tokens.learn_text(TEXT, 10**9)
    assert tokens.bytes_per_token == 0.5
