"""The cell that the code of an answer becomes, and where it does not become one."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.errors import CutOff
from codebuddy_jupyter.ipython.code_cell import BELOW, REPLACED, CodeCell
from codebuddy_jupyter.markdown.safe import fence
from tests.support.replies import ended

CODE = fence("x = 1", "python")


@pytest.fixture
def shell() -> Any:
    """A shell with the cell magic ``%%bash``."""
    return SimpleNamespace(
        magics_manager=SimpleNamespace(magics={"cell": {"bash": print}})
    )


def test_code_becomes_a_cell(loop: Loop, shell: Any) -> None:
    reply = ended(loop, CODE, format="code")
    cell = CodeCell(shell, replaces_cell=False)
    assert (cell.source(reply), cell.line(reply)) == ("x = 1", BELOW)
    assert CodeCell(shell, replaces_cell=True).line(reply) == REPLACED


def test_an_answer_with_other_code_is_shown_as_well(loop: Loop, shell: Any) -> None:
    reply = ended(loop, f"{fence('ls', 'bash')}\n{CODE}", format="code")
    cell = CodeCell(shell, replaces_cell=False)
    assert (cell.source(reply), cell.line(reply)) == ("x = 1", "")


def test_what_no_cell_can_run_is_shown(loop: Loop, shell: Any) -> None:
    reply = ended(loop, fence("SELECT 1", "sql"), format="code")
    cell = CodeCell(shell, replaces_cell=False)
    assert (cell.source(reply), cell.line(reply)) == (None, "")


def test_an_answer_that_broke_off_becomes_no_cell(loop: Loop, shell: Any) -> None:
    reply = ended(loop, CODE, CutOff("It broke off."), format="code")
    assert CodeCell(shell, replaces_cell=False).source(reply) is None


def test_a_kept_answer_adds_no_second_cell(loop: Loop, shell: Any) -> None:
    reply = ended(loop, CODE, format="code")
    reply.replayed = datetime.now(UTC)
    cell = CodeCell(shell, replaces_cell=False)
    assert (cell.source(reply), cell.line(reply)) == (None, "")
