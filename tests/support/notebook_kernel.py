"""A real kernel in which a notebook is run as a front end runs it, and what a server
then hears of it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.facts import NOTEBOOKS, QUESTIONS, Question, as_run
from tests.support.kernels import Cell, Kernel
from tests.support.kinds import LLAMA_CPP, Played
from tests.support.scripted_server import ScriptedServer, as_json, delta, stream

# of English and code, with the tokenizers of today's local models
BYTES_PER_TOKEN = 3.5


class NotebookKernel(Kernel):
    """A kernel that belongs to a notebook: it is told the file, and with each cell that
    cell's id.

    Parameters
    ----------
    notebook
        The file; the kernel's folder is the file's.
    copied
        As for `Kernel`.
    environment
        More environment variables.
    """

    def __init__(
        self, notebook: Path, *, copied: bool = False, **environment: str
    ) -> None:
        super().__init__(
            Path(sys.executable),
            notebook.parent,
            copied=copied,
            JPY_SESSION_NAME=str(notebook),
            MPLBACKEND="agg",
            **environment,
        )
        self.notebook = notebook

    def ask(self, question: str) -> Cell:
        """Ask in a cell of its own, without earlier turns."""
        cell = self.run_cell("asking", f"%%buddy --new\n{question}")
        assert cell.status == "ok", cell.outputs
        return cell


def played(window: int) -> Played:
    """A llama.cpp whose model has a window of so many tokens.

    It tells no usage, so that nothing is learnt from it.
    """
    models: dict[str, Any] = {
        "id": "coder",
        "owned_by": "llamacpp",
        "meta": {"n_ctx": window},
    }
    return replace(
        LLAMA_CPP,
        chosen="coder",
        window=window,
        answers={
            **LLAMA_CPP.answers,
            "/v1/models": as_json(
                {"object": "list", "data": [models]}, Server="llama.cpp"
            ),
            "/props": as_json(
                {"default_generation_settings": {"n_ctx": window}}, Server="llama.cpp"
            ),
        },
        reply=stream(delta("An answer."), delta(finish="stop")),
    )


def copy_notebook(notebook: str, folder: Path) -> Path:
    """The notebook and the data that it reads, in a folder of the test's own."""
    shutil.copytree(NOTEBOOKS / "data", folder / "data")
    return Path(shutil.copy(NOTEBOOKS / f"{notebook}.ipynb", folder))


@contextmanager
def run_notebook(notebook: str, folder: Path, url: str) -> Iterator[NotebookKernel]:
    """A kernel in which the buddy was loaded and the notebook's cells were then run,
    and which was then saved.
    """
    file = copy_notebook(notebook, folder)
    with NotebookKernel(file, copied=True, CODEBUDDY_BASE_URL=url) as kernel:
        kernel.run_cell("loading", "%load_ext codebuddy_jupyter")
        for id, source in as_run(notebook):
            kernel.run_cell(id, source)
        file.touch()
        yield kernel


def sent(record: Mapping[str, Any]) -> str:
    """All text of a recorded request to a chat."""
    contents = [message["content"] for message in record["body"]["messages"]]
    parts = [
        part.get("text", "")
        for content in contents
        if isinstance(content, list)
        for part in content
    ]
    return "\n".join(
        [*(content for content in contents if isinstance(content, str)), *parts]
    )


def tokens_of(text: str) -> int:
    """How many tokens a text has, about."""
    return int(len(text.encode()) / BYTES_PER_TOKEN)


def told_in(notebook: str, folder: Path, window: int) -> dict[Question, str]:
    """What the server hears for each question about a notebook, at a window of so many
    tokens.
    """
    with (
        ScriptedServer() as server,
        run_notebook(notebook, folder, played(window).on(server)) as kernel,
    ):
        found = {}
        for question in (one for one in QUESTIONS if one.notebook == notebook):
            kernel.ask(question.text)
            found[question] = sent(server.asked()[-1])
    return found


def told(folder: Path, window: int) -> dict[Question, str]:
    """What the server hears for each of all questions."""
    found: dict[Question, str] = {}
    for notebook in dict.fromkeys(question.notebook for question in QUESTIONS):
        (folder / notebook).mkdir(parents=True)
        found |= told_in(notebook, folder / notebook, window)
    return found
