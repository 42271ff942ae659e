"""Replies as values of cells in a terminal."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.ipython.reply_hook import ReplyHook
from tests.support.replies import a_reply


def shell_with(hook: Hook) -> Any:
    """A shell of before IPython 9, whose display hook this is."""
    return SimpleNamespace(
        display_trap=SimpleNamespace(hook=hook),
        display_formatter=SimpleNamespace(
            ipython_display_formatter=SimpleNamespace(enabled=False)
        ),
    )


class Hook:
    """A display hook that writes a prompt before each value."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write_output_prompt(self) -> None:
        self.written.append("Out[1]: ")

    def __call__(self, result: object = None) -> None:
        self.write_output_prompt()
        if result == "fails":
            raise KeyboardInterrupt
        self.written.append(type(result).__name__)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Hook:
    """The hook of a shell whose cell runs."""
    hook = Hook()
    monkeypatch.setattr(sys, "displayhook", hook)
    return hook


def test_a_reply_has_no_prompt_and_any_other_value_has_one(
    hook: Hook, loop: Loop
) -> None:
    shell = shell_with(hook)
    reply_hook = ReplyHook(shell)
    reply_hook.install()
    assert sys.displayhook is shell.display_trap.hook is reply_hook
    for value in (3, a_reply(loop, "Hello."), 4):
        sys.displayhook(value)
    assert not shell.display_formatter.ipython_display_formatter.enabled
    assert hook.written == ["Out[1]: ", "int", "Reply", "Out[1]: ", "int"]


def test_the_hook_gives_its_place_back_but_not_another_ones(hook: Hook) -> None:
    shell = shell_with(hook)
    reply_hook = ReplyHook(shell)
    reply_hook.install()
    reply_hook.remove()
    assert shell.display_trap.hook is hook
    reply_hook.install()
    shell.display_trap.hook = print
    reply_hook.remove()
    assert shell.display_trap.hook is print
