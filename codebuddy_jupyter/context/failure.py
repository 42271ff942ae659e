"""The last error as text: the user's frames with their source, the libraries' in a line
each.

It holds no frame and no exception, and runs no code of the exception's unless a library
wrote that code.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import keyword
import linecache
import os
import re
import sys
import sysconfig
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from .outputs import plain_text, shorten

# characters
MESSAGE = 2_000
NOTES = 5
# exceptions that led to each other
CHAIN = 5
# of a group of exceptions that are told, and how deep
MEMBERS = 3
# frames that are walked
FRAMES = 100_000
# stretches of a traceback; what stands between the first and the last is folded
SHOWN = 12
# frames of a library in a row
LIBRARY = 4
# lines before and after the failing one
AROUND = 2

CAUSED = "The above exception was the direct cause of the following exception:"
DURING = "During handling of the above exception, another exception occurred:"
IN_CELL = re.compile(
    r"<ipython-input-(\d+)-|<timed |.*[/\\]ipykernel_\d+[/\\][^/\\]+\.py\Z"
)
_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")
_LIBRARIES = ("site-packages", "dist-packages")
_STDLIB = os.path.join(sysconfig.get_paths()["stdlib"], "")


@dataclass(frozen=True)
class Failure:
    """An error that a cell ended in.

    ``cell`` is the number of the cell that was run, and ``line`` its line that failed,
    from 1. ``names`` are used on the failing lines of the user's frames, ``locals`` are
    those of the innermost function of the user's. ``text`` is the whole traceback in
    short, ``message`` what the error says.
    """

    cell: int | None
    line: int | None
    name: str
    text: str
    message: str = ""
    names: tuple[str, ...] = ()
    locals: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Source:
    """The source of a cell behind a file name of its traceback, and the number under
    which it was run.

    ``above`` is how many lines of the cell stand above these, as ``%%time`` does.
    """

    number: int | None
    lines: Sequence[str]
    above: int = 0


Sources = Callable[[str], Source | None]
"""Gives the cell behind a file name, None where there is none."""


@dataclass(frozen=True)
class _Frame:
    """A place in a traceback; ``end`` is the last line of what failed, ``count`` how
    often the place occurs.
    """

    file: str
    line: int
    end: int
    function: str
    cell: Source | None
    own: bool
    count: int

    @property
    def lines(self) -> Sequence[str]:
        """The source around it."""
        return (self.cell.lines if self.cell else ()) or [
            row.rstrip("\n") for row in linecache.getlines(self.file)
        ]

    @property
    def place(self) -> str:
        """Where it is, as the user knows it."""
        if self.cell or IN_CELL.match(self.file):
            number = self.cell.number if self.cell else None
            where = f"Cell In[{number}]" if number is not None else "Cell"
        else:
            where = _short_path(self.file)
        inside = f", in {self.function}" if self.is_function else ""
        return f"{where}, line {self.line + self.above}{inside}"

    @property
    def is_function(self) -> bool:
        """Whether it stands in a function; IPython 7 and 8 call a cell's own frame
        after its line.
        """
        return not self.function.startswith(("<module>", "<cell line"))

    @property
    def above(self) -> int:
        """How many lines of the cell stand above its source."""
        return self.cell.above if self.cell else 0


def failure_of(
    exception: BaseException,
    sources: Sources,
    folder: Path | None = None,
    rendered: str | None = None,
) -> Failure:
    """The failure that an exception is, without the locals.

    Parameters
    ----------
    exception
        As it was raised, with its traceback.
    sources
        Gives the source of a cell.
    folder
        That of the notebook: files in it are the user's own.
    rendered
        Its message where the shell has rendered it already.
    """
    reading = _Reading(sources, folder)
    own = [
        frame
        for frame in reading.frames(_part(exception, "__traceback__"))
        if frame.own
    ]
    names = dict.fromkeys(
        itertools.chain.from_iterable(map(_names_on, reversed(own[-SHOWN:])))
    )
    number, line = _place_in_cell(own)
    if not own and issubclass(type(exception), SyntaxError):
        number, line = reading.syntax_error_place(exception)
    message = _message(exception, rendered)
    text = "\n\n".join(reading.chain(exception, message))
    return Failure(number, line, type(exception).__name__, text, message, tuple(names))


def _place_in_cell(own: Sequence[_Frame]) -> tuple[int | None, int | None]:
    """The cell that was run, and where in it: below the line of a magic that ran the
    rest.
    """
    cells = [frame for frame in own if frame.cell]
    if not cells or not (cell := cells[0].cell):
        return None, None
    there = [
        one
        for one in cells
        if one.cell and one.cell.number == cell.number and not one.is_function
    ]
    innermost = (there or cells)[-1]
    return cell.number, innermost.line + innermost.above


def _message(exception: BaseException, rendered: str | None) -> str:
    if issubclass(type(exception), SyntaxError):
        told = vars(SyntaxError)["msg"].__get__(exception)
        return shorten(told, MESSAGE) if type(told) is str else ""
    return message_of(exception) if rendered is None else shorten(rendered, MESSAGE)


def locals_of(
    exception: BaseException, sources: Sources, folder: Path | None = None
) -> dict[str, Any]:
    """The locals of the innermost function of the user's; none where that is the cell
    itself.
    """
    reading, found = _Reading(sources, folder), None
    for traceback in _walk(_part(exception, "__traceback__")):
        if reading.is_own(_file(traceback)):
            found = traceback.tb_frame
    if found is None or found.f_locals is found.f_globals:
        return {}
    return dict(found.f_locals)


def message_of(exception: BaseException) -> str:
    """The message of an exception, of at most 2,000 characters.

    Code of the user's is not run for it: an exception of their own with a ``__str__``,
    or one that carries objects, gives the plain ones among its arguments.
    """
    kind = type(exception)
    args = _part(exception, "args")
    native = any(kind.__str__ is one for one in _NATIVE)
    if issubclass(kind, BaseExceptionGroup) and native:
        args = (vars(BaseExceptionGroup)["message"].__get__(exception),)
    # its text has these in it
    if issubclass(kind, OSError):
        args += tuple(
            vars(OSError)[part].__get__(exception) for part in ("filename", "filename2")
        )
    if (native and all(map(_is_plain, args))) or (
        not native and _is_of_a_library(kind)
    ):
        try:
            return shorten(str(exception), MESSAGE)
        except Exception as error:  # noqa: BLE001 - a library's __str__ may fail in any way
            return f"(its message cannot be read: {type(error).__name__})"
    said = [
        shorten(one, MESSAGE) if type(one) is str else str(one)
        for one in args
        if one is not None and _is_plain(one)
    ]
    return ", ".join(
        said + [f"<{type(one).__name__}>" for one in args if not _is_plain(one)][:3]
    )


_NATIVE = frozenset(
    one.__str__
    for one in vars(builtins).values()
    if isinstance(one, type) and issubclass(one, BaseException)
)


def _is_plain(value: Any) -> bool:
    if type(value) is tuple:
        return len(value) < 20 and all(
            type(one) is not tuple and _is_plain(one) for one in value
        )
    if type(value) is int:
        # a longer one cannot be written
        return value.bit_length() < 1_000
    return value is None or type(value) in (str, bytes, float, bool)


def _is_of_a_library(kind: type) -> bool:
    module = sys.modules.get(kind.__module__) if type(kind.__module__) is str else None
    file = getattr(module, "__file__", None) if kind.__module__ != "__main__" else None
    return isinstance(file, str) and (file.startswith(_STDLIB) or _is_in_library(file))


def _is_in_library(file: str) -> bool:
    return any(one in file for one in _LIBRARIES)


def _part(exception: BaseException, name: str) -> Any:
    """A part of an exception by the interpreter's own door: a class may have put a
    property over it.
    """
    return vars(BaseException)[name].__get__(exception)


def _walk(traceback: TracebackType | None) -> Iterator[TracebackType]:
    for _ in range(FRAMES):
        if traceback is None:
            return
        yield traceback
        traceback = traceback.tb_next


def _file(traceback: TracebackType) -> str:
    return traceback.tb_frame.f_code.co_filename


class _Reading:
    """Reads tracebacks of one notebook."""

    def __init__(self, sources: Sources, folder: Path | None) -> None:
        self._sources = sources
        self._folder = os.path.join(os.path.normcase(folder), "") if folder else None
        self._cells: dict[str, Source | None] = {}
        self._own: dict[str, bool] = {}

    def cell(self, file: str) -> Source | None:
        if file not in self._cells:
            self._cells[file] = self._sources(file)
        return self._cells[file]

    def is_own(self, file: str) -> bool:
        if file not in self._own:
            self._own[file] = bool(
                IN_CELL.match(file) or self.cell(file) or self._is_in_folder(file)
            )
        return self._own[file]

    def _is_in_folder(self, file: str) -> bool:
        if self._folder is None or file.startswith(_STDLIB) or _is_in_library(file):
            return False
        return os.path.normcase(file).startswith(self._folder)

    def frames(self, traceback: TracebackType | None) -> list[_Frame]:
        """The places from the first of the user's on: what stands above is the shell.

        None, where none is theirs.

        A recursion passes the same places again and again; each is given once.
        """
        walked = list(
            itertools.dropwhile(
                lambda one: not self.is_own(_file(one)), _walk(traceback)
            )
        )
        places = [(one.tb_frame.f_code, one.tb_lineno) for one in walked]
        counts, first = (
            Counter(places),
            dict(zip(reversed(places), reversed(walked), strict=True)),
        )
        return [self._frame(first[place], count) for place, count in counts.items()]

    def _frame(self, traceback: TracebackType, count: int) -> _Frame:
        code, line = traceback.tb_frame.f_code, traceback.tb_lineno or 0
        own, end = self.is_own(code.co_filename), line
        if own:
            position = next(
                itertools.islice(code.co_positions(), traceback.tb_lasti // 2, None),
                None,
            )
            end = min((position and position[1]) or line, line + 20)
        return _Frame(
            code.co_filename,
            line,
            end,
            code.co_name,
            self.cell(code.co_filename) if own else None,
            own,
            count,
        )

    def chain(self, exception: BaseException, message: str) -> Iterator[str]:
        """The exception under those that led to it, each as a text, with a line
        between.
        """
        told: list[str] = [self.told(exception, message)]
        seen, now = {id(exception)}, exception
        for _ in range(CHAIN):
            cause, context = _part(now, "__cause__"), _part(now, "__context__")
            link, before = (CAUSED, cause) if cause is not None else (DURING, context)
            if (
                before is None
                or id(before) in seen
                or (cause is None and _part(now, "__suppress_context__"))
            ):
                break
            told += [link, self.told(before, _message(before, None))]
            seen.add(id(before))
            now = before
        return reversed(told)

    def told(self, exception: BaseException, message: str, depth: int = 0) -> str:
        """One exception: its frames, its message, its notes, and the members of a
        group.
        """
        rows = list(_stretches(self.frames(_part(exception, "__traceback__"))))
        if len(rows) > SHOWN:
            gone = sum(count for count, _ in rows[SHOWN // 2 : -SHOWN // 2])
            rows[SHOWN // 2 : -SHOWN // 2] = [(gone, f"… {gone:,} more frames")]
        text = [row for _, row in rows]
        if issubclass(type(exception), SyntaxError):
            text.append(self._syntax_error(exception))
        name = type(exception).__name__
        text.append(f"{name}: {message}" if message else name)
        text += _notes(exception)
        if depth < MEMBERS and issubclass(type(exception), BaseExceptionGroup):
            text += self._members(exception, depth)
        return "\n".join(one for one in text if one)

    def _members(self, group: BaseException, depth: int) -> Iterator[str]:
        members = vars(BaseExceptionGroup)["exceptions"].__get__(group)
        for number, member in enumerate(members[:MEMBERS], 1):
            yield f"  {number} of {len(members)}:\n" + textwrap.indent(
                self.told(member, _message(member, None), depth + 1), "    "
            )
        if len(members) > MEMBERS:
            yield f"  … {len(members) - MEMBERS:,} more"

    def syntax_error_place(
        self, exception: BaseException
    ) -> tuple[int | None, int | None]:
        """The number of the cell that could not be compiled, and in which line."""
        file, line = (
            vars(SyntaxError)[part].__get__(exception)
            for part in ("filename", "lineno")
        )
        cell = self.cell(file) if type(file) is str else None
        return (cell.number, line) if cell and type(line) is int else (None, None)

    def _syntax_error(self, exception: BaseException) -> str:
        parts = [
            vars(SyntaxError)[part].__get__(exception)
            for part in ("filename", "lineno", "offset", "text")
        ]
        file, line, offset, text = parts
        if type(file) is not str or type(line) is not int:
            return ""
        frame = _Frame(file, line, line, "<module>", self.cell(file), True, 1)
        lines = (
            frame.lines
            if IN_CELL.match(file) or frame.cell or self.is_own(file)
            else ()
        )
        known = lines or (
            [""] * (line - 1) + [text.rstrip("\n")]
            if type(text) is str and 0 < line < 10_000
            else []
        )
        caret = offset - 1 if type(offset) is int and 0 < offset <= 500 else None
        return frame.place + "\n" + "\n".join(_excerpt(known, line, line, caret))


def _stretches(frames: Iterable[_Frame]) -> Iterator[tuple[int, str]]:
    """The frames as rows, each with how many it stands for: long runs of a library's
    are folded.
    """
    for own, run in itertools.groupby(frames, key=lambda frame: frame.own):
        rows = [
            (frame.count, _own_frame(frame) if own else _library_frame(frame))
            for frame in run
        ]
        if not own and len(rows) > LIBRARY:
            gone = sum(count for count, _ in rows[LIBRARY // 2 : -LIBRARY // 2])
            rows[LIBRARY // 2 : -LIBRARY // 2] = [(gone, f"… {gone:,} more")]
        yield from rows


def _own_frame(frame: _Frame) -> str:
    return "\n".join(
        (
            frame.place + _times(frame.count),
            *_excerpt(frame.lines, frame.line, frame.end, above=frame.above),
        )
    )


def _library_frame(frame: _Frame) -> str:
    return f"{_short_path(frame.file)}:{frame.line} in {frame.function}{_times(frame.count)}"


def _times(count: int) -> str:
    return f" ({count:,} times)" if count > 1 else ""


def _excerpt(
    lines: Sequence[str], line: int, end: int, caret: int | None = None, above: int = 0
) -> Iterator[str]:
    for number in range(
        max(line - AROUND, 1), min(max(end, line) + AROUND, len(lines)) + 1
    ):
        mark = "-->" if line <= number <= max(end, line) else "   "
        yield f"{mark} {number + above:>4} {lines[number - 1][:300].rstrip()}"
        if caret is not None and number == line:
            yield " " * (9 + caret) + "^"


def _notes(exception: BaseException) -> list[str]:
    notes = _part(exception, "__dict__").get("__notes__")
    return (
        [shorten(one, MESSAGE // NOTES) for one in notes[:NOTES] if type(one) is str]
        if type(notes) is list
        else []
    )


def _short_path(file: str) -> str:
    """A path from where the reader knows it: within site-packages, or its last three
    parts.
    """
    parts = file.replace("\\", "/").split("/")
    inside = max(
        (at for at, part in enumerate(parts) if part in _LIBRARIES), default=None
    )
    if inside is None and file.startswith(_STDLIB):
        return file[len(_STDLIB) :].replace("\\", "/")
    return "/".join(parts[inside + 1 :] if inside is not None else parts[-3:])


def _names_on(frame: _Frame) -> list[str]:
    """The names that are used on the failing lines, in their order."""
    rows = (
        [row[:1_000] for row in frame.lines[frame.line - 1 : frame.end]]
        if frame.line
        else []
    )
    text = textwrap.dedent("\n".join(rows))
    for attempt in (text, f"{text.rstrip()} pass", f"{text.rstrip()})"):
        try:
            tree = ast.parse(attempt)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        return [
            node.id
            for node in sorted(found, key=lambda node: (node.lineno, node.col_offset))
        ]
    return [name for name in _NAME.findall(text) if not keyword.iskeyword(name)]


def rendered_message(name: str, last: str) -> str | None:
    """The message in the last line that the shell rendered of an exception's traceback,
    None where it is another's.
    """
    text = plain_text(last).strip()
    return text.removeprefix(f"{name}: ") if text.startswith(f"{name}: ") else None
