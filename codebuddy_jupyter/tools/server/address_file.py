"""Where a served notebook can be reached, and the key: a file that only its owner can
read, in Jupyter's runtime folder.

So neither the notebook, nor the settings of an agent, nor the command line of a process
contains the key, which is valid as long as the server runs. The command
``codebuddy mcp`` reads the file.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir

from ...settings.files import replacing

PREFIX = "codebuddy-mcp-"
VARIABLES = ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "XDG_DATA_HOME")
"""What moves the folder."""
LAST_PORT = 65_535
LARGEST_FILE = 10_000
"""Bytes; a larger file is none of ours."""


@dataclass(frozen=True)
class Address:
    """How the server of a notebook is reached.

    Parameters
    ----------
    port
        Its port on loopback.
    key
        What lets a request in.
    notebook
        The name of the notebook's file; empty where it has none.
    started
        When it was started, in seconds since the epoch.
    """

    port: int
    key: str = field(repr=False)
    notebook: str = ""
    started: float = 0.0


def is_usual_folder() -> bool:
    """Return whether another process of the user has the same folder, most likely."""
    return not any(name in os.environ for name in VARIABLES)


def folder() -> Path:
    """Return the folder of the files; it may not exist yet."""
    return Path(jupyter_runtime_dir())


def write_address(address: Address) -> Path:
    """Write an address into a file of its own, and return that.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder() / f"{PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}.json"
    with replacing(path, private=True) as file:
        file.write(json.dumps(asdict(address)).encode())
    return path


def addresses(place: Path | None = None) -> Iterator[tuple[Address, Path]]:
    """Yield what files there are, the address that was written last first.

    The server may have died without deleting its file.

    Parameters
    ----------
    place
        The folder of the files; by default that of this environment.
    """
    found = []
    with suppress(OSError):
        for path in (place or folder()).glob(f"{PREFIX}*.json"):
            address = try_read(path)
            if address is not None:
                found.append((address, path))
    found.sort(key=lambda entry: entry[0].started, reverse=True)
    yield from found


def try_read(path: Path) -> Address | None:
    """Return the address in a file; None where that has none."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            return None
        return _address_in(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        # It may be deleted meanwhile, or be none of ours.
        return None


def _address_in(data: Any) -> Address | None:
    if not isinstance(data, dict):
        return None
    port, key = data.get("port"), data.get("key")
    if not (isinstance(port, int) and isinstance(key, str)):
        return None
    if not 0 < port <= LAST_PORT:
        return None
    started = data.get("started")
    return Address(
        port,
        key,
        str(data.get("notebook", "")),
        float(started) if isinstance(started, int | float) else 0.0,
    )
