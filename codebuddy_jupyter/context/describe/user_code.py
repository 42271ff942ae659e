"""Descriptions by code of the user's own: run apart from the notebook, cut off when
slow, never trusted to end well.

A plain function runs on a thread of its own, as that is the only way to leave it
behind. A coroutine is awaited on the kernel's own loop, where the connection pools and
locks live that it may need.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

# seconds that one description may take
EACH = 0.25
# seconds that all descriptions of a snapshot may take
ALL = 1.0

Describe = Callable[[Any], str | Awaitable[str]]
Outcome = tuple[Any, BaseException | None]


class TooSlow(Exception):
    """The description did not come in time."""


class Failed(Exception):
    """The description tried to end more than itself."""


class Busy(Exception):
    """The kernel's loop, on which the description must run, is busy with a cell; later
    it may come.
    """


class Foreign:
    """Runs descriptions of others, within bounds.

    ``begin`` gives a new allowance of time.
    """

    def __init__(self) -> None:
        self._left = ALL
        self._loop = _running_loop()

    def begin(self) -> None:
        """Begin a snapshot: all its descriptions together get ``ALL`` seconds."""
        self._left = ALL
        if threading.current_thread() is threading.main_thread():
            self._loop = _running_loop() or self._loop

    def run(self, describe: Describe, thing: Any) -> Any:
        """What ``describe`` gives for ``thing``, once it is awaited.

        Raises
        ------
        TooSlow
            When it took longer than ``EACH`` seconds.
        Busy
            When the time for all is used up, or a coroutine cannot run now.
        Exception
            Whatever the description raises.
        """
        if self._left <= 0:
            raise Busy
        begun = time.monotonic()
        try:
            result, is_awaitable = _on_a_thread(lambda: _called(describe, thing))
            return self._awaited(result) if is_awaitable else result
        except (SystemExit, asyncio.CancelledError) as error:
            # these would end the cell
            raise Failed from error
        finally:
            self._left -= time.monotonic() - begun

    def _awaited(self, result: Awaitable[Any]) -> Any:
        """Await on the kernel's loop: from within a running cell, from another thread,
        or, where none runs, apart.
        """
        here = _running_loop()
        if here and threading.current_thread() is threading.main_thread():
            # It changes asyncio for the whole process, so only where a coroutine needs
            # it. It has no annotations.
            import nest_asyncio2

            nest_asyncio2.apply(here)
            return _given(
                here.run_until_complete(_within_time(result, threading.Event()))
            )
        if self._loop and self._loop.is_running():
            return _on_another_loop(self._loop, result)
        return _given(
            _on_a_thread(lambda: asyncio.run(_within_time(result, threading.Event())))
        )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _called(describe: Describe, thing: Any) -> tuple[Any, bool]:
    result = describe(thing)
    return result, inspect.isawaitable(result)


def _on_a_thread(work: Callable[[], Any]) -> Any:
    """Do it on a thread that is left behind when it takes too long."""
    done: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - a future carries whatever its call raised
            done.set_exception(error)

    threading.Thread(target=run, name="buddy-describer", daemon=True).start()
    # A description may raise a TimeoutError of its own, so what tells is whether it has
    # ended.
    if not concurrent.futures.wait([done], EACH).done:
        raise TooSlow
    return done.result()


def _on_another_loop(loop: asyncio.AbstractEventLoop, result: Awaitable[Any]) -> Any:
    started = threading.Event()
    future = asyncio.run_coroutine_threadsafe(_within_time(result, started), loop)
    if not concurrent.futures.wait([future], EACH * 1.2).done:
        future.cancel()
        raise TooSlow if started.is_set() else Busy
    return _given(future.result())


async def _within_time(result: Awaitable[Any], started: threading.Event) -> Outcome:
    started.set()
    task = asyncio.ensure_future(_outcome(result))
    # Not `wait_for`, which waits on when the task will not be cancelled.
    done, _ = await asyncio.wait({task}, timeout=EACH)
    if not done:
        task.cancel()
        return None, TooSlow()
    return task.result()


async def _outcome(result: Awaitable[Any]) -> Outcome:
    try:
        return await result, None
    except BaseException as error:  # noqa: BLE001 - an interrupt that leaves a task ends the kernel's loop
        return None, error


def _given(outcome: Outcome) -> Any:
    result, error = outcome
    if error is not None:
        raise error
    return result
