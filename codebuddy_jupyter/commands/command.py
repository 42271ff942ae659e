"""What a command is, and how a command is declared."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..buddy import Buddy
from ..messages import Progress


@dataclass(frozen=True)
class Invocation:
    """What a command has at hand while it runs.

    Parameters
    ----------
    buddy
        The Buddy whose settings and conversation the command reads or changes.
    progress
        Called while something takes long, such as a download.
    open_panel
        Opens and displays a panel; None where no panel can be shown.
    add_cell
        Puts a source into a new cell below the one that runs, without running it; None
        where no cell can be added.
    magics
        The cell magics of the notebook, by name.
    """

    buddy: Buddy
    progress: Progress
    open_panel: Callable[[], object] | None = None
    add_cell: Callable[[str], None] | None = None
    magics: Collection[str] = frozenset()


Function = Callable[[Invocation, str], str]
"""Runs a command with the arguments that were typed, and returns Markdown to show."""


@dataclass(frozen=True)
class Command:
    """One command: how it is typed, what it does, and the function that runs it.

    Parameters
    ----------
    name
        Its name without the slash, in lower case.
    arguments
        What may follow the name, such as ``[PROVIDER]``; empty for nothing.
    description
        What it does, for ``/help`` and the documents.
    function
        Runs it; None for a task, which asks the model.
    """

    name: str
    arguments: str
    description: str
    function: Function | None = None

    @property
    def asks_model(self) -> bool:
        """Whether the command is a task: a prepared prompt for the model."""
        return self.function is None

    @property
    def usage(self) -> str:
        """How the command is typed in a cell."""
        return f"%buddy /{self.name} {self.arguments}".rstrip()


def command(
    name: str, arguments: str, description: str
) -> Callable[[Function], Command]:
    """Declare a function as a command; the parameters are those of `Command`.

    The result replaces the function. Users can type the command once it is listed in
    `table.COMMANDS`.
    """

    def declare(function: Function) -> Command:
        return Command(name, arguments, description, function)

    return declare
