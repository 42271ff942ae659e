"""The message of an exception, for which no code of the user's runs."""

from __future__ import annotations

import json

from codebuddy_jupyter.context.error_message import message_of
from tests.support.hostile_errors import Hostile, Trap


def message(error: BaseException) -> str:
    return message_of(error)


def test_a_message_is_trimmed() -> None:
    assert len(message(ValueError("x" * 1_000_000))) < 2_100


def test_plain_arguments_are_told_beside_what_is_not() -> None:
    assert (
        message(ValueError("cannot take", Hostile(), 3)) == "cannot take, 3, <Hostile>"
    )
    assert message(Trap("said", 1)) == "said, 1"
    assert message(ValueError(10**5_000)) == "<int>"


def test_the_error_of_a_library_speaks_for_itself() -> None:
    error = json.JSONDecodeError("bad", "{", 1)
    assert message(error) == "bad: line 1 column 2 (char 1)"
