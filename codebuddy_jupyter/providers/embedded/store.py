"""The folder of downloaded models: files that are complete or still arriving.

A file that is arriving stays beside its place, with a note of how much of it is right,
so that an interrupted download resumes. This module does not know where files come
from.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, TypeVar

from ... import errors
from ...errors import Remedy
from ...messages import Progress
from ...settings.files import cache_folder, replacing, try_lock
from .catalogue import readable_size
from .gguf import MAGIC

SUFFIX = ".gguf"
# Bytes that are read or written at once.
PIECE = 1 << 20
# Bytes of disk space that a download leaves.
SPARE = 64 << 20
# Seconds between two looks at a lock that another process holds.
LOCK_CHECK = 0.2
# What the system says when a disk, a quota or the largest size of a file is reached.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

T = TypeVar("T")


def models_folder() -> Path:
    """Return the folder of the models that were downloaded; it may not exist yet."""
    return cache_folder() / "models"


def file_of(name: str) -> Path:
    """Return where the downloaded model of a name is, or will be."""
    return models_folder() / f"{name}{SUFFIX}"


class StoppedError(Exception):
    """The download was cancelled."""


@dataclass(frozen=True)
class Job:
    """A download in a thread.

    Parameters
    ----------
    name
        The model, as it is typed.
    report
        Called with the step, the bytes done and the bytes in all.
    stopped
        Set when the download was cancelled.
    """

    name: str
    report: Progress
    stopped: threading.Event

    def check(self) -> None:
        """Raise `StoppedError` if the download was cancelled."""
        if self.stopped.is_set():
            raise StoppedError

    def again(self) -> Remedy:
        """Return the command that goes on with the download."""
        return Remedy("Resume it", f"%buddy /pull {self.name}")


async def in_thread(work: Callable[[Job], T], name: str, progress: Progress) -> T:
    """Return what ``work`` returns, which runs in a thread; cancelling stops it.

    Parameters
    ----------
    work
        Calls `Job.check` often, and reports its progress to the job.
    name
        The model that is downloaded.
    progress
        Called on the running loop.
    """
    loop = asyncio.get_running_loop()
    stopped = threading.Event()

    def report(step: str, done: int, total: int) -> None:
        job.check()
        loop.call_soon_threadsafe(progress, step, done, total)

    job = Job(name, report, stopped)
    try:
        return await asyncio.to_thread(work, job)
    finally:
        stopped.set()


class ArrivingFile:
    """A model file that is arriving; `only_one` keeps other processes from it.

    Parameters
    ----------
    target
        Where the complete file will be.
    source
        Where it comes from: the part that came from elsewhere is discarded.
    """

    def __init__(self, target: Path, source: str) -> None:
        self.target = target
        self.folder = target.with_name(f".{target.stem}.download")
        self._part = self.folder / "part"
        self._note = self.folder / "note.json"
        self._source = source
        # What is known to be right: bytes, and parts of the source.
        self.size = 0
        self.parts = 0
        # What identifies the version of the source, such as an ETag.
        self.tag = ""

    def open(self) -> None:
        """Read how much has arrived before, and discard what cannot be continued."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            size = int(note["size"])
            parts = int(note["parts"])
            tag = str(note["tag"])
            is_same = note["source"] == self._source
            arrived = self._part.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            # Without a note that can be read, the download begins again.
            return
        if is_same and 0 <= size <= arrived:
            self.size = size
            self.parts = parts
            self.tag = tag

    def discard(self) -> None:
        """Delete all that has arrived."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.size = 0
        self.parts = 0
        self.tag = ""

    def append(self, pieces: Iterable[bytes], job: Job) -> None:
        """Write the next bytes of the file; an error leaves what was noted before."""
        with self._opened() as file:
            file.seek(self.size)
            file.truncate()
            for piece in pieces:
                job.check()
                file.write(piece)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._part.touch()
        with self._part.open("r+b") as file:
            yield file

    def note(self, *, parts: int = 0, tag: str = "") -> None:
        """Note that all that was written is right.

        Parameters
        ----------
        parts
            How many parts of the source that is.
        tag
            What identifies the version of the source.
        """
        self.size = self._part.stat().st_size
        self.parts = parts
        self.tag = tag
        values = {
            "source": self._source,
            "size": self.size,
            "parts": parts,
            "tag": tag,
        }
        with replacing(self._note) as file:
            file.write(json.dumps(values).encode())

    def begins_as_gguf(self) -> bool:
        """Return whether what has arrived begins as a GGUF file does."""
        with self._part.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC

    def beginning(self) -> bytes:
        """Return the first bytes of what has arrived."""
        with self._part.open("rb") as file:
            return file.read(PIECE)

    def digest(self, job: Job) -> str:
        """Return the SHA-256 digest of what has arrived."""
        digest = hashlib.sha256()
        with self._part.open("rb") as file:
            while piece := file.read(PIECE):
                job.check()
                digest.update(piece)
        return digest.hexdigest()

    def complete(self) -> Path:
        """Put the file in its place, and return that."""
        os.replace(self._part, self.target)
        self.discard()
        return self.target


def pieces_of(source: IO[bytes]) -> Iterator[bytes]:
    """Yield all of an open file, in pieces."""
    while piece := source.read(PIECE):
        yield piece


def reported(
    pieces: Iterable[bytes], step: str, done: int, total: int, job: Job
) -> Iterator[bytes]:
    """Yield pieces, and report how much has come.

    Parameters
    ----------
    pieces
        The pieces.
    step
        What is being done.
    done, total
        The bytes before the first piece, and in all; 0 if that is not known.
    job
        The download.
    """
    for piece in pieces:
        yield piece
        done += len(piece)
        job.report(step, done, total)


@contextmanager
def only_one(target: Path, job: Job) -> Iterator[None]:
    """Wait until no other process downloads a model, and keep others from it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f".{target.stem}.lock")
    # The file stays: to delete it would let two processes hold it.
    with path.open("a+b") as file:
        if not try_lock(file):
            job.report(f"another kernel downloads {job.name}; waiting for it", 0, 0)
            while not try_lock(file):
                job.stopped.wait(LOCK_CHECK)
                job.check()
        yield


def check_space(folder: Path, needed: int, job: Job) -> None:
    """Check that a disk has room for so many bytes.

    Raises
    ------
    ProviderError
        If it has not.
    """
    free = shutil.disk_usage(folder).free
    if needed + SPARE <= free:
        return
    raise errors.ProviderError(
        f"{job.name} needs {readable_size(needed + SPARE)} of disk space, and the disk of "
        f"{folder} has {readable_size(free)}.",
        Remedy("Free some space, then go on", f"%buddy /pull {job.name}"),
    )


@contextmanager
def disk_errors(folder: Path, job: Job) -> Iterator[None]:
    """Turn errors of the disk into one line that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(folder, job) from error
        raise errors.ProviderError(
            f"{job.name} cannot be written to {folder} ({error.strerror or error}).",
            job.again(),
        ) from error


def disk_full(folder: Path, job: Job) -> errors.ProviderError:
    """Return the error for a disk that became full."""
    return errors.ProviderError(
        f"The disk of {folder} is full; what has arrived of {job.name} is kept.",
        Remedy("Free some space, then go on", f"%buddy /pull {job.name}"),
    )
