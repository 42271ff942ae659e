"""Work while nobody waits, stopped when somebody does."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.question.quiet import WhileQuiet
from tests.support.fakes import FOREVER, eventually


class Work:
    """Counts its runs; a run lasts until it is stopped or let go."""

    def __init__(self) -> None:
        self.began = 0
        self.stopped = 0
        self.open = threading.Event()
        self.open.set()

    async def run(self) -> None:
        self.began += 1
        try:
            while not self.open.is_set():
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            # As closing a connection takes some turns of the loop.
            await asyncio.sleep(0.02)
            self.stopped += 1
            raise

    def last(self) -> None:
        self.open.clear()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def quiet(loop: Loop, work: Work) -> Iterator[WhileQuiet]:
    quiet = WhileQuiet(loop, work.run, seconds=0.01)
    yield quiet
    quiet.close()


def settled(loop: Loop) -> None:
    """Wait for longer than the work would take to begin."""
    loop.run(asyncio.sleep(0.1))


def test_nothing_is_done_before_it_begins(
    loop: Loop, quiet: WhileQuiet, work: Work
) -> None:
    quiet.note_cell_start()
    quiet.note_cell_end()
    quiet.note_change()
    settled(loop)
    assert work.began == 0


def test_it_is_done_once_after_each_change(
    loop: Loop, quiet: WhileQuiet, work: Work
) -> None:
    quiet.begin()
    assert eventually(lambda: work.began == 1)
    quiet.begin()
    settled(loop)
    assert work.began == 1
    quiet.note_change()
    assert eventually(lambda: work.began == 2)


def test_several_changes_in_a_row_are_one(
    loop: Loop, quiet: WhileQuiet, work: Work
) -> None:
    quiet.seconds = 0.05
    quiet.begin()
    for _ in range(20):
        quiet.note_change()
    settled(loop)
    assert eventually(lambda: work.began == 1)
    settled(loop)
    assert work.began == 1


def test_a_cell_stops_it_and_its_end_begins_it_anew(
    loop: Loop, quiet: WhileQuiet, work: Work
) -> None:
    work.last()
    quiet.begin()
    assert eventually(lambda: work.began == 1)
    quiet.note_cell_start()
    assert eventually(lambda: work.stopped == 1)
    quiet.note_change()
    settled(loop)
    assert work.began == 1
    quiet.note_cell_end()
    assert eventually(lambda: work.began == 2)


def test_a_question_stops_it_and_waits_for_its_end(
    loop: Loop, quiet: WhileQuiet, work: Work
) -> None:
    stopped: list[int] = []

    async def ask() -> None:
        with quiet.asking():
            await quiet.stopped()
            stopped.append(work.stopped)
            await asyncio.sleep(0.1)
            stopped.append(work.began)

    work.last()
    quiet.begin()
    assert eventually(lambda: work.began == 1)
    loop.run(ask())
    assert stopped == [1, 1]
    assert eventually(lambda: work.began == 2)


def test_it_waits_for_the_last_of_several_questions(
    loop: Loop, quiet: WhileQuiet, work: Work
) -> None:
    async def ask(seconds: float) -> int:
        with quiet.asking():
            await asyncio.sleep(seconds)
            return work.began

    async def ask_both() -> list[int]:
        return list(await asyncio.gather(ask(0.0), ask(0.1)))

    quiet._is_on = True
    assert loop.run(ask_both()) == [0, 0]
    assert eventually(lambda: work.began == 1)


def test_a_question_after_its_end_does_not_wait(
    loop: Loop, quiet: WhileQuiet, work: Work
) -> None:
    quiet.begin()
    assert eventually(lambda: work.began == 1)
    loop.run(asyncio.wait_for(quiet.stopped(), FOREVER))


def test_when_closed_it_is_stopped_for_good(
    loop: Loop, quiet: WhileQuiet, work: Work
) -> None:
    work.last()
    quiet.begin()
    assert eventually(lambda: work.began == 1)
    quiet.close()
    assert eventually(lambda: work.stopped == 1)
    quiet.note_change()
    settled(loop)
    assert work.began == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_a_forked_child_does_nothing_and_does_not_hang(
    loop: Loop, quiet: WhileQuiet, work: Work
) -> None:
    quiet.begin()
    assert eventually(lambda: work.began == 1)
    with quiet._lock:
        child = os.fork()
        if child == 0:
            quiet.note_cell_start()
            quiet.note_cell_end()
            quiet.begin()
            # The end of a child of the tests must not run their clean-up.
            os._exit(0 if loop._thread is None else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
