"""Conversations on disk: one SQLite file that only its owner may read.

It never holds what was sent of a notebook.

Every call opens the file and closes it again, so that nothing is held between two
calls: no lock that another kernel waits for, no connection that a forked child would
share.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from ..errors import NotKept, Remedy
from . import tables
from .tables import StoredChat, StoredTurn

if TYPE_CHECKING:
    from sqlite3 import Connection

T = TypeVar("T")

# Seconds to wait for another process to finish writing: in the background, and where
# somebody waits.
BUSY_SECONDS = 5.0
SHORT_BUSY_SECONDS = 1.0
# SQLITE_CORRUPT and SQLITE_NOTADB.
BROKEN_FILE_CODES = (11, 26)
# No write-ahead log: that needs memory which processes share, and a home on the network
# has none. The rollback journal costs some 10 ms more a write, which nobody waits for.
PRAGMAS = ("foreign_keys = ON", "secure_delete = ON", "temp_store = MEMORY")


class Store:
    """The conversations of this user's notebooks.

    All methods may be called from any thread and any process. Each of them raises
    `NotKept` if the file cannot be read or written.

    Parameters
    ----------
    path
        The file; its folder is made when something is written.
    report
        Called with a line for the user, such as that a broken file was set aside.
    """

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        self.path = path
        self.files = 0
        """How many files were made, since there was none or a broken one."""
        self._report = report

    def begin(self, notebook: str, chat: str, turn: StoredTurn) -> None:
        """Add a turn, or replace it; a new conversation may begin with it."""

        def write(connection: Connection) -> None:
            tables.use_chat(connection, notebook, chat, turn.asked)
            tables.insert_turn(connection, chat, turn)

        self._write(write)

    def end(self, turn: StoredTurn) -> None:
        """Replace a turn by what it is by now, unless it has been deleted."""
        self._write(lambda connection: tables.update_turn(connection, turn))

    def restore(self, notebook: str, chat: str, turns: Sequence[StoredTurn]) -> None:
        """Write the turns of a conversation anew, in this order."""

        def write(connection: Connection) -> None:
            for turn in turns:
                tables.use_chat(connection, notebook, chat, turn.asked)
            tables.replace_turns(connection, chat, turns)

        self._write(write)

    def drop(self, turn: str) -> None:
        """Delete a turn, and its conversation if it has no other."""
        self._write(lambda connection: tables.delete_turn(connection, turn))

    def chats(self, notebook: str) -> list[StoredChat]:
        """Return the conversations of a notebook, the last used first."""
        return self._read(lambda connection: tables.chats(connection, notebook), [])

    def latest(self, notebook: str) -> tuple[str, list[StoredTurn]] | None:
        """Return the id and the turns of the notebook's last used conversation."""

        def read(connection: Connection) -> tuple[str, list[StoredTurn]] | None:
            chat = tables.latest_chat(connection, notebook)
            if chat is None:
                return None
            return chat, tables.latest_turns(connection, chat)

        return self._read(read, None)

    def turns(self, chat: str) -> list[StoredTurn]:
        """Return the latest turns of a conversation, the oldest first."""
        return self._read(lambda connection: tables.latest_turns(connection, chat), [])

    def delete(self, notebook: str, number: int | None = None) -> list[str]:
        """Delete conversations of a notebook for good, and return their ids.

        Parameters
        ----------
        notebook
            Whose conversations.
        number
            The number of one conversation; None: all of them.
        """
        if not self.path.exists():
            return []
        return self._write(
            lambda connection: tables.delete_chats(connection, notebook, number),
            is_awaited=True,
        )

    def _write(self, work: Callable[[Connection], T], *, is_awaited: bool = False) -> T:
        """Write in one transaction; somebody waits for that, or it is the background's."""
        seconds = SHORT_BUSY_SECONDS if is_awaited else BUSY_SECONDS

        def attempt() -> T:
            self._make_private()
            with self._opened(seconds) as connection:
                connection.execute("BEGIN IMMEDIATE")
                is_new = self._bring_up_to_date(connection)
                result = work(connection)
                connection.execute("COMMIT")
            self.files += is_new
            return result

        return self._guarded(attempt, f"Conversations are not kept in {self.path}")

    def _read(self, work: Callable[[Connection], T], nothing: T) -> T:
        def attempt() -> T:
            if not os.path.exists(self.path):
                return nothing
            with self._opened(SHORT_BUSY_SECONDS) as connection:
                connection.execute("BEGIN")
                version = self._version(connection)
                if version == tables.NONE:
                    return nothing
                if version < tables.CURRENT:
                    tables.view_version_1(connection)
                return work(connection)

        return self._guarded(
            attempt, f"The conversations in {self.path} cannot be read"
        )

    def _bring_up_to_date(self, connection: Connection) -> bool:
        """Make the tables, or migrate those of an earlier version.

        Returns
        -------
        bool
            Whether they were made.
        """
        version = self._version(connection)
        if version == tables.NONE:
            tables.create(connection)
            return True
        if version < tables.CURRENT:
            tables.migrate(connection)
        return False

    def _version(self, connection: Connection) -> int:
        """Return the version of the tables in the file."""
        version = tables.version(connection)
        if version == tables.FOREIGN:
            raise _ForeignFile("another program wrote it")
        if version > tables.CURRENT:
            raise NotKept(
                f"Conversations are not kept: a newer version of this package wrote "
                f"{self.path}.",
                Remedy("Use that version", "pip install --upgrade codebuddy-jupyter"),
            )
        return version

    def _guarded(self, attempt: Callable[[], T], failure: str) -> T:
        """Make an attempt; if the file is broken, set it aside and try once more."""
        sqlite3 = _sqlite()
        for may_retry in (True, False):
            file = _identity(self.path)
            try:
                return attempt()
            except (sqlite3.Error, OSError, _ForeignFile) as error:
                if not (may_retry and _is_broken(error)):
                    reason = getattr(error, "strerror", None) or error
                    raise NotKept(f"{failure}: {reason}.") from error
                self._set_aside(file, error)
        raise AssertionError("the second attempt returns or raises")

    @contextmanager
    def _opened(self, seconds: float) -> Iterator[Connection]:
        """Open the file; each statement waits so many seconds for other processes."""
        connection = _sqlite().connect(self.path, timeout=seconds, isolation_level=None)
        with closing(connection):
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            yield connection

    def _make_private(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new_file = os.O_CREAT | os.O_EXCL | os.O_RDWR
        try:
            descriptor = os.open(self.path, new_file, 0o600)
        except FileExistsError:
            is_open_to_others = self.path.stat().st_mode & 0o077
            if os.name == "posix" and is_open_to_others:
                self.path.chmod(0o600)
        else:
            os.close(descriptor)

    def _set_aside(self, file: tuple[int, int] | None, error: Exception) -> None:
        """Rename the broken file, unless another process has done so.

        Its journal goes with it: it would damage a new file.
        """
        moment = time.strftime("%Y-%m-%d-%H%M%S")
        aside = f"{self.path}.broken-{moment}"
        try:
            if _identity(self.path) == file:
                _rename_if_there(f"{self.path}-journal", f"{aside}-journal")
                _rename_if_there(str(self.path), aside)
        except OSError as failure:
            raise NotKept(
                f"The conversations in {self.path} cannot be read ({error}).",
                Remedy("Delete the file"),
            ) from failure
        self._report(
            f"The earlier conversations could not be read ({error}); their file was "
            f"renamed to {aside}."
        )


def _sqlite() -> ModuleType:
    try:
        import sqlite3
    except ImportError as error:
        # Python can be built without it.
        raise NotKept(
            "Conversations are not kept: this Python has no sqlite3."
        ) from error
    return sqlite3


class _ForeignFile(Exception):
    """The file is a database of another program."""


def _is_broken(error: Exception) -> bool:
    if isinstance(error, _ForeignFile):
        return True
    # The upper bits of the code say more about the same error.
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in BROKEN_FILE_CODES


def _rename_if_there(path: str, new_path: str) -> None:
    if os.path.exists(path):
        os.replace(path, new_path)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
