"""The lines that tell agents of the notebook."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from codebuddy_jupyter.tools.server.address_file import VARIABLES
from codebuddy_jupyter.tools.server.agents import ways

COMMAND = ["/home/ann lee/.venv/bin/codebuddy", "mcp"]


def lines(command: list[str]) -> dict[str, str]:
    return {way.agent: way.line for way in ways(command)}


@pytest.mark.skipif(sys.platform == "win32", reason="words are quoted otherwise")
def test_each_agent_starts_the_command() -> None:
    told = lines(COMMAND)
    claude = shlex.split(told["Claude Code"])
    assert claude == ["claude", "mcp", "add", "notebook", "--", *COMMAND]
    assert shlex.split(told["Gemini CLI"]) == [
        "gemini",
        "mcp",
        "add",
        "notebook",
        *COMMAND,
    ]
    assert json.loads(told["Cursor"]) == {
        "mcpServers": {"notebook": {"command": COMMAND[0], "args": ["mcp"]}}
    }
    program, option, server = shlex.split(told["VS Code"])
    assert (program, option) == ("code", "--add-mcp")
    assert json.loads(server) == {
        "name": "notebook",
        "command": COMMAND[0],
        "args": ["mcp"],
    }


def test_the_command_is_that_of_this_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = json.loads(lines([])["Cursor"])["mcpServers"]["notebook"]
    assert Path(server["command"]).parent == Path(sys.executable).parent
    # An agent may not have the variables that say where Jupyter's folders are.
    assert server["args"] == ["mcp", "--folder", os.environ["JUPYTER_RUNTIME_DIR"]]
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    server = json.loads(lines([])["Cursor"])["mcpServers"]["notebook"]
    assert server["args"] == ["mcp"]


def test_each_is_one_line() -> None:
    assert all("\n" not in way.line for way in ways())
