"""A real headless marimo that serves a notebook as an app."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.kernels import ROOT, clean_environment
from tests.support.lab import SECONDS, end_process, free_port

MARIMO = ROOT / ".venv-marimo"


class MarimoApp:
    """The server of an app of its own; nothing of the user's is used.

    Parameters
    ----------
    home
        An empty folder.
    source
        The source of the app.
    environment
        More environment variables.
    """

    def __init__(self, home: Path, source: str, **environment: str) -> None:
        self.home = home
        self.file = home / "app.py"
        self.file.write_text(source, encoding="utf-8")
        self._environment = clean_environment(
            home,
            PYTHONPATH=os.pathsep.join([str(ROOT), str(MARIMO)]),
            MARIMO_SKIP_UPDATE_CHECK="1",
            **environment,
        )

    def __enter__(self) -> Self:
        assert MARIMO.exists(), "marimo is missing: make .venv-marimo/.done"
        self.url = f"http://127.0.0.1:{free_port()}"
        port = self.url.rpartition(":")[2]
        options = ["--headless", "--no-token", "--host", "127.0.0.1", "--port", port]
        self._log = (self.home / "marimo.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "marimo", "run", str(self.file), *options],
            env=self._environment,
            cwd=self.home,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end_process(self._process)
        self._log.close()

    @property
    def log(self) -> str:
        """What the server and its kernels wrote."""
        return (self.home / "marimo.log").read_text(errors="replace")

    def _wait_until_up(self) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5).close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
            else:
                return
        raise RuntimeError(f"marimo did not start: {self.log[-2000:]}")
