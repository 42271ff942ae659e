"""A map that is killed or interrupted, at any moment, loses nothing that came."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import Stopped
from codebuddy_jupyter.values.batch.mapping import Map, MapOptions, default_path
from tests.support.fakes import FakeProvider, eventually
from tests.support.map_server import MapServer

SLOTS = 4
ROWS = 200
# What a kernel runs: it is killed in the middle of it.
PROGRAM = """
import sys
import codebuddy_jupyter as buddy

rows = [f"row{number}" for number in range(int(sys.argv[1]))]
values = buddy.map(rows, "Repeat {item}", model="m", progress=False)
assert values == [row.upper() for row in rows], values
"""


def last_word(prompt: str) -> str:
    return prompt.split()[-1].upper()


def integrity() -> str:
    with closing(sqlite3.connect(default_path())) as connection:
        (found,) = connection.execute("PRAGMA integrity_check").fetchone()
    return str(found)


def started(server: MapServer) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(ROWS)],
        env={**os.environ, "CODEBUDDY_BASE_URL": server.url},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_after_kill_9_only_what_was_in_flight_is_asked_again() -> None:
    with MapServer(slots=SLOTS, seconds=0.005) as server:
        server.say = last_word
        killed = started(server)
        try:
            assert eventually(lambda: len(server.questions) >= ROWS // 2)
        finally:
            killed.kill()
            killed.communicate(timeout=60)
        assert integrity() == "ok"
        assert len(server.questions) < ROWS
        again = started(server)
        _, errors = again.communicate(timeout=120)
        assert again.returncode == 0, errors
        counts = Counter(server.questions)
        assert len(counts) == ROWS
        assert sum(counts.values()) - ROWS <= SLOTS


class Interrupts:
    """Interrupts this thread at some moment of a block."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._may_interrupt = threading.Event()
        self._thread = threading.Thread(target=self._interrupt, daemon=True)

    def __enter__(self) -> None:
        self._may_interrupt.set()
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._may_interrupt.clear()

    def _interrupt(self) -> None:
        time.sleep(self._seconds)
        main = threading.main_thread().ident
        if self._may_interrupt.is_set() and main is not None:
            signal.pthread_kill(main, signal.SIGINT)


# Python drops an interrupt that comes in the callback of a weak reference.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="POSIX signals")
def test_interrupts_at_random_moments_leave_a_sound_file(
    buddy: Buddy, fake: FakeProvider
) -> None:
    moments = random.Random(7)
    fake.answer = lambda request: [0.001, last_word(request.messages[-1].text)]
    rows = [f"row{number}" for number in range(3_000)]
    expected = [row.upper() for row in rows]
    stopped = 0
    for _ in range(50):
        options = MapOptions(progress=False)
        made = Map(buddy, rows, "Repeat {item}", options)
        try:
            with Interrupts(moments.uniform(0.0, 0.1)):
                values = made.gather()
        except Stopped as error:
            stopped += 1
            values = error.result
        except KeyboardInterrupt:
            # It came after the last row.
            continue
        for value, right in zip(values, expected, strict=True):
            assert value in (None, right)
    assert stopped > 5
    assert integrity() == "ok"
    final = Map(buddy, rows, "Repeat {item}", MapOptions(progress=False)).gather()
    assert final == expected
    # No row is asked about twice beyond those that an interrupt stopped.
    assert len(fake.requests) <= len(rows) + stopped * 32


@pytest.mark.parametrize("moment", range(8))
def test_an_interrupt_that_leaves_a_lock_taken_leaves_the_loop_free(
    buddy: Buddy, fake: FakeProvider, moment: int
) -> None:
    fake.answer = lambda request: [0.01, last_word(request.messages[-1].text)]
    entered = threading.Condition.__enter__.__code__
    left = moment

    def look(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal left
        if event == "c_return" and frame.f_code is entered:
            left -= 1
            if left < 0:
                raise KeyboardInterrupt

    asked = Map(buddy, ["one", "two"], "Repeat {item}", MapOptions(progress=False))
    sys.setprofile(look)
    try:
        with suppress(Stopped, KeyboardInterrupt):
            asked.gather()
    finally:
        sys.setprofile(None)
    assert buddy.loop.submit(asyncio.sleep(0, "free")).result(20) == "free"


def test_rows_are_read_in_the_thread_that_asks(
    buddy: Buddy, fake: FakeProvider
) -> None:
    threads: set[int] = set()

    def rows() -> Iterator[str]:
        for number in range(20):
            threads.add(threading.get_ident())
            yield f"row{number}"

    Map(buddy, rows(), "Repeat {item}", MapOptions(progress=False)).gather()
    assert threads == {threading.get_ident()}


def test_an_answer_comes_before_the_next_row_is_there(
    buddy: Buddy, fake: FakeProvider
) -> None:
    came: list[Any] = []

    def rows() -> Iterator[str]:
        for number in range(3):
            # The answer to the row before is there, or comes without another row.
            yield f"row{number}"
            time.sleep(0.06)

    made = Map(buddy, rows(), "Repeat {item}", MapOptions(progress=False))
    for key, _ in made.stream():
        came.append(key)
    assert sorted(came) == [0, 1, 2]


def test_rows_with_one_beginning_follow_each_other(
    buddy: Buddy, fake: FakeProvider
) -> None:
    rows = [{"document": "ABC"[n % 3] * 500, "question": str(n)} for n in range(30)]
    made = Map(buddy, rows, "{document}\n{question}", MapOptions(progress=False))
    made.gather()
    documents = [request.messages[-1].text[0] for request in fake.requests]
    changes = sum(one != other for one, other in itertools.pairwise(documents))
    assert changes <= 4


def test_the_file_of_answers_is_beside_the_conversations(
    buddy: Buddy, fake: FakeProvider, file: Path
) -> None:
    Map(buddy, ["a"], "Repeat {item}", MapOptions(progress=False)).gather()
    assert default_path().parent == file.parent
