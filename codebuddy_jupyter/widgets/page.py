"""What the widgets with a script of their own have in common: messages both ways.

What is typed and answered travels in messages, never in synced traits, since front
ends write those into the notebook.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import anywidget
import ipywidgets

from .protocol import ProviderRequest
from .received import WrongFields, read_message
from .subshell import answer_on_subshell

Content = Mapping[str, Any]


class PageWidget(anywidget.AnyWidget):
    """A widget with a script in the page.

    Messages of the page come to `receive`, which hands them to the methods
    ``take_TYPE``. They return at once.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._sending = threading.Lock()
        super().__init__(**kwargs)
        answer_while_a_cell_runs(self)
        self.on_msg(lambda widget, content, buffers: self.receive(content))

    def post(self, message: Mapping[str, Any]) -> None:
        """Send a message to every page that shows the widget, from any thread.

        After `close` it is dropped.
        """
        with self._sending:
            if self.comm is not None:
                self.send(message)

    def receive(self, content: object) -> None:
        """Handle a message of the page; invalid ones are ignored."""
        try:
            message = read_message(content, ProviderRequest)
        except WrongFields:
            return
        if message is None:
            return
        take = getattr(self, f"take_{message['type']}", None)
        if take is not None:
            take(message)

    def close(self) -> None:
        """Remove the widget from every page."""
        with self._sending:
            super().close()


def answer_while_a_cell_runs(widget: ipywidgets.Widget) -> None:
    """Let the kernel handle the widget's messages at once, even while a cell runs."""
    answer_on_subshell(widget.comm)


def close(*widgets: ipywidgets.Widget) -> None:
    """Close widgets with their layout and style, which ipywidgets leaves open."""
    for widget in widgets:
        parts = [getattr(widget, name, None) for name in ("layout", "style")]
        widget.close()
        for part in parts:
            if isinstance(part, ipywidgets.Widget):
                part.close()


def help_of(text: str) -> dict[str, str]:
    """Return the argument that gives a widget a tooltip."""
    if "tooltip" in ipywidgets.Text.class_traits():
        return {"tooltip": text}
    # The name in ipywidgets 7.
    return {"description_tooltip": text}
