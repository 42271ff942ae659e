"""``/undo``, after a cell that was proposed and accepted has run in the shell."""

from __future__ import annotations

import json
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands.undo import NO_NOTEBOOK, NOTHING, undone_lines
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import PromptError, SettingError
from codebuddy_jupyter.ipython.extension import Extension
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.tools.undo import Undone
from tests.support.command_line import run_line
from tests.support.fakes import fake_of
from tests.support.sessions import run


@pytest.fixture
def notebook(buddy: Buddy, shell: InteractiveShell) -> Buddy:
    """A Buddy in a shell that reports what it runs."""
    extension: Any = Extension(shell)
    buddy.collector.session = Session(shell)
    extension._buddy_and_display = buddy, None
    shell.events.unregister("post_run_cell", extension._after_loading_cell)
    shell.events.unregister("pre_run_cell", extension._before_next_cell)
    return buddy


def propose(buddy: Buddy, code: str) -> None:
    choice = {"look": "propose_cell", "code": code, "after": 0}
    fake_of(buddy).replies = [[json.dumps(choice)], ["Done."]]
    buddy.ask("do it", Options(propose=True)).result()


def test_a_proposed_cell_is_applied_run_and_undone(
    notebook: Buddy, shell: InteractiveShell
) -> None:
    run("rows = [1]\nx = 1")
    rows = shell.user_ns["rows"]
    propose(notebook, "rows.append(2)\nx = y = 3\nprint()")
    cells: list[str] = []
    run_line(notebook, "/apply", add_cell=cells.append)
    run(cells[0])
    assert shell.user_ns["x"] == 3
    shown = run_line(notebook, "/undo")
    assert shown.splitlines()[:3] == [
        "- restored: x",
        "- with their former contents: rows",
        "- deleted, since they did not exist: y",
    ]
    assert "not undone, if the code did such things: files" in shown
    assert shell.user_ns["rows"] is rows
    assert (rows, shell.user_ns["x"]) == ([1], 1)
    assert "y" not in shell.user_ns
    with pytest.raises(SettingError, match="No run of a proposed cell"):
        run_line(notebook, "/undo")


def test_a_proposed_cell_that_fails_is_undone_as_well(
    notebook: Buddy, shell: InteractiveShell
) -> None:
    propose(notebook, "x = 1\nx / 0")
    cells: list[str] = []
    run_line(notebook, "/apply", add_cell=cells.append)
    run(cells[0])
    assert run_line(notebook, "/undo") == "- deleted, since they did not exist: x"


def test_cells_that_nobody_proposed_cannot_be_undone(
    notebook: Buddy, shell: InteractiveShell
) -> None:
    propose(notebook, "x = 1")
    run("x = 1")
    with pytest.raises(SettingError, match="No run of a proposed cell"):
        run_line(notebook, "/undo")
    assert shell.user_ns["x"] == 1


def test_without_a_notebook_there_is_nothing_to_undo(buddy: Buddy) -> None:
    with pytest.raises(PromptError, match=NO_NOTEBOOK):
        run_line(buddy, "/undo")


def test_the_text_names_all_that_was_and_was_not_undone() -> None:
    undone = Undone(["a"], ["b"], ["c"], ["d"], ["e", "f*"], ["changes inside g"])
    lines = undone_lines(undone)
    assert len(lines) == 6
    assert lines[4].endswith("changed again: e, f*")
    assert undone_lines(Undone()) == [NOTHING]
