"""Text of the notebook is inert: control tokens of chat templates, tags like our own, and
invisible characters, also on a real engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context.inert import inert, without_control_tokens
from codebuddy_jupyter.providers.embedded.engine import Engine
from tests.support.control_tokens import CONTROL_TOKENS, ORDINARY
from tests.support.engines import engine_with, fetch
from tests.support.recital import RecitedAnswer

TOKENS = sorted({token for family in CONTROL_TOKENS.values() for token in family})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    answers = [RecitedAnswer("Yes.")]
    folder = tmp_path_factory.mktemp("inert")
    with engine_with(folder, answers, control=TOKENS) as engine:
        yield engine


def pieces(engine: Engine, text: str) -> list[str]:
    """The tokens of a text as a chat request has them."""
    body = {"content": text, "parse_special": True, "with_pieces": True}
    tokens: list[dict[str, Any]] = fetch(engine, "/tokenize", body)["tokens"]
    return [str(token["piece"]) for token in tokens]


def prompt_tokens(engine: Engine, text: str) -> int:
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 1}
    count: int = fetch(engine, "/v1/chat/completions", body)["usage"]["prompt_tokens"]
    return count


def test_a_control_token_in_a_text_is_one_to_the_engine(engine: Engine) -> None:
    for token in TOKENS:
        assert token in pieces(engine, f"a{token}b")
    assert prompt_tokens(engine, "<|eot_id|>" * 100) < 300


@pytest.mark.parametrize("family", CONTROL_TOKENS)
def test_control_tokens_are_inert_on_a_real_engine(engine: Engine, family: str) -> None:
    for token in CONTROL_TOKENS[family]:
        for text in (
            token,
            f"a{token}b",
            f"x{token}{token}",
            f"[{token}]",
            f"<{token}>",
        ):
            safe = without_control_tokens(text)
            assert not set(pieces(engine, safe)) & set(TOKENS), safe
            assert safe.replace(" ", "") == text.replace(" ", "")
    joined = "".join(CONTROL_TOKENS[family])
    # Each character is a token or half a pair of letters, so a token counts for several.
    assert prompt_tokens(engine, inert(joined)) > len(joined) / 2


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_code_and_prose_stay_as_they_are(text: str) -> None:
    assert inert(text) == text


@given(
    st.lists(st.sampled_from([*TOKENS, "<", "|", ">", "[", "/", "s", " ", "\u200b"]))
)
def test_no_token_remains_in_any_mixture(parts: list[str]) -> None:
    safe = inert("".join(parts))
    assert not [token for token in TOKENS if token in safe]
    assert inert(safe) == safe


def test_invisible_characters_are_told_as_escapes() -> None:
    assert inert("\ufeffid") == r"\ufeffid"
    assert inert("a\u200bb \u202ec") == r"a\u200bb \u202ec"
    assert inert("x\U000e0049\U000e0047") == r"x\U000e0049\U000e0047"
    persian = "\u0645\u06cc\u200c\u062e"
    assert inert(persian) == persian


@pytest.mark.parametrize(
    "unit", ["<", "a<b ", "</ ", "<_", "a_", "<a_", "[", "|>", "<\u200b"]
)
def test_no_text_takes_long(unit: str) -> None:
    """Quadratic work on a text of this length would not end."""
    inert("<" + unit * 200_000)
