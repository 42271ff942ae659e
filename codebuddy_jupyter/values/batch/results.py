"""The answers of maps on disk: one SQLite file that only its owner may read.

It holds answers, and digests of what they are about; never a row, and no question.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ...chat.sqlite_file import SQLiteFile
from ...messages import Usage

if TYPE_CHECKING:
    from sqlite3 import Connection

# Days after which the answers of a job are deleted that nobody used.
MOST_DAYS = 90
DAY = 86_400.0
# The jobs last used are kept.
MOST_JOBS = 1_000
# Answers that one statement looks up: older versions of SQLite take no more.
AT_ONCE = 500
# SQLite's largest integer; a server can claim more tokens.
LARGEST_NUMBER = 2**63 - 1

_APPLICATION = 0x6275646D
_TABLES = (
    """CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        used REAL NOT NULL
    )""",
    """CREATE TABLE answers (
        job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
        row BLOB NOT NULL,
        text TEXT NOT NULL,
        prompt_tokens INTEGER,
        completion_tokens INTEGER,
        seconds REAL NOT NULL,
        PRIMARY KEY (job, row)
    ) WITHOUT ROWID""",
    f"PRAGMA application_id = {_APPLICATION}",
    "PRAGMA user_version = 1",
)
_OTHER = """
SELECT 1 FROM jobs WHERE digest != ? AND EXISTS (
    SELECT 1 FROM answers WHERE job = jobs.id AND row = ?
)
"""
_SPEED = """
SELECT count(*), avg(prompt_tokens), avg(completion_tokens), avg(seconds)
FROM answers WHERE job = (SELECT id FROM jobs WHERE digest = ?)
"""


@dataclass(frozen=True)
class Kept:
    """An answer on disk.

    Parameters
    ----------
    row
        The digest of the row.
    text
        The answer.
    usage
        What it cost.
    seconds
        How long it took.
    prompt
        The question about the row, where it is known: it is not written to this file.
    """

    row: bytes
    text: str
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    prompt: str = ""


@dataclass(frozen=True)
class Averages:
    """The averages of a job's answers on disk; None where nothing is known.

    Parameters
    ----------
    answers
        How many there are.
    prompt_tokens, completion_tokens, seconds
        What one of them took.
    """

    answers: int = 0
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    seconds: float | None = None


class Results(SQLiteFile):
    """The answers of all maps of this user; see `SQLiteFile`.

    A job is known by its digest.
    """

    contents: ClassVar[str] = "answers"
    application: ClassVar[int] = _APPLICATION
    current: ClassVar[int] = 1

    def create(self, connection: Connection) -> None:
        """Make the tables in an empty file."""
        for statement in _TABLES:
            connection.execute(statement)

    def find(self, job: bytes, rows: Sequence[bytes]) -> dict[bytes, Kept]:
        """Return the answers of a job about these rows, as far as there are some."""

        def read(connection: Connection) -> dict[bytes, Kept]:
            id = _id_of(connection, job)
            found: dict[bytes, Kept] = {}
            if id is None:
                return found
            for start in range(0, len(rows), AT_ONCE):
                for kept in _select(connection, id, rows[start : start + AT_ONCE]):
                    found[kept.row] = kept
            return found

        return self.read(read, {})

    def add(self, job: bytes, answers: Iterable[Kept]) -> None:
        """Keep answers of a job."""

        def write(connection: Connection) -> None:
            id = _use(connection, job)
            rows = [_columns(id, kept) for kept in answers]
            insert = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)"
            connection.executemany(insert, rows)

        self.write(write)

    def open(self, job: bytes) -> None:
        """Note that a job is used, and delete those that were not for long."""

        def write(connection: Connection) -> None:
            _use(connection, job)
            oldest = time.time() - MOST_DAYS * DAY
            connection.execute("DELETE FROM jobs WHERE used < ?", (oldest,))
            connection.execute(
                "DELETE FROM jobs WHERE id NOT IN "
                "(SELECT id FROM jobs ORDER BY used DESC LIMIT ?)",
                (MOST_JOBS,),
            )

        self.write(write, is_awaited=True)

    def is_new(self, job: bytes) -> bool:
        """Return whether a job has no answer."""

        def read(connection: Connection) -> bool:
            id = _id_of(connection, job)
            query = "SELECT 1 FROM answers WHERE job = ? LIMIT 1"
            return not connection.execute(query, (id,)).fetchone()

        return self.read(read, True)

    def has_other(self, job: bytes, row: bytes) -> bool:
        """Return whether another job has an answer about this row."""

        def read(connection: Connection) -> bool:
            return connection.execute(_OTHER, (job, row)).fetchone() is not None

        return self.read(read, False)

    def averages(self, job: bytes) -> Averages:
        """Return the averages of a job's answers."""

        def read(connection: Connection) -> Averages:
            return Averages(*connection.execute(_SPEED, (job,)).fetchone())

        return self.read(read, Averages())

    def forget(self, job: bytes) -> None:
        """Delete the answers of a job."""

        def write(connection: Connection) -> None:
            connection.execute("DELETE FROM jobs WHERE digest = ?", (job,))

        if self.path.exists():
            self.write(write, is_awaited=True)


def _id_of(connection: Connection, job: bytes) -> int | None:
    query = "SELECT id FROM jobs WHERE digest = ?"
    found = connection.execute(query, (job,)).fetchone()
    if not found:
        return None
    return int(found[0])


def _use(connection: Connection, job: bytes) -> int:
    """Return the id of a job, which is used now."""
    connection.execute(
        "INSERT INTO jobs (digest, used) VALUES (?, ?) "
        "ON CONFLICT (digest) DO UPDATE SET used = excluded.used",
        (job, time.time()),
    )
    id = _id_of(connection, job)
    assert id is not None
    return id


def _select(connection: Connection, id: int, rows: Sequence[bytes]) -> Iterable[Kept]:
    marks = ", ".join(["?"] * len(rows))
    query = (
        "SELECT row, text, prompt_tokens, completion_tokens, seconds "
        f"FROM answers WHERE job = ? AND row IN ({marks})"
    )
    found = connection.execute(query, (id, *rows))
    for row, text, prompt, completion, seconds in found:
        yield Kept(row, text, Usage(prompt, completion), seconds)


def _columns(id: int, kept: Kept) -> tuple[object, ...]:
    # SQLite takes no lone surrogates, which a broken answer can contain.
    text = kept.text.encode("utf-8", "replace").decode()
    return (
        id,
        kept.row,
        text,
        _tokens(kept.usage.prompt_tokens),
        _tokens(kept.usage.completion_tokens),
        kept.seconds,
    )


def _tokens(count: int | None) -> int | None:
    if count is None:
        return None
    return min(count, LARGEST_NUMBER)
