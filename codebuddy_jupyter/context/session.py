"""What this kernel has run and holds, and the notebook that it belongs to.

The notebook is the open one, the saved one, or the kernel's history. The session works
with IPython 7.34 to 9, whose attributes are read with care. It never calls ``repr``,
and it runs no code of the user's.
"""

from __future__ import annotations

import linecache
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..messages import Image
from .buddy_cells import is_buddy_cell, is_buddy_error
from .error_hints import hints_text
from .error_message import rendered_message
from .failure import Failure, failure_of, locals_of
from .items import Cell, Notebook, cell_name
from .matching import Origin, matched_cells
from .outputs import error_output
from .relevance import names_in
from .runs import Run, Runs
from .saved import (
    NOTEBOOK_SUFFIXES,
    NotebookFiles,
    SavedNotebook,
    Unreadable,
    parse_notebook,
)
from .traceback_frames import IN_CELL, Source

# Seconds.
COLAB_TIMEOUT = 5
# JupyterLab's name for the contents that several people edit at the same time.
SHARED_DRIVE = "RTC:"

_SHELL_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})


@dataclass(frozen=True)
class _LastError:
    """The last error: the key of the run that it ended, and the exception's identity.

    The exception itself would keep its frames, and all that is in them, alive.
    """

    run_key: str
    failure: Failure
    exception_id: int


@dataclass(frozen=True)
class _Origin:
    """Where the notebook comes from; ``path`` is None where it has no file."""

    notebook: SavedNotebook
    name: Literal["live", "file", "history"]
    path: Path | None


class Session:
    """What this kernel has run and holds.

    Parameters
    ----------
    shell
        The IPython shell.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._runs = Runs(shell)
        self._files = NotebookFiles()
        # The notebook's cells as the front end shows them, if it has sent them.
        self._open_cells: list[dict[str, Any]] | None = None
        # Where notebooks are that were renamed, by their former paths.
        self._renamed: dict[Path, Path] = {}
        self._last_error: _LastError | None = None
        # Whether an error from before the hooks were registered was looked for.
        self._adopted = False
        # The names in the code that was run, and the runs that were looked at.
        self._code_names: frozenset[str] = frozenset()
        self._named_runs: Mapping[int, Run] = {}
        # The cells of the last notebook, by their ids.
        self._cells: Mapping[str, Cell] = {}
        self._origins: dict[str, Origin] = {}

    def listen(self) -> None:
        """Register the hooks with which the shell reports what it runs and displays."""
        self._shell.events.register("pre_run_cell", self.on_start)
        self._shell.events.register("post_run_cell", self.on_end)
        register = getattr(self._shell.display_pub, "register_hook", None)
        if register is not None:
            register(self.on_display)

    def leave(self) -> None:
        """Unregister the hooks."""
        self._shell.events.unregister("pre_run_cell", self.on_start)
        self._shell.events.unregister("post_run_cell", self.on_end)
        unregister = getattr(self._shell.display_pub, "unregister_hook", None)
        if unregister is not None:
            unregister(self.on_display)

    def set_open_cells(self, cells: list[dict[str, Any]]) -> None:
        """Take the cells as the front end shows them, until the next cell runs."""
        self._open_cells = cells

    def on_start(self, info: Any) -> None:
        """Record that a cell begins: a hook for ``pre_run_cell``."""
        self._open_cells = None
        self._adopt_error()
        was_reset = self._runs.on_start(info)
        if was_reset:
            self._last_error = None
            self._code_names = frozenset()
            self._named_runs = {}

    def on_end(self, result: Any) -> None:
        """Record that a cell has ended, and its error: a hook for ``post_run_cell``.

        An error is the last one until a later one occurs, or until the same cell or
        source has run without one. The buddy's own cells change nothing.
        """
        ended = self._runs.on_end(result)
        if ended is None:
            return
        run, error = ended
        if is_buddy_cell(run.source):
            return
        if error is None:
            self._adopt_error()
            if self._repeats_failed_run(run):
                self._last_error = None
        elif not is_buddy_error(error):
            self._record_error(run, error)

    def _repeats_failed_run(self, run: Run) -> bool:
        """Return whether this run repeats the one that ended in the last error."""
        last = self._last_error
        if last is None:
            return False
        if run.key == last.run_key:
            return True
        return run.source == self._runs.source_of(last.failure.cell)

    def _record_error(self, run: Run, error: BaseException) -> None:
        failure = self._failure_of(error, run)
        traceback = None
        line = _line_of(run.source, failure.line)
        if line:
            # As the shell marks the line that failed.
            traceback = [f"--> {failure.line} {line}"]
        run.error = error_output(failure.name, failure.message, traceback)
        self._last_error = _LastError(run.key, failure, id(error))
        self._adopted = True

    def on_display(self, message: Any) -> Any:
        """Record what a cell displays: a hook of ipykernel's display publisher.

        Returns
        -------
        Any
            The message, for the publisher to send.
        """
        return self._runs.on_display(message)

    def _adopt_error(self) -> None:
        """Take over the shell's last error from before the hooks were registered.

        If its cell was run again since, it is over.
        """
        if not self._adopted:
            self._last_error = self._error_from_before()
            self._adopted = True

    def _error_from_before(self) -> _LastError | None:
        error = _shown_error()
        if error is None:
            return None
        failure = self._failure_of(error, None)
        if self._runs.ran_again(failure.cell):
            return None
        return _LastError(cell_name(failure.cell), failure, id(error))

    def _failure_of(self, error: BaseException, run: Run | None) -> Failure:
        rendered = None
        if run is not None:
            rendered = self._runs.rendered_message(run.number)
        if rendered is None:
            rendered = self._message_in_traceback(error)
        folder = self.folder()
        failure = failure_of(error, self._source, folder, rendered)
        hints = hints_text(error, failure, self._source, folder, self.namespace())
        if hints:
            failure = replace(failure, text=f"{failure.text}\n\n{hints}")
        if run is not None and failure.cell is None:
            return replace(failure, cell=run.number)
        return failure

    def _message_in_traceback(self, error: BaseException) -> str | None:
        """Return the error's message in the traceback that the shell rendered last."""
        lines = getattr(self._shell, "_last_traceback", None)
        if not isinstance(lines, list) or not lines:
            return None
        last_line = lines[-1]
        if not isinstance(last_line, str):
            return None
        return rendered_message(type(error).__name__, last_line)

    def failure(self) -> Failure | None:
        """Return the last error.

        It has the locals of the user's innermost function as long as the shell holds
        them.
        """
        self._adopt_error()
        last = self._last_error
        if last is None:
            return None
        error = _shown_error()
        if error is None or id(error) != last.exception_id:
            return last.failure
        # Another exception may have come to the same address.
        if type(error).__name__ != last.failure.name:
            return last.failure
        locals = locals_of(error, self._source, self.folder())
        return replace(last.failure, locals=locals)

    def failed_cell(self) -> int | None:
        """Return the number of the cell that ended in the last error, if there is one."""
        failure = self.failure()
        return None if failure is None else failure.cell

    def _source(self, file: str) -> Source | None:
        """Return the cell behind a file name of a traceback."""
        if file.startswith("<timed "):
            return self._timed_source()
        compiler = getattr(self._shell, "compile", None)
        names = getattr(compiler, "_filename_map", None)
        number: int | None = None
        if isinstance(names, dict):
            number = names.get(file)
        match = IN_CELL.match(file)
        if number is None and not match:
            return None
        cached = linecache.getlines(file)
        lines = [line.rstrip("\n") for line in cached]
        if number is None and match and match[1]:
            number = int(match[1])
        if number is None:
            number = self._runs.number_of("\n".join(lines))
        source = self._runs.source_of(number) or ""
        typed = source.splitlines()
        if _is_typed_source(typed, lines):
            return Source(number, typed)
        return Source(number, lines)

    def _timed_source(self) -> Source | None:
        """Return the cell that ``%%time`` and its like run: what is below their line."""
        run = self._runs.latest
        if run is None:
            return None
        lines = run.source.splitlines()
        if run.source.startswith("%%"):
            return Source(run.number, lines[1:], above=1)
        return Source(run.number, lines)

    def names(self) -> dict[str, Any]:
        """Return the user's own variables by name, the latest defined first."""
        hidden = self._hidden()
        # Copied in one step: a cell may be running.
        namespace = self.namespace().copy()
        names = {}
        for name, value in reversed(namespace.items()):
            if not isinstance(name, str):
                continue
            if name.startswith("_") or name in _SHELL_NAMES:
                continue
            if name in hidden and hidden[name] is value:
                continue
            names[name] = value
        return names

    def last_number(self) -> int | None:
        """Return the number of the user's cell that ended last, else of the running one.

        The buddy's own cells do not count. None where nothing has run.
        """
        runs = self._runs.known()
        own = [run for run in runs if not is_buddy_cell(run.source)]
        ended = [run for run in own if run.state != "running"]
        latest = ended or own
        if not latest:
            return None
        return latest[-1].number

    def input_of(self, number: int) -> str | None:
        """Return the source that was run as ``In[number]``, if there is one."""
        return self._runs.source_of(number)

    def has_output(self, number: int) -> bool:
        """Return whether ``Out[number]`` exists."""
        return number in self._results()

    def output_of(self, number: int) -> Any:
        """Return the value of ``Out[number]``.

        Raises
        ------
        KeyError
            When there is none.
        """
        return self._results()[number]

    def figure(self) -> Image | None:
        """Return the picture that was displayed last, of those that are known."""
        picture = self._runs.last_picture()
        if picture is None:
            picture = self._find([]).notebook.picture
        if picture is None:
            return None
        return picture.decoded()

    def notebook(self) -> Notebook:
        """Return the notebook as it is now, with the state of each cell.

        The buddy's own cells are left out.
        """
        troubles: list[str] = []
        origin = self._find(troubles)
        path = origin.path
        if path is None:
            name = ""
            folder = _working_folder(troubles)
        else:
            name = path.name
            folder = path.parent
        matched = matched_cells(origin.notebook, self._runs, self._cells, self._origins)
        all_cells = list(matched)
        self._cells = {cell.id: cell for cell in all_cells}
        if len(self._origins) > 2 * len(self._cells):
            # Most are of cells that are no longer there.
            self._origins.clear()
        users_cells = [cell for cell in all_cells if cell.is_users]
        return Notebook(
            cells=tuple(users_cells),
            name=name,
            folder=folder,
            origin=origin.name,
            troubles=tuple(troubles),
        )

    def _find(self, troubles: list[str]) -> _Origin:
        """Return the best source there is; add the reason why a better one failed."""
        path = self._path()
        sources: Mapping[str, Callable[[Path | None], _Origin | None]] = {
            "The open notebook": self._open_notebook,
            "Colab's notebook": _colab_notebook,
            "The saved notebook": self._saved_notebook,
        }
        for name, read in sources.items():
            try:
                origin = read(path)
            except Unreadable as error:
                troubles.append(f"{name} could not be read: {error}.")
                continue
            if origin is not None:
                return origin
        return _Origin(SavedNotebook(), "history", path)

    def _open_notebook(self, path: Path | None) -> _Origin | None:
        if self._open_cells is None:
            return None
        notebook = _live({"cells": self._open_cells})
        return _Origin(notebook, "live", path)

    def _saved_notebook(self, path: Path | None) -> _Origin | None:
        """Return the notebook file, also if it was renamed since the kernel started."""
        if path is None:
            return None
        if not os.path.lexists(path):
            path = self._renamed_to(path)
        return _Origin(self._files.read(path), "file", path)

    def _renamed_to(self, path: Path) -> Path:
        renamed = self._renamed.get(path)
        if renamed is None or not os.path.lexists(renamed):
            renamed = self._files.try_renamed(path, self._sources_run())
        if renamed is None:
            raise Unreadable(
                f"{path.name} is no longer there; after a rename, the kernel "
                "knows it again once restarted"
            )
        self._renamed[path] = renamed
        return renamed

    def code_names(self) -> frozenset[str]:
        """Return the names that stand in the cells that were run."""
        runs = self._runs.known()
        new = [run for run in runs if id(run) not in self._named_runs]
        if new:
            sources = [run.source for run in new if not is_buddy_cell(run.source)]
            names = map(names_in, sources)
            self._code_names = self._code_names.union(*names)
        # Runs are kept, so that no other one comes to the same address.
        self._named_runs = {id(run): run for run in runs}
        return self._code_names

    def last_sources(self, most: int, without_cell: str) -> list[str]:
        """Return the code that ran last without an error, the latest last.

        Parameters
        ----------
        most
            The number of cells.
        without_cell
            The id of a cell that is left out.
        """
        sources = []
        for run in reversed(self._runs.known()):
            is_other = run.id is None or run.id != without_cell
            has_succeeded = run.state == "run"
            if has_succeeded and is_other and not is_buddy_cell(run.source):
                sources.append(run.source)
            if len(sources) == most:
                break
        return sources[::-1]

    def _sources_run(self) -> list[str]:
        """Return the sources of the notebook's own cells that were run."""
        sources = {run.source.strip() for run in self._runs.known()}
        return [source for source in sources if not is_buddy_cell(source)]

    def _path(self) -> Path | None:
        """Return where the notebook is saved, if the front end says so.

        VS Code says it in a variable, Jupyter in the environment.
        """
        in_variable = self.namespace().get("__vsc_ipynb_file__")
        in_environment = os.environ.get("JPY_SESSION_NAME")
        for name in (in_variable, in_environment):
            path = _try_notebook_path(name)
            if path is None:
                continue
            if _is_certain(path):
                return path
            # A relative path may be of another folder than the kernel's.
            return Path(path.name)
        return None

    def path(self) -> Path | None:
        """Return the notebook's file, links followed; None if it is not certain."""
        path = self._path()
        if path is None or not _is_certain(path):
            return None
        return Path(os.path.realpath(path))

    def running(self) -> tuple[str, tuple[int | None, float]] | None:
        """Return the id of the cell that runs, and what no other run of it has: its
        number, and when it began; None while none runs.
        """
        run = self._runs.current
        if run is None:
            return None
        return run.key, (run.number, run.started)

    def folder(self) -> Path | None:
        """Return the folder of the notebook, else the kernel's; None if it is gone."""
        path = self._path()
        if path is not None and path.is_absolute():
            return path.parent
        return _working_folder([])

    def namespace(self) -> dict[Any, Any]:
        """Return the shell's namespace, in which the user's variables are."""
        namespace = getattr(self._shell, "user_ns", None)
        return namespace if isinstance(namespace, dict) else {}

    def _hidden(self) -> Mapping[str, Any]:
        hidden = getattr(self._shell, "user_ns_hidden", None)
        return hidden if isinstance(hidden, dict) else {}

    def _results(self) -> Mapping[int, Any]:
        results = self.namespace().get("_oh")
        return results if isinstance(results, dict) else {}


def _try_notebook_path(name: object) -> Path | None:
    """Return the path of a notebook by the name that a front end gives it.

    Consoles have names, too, which are no paths of notebooks.
    """
    if not isinstance(name, str):
        return None
    path = Path(name.removeprefix(SHARED_DRIVE))
    if path.suffix.lower() not in NOTEBOOK_SUFFIXES:
        return None
    name_in_drive = path.name.removeprefix(SHARED_DRIVE)
    return path.with_name(name_in_drive or path.name)


def _is_certain(path: Path) -> bool:
    return path.is_absolute() or os.path.lexists(path)


def _line_of(source: str, number: int | None) -> str | None:
    lines = source.splitlines()
    if not number or number > len(lines):
        return None
    return lines[number - 1]


def _is_typed_source(typed: Sequence[str], compiled: Sequence[str]) -> bool:
    """Return whether line numbers of the compiled source are those of the typed one.

    A cell magic compiles to a single line.
    """
    if len(typed) == len(compiled):
        return True
    if not typed or len(compiled) != 1:
        return False
    return typed[0].startswith("%%")


def _working_folder(troubles: list[str]) -> Path | None:
    try:
        return Path.cwd()
    except OSError:
        troubles.append("The kernel's working folder is no longer there.")
        return None


def _shown_error() -> BaseException | None:
    """Return the error that the shell showed last, unless it is the buddy's own."""
    error = getattr(sys, "last_value", None)
    if not isinstance(error, BaseException) or is_buddy_error(error):
        return None
    return error


def _live(data: Any) -> SavedNotebook:
    """Return an open notebook, which is newer than any run."""
    return parse_notebook(data, saved_at=math.inf)


def _colab_notebook(path: Path | None) -> _Origin | None:
    """Return the open notebook from Colab's page."""
    if "google.colab" not in sys.modules:
        return None
    message = sys.modules.get("google.colab._message")
    if message is None:
        return None
    try:
        answer = message.blocking_request("get_ipynb", timeout_sec=COLAB_TIMEOUT)
    except Exception as error:
        # Colab does not document what its bridge raises.
        raise Unreadable(type(error).__name__) from error
    data = None
    if isinstance(answer, dict):
        data = answer.get("ipynb")
    return _Origin(_live(data), "live", path)
