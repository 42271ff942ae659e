"""Files that are complete or not there: a full disk or an interrupt leaves no part; locks
between processes; and the folder for files that can be made again.
"""

from __future__ import annotations

import importlib
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from platformdirs import user_cache_path

_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Open a file that takes the place of another once all of it is written.

    If the block raises, the earlier file stays.

    Parameters
    ----------
    path
        The file to replace, which need not exist; its folder must.
    private
        Whether only its owner can read it (mode 0600).

    Raises
    ------
    OSError
        When it cannot be written.
    """
    # In the same folder, since a file is replaced in one step only within a disk.
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    mode = 0o666
    if private:
        mode = 0o600
    handle = os.open(part, _WRITE_FLAGS, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.replace(part, path)
    except BaseException:
        # An interrupt, too, must not leave a partial file.
        with suppress(OSError):
            os.unlink(part)
        raise


def try_lock(file: BinaryIO) -> bool:
    """Lock a file, and return whether that succeeded; the system unlocks it when it is
    closed, or when the process ends in any way.
    """
    if sys.platform == "win32":
        windows: Any = importlib.import_module("msvcrt")
        with suppress(OSError):
            file.seek(0)
            windows.locking(file.fileno(), windows.LK_NBLCK, 1)
            return True
        return False
    import fcntl

    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def cache_folder() -> Path:
    """Return the user's folder for files that can be made again; it may not exist yet."""
    # Without an author and "Cache", the folders that Windows programs add.
    return user_cache_path("codebuddy_jupyter", appauthor=False, opinion=False)
