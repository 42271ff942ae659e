"""The settings that ``%config`` knows once it is used."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Int
from traitlets.config import Configurable

from codebuddy_jupyter.ipython.late_settings import placeholder


class Lamp(Configurable):
    """A lamp."""

    brightness = Int(1, help="How bright it is.").tag(config=True)


@pytest.fixture
def lamp(shell: InteractiveShell) -> Lamp:
    """A lamp that is added to the shell's settings when ``%config`` is first used."""
    lamp = Lamp()
    configurables: list[Any] = shell.configurables

    def add_settings() -> None:
        if lamp not in configurables:
            configurables.append(lamp)

    configurables.append(placeholder(add_settings))
    return lamp


def test_config_lists_what_is_added_while_it_looks(
    shell: InteractiveShell, lamp: Lamp, capsys: pytest.CaptureFixture[str]
) -> None:
    configurables: list[Any] = shell.configurables
    assert lamp not in configurables
    shell.run_line_magic("config", "")
    listed = capsys.readouterr().out.split()
    assert "Lamp" in listed
    assert "LateSettings" not in listed


def test_config_sets_what_is_added_while_it_looks(
    shell: InteractiveShell, lamp: Lamp
) -> None:
    shell.run_line_magic("config", "Lamp.brightness = 3")
    assert lamp.brightness == 3
