"""Notebooks in this process: a shell in which cells have run, and a Buddy that asks a
real model about them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session

MODEL_VARIABLE = "CODEBUDDY_BENCH_MODEL"
"""Names a GGUF file: the real model."""


@contextmanager
def notebook(cells: Iterable[str]) -> Iterator[tuple[Any, Session]]:
    """Run cells in a fresh shell; give the shell and its session."""
    InteractiveShell.clear_instance()
    # Without the history of the user, who has asked something else.
    config = Config({"HistoryManager": {"enabled": False}})
    shell: Any = InteractiveShell.instance(config=config)
    session = Session(shell)
    session.listen()
    try:
        for source in cells:
            shell.run_cell(source, store_history=True)
        yield shell, session
    finally:
        session.leave()
        InteractiveShell.clear_instance()


@contextmanager
def real_buddy(session: Session) -> Iterator[Buddy]:
    """A Buddy of a session whose engine has the real model."""
    with tempfile.TemporaryDirectory() as folder:
        buddy = Buddy(settings_path=Path(folder, "codebuddy.json"))
        buddy.collector.session = session
        provider: Any = buddy.provider_named("Embedded")
        provider.model = os.environ.get(MODEL_VARIABLE, "")
        buddy.provider = "Embedded"
        try:
            yield buddy
        finally:
            buddy.close()
