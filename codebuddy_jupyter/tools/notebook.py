"""The looks at the notebook: what the kernel knows, each as a function for a model.

They run no code of the user's, and tell no values of variables unless that is allowed.
"""

from __future__ import annotations

import os
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, Literal

from ..context.attached import attach_file, find_file, outline_file
from ..context.buddy_cells import is_buddy_cell
from ..context.collector import Collector
from ..context.describe.text import count
from ..context.describe.types import is_instance, name_of
from ..context.inspection.columns import frame_library
from ..context.inspection.names import try_nearest
from ..context.inspection.package_text import NotFound, package_text
from ..context.items import Cell, cell_name
from ..context.outputs import shorten
from ..context.session import Session
from ..errors import PromptError
from ..markdown.safe import fence
from .counts import missing_values, unique_values
from .look import Found, NothingThere
from .search import columns_like, lines_with

# Characters of a cell's source and of its outputs.
MAX_SOURCE = 1_200
MAX_OUTPUT = 600
# Names that an error lists.
MOST_NAMES = 20
NOT_SHARED = (
    "Values are not shared. The user can allow it: %config Buddy.share_values = True"
)
# How the remedy of a file that does not exist begins.
DID_YOU_MEAN = "Did you mean @file:"

_BASE = re.compile(r"[^\W\d]\w*")

Part = Literal["schema", "missing", "unique", "head"]
"""What is told of a variable."""


class NotebookLooks:
    """The looks at one notebook.

    Parameters
    ----------
    collector
        Knows the kernel.
    safe
        Redacts secrets in a text and makes it inert: before a part of it is cut out, in
        which they could not be recognised.
    share_values
        Whether values of variables and contents of files may be told.
    share_outputs
        Whether outputs of cells may be told.
    """

    def __init__(
        self,
        collector: Collector,
        safe: Callable[[str], str],
        *,
        share_values: bool,
        share_outputs: bool,
    ) -> None:
        self._collector = collector
        self._safe = safe
        self._share_values = share_values
        self._share_outputs = share_outputs

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._collector.reading() as session:
            if session is None:
                raise NothingThere("There is no notebook here.")
            yield session

    def variable(self, name: str, part: Part = "schema") -> Found:
        """Count the missing values of each column of a frame (part missing), or the
        different, distinct, unique values (part unique); or tell the type, shape and
        columns of a variable (part schema), or its first rows (part head).
        """
        with self._reading() as session:
            names = session.names()
            name = _known(name, names)
            value = names[name]
            if part == "missing":
                return missing_values(name, value)
            if part == "unique":
                return unique_values(name, value)
            if part == "head" and not self._share_values:
                raise NothingThere(NOT_SHARED)
            describers = self._collector.describers
            if part == "head":
                text = describers.built_in_values(value)
            else:
                text = describers.built_in_schema(value)
        return Found(name, _summary(value, text), f"{name}: {text}")

    def cell(self, number: int) -> Found:
        """Tell what the cell In[number] printed or showed, and its code."""
        with self._reading() as session:
            cells = session.notebook().cells
            source = session.input_of(number)
        name = cell_name(number)
        for cell in cells:
            if cell.number == number:
                return Found(name, cell.state, self._cell_text(cell))
        if source is None or is_buddy_cell(source):
            raise NothingThere(f"There is no {name}; {_existing(cells)}.")
        return Found(name, "run earlier", self._code(name, source))

    def _cell_text(self, cell: Cell) -> str:
        text = self._code(cell.title, cell.text)
        output = cell.output_text
        if not (output and self._share_outputs):
            return text
        shown = shorten(self._safe(output), MAX_OUTPUT)
        return f"{text}\nIts output:\n{shown}"

    def _code(self, title: str, source: str) -> str:
        shown = shorten(self._safe(source), MAX_SOURCE)
        block = fence(shown, "python")
        return f"{title}:\n{block}".rstrip("\n")

    def search_cells(self, text: str) -> Found:
        """Find a word in the code: in which cells and lines it is used."""
        with self._reading() as session:
            cells = session.notebook().cells
        return lines_with(text, cells, self._safe)

    def error(self) -> Found:
        """Tell the last error of the notebook, what failed and where."""
        with self._reading() as session:
            failure = session.failure()
        if failure is None:
            text = "There is no recent error."
            return Found("error", "there is none", text)
        summary = f"{failure.name} in {cell_name(failure.cell)}"
        return Found("error", summary, failure.text)

    def signature(self, dotted: str) -> Found:
        """Tell the parameters, options, defaults and documentation of a function,
        such as pandas.merge or df.pivot.
        """
        with self._reading() as session:
            names = session.names()
        dotted = dotted.strip().removesuffix("()")
        first, _, rest = dotted.partition(".")
        own = names.get(first)
        if own is not None and not is_instance(own, types.ModuleType):
            if not rest:
                text = self._collector.describers.built_in_schema(own)
                return Found(dotted, "its signature", f"{dotted}: {text}")
            dotted = f"{_class_name(own)}.{rest}"
        try:
            text = package_text(dotted, names)
        except NotFound as missing:
            raise NothingThere(_not_found(missing)) from missing
        return Found(dotted, "its signature", text)

    def file_head(self, path: str) -> Found:
        """Tell what is in a file, such as data.csv or tool.py: its columns, or its
        code.
        """
        with self._reading() as session:
            folder = session.folder()
        text = _file_text(path, folder, share_values=self._share_values)
        summary, _, _ = text.partition("\n")
        return Found(path, summary.removeprefix(f"{path}: "), text)

    def columns_like(self, text: str) -> Found:
        """Find the frames and columns whose column name contains a text."""
        with self._reading() as session:
            return columns_like(text, session.names())


def _known(name: str, names: Mapping[str, Any]) -> str:
    """Return the name of the variable that is meant, such as that of ``df["price"]``."""
    name = name.strip()
    if name in names:
        return name
    base = _BASE.match(name)
    if base is not None and base[0] in names:
        return base[0]
    nearest = try_nearest(name, names)
    if nearest is not None:
        raise NothingThere(f"There is no variable {name!r}; nearest: {nearest!r}.")
    first = list(names)[:MOST_NAMES]
    listed = ", ".join(first) or "no variables"
    raise NothingThere(f"There is no variable {name!r}; there are: {listed}.")


def _summary(value: Any, text: str) -> str:
    if frame_library(value):
        _, width = value.shape
        return count(width, "column")
    first_line, _, _ = text.partition("\n")
    return first_line


def _existing(cells: Iterable[Cell]) -> str:
    numbers = [cell.number for cell in cells if cell.number is not None]
    if not numbers:
        return "no cell has run in this kernel yet"
    numbers.sort()
    names = ", ".join(map(cell_name, numbers[-MOST_NAMES:]))
    return f"the last that ran are {names}"


def _class_name(value: Any) -> str:
    """Return the name of a value's class, by which its package has it."""
    library = frame_library(value)
    if library:
        return f"{library}.DataFrame"
    return name_of(type(value))


def _not_found(missing: NotFound) -> str:
    if not missing.owner:
        return f"{missing.name} is not imported in this kernel."
    line = f"There is no {missing.name!r} in {missing.owner}"
    nearest = try_nearest(missing.name, missing.candidates)
    if nearest:
        line = f"{line}; nearest: {nearest!r}"
    return f"{line}."


def _file_text(path: str, folder: Path | None, *, share_values: bool) -> str:
    """Return what is told of a file: one in the notebook's folder that is not hidden."""
    typed = PurePath(path)
    outside = NothingThere(f"{path} is no visible file of the notebook's folder.")
    # A path of Windows can have a drive, and begin with a backslash.
    if typed.is_absolute() or typed.drive:
        raise outside
    if path.startswith(("~", "/", "\\")):
        raise outside
    try:
        found = find_file(path, folder)
        root = Path(os.path.realpath(folder or Path.cwd()))
        # A link can lead to what is hidden.
        target = found.relative_to(root)
        if _is_hidden(typed) or _is_hidden(target):
            raise outside
        if share_values:
            return attach_file(path, folder).text
        return outline_file(path, folder)
    except PromptError as error:
        raise NothingThere(_without_mention(error)) from error


def _is_hidden(path: PurePath) -> bool:
    """Return whether a file or one of its folders is hidden."""
    return any(map(_is_hidden_name, path.parts))


def _is_hidden_name(name: str) -> bool:
    return name.startswith(".") and name.strip(".") != ""


def _without_mention(error: PromptError) -> str:
    """Return the line of an error about a file, with the nearest name if it has one."""
    for remedy in error.remedies:
        if not remedy.text.startswith(DID_YOU_MEAN):
            continue
        nearest = remedy.text.removeprefix(DID_YOU_MEAN)
        nearest = nearest.rstrip("?").strip("\"'")
        if not _is_hidden(PurePath(nearest)):
            return f"{error.what} The nearest is {nearest}."
    return error.what
