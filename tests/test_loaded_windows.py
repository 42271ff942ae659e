"""Which context windows are remembered, and for how long."""

from __future__ import annotations

import time

import pytest

from codebuddy_jupyter.providers.local import loaded_windows
from codebuddy_jupyter.providers.local.loaded_windows import LoadedModel, LoadedWindows

MODEL = LoadedModel("http://localhost:11434/v1", "llama3", 0)


def test_a_window_is_remembered_for_the_model_and_what_the_settings_ask_for() -> None:
    windows = LoadedWindows()
    assert windows.remember(MODEL, 4096) == 4096
    assert windows.get(MODEL) == 4096
    assert windows.get(MODEL._replace(num_ctx=8192)) is None
    assert MODEL in windows


def test_that_none_was_reported_is_remembered_too() -> None:
    windows = LoadedWindows()
    windows.remember(MODEL, None)
    assert MODEL in windows
    assert windows.get(MODEL) is None


def test_an_idle_model_may_have_been_unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = LoadedWindows()
    assert not windows.is_fresh(MODEL)
    windows.remember(MODEL, 4096)
    assert windows.is_fresh(MODEL)
    later = time.monotonic() + loaded_windows.KEPT_LOADED + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not windows.is_fresh(MODEL)
    windows.remember(MODEL, 4096)
    assert windows.is_fresh(MODEL)


def test_all_are_forgotten() -> None:
    windows = LoadedWindows()
    windows.remember(MODEL, 4096)
    windows.forget()
    assert MODEL not in windows
