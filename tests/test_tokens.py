"""How many tokens a text has: an estimate by kind of text that learns."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.messages import Image, Message
from codebuddy_jupyter.question.tokens import Tokens, TokensByModel, measure
from tests.support.token_samples import TEXTS

TEXT = "word " * 1000
NUMBERS = "12345 " * 400
CHINESE = TEXTS["Chinese prose"]() * 8

# What the tokenizers of SmolLM2-135M and of Qwen2.5-Coder-1.5B count, by llama.cpp.
COUNTED = {
    "a frame of numbers": (2340, 2471),
    "a CSV of numbers": (1818, 1818),
    "a column of whole numbers": (2599, 2599),
    "JSON of numbers": (1475, 1475),
    "Python": (371, 306),
    "SQL": (102, 79),
    "a traceback": (141, 119),
    "English prose": (136, 133),
    "Chinese prose": (397, 157),
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize(
    ("model", "column"), [("smollm2:135m", 0), ("qwen2.5-coder:1.5b", 1)]
)
def test_the_first_estimate_is_within_a_quarter_of_what_real_tokenizers_count(
    kind: str, model: str, column: int
) -> None:
    counted = COUNTED[kind][column]
    assert Tokens(model).count(TEXTS[kind]()) == pytest.approx(counted, rel=0.25)


def test_an_estimate_grows_with_the_text() -> None:
    tokens = Tokens()
    assert tokens.count("") == 1
    assert tokens.count("日本語") > tokens.count("abc")
    assert tokens.total([Message("user", TEXT)]) == pytest.approx(
        tokens.count(TEXT), rel=0.02
    )


@pytest.mark.parametrize(
    "text",
    ["ACGT" * 500, "aGVsbG8gd29ybGQh" * 100, "{[()]}" * 300, "\n" * 400, "→✓█" * 200],
    ids=["a genome", "base64", "brackets", "line breaks", "symbols"],
)
def test_no_kind_of_text_is_taken_for_almost_nothing(text: str) -> None:
    assert Tokens().count(text) > len(text) / 8


@pytest.mark.parametrize("text", [" " * 3000, "-" * 3000, "=" * 3000])
def test_rules_and_blanks_take_few_tokens(text: str) -> None:
    assert Tokens().count(text) < 200


def test_lone_surrogates_are_counted() -> None:
    assert Tokens().count("\ud800 file") > 1


def test_a_picture_counts() -> None:
    with_picture = Message("user", "x", (Image(b"", "image/png"),))
    assert Tokens().total([with_picture]) > Tokens().total([Message("user", "x")]) + 500


def test_it_learns_at_once_at_first_and_whenever_texts_are_denser() -> None:
    tokens = Tokens()
    tokens.learn_text(TEXT, 800)
    assert tokens.count(TEXT) == pytest.approx(800, abs=2)
    tokens.learn_text(TEXT, 2500)
    assert tokens.count(TEXT) == pytest.approx(2500, abs=2)


def test_a_count_that_is_smaller_lowers_the_estimate_slowly() -> None:
    tokens = Tokens()
    tokens.learn_text(TEXT, 2500)
    tokens.learn_text(TEXT, 1000)
    assert 2300 < tokens.count(TEXT) < 2500
    for _ in range(30):
        tokens.learn_text(TEXT, 1000)
    assert tokens.count(TEXT) == pytest.approx(1000, abs=2)


@pytest.mark.parametrize("unlike", [NUMBERS, CHINESE], ids=["numbers", "Chinese"])
def test_what_one_kind_of_text_teaches_does_not_change_another(unlike: str) -> None:
    tokens = Tokens()
    before = tokens.count(TEXT)
    tokens.learn_text(unlike, tokens.count(unlike) // 3)
    assert tokens.count(unlike) < Tokens().count(unlike) / 2
    assert tokens.count(TEXT) == before


def test_of_a_mixed_text_the_doubtful_kind_learns_most() -> None:
    tokens = Tokens()
    mixed = TEXT + NUMBERS
    # A tokenizer that gives three digits a token.
    counted = 1000 + 400 * 3
    tokens.learn_text(mixed, counted)
    assert tokens.count(mixed) == pytest.approx(counted, abs=2)
    assert tokens.count(TEXT) == pytest.approx(1000, rel=0.2)


@pytest.mark.parametrize(("text", "told"), [("short", 1), (TEXT, None), (TEXT, 0)])
def test_what_tells_nothing_teaches_nothing(text: str, told: int | None) -> None:
    tokens = Tokens()
    tokens.learn_text(text, told)
    assert (tokens.count(TEXT), tokens.learned) == (Tokens().count(TEXT), False)


def test_it_stays_within_bounds() -> None:
    tokens = Tokens()
    tokens.learn_text(TEXT, 1)
    assert tokens.count(TEXT) > 200
    tokens.learn_text(TEXT, 10**9)
    assert tokens.count(TEXT) < 10_000


def test_the_least_is_below_what_any_tokenizer_counts() -> None:
    for kind, text in TEXTS.items():
        assert Tokens().least([Message("user", text())]) < min(COUNTED[kind]), kind


def test_each_model_has_an_estimate_of_its_own() -> None:
    models = TokensByModel()
    models["a"].learn_text(TEXT, 3000)
    assert models["a"].count(TEXT) > 2 * models["b"].count(TEXT)
    assert models["smollm2"].count(CHINESE) > 2 * models["qwen3"].count(CHINESE)


def test_the_measure_of_a_text_is_that_of_its_parts() -> None:
    both = measure(TEXT + NUMBERS)
    parts = (measure(TEXT), measure(NUMBERS))
    assert both.words == pytest.approx(sum(part.words for part in parts), rel=0.01)
    assert both.digits == pytest.approx(sum(part.digits for part in parts), rel=0.01)
