"""A notebook that is run as a whole by nbclient, each time in a new kernel, and saved."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from tests.support.kernels import (
    PYTHONS,
    SECONDS,
    clean_environment,
    command_of,
    specs_of,
)

Cells = list[dict[str, Any]]

FAILS = "# fails"
"""What a cell begins with that may fail."""


def write_notebook(path: Path, sources: Iterable[str]) -> None:
    """Write a notebook of code cells that have not run."""
    cells: Cells = []
    for number, source in enumerate(sources):
        tags = ["raises-exception"] if source.startswith(FAILS) else []
        cells.append(
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "source": source,
                "metadata": {"tags": tags},
                "outputs": [],
                "execution_count": None,
            }
        )
    whole = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole), encoding="utf-8")


def use_copy(client: NotebookClient, home: Path) -> None:
    """Let nbclient run its notebook in a copy of a kernel, as `Kernel` means it."""
    specs = specs_of(command_of(PYTHONS["newest"], copied=True), home)
    client.km = AsyncKernelManager(kernel_name="tested", kernel_spec_manager=specs)


def restart_and_run_all(
    path: Path, *, copied: bool = False, **environment: str
) -> Cells:
    """Run all cells in a new kernel that knows its notebook, save them, and return them.

    The kernels of one folder have one home; ``copied`` is as for `Kernel`.
    """
    text = path.read_text(encoding="utf-8")
    notebook: Any = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    folder = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=int(SECONDS), resources=folder)
    if copied:
        use_copy(client, path.parent)
    known = {"JPY_SESSION_NAME": str(path), **environment}
    client.execute(env=clean_environment(path.parent, **known))
    saved = json.dumps(notebook)
    path.write_text(saved, encoding="utf-8")
    cells: Cells = json.loads(saved)["cells"]
    return cells


def outputs(cells: Cells) -> list[str]:
    """The outputs of each cell, as they are saved."""
    return [json.dumps(cell["outputs"], sort_keys=True) for cell in cells]


def answers(cells: Cells) -> list[dict[str, Any]]:
    """The outputs that are answers."""
    return [
        output
        for cell in cells
        for output in cell["outputs"]
        if "codebuddy" in output.get("metadata", {})
    ]


def seconds_of(cells: Sequence[dict[str, Any]]) -> list[float]:
    """How long the kernel was busy with each cell."""
    times = []
    for cell in cells:
        moments = cell["metadata"]["execution"]
        busy, idle = (
            datetime.fromisoformat(moments[f"iopub.status.{state}"])
            for state in ("busy", "idle")
        )
        times.append((idle - busy).total_seconds())
    return times
