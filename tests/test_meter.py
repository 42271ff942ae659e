"""The context meter: it tells what would be sent, quietly, and what of the notebook may
be can be chosen there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import Unreachable
from codebuddy_jupyter.widgets.meter import CHOSEN, Meter
from tests.fakes import FakeProvider, eventually

NAMES: dict[str, Any] = {"rate": 0.19, "label": "wine"}


class CommandOutput(list[tuple[str, dict[str, Any]]]):
    """What a meter told."""

    def __call__(self, kind: str, **content: Any) -> None:
        """Keep it."""
        self.append((kind, content))

    def last(self) -> dict[str, Any]:
        """The last measure, which comes soon."""
        assert eventually(lambda: self and self[-1][0] == "measured")
        return self[-1][1]


@pytest.fixture
def told() -> CommandOutput:
    return CommandOutput()


@pytest.fixture
def meter(buddy: Buddy, told: CommandOutput) -> Iterator[Meter]:
    """A meter of a Buddy that sees two variables."""
    buddy.collector.session = Session(SimpleNamespace(user_ns=NAMES))
    meter = Meter(buddy, NAMES, told)
    yield meter
    meter.close()


def measured(
    meter: Meter, told: CommandOutput, text: str, whole: bool = False
) -> dict[str, Any]:
    """What a meter tells of a text."""
    told.clear()
    meter.look(text, whole=whole)
    return told.last()


def test_it_tells_the_tokens_by_section_and_the_window(
    meter: Meter, told: CommandOutput, fake: FakeProvider
) -> None:
    fake.size = 8192
    seen = measured(meter, told, "what is the rate?")
    assert [name for name, _ in seen["parts"]] == [
        "system prompt",
        "variables",
        "question",
    ]
    assert (seen["window"], seen["assumed"], seen["whole"]) == (8192, False, None)
    assert 0 < sum(tokens for _, tokens in seen["parts"]) <= seen["tokens"]
    assert [one["name"] for one in seen["sections"] if one["told"]] == CHOSEN
    assert (
        next(one["tokens"] for one in seen["sections"] if one["name"] == "variables")
        > 0
    )
    assert fake.requests == []


def test_unfolded_it_tells_all_that_would_be_sent(
    meter: Meter, told: CommandOutput
) -> None:
    whole = measured(meter, told, "what of {rate} and @label?", whole=True)["whole"]
    for part in ("nothing was sent", "what of 0.19 and", "wine", "4,096 (assumed"):
        assert part in whole


def test_what_cannot_be_sent_is_told(meter: Meter, told: CommandOutput) -> None:
    assert "nobody" in measured(meter, told, "what is in @nobody?")["trouble"]


@pytest.mark.parametrize(
    ("text", "question"), [("", ""), ("/version", ""), ("/explain\nx = 1", "x = 1")]
)
def test_a_command_counts_as_what_it_asks(
    meter: Meter, told: CommandOutput, text: str, question: str
) -> None:
    assert question in measured(meter, told, text, whole=True)["whole"]


def test_sections_that_are_left_out_hold_for_cells_too_and_the_other_way_round(
    meter: Meter, told: CommandOutput, buddy: Buddy
) -> None:
    meter.choose(["error", "cells"])
    assert buddy.context == "cells, error"
    assert told[-1][0] == "stale"
    seen = measured(meter, told, "hello")
    assert [one["name"] for one in seen["sections"] if one["told"]] == [
        "cells",
        "error",
    ]
    assert "variables" not in dict(seen["parts"])
    meter.choose([])
    assert buddy.context == "none"
    buddy.change({"context": "auto"})
    assert [one["told"] for one in measured(meter, told, "hello")["sections"]] == [
        True
    ] * len(CHOSEN)
    meter.choose(CHOSEN)
    assert buddy.context == "auto"


def test_the_server_is_asked_once_until_another_is_in_use(
    meter: Meter, told: CommandOutput, fake: FakeProvider
) -> None:
    asked: list[str] = []

    async def window(model: str) -> int | None:
        asked.append(model)
        return 1000 * len(asked)

    fake.window = window  # type: ignore[method-assign]
    assert [measured(meter, told, text)["window"] for text in ("a", "b", "c")] == [
        1000,
        1000,
        1000,
    ]
    fake.change({"model": "fake-2"})
    assert [measured(meter, told, text)["window"] for text in ("a", "b")] == [
        2000,
        2000,
    ]
    assert asked == ["fake-1", "fake-2"]


def test_a_server_that_is_silent_is_asked_once_and_the_first_answer_tells_more(
    meter: Meter, told: CommandOutput, buddy: Buddy, fake: FakeProvider
) -> None:
    asked = []

    async def choose(model: str) -> str:
        asked.append(model)
        raise Unreachable("The server is silent.")

    usual, fake.choose = fake.choose, choose  # type: ignore[method-assign]
    assert [measured(meter, told, text)["assumed"] for text in ("a", "b")] == [
        True,
        True,
    ]
    assert len(asked) == 1
    fake.choose, fake.size = usual, 2048  # type: ignore[method-assign]
    buddy.ask("hello").result()
    assert measured(meter, told, "c")["window"] == 2048


def test_of_several_looks_the_last_counts(
    meter: Meter, told: CommandOutput, fake: FakeProvider
) -> None:
    looked = threading.Event()

    async def window(model: str) -> int | None:
        while not looked.is_set():
            await asyncio.sleep(0.01)
        return 4096

    fake.window = window  # type: ignore[method-assign]
    for text in ("a", "b" * 4000, ""):
        meter.look(text, whole=True)
    looked.set()
    assert "bbbb" not in told.last()["whole"]
    assert len(told) == 1
