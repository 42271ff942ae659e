"""A SQLite file that only its owner may read, and that any of several processes may
write.

Every call opens the file and closes it again, so that nothing is held between two
calls: no lock that another kernel waits for, no connection that a forked child would
share.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ..errors import NotKept, Remedy

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

NONE = 0
"""The version of a file without tables."""
FOREIGN = -1
"""The version of a file that is not ours."""


class SQLiteFile:
    """A file of tables; a subclass says what they are.

    All methods may be called from any thread and any process. Each of them raises
    `NotKept` if the file cannot be read or written.

    Parameters
    ----------
    path
        The file; its folder is made when something is written.
    report
        Called with a line for the user, such as that a broken file was set aside.
    """

    contents: ClassVar[str]
    """What the file holds, in the plural, as lines for the user name it."""
    application: ClassVar[int]
    """The number that tells the file from those of other programs."""
    current: ClassVar[int]
    """The version of the tables that this package writes."""

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        self.path = path
        self.files = 0
        """How many files were made, since there was none or a broken one."""
        self._report = report

    def create(self, connection: Connection) -> None:
        """Make the tables in an empty file."""
        raise NotImplementedError

    def migrate(self, connection: Connection) -> None:
        """Turn the tables of an earlier version into the current ones."""
        raise NotImplementedError

    def view_earlier(self, connection: Connection) -> None:
        """Let this connection read the tables of an earlier version like the current
        ones.
        """
        raise NotImplementedError

    def write(self, work: Callable[[Connection], T], *, is_awaited: bool = False) -> T:
        """Return what some work returns that is done in one transaction.

        Parameters
        ----------
        work
            Reads and writes; it commits nothing.
        is_awaited
            Whether somebody waits for it; then it waits less long for other processes.
        """
        seconds = BUSY_SECONDS
        if is_awaited:
            seconds = SHORT_BUSY_SECONDS

        def attempt() -> T:
            self._make_private()
            with self._opened(seconds) as connection:
                connection.execute("BEGIN IMMEDIATE")
                is_new = self._bring_up_to_date(connection)
                result = work(connection)
                connection.execute("COMMIT")
            self.files += is_new
            return result

        failure = f"{self.contents.capitalize()} are not kept in {self.path}"
        return self._guarded(attempt, failure)

    def read(self, work: Callable[[Connection], T], nothing: T) -> T:
        """Return what some work reads in the tables, or ``nothing`` if there are none."""

        def attempt() -> T:
            if not os.path.exists(self.path):
                return nothing
            with self._opened(SHORT_BUSY_SECONDS) as connection:
                connection.execute("BEGIN")
                version = self._version(connection)
                if version == NONE:
                    return nothing
                if version < self.current:
                    self.view_earlier(connection)
                return work(connection)

        failure = f"The {self.contents} in {self.path} cannot be read"
        return self._guarded(attempt, failure)

    def _bring_up_to_date(self, connection: Connection) -> bool:
        """Make the tables, or migrate those of an earlier version.

        Returns
        -------
        bool
            Whether they were made.
        """
        version = self._version(connection)
        if version == NONE:
            self.create(connection)
            return True
        if version < self.current:
            self.migrate(connection)
        return False

    def _version(self, connection: Connection) -> int:
        """Return the version of the tables in the file."""
        version = version_in(connection, self.application)
        if version == FOREIGN:
            raise _ForeignFile("another program wrote it")
        if version > self.current:
            raise NotKept(
                f"{self.contents.capitalize()} are not kept: a newer version of this "
                f"package wrote {self.path}.",
                Remedy("Use that version", "pip install --upgrade codebuddy-jupyter"),
            )
        return version

    def _guarded(self, attempt: Callable[[], T], failure: str) -> T:
        """Make an attempt; if the file is broken, set it aside and try once more."""
        sqlite3 = self._sqlite()
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
        sqlite3 = self._sqlite()
        connection = sqlite3.connect(self.path, timeout=seconds, isolation_level=None)
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
                f"The {self.contents} in {self.path} cannot be read ({error}).",
                Remedy("Delete the file"),
            ) from failure
        self._report(
            f"The earlier {self.contents} could not be read ({error}); their file was "
            f"renamed to {aside}."
        )

    def _sqlite(self) -> ModuleType:
        try:
            import sqlite3
        except ImportError as error:
            # Python can be built without it.
            raise NotKept(
                f"{self.contents.capitalize()} are not kept: this Python has no "
                "sqlite3."
            ) from error
        return sqlite3


def version_in(connection: Connection, application: int) -> int:
    """Return the version of the tables in a file: a number, `NONE` or `FOREIGN`."""
    (written_by,) = connection.execute("PRAGMA application_id").fetchone()
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    if written_by == application:
        return int(number)
    has_tables = connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    if has_tables:
        return FOREIGN
    return NONE


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
