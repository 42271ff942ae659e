"""The complete panel: a line about the provider, the settings under it, and below the
conversation.

Several may be open on one Buddy, and all show the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets

from ..buddy import Buddy
from .chat_view import ChatView
from .page import answer_while_a_cell_runs, close, help_of
from .settings_form import HIDDEN, SettingsForm

NARROW = {"width": "auto"}
CLOSED = "The panel of an earlier session. Open a new one: %buddy /panel"


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
        # Here, in the cell's thread, so that other threads know the kernel's own
        # event loop when they describe variables.
        buddy.collector.describers.begin()
        self._is_open = False
        self._has_trouble = False
        self._has_unfolded = False
        self.form = SettingsForm(buddy, self._show_trouble)
        self.chat = ChatView(buddy, shell, self.form.note_end)
        self._make_bar()
        super().__init__([self.bar, self.form, self.chat])
        self.add_class("codebuddy-panel")
        self._hooks = {
            "pre_run_cell": self._before_cell,
            "post_run_cell": self._after_cell,
        }
        for event, hook in self._hooks.items():
            shell.events.register(event, hook)
        self._is_open = True
        if self._has_trouble:
            self._unfold_once()

    def __repr__(self) -> str:
        return "The panel of codebuddy. Run the cell to open it."

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # A tool that saves all variables cannot save what is on a page: what it loads
        # again is a text that says how to open another.
        return str, (CLOSED,)

    def __copy__(self) -> Panel:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Panel:
        return self

    @property
    def is_open(self) -> bool:
        """Whether pages can show it."""
        return self._is_open

    def fit_sidebar(self) -> None:
        """Fold the settings, and leave closing to the sidebar."""
        self.settings.value = False
        self.leave.layout.display = HIDDEN

    def close(self) -> None:
        """Take the panel out of every page.

        Answers to questions typed in it are stopped, others go on.
        """
        if not self._is_open:
            return
        self._is_open = False
        for event, hook in self._hooks.items():
            self.shell.events.unregister(event, hook)
        close(self.form, self.chat, self.settings, self.leave, self.bar)
        super().close()
        self.layout.close()

    def _make_bar(self) -> None:
        self.settings = ipywidgets.ToggleButton(
            value=False,
            description="Settings",
            layout=NARROW,
            **help_of("Show or hide the settings"),
        )
        self.settings.add_class("codebuddy-fold")
        self.settings.observe(self._on_fold, "value")
        self.leave = ipywidgets.Button(
            description="Close",
            tooltip="Close the panel",
            layout=NARROW,
        )
        self.leave.on_click(lambda _: self.close())
        for widget in (self.settings, self.leave):
            answer_while_a_cell_runs(widget)
        self.bar = ipywidgets.HBox([self.form.view, self.settings, self.leave])
        self.bar.add_class("codebuddy-bar")

    def _on_fold(self, change: Mapping[str, Any]) -> None:
        self.form.show(change["new"])

    def _show_trouble(self) -> None:
        """Unfold the settings for what is wrong when the panel opens.

        Later the user knows where they are, and the answers say what is wrong.
        """
        self._has_trouble = True
        # The background loop can be sooner than the end of the constructor.
        if self._is_open:
            self._unfold_once()

    def _unfold_once(self) -> None:
        if not self._has_unfolded:
            self._has_unfolded = True
            self.settings.value = True

    def _before_cell(self, info: Any = None) -> None:
        cell = getattr(info, "cell_id", None) or ""
        self.chat.note_cell(cell)

    def _after_cell(self, result: Any = None) -> None:
        self.chat.note_end()
