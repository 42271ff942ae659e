"""``/panel``, with and without a page that could show a panel."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest
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


@pytest.mark.parametrize(
    ("modules", "line"),
    [
        ({"google.colab": None, "ipywidgets": "8.1.9"}, "this is ipywidgets 8.1.9"),
        ({"google.colab": None, "ipywidgets": "7.7.5"}, ""),
        ({"google.colab": None}, ""),
        ({"ipywidgets": "8.1.9"}, ""),
    ],
    ids=["Colab, 8", "Colab, 7", "Colab, unknown", "elsewhere"],
)
def test_where_colab_may_show_no_panel_a_line_says_what_to_do(
    buddy: Buddy,
    monkeypatch: pytest.MonkeyPatch,
    modules: dict[str, str | None],
    line: str,
) -> None:
    for name in ("google.colab", "ipywidgets"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name, version in modules.items():
        module = SimpleNamespace(__version__=version)
        monkeypatch.setitem(sys.modules, name, cast(ModuleType, module))
    shown = MarkdownIt().renderInline(run_line(buddy, "/panel", open_panel=print))
    assert line in shown
    assert bool(shown) == bool(line)
    assert bool(shown) == ("ipywidgets==7.7" in shown)
