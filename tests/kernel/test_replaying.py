"""Restart and Run All, as nbclient does it: first with a server, then without any."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbclient.exceptions import CellExecutionError

from codebuddy_jupyter.chat.answer_file import AnswerFile
from tests.support.run_all import (
    FAILS,
    Cells,
    answers,
    outputs,
    restart_and_run_all,
    write_notebook,
)
from tests.support.scripted_server import ScriptedServer, reply

SOURCES = [
    "%load_ext codebuddy_jupyter",
    "import random\nnumbers = [random.random() for _ in range(3)]\nprint('ready')",
    "%buddy what is the mean of numbers?",
    f"{FAILS}\nnumbers['a']",
    "%buddy /fix",
    "def half(x):\n    return x / 2",
    "%buddy /explain",
    "%%buddy -f code\nthe largest of numbers",
    "import codebuddy_jupyter as buddy\n"
    "for _ in range(2):\n    print(buddy.ask('Name a colour.'))",
    "%buddy --new and now?",
]
QUESTIONS = 7


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """The notebook, before its first run."""
    path = tmp_path / "analysis.ipynb"
    write_notebook(path, SOURCES)
    return path


def run(notebook: Path, url: str, replay: str) -> Cells:
    return restart_and_run_all(
        notebook, copied=True, CODEBUDDY_BASE_URL=url, CODEBUDDY_REPLAY=replay
    )


def test_all_cells_run_again_without_the_server(notebook: Path) -> None:
    with ScriptedServer() as server:
        url = server.url
        texts = [f"Answer **{number}**: `1 + {number}`" for number in range(QUESTIONS)]
        server.script(*map(reply, texts))
        first = run(notebook, url, "on")
        assert len(server.asked()) == QUESTIONS
    kept = AnswerFile(notebook.with_name("analysis.buddy.jsonl")).answers()
    assert [answer.answer for answer in kept.in_order] == texts
    second = run(notebook, url, "on")
    third = run(notebook, url, "only")
    assert outputs(second) == outputs(third)
    assert "replayed, from " in answers(second)[0]["data"]["text/plain"]
    for before, after in zip(answers(first), answers(second), strict=True):
        for kind in ("text/markdown", "text/plain"):
            # The last paragraph is the line with the status.
            assert _body(before["data"][kind]) == _body(after["data"][kind])
    assert first[8]["outputs"] == second[8]["outputs"] != []


def _body(text: str) -> str:
    return text.rpartition("\n\n")[0]


def test_with_only_a_changed_cell_stops_run_all_with_one_line(notebook: Path) -> None:
    with ScriptedServer() as server:
        url = server.url
        run(notebook, url, "on")
    changed = [*SOURCES]
    changed[1] += "\nlimit = 3"
    write_notebook(notebook, changed)
    with pytest.raises(CellExecutionError, match="was asked with another context"):
        run(notebook, url, "only")
