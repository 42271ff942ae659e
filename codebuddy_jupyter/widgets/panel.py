"""The panel as a whole: settings above, chat below.

Several may be open on one Buddy, and all show the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets

from ..buddy import Buddy
from .chat_view import ChatView
from .page import answer_while_a_cell_runs, close, help_of
from .settings_form import SettingsForm


class Panel(ipywidgets.VBox):
    """A widget to end a cell with.

    Parameters
    ----------
    buddy
        Who answers.
    shell
        The shell of the notebook.
    """

    def __init__(self, buddy: Buddy, shell: Any) -> None:
        self.shell = shell
        # Here, in the thread of the cell, so that looks from other threads know the
        # kernel's own event loop.
        buddy.collector.describers.begin()
        self.form = SettingsForm(buddy)
        self.chat = ChatView(buddy, shell, self.form.after)
        self.settings = ipywidgets.ToggleButton(
            value=True,
            description="Settings",
            layout={"width": "auto"},
            **help_of("Show or hide the settings"),
        )
        self.leave = ipywidgets.Button(
            description="Close", tooltip="Close the panel", layout={"width": "auto"}
        )
        self.bar = ipywidgets.HBox(
            [self.settings, self.leave], layout={"justify_content": "space-between"}
        )
        super().__init__([self.bar, self.form, self.chat])
        self.add_class("codebuddy-panel")
        for widget in (self.settings, self.leave):
            answer_while_a_cell_runs(widget)
        self.settings.observe(self._fold, "value")
        self.leave.on_click(lambda _: self.close())
        shell.events.register("pre_run_cell", self._note_cell)
        shell.events.register("post_run_cell", self._note_end)
        self._is_open = True

    def __repr__(self) -> str:
        return "The panel of codebuddy. Run the cell to open it."

    def close(self) -> None:
        """Take the panel out of every page.

        Answers that were asked in it are stopped, others go on.
        """
        if not self._is_open:
            return
        self._is_open = False
        self.shell.events.unregister("pre_run_cell", self._note_cell)
        self.shell.events.unregister("post_run_cell", self._note_end)
        close(self.form, self.chat, self.settings, self.leave, self.bar)
        super().close()
        self.layout.close()

    def _fold(self, change: Mapping[str, Any]) -> None:
        self.form.layout.display = "flex" if change["new"] else "none"

    def _note_cell(self, info: Any = None) -> None:
        self.chat.note_cell(getattr(info, "cell_id", None) or "")

    def _note_end(self, result: Any = None) -> None:
        self.chat.note_end()
