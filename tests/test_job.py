"""A job asks about each row once, at the server that is least full."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.errors import (
    BuddyError,
    CutOff,
    KeyRefused,
    NoReply,
    PromptTooLong,
    ServerError,
    TooManyFailures,
    Unreachable,
)
from codebuddy_jupyter.messages import Chunk, Request
from codebuddy_jupyter.secrets.redactor import Redacted
from codebuddy_jupyter.values.batch.job import AskedRow, Job, Outcome
from codebuddy_jupyter.values.batch.keeper import Keeper
from codebuddy_jupyter.values.batch.pool import Lane, Pool
from codebuddy_jupyter.values.batch.question import RowQuestion, digest_of
from codebuddy_jupyter.values.batch.results import Results
from codebuddy_jupyter.values.batch.template import template_of
from tests.support.fakes import FakeProvider, Step

QUESTION = RowQuestion(
    template=template_of("{item}", ["item"], may_append=True),
    form=None,
    system="s",
    temperature=0.0,
    max_tokens=None,
    extra={},
    redact=Redacted,
)
DONE = Chunk(finish="stop")


def row(number: int, text: str = "") -> AskedRow:
    text = text or f"row {number}"
    return AskedRow(number, f"key {number}", digest_of([text]), text)


def prompt_of(request: Request) -> str:
    return request.messages[-1].text


class Server(FakeProvider):
    """Answers at a time as many as it has slots, and notes how many it had."""

    def __init__(self, slots: int | None = None) -> None:
        super().__init__()
        self.room = slots
        self.now = self.most = 0
        self.say: Callable[[str], Sequence[Step]] = lambda text: [text.upper(), DONE]

    async def slots(self, model: str) -> int | None:
        return self.room

    async def stream(self, request: Request) -> Any:
        self.requests.append(request)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            # Others arrive meanwhile.
            for _ in range(5):
                await asyncio.sleep(0)
            for step in self.say(prompt_of(request)):
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield Chunk(text=step) if isinstance(step, str) else step
        finally:
            self.now -= 1


class Asked:
    """A job that has ended: its outcomes by number, and its error."""

    def __init__(
        self,
        servers: Sequence[Server],
        rows: Sequence[AskedRow],
        keeper: Keeper | None = None,
        max_failures: float = 0.5,
        patience: float = 0.0,
    ) -> None:
        pool = Pool([Lane(server, "m") for server in servers], patience)
        keeper = keeper or Keeper(None, b"", lambda line: None)
        self.job = Job(QUESTION, pool, keeper, max_failures)
        self.job.feed(rows)
        self.job.end()
        self.error: BuddyError | None = None
        try:
            asyncio.run(asyncio.wait_for(self.job.run(), 60))
        except BuddyError as error:
            self.error = error
        self.outcomes: dict[int, Outcome] = {}
        while not self.job.outcomes.empty():
            outcome = self.job.outcomes.get()
            assert outcome.number not in self.outcomes
            self.outcomes[outcome.number] = outcome

    @property
    def values(self) -> dict[int, Any]:
        return {number: one.value for number, one in self.outcomes.items()}


def test_each_row_gets_its_answer() -> None:
    asked = Asked([Server(4)], [row(number) for number in range(50)])
    assert asked.error is None
    assert asked.values == {number: f"ROW {number}" for number in range(50)}
    assert asked.outcomes[7].key == "key 7"


def test_the_first_request_to_a_server_is_alone_and_then_all_slots_are_used() -> None:
    server = Server(4)
    alone: list[int] = []

    def say(text: str) -> Sequence[Step]:
        alone.append(server.now)
        return [text]

    server.say = say
    Asked([server], [row(number) for number in range(40)])
    assert alone[0] == 1
    assert server.most == 4


def test_two_servers_share_the_rows() -> None:
    servers = [Server(2), Server(6)]
    Asked(servers, [row(number) for number in range(80)])
    assert [server.most for server in servers] == [2, 6]
    assert sum(len(server.requests) for server in servers) == 80


def test_equal_rows_are_asked_about_once_and_get_values_of_their_own() -> None:
    server = Server(4)
    rows = [row(number, f"text {number % 3}") for number in range(60)]
    asked = Asked([server], rows)
    assert len(server.requests) == 3
    assert asked.values == {number: f"TEXT {number % 3}" for number in range(60)}


def test_equal_rows_that_fail_are_asked_about_once() -> None:
    server = Server(2)
    server.say = lambda text: [PromptTooLong("too long")]
    asked = Asked([server], [row(number, "same") for number in range(9)])
    assert len(server.requests) == 1
    assert all(one.failed for one in asked.outcomes.values())
    assert len(asked.outcomes) == 9


def failing(bad: str, error: BuddyError) -> Callable[[str], Sequence[Step]]:
    return lambda text: [error] if text == bad else [text]


@pytest.mark.parametrize(
    "error",
    [
        PromptTooLong("too long"),
        ServerError("bad request", status=400),
        ServerError("broken", status=500),
        ServerError("overloaded for ever", status=503),
        NoReply("a web page"),
        CutOff("cut off"),
    ],
    ids=["long", "400", "500", "503", "no reply", "cut off"],
)
def test_a_row_that_fails_is_an_error_in_its_place(
    error: BuddyError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codebuddy_jupyter.values.batch.pool.BUSY_PAUSES", (0.0,))
    server = Server(4)
    server.say = failing("row 500", error)
    asked = Asked([server], [row(number) for number in range(1_000)])
    assert asked.error is None
    assert [number for number, one in asked.outcomes.items() if one.failed] == [500]
    assert asked.values[500] is error
    assert len(asked.outcomes) == 1_000


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    server = Server(2)
    tries: list[str] = []

    def say(text: str) -> Sequence[Step]:
        tries.append(text)
        return ["half", CutOff("cut off")] if tries.count(text) == 1 else [text]

    server.say = say
    asked = Asked([server], [row(number) for number in range(6)])
    assert asked.values == {number: f"row {number}" for number in range(6)}


def test_a_server_that_dies_loses_no_row() -> None:
    dying, other = Server(4), Server(4)
    before = iter(range(7))

    def say(text: str) -> Sequence[Step]:
        return [text] if next(before, None) is not None else [Unreachable("gone")]

    dying.say = say
    asked = Asked([dying, other], [row(number) for number in range(100)])
    assert asked.error is None
    assert len(asked.outcomes) == 100
    assert not any(one.failed for one in asked.outcomes.values())


def test_one_of_two_servers_that_refuses_the_key_is_left_out() -> None:
    refusing, other = Server(4), Server(4)
    refusing.say = lambda text: [KeyRefused("no key")]
    asked = Asked([refusing, other], [row(number) for number in range(30)])
    assert asked.error is None
    assert len(refusing.requests) == 1
    assert len(asked.outcomes) == 30


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("nothing answers"),
        KeyRefused("no key"),
        ServerError("not here", status=404),
    ],
    ids=["unreachable", "key", "path"],
)
def test_a_fault_of_the_only_server_stops_at_once(error: BuddyError) -> None:
    server = Server(4)
    server.say = lambda text: [error]
    asked = Asked([server], [row(number) for number in range(100)])
    assert asked.error is error
    assert len(server.requests) == 1
    assert asked.outcomes == {}


def test_too_many_failures_stop_the_job_and_say_why() -> None:
    server = Server(1)
    server.say = lambda text: [ServerError("It says no.", status=400)]
    asked = Asked([server], [row(number) for number in range(100)])
    assert isinstance(asked.error, TooManyFailures)
    assert "20 of the first 20 rows failed" in str(asked.error)
    assert "It says no." in str(asked.error)
    assert len(server.requests) <= 21


def test_the_share_that_may_fail_can_be_set() -> None:
    server = Server(1)
    server.say = lambda text: [ServerError("no", status=400)]
    rows = [row(number) for number in range(100)]
    assert Asked([server], rows, max_failures=1.0).error is None
    server.say = failing("row 50", ServerError("no", status=400))
    assert isinstance(Asked([server], rows, max_failures=0.0).error, TooManyFailures)


def test_a_row_that_no_window_can_hold_is_not_sent() -> None:
    server = Server(2)
    server.size = 1_000
    asked = Asked([server], [row(0), row(1, "x" * 1_000_000), row(2)])
    assert isinstance(asked.values[1], PromptTooLong)
    assert "1,000,000 characters" in str(asked.values[1])
    assert sorted(map(prompt_of, server.requests)) == ["row 0", "row 2"]


def test_an_outcome_is_on_disk_when_it_is_known(tmp_path: Path) -> None:
    results = Results(tmp_path / "maps.sqlite3", lambda line: None)
    keeper = Keeper(results, b"job", lambda line: None)
    rows = [row(number) for number in range(30)]
    Asked([Server(4)], rows, keeper)
    found = results.find(b"job", [one.digest for one in rows])
    assert {found[one.digest].text for one in rows} == {
        f"ROW {number}" for number in range(30)
    }


def test_a_fault_of_ours_stops_the_job_and_is_raised() -> None:
    server = Server(1)
    server.say = lambda text: [ZeroDivisionError("ours")]
    with pytest.raises(ZeroDivisionError):
        Asked([server], [row(0), row(1)])


def test_a_job_that_is_cancelled_stops_its_requests() -> None:
    server = Server(4)
    server.say = lambda text: [3600.0, text]

    async def cancel() -> Job:
        pool = Pool([Lane(server, "m")])
        job = Job(QUESTION, pool, Keeper(None, b"", lambda line: None), 0.5)
        job.feed([row(number) for number in range(10)])
        task = asyncio.create_task(job.run())
        while not server.now:
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return job

    job = asyncio.run(cancel())
    assert server.now == 0
    assert job.ended.is_set()


def test_rows_may_come_while_others_are_asked_about() -> None:
    server = Server(2)

    async def feed() -> Job:
        pool = Pool([Lane(server, "m")])
        job = Job(QUESTION, pool, Keeper(None, b"", lambda line: None), 0.5)
        task = asyncio.create_task(job.run())
        end = time.monotonic() + 60
        for number in range(5):
            job.feed([row(number)])
            while job.outcomes.qsize() <= number:
                assert time.monotonic() < end
                await asyncio.sleep(0)
        job.end()
        await task
        return job

    assert asyncio.run(feed()).outcomes.qsize() == 5
