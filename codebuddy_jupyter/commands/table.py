"""All commands, the reader of what is typed, and ``/help``.

A text that begins with a slash, after any spaces and blank lines, is a command, in the
magic and in the panel alike. Commands return Markdown and display nothing, except that
``/panel`` opens a panel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..buddy import Buddy
from ..errors import Remedy, SettingError, Unreachable, did_you_mean
from ..markdown.safe import escape
from .apply import apply
from .command import Command, Invocation, command
from .context import show_context
from .conversation import chats, reset, write_export
from .models import load, pull, show_models, unload
from .panel import open_panel
from .provider import doctor, show_version, use
from .replay import replay
from .serve import serve
from .tasks import TASKS, task_prompt
from .undo import undo


class HelpRow(NamedTuple):
    """A row of the help: what to type, and what it does."""

    usage: str
    description: str


SYNTAX = (
    HelpRow("%buddy why is df empty?", "ask a question"),
    HelpRow(
        "%%buddy -m llama3 -t 0",
        "ask with options; the rest of the cell is the prompt",
    ),
    HelpRow("%buddy?", "list all options"),
    HelpRow(
        "@df, @In[3], @Out[3], @error, @plot, @file:data.csv, @pkg:pandas.merge",
        "attach a variable, a cell, an output, the last error, the last figure or a file",
    ),
    HelpRow(
        "{name}, {name.attr}, {name[0]}",
        "insert a value into the prompt; {{name}} is sent as {name}",
    ),
    HelpRow("%config LocalProvider", "show or change settings of the local provider"),
)
"""What can be typed besides commands."""


@command("help", "", "show this table")
def show_help(invocation: Invocation, arguments: str) -> str:
    """Show what can be typed."""
    lines = ["| type | what it does |", "|---|---|"]
    for usage, description in help_rows():
        lines.append(f"| `{usage}` | {escape(description)} |")
    return "\n".join(lines)


def help_rows() -> list[HelpRow]:
    """Return everything that can be typed, for ``/help`` and the documents."""
    rows = list(SYNTAX)
    for listed in COMMANDS.values():
        rows.append(HelpRow(listed.usage, listed.description))
    return rows


def _by_name(*commands: Command) -> Mapping[str, Command]:
    return {listed.name: listed for listed in commands}


# The order is that of the help.
COMMANDS = _by_name(
    *TASKS,
    apply,
    undo,
    show_context,
    use,
    show_models,
    pull,
    load,
    unload,
    doctor,
    reset,
    chats,
    write_export,
    replay,
    serve,
    open_panel,
    show_version,
    show_help,
)
"""Every command by its name."""


@dataclass(frozen=True)
class Call:
    """A command as it was typed.

    Parameters
    ----------
    name
        The name of the command, a key of `COMMANDS`.
    rest
        The rest of its line.
    body
        The lines below.
    """

    name: str
    rest: str = ""
    body: str = ""

    @property
    def arguments(self) -> str:
        """All that was typed after the name."""
        return f"{self.rest}\n{self.body}".strip()

    def prompt(self, buddy: Buddy) -> str | None:
        """Return what a task such as ``/fix`` asks the model; None for other commands.

        Raises
        ------
        PromptError
            When there is no code, error or cell for the task.
        """
        if not COMMANDS[self.name].asks_model:
            return None
        return task_prompt(buddy, self.name, self.rest, self.body)


def read(text: str) -> Call | None:
    """Read what was typed: return a command, or None for a prompt.

    Raises
    ------
    SettingError
        When there is no such command; it suggests the most similar.
    """
    typed = text.lstrip()
    if not typed.startswith("/"):
        return None
    line, _, body = typed.removeprefix("/").partition("\n")
    words = line.split(maxsplit=1)
    name = words[0] if words else ""
    rest = words[1].rstrip() if len(words) > 1 else ""
    if name.lower() not in COMMANDS:
        raise _unknown(name)
    return Call(name.lower(), rest, body)


def _unknown(name: str) -> SettingError:
    names = [f"/{known}" for known in COMMANDS]
    suggestion = did_you_mean(f"/{name.lower()}", names, "%buddy {}")
    return SettingError(
        f"There is no command /{name}.",
        suggestion or Remedy("List all commands", "%buddy /help"),
        Remedy("To ask about a path, put a word before it"),
    )


def run(invocation: Invocation, call: Call) -> str:
    """Run a command and return what to show, as Markdown.

    Parameters
    ----------
    invocation
        What the command has at hand.
    call
        The command, from `read`. A task is asked with `Call.prompt` instead.

    Returns
    -------
    str
        Markdown; empty when there is nothing more to show.

    Raises
    ------
    BuddyError
        When the command fails.
    """
    function = COMMANDS[call.name].function
    if function is None:
        raise ValueError(f"/{call.name} asks the model: use Call.prompt().")
    try:
        return function(invocation, call.arguments)
    except Unreachable as error:
        buddy = invocation.buddy
        explained = buddy.loop.run(buddy.current().instead(error))
        raise explained from error.__cause__
