"""Run the user's own describers: apart from the notebook, and with a time limit.

A plain function runs on a thread of its own, which is the only way to abandon it. A
coroutine is awaited on the kernel's own loop, to which the connection pools and locks
that it uses may be bound.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

# Seconds for one description.
TIMEOUT = 0.25
# Seconds for all descriptions of a snapshot together.
TOTAL_TIMEOUT = 1.0
# Seconds for one on another loop, which also has to be scheduled there.
_OTHER_LOOP_TIMEOUT = TIMEOUT * 1.2

DescribeFunction = Callable[[Any], str | Awaitable[str]]
# A result and None, or None and the exception that was raised instead.
_Outcome = tuple[Any, BaseException | None]


class DescriptionTimeout(Exception):
    """The description took longer than `TIMEOUT`."""


class DescriptionAborted(Exception):
    """The description raised an exception that would have ended the cell."""


class NoTimeLeft(Exception):
    """Earlier descriptions of this snapshot have used up `TOTAL_TIMEOUT`."""


class LoopBusy(Exception):
    """The kernel's loop is busy with a cell, so the coroutine cannot run now."""


class UserCode:
    """Runs describers of the user's within the time limits.

    Call `begin` before each snapshot.
    """

    def __init__(self) -> None:
        self._seconds_left = TOTAL_TIMEOUT
        self._loop = _running_loop()

    def begin(self) -> None:
        """Start a snapshot, whose descriptions get `TOTAL_TIMEOUT` seconds together."""
        self._seconds_left = TOTAL_TIMEOUT
        if threading.current_thread() is threading.main_thread():
            self._loop = _running_loop() or self._loop

    def run(self, describe: DescribeFunction, value: Any) -> Any:
        """Return the result of ``describe(value)``, awaited if it is a coroutine.

        Raises
        ------
        DescriptionTimeout
            When it takes longer than `TIMEOUT` seconds.
        NoTimeLeft
            When no time is left for this snapshot.
        LoopBusy
            When it is a coroutine and the kernel's loop cannot run it now.
        DescriptionAborted
            When it raises ``SystemExit`` or ``CancelledError``.
        Exception
            Anything else that it raises.
        """
        if self._seconds_left <= 0:
            raise NoTimeLeft
        start = time.monotonic()
        try:
            result, is_awaitable = _run_on_thread(lambda: _call(describe, value))
            if is_awaitable:
                return self._await(result)
            return result
        except (SystemExit, asyncio.CancelledError) as error:
            raise DescriptionAborted from error
        finally:
            self._seconds_left -= time.monotonic() - start

    def _await(self, result: Awaitable[Any]) -> Any:
        """Await a result on the kernel's loop, or on a new one where none is running."""
        here = _running_loop()
        if here and threading.current_thread() is threading.main_thread():
            # Inside a running cell. This changes asyncio for the whole process, so it
            # is only done when a coroutine needs it.
            import nest_asyncio2

            nest_asyncio2.apply(here)
            limited = _with_timeout(result, threading.Event())
            return _unwrap(here.run_until_complete(limited))
        if self._loop and self._loop.is_running():
            return _await_on(self._loop, result)
        limited = _with_timeout(result, threading.Event())
        return _unwrap(_run_on_thread(lambda: asyncio.run(limited)))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _call(describe: DescribeFunction, value: Any) -> tuple[Any, bool]:
    result = describe(value)
    return result, inspect.isawaitable(result)


def _run_on_thread(work: Callable[[], Any]) -> Any:
    """Run ``work`` on a thread, which is abandoned when it takes too long."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - a future carries what its call raised
            future.set_exception(error)

    threading.Thread(target=run, name="buddy-describer", daemon=True).start()
    # Not `future.result(TIMEOUT)`: the describer may raise a TimeoutError of its own.
    if not concurrent.futures.wait([future], TIMEOUT).done:
        raise DescriptionTimeout
    return future.result()


def _await_on(loop: asyncio.AbstractEventLoop, result: Awaitable[Any]) -> Any:
    """Await a result on the loop of another thread."""
    started = threading.Event()
    future = asyncio.run_coroutine_threadsafe(_with_timeout(result, started), loop)
    if not concurrent.futures.wait([future], _OTHER_LOOP_TIMEOUT).done:
        future.cancel()
        if started.is_set():
            raise DescriptionTimeout
        raise LoopBusy
    return _unwrap(future.result())


async def _with_timeout(result: Awaitable[Any], started: threading.Event) -> _Outcome:
    started.set()
    task = asyncio.ensure_future(_outcome_of(result))
    # Not `wait_for`, which keeps waiting for a task that refuses to be cancelled.
    done, _ = await asyncio.wait({task}, timeout=TIMEOUT)
    if not done:
        task.cancel()
        return None, DescriptionTimeout()
    return task.result()


async def _outcome_of(result: Awaitable[Any]) -> _Outcome:
    try:
        return await result, None
    except BaseException as error:  # noqa: BLE001 - an interrupt in a task would end the loop
        return None, error


def _unwrap(outcome: _Outcome) -> Any:
    result, error = outcome
    if error is not None:
        raise error
    return result
