"""The last error as text.

The user's frames have their source, those of libraries take a line each. A failure
holds no frame and no exception, and no code of the exception's is run unless a library
wrote that code.
"""

from __future__ import annotations

import ast
import itertools
import keyword
import os
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

from .error_message import (
    MAX_MESSAGE_CHARACTERS,
    exception_part,
    is_library_file,
    message_of,
)
from .outputs import shorten
from .traceback_frames import (
    IN_CELL,
    MAX_ROWS,
    Frame,
    Source,
    Sources,
    excerpt,
    frame_rows,
)

MAX_NOTES = 5
# Exceptions that led to each other.
MAX_CHAIN = 5
# Members of a group of exceptions that are written, and levels of groups.
MAX_MEMBERS = 3
# Frames of a traceback that are read.
MAX_FRAMES = 100_000
# Lines of one statement that are shown.
MAX_STATEMENT_LINES = 20
# Characters of a failing line in which names are looked for.
NAMES_CHARACTERS = 1_000
# The column up to which a syntax error is marked.
MAX_CARET = 500

CAUSED = "The above exception was the direct cause of the following exception:"
DURING = "During handling of the above exception, another exception occurred:"
_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")

# The code of a frame, and its line.
_Location = tuple[CodeType, int]


@dataclass(frozen=True)
class Failure:
    """An error that a cell ended in.

    ``cell`` is the number of the cell that was run, and ``line`` its line that failed,
    from 1. ``text`` is the traceback, shortened, and ``message`` what the error says.
    ``names`` are used on the failing lines of the user's frames, ``locals`` are those
    of the user's innermost function.
    """

    cell: int | None
    line: int | None
    name: str
    text: str
    message: str = ""
    names: tuple[str, ...] = ()
    locals: Mapping[str, Any] = field(default_factory=dict, repr=False)


def failure_of(
    exception: BaseException,
    sources: Sources,
    folder: Path | None = None,
    rendered: str | None = None,
) -> Failure:
    """Return the failure that an exception is, without the locals.

    Parameters
    ----------
    exception
        As it was raised, with its traceback.
    sources
        Returns the source of a cell.
    folder
        The notebook's: files in it are the user's own.
    rendered
        Its message, if the shell has rendered it already.
    """
    reader = _TracebackReader(sources, folder)
    own = reader.own_frames(exception)
    # A dict keeps the order: the innermost frame's names come first.
    names: dict[str, None] = {}
    for frame in reversed(own[-MAX_ROWS:]):
        names.update(dict.fromkeys(_names_on(frame)))
    number, line = _location_in_cell(own)
    if not own and _is_syntax_error(exception):
        number, line = reader.syntax_error_location(exception)
    message = _message(exception, rendered)
    texts = reader.chain(exception, message)
    return Failure(
        cell=number,
        line=line,
        name=type(exception).__name__,
        text="\n\n".join(texts),
        message=message,
        names=tuple(names),
    )


def _is_syntax_error(exception: BaseException) -> bool:
    # An exception may have a __class__ of its own, which isinstance() would read.
    return issubclass(type(exception), SyntaxError)


def _location_in_cell(own: Sequence[Frame]) -> tuple[int | None, int | None]:
    """Return the number of the cell that was run, and its line that failed.

    Of a magic that ran the rest of its cell, it is the line in that rest.
    """
    in_cells = [(frame, frame.cell) for frame in own if frame.cell]
    if not in_cells:
        return None, None
    _, first_cell = in_cells[0]
    innermost, _ = in_cells[-1]
    for frame, cell in reversed(in_cells):
        if cell.number == first_cell.number and not frame.is_function:
            innermost = frame
            break
    line = innermost.line + innermost.above
    return first_cell.number, line


def _message(exception: BaseException, rendered: str | None) -> str:
    if _is_syntax_error(exception):
        # Its text would name the location, which is written above it already.
        message = exception_part(exception, "msg", SyntaxError)
        if type(message) is not str:
            return ""
        return shorten(message, MAX_MESSAGE_CHARACTERS)
    if rendered is not None:
        return shorten(rendered, MAX_MESSAGE_CHARACTERS)
    return message_of(exception)


def locals_of(
    exception: BaseException, sources: Sources, folder: Path | None = None
) -> dict[str, Any]:
    """Return the locals of the user's innermost function.

    There are none if that is the cell itself. The parameters are as for `failure_of`.
    """
    reader = _TracebackReader(sources, folder)
    innermost = None
    traceback = exception_part(exception, "__traceback__")
    for step in _walk(traceback):
        if reader.is_own(_file(step)):
            innermost = step.tb_frame
    if innermost is None or innermost.f_locals is innermost.f_globals:
        return {}
    return dict(innermost.f_locals)


def innermost_code(
    exception: BaseException, sources: Sources, folder: Path | None = None
) -> tuple[str, int]:
    """Return the source with the user's innermost line that failed, and that line.

    The parameters are as for `failure_of`. The source is empty where it is not known.
    """
    reader = _TracebackReader(sources, folder)
    own = reader.own_frames(exception)
    if not own:
        return "", 0
    innermost = own[-1]
    return "\n".join(innermost.lines), innermost.line


def _walk(traceback: TracebackType | None) -> Iterator[TracebackType]:
    for _ in range(MAX_FRAMES):
        if traceback is None:
            return
        yield traceback
        traceback = traceback.tb_next


def _file(traceback: TracebackType) -> str:
    return traceback.tb_frame.f_code.co_filename


class _TracebackReader:
    """Reads tracebacks of one notebook; what it finds out about files is kept."""

    def __init__(self, sources: Sources, folder: Path | None) -> None:
        self._sources = sources
        self._folder = None
        if folder:
            # With a separator at its end.
            normal = os.path.normcase(folder)
            self._folder = os.path.join(normal, "")
        self._cells: dict[str, Source | None] = {}
        self._own: dict[str, bool] = {}

    def cell(self, file: str) -> Source | None:
        """Return the cell behind a file name."""
        if file not in self._cells:
            self._cells[file] = self._sources(file)
        return self._cells[file]

    def is_own(self, file: str) -> bool:
        """Return whether a file is the user's own: a cell, or beside the notebook."""
        if file not in self._own:
            self._own[file] = self._is_cell_or_beside(file)
        return self._own[file]

    def _is_cell_or_beside(self, file: str) -> bool:
        if IN_CELL.match(file) or self.cell(file):
            return True
        if self._folder is None or is_library_file(file):
            return False
        return os.path.normcase(file).startswith(self._folder)

    def own_frames(self, exception: BaseException) -> list[Frame]:
        """Return the user's own frames among those of an exception."""
        frames = self.frames(exception_part(exception, "__traceback__"))
        return [frame for frame in frames if frame.is_own]

    def frames(self, traceback: TracebackType | None) -> list[Frame]:
        """Return the frames from the user's first on: those above are the shell's.

        A recursion passes the same lines many times; each is returned once.
        """
        counts: Counter[_Location] = Counter()
        first: dict[_Location, TracebackType] = {}
        for step in _walk(traceback):
            if not first and not self.is_own(_file(step)):
                continue
            location = (step.tb_frame.f_code, step.tb_lineno)
            counts[location] += 1
            first.setdefault(location, step)
        frames = []
        for first_location, step in first.items():
            count = counts[first_location]
            frames.append(self._frame(step, count))
        return frames

    def _frame(self, traceback: TracebackType, count: int) -> Frame:
        code = traceback.tb_frame.f_code
        file = code.co_filename
        line = traceback.tb_lineno or 0
        end = line
        cell = None
        is_own = self.is_own(file)
        if is_own:
            cell = self.cell(file)
            end = _last_line(code, traceback.tb_lasti) or line
            end = min(end, line + MAX_STATEMENT_LINES)
        return Frame(
            file=file,
            line=line,
            end=end,
            function=code.co_name,
            cell=cell,
            is_own=is_own,
            count=count,
        )

    def chain(self, exception: BaseException, message: str) -> list[str]:
        """Return the exception below those that led to it, with a line between each."""
        texts = [self.written(exception, message)]
        seen = {id(exception)}
        current = exception
        for _ in range(MAX_CHAIN):
            link, earlier = _earlier(current)
            if earlier is None or id(earlier) in seen:
                break
            earlier_message = _message(earlier, None)
            texts.append(link)
            texts.append(self.written(earlier, earlier_message))
            seen.add(id(earlier))
            current = earlier
        texts.reverse()
        return texts

    def written(self, exception: BaseException, message: str, depth: int = 0) -> str:
        """Return one exception: its frames, message, notes, and a group's members."""
        frames = self.frames(exception_part(exception, "__traceback__"))
        texts = frame_rows(frames)
        if _is_syntax_error(exception):
            texts.append(self._syntax_error(exception))
        title = type(exception).__name__
        if message:
            title = f"{title}: {message}"
        texts.append(title)
        texts += _notes(exception)
        is_group = issubclass(type(exception), BaseExceptionGroup)
        if is_group and depth < MAX_MEMBERS:
            texts += self._members(exception, depth)
        return "\n".join(filter(None, texts))

    def _members(self, group: BaseException, depth: int) -> Iterator[str]:
        members = exception_part(group, "exceptions", BaseExceptionGroup)
        shown = members[:MAX_MEMBERS]
        for number, member in enumerate(shown, 1):
            message = _message(member, None)
            text = self.written(member, message, depth + 1)
            yield f"  {number} of {len(members)}:\n{textwrap.indent(text, '    ')}"
        if len(members) > MAX_MEMBERS:
            yield f"  … {len(members) - MAX_MEMBERS:,} more"

    def syntax_error_location(
        self, exception: BaseException
    ) -> tuple[int | None, int | None]:
        """Return the number of the cell that cannot be compiled, and the line."""
        file = exception_part(exception, "filename", SyntaxError)
        line = exception_part(exception, "lineno", SyntaxError)
        cell = None
        if type(file) is str:
            cell = self.cell(file)
        if cell is None or type(line) is not int:
            return None, None
        return cell.number, line

    def _syntax_error(self, exception: BaseException) -> str:
        file = exception_part(exception, "filename", SyntaxError)
        line = exception_part(exception, "lineno", SyntaxError)
        offset = exception_part(exception, "offset", SyntaxError)
        text = exception_part(exception, "text", SyntaxError)
        if type(file) is not str or type(line) is not int:
            return ""
        frame = Frame(
            file=file,
            line=line,
            end=line,
            function="<module>",
            cell=self.cell(file),
            is_own=True,
            count=1,
        )
        lines: Sequence[str] = ()
        if self.is_own(file):
            lines = frame.lines
        if not lines and type(text) is str and 0 < line < 10_000:
            # The exception has only the line itself.
            lines_above = [""] * (line - 1)
            lines = [*lines_above, text.rstrip("\n")]
        caret = None
        if type(offset) is int and 0 < offset <= MAX_CARET:
            caret = offset - 1
        shown = excerpt(lines, line, line, caret)
        return "\n".join([frame.location, *shown])


def _earlier(exception: BaseException) -> tuple[str, BaseException | None]:
    """Return the exception that led to this one, and the line that says how."""
    cause = exception_part(exception, "__cause__")
    if cause is not None:
        return CAUSED, cause
    if exception_part(exception, "__suppress_context__"):
        return DURING, None
    return DURING, exception_part(exception, "__context__")


def _last_line(code: CodeType, instruction: int) -> int | None:
    """Return the last line of the statement with this instruction."""
    positions = itertools.islice(code.co_positions(), instruction // 2, None)
    position = next(positions, None)
    if position is None:
        return None
    return position[1]


def _notes(exception: BaseException) -> list[str]:
    attributes = exception_part(exception, "__dict__")
    notes = attributes.get("__notes__")
    if type(notes) is not list:
        return []
    limit = MAX_MESSAGE_CHARACTERS // MAX_NOTES
    texts = []
    for note in notes[:MAX_NOTES]:
        if type(note) is str:
            texts.append(shorten(note, limit))
    return texts


def _names_on(frame: Frame) -> list[str]:
    """Return the names that are used on the failing lines, in their order."""
    lines: Sequence[str] = ()
    if frame.line:
        lines = frame.lines[frame.line - 1 : frame.end]
    starts = [line[:NAMES_CHARACTERS] for line in lines]
    text = textwrap.dedent("\n".join(starts))
    # A line that begins a block or ends within brackets is code once completed.
    for attempt in (text, f"{text.rstrip()} pass", f"{text.rstrip()})"):
        try:
            tree = ast.parse(attempt)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        nodes.sort(key=lambda node: (node.lineno, node.col_offset))
        return [node.id for node in nodes]
    words = _NAME.findall(text)
    return [word for word in words if not keyword.iskeyword(word)]
