"""Waiting for changes: an interrupt at any moment leaves no lock taken."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from codebuddy_jupyter.background.changes import Changes
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.background.worker import Worker
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.messages import Chunk
from tests.support.fakes import eventually

# Seconds that a wait takes in vain.
MOMENT = 0.002
# More moments than any of these calls has.
MOST = 1000


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.stop()


def is_interrupted(call: Callable[[], object], moment: int) -> bool:
    """Make a call that is interrupted at a moment: where a function begins or one of C
    has ended, which is where Python looks for signals. Return whether it came to that.
    """
    left = moment

    def look(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal left
        if event in ("call", "c_return"):
            left -= 1
            if left < 0:
                raise KeyboardInterrupt

    sys.setprofile(look)
    try:
        call()
    except (KeyboardInterrupt, RuntimeError):
        # The second: `threading.Event.wait` of Python itself releases its lock twice.
        return True
    finally:
        sys.setprofile(None)
    return False


def each_moment(begin: Callable[[], Callable[[], object]]) -> Iterator[int]:
    """Interrupt a call at each of its moments in turn; ``begin`` gives a new one."""
    for moment in range(MOST):
        call = begin()
        if not is_interrupted(call, moment):
            return
        yield moment
    raise AssertionError("the call does not end")


def test_it_waits_for_what_becomes_true() -> None:
    changes = Changes()
    values: list[int] = []

    def add() -> None:
        for value in range(3):
            time.sleep(MOMENT)
            with changes.lock:
                values.append(value)
                changes.notify()

    thread = threading.Thread(target=add)
    thread.start()
    assert changes.wait_for(lambda: len(values) == 3, 30)
    thread.join()
    assert not changes.wait_for(lambda: len(values) == 4, MOMENT)


def test_what_waited_in_vain_leaves_nothing() -> None:
    changes = Changes()
    for _ in range(10):
        changes.wait_for(lambda: False, MOMENT)
    assert not changes._waiting


def test_an_interrupt_at_any_moment_of_a_wait_leaves_the_lock_free() -> None:
    changes = Changes()

    def wait() -> Callable[[], object]:
        return lambda: changes.wait_for(lambda: False, MOMENT)

    moments = 0
    for _ in each_moment(wait):
        moments += 1
        assert not changes.lock.locked()
        with changes.lock:
            changes.notify()
    assert moments > 5


@pytest.mark.filterwarnings("ignore:coroutine 'Reply._receive' was never awaited")
def test_an_interrupt_at_any_moment_leaves_a_reply_that_ends(loop: Loop) -> None:
    begun = threading.Event()
    replies: list[Reply] = []

    async def chunks(reply: Reply) -> AsyncIterator[Chunk]:
        begun.set()
        yield Chunk("one")
        while not reply.prompt:
            await asyncio.sleep(MOMENT)
        yield Chunk("the last")

    def reply() -> Callable[[], object]:
        begun.clear()
        replies.append(Reply("", chunks, loop))

        def read() -> None:
            replies[-1].start()
            replies[-1].wait(MOMENT, beyond=10**9)
            replies[-1].wait(MOMENT)

        return read

    for moment in each_moment(reply):
        asked = replies[-1]
        asked.prompt = "now end"
        # Also when it was interrupted before it was sent.
        asked.start()
        if not begun.is_set() and asked._future is not None and not asked.done:
            begun.wait(1)
        if not begun.is_set():
            asked.close()
        assert eventually(lambda: replies[-1].done), moment


def test_an_interrupt_at_any_moment_leaves_a_worker_that_works() -> None:
    ran: list[int] = []
    workers: list[Worker] = []

    def put() -> Callable[[], object]:
        workers.append(Worker("buddy-interrupted"))

        def work() -> None:
            workers[-1].put(lambda: ran.append(1))
            workers[-1].wait(MOMENT)

        return work

    for moment in each_moment(put):
        before = len(ran)
        workers[-1].put(lambda: ran.append(2))
        assert eventually(lambda before=before: 2 in ran[before:]), moment  # type: ignore[misc]
        workers[-1].cancel()
