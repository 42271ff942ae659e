"""A background thread with an event loop, and synchronous calls of coroutines.

It knows nothing of what runs on it.

A kernel's main thread runs the user's cells, so requests run on a loop of their own: an
interrupt can cancel them at once, and an answer streams on while the main thread is
busy.
"""

from __future__ import annotations

import _imp
import asyncio
import atexit
import concurrent.futures
import functools
import os
import queue
import threading
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from .logs import quiet_threads, quietly
from .worker import settle

T = TypeVar("T")

# Seconds. A bare wait for a lock cannot be interrupted on Windows, so every wait is
# made of slices.
SLICE = 0.1
# Seconds that cancelled tasks get to close their sockets when the kernel ends.
CLOSING_SECONDS = 1.0
# Seconds that a thread is kept for the next call.
IDLE_SECONDS = 0.3


class _DaemonExecutor(concurrent.futures.ThreadPoolExecutor):
    """Runs each call at once in a daemon thread, an idle one where there is one.

    A name look-up that hangs must neither keep the interpreter from exiting nor another
    call from running.
    """

    def __init__(self) -> None:
        super().__init__()
        self._idle_lock = threading.Lock()
        self._idle: list[queue.SimpleQueue[Callable[[], None]]] = []

    def submit(
        self, fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        call = functools.partial(fn, *args, **kwargs)
        with self._idle_lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = queue.SimpleQueue()
            threading.Thread(
                target=self._serve, args=[inbox], name="buddy-worker", daemon=True
            ).start()
        inbox.put(functools.partial(settle, future, call))
        return future

    def _serve(self, inbox: queue.SimpleQueue[Callable[[], None]]) -> None:
        """Do what comes, until the thread has been idle for a while."""
        work = inbox.get()
        while True:
            work()
            # What it holds must not live on while the thread is idle.
            del work
            with self._idle_lock:
                self._idle.append(inbox)
            try:
                work = inbox.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._idle_lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                # Work was given to it at the last moment.
                work = inbox.get()


class Loop:
    """A background event loop.

    It starts with the first task and ends with the kernel; a forked child gets a new
    one.
    """

    def __init__(self) -> None:
        self._stops = threading.local()
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_while_alive(self._reset))
        atexit.register(_while_alive(self.stop))

    def _reset(self) -> None:
        # A forked child has this object, but neither the thread nor the one that may
        # have held the lock.
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def submit(
        self,
        coroutine: Coroutine[Any, Any, T],
        future: concurrent.futures.Future[T] | None = None,
    ) -> concurrent.futures.Future[T]:
        """Run a coroutine on the background loop.

        Parameters
        ----------
        coroutine
            The coroutine; cancelling the future cancels it.
        future
            The future that gets its result; by default a new one. A caller that can be
            interrupted passes one, to have it no matter when the interrupt comes.

        Returns
        -------
        concurrent.futures.Future
            The future.
        """
        future = future or concurrent.futures.Future()
        _release_import_lock()
        quiet_threads()
        # With the lock, so that a later `stop` cancels the coroutine.
        with self._lock:
            loop = self._running()
            loop.call_soon_threadsafe(_begin, loop, coroutine, future)
        return future

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for its result; an interrupt cancels it.

        Raises
        ------
        concurrent.futures.CancelledError
            If it was cancelled otherwise, as by `stoppable`.
        RuntimeError
            If called on the background loop itself, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("Loop.run was called on the background loop itself")
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        # A bare lock, which only the loop releases: an interrupt can leave the future's
        # own lock taken for good.
        ended = threading.Lock()
        ended.acquire()
        future.add_done_callback(lambda _: ended.release())
        stop: concurrent.futures.Future[None] | None
        stop = getattr(self._stops, "of_this_thread", None)
        if stop is not None:
            stop.add_done_callback(lambda _: future.cancel())
        try:
            self.submit(coroutine, future)
            while not ended.acquire(timeout=SLICE):
                pass
        except BaseException:
            # An interrupt is one, too.
            future.cancel()
            raise
        return future.result()

    def stoppable(
        self, work: Callable[[], T], stop: concurrent.futures.Future[None]
    ) -> T:
        """Call a function in this thread that can be stopped from another.

        Parameters
        ----------
        work
            The function.
        stop
            Once it is done, the coroutines that the function awaits by `run` are
            cancelled.
        """
        self._stops.of_this_thread = stop
        try:
            return work()
        finally:
            del self._stops.of_this_thread

    def stop(self) -> None:
        """Cancel all coroutines, let them close their sockets, and end the thread.

        That takes two seconds at most. The loop may start again.
        """
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or loop.is_closed():
            return
        cancelled = asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
        cancelled.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
        if threading.current_thread() is not thread:
            thread.join(2 * CLOSING_SECONDS)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._loop.is_closed():
            with quietly():
                loop = asyncio.new_event_loop()
            loop.set_default_executor(_DaemonExecutor())
            thread = threading.Thread(
                target=_serve, args=[loop], name="buddy-loop", daemon=True
            )
            thread.start()
            # Assigned last, so that an interrupt before leaves no loop without a thread.
            self._loop, self._thread = loop, thread
        return self._loop


def _release_import_lock() -> None:
    """Release Python's lock of imports if an interrupt left it taken by this thread.

    ``importlib._bootstrap._get_module_lock`` takes it before its ``try``: an interrupt in
    between keeps all other threads from importing anything for good.
    """
    with suppress(RuntimeError):
        # An error says that this thread does not hold it.
        while True:
            _imp.release_lock()


def _begin(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, T],
    future: concurrent.futures.Future[T],
) -> None:
    """Start a task with whose result the future ends, and which is cancelled with it."""
    if future.cancelled():
        future.set_running_or_notify_cancel()
        coroutine.close()
        return
    task = loop.create_task(coroutine)

    def copy_result(task: asyncio.Task[T]) -> None:
        if task.cancelled():
            future.cancel()
        if not future.set_running_or_notify_cancel():
            return
        error = task.exception()
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(task.result())

    def copy_cancellation(future: concurrent.futures.Future[T]) -> None:
        if future.cancelled() and not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    task.add_done_callback(copy_result)
    future.add_done_callback(copy_cancellation)


def _while_alive(method: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls a method as long as its object is alive.

    It does not keep the object alive.
    """
    reference = weakref.WeakMethod(method)

    def call() -> None:
        alive = reference()
        if alive is not None:
            alive()

    return call


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CLOSING_SECONDS)
