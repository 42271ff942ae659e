"""How fast each model reads a prompt, learned and kept on this machine's disk.

The file holds numbers only: servers and models stand in it as digests.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from ..settings.files import cache_folder, replacing

logger = logging.getLogger(__name__)

# Tokens and seconds: over less, the speed of reading is not known well enough.
SHORTEST_SAMPLE = 32
SHORTEST_TIME = 0.02
# How much of the difference to a new sample is taken over. Other work on the machine
# slows a single reading down, and nothing speeds one up.
SLOWER_SHARE = 0.5
FASTER_SHARE = 0.8
# A speed in tokens per second beyond these bounds is a mistake.
LOWEST = 0.1
HIGHEST = 1e6
# The speed is written again after it has changed by this factor.
WORTH_WRITING = 1.1
# Models in the file, and bytes of it that are read.
MAX_MODELS = 200
MAX_BYTES = 1 << 16


def default_speeds_path() -> Path:
    """Return the file for the speeds in the user's cache folder."""
    return cache_folder() / "reading_speeds.json"


class ReadingSpeeds:
    """Learns how many tokens of a prompt each model reads in a second.

    It may be used from any thread. What cannot be read or written is learned again.

    Parameters
    ----------
    path
        The file in which the speeds are kept; None: they are not.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._speeds: dict[str, float] | None = None
        self._written: dict[str, float] = {}

    def get(self, server: str, model: str) -> float | None:
        """Return the speed of a model at a server; None if it was never measured."""
        with self._lock:
            return self._known().get(_key(server, model))

    def learn(self, server: str, model: str, tokens: int, seconds: float) -> None:
        """Learn from a prompt of which so many tokens were read in so many seconds."""
        if tokens < SHORTEST_SAMPLE or seconds < SHORTEST_TIME:
            return
        sample = tokens / seconds
        if not LOWEST <= sample <= HIGHEST:
            return
        key = _key(server, model)
        with self._lock:
            known = self._known()
            # The latest is the last, so that the oldest are dropped.
            earlier = known.pop(key, sample)
            share = SLOWER_SHARE
            if sample > earlier:
                share = FASTER_SHARE
            known[key] = earlier + (sample - earlier) * share

    def save(self) -> None:
        """Write the speeds that have changed, beside those of other kernels."""
        with self._lock:
            changed = self._changed()
            if self._path is None or not changed:
                return
            # Other kernels may have learned of other models.
            speeds = _read(self._path)
            for key in changed:
                speeds.pop(key, None)
            speeds.update(changed)
            entries = list(speeds.items())
            latest = dict(entries[-MAX_MODELS:])
            # Another try would fail as well, until something new is learned.
            self._written.update(changed)
            try:
                _write(self._path, latest)
            except OSError as error:
                logger.debug("The reading speeds cannot be written: %s", error)

    def _known(self) -> dict[str, float]:
        if self._speeds is None:
            speeds = {}
            if self._path:
                speeds = _read(self._path)
            self._speeds = speeds
            self._written = dict(speeds)
        return self._speeds

    def _changed(self) -> dict[str, float]:
        changed = {}
        for key, speed in self._known().items():
            written = self._written.get(key)
            if written is None or not _is_near(speed, written):
                changed[key] = speed
        return changed


def _is_near(speed: float, other: float) -> bool:
    change = speed / other
    return 1 / WORTH_WRITING < change < WORTH_WRITING


def _key(server: str, model: str) -> str:
    """Return what stands for a model: an address may contain secrets."""
    text = f"{server}\n{model}"
    digest = hashlib.sha256(text.encode("utf-8", "replace"))
    return digest.hexdigest()[:24]


def _read(path: Path) -> dict[str, float]:
    """Return the speeds in a file; those that make sense."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
        values = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        logger.debug("The reading speeds cannot be read: %s", error)
        return {}
    if not isinstance(values, dict):
        return {}
    speeds = {}
    entries = list(values.items())
    for key, speed in entries[-MAX_MODELS:]:
        is_number = isinstance(speed, int | float) and not isinstance(speed, bool)
        if is_number and LOWEST <= speed <= HIGHEST:
            speeds[key] = float(speed)
    return speeds


def _write(path: Path, speeds: Mapping[str, float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = {key: round(speed, 2) for key, speed in speeds.items()}
    text = json.dumps(rounded, indent=1)
    with replacing(path, private=True) as file:
        file.write(text.encode())
