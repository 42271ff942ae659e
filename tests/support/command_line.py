"""Commands as they are typed, for tests."""

from __future__ import annotations

from collections.abc import Callable

from markdown_it import MarkdownIt

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands import Invocation, read, run
from codebuddy_jupyter.messages import Progress

MAGICS = frozenset({"bash", "html"})
"""The cell magics of the notebook in which commands are typed."""


def ignore(what: str, done: int, total: int) -> None:
    """Ignore progress."""


def run_line(
    buddy: Buddy,
    line: str,
    progress: Progress = ignore,
    open_panel: Callable[[], object] | None = None,
    add_cell: Callable[[str], None] | None = None,
) -> str:
    """Run a command as the magic and the panel do, and return its Markdown."""
    call = read(line)
    assert call is not None
    invocation = Invocation(buddy, progress, open_panel, add_cell, MAGICS)
    return run(invocation, call)


def prompt_of(buddy: Buddy, line: str) -> str | None:
    """Return what a command asks the model."""
    call = read(line)
    assert call is not None
    return call.prompt(buddy)


Steps = list[tuple[str, int, int]]


def record(steps: Steps) -> Progress:
    """Return a progress callback that keeps its calls."""
    return lambda what, done, total: steps.append((what, done, total))


def table(markdown: str) -> list[list[str]]:
    """Return the cells of a table as a reader sees them; fail unless all are plain text."""
    cells: list[list[str]] = []
    for token in (
        MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    ):
        if token.type == "tr_open":
            cells.append([])
        if token.type == "inline" and cells:
            assert {child.type for child in token.children or []} <= {
                "text",
                "text_special",
                "code_inline",
            }
            cells[-1].append("".join(child.content for child in token.children or []))
    return cells
