"""The context meter: it measures what would be sent, and sections of the notebook can be
chosen there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import Unreachable
from codebuddy_jupyter.widgets.meter import OPTIONAL_SECTIONS, Meter
from codebuddy_jupyter.widgets.protocol import ChatMessage
from codebuddy_jupyter.widgets.received import matches
from tests.support.fakes import FakeProvider, eventually

NAMES: dict[str, Any] = {"rate": 0.19, "label": "wine"}


class Messages(list[Mapping[str, Any]]):
    """What a meter has sent."""

    def __call__(self, message: ChatMessage) -> None:
        """Keep a message."""
        assert matches(message, ChatMessage)
        self.append(message)

    def last(self) -> Mapping[str, Any]:
        """The last measure, which comes soon."""
        assert eventually(lambda: self and "measured" in self[-1]["type"])
        return self[-1]


@pytest.fixture
def sent() -> Messages:
    return Messages()


@pytest.fixture
def meter(buddy: Buddy, sent: Messages) -> Iterator[Meter]:
    """A meter of a Buddy that sees two variables."""
    buddy.collector.session = Session(SimpleNamespace(user_ns=NAMES))
    meter = Meter(buddy, NAMES, sent)
    yield meter
    meter.close()


def measured(
    meter: Meter, sent: Messages, text: str, full: bool = False
) -> Mapping[str, Any]:
    """What a meter sends of a text."""
    sent.clear()
    meter.measure(text, full=full)
    return sent.last()


def test_it_tells_the_tokens_by_section_and_the_window(
    meter: Meter, sent: Messages, fake: FakeProvider
) -> None:
    fake.size = 8192
    seen = measured(meter, sent, "what is the rate?")
    assert [name for name, _ in seen["parts"]] == [
        "system prompt",
        "variables",
        "question",
    ]
    assert (seen["window"], seen["assumed"], seen["preview"]) == (8192, False, None)
    assert 0 < sum(tokens for _, tokens in seen["parts"]) <= seen["tokens"]
    assert [one["name"] for one in seen["sections"] if one["sent"]] == OPTIONAL_SECTIONS
    assert (
        next(one["tokens"] for one in seen["sections"] if one["name"] == "variables")
        > 0
    )
    assert fake.requests == []


def test_unfolded_it_tells_all_that_would_be_sent(meter: Meter, sent: Messages) -> None:
    preview = measured(meter, sent, "what of {rate} and @label?", full=True)["preview"]
    for part in ("Nothing was sent", "what of 0.19 and", "wine", "4,096 (assumed"):
        assert part in preview


def test_what_cannot_be_sent_is_told(meter: Meter, sent: Messages) -> None:
    assert "nobody" in measured(meter, sent, "what is in @nobody?")["error"]["line"]


@pytest.mark.parametrize(
    ("text", "question"), [("", ""), ("/version", ""), ("/explain\nx = 1", "x = 1")]
)
def test_a_command_counts_as_what_it_asks(
    meter: Meter, sent: Messages, text: str, question: str
) -> None:
    assert question in measured(meter, sent, text, full=True)["preview"]


def test_sections_that_are_left_out_hold_for_cells_too_and_the_other_way_round(
    meter: Meter, sent: Messages, buddy: Buddy
) -> None:
    meter.choose(["error", "cells"])
    assert buddy.context == "cells, error"
    assert sent[-1]["type"] == "stale"
    seen = measured(meter, sent, "hello")
    assert [one["name"] for one in seen["sections"] if one["sent"]] == [
        "cells",
        "error",
    ]
    assert "variables" not in dict(seen["parts"])
    meter.choose([])
    assert buddy.context == "none"
    buddy.change({"context": "auto"})
    assert [one["sent"] for one in measured(meter, sent, "hello")["sections"]] == [
        True
    ] * len(OPTIONAL_SECTIONS)
    meter.choose(OPTIONAL_SECTIONS)
    assert buddy.context == "auto"


def test_the_server_is_asked_once_until_another_is_in_use(
    meter: Meter, sent: Messages, fake: FakeProvider
) -> None:
    asked: list[str] = []

    async def window(model: str) -> int | None:
        asked.append(model)
        return 1000 * len(asked)

    fake.window = window  # type: ignore[method-assign]
    assert [measured(meter, sent, text)["window"] for text in ("a", "b", "c")] == [
        1000,
        1000,
        1000,
    ]
    fake.change({"model": "fake-2"})
    assert [measured(meter, sent, text)["window"] for text in ("a", "b")] == [
        2000,
        2000,
    ]
    assert asked == ["fake-1", "fake-2"]


def test_a_server_that_is_silent_is_asked_once_and_the_first_answer_tells_more(
    meter: Meter, sent: Messages, buddy: Buddy, fake: FakeProvider
) -> None:
    asked = []

    async def choose(model: str) -> str:
        asked.append(model)
        raise Unreachable("The server is silent.")

    usual, fake.choose = fake.choose, choose  # type: ignore[method-assign]
    assert [measured(meter, sent, text)["assumed"] for text in ("a", "b")] == [
        True,
        True,
    ]
    assert len(asked) == 1
    fake.choose, fake.size = usual, 2048  # type: ignore[method-assign]
    buddy.ask("hello").result()
    assert measured(meter, sent, "c")["window"] == 2048


def test_of_several_looks_the_last_counts(
    meter: Meter, sent: Messages, fake: FakeProvider
) -> None:
    looked = threading.Event()

    async def window(model: str) -> int | None:
        while not looked.is_set():
            await asyncio.sleep(0.01)
        return 4096

    fake.window = window  # type: ignore[method-assign]
    for text in ("a", "b" * 4000, ""):
        meter.measure(text, full=True)
    looked.set()
    assert "bbbb" not in sent.last()["preview"]
    assert len(sent) == 1
