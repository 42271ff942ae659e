"""The panel as a widget: it opens, carries its scripts, and leaves nothing behind."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from copy import copy, deepcopy
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets.widgets import widget as widgets

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import ProviderError
from codebuddy_jupyter.widgets.page import PageWidget
from codebuddy_jupyter.widgets.panel import Panel
from codebuddy_jupyter.widgets.protocol import StateMessage
from codebuddy_jupyter.widgets.received import matches
from tests.support.fakes import FakeProvider, eventually

# Characters of all scripts and styles that a panel brings into the page.
MOST_SCRIPT = 60_000


def run(shell: InteractiveShell, *cells: str) -> None:
    """Run cells one after the other."""
    for cell in cells:
        shell.run_cell(cell)  # type: ignore[no-untyped-call]


def open_widgets() -> int:
    """How many widgets there are; ipywidgets 7 keeps them elsewhere."""
    return len(
        widgets._instances if hasattr(widgets, "_instances") else widgets.Widget.widgets
    )


def hooks(shell: InteractiveShell) -> dict[str, list[Any]]:
    """What a shell calls when it runs a cell."""
    return {name: list(calls) for name, calls in shell.events.callbacks.items()}


@pytest.fixture
def panel(buddy: Buddy, shell: InteractiveShell) -> Iterator[Panel]:
    panel = Panel(buddy, shell)
    yield panel
    panel.close()


def parts(panel: Panel) -> list[PageWidget]:
    """The widgets of a panel that have a script of their own."""
    return [panel.chat, panel.form.view]


def sent_by(widget: PageWidget) -> list[Mapping[str, Any]]:
    """The messages that a widget sends from now on."""
    sent: list[Mapping[str, Any]] = []
    widget.send = lambda content, buffers=None: sent.append(content)
    return sent


def test_a_panel_opens_and_leaves_the_shell_as_it_was(
    buddy: Buddy, shell: InteractiveShell
) -> None:
    before, count = hooks(shell), open_widgets()
    panel = Panel(buddy, shell)
    sent = sent_by(panel.chat)
    assert repr(panel) == "The panel of codebuddy. Run the cell to open it."
    run(shell, "1 + 1")
    assert [message["type"] for message in sent] == ["cell", "stale"]
    panel.form.more.value = True
    panel.close()
    panel.close()
    assert hooks(shell) == before
    assert open_widgets() == count
    assert buddy.watchers == []


def test_in_a_sidebar_settings_are_folded_and_the_sidebar_closes_it(
    panel: Panel,
) -> None:
    panel.fit_sidebar()
    hidden = [panel.form.layout.display, panel.leave.layout.display]
    assert hidden == ["none", "none"]
    assert panel.is_open
    panel.close()
    assert not panel.is_open


def test_each_part_can_be_closed_twice(panel: Panel) -> None:
    for part in parts(panel):
        part.close()
        part.close()


def test_an_invalid_message_to_the_provider_is_ignored(panel: Panel) -> None:
    sent = sent_by(panel.form.view)
    for content in ({"type": "key", "key": 1}, {"type": "key"}, {"type": "x"}, None):
        panel.form.view.receive(content)
    assert not [message for message in sent if "key for" in str(message)]


def test_the_provider_sends_messages_of_the_declared_type(panel: Panel) -> None:
    view = panel.form.view
    sent = sent_by(view)
    panel.form.test.click()
    assert eventually(lambda: any(message["report"]["rows"] for message in sent))
    for message in sent:
        assert matches(message, StateMessage)


def test_a_panel_brings_little_script_into_the_page(panel: Panel) -> None:
    total = 0
    for part in parts(panel):
        state = part.get_state()
        assert "export default" in state["_esm"]
        total += len(state["_esm"]) + len(state.get("_css", ""))
    assert total <= MOST_SCRIPT


def test_the_settings_are_folded_until_something_is_wrong(
    buddy: Buddy, shell: InteractiveShell, fake: FakeProvider
) -> None:
    panel = Panel(buddy, shell)
    assert eventually(lambda: panel.form.view._state["dot"] == "reachable")
    assert not panel.settings.value
    assert panel.form.layout.display == "none"
    # Not even drawn.
    assert not panel.form.children
    panel.close()
    fake.offers = ProviderError("It is gone.")
    panel = Panel(buddy, shell)
    assert eventually(lambda: panel.settings.value)
    assert panel.form.layout.display == "flex"
    assert panel.form.children
    # What the user has folded stays so.
    panel.settings.value = False
    panel.form.view.refresh()
    assert eventually(lambda: panel.form.view._state["dot"] == "unreachable")
    assert not panel.settings.value
    panel.close()


def test_a_terminal_is_told_what_to_use_instead(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%load_ext codebuddy_jupyter", "%buddy /panel")
    assert "opens only in a cell of a notebook" in capsys.readouterr().out
    run(shell, "import codebuddy_jupyter as buddy\nbuddy.panel()")
    assert "opens only in a cell of a notebook" in capsys.readouterr().out
    run(shell, "%unload_ext codebuddy_jupyter")


def test_a_session_with_a_panel_can_be_saved_and_copied(panel: Panel) -> None:
    assert deepcopy([panel])[0] is copy(panel) is panel
    loaded = pickle.loads(pickle.dumps({"panel": panel}))
    assert loaded == {
        "panel": "The panel of an earlier session. Open a new one: %buddy /panel"
    }
