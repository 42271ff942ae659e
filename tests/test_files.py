"""Files that are complete or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codebuddy_jupyter.settings.files import replacing, try_lock


def test_a_file_is_replaced_once_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new\r\n")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_bytes() == b"new\r\n"
    assert os.listdir(tmp_path) == ["a.json"]


def write_in_part(path: Path, error: type[BaseException]) -> None:
    with replacing(path) as file:
        file.write(b"ne")
        raise error


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_the_earlier_file_and_no_part(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(error):
        write_in_part(path, error)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.skipif(os.name != "posix", reason="this system has no permission bits")
@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_only_the_owner_can_read_a_private_file(
    tmp_path: Path, private: bool, mode: int
) -> None:
    path = tmp_path / "a.json"
    before = os.umask(0o022)
    try:
        with replacing(path, private=private):
            pass
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode


def test_a_lock_keeps_others_out_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with path.open("a+b") as other:
        with path.open("a+b") as file:
            assert try_lock(file)
            assert not try_lock(other)
        assert try_lock(other)
