"""One background thread with one event loop, and the sync face of async things.

It knows nothing of what runs on it.

A kernel's main thread runs the user's cells, so requests live on a loop of their own:
an interrupt can cancel them at once, and an answer goes on while the main thread is
busy.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# seconds; a bare wait on a lock cannot be interrupted on Windows, so every wait is made
# of slices
SLICE = 0.1
# seconds that cancelled tasks get to close their sockets when the kernel ends
FAREWELL = 1.0


class _DaemonExecutor(concurrent.futures.ThreadPoolExecutor):
    """Runs each call in a daemon thread: a name look-up that hangs must not keep the
    interpreter from exiting.
    """

    def submit(
        self, fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - a future carries whatever its call raised
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, name="buddy-worker", daemon=True).start()
        return future


class Loop:
    """A background event loop: starts with the first task, ends with the kernel, begins
    anew in a forked child.
    """

    def __init__(self) -> None:
        self._stops = threading.local()
        self._begin_anew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_while_alive(self._begin_anew))
        atexit.register(_while_alive(self.stop))

    def _begin_anew(self) -> None:
        # A forked child has this object, but neither the thread nor whoever may have
        # held the lock.
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def submit(
        self,
        coroutine: Coroutine[Any, Any, T],
        future: concurrent.futures.Future[T] | None = None,
    ) -> concurrent.futures.Future[T]:
        """Run a coroutine on the background loop; cancelling the future cancels the
        coroutine.

        Who can be interrupted hands in the future, so as to have it whenever the
        interrupt comes.
        """
        future = future or concurrent.futures.Future()
        # so that what was submitted before a stop is cancelled by it
        with self._lock:
            loop = self._running()
            loop.call_soon_threadsafe(_begin, loop, coroutine, future)
        return future

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for its result; an interrupt cancels it.

        Raises
        ------
        concurrent.futures.CancelledError
            When it was cancelled otherwise, as by `stoppable`.
        RuntimeError
            When called on the background loop itself, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("Loop.run was called on the background loop itself")
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        # A bare lock, which the loop only ever releases: an interrupt can leave the
        # future's own lock taken for good.
        ended = threading.Lock()
        ended.acquire()
        future.add_done_callback(lambda _: ended.release())
        stop: concurrent.futures.Future[None] | None = getattr(
            self._stops, "mine", None
        )
        if stop is not None:
            stop.add_done_callback(lambda _: future.cancel())
        try:
            self.submit(coroutine, future)
            while not ended.acquire(timeout=SLICE):
                pass
        except BaseException:
            # an interrupt, too
            future.cancel()
            raise
        return future.result()

    def stoppable(
        self, work: Callable[[], T], stop: concurrent.futures.Future[None]
    ) -> T:
        """Call something in this thread; once ``stop`` is done, all that it awaits by
        `run` is cancelled.
        """
        self._stops.mine = stop
        try:
            return work()
        finally:
            del self._stops.mine

    def stop(self) -> None:
        """Cancel what runs, let it close its sockets, and end the thread; at most two
        seconds. It may start again.
        """
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).add_done_callback(
            lambda _: loop.call_soon_threadsafe(loop.stop)
        )
        if threading.current_thread() is not thread:
            thread.join(2 * FAREWELL)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._loop.is_closed():
            loop = asyncio.new_event_loop()
            loop.set_default_executor(_DaemonExecutor())
            thread = threading.Thread(
                target=_serve, args=[loop], name="buddy-loop", daemon=True
            )
            thread.start()
            # Last, so that an interrupt on the way leaves no loop behind that nobody
            # serves.
            self._loop, self._thread = loop, thread
        return self._loop


def _begin(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, T],
    future: concurrent.futures.Future[T],
) -> None:
    """Start a task whose outcome the future gets, and which is cancelled with it; none,
    if it is so already.
    """
    if future.cancelled():
        future.set_running_or_notify_cancel()
        coroutine.close()
        return
    task = loop.create_task(coroutine)

    def give(done: asyncio.Task[T]) -> None:
        if done.cancelled():
            future.cancel()
        if not future.set_running_or_notify_cancel():
            return
        if (error := done.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(done.result())

    def stop(done: concurrent.futures.Future[T]) -> None:
        if done.cancelled() and not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    task.add_done_callback(give)
    future.add_done_callback(stop)


def _while_alive(method: Callable[[], None]) -> Callable[[], None]:
    """Calls the method of an object that may be gone by then, and does not keep it
    alive.
    """
    reference = weakref.WeakMethod(method)

    def call() -> None:
        if (found := reference()) is not None:
            found()

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
        await asyncio.wait(tasks, timeout=FAREWELL)
