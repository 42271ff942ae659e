"""Log records of libraries stay out of the user's cells, and the user's own stay in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from codebuddy_jupyter.background.logs import quiet_threads, quietly
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.display.formats import closed, growing_markdown


class Kept(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def kept() -> Iterator[Kept]:
    """What the user's handler for everything is given."""
    handler = Kept()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """A library's logger, for which no level is set."""
    logger = logging.getLogger("some_library.part")
    yield logger
    for name in ("some_library", "some_library.part"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def in_thread(name: str, work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work, name=name)
    thread.start()
    thread.join()


def test_what_runs_for_this_package_writes_no_records(
    kept: Kept, library: logging.Logger
) -> None:
    with quietly():
        library.debug("entering the rule")
        with quietly():
            library.info("inside")
        library.info("still")
    in_thread("buddy-loop", lambda: library.debug("connecting"))
    assert kept.messages == []


def test_the_users_own_records_are_written(kept: Kept, library: logging.Logger) -> None:
    quiet_threads()
    library.debug("one")
    in_thread("Thread-1", lambda: library.debug("two"))
    with quietly():
        in_thread("Thread-1", lambda: library.debug("three"))
    in_thread("buddy-describer", lambda: library.debug("four"))
    library.debug("five")
    assert kept.messages == ["one", "two", "three", "four", "five"]


def test_warnings_are_written(kept: Kept, library: logging.Logger) -> None:
    with quietly():
        library.warning("careful")
    assert kept.messages == ["careful"]


@pytest.mark.parametrize("name", ["some_library", "some_library.part"])
def test_a_level_that_was_set_for_a_library_holds(
    kept: Kept, library: logging.Logger, name: str
) -> None:
    logging.getLogger(name).setLevel(logging.DEBUG)
    with quietly():
        library.debug("wanted")
    assert kept.messages == ["wanted"]


def test_neither_drawing_nor_the_loop_writes_records(kept: Kept, loop: Loop) -> None:
    assert growing_markdown("# A\n\n- b `c`", "markdown")
    assert closed("```python\nx")

    async def work() -> None:
        logging.getLogger("httpx2").debug("a request")

    for used in (loop, Loop()):
        used.run(work())
        used.stop()
    assert kept.messages == []


def test_a_question_writes_no_records(kept: Kept, buddy: Buddy) -> None:
    assert str(buddy.ask("why?")) == "An answer."
    assert kept.messages == []
