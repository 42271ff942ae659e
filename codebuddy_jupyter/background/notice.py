"""A line for people about something that goes on, and who shows it."""

from __future__ import annotations

from collections.abc import Callable


class Notice:
    """A line that changes; any thread may set and read it.

    Attributes
    ----------
    line : str
        The line; empty while there is nothing to say.
    watchers : list of callable
        Called, on any thread, when it has changed.
    """

    def __init__(self) -> None:
        self.line = ""
        self.watchers: list[Callable[[], None]] = []

    def say(self, line: str) -> None:
        """Set the line, and tell the watchers if it is another."""
        if line == self.line:
            return
        self.line = line
        for watcher in list(self.watchers):
            watcher()
