"""The background loop: when it starts and ends, and that nothing on it holds up
anybody.
"""

from __future__ import annotations

import _imp
import _thread
import asyncio
import concurrent.futures
import importlib
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from codebuddy_jupyter.background.loop import Loop
from tests.support.fakes import FOREVER, eventually

# seconds that a subprocess gets
ENOUGH = 30.0


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.stop()


def loop_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "buddy-loop"]


async def answer() -> int:
    return 42


async def thread_name() -> str:
    return threading.current_thread().name


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code with a Loop called ``loop`` at hand, in a process of its own; it fails
    when the process does not end.
    """
    code = (
        "import asyncio, os, socket, sys, threading, time\n"
        "from codebuddy_jupyter.background.loop import Loop\nloop = Loop()\n"
    ) + code
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
    )


def test_it_starts_with_the_first_task_and_not_before(loop: Loop) -> None:
    before = len(loop_threads())
    Loop()
    assert len(loop_threads()) == before
    assert loop.run(thread_name()) == "buddy-loop"
    assert loop.run(thread_name()) == "buddy-loop"
    assert len(loop_threads()) == before + 1


def test_an_error_of_the_task_comes_back(loop: Loop) -> None:
    async def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        loop.run(fail())


def test_cancelling_the_future_cancels_the_task(loop: Loop) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.sleep(FOREVER)
        finally:
            cancelled.set()

    future = loop.submit(wait())
    assert started.wait(ENOUGH)
    future.cancel()
    assert cancelled.wait(ENOUGH)


def test_waiting_on_the_loop_itself_is_refused(loop: Loop) -> None:
    async def wait_for_itself() -> int:
        return loop.run(answer())

    with pytest.raises(RuntimeError, match="on the background loop itself"):
        loop.run(wait_for_itself())


def test_it_stops_what_runs_and_starts_again(loop: Loop) -> None:
    closed = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.sleep(FOREVER)
        finally:
            # as one that closes its connection
            await asyncio.sleep(0.01)
            closed.set()

    future = loop.submit(wait())
    loop.run(answer())
    loop.stop()
    assert closed.is_set()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(ENOUGH)
    assert loop.run(answer()) == 42


def test_stopping_is_no_matter_of_what_has_started(loop: Loop) -> None:
    loop.stop()
    assert loop.run(answer()) == 42
    loop.stop()
    loop.stop()


def test_what_is_submitted_while_it_stops_is_run_or_cancelled(loop: Loop) -> None:
    futures: list[concurrent.futures.Future[int]] = []

    def submit() -> None:
        for _ in range(200):
            futures.append(loop.submit(answer()))

    threads = [threading.Thread(target=submit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        loop.stop()
    for thread in threads:
        thread.join()
    assert len(futures) == 600
    assert not concurrent.futures.wait(futures, timeout=ENOUGH).not_done


def test_a_task_that_takes_the_loop_down_does_not_take_the_next_with_it(
    loop: Loop,
) -> None:
    async def leave() -> None:
        raise SystemExit

    def quiet(_: object) -> None:
        pass

    threading.excepthook, before = quiet, threading.excepthook
    try:
        loop.submit(leave())
        assert eventually(lambda: loop._loop is not None and loop._loop.is_closed())
    finally:
        threading.excepthook = before
    assert loop.run(answer()) == 42


def test_an_interrupt_ends_the_waiting_at_once_and_cancels_the_task(loop: Loop) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.sleep(FOREVER)
        finally:
            cancelled.set()

    def interrupt() -> None:
        started.wait(ENOUGH)
        _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        loop.run(wait())
    assert cancelled.wait(ENOUGH)


def test_it_ends_with_the_interpreter_and_lets_tasks_close_what_they_hold() -> None:
    done = run_python("""
async def wait():
    started.set()
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.01)
        os.write(1, b"closed")
started = threading.Event()
loop.submit(wait())
started.wait()
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed", "")


@pytest.mark.parametrize(
    "task",
    [
        pytest.param("await asyncio.sleep(3600)", id="a pending request"),
        pytest.param(
            "await asyncio.to_thread(time.sleep, 3600)", id="a name look-up that hangs"
        ),
        pytest.param(
            "while True:\n        try:\n            await asyncio.sleep(3600)\n"
            "        except asyncio.CancelledError:\n            pass",
            id="a task that will not be cancelled",
        ),
        pytest.param("time.sleep(3600)", id="a task that blocks the loop"),
    ],
)
def test_nothing_keeps_the_interpreter_from_exiting(task: str) -> None:
    done = run_python(f"""
async def wait():
    started.set()
    {task}
started = threading.Event()
loop.submit(wait())
started.wait()
time.sleep(0.1)
""")
    assert done.returncode == 0


def test_it_works_after_a_stop_at_the_end_of_the_interpreter_too() -> None:
    done = run_python("""
async def answer():
    return 42
loop.run(answer())
loop.stop()
print(loop.run(answer()))
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_a_forked_child_has_a_loop_of_its_own() -> None:
    done = run_python("""
async def where():
    return os.getpid()
assert loop.run(where()) == os.getpid()
with loop._lock:  # as another thread may hold it in the moment of the fork
    child = os.fork() if hasattr(os, "fork") else 0
print(loop.run(where()) == os.getpid(), flush=True)
if child:
    _, status = os.waitpid(child, 0)
    sys.exit(status)
""")
    assert (done.returncode, done.stdout) == (
        0,
        "True\n" * (2 if hasattr(os, "fork") else 1),
    )


def test_many_tasks_at_once_each_get_their_own_answer(loop: Loop) -> None:
    async def double(n: int) -> int:
        await asyncio.sleep(0.001)
        return 2 * n

    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        assert list(threads.map(lambda n: loop.run(double(n)), range(100))) == [
            2 * n for n in range(100)
        ]


def test_calls_in_threads_give_results_and_errors(loop: Loop) -> None:
    async def in_threads() -> tuple[int, str]:
        size = await asyncio.to_thread(len, "four")
        try:
            await asyncio.to_thread(int, "four")
        except ValueError as error:
            return size, type(error).__name__
        return size, ""

    assert loop.run(in_threads()) == (4, "ValueError")


def test_a_call_that_hangs_does_not_hold_up_another(loop: Loop) -> None:
    gate = threading.Event()

    async def past_the_hanging_ones() -> tuple[int, bool]:
        hanging = [
            asyncio.ensure_future(asyncio.to_thread(gate.wait, ENOUGH))
            for _ in range(40)
        ]
        await asyncio.sleep(0)
        size = await asyncio.to_thread(len, "four")
        gate.set()
        return size, all(await asyncio.gather(*hanging))

    assert loop.run(past_the_hanging_ones()) == (4, True)


def test_what_a_thread_awaits_can_be_stopped_from_another_and_what_it_would_await_next(
    loop: Loop,
) -> None:
    stop: concurrent.futures.Future[None] = concurrent.futures.Future()
    cancelled, began = threading.Event(), []

    async def wait() -> None:
        threading.Thread(target=stop.cancel).start()
        try:
            await asyncio.sleep(FOREVER)
        finally:
            cancelled.set()

    async def begin() -> None:
        began.append("the next")

    def work() -> None:
        for task in (wait, begin):
            with pytest.raises(concurrent.futures.CancelledError):
                loop.run(task())

    loop.stoppable(work, stop)
    assert cancelled.wait(ENOUGH)
    assert loop.run(answer()) == 42
    assert began == []


def worker_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "buddy-worker"]


def test_calls_one_after_the_other_need_few_threads_and_these_end(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codebuddy_jupyter.background.loop.IDLE_SECONDS", 0.2)

    async def call() -> set[int]:
        return {await asyncio.to_thread(threading.get_ident) for _ in range(100)}

    assert len(loop.run(call())) < 50
    assert eventually(lambda: not worker_threads())
    assert loop.run(asyncio.to_thread(len, "four")) == 4


def test_an_idle_thread_holds_nothing_of_its_last_call(loop: Loop) -> None:
    class Large:
        pass

    large = Large()
    gone = weakref.ref(large)
    loop.run(asyncio.to_thread(id, large))
    del large
    assert eventually(lambda: gone() is None)
    assert worker_threads()


async def imported(name: str) -> str:
    return importlib.import_module(name).__name__


def test_an_import_lock_that_an_interrupt_left_taken_holds_up_nothing(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "never_imported_before.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    # twice, as two interrupts leave it
    _imp.acquire_lock()
    _imp.acquire_lock()
    future = loop.submit(imported("never_imported_before"))
    assert future.result(ENOUGH) == "never_imported_before"
    assert not _imp.lock_held()
