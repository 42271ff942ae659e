"""A session in this process: cells that run, and what they display."""

from __future__ import annotations

import os
import time
import types
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.context.items import Notebook
from codebuddy_jupyter.context.session import Session

# seconds, more than a run of all tests takes
DAY = 86_400.0


FUTURE = time.time() + DAY


PAST = time.time() - DAY


def forget_outputs(shell: InteractiveShell) -> None:
    """Remove the outputs of earlier tests, which IPython keeps for the process."""
    for kept in ("outputs", "exceptions"):
        getattr(shell.history_manager, kept, {}).clear()


def run(source: str, id: str | None = None) -> None:
    shell: Any = InteractiveShell.instance()
    shell.run_cell(source, store_history=True, cell_id=id)


def at(path: Path, seconds: float) -> None:
    os.utime(path, (seconds, seconds))


def states(notebook: Notebook) -> list[tuple[str, int | None, str]]:
    return [(cell.id, cell.number, cell.state) for cell in notebook.cells]


def display(
    session: Session, data: dict[str, Any], kind: str = "display_data", **transient: str
) -> None:
    """What ipykernel's publisher does when a running cell displays something."""
    session.on_start(
        types.SimpleNamespace(raw_cell="plot()", cell_id="plot", store_history=True)
    )
    message = {
        "header": {"msg_type": kind},
        "content": {"data": data, "metadata": {}, "transient": transient},
    }
    assert session.on_display(message) is message
