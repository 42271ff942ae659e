"""Replies as values of cells in a terminal.

IPython writes ``Out[n]: `` before it knows whether a value shows itself, as a reply
does.
"""

from __future__ import annotations

import sys
from typing import Any


class ReplyHook:
    """A display hook that shows a reply without the prompt of an output.

    All else, and what becomes of ``_`` and ``Out``, is left to the shell's own hook.

    Parameters
    ----------
    shell
        The IPython shell of a terminal.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._trap = shell.display_trap
        self._hook = shell.display_trap.hook

    def install(self) -> None:
        """Take the place of the shell's hook, in the cell that runs as well."""
        self._trap.hook = self
        if sys.displayhook is self._hook:
            sys.displayhook = self

    def remove(self) -> None:
        """Give the place back, unless another hook has taken it."""
        if self._trap.hook is self:
            self._trap.hook = self._hook

    def __call__(self, result: Any = None) -> None:
        """Show the value of a cell."""
        if not _is_reply(result):
            self._hook(result)
            return
        # Before IPython 9, no value could show itself in a terminal.
        shows_itself = self._shell.display_formatter.ipython_display_formatter
        was_enabled = shows_itself.enabled
        shows_itself.enabled = True
        self._hook.write_output_prompt = _write_nothing
        try:
            self._hook(result)
        finally:
            del self._hook.write_output_prompt
            shows_itself.enabled = was_enabled


def _is_reply(value: object) -> bool:
    # A value can only be one once this module has been imported.
    module = sys.modules.get(f"{__name__.partition('.')[0]}.chat.reply")
    return module is not None and isinstance(value, module.Reply)


def _write_nothing() -> None:
    pass
