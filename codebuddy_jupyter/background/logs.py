"""Keeps the log records of libraries that this package uses out of the user's cells.

With ``logging.basicConfig(level=logging.DEBUG)``, the Markdown parser and the HTTP client
would write thousands of lines below each answer. Records that come of the user's own
code, warnings and errors are left alone, and so are all of a logger whose level the
user has set.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

THREADS = "buddy-"
"""What the names of this package's threads begin with."""
USERS_THREADS = ("buddy-describer",)
"""Those of them that run code of the user's."""

_here = threading.local()


class _Quiet(logging.Filter):
    """Drops what libraries note while they work for this package."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written."""
        if record.levelno >= logging.WARNING:
            return True
        return not _is_ours(record.threadName or "") or _is_wanted(record.name)


_QUIET = _Quiet()


def _is_ours(thread: str) -> bool:
    """Return whether a thread works for this package, the present one or one of ours."""
    if thread in USERS_THREADS:
        return False
    return thread.startswith(THREADS) or getattr(_here, "depth", 0) > 0


def _is_wanted(name: str) -> bool:
    """Return whether a level was set for a logger, and not only for all of them."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None and logger is not logging.root:
        if logger.level:
            return True
        logger = logger.parent
    return False


def quiet_threads() -> None:
    """Drop the records of this package's threads, also in handlers added since."""
    for handler in list(logging.root.handlers):
        if _QUIET not in handler.filters:
            handler.addFilter(_QUIET)


@contextmanager
def quietly() -> Iterator[None]:
    """Drop the records of what runs in this thread meanwhile."""
    quiet_threads()
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        yield
    finally:
        _here.depth -= 1
