"""A background thread that exists only while it has work."""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


class Worker:
    """Runs jobs one after the other on a daemon thread, and finishes them at exit.

    Parameters
    ----------
    name
        The name of the thread.
    timeout
        Seconds that `wait` and the exit of Python wait for jobs that hang.
    """

    def __init__(self, name: str, timeout: float) -> None:
        self._name = name
        self._timeout = timeout
        self._reset()
        atexit.register(self._finish)

    def _reset(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._finished = False

    def put(self, job: Job) -> None:
        """Run a job in the background; after `close`, at once. It must not raise."""
        # A forked child has no thread, and nothing that would release the lock.
        if self._process != os.getpid():
            self._reset()
        if self._finished:
            job()
            return
        with self._lock:
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=self._name, daemon=True
                )
                self._thread.start()

    def wait(self) -> None:
        """Wait until all jobs are done, at most ``timeout`` seconds."""
        if self._process != os.getpid():
            return
        # With the lock, so that the thread has been started if there is one.
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(self._timeout)

    def close(self) -> None:
        """Finish the remaining jobs."""
        atexit.unregister(self._finish)
        self._finish()

    def _finish(self) -> None:
        self.wait()
        self._finished = True

    def _run(self) -> None:
        while job := self._next():
            job()

    def _next(self) -> Job | None:
        with self._lock:
            if self._jobs:
                return self._jobs.popleft()
            self._thread = None
            return None
