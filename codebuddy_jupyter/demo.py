"""The tour: in JupyterLab, or run in the terminal with the answers shown as they
stream.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from .buddy import Buddy
from .display.formats import plain
from .display.screens import GROWING
from .errors import BuddyError, ProviderError

# seconds that one cell of the tour may take
CELL_TIME = 600


def run_demo(*, headless: bool) -> int:
    """Run the tour; gives the exit status.

    It asks the local server that the settings name where one answers, else the embedded
    engine.
    """
    provider, why = choose_provider()
    sys.stdout.write(f"{why}\n\n")
    environment = {**os.environ, "CODEBUDDY_PROVIDER": provider}
    tour = tour_notebook()
    return run_headless(tour, environment) if headless else open_lab(tour, environment)


def choose_provider() -> tuple[str, str]:
    """The provider for the tour, and a line that says which, and how to change it."""
    if named := os.environ.get("CODEBUDDY_PROVIDER"):
        return named, f"The tour asks {named}, as CODEBUDDY_PROVIDER says."
    buddy = Buddy()
    local = buddy.provider_named("Local")
    try:
        local.read_environment()
        buddy.loop.run(local.models())
    except ProviderError:
        return "Embedded", (
            f"Nothing answers at {local.where()}, so the tour uses the "
            "embedded engine and its demo model. To use a "
            "server of your own, start it, or set CODEBUDDY_BASE_URL=http://localhost:1234/v1"
        )
    except BuddyError as error:
        return "Embedded", f"The tour uses the embedded engine. ({error})"
    finally:
        buddy.close()
    return (
        "Local",
        (
            f"The tour asks the server at {local.where()}. For the demo model: "
            "CODEBUDDY_PROVIDER=embedded"
        ),
    )


def tour_notebook() -> Path:
    """The tour: in a checkout where it stands, else a copy in this folder, which is
    never overwritten.
    """
    checkout = Path(__file__).parent.parent / "notebooks" / "tour.ipynb"
    if checkout.exists():
        return checkout
    copy = Path.cwd() / "codebuddy-tour.ipynb"
    if not copy.exists():
        shutil.copyfile(Path(__file__).with_name("tour.ipynb"), copy)
    return copy


def open_lab(tour: Path, environment: Mapping[str, str]) -> int:
    """Open JupyterLab on the tour, and wait until it is closed."""
    command = [sys.executable, "-m", "jupyterlab", str(tour)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # as root, in a container, Jupyter wants to be told
        command.append("--allow-root")
    return subprocess.run(command, env=dict(environment), check=False).returncode


def run_headless(tour: Path, environment: Mapping[str, str]) -> int:
    """Execute the tour with the answers streaming to the terminal; leaves
    ``NAME-executed.ipynb`` in this folder.
    """
    notebook = nbformat.read(tour, as_version=4)  # type: ignore[no-untyped-call]
    left = Path.cwd() / f"{tour.stem}-executed.ipynb"
    client = TourClient(
        notebook,
        timeout=CELL_TIME,
        resources={"metadata": {"path": str(tour.parent)}},
        # the kernel's warnings about itself are no part of the tour
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        client.execute(env=dict(environment))
    except CellExecutionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        nbformat.write(notebook, left)  # type: ignore[no-untyped-call]
        sys.stdout.write(f"\nThe executed notebook: {left}\n")
    return 0


class TourClient(NotebookClient):
    """Executes a notebook, and writes to the terminal what a person would see come."""

    _written: str = ""
    _shown: Mapping[str, str] = {}

    async def async_start_new_kernel_client(self) -> Any:
        """Start as ever, but say that somebody watches: without that, an answer is
        shown at its end only.
        """
        client = await super().async_start_new_kernel_client()
        client.allow_stdin = True
        return client

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Write what a message brings, and take note of it as ever."""
        content = msg["content"]
        if msg["msg_type"] == "execute_input":
            self._written, self._shown = "", {}
            source = "\n    ".join(cell.source.splitlines())
            sys.stdout.write(f"\n[{content['execution_count']}] {source}\n\n")
        elif msg["msg_type"] == "clear_output":
            self._shown = {}
        elif msg["msg_type"] in (
            "display_data",
            "update_display_data",
            "execute_result",
        ):
            self._write(content)
        elif msg["msg_type"] == "stream":
            sys.stdout.write(plain(content["text"]))
        elif msg["msg_type"] == "error":
            sys.stdout.write("\n".join([*content["traceback"], ""]))
        sys.stdout.flush()
        return super().process_message(msg, cell, cell_index)

    def _write(self, content: Mapping[str, Any]) -> None:
        """Write how the shown text has grown; what stays is shown by its plain text."""
        told = content["metadata"].get("codebuddy", {})
        if told.get("waiting"):
            return
        data, id = (
            content["data"],
            (content.get("transient") or {}).get("display_id", ""),
        )
        grows = data["text/plain"] == GROWING
        shown = data["text/markdown"] if grows else data["text/plain"]
        self._shown = {**self._shown, id: shown}
        text = "".join(self._shown.values())
        if text.startswith(self._written):
            sys.stdout.write(plain(text[len(self._written) :]))
            self._written = text
        elif told:
            sys.stdout.write(f"\n\n{plain(text)}")
        if not grows:
            sys.stdout.write("\n")
