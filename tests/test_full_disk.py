"""A disk that is full: what is written is there as a whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.chat.conversation import Chat, Turn
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.cli.demo import write_notebook
from codebuddy_jupyter.display.export import export
from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.messages import Chunk
from codebuddy_jupyter.settings.configured import SavedSettings
from codebuddy_jupyter.settings.keys import Keys

resource = pytest.importorskip("resource", reason="this system limits no files")

LIMIT = 100
"""Bytes of which a file can have no more."""


@contextmanager
def full_disk() -> Iterator[None]:
    """No file grows beyond `LIMIT` meanwhile: the system itself refuses to write more.

    That holds for the report of the tests, too, so it ends before a test does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_export(path: Path) -> None:
    reply = Reply.ended_with("1?", Chunk("One. " * 1_000), Loop(), complete=True)
    export(Chat([Turn("1?", reply)]), path, str)


def write_settings(path: Path) -> None:
    SavedSettings(path).save({"Buddy": {"system_prompt": "Be brief. " * 1_000}})


def write_keys(path: Path) -> None:
    Keys(path)._save({"OpenAI": {"example.org": "k" * 5_000}})


WRITERS: dict[str, Callable[[Path], None]] = {
    "chat.md": write_export,
    "chat.ipynb": write_export,
    "codebuddy.json": write_settings,
    "codebuddy-keys.json": write_keys,
}


@pytest.mark.parametrize(("name", "write"), WRITERS.items(), ids=WRITERS)
def test_a_full_disk_leaves_no_pieces(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    with (
        pytest.raises(SettingError, match="cannot be written: ") as caught,
        full_disk(),
    ):
        write(tmp_path / name)
    assert os.strerror(errno.EFBIG) in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["codebuddy.json", "codebuddy-keys.json"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(SettingError, match="cannot be written: "), full_disk():
        WRITERS[name](tmp_path / name)
    assert (tmp_path / name).read_text() == "{}"
    assert os.listdir(tmp_path) == [name]


def test_a_full_disk_leaves_the_earlier_run_of_the_tour(tmp_path: Path) -> None:
    path = tmp_path / "tour-executed.ipynb"
    path.write_text("{}")
    cell = new_markdown_cell("long " * 1_000)  # type: ignore[no-untyped-call]
    notebook = new_notebook(cells=[cell])  # type: ignore[no-untyped-call]
    with pytest.raises(OSError, match=os.strerror(errno.EFBIG)), full_disk():
        write_notebook(notebook, path)
    assert path.read_text() == "{}"
    assert os.listdir(tmp_path) == [path.name]
