"""``/panel``, with and without a page that could show a panel."""

from __future__ import annotations

from markdown_it import MarkdownIt

from codebuddy_jupyter.buddy import Buddy
from tests.support.command_line import run_line


def test_panel_opens_one_where_that_is_possible(buddy: Buddy) -> None:
    opened = []
    shown = run_line(buddy, "/panel", open_panel=lambda: opened.append("panel"))
    assert (shown, opened) == ("", ["panel"])


def test_panel_explains_where_one_can_be_opened(buddy: Buddy) -> None:
    shown = MarkdownIt().renderInline(run_line(buddy, "/panel"))
    assert shown.startswith("The panel opens only in a cell of a notebook. ")
    assert "%buddy /panel" in shown
