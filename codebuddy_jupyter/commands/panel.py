"""``/panel``: the chat and settings beside the code."""

from __future__ import annotations

from ..errors import Remedy, SettingError
from ..markdown.safe import escape
from .command import Invocation, command


def no_panel() -> SettingError:
    """Return the error for a place where no panel can be shown."""
    return SettingError(
        "The panel opens only in a cell of a notebook.",
        Remedy("In a notebook, type", "%buddy /panel"),
        Remedy("Ask without a panel", "%buddy why is df empty?"),
        Remedy("Change settings without a panel", "%config LocalProvider"),
    )


@command("panel", "", "open the panel with chat and settings, in a notebook")
def open_panel(invocation: Invocation, arguments: str) -> str:
    """Open the panel, or explain where it can be opened."""
    if invocation.open_panel is None:
        return escape(str(no_panel()))
    invocation.open_panel()
    return ""
