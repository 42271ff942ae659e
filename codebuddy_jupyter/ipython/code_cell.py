"""The cell that the code of an answer becomes, with ``-f code``.

An answer that was kept and is given again puts nothing into the notebook: on Restart
and Run All, each question would add the cell that it has added before.
"""

from __future__ import annotations

from typing import Any

from ..chat.reply import Reply
from ..commands import NewCell, cell_magics, new_cell

BELOW = "The code is in the new cell below. It was not run."
REPLACED = "The code is in this cell now. It was not run."


class CodeCell:
    """What becomes of the code of an answer.

    Parameters
    ----------
    shell
        The IPython shell, whose cell magics there are.
    replaces_cell
        Whether the code replaces the cell that asks.
    """

    def __init__(self, shell: Any, replaces_cell: bool) -> None:
        self._magics = cell_magics(shell)
        self._replaces_cell = replaces_cell

    def source(self, reply: Reply) -> str | None:
        """Return the source of the cell; None if the answer gives none."""
        cell = self._cell(reply)
        if cell is None:
            return None
        return cell.source

    def line(self, reply: Reply) -> str:
        """Return what to show in place of the code; empty if the code is to be shown."""
        cell = self._cell(reply)
        if cell is None or not cell.is_all:
            return ""
        return REPLACED if self._replaces_cell else BELOW

    def _cell(self, reply: Reply) -> NewCell | None:
        if reply.error is not None or reply.replayed is not None:
            return None
        return new_cell(reply.text, self._magics)
