"""The file with the address and the key of a served notebook."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from codebuddy_jupyter.tools.server.address_file import (
    LARGEST_FILE,
    PREFIX,
    Address,
    addresses,
    folder,
    try_read,
    write_address,
)


def test_an_address_is_read_as_it_was_written() -> None:
    address = Address(4321, "key", "sales.ipynb", 12.5)
    file = write_address(address)
    assert try_read(file) == address
    assert file.parent == Path(os.environ["JUPYTER_RUNTIME_DIR"])
    assert "key" not in repr(address)


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_only_its_owner_can_read_it() -> None:
    before = os.umask(0)
    try:
        file = write_address(Address(1, "key"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder().stat().st_mode) == 0o700


def test_the_last_one_comes_first() -> None:
    assert list(addresses()) == []
    for port in (1, 3, 2):
        write_address(Address(port, "key", started=float(port)))
    assert [address.port for address, _ in addresses()] == [3, 2, 1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"port": "1", "key": "k"}',
        b'{"port": 1}',
        b'{"port": 65536, "key": "k"}',
        b"\xff",
        b"[" * (LARGEST_FILE - 1),
        b" " * LARGEST_FILE + b'{"port": 1, "key": "k"}',
    ],
)
def test_other_files_are_left_out(content: bytes) -> None:
    file = write_address(Address(1, "key"))
    other = folder() / f"{PREFIX}other.json"
    other.write_bytes(content)
    (folder() / "kernel-1.json").write_text('{"port": 2, "key": "k"}')
    assert [path for _, path in addresses()] == [file]
