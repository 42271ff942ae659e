"""What was measured, and the page that tells it."""

from __future__ import annotations

import importlib.metadata
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psutil

PACKAGES = ("jupyterlab", "ipykernel", "ipython", "openai", "pyzmq", "markdown-it-py")


@dataclass(frozen=True)
class Row:
    """One figure: what it must reach, what the buddy and the raw client needed, and
    whether that is enough.
    """

    figure: str
    goal: str
    buddy: str
    raw: str
    met: bool

    def __str__(self) -> str:
        return (
            f"| {self.figure} | {self.goal} | {self.buddy} | {self.raw} | "
            f"{'yes' if self.met else '**no**'} |"
        )


HEAD = "| figure | must reach | buddy | raw client | met |\n|---|---|---|---|---|\n"


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    return HEAD + "".join(f"{row}\n" for row in rows)


def median(values: Sequence[float]) -> float:
    """The middle of the values."""
    return statistics.median(values)


def milliseconds(values: Sequence[float]) -> str:
    """Median and spread of times in seconds, told in milliseconds."""
    return f"{_middle([1000 * value for value in values])} ms"


def seconds(values: Sequence[float]) -> str:
    """Median and spread of times in seconds."""
    return f"{_middle(values, digits=3)} s"


def megabytes(values: Sequence[float], digits: int = 1) -> str:
    """Median and spread of sizes in bytes, told in megabytes (millions of bytes)."""
    return f"{_middle([value / 1e6 for value in values], digits)} MB"


def _middle(values: Sequence[float], digits: int = 1) -> str:
    told = f"{median(values):.{digits}f}"
    return (
        told
        if len(values) == 1
        else f"{told} ({min(values):.{digits}f} to {max(values):.{digits}f})"
    )


def machine() -> str:
    """The machine in one line, without its name."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


def load() -> float:
    """The load average of the last minute."""
    return float(psutil.getloadavg()[0])


def versions() -> str:
    """What it ran on, in one line."""
    packages = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in PACKAGES
    )
    return f"Python {platform.python_version()}, {packages}"
