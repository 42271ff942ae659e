"""Widgets with a script of their own: messages both ways, checked and never late."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import ipywidgets
import pytest

from codebuddy_jupyter.widgets.page import (
    Content,
    PageWidget,
    answer_while_a_cell_runs,
    close,
    help_of,
)


class Keeping(PageWidget):
    """Keeps the messages of its page."""

    _esm = "export default {};"

    def __init__(self) -> None:
        self.received: list[Content] = []
        super().__init__()

    def take_key(self, content: Content) -> None:
        """Keep a message with a key."""
        self.received.append(content)


@pytest.fixture
def widget() -> Iterator[Keeping]:
    widget = Keeping()
    yield widget
    widget.close()


def test_a_message_goes_to_the_method_of_its_type(widget: Keeping) -> None:
    message = {"type": "key", "key": "sk-1"}
    widget.receive(message)
    assert widget.received == [message]


@pytest.mark.parametrize(
    "content",
    [
        {"type": "key"},
        {"type": "key", "key": 1},
        {"type": "unknown", "key": "sk-1"},
        {"type": "ready"},
        {"key": "sk-1"},
        "key",
        None,
    ],
    ids=repr,
)
def test_a_message_that_nothing_handles_is_ignored(
    widget: Keeping, content: object
) -> None:
    widget.receive(content)
    assert widget.received == []


def test_a_message_is_dropped_after_the_widget_was_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    widget = Keeping()
    sent: list[object] = []
    monkeypatch.setattr(widget, "send", sent.append)
    widget.post({"type": "state"})
    widget.close()
    widget.post({"type": "state"})
    assert sent == [{"type": "state"}]


def test_messages_are_handled_on_the_subshell_that_they_came_to() -> None:
    comm = SimpleNamespace(_reply_subshell_for=lambda data, default: "main")
    answer_while_a_cell_runs(SimpleNamespace(comm=comm))
    assert comm._reply_subshell_for({}, "subshell") == "subshell"


def test_a_kernel_without_subshells_is_left_alone() -> None:
    comm = SimpleNamespace()
    answer_while_a_cell_runs(SimpleNamespace(comm=comm))
    assert vars(comm) == {}


def test_layout_and_style_are_closed_with_their_widget() -> None:
    button = ipywidgets.Button()
    parts = [button, button.layout, button.style]
    assert all(part.comm is not None for part in parts)
    close(button)
    assert [part.comm for part in parts] == [None, None, None]


def test_a_tooltip_is_set_by_the_name_that_this_ipywidgets_has() -> None:
    (name,) = help_of("Why")
    widget = ipywidgets.Text(**help_of("Why"))
    assert getattr(widget, name) == "Why"
