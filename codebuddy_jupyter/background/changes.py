"""Waiting for changes in a way that an interrupt can end anywhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Changes:
    """Lets threads wait until something has changed, as `threading.Condition` does.

    An interrupt of the main thread can come between the steps in which a condition takes
    and gives back its lock, and then all other threads wait for it for good. A bare lock
    in a ``with`` statement has no such moment.

    Attributes
    ----------
    lock : threading.Lock
        Guards what changes. A thread must not take it twice.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._waiting: list[threading.Lock] = []

    def notify(self) -> None:
        """Wake all threads that wait; to be called with the lock taken."""
        # Taken off first: an interrupt must not leave one that is released twice.
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            change.release()

    def next(self) -> threading.Lock:
        """Return what `wait` waits for, the next change; to be called with the lock
        taken.
        """
        waiting = threading.Lock()
        waiting.acquire()
        self._waiting.append(waiting)
        return waiting

    def wait(self, change: threading.Lock, timeout: float) -> None:
        """Wait for a change, at most so many seconds; to be called without the lock."""
        if change.acquire(timeout=max(0.0, timeout)):
            return
        with self.lock:
            if change in self._waiting:
                self._waiting.remove(change)

    def wait_for(self, is_true: Callable[[], bool], timeout: float) -> bool:
        """Wait until something is true; to be called without the lock.

        Parameters
        ----------
        is_true
            Says whether it is; called with the lock taken, after each change.
        timeout
            Seconds to wait at most.

        Returns
        -------
        bool
            Whether it was true in time.
        """
        end = time.monotonic() + timeout
        while True:
            with self.lock:
                if is_true():
                    return True
                left = end - time.monotonic()
                if left <= 0:
                    return False
                change = self.next()
            self.wait(change, left)
