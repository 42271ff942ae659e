"""The answers that are kept beside a notebook, in a file that people can read and edit:
one JSON object a line.

Lines are added at its end. What cannot be read is left as it is and ignored, except a
last line that was torn when its writer was killed: the next line takes its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import NotKept, Remedy
from ..messages import Usage
from ..settings.files import cache_folder, replacing, try_lock
from .looks import KeptLook

SUFFIX = ".buddy.jsonl"
# Bytes of a file that is read.
MAX_FILE = 200_000_000
# Bytes of the end of a file in which its last line is looked for.
MAX_LINE = 10_000_000
# Seconds to wait for another kernel that writes, and between two attempts.
LOCK_SECONDS = 5.0
LOCK_CHECK = 0.01
# How each line begins: what begins otherwise was typed by somebody.
START = b'{"when": '
# Not those of the system's language.
MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
# What a line does not tell.
NOTHING: tuple[object, ...] = ("", [], None)
# A device or a pipe that takes the place of a file must not block the kernel.
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_READ_FLAGS = os.O_RDONLY | _FLAGS
_ADD_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | _FLAGS

Identity = tuple[int, int, int, int]


class Asked(NamedTuple):
    """What an answer was asked of.

    Parameters
    ----------
    digest
        The digest of the question, who answers it, the notebook and the conversation.
    occurrence
        Which of the equal ones it is, from 1.
    prompt_digest, prompt_occurrence
        The same without the notebook and the conversation.
    """

    digest: str
    occurrence: int
    prompt_digest: str
    prompt_occurrence: int


@dataclass(frozen=True)
class KeptAnswer:
    """One answer in the file.

    Parameters
    ----------
    when
        When it came.
    provider, model
        Who gave it.
    question
        The question, for people.
    answer, reasoning
        Its text, and the reasoning that preceded it.
    asked
        What it was asked of.
    finish
        Why the model stopped, as the server calls it.
    usage
        What the request cost.
    findings
        What in its code did not fit the kernel.
    correction
        What the model was asked for the second part of an answer that was corrected.
    map
        The map that asked it, about one row; empty: it is the answer to a question.
    looks
        What was looked up before it.
    """

    when: datetime
    provider: str
    model: str
    question: str
    answer: str
    asked: Asked
    reasoning: str = ""
    finish: str | None = None
    usage: Usage = field(default_factory=Usage)
    findings: tuple[str, ...] = ()
    correction: str = ""
    map: str = ""
    looks: tuple[KeptLook, ...] = ()

    def line(self) -> bytes:
        """Return it as a line of the file."""
        values: dict[str, object] = {
            "when": self.when.isoformat(timespec="seconds"),
            "provider": self.provider,
            "model": self.model,
            "question": self.question,
            "reasoning": self.reasoning,
            "answer": self.answer,
            "finish": self.finish,
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "findings": list(self.findings),
            "correction": self.correction,
            "map": self.map,
            "looks": [look._asdict() for look in self.looks],
        }
        kept = {name: value for name, value in values.items() if value not in NOTHING}
        kept.update(self.asked._asdict())
        text = json.dumps(kept, ensure_ascii=False)
        # A lone surrogate becomes its escape in JSON.
        return text.encode("utf-8", "backslashreplace") + b"\n"

    @classmethod
    def read(cls, line: bytes) -> KeptAnswer:
        """Return the answer in a line.

        Raises
        ------
        ValueError
            If it is none.
        """
        try:
            values = json.loads(line)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        if not isinstance(values, dict):
            raise ValueError("it is no object")
        usage = Usage(
            _count(values, "prompt_tokens"),
            _count(values, "completion_tokens"),
        )
        return cls(
            when=datetime.fromisoformat(_text(values, "when")),
            provider=_text(values, "provider", ""),
            model=_text(values, "model", ""),
            question=_text(values, "question", ""),
            answer=_text(values, "answer"),
            asked=_asked(values),
            reasoning=_text(values, "reasoning", ""),
            finish=_text(values, "finish", "") or None,
            usage=usage,
            findings=_texts(values, "findings"),
            correction=_text(values, "correction", ""),
            map=_text(values, "map", ""),
            looks=_looks(values),
        )


def day_of(when: datetime) -> str:
    """Return a day as ``12 Nov``, with the year unless it is this one."""
    day = f"{when.day} {MONTHS[when.month - 1]}"
    if when.year == datetime.now().year:
        return day
    return f"{day} {when.year}"


def _text(values: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = values.get(name, default)
    if value is None:
        value = default
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = values.get(name, [])
    is_list = isinstance(value, list)
    if not is_list or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{name} is no list of texts")
    return tuple(value)


def _looks(values: Mapping[str, Any]) -> tuple[KeptLook, ...]:
    given = values.get("looks", [])
    if not isinstance(given, list):
        raise ValueError("looks is no list")
    looks = []
    for look in given:
        if not isinstance(look, dict):
            raise ValueError("a look is no object")
        texts = [_text(look, name) for name in KeptLook._fields]
        looks.append(KeptLook(*texts))
    return tuple(looks)


def _count(values: Mapping[str, Any], name: str) -> int | None:
    value = values.get(name)
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} is no number")
    return value


def _asked(values: Mapping[str, Any]) -> Asked:
    occurrence = _count(values, "occurrence") or 1
    prompt_occurrence = _count(values, "prompt_occurrence") or 1
    return Asked(
        _text(values, "digest"),
        occurrence,
        _text(values, "prompt_digest", ""),
        prompt_occurrence,
    )


@dataclass
class Answers:
    """The answers in a file.

    Of two that were asked of the same, the later one counts.
    """

    in_order: list[KeptAnswer] = field(default_factory=list)
    unreadable: int = 0
    """The lines that could not be read."""

    def __post_init__(self) -> None:
        self._by_digest: dict[tuple[str, int], KeptAnswer] = {}
        self._by_prompt: dict[tuple[str, int], KeptAnswer] = {}
        for answer in self.in_order:
            self._note(answer)

    def add(self, answer: KeptAnswer) -> None:
        """Add an answer at the end."""
        self.in_order.append(answer)
        self._note(answer)

    def _note(self, answer: KeptAnswer) -> None:
        asked = answer.asked
        self._by_digest[asked.digest, asked.occurrence] = answer
        self._by_prompt[asked.prompt_digest, asked.prompt_occurrence] = answer

    def find(self, asked: Asked) -> KeptAnswer | None:
        """Return the answer that was asked of the same, if there is one."""
        return self._by_digest.get((asked.digest, asked.occurrence))

    def find_by_prompt(self, asked: Asked) -> KeptAnswer | None:
        """Return the answer to the same question, whatever else it was asked of."""
        return self._by_prompt.get((asked.prompt_digest, asked.prompt_occurrence))


class AnswerFile:
    """The file of answers of one notebook.

    It may be written by several kernels, and edited by hand. Each method raises
    `NotKept` if the file cannot be read or written.

    Parameters
    ----------
    path
        The file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[Identity | None, Answers] = None, Answers()

    def answers(self) -> Answers:
        """Return the answers; the file is read only if it has changed."""
        with self._errors("The kept answers cannot be read"):
            identity = _identity(self.path)
            if identity != self._read[0]:
                data = self._data()
                self._read = identity, _answers_in(data)
        return self._read[1]

    def add(self, *answers: KeptAnswer) -> None:
        """Add answers at the end of the file."""
        lines = b"".join([answer.line() for answer in answers])
        with self._errors("The answer is not kept"), self._locked():
            is_known = _identity(self.path) == self._read[0]
            self._append(lines)
            if is_known:
                for answer in answers:
                    self._read[1].add(answer)
                self._read = _identity(self.path), self._read[1]

    def forget(self, is_meant: Callable[[KeptAnswer], bool]) -> int:
        """Delete answers for good, and return how many; an empty file is deleted."""
        with self._errors("No answer is forgotten"), self._locked():
            data = self._data()
            kept: list[bytes] = []
            count = 0
            for line in data.splitlines(keepends=True):
                answer = _try_read(line)
                if answer is not None and is_meant(answer):
                    count += 1
                else:
                    kept.append(line)
            if count and b"".join(kept).strip():
                path = os.path.realpath(self.path)
                with replacing(Path(path)) as file:
                    file.writelines(kept)
            elif count:
                self.path.unlink()
            return count

    def _data(self) -> bytes:
        """Return the bytes of the file; none where there is no file."""
        try:
            descriptor = os.open(self.path, _READ_FLAGS)
        except FileNotFoundError:
            return b""
        try:
            size = _size(descriptor)
            if size > MAX_FILE:
                raise OSError(0, f"it is larger than {MAX_FILE // 1_000_000} MB")
            return _read(descriptor, 0, size)
        finally:
            os.close(descriptor)

    def _append(self, lines: bytes) -> None:
        """Write lines in one step, after a last line that is complete."""
        descriptor = os.open(self.path, _ADD_FLAGS, 0o666)
        try:
            size = _size(descriptor)
            end, gap = _end_of_lines(descriptor, size)
            if end < size:
                os.ftruncate(descriptor, end)
            _write(descriptor, gap + lines, end)
        finally:
            os.close(descriptor)

    @contextmanager
    def _errors(self, failure: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise NotKept(
                f"{failure} in {self.path}: {reason}.",
                Remedy("Choose another file", _CHOOSE_FILE),
            ) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other kernels from writing meanwhile, where the system can do that.

        The lock is a file elsewhere: this one may be replaced.
        """
        path = os.path.realpath(self.path)
        name = hashlib.sha256(os.fsencode(path)).hexdigest()
        folder = cache_folder() / "locks"
        file = None
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / f"{name[:32]}.lock").open("a+b")
        if file is None:
            yield
            return
        with file:
            end = time.monotonic() + LOCK_SECONDS
            while not _is_locked(file):
                if time.monotonic() > end:
                    raise OSError(0, "another kernel is writing to it")
                time.sleep(LOCK_CHECK)
            yield


_CHOOSE_FILE = '%config Buddy.replay_file = "answers.buddy.jsonl"'


def _is_locked(file: Any) -> bool:
    """Lock a file; where its disk knows no locks, there is none to wait for."""
    try:
        return try_lock(file)
    except OSError:
        return True


def _identity(path: Path) -> Identity | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _size(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is not a regular file")
    return status.st_size


def _answers_in(data: bytes) -> Answers:
    """Return the answers; a last line that was torn is no trouble to tell of."""
    answers = []
    unreadable = 0
    # Some editors begin a file with this mark.
    data = data.removeprefix(b"\xef\xbb\xbf")
    for line in data.splitlines(keepends=True):
        answer = _try_read(line)
        if answer is not None:
            answers.append(answer)
        elif line.strip() and line.endswith(b"\n"):
            unreadable += 1
    return Answers(answers, unreadable)


def _try_read(line: bytes) -> KeptAnswer | None:
    try:
        return KeptAnswer.read(line)
    except ValueError:
        return None


def _end_of_lines(descriptor: int, size: int) -> tuple[int, bytes]:
    """Return where the next line is to be written, and what is missing before it.

    A last line without its end is overwritten if it was torn; if somebody typed it, it
    gets its end.
    """
    if not size or _read(descriptor, size - 1, size) == b"\n":
        return size, b""
    start = max(size - MAX_LINE, 0)
    data = _read(descriptor, start, size)
    _, _, last = data.rpartition(b"\n")
    is_ours = last.startswith(START) or START.startswith(last)
    if is_ours and _try_read(last) is None:
        return size - len(last), b""
    return size, b"\n"


def _read(descriptor: int, start: int, end: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)
    pieces = []
    while start < end:
        piece = os.read(descriptor, end - start)
        if not piece:
            break
        pieces.append(piece)
        start += len(piece)
    return b"".join(pieces)


def _write(descriptor: int, data: bytes, end: int) -> None:
    """Write all of it at the end of a file, or nothing."""
    written = 0
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except BaseException:
        # On a full disk, a part may have been written.
        with suppress(OSError):
            os.ftruncate(descriptor, end)
        raise
