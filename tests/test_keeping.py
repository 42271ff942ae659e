"""What must not be lost: turns are written when they can be, and answers while they
come.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat import keeping, sqlite_file
from codebuddy_jupyter.chat.store import Store
from codebuddy_jupyter.errors import NotKept, Unreachable
from codebuddy_jupyter.messages import Chunk, Usage
from codebuddy_jupyter.question.options import Options
from tests.support.command_line import run_line
from tests.support.fakes import FOREVER, eventually, fake_of
from tests.support.notebooks_kept import (
    LONG,
    Start,
    answers,
    ask,
    full_disk,
    locked,
    read_only_disk,
    settle,
)
from tests.support.watched import Watched

NOT_KEPT = "Conversations are not kept in"
KEPT_AGAIN = "Conversations are kept again"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less long for locks than users do."""
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr(sqlite_file, "SHORT_BUSY_SECONDS", 0.1)
    monkeypatch.setattr(keeping, "RETRY_SECONDS", FOREVER)


def questions(buddy: Buddy) -> list[str]:
    """The questions of the present conversation, without what makes them long."""
    return [turn.question.replace(LONG, "") for turn in buddy.chat.turns]


def notes(buddy: Buddy) -> list[str]:
    """The lines under the answers of the present conversation."""
    return [note for turn in buddy.chat.turns for note in turn.reply.notes]


Trouble = Callable[[Path], AbstractContextManager[None]]

PASSING: dict[str, tuple[Trouble, str]] = {
    "the disk is full": (full_disk, "database or disk is full"),
    "another program has it locked": (locked, "database is locked"),
    "the file system is read-only": (read_only_disk, "attempt to write a readonly"),
}


@pytest.mark.parametrize(("trouble", "reason"), PASSING.values(), ids=PASSING)
def test_one_passing_error_does_not_end_the_keeping_of_conversations(
    start: Start, file: Path, trouble: Trouble, reason: str
) -> None:
    buddy = start()
    fake_of(buddy).size = 1_000_000
    ask(buddy, "1?")
    with trouble(file):
        ask(buddy, f"2?{LONG}")
        for number in (3, 4):
            (line,) = buddy.ask(f"{number}?{LONG}").result().notes
            assert line.startswith(f"{NOT_KEPT} {file}: {reason}")
            settle(buddy)
    ask(buddy, "5?")
    ask(buddy, "6?")
    ends = [note for note in notes(buddy) if note.startswith(KEPT_AGAIN)]
    assert ends == notes(buddy)[-1:]
    assert buddy.ask("7?").result().notes == ()
    settle(buddy)
    again = start()
    assert questions(again) == [f"{number}?" for number in range(1, 8)]
    assert answers(again) == ["An answer."] * 7


def test_what_could_not_be_written_is_tried_again_without_another_question(
    start: Start, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RETRY_SECONDS", 0.1)
    buddy = start()
    ask(buddy, "1?")
    with full_disk(file):
        ask(buddy, f"2?{LONG}")
        assert questions(start()) == ["1?"]
    assert eventually(lambda: answers(start()) == ["An answer."] * 2)


def test_what_could_not_be_written_is_written_when_the_kernel_ends(
    start: Start, file: Path
) -> None:
    buddy = start()
    ask(buddy, "1?")
    with full_disk(file):
        ask(buddy, f"2?{LONG}")
    buddy.close()
    assert questions(start()) == ["1?", "2?"]


def test_trouble_that_nobody_was_told_of_ends_without_a_word(
    start: Start, file: Path
) -> None:
    buddy = start()
    ask(buddy, "1?")
    fake_of(buddy).replies = [["An ans", Unreachable("gone")]]
    with full_disk(file):
        with pytest.raises(Unreachable):
            ask(buddy, f"2?{LONG}")
        settle(buddy)
    assert buddy.history.trouble is not None
    buddy.history.close()
    assert buddy.history.trouble is None
    assert buddy.history.notes() == []


def test_a_page_that_is_damaged_loses_no_turn_of_this_kernel(
    start: Start, file: Path
) -> None:
    ask(start(), f"1?{LONG}", "2?")
    buddy = start()
    ask(buddy, "3?")
    data = bytearray(file.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    file.write_bytes(data)
    # It is noticed when the fourth is written, which the next answer tells.
    ask(buddy, "4?")
    ask(buddy, "5?")
    (line,) = notes(buddy)
    assert "could not be read" in line
    assert "was renamed to" in line
    assert questions(start()) == ["1?", "2?", "3?", "4?", "5?"]


def test_a_damaged_file_does_not_bring_back_what_was_asked_without_keeping(
    start: Start, file: Path
) -> None:
    buddy = start()
    ask(buddy, "1?")
    buddy.keep_chats = False
    ask(buddy, "2?")
    buddy.keep_chats = True
    file.write_bytes(b"no database" * 1000)
    ask(buddy, "3?")
    assert questions(start()) == ["1?", "3?"]


GONE: dict[str, Callable[[Path], None]] = {
    "file": Path.unlink,
    "folder": lambda file: shutil.rmtree(file.parent),
}


@pytest.mark.parametrize("delete", GONE.values(), ids=GONE)
def test_keeping_goes_on_where_the_file_was_deleted_and_brings_nothing_back(
    start: Start, file: Path, delete: Callable[[Path], None]
) -> None:
    buddy = start()
    ask(buddy, "1?")
    delete(file)
    assert buddy.ask("2?").result().notes == ()
    ask(buddy, "3?")
    assert questions(start()) == ["2?", "3?"]


def test_an_answer_that_comes_while_the_file_is_deleted_is_kept(
    start: Start, file: Path
) -> None:
    buddy = start()
    fake_of(buddy).replies = [["half ", FOREVER]]
    reply = buddy.ask("1?").start()
    assert eventually(lambda: file.exists() and answers(start()) == ["half "])
    file.unlink()
    reply.close()
    settle(buddy)
    assert answers(start()) == ["half "]


# While an answer comes


def test_what_came_of_an_answer_is_on_disk_while_the_rest_comes(start: Start) -> None:
    buddy = start()
    fake_of(buddy).replies = [
        [Chunk(reasoning="Hm. "), "one ", FOREVER],
    ]
    buddy.ask("1?").start()
    assert eventually(lambda: answers(start()) == ["one "])
    (turn,) = start().chat.turns
    assert turn.reply.reasoning == "Hm. "
    assert turn.broke_off
    assert turn.has_answer


def test_pieces_that_come_later_are_written_too(start: Start) -> None:
    buddy = start()
    fake_of(buddy).replies = [["one ", 0.3, "two ", 1.5, "three", FOREVER]]
    buddy.ask("1?").start()
    # It has not ended, and what came was written before as well.
    assert eventually(lambda: "".join(answers(start())) == "one two three")


def test_an_answer_of_many_pieces_costs_few_writes(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[float] = []
    write = Store.write

    def count(*args: Any, **kwargs: Any) -> object:
        writes.append(time.monotonic())
        return write(*args, **kwargs)

    monkeypatch.setattr(Store, "write", count)
    buddy = start()
    steps = [step for number in range(300) for step in (f"{number} ", 0.01)]
    fake_of(buddy).replies = [steps]
    ask(buddy, "1?")
    # the first and the last may come close to another
    inner = writes[1:-1]
    assert inner
    assert all(later - earlier >= 0.9 for earlier, later in pairwise(inner))


def test_an_answer_that_pauses_costs_no_write(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "INTERVAL", 0.01)
    buddy = start()
    fake_of(buddy).replies = [["one ", FOREVER]]
    buddy.ask("1?").start()
    assert eventually(lambda: answers(start()) == ["one "])
    written = os.stat(buddy.history._store.path).st_mtime_ns  # type: ignore[union-attr]
    settle(buddy)
    time.sleep(0.5)
    assert os.stat(buddy.history._store.path).st_mtime_ns == written  # type: ignore[union-attr]


# Waits have an end


def test_a_locked_store_delays_neither_the_first_answer_nor_the_panel(
    start: Start, file: Path
) -> None:
    ask(start(), "1?")
    with locked(file):
        buddy = start()
        chat = Watched(buddy)
        chat.ask("2?")
        assert chat.answered()
        (line,) = buddy.chat.turns[0].reply.notes[:1]
        assert "cannot be read: database is locked" in line
        assert "%buddy /chats" in line
        chat.close()
    ask(buddy, "3?")
    assert questions(start()) == ["2?", "3?"]
    assert "it has 1 turn" in run_line(start(), "/chats 1")


def test_commands_about_a_locked_store_end_with_a_line(
    start: Start, file: Path
) -> None:
    buddy = start()
    ask(buddy, "1?")
    with locked(file):
        for line in ("/chats", "/chats 1", "/chats delete 1", "/chats delete all"):
            with pytest.raises(NotKept, match="database is locked"):
                run_line(buddy, line)
    assert [chat.turns for chat in buddy.history.listed()] == [1]


def hang_reads(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let the disk give no conversation until the event is set."""
    free = threading.Event()
    latest = Store.latest
    monkeypatch.setattr(Store, "latest", lambda *args: free.wait(60) and latest(*args))
    return free


def test_a_disk_that_hangs_delays_no_first_answer(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(start(), "1?")
    free = hang_reads(monkeypatch)
    buddy = start()
    (line,) = buddy.ask("2?").result().notes
    free.set()
    assert "does not respond" in line


def test_answers_go_on_while_a_first_question_waits_for_the_disk(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(start(), "1?")
    free = hang_reads(monkeypatch)
    buddy = start()
    first = buddy.ask("2?").start()
    # the loop is free for another question, which asks for no conversation
    assert buddy.ask("3?", Options(remember=False)).result().text == "An answer."
    free.set()
    first.result()


def test_a_question_that_waits_is_not_written_after_all_was_deleted(
    start: Start, file: Path
) -> None:
    buddy = start()
    ask(buddy, "1?")
    with full_disk(file):
        ask(buddy, f"2?{LONG}", new=True)
    # deleting needs no room
    run_line(buddy, "/chats delete all")
    ask(buddy, "3?")
    assert questions(start()) == ["3?"]
    assert [chat.turns for chat in buddy.history.listed()] == [1]


def test_what_is_switched_off_meanwhile_is_not_written_later(
    start: Start, file: Path
) -> None:
    buddy = start()
    ask(buddy, "1?")
    with full_disk(file):
        ask(buddy, f"2?{LONG}")
        buddy.keep_chats = False
        assert buddy.ask("3?").result().notes == ()
    buddy.keep_chats = True
    ask(buddy, "4?")
    assert questions(start()) == ["1?", "4?"]


def test_only_so_many_turns_wait(
    start: Start, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MAX_WAITING", 3)
    buddy = start()
    ask(buddy, "0?")
    with full_disk(file):
        ask(buddy, *(f"{number}?{LONG}" for number in range(1, 7)))
    settle(buddy)
    ask(buddy, "7?")
    assert questions(start()) == ["0?", "5?", "6?", "7?"]
    # It is under the last answer where that came later than the turns were written.
    lines = [*notes(buddy), *buddy.history.notes()]
    (line,) = [line for line in lines if line.startswith(KEPT_AGAIN)]
    assert line.endswith("The 4 turns before that were lost.")


def test_the_present_conversation_keeps_what_waits_when_it_is_chosen_again(
    start: Start, file: Path
) -> None:
    buddy = start()
    ask(buddy, "1?")
    ask(buddy, "2?", new=True)
    with full_disk(file):
        ask(buddy, f"3?{LONG}")
        run_line(buddy, "/chats 1")
        run_line(buddy, "/chats 2")
        assert questions(buddy) == ["2?", "3?"]


def test_odd_counts_and_names_end_no_keeping(start: Start) -> None:
    name = os.fsdecode(b"caf\xe9.ipynb")
    buddy = start(name)
    fake_of(buddy).replies = [["Well.", Chunk(usage=Usage(10**30, 3))]]
    ask(buddy, "1?", "2?")
    assert questions(start(name)) == ["1?", "2?"]


def test_the_file_can_be_written_by_others_while_an_answer_comes(
    start: Start, file: Path
) -> None:
    buddy = start()
    fake_of(buddy).replies = [["one ", FOREVER]]
    buddy.ask("1?").start()
    assert eventually(lambda: answers(start()) == ["one "])
    with closing(sqlite3.connect(file, timeout=0.0)) as connection:
        connection.execute("BEGIN IMMEDIATE")
