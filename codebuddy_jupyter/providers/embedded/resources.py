"""What the machine has for an engine: memory, and cores.

What the system does not say is None, and then nothing is refused.
"""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .gguf import Header

# Bytes that the engine takes beside the weights and the key-value cache: its code, and
# the buffers of a computation.
OVERHEAD = 300 << 20
# Bytes that stay for the notebook.
RESERVE = 256 << 20
# Tokens: a model is refused if the memory does not allow as much.
SMALLEST_WINDOW = 2048
# Tokens, where the file of a model does not name its largest window.
DEFAULT_WINDOW = 8192
# A window is a multiple of this.
WINDOW_STEP = 256
# Where Linux limits the memory of a container: the folder, and the files of the limit
# and of what is used.
CONTAINERS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)
# What is used for files, which the system gives back when memory is needed.
FILE_MEMORY = ("inactive_file", "active_file")


@dataclass(frozen=True)
class Need:
    """The memory that a model needs.

    Parameters
    ----------
    size
        Size of its file, in bytes.
    header
        The header of the file.
    """

    size: int
    header: Header

    def bytes_for(self, tokens: int) -> int:
        """Return what it takes with a context window of so many tokens."""
        return self.size + OVERHEAD + self.header.cache_size(tokens)

    def window_within(self, memory: int, wanted: int) -> int:
        """Return the largest context window that fits into so many bytes; 0 if the
        model itself does not.

        Parameters
        ----------
        memory
            The bytes that are available.
        wanted
            The tokens that are wanted; 0: as many as the model supports.
        """
        largest = self.header.window or DEFAULT_WINDOW
        most = min(wanted or largest, largest)
        smallest = min(most, SMALLEST_WINDOW)
        for_window = memory - RESERVE - self.bytes_for(0)
        per_token = self.header.cache_size(WINDOW_STEP) / WINDOW_STEP
        if for_window < per_token * smallest:
            return 0
        if for_window >= per_token * most:
            return most
        fitting = int(for_window / per_token)
        return max(smallest, fitting // WINDOW_STEP * WINDOW_STEP)


def available_memory() -> int | None:
    """Return the bytes of memory that a new process can use without swapping."""
    limits = [_of_the_system(), _of_the_container()]
    known = [limit for limit in limits if limit is not None]
    return min(known, default=None)


def _of_the_system() -> int | None:
    with suppress(OSError, ValueError):
        report = Path("/proc/meminfo").read_text(encoding="utf-8")
        for line in report.splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return int(value.split()[0]) * 1024
    # Each kernel has it, since ipykernel depends on it.
    with suppress(ImportError, OSError):
        psutil: Any = importlib.import_module("psutil")
        return int(psutil.virtual_memory().available)
    return None


def _of_the_container() -> int | None:
    for place, limit, used in CONTAINERS:
        folder = Path(place)
        with suppress(OSError, ValueError):
            rest = _number_in(folder / limit) - _number_in(folder / used)
            return max(0, rest + _used_for_files(folder))
    return None


def _used_for_files(folder: Path) -> int:
    total = 0
    report = (folder / "memory.stat").read_text(encoding="ascii")
    for line in report.splitlines():
        name, _, value = line.partition(" ")
        if name in FILE_MEMORY:
            total += int(value)
    return total


def _number_in(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def physical_cores() -> int:
    """Return the number of cores that this process may use, without the second thread
    that many cores have.
    """
    logical = 0
    if hasattr(os, "sched_getaffinity"):
        logical = len(os.sched_getaffinity(0))
    logical = logical or os.cpu_count() or 1
    with suppress(ImportError, OSError):
        psutil: Any = importlib.import_module("psutil")
        physical = psutil.cpu_count(logical=False)
        if physical:
            return min(logical, int(physical))
    return max(1, logical // 2)
