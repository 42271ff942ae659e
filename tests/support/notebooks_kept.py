"""Buddies of a notebook whose conversations are kept, and a disk that fails."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.question.options import Options

Start = Callable[..., Buddy]

LONG = "long " * 2_000
"""What makes a question need more room than a file has left."""


def settle(buddy: Buddy) -> None:
    """Wait until everything is on disk, the end of the last reply included."""
    # The loop's thread tells the history of an end right after `result` has returned.
    buddy.loop.run(asyncio.sleep(0))
    buddy.history.wait()


def ask(buddy: Buddy, *questions: str, **options: Any) -> None:
    """Ask one after the other, and wait until everything is on disk."""
    for question in questions:
        buddy.ask(question, Options(**options)).result()
    settle(buddy)


def answers(buddy: Buddy) -> list[str]:
    """The answers of the present conversation, as far as they came."""
    return [turn.reply.text for turn in buddy.chat.turns]


@contextmanager
def every_connection(pragma: str) -> Iterator[None]:
    """Set something on each connection to a database."""
    connect = sqlite3.connect

    def connect_so(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)
        connection.execute(f"PRAGMA {pragma}")
        return connection

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sqlite3, "connect", connect_so)
        yield


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Let no file of conversations grow; a question with `LONG` finds no room."""
    # The least that SQLite allows is what the file has.
    with every_connection("max_page_count = 1"):
        yield


@contextmanager
def read_only_disk(path: Path) -> Iterator[None]:
    """Let nothing be written to a file of conversations."""
    with every_connection("query_only = ON"):
        yield


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a file of conversations, as another program does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
