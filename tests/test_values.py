"""Values without quotes: secrets, code, and words of a text."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.values import (
    is_cell,
    is_flag_value,
    is_not_code,
    is_query_value,
    is_random_token,
    is_random_word,
    is_rule_of_validation,
    is_setting,
)

SECRET = "Kb7xQ2mZ91ab"


def test_a_random_value_is_a_secret_everywhere() -> None:
    for test in (is_cell, is_flag_value, is_not_code, is_query_value, is_setting):
        assert test(SECRET, "password")
    assert is_random_word(SECRET, "secret")
    assert is_random_token(SECRET * 2, "token")


@pytest.mark.parametrize(
    "value", ["getpass()", "config.password", "self.token", "int64", "None", "1234.5"]
)
def test_code_is_none(value: str) -> None:
    for test in (is_cell, is_flag_value, is_not_code, is_setting):
        assert not test(value, "password")


def test_a_word_is_one_only_where_no_code_is_possible() -> None:
    assert is_setting("swordfish", "password")
    assert not is_not_code("swordfish", "password")
    assert not is_random_word("model_v2.large", "secret")
    assert not is_random_token("word_piece_12_of_the_text", "token")


def test_a_rule_of_validation_is_known() -> None:
    assert is_rule_of_validation("min:8")
    assert not is_rule_of_validation("hunter2")
