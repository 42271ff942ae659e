"""How many requests all processes together may send to a server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import SimpleNamespace
from typing import Any

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.values.batch import leases
from codebuddy_jupyter.values.batch.leases import leases_of_worker, unlimited
from codebuddy_jupyter.values.batch.pool import Lane
from tests.support.fakes import FakeProvider


class Semaphore:
    """Leases as those of a cluster, in this process."""

    def __init__(self, max_leases: int, name: str, **of_worker: Any) -> None:
        self.name = name
        self._left = threading.Semaphore(max_leases)
        self._lock = threading.Lock()
        self.held = self.most = self.waits = 0

    def acquire(self, timeout: float) -> bool:
        if not self._left.acquire(blocking=False):
            self.waits += 1
            if not self._left.acquire(timeout=timeout):
                return False
        with self._lock:
            self.held += 1
            self.most = max(self.most, self.held)
        return True

    def release(self) -> None:
        with self._lock:
            self.held -= 1
        self._left.release()


def of_worker(made: list[Semaphore]) -> leases.Leases:
    def make(**arguments: Any) -> Semaphore:
        made.append(Semaphore(**arguments))
        return made[-1]

    return leases._Semaphores(make, SimpleNamespace(scheduler=None, loop=None))


def lane(slots: int | None) -> Lane:
    made = Lane(FakeProvider(), "m")
    made.slots = slots
    return made


def test_outside_of_a_cluster_there_is_no_limit() -> None:
    assert leases_of_worker() is unlimited

    async def enter() -> None:
        async with unlimited(lane(1)), unlimited(lane(1)):
            pass

    asyncio.run(enter())


def test_a_server_has_as_many_leases_as_slots(loop: Loop) -> None:
    made: list[Semaphore] = []
    limit = of_worker(made)

    async def request(one: Lane) -> None:
        async with limit(one):
            await asyncio.sleep(0)

    async def ask() -> None:
        one = lane(3)
        await asyncio.wait_for(asyncio.gather(*[request(one) for _ in range(20)]), 60)

    loop.run(ask())
    (semaphore,) = made
    assert (semaphore.held, semaphore.most) == (0, 3)
    assert semaphore.name == "codebuddy http://localhost:1"


def test_a_server_that_tells_no_slots_is_not_limited() -> None:
    made: list[Semaphore] = []

    async def enter() -> None:
        async with of_worker(made)(lane(None)):
            pass

    asyncio.run(enter())
    assert made == []


def test_a_request_that_is_cancelled_while_it_waits_keeps_no_lease(loop: Loop) -> None:
    made: list[Semaphore] = []
    limit = of_worker(made)

    async def wait(one: Lane) -> None:
        async with limit(one):
            raise AssertionError("there is no lease left")

    async def cancel() -> None:
        one = lane(1)
        async with limit(one):
            waiting = asyncio.create_task(wait(one))
            while not made[0].waits:
                await asyncio.sleep(0)
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
        # What the thread gets too late is given back.
        async with asyncio.timeout(60):
            async with limit(one):
                pass
            while made[0].held:
                await asyncio.sleep(0.01)

    loop.run(cancel())
