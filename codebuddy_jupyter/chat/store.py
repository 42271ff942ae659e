"""Conversations on disk: one SQLite file that its owner alone may read.

It never holds what was told of a notebook.

Every call opens the file and closes it again, so that nothing is held between two
calls: no lock that another kernel waits for, no connection that a forked child would
share.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import NotKept
from ..messages import Usage

if TYPE_CHECKING:
    from sqlite3 import Connection

T = TypeVar("T")

# seconds that one waits for another process to finish writing
BUSY = 5.0
# turns of a conversation that are read, the latest
LATEST = 200
# characters of those: more fits no window
MOST_READ = 4_000_000
# characters of one text
MOST_KEPT = 1_000_000
# conversations of one notebook that are kept, the latest
MOST_CHATS = 200
MOST_IN_ALL = 1_000
REST = "\n\n(The rest was too long to be kept.)"

_APPLICATION, _VERSION = 0x62756464, 1
# No write-ahead log: that needs memory which processes share, and a home on the network
# has none. The rollback journal costs some 10 ms more a write, which nobody waits for.
_SETTINGS = ("foreign_keys = ON", "secure_delete = ON")
_SCHEMA = f"""
CREATE TABLE chats (
    id TEXT PRIMARY KEY, notebook TEXT NOT NULL, number INTEGER NOT NULL, used REAL NOT NULL
);
CREATE INDEX chats_of_notebook ON chats (notebook, used);
CREATE TABLE turns (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, chat TEXT NOT NULL REFERENCES chats ON DELETE CASCADE,
    asked REAL NOT NULL, question TEXT NOT NULL, format TEXT NOT NULL, answer TEXT NOT NULL, reasoning TEXT NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL, prompt_tokens INTEGER, completion_tokens INTEGER, finish TEXT,
    whole INTEGER NOT NULL
);
CREATE INDEX turns_of_chat ON turns (chat, number);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""
_TURN = (
    "id, asked, question, format, answer, reasoning, provider, model, "
    "prompt_tokens, completion_tokens, finish, whole"
)


@dataclass(frozen=True)
class StoredTurn:
    """A question and its answer as they are kept; ``asked`` is in seconds since 1970.

    ``whole`` is False while the answer comes, and stays so where it broke off.
    """

    id: str
    asked: float
    question: str
    format: str = "markdown"
    answer: str = ""
    reasoning: str = ""
    provider: str = ""
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    finish: str | None = None
    whole: bool = False


@dataclass(frozen=True)
class StoredChat:
    """A conversation as a list names it: its number in its notebook, its first
    question, when it was last used.
    """

    id: str
    number: int
    question: str
    turns: int
    used: float


class Store:
    """The conversations of this user's notebooks.

    All methods may be called from any thread and any process.

    Each of them raises `NotKept` where the file cannot be read or written.

    Parameters
    ----------
    path
        The file; its folder is made when something is written.
    tell
        Takes a line for the user, such as that a broken file was set aside.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self.path = path
        self._tell = tell

    def begin(self, notebook: str, chat: str, turn: StoredTurn) -> None:
        """Keep a question, in a conversation that begins with it where it is not there
        yet.
        """

        def write(connection: Connection) -> None:
            if not connection.execute(
                "UPDATE chats SET used = ? WHERE id = ?", (turn.asked, chat)
            ).rowcount:
                connection.execute(
                    (
                        "INSERT INTO chats SELECT ?, ?, coalesce(max(number), 0) + "
                        "1, ? FROM chats WHERE notebook = ?"
                    ),
                    (chat, notebook, turn.asked, notebook),
                )
                _let_the_oldest_go(connection, notebook)
            names = f"chat, {_TURN}"
            marks = ", ".join("?" * len(names.split(", ")))
            connection.execute(
                f"INSERT OR IGNORE INTO turns ({names}) VALUES ({marks})",
                (chat, *_row(turn)),
            )

        self._write(write)

    def end(self, turn: StoredTurn) -> None:
        """Keep what came as the answer, unless the conversation was deleted meanwhile."""
        names = ", ".join(f"{name} = ?" for name in _TURN.split(", "))
        self._write(
            lambda connection: connection.execute(
                f"UPDATE turns SET {names} WHERE id = ?", (*_row(turn), turn.id)
            )
        )

    def drop(self, turn: str) -> None:
        """Forget a turn, and a conversation that has no other."""

        def write(connection: Connection) -> None:
            connection.execute("DELETE FROM turns WHERE id = ?", (turn,))
            connection.execute(
                "DELETE FROM chats WHERE id NOT IN (SELECT chat FROM turns)"
            )

        self._write(write)

    def chats(self, notebook: str) -> list[StoredChat]:
        """The conversations of a notebook, the one last used first."""
        asked = (
            "SELECT id, number,"
            " (SELECT substr(question, 1, 200) FROM turns WHERE chat = "
            "chats.id ORDER BY number LIMIT 1),"
            " (SELECT count(*) FROM turns WHERE chat = chats.id), used"
            " FROM chats WHERE notebook = ? ORDER BY used DESC, number DESC"
        )
        return self._read(
            lambda connection: [
                StoredChat(*row) for row in connection.execute(asked, (notebook,))
            ],
            [],
        )

    def latest(self, notebook: str) -> tuple[str, list[StoredTurn]] | None:
        """The id and the turns of the conversation of a notebook that was last used."""
        asked = "SELECT id FROM chats WHERE notebook = ? ORDER BY used DESC, number DESC LIMIT 1"

        def read(connection: Connection) -> tuple[str, list[StoredTurn]] | None:
            row = connection.execute(asked, (notebook,)).fetchone()
            return (str(row[0]), _latest_turns(connection, row[0])) if row else None

        return self._read(read, None)

    def turns(self, chat: str) -> list[StoredTurn]:
        """The latest turns of a conversation, the oldest first."""
        return self._read(lambda connection: _latest_turns(connection, chat), [])

    def delete(self, notebook: str, number: int | None = None) -> list[str]:
        """Delete a conversation of a notebook, or all of them, for good; gives the ids
        of what was there.
        """
        chosen, values = (
            "notebook = ?",
            [notebook, *([] if number is None else [number])],
        )
        chosen += "" if number is None else " AND number = ?"

        def write(connection: Connection) -> list[str]:
            found = [
                str(id)
                for (id,) in connection.execute(
                    f"SELECT id FROM chats WHERE {chosen}", values
                )
            ]
            connection.execute(f"DELETE FROM chats WHERE {chosen}", values)
            return found

        return self._write(write) if self.path.exists() else []

    def _write(self, work: Callable[[Connection], T]) -> T:
        def attempt() -> T:
            self._make_private()
            with self._opened() as connection:
                connection.execute("BEGIN IMMEDIATE")
                if not self._is_ours(connection):
                    # `executescript` would end the transaction first
                    for statement in _SCHEMA.split(";"):
                        connection.execute(statement)
                result = work(connection)
                connection.execute("COMMIT")
                return result

        return self._guarded(attempt)

    def _read(self, work: Callable[[Connection], T], nothing: T) -> T:
        def attempt() -> T:
            if not os.path.exists(self.path):
                return nothing
            with self._opened() as connection:
                connection.execute("BEGIN")
                return work(connection) if self._is_ours(connection) else nothing

        return self._guarded(attempt)

    def _guarded(self, attempt: Callable[[], T]) -> T:
        """Make the attempt; a file that proves to be broken is set aside, once."""
        sqlite3 = _sqlite()
        for again in (True, False):
            was = _identity(self.path)
            try:
                return attempt()
            except (sqlite3.Error, OSError, _Foreign) as error:
                if not (again and _is_broken(error)):
                    why = getattr(error, "strerror", None) or error
                    raise NotKept(
                        f"Conversations are not kept in {self.path}: {why}."
                    ) from error
                self._set_aside(was, error)
        raise AssertionError("the second attempt returns or raises")

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        with closing(
            _sqlite().connect(self.path, timeout=BUSY, isolation_level=None)
        ) as connection:
            for setting in _SETTINGS:
                connection.execute(f"PRAGMA {setting}")
            yield connection

    def _is_ours(self, connection: Connection) -> bool:
        """Whether the file has our tables already; an empty one has none yet."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application == _APPLICATION and version > _VERSION:
            raise NotKept(
                f"Conversations are not kept: a newer version of this package wrote {self.path}. "
                "Use that one: pip install --upgrade codebuddy-jupyter"
            )
        if (
            application != _APPLICATION
            and connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        ):
            raise _Foreign("it is another program's")
        return bool(application == _APPLICATION)

    def _make_private(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            if os.name == "posix" and self.path.stat().st_mode & 0o077:
                self.path.chmod(0o600)

    def _set_aside(self, was: tuple[int, int] | None, error: Exception) -> None:
        """Rename the file, with its journal, which would harm a new one; unless another
        process has done so.
        """
        aside = f"{self.path}.broken-{time.strftime('%Y-%m-%d-%H%M%S')}"
        try:
            if _identity(self.path) == was:
                for ending in ("-journal", ""):
                    if os.path.exists(f"{self.path}{ending}"):
                        os.replace(f"{self.path}{ending}", f"{aside}{ending}")
        except OSError as trouble:
            raise NotKept(
                f"The conversations in {self.path} cannot be read ({error}): delete the file."
            ) from trouble
        self._tell(
            f"The earlier conversations could not be read ({error}); their "
            f"file is set aside as {aside}."
        )


def _sqlite() -> ModuleType:
    try:
        import sqlite3
    except ImportError as error:
        # Python can be built without it
        raise NotKept(
            "Conversations are not kept: this Python has no sqlite3."
        ) from error
    return sqlite3


class _Foreign(Exception):
    """The file is a database of something else."""


def _is_broken(error: Exception) -> bool:
    # SQLITE_CORRUPT and SQLITE_NOTADB; the upper bits tell more of them.
    return isinstance(error, _Foreign) or getattr(
        error, "sqlite_errorcode", 0
    ) & 0xFF in (11, 26)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _let_the_oldest_go(connection: Connection, notebook: str) -> None:
    oldest = (
        "DELETE FROM chats WHERE id IN (SELECT id FROM chats {} ORDER BY used "
        "DESC, number DESC LIMIT -1 OFFSET ?)"
    )
    connection.execute(oldest.format("WHERE notebook = ?"), (notebook, MOST_CHATS))
    connection.execute(oldest.format(""), (MOST_IN_ALL,))


def _row(turn: StoredTurn) -> tuple[object, ...]:
    texts = (
        turn.question,
        turn.format,
        turn.answer,
        turn.reasoning,
        turn.provider,
        turn.model,
    )
    usage = (turn.usage.prompt_tokens, turn.usage.completion_tokens)
    finish = None if turn.finish is None else _written(turn.finish)
    return (turn.id, turn.asked, *map(_written, texts), *usage, finish, turn.whole)


def _written(text: str) -> str:
    """The text as a file can hold it: not endless, and without halves of characters."""
    kept = text if len(text) <= MOST_KEPT else text[:MOST_KEPT] + REST
    return kept.encode("utf-8", "replace").decode()


def _turn(row: tuple[Any, ...]) -> StoredTurn:
    texts, (prompt_tokens, completion_tokens), (finish, whole) = (
        row[:8],
        row[8:10],
        row[10:],
    )
    return StoredTurn(
        *texts, Usage(prompt_tokens, completion_tokens), finish, bool(whole)
    )  # type: ignore[call-arg]


def _latest_turns(connection: Connection, chat: str) -> list[StoredTurn]:
    asked = (
        f"SELECT {_TURN} FROM turns WHERE chat = ? ORDER BY number DESC LIMIT {LATEST}"
    )
    return list(_within(map(_turn, connection.execute(asked, (chat,)))))[::-1]


def _within(turns: Iterator[StoredTurn]) -> Iterator[StoredTurn]:
    """The first of these that together are not too long."""
    left = MOST_READ
    for turn in turns:
        left -= len(turn.question) + len(turn.answer) + len(turn.reasoning)
        if left < 0:
            return
        yield turn
