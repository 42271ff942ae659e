"""A background thread that exists only while it has work, and a moment longer."""

from __future__ import annotations

import atexit
import heapq
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from .changes import Changes

Job = Callable[[], None]
T = TypeVar("T")

# Seconds that a thread waits for another job: in a kernel, each thread that sends gets a
# socket of its own.
IDLE_SECONDS = 0.3


def settle(future: Future[T], call: Callable[[], T]) -> None:
    """Make a call, and give its outcome to a future, unless that was cancelled."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - the future raises it
        future.set_exception(error)
    else:
        future.set_result(result)


@dataclass(order=True)
class _Entry:
    """A job in the queue: the earliest comes first, and of two the one put first."""

    due: float
    number: int
    job: Job = field(compare=False)


class Worker:
    """Runs jobs one after the other on a daemon thread.

    Parameters
    ----------
    name
        The name of the thread.
    timeout
        Seconds that `wait`, and the end of Python, wait for jobs that hang. With 0 the
        end of Python does not wait for the remaining jobs.
    """

    def __init__(self, name: str, timeout: float = 0.0) -> None:
        self._name = name
        self._timeout = timeout
        self._reset()
        if timeout:
            atexit.register(self._finish)

    def _reset(self) -> None:
        self._process = os.getpid()
        self._changed = Changes()
        self._numbers = count()
        self._jobs: list[_Entry] = []
        self._thread: threading.Thread | None = None
        self._finished = False
        self._cancelled = False

    def put(self, job: Job, due: float = 0.0) -> None:
        """Run a job soon; after `close`, at once; after `cancel`, never.

        A job that raises ends the thread; the jobs after it run on a new one. One that
        is due later does not run after `close`.

        Parameters
        ----------
        job
            What to run.
        due
            When to run it, in seconds of ``time.monotonic()``.
        """
        # A forked child has no thread, and nobody who would release the lock.
        if self._process != os.getpid():
            self._reset()
        if self._finished:
            if due <= time.monotonic():
                job()
            return
        with self._changed.lock:
            if not self._cancelled:
                self._push(job, due)

    def _push(self, job: Job, due: float) -> None:
        heapq.heappush(self._jobs, _Entry(due, next(self._numbers), job))
        self._changed.notify()
        if self._thread is None:
            self._start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all jobs are done that are due now.

        Parameters
        ----------
        timeout
            Seconds to wait at most; by default those of the worker.

        Returns
        -------
        bool
            Whether they are done.
        """
        if self._process != os.getpid():
            return True
        done = threading.Lock()
        done.acquire()
        with self._changed.lock:
            if self._thread is None:
                return True
            self._push(done.release, time.monotonic())
        if timeout is None:
            timeout = self._timeout
        return done.acquire(timeout=timeout)

    def close(self) -> None:
        """Finish the remaining jobs that are due now, and drop the others."""
        atexit.unregister(self._finish)
        self._finish()

    def cancel(self) -> None:
        """Drop the remaining jobs, and those that are put later."""
        atexit.unregister(self._finish)
        with self._changed.lock:
            self._cancelled = True
            self._jobs.clear()
            self._changed.notify()

    def _finish(self) -> None:
        self.wait()
        self._finished = True
        if self._process != os.getpid():
            return
        with self._changed.lock:
            now = time.monotonic()
            self._jobs = [entry for entry in self._jobs if entry.due <= now]
            heapq.heapify(self._jobs)
            self._changed.notify()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        thread.start()
        # Assigned last: one that an interrupt kept from starting must not count.
        self._thread = thread

    def _run(self) -> None:
        try:
            while job := self._next():
                job()
        finally:
            self._replace()

    def _replace(self) -> None:
        """Start another thread if this one ends by an error while jobs are left."""
        with self._changed.lock:
            if self._thread is not threading.current_thread():
                return
            self._thread = None
            if self._jobs:
                self._start()

    def _next(self) -> Job | None:
        """Wait for the next job, a moment if there is none; return None if none came."""
        idle_end = time.monotonic() + IDLE_SECONDS
        while True:
            with self._changed.lock:
                if self._thread is not threading.current_thread():
                    return None
                now = time.monotonic()
                if self._jobs and self._jobs[0].due <= now:
                    return heapq.heappop(self._jobs).job
                if not self._jobs and (self._is_closed() or now >= idle_end):
                    self._thread = None
                    return None
                end = self._jobs[0].due if self._jobs else idle_end
                change = self._changed.next()
            self._changed.wait(change, end - now)

    def _is_closed(self) -> bool:
        return self._cancelled or self._finished
