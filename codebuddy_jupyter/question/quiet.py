"""Work that is done while nobody waits for anything, and stopped when somebody does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from ..background.loop import Loop

# Seconds without a cell or a question after which the work begins.
QUIET_SECONDS = 2.0
# Seconds that work which was stopped gets to close its connections.
STOPPING_SECONDS = 1.0


class WhileQuiet:
    """Runs a coroutine once each time that it has been quiet for a while.

    A cell or a question that begins stops it at once. It may be told of them on any
    thread, and does nothing in a forked child.

    Parameters
    ----------
    loop
        The background loop on which it runs.
    work
        Makes the coroutine.
    seconds
        How long it must have been quiet.
    """

    def __init__(
        self,
        loop: Loop,
        work: Callable[[], Coroutine[Any, Any, None]],
        seconds: float = QUIET_SECONDS,
    ) -> None:
        self._loop = loop
        self._work = work
        self.seconds = seconds
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._is_on = False
        self._is_cell_running = False
        self._questions = 0
        self._future: concurrent.futures.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def questions(self) -> int:
        """How many questions are being answered."""
        return self._questions

    def begin(self) -> None:
        """Do the work from now on."""
        if not self._is_on and self._process == os.getpid():
            self._is_on = True
            self.note_change()

    def close(self) -> None:
        """Do it no more."""
        self._is_on = False
        self.note_change()

    def note_change(self) -> None:
        """Note that something has changed: the work begins anew once it is quiet."""
        # A forked child has neither the loop nor the one who would release the lock.
        if self._process != os.getpid():
            return
        with self._lock:
            future, self._future = self._future, None
            if future is not None:
                future.cancel()
            is_quiet = not (self._is_cell_running or self._questions)
            if self._is_on and is_quiet:
                self._future = self._loop.submit(self._run())

    def note_cell_start(self) -> None:
        """Note that a cell runs."""
        self._is_cell_running = True
        self.note_change()

    def note_cell_end(self) -> None:
        """Note that no cell runs."""
        self._is_cell_running = False
        self.note_change()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Note that a question is asked, and when it has been answered."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, number: int) -> None:
        # Only the loop's thread counts.
        self._questions += number
        self.note_change()

    async def stopped(self) -> None:
        """Wait until work that was stopped has ended, on the background loop."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=STOPPING_SECONDS)

    async def _run(self) -> None:
        await asyncio.sleep(self.seconds)
        # Work that was stopped a moment ago may be closing its connections.
        await self.stopped()
        self._task = asyncio.current_task()
        await self._work()
