"""The tour: a notebook in JupyterLab, or executed in the terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from ..buddy import Buddy
from ..commands import pull_model
from ..display.formats import plain
from ..display.live import ProgressLines
from ..display.screens import GROWING
from ..errors import BuddyError, ModelNotFound, ProviderError, Remedy
from ..settings.files import replacing

CELL_TIMEOUT = 600
"""Seconds that one cell of the tour may take."""

DISPLAYED = ("display_data", "update_display_data", "execute_result")
"""The types of messages that carry an output to display."""


DEFAULT_MODEL = "qwen2.5-coder-1.5b"
"""What the built-in engine downloads if there is no model."""

SMALL_MODEL = "smollm2-135m"
"""What it can download instead, in a few seconds."""


def run_demo(*, headless: bool, model: str = "") -> int:
    """Run the tour and return the exit status.

    It uses a model server that is already running, or the built-in engine.

    Parameters
    ----------
    headless
        Execute the tour in this terminal instead of opening JupyterLab.
    model
        What the built-in engine shall run; empty: a server, if one runs.

    Raises
    ------
    BuddyError
        If there is no model, and none can be downloaded.
    """
    chosen, reason = choose_model(model)
    sys.stdout.write(f"{reason}\n\n")
    sys.stdout.flush()
    environment = {**os.environ, **chosen}
    tour = tour_notebook()
    if headless:
        return run_headless(tour, environment)
    return open_lab(tour, environment)


def choose_model(model: str = "") -> tuple[dict[str, str], str]:
    """Return the environment variables that select a model for the tour, and a line that
    says which it is and how to use another.

    Parameters
    ----------
    model
        What the built-in engine shall run; empty: a server, if one runs.
    """
    provider = os.environ.get("CODEBUDDY_PROVIDER")
    if provider and not model:
        return {}, f"The tour uses {provider}, set by CODEBUDDY_PROVIDER."
    buddy = Buddy()
    try:
        where = "" if model else _server_with_model(buddy)
        if where:
            return {"CODEBUDDY_PROVIDER": "Local"}, (
                f"The tour uses the server at {where}. To use the built-in engine: "
                f"make demo MODEL={DEFAULT_MODEL}"
            )
        name = _embedded_model(buddy, model)
    finally:
        buddy.close()
    chosen = {"CODEBUDDY_PROVIDER": "Embedded", "CODEBUDDY_EMBEDDED_MODEL": name}
    return chosen, (
        f"The tour uses the built-in engine with {name}. To use a model server, start "
        "it, or set CODEBUDDY_BASE_URL=http://localhost:1234/v1"
    )


def _server_with_model(buddy: Buddy) -> str:
    """Return the address of a model server that runs and has a model; empty if none does."""
    local = buddy.ready("Local")
    with suppress(BuddyError):
        if buddy.loop.run(local.models()):
            return local.where()
    return ""


def _embedded_model(buddy: Buddy, model: str) -> str:
    """Return the model that the built-in engine runs, which is downloaded if there is
    none.
    """
    embedded = buddy.ready("Embedded")
    try:
        buddy.loop.run(embedded.choose(model))
    except ModelNotFound:
        wanted = model or DEFAULT_MODEL
        sys.stdout.write("There is no model on this machine yet.\n")
        sys.stdout.write(f"To use a smaller one: make demo MODEL={SMALL_MODEL}\n")
        try:
            pull_model(buddy, wanted, ProgressLines(sys.stdout))
        except BuddyError as error:
            server = Remedy("Start a model server, such as Ollama, and run this again")
            what = f"There is no model for the tour. {error.what}"
            raise ProviderError(what, *error.remedies, server) from error
        return wanted
    return model or embedded.model or buddy.loop.run(embedded.choose(""))


def tour_notebook() -> Path:
    """Return the tour's notebook.

    In a checkout it is the original, otherwise a copy in the current folder, which is
    never overwritten.
    """
    checkout = Path(__file__).parents[2] / "notebooks" / "tour.ipynb"
    if checkout.exists():
        return checkout
    copy = Path.cwd() / "codebuddy-tour.ipynb"
    if not copy.exists():
        shutil.copyfile(Path(__file__).with_name("tour.ipynb"), copy)
    return copy


def open_lab(tour: Path, environment: Mapping[str, str]) -> int:
    """Open JupyterLab on the tour, wait until it ends, and return its exit status."""
    command = [sys.executable, "-m", "jupyterlab", str(tour)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Jupyter refuses to run as root, as in a container, without this option.
        command.append("--allow-root")
    finished = subprocess.run(command, env=dict(environment), check=False)
    return finished.returncode


def run_headless(tour: Path, environment: Mapping[str, str]) -> int:
    """Execute the tour, stream its answers to the terminal, and return the exit status.

    The executed notebook is written to ``NAME-executed.ipynb`` in the current folder.
    """
    notebook = nbformat.read(tour, as_version=4)  # type: ignore[no-untyped-call]
    executed = Path.cwd() / f"{tour.stem}-executed.ipynb"
    client = TourClient(
        notebook,
        timeout=CELL_TIMEOUT,
        resources={"metadata": {"path": str(tour.parent)}},
        # The kernel's warnings about itself are not part of the tour.
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        client.execute(env=dict(environment))
    except CellExecutionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        write_notebook(notebook, executed)
        sys.stdout.write(f"\nThe executed notebook: {executed}\n")
    return 0


def write_notebook(notebook: Any, path: Path) -> None:
    """Write a notebook, complete or not at all: an earlier one stays until then."""
    text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    with replacing(path) as file:
        file.write(text.encode())


class TourClient(NotebookClient):
    """Executes a notebook and writes its outputs to the terminal as they arrive."""

    _written: str = ""
    _shown: Mapping[str, str] = {}

    async def async_start_new_kernel_client(self) -> Any:
        """Start the kernel as a front end with a user does.

        Answers stream only while somebody watches, and a client that allows input on
        stdin counts as such.
        """
        client = await super().async_start_new_kernel_client()
        client.allow_stdin = True
        return client

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Write what a message shows, then process it as usual."""
        content = msg["content"]
        message_type = msg["msg_type"]
        if message_type == "execute_input":
            self._write_input(content["execution_count"], cell.source)
        elif message_type == "clear_output":
            self._shown = {}
        elif message_type in DISPLAYED:
            self._write_output(content)
        elif message_type == "stream":
            sys.stdout.write(plain(content["text"]))
        elif message_type == "error":
            traceback = "\n".join(content["traceback"])
            sys.stdout.write(f"{traceback}\n")
        sys.stdout.flush()
        return super().process_message(msg, cell, cell_index)

    def _write_input(self, number: int, source: str) -> None:
        self._written = ""
        self._shown = {}
        indented = "\n    ".join(source.splitlines())
        sys.stdout.write(f"\n[{number}] {indented}\n\n")

    def _write_output(self, content: Mapping[str, Any]) -> None:
        """Write what is new in an output; an output that is final is written as text."""
        transient = content.get("transient") or {}
        if transient.get("codebuddy_waiting"):
            return
        metadata = content["metadata"].get("codebuddy", {})
        data = content["data"]
        shown = data.get("text/plain", GROWING)
        is_growing = shown == GROWING
        if is_growing:
            shown = data["text/markdown"]
        display_id = transient.get("display_id", "")
        self._shown = {**self._shown, display_id: shown}
        text = "".join(self._shown.values())
        if text.startswith(self._written):
            new_text = text.removeprefix(self._written)
            sys.stdout.write(plain(new_text))
            self._written = text
        elif metadata and not is_growing:
            sys.stdout.write(f"\n\n{plain(text)}")
        if not is_growing:
            sys.stdout.write("\n")
