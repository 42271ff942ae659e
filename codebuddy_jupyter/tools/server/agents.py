"""The lines that connect agents to the notebook, in the documented form of each agent.

All of them start ``codebuddy mcp``, which finds the notebook and its key: what is pasted
contains no key, and is still right after a restart.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .address_file import folder, is_usual_folder

NAME = "notebook"
"""What agents call the server."""


@dataclass(frozen=True)
class Way:
    """How an agent is connected.

    Parameters
    ----------
    agent
        Its name.
    where
        Where the line goes, as Markdown.
    line
        What to paste.
    """

    agent: str
    where: str
    line: str


def ways(command: Sequence[str] = ()) -> list[Way]:
    """Return how each agent is connected to the notebook.

    Parameters
    ----------
    command
        What an agent starts; by default ``codebuddy mcp`` of this environment.
    """
    program, *arguments = command or _command()
    typed = _shell_line([program, *arguments])
    started = {"command": program, "args": arguments}
    servers = {"mcpServers": {NAME: started}}
    in_code = json.dumps({"name": NAME, **started})
    return [
        Way("Claude Code", "a terminal", f"claude mcp add {NAME} -- {typed}"),
        Way("Cursor", "`.cursor/mcp.json`", json.dumps(servers)),
        # Quotation marks as VS Code's documentation has them, for all shells.
        Way("VS Code", "a terminal", f"code --add-mcp {json.dumps(in_code)}"),
        Way("Gemini CLI", "a terminal", f"gemini mcp add {NAME} {typed}"),
    ]


def _command() -> list[str]:
    """Return the command, with the folder if an agent would look in another one."""
    place = [] if is_usual_folder() else ["--folder", str(folder())]
    return [_program(), "mcp", *place]


def _program() -> str:
    """Return where the command of this environment is."""
    scripts = Path(sysconfig.get_path("scripts"))
    found = shutil.which("codebuddy", path=str(scripts)) or shutil.which("codebuddy")
    return found or "codebuddy"


def _shell_line(words: Sequence[str]) -> str:
    if sys.platform == "win32":
        return subprocess.list2cmdline(words)
    return shlex.join(words)
