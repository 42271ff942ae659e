"""The frames of a traceback as text: where they are, and the lines that failed."""

from __future__ import annotations

import itertools
import linecache
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .error_message import LIBRARY_FOLDERS, STDLIB

# Rows of a traceback; those in the middle are folded.
MAX_ROWS = 12
# Frames of libraries in a row; those in the middle are folded.
MAX_LIBRARY_FRAMES = 4
# Lines shown before and after those that failed.
CONTEXT_LINES = 2
LINE_CHARACTERS = 300

# The file names that IPython gives to cells, and to what %%time and its like compile.
IN_CELL = re.compile(
    r"<ipython-input-(\d+)-|<timed |.*[/\\]ipykernel_\d+[/\\][^/\\]+\.py\Z"
)


@dataclass(frozen=True)
class Source:
    """The source of a cell behind a file name of its traceback.

    ``number`` is the one under which the cell was run. ``above`` counts the lines of
    the cell that are not part of this source, such as that of ``%%time``.
    """

    number: int | None
    lines: Sequence[str]
    above: int = 0


Sources = Callable[[str], Source | None]
"""Return the cell behind a file name, or None where there is none."""


@dataclass(frozen=True)
class Frame:
    """A frame of a traceback.

    ``end`` is the last line of the statement that failed, ``count`` how often the frame
    occurs. ``is_own`` says whether it is the user's code.
    """

    file: str
    line: int
    end: int
    function: str
    cell: Source | None
    is_own: bool
    count: int

    @property
    def lines(self) -> Sequence[str]:
        """The lines of the cell or the file."""
        if self.cell and self.cell.lines:
            return self.cell.lines
        lines = linecache.getlines(self.file)
        return [line.rstrip("\n") for line in lines]

    @property
    def location(self) -> str:
        """Where it is, as the user knows it: ``Cell In[3], line 2, in f``."""
        if not self.cell and not IN_CELL.match(self.file):
            where = _short_path(self.file)
        elif self.cell and self.cell.number is not None:
            where = f"Cell In[{self.cell.number}]"
        else:
            where = "Cell"
        location = f"{where}, line {self.line + self.above}"
        if self.is_function:
            location = f"{location}, in {self.function}"
        return location

    @property
    def is_function(self) -> bool:
        """Whether it is in a function.

        IPython 7 and 8 name the frame of a cell itself after its line.
        """
        return not self.function.startswith(("<module>", "<cell line"))

    @property
    def above(self) -> int:
        """How many lines of the cell are above its source."""
        return self.cell.above if self.cell else 0


def frame_rows(frames: Iterable[Frame]) -> list[str]:
    """Return the frames as texts; of a long traceback, the middle is only counted."""
    rows = list(_rows(frames))
    folded = _folded(rows, MAX_ROWS, "more frames")
    return [text for _, text in folded]


def _rows(frames: Iterable[Frame]) -> Iterator[tuple[int, str]]:
    """Yield the frames as texts, each with the number of frames that it represents."""
    runs = itertools.groupby(frames, key=lambda frame: frame.is_own)
    for is_own, run in runs:
        if is_own:
            for frame in run:
                yield frame.count, _own_frame(frame)
        else:
            rows = [(frame.count, _library_frame(frame)) for frame in run]
            yield from _folded(rows, MAX_LIBRARY_FRAMES, "more")


def _folded(
    rows: list[tuple[int, str]], limit: int, label: str
) -> list[tuple[int, str]]:
    """Return the rows, those in the middle as one row that counts them."""
    if len(rows) <= limit:
        return rows
    half = limit // 2
    hidden = sum(count for count, _ in rows[half:-half])
    return [*rows[:half], (hidden, f"… {hidden:,} {label}"), *rows[-half:]]


def _own_frame(frame: Frame) -> str:
    title = frame.location + _times(frame.count)
    lines = excerpt(frame.lines, frame.line, frame.end, above=frame.above)
    return "\n".join([title, *lines])


def _library_frame(frame: Frame) -> str:
    location = f"{_short_path(frame.file)}:{frame.line} in {frame.function}"
    return location + _times(frame.count)


def _times(count: int) -> str:
    if count <= 1:
        return ""
    return f" ({count:,} times)"


def excerpt(
    lines: Sequence[str], line: int, end: int, caret: int | None = None, above: int = 0
) -> Iterator[str]:
    """Yield the failing lines and those around them, numbered.

    Parameters
    ----------
    lines
        The complete source.
    line, end
        The first and the last line that failed, from 1.
    caret
        The column in the first of them to mark, from 0.
    above
        How many lines of the cell are above the source.
    """
    end = max(end, line)
    first = max(line - CONTEXT_LINES, 1)
    last = min(end + CONTEXT_LINES, len(lines))
    for number in range(first, last + 1):
        arrow = "-->" if line <= number <= end else "   "
        text = lines[number - 1][:LINE_CHARACTERS].rstrip()
        yield f"{arrow} {number + above:>4} {text}"
        if caret is not None and number == line:
            yield " " * (9 + caret) + "^"


def _short_path(file: str) -> str:
    """Return the part of a path that a reader knows.

    That is the path within site-packages or the standard library, or its last parts.
    """
    parts = file.replace("\\", "/").split("/")
    for index in range(len(parts) - 1, -1, -1):
        if parts[index] in LIBRARY_FOLDERS:
            return "/".join(parts[index + 1 :])
    if file.startswith(STDLIB):
        return file[len(STDLIB) :].replace("\\", "/")
    return "/".join(parts[-3:])
