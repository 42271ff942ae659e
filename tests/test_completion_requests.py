"""Requests of a page for completion."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.completion.completer import Completer
from codebuddy_jupyter.completion.requests import Call, completion_handler
from tests.support.fakes import FOREVER, FakeProvider

SECONDS = 30.0


class FakeCall:
    """A request, and what was sent for it."""

    def __init__(self, code: str, **fields: Any) -> None:
        self.request: Mapping[str, Any] = {
            "code": code,
            "cursor": len(code),
            "cell": "",
            "asked": False,
            **fields,
        }
        self.sent: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.stop: Callable[[], object] = bool

    def part(self, content: Mapping[str, Any]) -> None:
        self.sent.put(("part", content))

    def done(self, content: Mapping[str, Any]) -> None:
        self.sent.put(("done", content))

    def failed(self, error: BaseException) -> None:
        self.sent.put(("failed", error))

    def on_cancel(self, stop: Callable[[], object]) -> None:
        self.stop = stop

    def next(self) -> tuple[str, Any]:
        return self.sent.get(timeout=SECONDS)


@pytest.fixture
def complete(buddy: Buddy) -> Callable[[Call], None]:
    """What answers, with a model that completes code."""
    buddy.completion_model = "Local/coder"
    return completion_handler(Completer(buddy))


def part(text: str) -> tuple[str, Any]:
    return "part", {"text": text, "off": False}


def done(text: str, *, off: bool = False) -> tuple[str, Any]:
    return "done", {"text": text, "off": off}


def test_parts_come_and_then_the_whole(
    complete: Callable[[Call], None], fake: FakeProvider
) -> None:
    fake.writes = [["he", "ad()"]]
    call = FakeCall("df.")
    complete(call)
    answers = [call.next() for _ in range(3)]
    assert answers == [
        part("he"),
        part("head()"),
        done("head()"),
    ]


def test_a_page_learns_that_it_is_off(
    complete: Callable[[Call], None], buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.completion_model = ""
    call = FakeCall("df.")
    complete(call)
    assert call.next() == done("", off=True)
    assert fake.infills == []


def test_a_cancelled_request_ends_at_the_server(
    complete: Callable[[Call], None], fake: FakeProvider
) -> None:
    fake.writes = [["he", FOREVER]]
    call = FakeCall("df.")
    complete(call)
    assert call.next() == part("he")
    call.stop()
    assert fake.ended.wait(SECONDS)


def test_the_request_of_another_page_ends_the_first(
    complete: Callable[[Call], None], fake: FakeProvider
) -> None:
    fake.writes = [["he", FOREVER], ["tail()"]]
    first, second = FakeCall("df."), FakeCall("df.")
    complete(first)
    assert first.next() == part("he")
    complete(second)
    assert first.next() == done("")
    assert [second.next(), second.next()] == [
        part("tail()"),
        done("tail()"),
    ]


def test_an_error_is_sent(complete: Callable[[Call], None], fake: FakeProvider) -> None:
    error = errors.NoInfill("coder cannot do that.")
    fake.writes = [[error]]
    call = FakeCall("df.")
    complete(call)
    assert call.next() == ("failed", error)
