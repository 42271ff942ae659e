"""What the widgets with a page side of their own have in common: their files, and
messages both ways.

What is said and typed travels in messages, never in synced traits: front ends write
those into the notebook.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
from traitlets import Unicode

STATIC = Path(__file__).parent / "static"
Content = Mapping[str, Any]


class PageWidget(anywidget.AnyWidget):
    """One part of ``panel.js``.

    Messages of the page come to the methods ``take_TYPE``, which return at once.
    """

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"
    part = Unicode().tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        self._sending = threading.Lock()
        super().__init__(**kwargs)
        answer_while_a_cell_runs(self)
        self.on_msg(self._receive)

    def tell(self, kind: str, **content: Any) -> None:
        """Send a message to every page that shows the widget; from any thread.

        After `close` nobody is told.
        """
        with self._sending:
            if self.comm is not None:
                self.send({"type": kind, **content})

    def close(self) -> None:
        """Take the widget out of every page."""
        with self._sending:
            super().close()

    def _receive(self, widget: object, content: Content, buffers: object) -> None:
        method = getattr(self, f"take_{content.get('type', '')}", None)
        if method is not None:
            method(content)


def answer_while_a_cell_runs(widget: ipywidgets.Widget) -> None:
    """Let ipykernel 7.4 take the widget's messages at once.

    It takes each on the subshell that last sent over the comm. That is the main shell,
    which made the widget, so a click would wait for the cell that runs.
    """
    if hasattr(widget.comm, "_reply_subshell_for"):
        widget.comm._reply_subshell_for = lambda data, default: default


def close(*widgets: ipywidgets.Widget) -> None:
    """Close widgets with what they were made with: of themselves they leave their
    layout and their style behind.
    """
    for widget in widgets:
        parts = [getattr(widget, name, None) for name in ("layout", "style")]
        widget.close()
        for part in parts:
            if isinstance(part, ipywidgets.Widget):
                part.close()


def help_of(text: str) -> dict[str, str]:
    """The argument that gives a widget a tooltip; ipywidgets 7 calls it otherwise."""
    return {
        "tooltip"
        if "tooltip" in ipywidgets.Text.class_traits()
        else "description_tooltip": text
    }
