"""A look: its schema is made of its types, and what it tells is safe, whoever wrote it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal

import pytest

from codebuddy_jupyter.messages import Looked
from codebuddy_jupyter.tools.look import (
    MAX_LINE,
    MAX_TEXT,
    Found,
    Look,
    NothingThere,
    description_of,
    parameters_of,
)

Place = Literal["here", "there"]


def weather(city: str, days: int = 3, place: Place = "here") -> str:
    """Tell the weather
    of a city.

    This is not told to a model.
    """
    return f"{city}: rain for {days} days, {place}"


def look_of(function: Callable[..., Any], **fields: Any) -> Look:
    """A look whose texts are shown without the word ``secret``."""

    def safe(text: str) -> str:
        return text.replace("secret", "…")

    parameters = parameters_of(function)
    name = function.__name__
    return Look(name, description_of(function), parameters, function, safe, **fields)


def test_the_schema_is_made_of_the_types() -> None:
    assert parameters_of(weather) == {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "place": {"type": "string", "enum": ["here", "there"]},
        },
        "required": ["city"],
        "additionalProperties": False,
    }
    assert look_of(weather).description == "Tell the weather of a city."


def test_a_look_without_arguments_has_an_empty_schema() -> None:
    def now() -> str:
        """Tell the time."""
        return "noon"

    look = look_of(now)
    assert look.parameters["properties"] == {}
    assert look.look({}) == Looked("now", "noon", "noon")
    assert look.tool.name == "now"


def test_what_it_returns_becomes_a_line_and_a_text() -> None:
    looked = look_of(weather).look({"city": "Bern", "days": "2"})
    assert looked.text == "Bern: rain for 2 days, here"
    assert looked.line == "looked at Bern: Bern: rain for 2 days, here"
    assert look_of(weather).run({"city": "Bern"}).startswith("Bern")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "needs the argument 'city'"),
        ({"city": "Bern", "town": 1}, "has no argument 'town'; it takes city, days"),
        ({"city": "Bern", "days": "many"}, "days"),
        ({"city": "Bern", "place": "nowhere"}, "place"),
        ({"city": ["Bern"]}, "city"),
        ({"city": object()}, "failed: TypeError"),
    ],
    ids=["missing", "unknown", "no number", "no choice", "a list", "no JSON"],
)
def test_wrong_arguments_are_an_error_of_one_line(
    arguments: dict[str, Any], reason: str
) -> None:
    looked = look_of(weather).look(arguments)
    assert looked.is_error
    assert reason in looked.text
    assert "\n" not in looked.text
    assert looked.summary == "nothing found"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NothingThere("No such secret city."), "No such … city."),
        (ZeroDivisionError("x" * 9000), "failed: ZeroDivisionError."),
        (SystemExit(3), "failed: RuntimeError."),
        (KeyboardInterrupt(), "failed: RuntimeError."),
    ],
    ids=["nothing", "error", "exit", "interrupt"],
)
def test_a_look_that_raises_tells_one_line(error: BaseException, reason: str) -> None:
    def broken(city: str) -> str:
        """Fail."""
        raise error

    looked = look_of(broken, timeout=60.0).look({"city": "Bern"})
    assert looked.is_error
    assert reason in looked.text
    assert len(looked.text) < 200


def test_a_look_that_hangs_is_abandoned() -> None:
    go_on = threading.Event()

    def slow(city: str) -> str:
        """Wait."""
        go_on.wait(60)
        return city

    looked = look_of(slow, timeout=0.01).look({"city": "Bern"})
    go_on.set()
    assert looked.text == "slow took longer than 0.01 s."


@pytest.mark.parametrize("told", ["", "  \n", None, 7], ids=repr)
def test_a_look_that_returns_no_text_found_nothing(told: Any) -> None:
    def empty(city: str) -> Any:
        """Find nothing."""
        return told

    assert look_of(empty).look({"city": "Bern"}).text == "empty found nothing."


def test_what_is_told_is_safe_and_short() -> None:
    def long(city: str) -> Found:
        """Tell much."""
        return Found("a `secret`\nname\x1b", "secret " * 50, "secret\n" * 5000)

    looked = look_of(long).look({"city": "Bern"})
    assert "secret" not in f"{looked}"
    assert looked.title == "a '…' name"
    assert len(looked.summary) <= MAX_LINE
    assert len(looked.text) <= MAX_TEXT
    assert looked.text.endswith("(cut)")
