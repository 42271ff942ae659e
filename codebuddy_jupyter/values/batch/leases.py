"""How many requests all processes together may send to a server: leases of a semaphore
that the workers of a Dask cluster share.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from .pool import Lane

Leases = Callable[[Lane], AbstractAsyncContextManager[None]]
"""Gives what must be entered for the time of a request to a server."""

# Seconds after which a thread that waits for a lease looks whether anybody waits for it.
SLICE = 1.0


@asynccontextmanager
async def unlimited(lane: Lane) -> AsyncIterator[None]:
    """Let every request through."""
    yield


def leases_of_worker() -> Leases:
    """Return the leases of the cluster, if this thread runs a task of one of its workers.

    A server that does not tell how many requests it takes is not limited.
    """
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return unlimited
    try:
        worker = distributed.get_worker()
    except ValueError:
        # This thread belongs to no worker.
        return unlimited
    return _Semaphores(distributed.Semaphore, worker)


class _Semaphores:
    """One semaphore of the cluster for each server.

    Parameters
    ----------
    make
        Makes a semaphore.
    worker
        The worker whose task this is.
    """

    def __init__(self, make: Callable[..., Any], worker: Any) -> None:
        self._make = make
        self._worker = worker
        self._made: dict[str, Any] = {}

    @asynccontextmanager
    async def __call__(self, lane: Lane) -> AsyncIterator[None]:
        """Hold a lease of the lane's server."""
        if lane.slots is None:
            yield
            return
        semaphore = await asyncio.to_thread(self._semaphore, lane)
        await _acquire(semaphore)
        try:
            yield
        finally:
            # The thread goes on if this is cancelled.
            await asyncio.shield(asyncio.to_thread(semaphore.release))

    def _semaphore(self, lane: Lane) -> Any:
        name = f"codebuddy {lane.provider.where()}"
        if name not in self._made:
            self._made[name] = self._make(
                max_leases=lane.slots,
                name=name,
                scheduler_rpc=self._worker.scheduler,
                loop=self._worker.loop,
            )
        return self._made[name]


async def _acquire(semaphore: Any) -> None:
    """Wait for a lease; one that comes too late for a cancelled request is given back."""

    def give_back(task: asyncio.Task[bool]) -> None:
        if not task.cancelled() and not task.exception() and task.result():
            asyncio.get_running_loop().run_in_executor(None, semaphore.release)

    while True:
        waiting = asyncio.create_task(asyncio.to_thread(semaphore.acquire, SLICE))
        try:
            if await asyncio.shield(waiting):
                return
        except asyncio.CancelledError:
            waiting.add_done_callback(give_back)
            raise
