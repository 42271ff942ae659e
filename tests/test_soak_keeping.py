"""Five hundred questions while the disk is full for a while, and the store locked for a
while: everything is kept in the end, in order and once.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat import keeping, sqlite_file
from codebuddy_jupyter.errors import Unreachable
from codebuddy_jupyter.messages import Request
from codebuddy_jupyter.question.options import Options
from tests.support.fakes import Step, fake_of
from tests.support.notebooks_kept import LONG, Start, full_disk, locked, settle

QUESTIONS = 500
FULL = range(100, 200)
LOCKED = range(300, 400)
NEW_CHAT = 50
"""Every so many questions begin a conversation."""
BROKEN = 7
"""Every so many answers break off."""


def answer(number: int) -> str:
    return f"The answer to {number}."


def reply(request: Request) -> list[Step]:
    number = int(request.messages[-1].text.split("?")[0].split()[-1])
    steps: list[Step] = [f"The answer to {number}", "."]
    if number % BROKEN == 0:
        steps.append(Unreachable("gone"))
    return steps


def ask(buddy: Buddy, number: int) -> tuple[str, ...]:
    """Ask a question that no full disk has room for; return the notes."""
    options = Options(new=number % NEW_CHAT == 0)
    asked = buddy.ask(f"{number}?\n{LONG}", options)
    try:
        asked.result()
    except Unreachable:
        assert number % BROKEN == 0
    return asked.notes


def kept(file: Path) -> list[tuple[int, str, str, int]]:
    """Conversation, question, answer and completeness of all turns, in order."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(
            """
            SELECT chats.number, question.text, answer.text, complete
            FROM turns JOIN chats ON chats.id = turns.chat
            JOIN messages AS question
                ON question.turn = turns.number AND question.position = 0
            JOIN messages AS answer
                ON answer.turn = turns.number AND answer.position = 1
            ORDER BY turns.number
            """
        ).fetchall()


def test_five_hundred_questions_are_kept_over_a_full_disk_and_a_lock(
    start: Start, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(sqlite_file, "SHORT_BUSY_SECONDS", 0.05)
    monkeypatch.setattr(keeping, "RETRY_SECONDS", 0.05)
    buddy = start()
    fake = fake_of(buddy)
    fake.size, fake.answer = 8_000, reply
    told: dict[int, tuple[str, ...]] = {}
    with ExitStack() as trouble:
        for number in range(QUESTIONS):
            if number in (FULL.start, FULL.stop, LOCKED.start, LOCKED.stop):
                settle(buddy)
            if number == FULL.start:
                trouble.enter_context(full_disk(file))
            if number == LOCKED.start:
                trouble.enter_context(locked(file))
            if number in (FULL.stop, LOCKED.stop):
                trouble.close()
            told[number] = ask(buddy, number)
    buddy.close()
    assert kept(file) == [
        (
            number // NEW_CHAT + 1,
            f"{number}?\n{LONG}",
            answer(number),
            int(number % BROKEN != 0),
        )
        for number in range(QUESTIONS)
    ]
    notes = [note for lines in told.values() for note in lines]
    notes += buddy.history.notes()
    assert any("database or disk is full" in note for note in notes)
    assert any("database is locked" in note for note in notes)
    ends = [note for note in notes if note.startswith("Conversations are kept again")]
    assert len(ends) == 2
    (again,) = start().chat.turns[-1:]
    assert again.reply.text == answer(QUESTIONS - 1)
