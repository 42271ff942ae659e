"""Files that are attached to a prompt."""

from __future__ import annotations

from pathlib import Path

import pytest

from codebuddy_jupyter.context.attached import attach_file
from codebuddy_jupyter.errors import PromptError


def attached_text(folder: Path, target: str) -> str:
    return attach_file(target, folder)[0]


def refusal(folder: Path, target: str) -> str:
    with pytest.raises(PromptError) as caught:
        attach_file(target, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
