"""The worker: a thread only while there is work, and jobs that are due later."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from codebuddy_jupyter.background.worker import Worker
from tests.support.fakes import FOREVER, eventually

NAME = "buddy-test"


def threads() -> list[threading.Thread]:
    """The worker's threads that are alive."""
    return [thread for thread in threading.enumerate() if thread.name == NAME]


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(NAME)
    yield worker
    worker.cancel()


def test_jobs_run_in_their_order_and_the_thread_ends(worker: Worker) -> None:
    ran: list[int] = []
    for number in range(100):
        worker.put(lambda number=number: ran.append(number))  # type: ignore[misc]
    assert eventually(lambda: len(ran) == 100)
    assert ran == list(range(100))
    assert eventually(lambda: not threads())


def test_a_job_that_is_due_later_lets_others_run_first(worker: Worker) -> None:
    ran: list[str] = []
    now = time.monotonic()
    worker.put(lambda: ran.append("last"), due=now + 0.2)
    worker.put(lambda: ran.append("second"), due=now + 0.1)
    worker.put(lambda: ran.append("first"))
    assert eventually(lambda: len(ran) == 3)
    assert ran == ["first", "second", "last"]
    assert time.monotonic() >= now + 0.2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_job_that_raises_does_not_keep_the_next_from_running(worker: Worker) -> None:
    ran = threading.Event()
    put = threading.Event()

    def fail() -> None:
        put.wait(5)
        raise ZeroDivisionError

    worker.put(fail)
    worker.put(ran.set)
    put.set()
    assert ran.wait(5)
    assert eventually(lambda: not threads())


def test_cancel_drops_what_is_left_and_what_comes_later(worker: Worker) -> None:
    ran: list[str] = []
    worker.put(lambda: ran.append("due later"), due=time.monotonic() + FOREVER)
    worker.cancel()
    worker.put(lambda: ran.append("put later"))
    assert eventually(lambda: not threads())
    assert ran == []


def test_close_finishes_what_is_left() -> None:
    ran: list[int] = []
    worker = Worker(NAME, timeout=20)
    for number in range(10):
        worker.put(lambda number=number: ran.append(number))  # type: ignore[misc]
    worker.close()
    assert ran == list(range(10))
    worker.put(lambda: ran.append(10))
    assert ran[-1] == 10


def test_jobs_run_in_their_order_and_leave_no_thread() -> None:
    worker, ran = Worker("test", 20), list[int]()
    for number in range(200):
        worker.put(lambda number=number: ran.append(number))  # type: ignore[misc]
    worker.wait()
    assert ran == list(range(200))
    assert eventually(
        lambda: "buddy-history" not in [thread.name for thread in threading.enumerate()]
    )
    worker.close()
    worker.put(lambda: ran.append(-1))
    assert ran[-1] == -1


def test_what_is_left_is_done_before_python_ends() -> None:
    code = (
        "import time\n"
        "from codebuddy_jupyter.background.worker import Worker\n"
        "worker = Worker('test', 20)\n"
        "worker.put(lambda: time.sleep(0.3))\n"
        "worker.put(lambda: print('done', flush=True))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_runs_its_own_jobs() -> None:
    code = (
        "import os, time\n"
        "from codebuddy_jupyter.background.worker import Worker\n"
        "worker = Worker('test', 20)\n"
        "worker.put(lambda: time.sleep(0.5))\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    worker.put(lambda: print('child', flush=True))\n"
        "    worker.wait()\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "child\n"


def test_wait_and_close_do_not_wait_for_what_is_due_later() -> None:
    worker, ran = Worker(NAME, timeout=60), list[str]()
    worker.put(lambda: ran.append("due later"), due=time.monotonic() + FOREVER)
    worker.put(lambda: ran.append("now"))
    assert worker.wait()
    assert ran == ["now"]
    worker.close()
    assert eventually(lambda: not threads())
    worker.put(lambda: ran.append("later still"), due=time.monotonic() + FOREVER)
    assert ran == ["now"]


def test_wait_tells_whether_the_jobs_were_done_in_time(worker: Worker) -> None:
    free = threading.Event()
    worker.put(lambda: print(free.wait(60)))
    assert not worker.wait(0.05)
    free.set()
    assert worker.wait(60)
