"""Commands as they are typed, for tests."""

from __future__ import annotations

from collections.abc import Callable

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands import read, run
from codebuddy_jupyter.messages import Progress


def ignore(what: str, done: int, total: int) -> None:
    """Ignore progress."""


def run_line(
    buddy: Buddy,
    line: str,
    progress: Progress = ignore,
    open_panel: Callable[[], object] | None = None,
) -> str:
    """Run a command as the magic and the panel do, and return its Markdown."""
    call = read(line)
    assert call is not None
    return run(buddy, call, progress, open_panel)


def prompt_of(buddy: Buddy, line: str) -> str | None:
    """Return what a command asks the model."""
    call = read(line)
    assert call is not None
    return call.prompt(buddy)
