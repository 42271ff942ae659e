"""The servers of a map, and how many requests each of them takes at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from codebuddy_jupyter.errors import KeyRefused, ServerError, Unreachable
from codebuddy_jupyter.values.batch import pool as module
from codebuddy_jupyter.values.batch.pool import (
    BUSY_PAUSES,
    DOWN_PAUSES,
    FIRST_LIMIT,
    LARGEST_LIMIT,
    MOST_BUSY,
    Lane,
    Pool,
)
from tests.support.fakes import FakeProvider

BUSY = ServerError("busy", status=503)
GONE = Unreachable("gone")
REFUSED = KeyRefused("no key")


def lane(slots: int | None = None) -> Lane:
    made = Lane(FakeProvider(), "m")
    made.slots = slots
    return made


def warmed(slots: int | None = None, now: float = 0.0) -> Lane:
    made = lane(slots)
    made.note_answer(now, now)
    return made


def room(one: Lane, now: float = 1e6) -> int:
    """How many requests a server takes at a time."""
    taken = 0
    while one.is_free(now):
        one.busy += 1
        taken += 1
    one.busy -= taken
    return taken


def test_a_server_gets_one_request_alone_at_first() -> None:
    assert room(lane(8)) == 1
    assert room(warmed(8)) == 8


def test_a_server_that_tells_nothing_begins_with_a_few() -> None:
    assert room(warmed()) == FIRST_LIMIT


def answers(one: Lane, seconds: Callable[[int], float], rounds: int = 200) -> None:
    now = 1.0
    for _ in range(rounds):
        width = int(one.limit)
        began = now
        now += seconds(width)
        for _ in range(width):
            one.note_answer(began, now)


def test_a_server_that_bears_more_gets_more_up_to_a_limit() -> None:
    one = warmed()
    answers(one, lambda width: 1.0)
    assert room(one) == LARGEST_LIMIT


def test_a_server_that_answers_one_at_a_time_gets_no_more() -> None:
    one = warmed()
    answers(one, lambda width: float(width))
    assert room(one) <= 2 * FIRST_LIMIT


def test_a_server_that_becomes_slow_gets_fewer() -> None:
    one = warmed()
    answers(one, lambda width: 1.0, rounds=12)
    before = room(one)
    answers(one, lambda width: 10.0)
    assert room(one) < before / 2


def test_slots_are_never_exceeded() -> None:
    one = warmed(3)
    answers(one, lambda width: 1.0)
    assert room(one) == 3


def test_a_busy_server_gets_half_as_many_after_a_pause_then_more_again() -> None:
    one = warmed(8)
    for _ in range(8):
        # All of them were sent before the first was refused.
        one.note_busy(BUSY, 1.0, 2.0)
    assert room(one, 2.0) == 0
    assert room(one, 2.0 + BUSY_PAUSES[0]) == 4
    answers(one, lambda width: 1.0)
    assert room(one) == 8


def test_a_server_that_is_always_busy_counts_as_one_that_is_down() -> None:
    one = warmed(8)
    for number in range(1, MOST_BUSY + 2):
        assert not one.is_down
        one.note_busy(BUSY, 100.0 * number, 100.0 * number + 1)
    assert one.is_down


def test_a_server_that_is_down_is_tried_again_with_one_request() -> None:
    one = warmed(8)
    one.note_down(GONE, 10.0)
    assert room(one, 10.0) == 0
    assert room(one, 10.0 + DOWN_PAUSES[0]) == 1
    one.note_down(GONE, 20.0)
    assert room(one, 20.0 + DOWN_PAUSES[0]) == 0
    assert room(one, 20.0 + DOWN_PAUSES[1]) == 1
    one.note_answer(30.0, 31.0)
    assert room(one) == 8


def test_several_requests_to_a_server_that_dies_count_once() -> None:
    one = warmed(8)
    for _ in range(8):
        one.note_down(GONE, 10.0)
    assert room(one, 10.0 + DOWN_PAUSES[0]) == 1


def test_an_answer_after_a_refusal_does_not_bring_a_server_back() -> None:
    one = warmed(4)
    one.note_refusal(REFUSED)
    one.note_answer(1.0, 2.0)
    assert room(one) == 0
    assert one.error is REFUSED


async def taken(pool: Pool, count: int) -> list[Lane]:
    return [await pool.lane() for _ in range(count)]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(bounded())


def test_the_server_that_is_least_full_comes_first() -> None:
    async def ask() -> None:
        small, large = warmed(2), warmed(6)
        await taken(Pool([small, large]), 8)
        assert (small.busy, large.busy) == (2, 6)

    run(ask())


def test_a_request_waits_until_another_has_ended() -> None:
    async def ask() -> None:
        pool = Pool([warmed(1)])
        one = await pool.lane()
        waiting = asyncio.create_task(pool.lane())
        await asyncio.sleep(0)
        assert not waiting.done()
        pool.release(one)
        assert await waiting is one

    run(ask())


def test_without_a_server_that_answers_the_error_is_raised_at_once() -> None:
    async def ask() -> None:
        one, other = lane(), lane()
        one.note_down(GONE, 0.0)
        other.note_refusal(REFUSED)
        with pytest.raises(Unreachable):
            await Pool([one, other]).lane()
        one.note_refusal(REFUSED)
        with pytest.raises(KeyRefused):
            await Pool([one, other]).lane()

    run(ask())


def test_one_that_answered_before_is_waited_for() -> None:
    async def ask() -> None:
        one = warmed(4)
        pool = Pool([one], patience=1e6)
        one.note_down(GONE, pool.clock())
        assert await pool.lane() is one

    run(ask())


def test_the_wait_for_a_server_has_an_end() -> None:
    async def ask() -> None:
        now = 0.0
        one = warmed(4)
        pool = Pool([one], patience=50.0, clock=lambda: now)
        one.note_down(GONE, now)
        for _ in range(8):
            now += 10.0
            try:
                pool.release(await pool.lane())
            except Unreachable:
                break
            one.note_down(GONE, now)
        assert 50.0 <= now <= 60.0

    run(ask())


def test_what_a_server_tells_is_asked_once_and_again_after_it_was_down() -> None:
    async def ask() -> None:
        one = lane()
        provider = one.provider
        assert isinstance(provider, FakeProvider)
        provider.size = 4096
        await one.prepare()
        provider.size = 8192
        await one.prepare()
        assert one.window == 4096
        one.note_down(GONE, 0.0)
        await one.prepare()
        assert one.window == 8192

    run(ask())


def test_the_module_waits_no_longer_than_it_says() -> None:
    assert max(DOWN_PAUSES) <= 30
    assert module.PATIENCE <= 60
