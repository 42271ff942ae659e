"""How far a map is."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.errors import NoReply
from codebuddy_jupyter.messages import Usage
from codebuddy_jupyter.values.batch import progress as module
from codebuddy_jupyter.values.batch.job import Outcome
from codebuddy_jupyter.values.batch.progress import Progress


def test_a_bar_shows_rows_errors_and_tokens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INTERVAL", 1e-9)
    progress = Progress(3, is_shown=True)
    progress.note(Outcome(0, 0, "yes", Usage(10, 1_000_000)))
    progress.note(Outcome(1, 1, NoReply("no")))
    progress.close()
    shown = capsys.readouterr().err
    assert "buddy.map" in shown
    assert "2/3" in shown
    assert "1 errors" in shown
    assert "tokens/s" in shown


def test_a_line_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    for is_shown in (False, True):
        progress = Progress(None, is_shown=is_shown)
        progress.tell("A line.")
        progress.tell("A line.")
        progress.close()
        assert capsys.readouterr().out == "buddy: A line.\n"


def test_without_a_bar_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(3, is_shown=False)
    progress.note(Outcome(0, 0, "yes"))
    progress.close()
    assert capsys.readouterr() == ("", "")
