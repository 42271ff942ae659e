"""Describers of the user's run apart: within a time limit, on a loop that is free."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from codebuddy_jupyter.context.describe import Describers, user_code


class Base:
    pass


class Leaf(Base):
    pass


@pytest.fixture
def describers() -> Describers:
    return Describers()


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What a slow describer waits for."""
    release = threading.Event()
    yield release
    release.set()


def test_a_describer_that_is_too_slow_is_cut_off_and_not_called_again(
    describers: Describers, release: threading.Event
) -> None:
    described = []

    def describe(value: Any) -> str:
        described.append(value)
        release.wait(60)
        return "late"

    describers.register(Leaf, describe)
    assert (
        describers.schema(Leaf()) == "tests.test_user_code.Leaf, too slow to describe"
    )
    assert (
        describers.schema(Leaf()) == "tests.test_user_code.Leaf, too slow to describe"
    )
    assert len(described) == 1


def test_a_new_describer_is_called_where_the_old_one_was_too_slow(
    describers: Describers, release: threading.Event
) -> None:
    describers.register(Base, lambda value: str(release.wait(60)))
    assert "too slow" in describers.schema(Leaf())
    describers.register(Base, lambda value: "quick")
    assert describers.schema(Leaf()) == "quick"


def test_all_of_a_snapshot_have_one_second(
    describers: Describers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(value: Any) -> str:
        time.sleep(0.1)
        return "slow"

    monkeypatch.setattr(user_code, "TOTAL_TIMEOUT", 0.05)
    describers.begin()
    describers.register(Leaf, slowly)
    assert describers.schema(Leaf()) == "slow"
    assert (
        describers.schema(Leaf())
        == "tests.test_user_code.Leaf, not described: no time was left"
    )
    describers.begin()
    assert describers.schema(Leaf()) == "slow"


def test_a_coroutine_is_awaited_where_no_loop_runs(describers: Describers) -> None:
    async def describe(value: Any) -> str:
        await asyncio.sleep(0)
        return "awaited"

    describers.register(Leaf, describe)
    assert describers.schema(Leaf()) == "awaited"


def test_a_coroutine_that_raises_costs_one_line(describers: Describers) -> None:
    async def describe(value: Any) -> str:
        raise ValueError

    describers.register(Leaf, describe)
    assert (
        describers.schema(Leaf()) == "tests.test_user_code.Leaf, could not be described"
    )


def test_a_coroutine_that_will_not_be_cancelled_is_left_behind(
    describers: Describers,
) -> None:
    async def describe(value: Any) -> str:
        while True:
            try:
                await asyncio.sleep(2)
            except asyncio.CancelledError:
                await asyncio.sleep(2)
                return "late"

    describers.register(Leaf, describe)
    assert (
        describers.schema(Leaf()) == "tests.test_user_code.Leaf, too slow to describe"
    )


def in_a_thread(describers: Describers) -> Any:
    return asyncio.get_running_loop().run_in_executor(None, describers.schema, Leaf())


def test_from_another_thread_a_coroutine_is_awaited_on_the_loop_that_runs() -> None:
    async def main() -> str:
        lock, describers = asyncio.Lock(), Describers()
        loop = asyncio.get_running_loop()

        async def describe(value: Any) -> str:
            async with lock:
                return str(asyncio.get_running_loop() is loop)

        describers.register(Leaf, describe)
        return str(await in_a_thread(describers))

    assert asyncio.run(main()) == "True"


def test_a_busy_loop_is_not_held_against_a_describer() -> None:
    async def main() -> list[str]:
        describers, texts = Describers(), []

        async def describe(value: Any) -> str:
            return "there"

        describers.register(Leaf, describe)
        asking = threading.Thread(
            target=lambda: texts.append(describers.schema(Leaf()))
        )
        asking.start()
        # meanwhile the loop does nothing else
        asking.join(60)
        texts.append(str(await in_a_thread(describers)))
        return texts

    assert asyncio.run(main()) == [
        "tests.test_user_code.Leaf, not described: no time was left",
        "there",
    ]
