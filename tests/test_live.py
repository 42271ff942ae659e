"""Outputs that are drawn again in their place."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from codebuddy_jupyter.display.live import (
    LiveOutput,
    ProgressLine,
    ProgressLines,
    is_notebook,
)
from tests.support.shells import a_shell


def test_only_a_shell_with_a_kernel_is_a_notebook() -> None:
    shells = [a_shell(""), SimpleNamespace(kernel=None), SimpleNamespace(), None]
    assert [is_notebook(shell) for shell in shells] == [True, False, False, False]


def test_an_output_is_published_once_and_then_updated_when_it_changes() -> None:
    shell = a_shell("")
    output = LiveOutput(shell)
    assert not output.is_shown
    for text in ("a", "a", "b"):
        output.put({"text/plain": text}, {})
    assert output.is_shown
    assert [(kind, data) for kind, data, _ in shell.display_pub.sent] == [
        ("display", {"text/plain": "a"}),
        ("update", {"text/plain": "b"}),
    ]


def test_a_download_is_one_line_of_a_terminal_without_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = ProgressLine(None)
    progress("fetching \x1b[2Jqwen", 0, 1_200_000_000)
    # This is too soon after the first to be worth a drawing.
    progress("fetching qwen", 1, 1_200_000_000)
    progress("fetching qwen", 1_200_000_000, 1_200_000_000)
    assert capsys.readouterr().out == (
        f"\r\x1b[Kfetching [2Jqwen {'░' * 20} 0 % of 1,200.0 MB"
        f"\r\x1b[Kfetching qwen {'█' * 20} 100 % of 1,200.0 MB\n"
    )


def test_a_download_is_one_output_of_a_cell_and_its_name_is_plain_text() -> None:
    shell = a_shell("")
    progress = ProgressLine(shell)
    progress("fetching <b>", 1, 0)
    (_, data, _) = shell.display_pub.sent[0]
    assert data["text/markdown"] == "fetching &#60;b&#62;"
    progress("fetching", 4_000_000, 4_000_000)
    assert [kind for kind, _, _ in shell.display_pub.sent] == ["display", "update"]


def test_a_download_in_a_log_is_a_line_for_each_step_and_each_tenth() -> None:
    log = io.StringIO()
    progress = ProgressLines(log)
    for done in (0, 1, 5, 19, 20, 100):
        progress("fetching", done, 100)
    progress("checking", 0, 0)
    assert log.getvalue().splitlines() == [
        "fetching 0 %",
        "fetching 10 %",
        "fetching 20 %",
        "fetching 100 %",
        "checking",
    ]
