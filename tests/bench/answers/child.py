"""A child process that answers requests, each a line of JSON."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.support.kernels import ROOT, clean_environment

Request = dict[str, Any]
Answered = dict[str, Any]


class Ended(Exception):
    """The child ended before it answered, or took too long and was ended."""


class Child:
    """A Python process that runs a module; use it as a context manager.

    Parameters
    ----------
    module
        The module, which calls `serve`.
    home
        A folder of its own: the user's home, in which it works.
    environment
        More environment variables.
    """

    def __init__(self, module: str, home: Path, **environment: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=home,
            env=clean_environment(home, **_paths(), **environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def ask(self, request: Request, seconds: float) -> Answered:
        """Return the answer to a request.

        Raises
        ------
        Ended
            If the child ends, or takes longer than so many seconds.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        limit = threading.Timer(seconds, self._process.kill)
        limit.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError as error:
            raise Ended(str(error)) from error
        finally:
            limit.cancel()
        if not line:
            raise Ended("no answer")
        answered: Answered = json.loads(line)
        return answered

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait(30)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # What was never read does not matter any more.
                _close(pipe)


def serve(answer: Callable[[Request], Answered]) -> None:
    """Answer each request of the parent, as the module that the child runs.

    Nothing that is printed meanwhile comes between the answers.
    """
    requests = sys.stdin
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        sys.stdout = io.StringIO()
        # The code of an answer may ask the user something.
        sys.stdin = io.StringIO()
        for line in requests:
            answered = answer(json.loads(line))
            print(json.dumps(answered), file=answers, flush=True)


def _paths() -> dict[str, str]:
    """Return where the child finds the tests and this process's packages."""
    folders = [str(ROOT), *filter(None, sys.path)]
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys(folders)), "MPLBACKEND": "agg"}


def _close(pipe: io.TextIOBase | Any) -> None:
    try:
        pipe.close()
    except OSError:
        # A request that the ended process did not read is still in the pipe.
        return
