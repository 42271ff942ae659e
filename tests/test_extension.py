"""What the extension adds to a shell of this process, and removes again.

``tests/kernel/test_loading.py`` shows the same in a real kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.ipython.extension import QUESTION_LOST, Extension


@pytest.fixture
def extension(shell: InteractiveShell) -> Iterator[Extension]:
    """The extension, loaded and in the end unloaded."""
    extension = Extension(shell)
    yield extension
    extension.unload()


def magics_of(shell: InteractiveShell) -> dict[str, Any]:
    magics = shell.magics_manager.magics
    return {type: magics[type].get("buddy") for type in ("line", "cell")}


def test_unloading_gives_back_a_magic_of_the_same_name(
    shell: InteractiveShell,
) -> None:
    def mine(line: str) -> str:
        return line

    shell.magics_manager.magics["line"]["buddy"] = mine
    extension = Extension(shell)
    assert magics_of(shell)["line"] is not mine
    extension.unload()
    assert magics_of(shell) == {"line": mine, "cell": None}


def test_unloading_leaves_the_settings_and_the_hooks_as_they_were(
    shell: InteractiveShell,
) -> None:
    def state() -> tuple[list[Any], dict[str, list[Any]], list[Any]]:
        hooks = {name: list(found) for name, found in shell.events.callbacks.items()}
        transformers = shell.input_transformer_manager.token_transformers
        return list(shell.configurables), hooks, list(transformers)

    before = state()
    extension = Extension(shell)
    extension.add_configurables()
    extension.listen()
    assert state() != before
    extension.unload()
    assert state() == before


def test_settings_are_added_once(extension: Extension) -> None:
    extension.add_configurables()
    names = [type(item).__name__ for item in extension.shell.configurables]
    extension.add_configurables()
    assert [type(item).__name__ for item in extension.shell.configurables] == names
    assert {"Buddy", "LocalProvider", "OpenAIProvider"} <= set(names)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("%load_ext codebuddy_jupyter\n%buddy why?", f"{QUESTION_LOST}\n"),
        ("%load_ext codebuddy_jupyter", ""),
    ],
    ids=["with a question", "without"],
)
def test_a_question_in_the_loading_cell_is_explained(
    extension: Extension, capsys: pytest.CaptureFixture[str], cell: str, shown: str
) -> None:
    result = SimpleNamespace(info=SimpleNamespace(raw_cell=cell))
    extension.shell.events.trigger("post_run_cell", result)
    assert capsys.readouterr().out == shown


def test_reading_ahead_is_told_of_cells_once_there_is_a_buddy(
    extension: Extension, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = extension.shell.events
    events.trigger("pre_run_cell", None)
    told: list[str] = []
    for name in ("note_cell_start", "note_cell_end"):
        note = partial(told.append, name)
        monkeypatch.setattr(extension.buddy.quiet, name, note)
    events.trigger("pre_run_cell", None)
    assert told == ["note_cell_start"]
    events.trigger("post_run_cell", None)
    assert told == ["note_cell_start", "note_cell_end"]
