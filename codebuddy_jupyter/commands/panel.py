"""``/panel``: the chat and settings beside the code."""

from __future__ import annotations

import sys

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


def colab_line() -> str:
    """Return what to do if Colab shows no panel, as Markdown; empty where it should show
    one. It is to be called once the panel is made.
    """
    version = getattr(sys.modules.get("ipywidgets"), "__version__", "")
    is_newer = version.partition(".")[0].isdecimal() and not version.startswith("7.")
    if "google.colab" not in sys.modules or not is_newer:
        return ""
    error = SettingError(
        f"Colab may not show the panel: this is ipywidgets {version}.",
        Remedy(
            "If nothing appears, type, and restart the session",
            '%pip install "ipywidgets==7.7.*"',
        ),
    )
    return escape(str(error))


@command("panel", "", "open the panel with chat and settings, in a notebook")
def open_panel(invocation: Invocation, arguments: str) -> str:
    """Open the panel, or explain where it can be opened."""
    if invocation.open_panel is None:
        return escape(str(no_panel()))
    invocation.open_panel()
    return colab_line()
