"""Outputs that are drawn again in their place: in a cell, and a line in a terminal."""

from __future__ import annotations

import os
import sys
import time
import uuid
from typing import Any, TextIO

from ..markdown.safe import escape
from .formats import Bundle, plain
from .status import progress_share

# seconds between two updates of a progress line
PROGRESS_INTERVAL = 0.25
# characters of a progress bar
BAR = 20


def is_notebook(shell: Any) -> bool:
    """Return whether a shell belongs to a kernel, and not to a terminal."""
    return getattr(shell, "kernel", None) is not None


def is_live(stream: TextIO) -> bool:
    """Return whether a stream is a terminal in which lines can be drawn again."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


class LiveOutput:
    """An output of a cell that can be drawn again in its place."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._id = ""
        self._shown: tuple[Bundle, Bundle] | None = None

    @property
    def is_shown(self) -> bool:
        """Whether it has been published."""
        return self._id != ""

    def put(self, data: Bundle, metadata: Bundle, **transient: Any) -> None:
        """Publish the output, or update it if it has changed.

        Parameters
        ----------
        data, metadata
            The output.
        transient
            More about it that is not saved with the notebook.
        """
        if self._shown == (data, metadata):
            return
        is_update = self.is_shown
        self._id = self._id or uuid.uuid4().hex[:12]
        self._shown = data, metadata
        self._shell.display_pub.publish(
            data,
            metadata,
            transient={"display_id": self._id, **transient},
            update=is_update,
        )


class ProgressLine:
    """A line that shows the progress of a download, redrawn in its place.

    Parameters
    ----------
    shell
        The running IPython shell, or None for a plain terminal.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._output = LiveOutput(shell)
        self._last = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how many bytes are done, and of how many; 0 if that is not known."""
        now = time.monotonic()
        if now - self._last < PROGRESS_INTERVAL and done < total:
            return
        self._last = now
        if is_notebook(self._shell):
            line = f"{escape(what)}{_progress_bar(done, total)}"
            text = f"{plain(what)}{_progress_bar(done, total)}"
            self._output.put({"text/markdown": line, "text/plain": text}, {})
            return
        line = f"\r\x1b[K{plain(what)}{_progress_bar(done, total)}"
        if done >= total:
            line += "\n"
        sys.stdout.write(line)
        sys.stdout.flush()


class ProgressLines:
    """Writes the progress of a download to a terminal or a log: a line for each step,
    and for each tenth of it.

    Parameters
    ----------
    stream
        Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Write how many bytes are done, unless that was written before."""
        line = plain(what)
        if total:
            line += f" {done * 10 // total * 10} %"
        if line != self._last:
            self._last = line
            self._stream.write(f"{line}\n")
            self._stream.flush()


def _progress_bar(done: int, total: int) -> str:
    if not total:
        return ""
    filled = BAR * done // total
    bar = "█" * filled + "░" * (BAR - filled)
    return f" {bar} {progress_share(done, total)}"
