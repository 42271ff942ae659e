"""What this kernel has run and holds, and the notebook that it belongs to: the live
one, the saved one, or its history.

It is duck-typed on an IPython shell, 7.34 to 9. It never calls ``repr``, and it runs no
code of the user's.
"""

from __future__ import annotations

import linecache
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from ..messages import Image
from .failure import IN_CELL, Failure, Source, failure_of, locals_of, rendered_message
from .items import Cell, Notebook
from .matching import matched
from .outputs import decoded, failed
from .runs import Run, Runs, is_our_error, is_ours
from .saved import Files, Saved, Unreadable, notebook_in

# seconds, for Colab's page
ANSWER_WITHIN = 5

Origin = Literal["live", "file", "history"]
_SHELL = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})


class Session:
    """What this kernel has run and holds.

    Parameters
    ----------
    shell
        The IPython shell.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._shown: list[dict[str, Any]] | None = None
        self._runs = Runs(shell)
        self._files = Files()
        self._renamed: dict[Path, Path] = {}
        self._failed: tuple[str, Failure, int] | None = None
        self._adopted = False
        self._cells: Mapping[str, Cell] = {}

    def listen(self) -> None:
        """Have the shell tell what it runs and displays."""
        self._shell.events.register("pre_run_cell", self.before)
        self._shell.events.register("post_run_cell", self.after)
        register = getattr(self._shell.display_pub, "register_hook", None)
        if register is not None:
            register(self.displayed)

    def leave(self) -> None:
        """Have it tell no more."""
        self._shell.events.unregister("pre_run_cell", self.before)
        self._shell.events.unregister("post_run_cell", self.after)
        unregister = getattr(self._shell.display_pub, "unregister_hook", None)
        if unregister is not None:
            unregister(self.displayed)

    def shown(self, cells: list[dict[str, Any]]) -> None:
        """Take the notebook's cells as the front end shows them, which is true until
        the next cell runs.
        """
        self._shown = cells

    def before(self, info: Any) -> None:
        """Take note of a cell that begins; where the shell was reset before it, nothing
        has run and failed so far.
        """
        self._shown = None
        self._adopt()
        if self._runs.before(info):
            self._failed = None

    def after(self, result: Any) -> None:
        """Take note of a cell that has ended, and of the error that it ended in.

        An error is the last one until a later one comes, or the same cell, or the same
        source, has run well. The buddy's own cells change nothing.
        """
        ended = self._runs.after(result)
        if ended is None or is_ours(ended[0].source):
            return
        run, error = ended
        if error is None:
            self._adopt()
            if self._failed and (
                run.key == self._failed[0]
                or run.source == self._runs.input(self._failed[1].cell)
            ):
                self._failed = None
        elif not is_our_error(error):
            failure = self._failure_of(error, run)
            lines = run.source.splitlines()
            line = (
                lines[failure.line - 1]
                if failure.line and failure.line <= len(lines)
                else None
            )
            run.error = failed(
                failure.name,
                failure.message,
                [f"--> {failure.line} {line}"] if line else None,
            )
            self._adopted, self._failed = True, (run.key, failure, id(error))

    def displayed(self, message: Any) -> Any:
        """Take note of what a cell displays: a hook of ipykernel's publisher, which
        gets its message back.
        """
        return self._runs.displayed(message)

    def _adopt(self) -> None:
        """Take over the error that the shell holds from before anybody listened, unless
        its cell was run again.
        """
        error = _last_error()
        if not self._adopted and error is not None:
            failure = self._failure_of(error, None)
            if not self._runs.ran_again(failure.cell):
                self._failed = f"In[{failure.cell}]", failure, id(error)
        self._adopted = True

    def _failure_of(self, error: BaseException, run: Run | None) -> Failure:
        rendered = self._runs.rendered_error(run.number) if run else None
        lines = getattr(self._shell, "_last_traceback", None)
        if (
            rendered is None
            and isinstance(lines, list)
            and lines
            and isinstance(lines[-1], str)
        ):
            rendered = rendered_message(type(error).__name__, lines[-1])
        failure = failure_of(error, self._source, self.folder(), rendered)
        return (
            replace(failure, cell=run.number)
            if run and failure.cell is None
            else failure
        )

    def failure(self) -> Failure | None:
        """The last error, with the locals of the user's innermost function while the
        shell holds them.
        """
        self._adopt()
        if self._failed is None:
            return None
        _, failure, was = self._failed
        error = _last_error()
        if error is None or id(error) != was or type(error).__name__ != failure.name:
            return failure
        return replace(failure, locals=locals_of(error, self._source, self.folder()))

    def _source(self, file: str) -> Source | None:
        """The cell behind a file name of a traceback."""
        # %%time and its like compile the cell below their line under this name
        if file.startswith("<timed "):
            run = self._runs.latest
            above = 1 if run and run.source.startswith("%%") else 0
            return (
                Source(run.number, run.source.splitlines()[above:], above)
                if run
                else None
            )
        names = getattr(getattr(self._shell, "compile", None), "_filename_map", None)
        number = names.get(file) if isinstance(names, dict) else None
        found = IN_CELL.match(file)
        if number is None and not found:
            return None
        lines = [line.rstrip("\n") for line in linecache.getlines(file)]
        if number is None and found:
            number = (
                int(found[1]) if found[1] else self._runs.number_of("\n".join(lines))
            )
        typed = (self._runs.input(number) or "").splitlines()
        as_typed = len(typed) == len(lines) or (
            typed and typed[0].startswith("%%") and len(lines) == 1
        )
        return Source(number, typed if as_typed else lines)

    def names(self) -> dict[str, Any]:
        """The user's own variables by name, the latest defined first."""
        hidden = self._hidden()
        return {
            name: value
            # in one step: a cell may be running
            for name, value in reversed(self.namespace().copy().items())
            if isinstance(name, str)
            and not name.startswith("_")
            and name not in _SHELL
            and not (name in hidden and hidden[name] is value)
        }

    def input_of(self, number: int) -> str | None:
        """The source that was run as ``In[number]``, where there is one."""
        return self._runs.input(number)

    def has_output(self, number: int) -> bool:
        """Whether ``Out[number]`` is there."""
        return number in self._results()

    def output_of(self, number: int) -> Any:
        """``Out[number]``.

        Raises
        ------
        KeyError
            When there is none.
        """
        return self._results()[number]

    def figure(self) -> Image | None:
        """The picture that was displayed last, as far as kernel and saved file know."""
        found = self._runs.last_picture()
        if found is not None:
            return decoded(found[1])
        picture = self._found([])[0].picture
        return decoded(picture) if picture else None

    def notebook(self) -> Notebook:
        """The notebook as it is now, matched with what was really run.

        The buddy's own cells are left out.
        """
        troubles: list[str] = []
        saved, origin, path = self._found(troubles)
        folder = path.parent if path else self._working_folder(troubles)
        found = list(matched(saved, self._runs, self._cells))
        self._cells = {cell.id: cell for cell in found}
        cells = tuple(
            cell for cell in found if cell.source.strip() and not is_ours(cell.source)
        )
        return Notebook(
            cells, path.name if path else "", folder, origin, tuple(troubles)
        )

    def _found(self, troubles: list[str]) -> tuple[Saved, Origin, Path | None]:
        """The best source there is; the trouble with each better one is told."""
        path = self._path()
        for origin, name, source in (
            ("live", "The open notebook", self._open_cells),
            ("live", "Colab's notebook", _colab_notebook),
            ("file", "The saved notebook", lambda: self._saved(path)),
        ):
            try:
                saved = source()
            except Unreadable as trouble:
                troubles.append(f"{name} could not be read: {trouble}.")
                continue
            if saved is not None:
                return saved[0], cast(Origin, origin), saved[1] or path
        return Saved(), "history", path

    def _open_cells(self) -> tuple[Saved, None] | None:
        return (
            None
            if self._shown is None
            else (notebook_in({"cells": self._shown}, math.inf), None)
        )

    def _saved(self, path: Path | None) -> tuple[Saved, Path] | None:
        """The notebook file, also where it was renamed since the kernel started."""
        if path is None:
            return None
        if not os.path.lexists(path):
            path = self._renamed_to(path)
        return self._files.read(path), path

    def _renamed_to(self, path: Path) -> Path:
        known = self._renamed.get(path)
        if known is None or not os.path.lexists(known):
            ran = {
                run.source.strip()
                for run in (*self._runs.earlier(), *self._runs.recorded())
            }
            known = self._files.try_renamed(
                path, (source for source in ran if not is_ours(source))
            )
        if known is None:
            raise Unreadable(
                f"{path.name} is no longer there; after a rename, the kernel "
                "knows it again once restarted"
            )
        self._renamed[path] = known
        return known

    def _path(self) -> Path | None:
        """Where the notebook is saved, as far as the front end told:

        VS Code in a variable, Jupyter in a setting.
        """
        for told in (
            self.namespace().get("__vsc_ipynb_file__"),
            os.environ.get("JPY_SESSION_NAME"),
        ):
            if isinstance(told, str) and told.endswith(".ipynb"):
                path = Path(told)
                return (
                    path
                    if path.is_absolute() or os.path.lexists(path)
                    else Path(path.name)
                )
        return None

    def path(self) -> Path | None:
        """The notebook's file, links followed; None where it is not known for sure."""
        path = self._path()
        known = path is not None and (path.is_absolute() or os.path.lexists(path))
        return Path(os.path.realpath(path)) if path is not None and known else None

    def folder(self) -> Path | None:
        """The folder of the notebook, else the kernel's; None where that is gone."""
        path = self._path()
        return path.parent if path and path.is_absolute() else self._working_folder([])

    @staticmethod
    def _working_folder(troubles: list[str]) -> Path | None:
        try:
            return Path.cwd()
        except OSError:
            troubles.append("The kernel's working folder is no longer there.")
            return None

    def namespace(self) -> dict[Any, Any]:
        space = getattr(self._shell, "user_ns", None)
        return space if isinstance(space, dict) else {}

    def _hidden(self) -> Mapping[str, Any]:
        hidden = getattr(self._shell, "user_ns_hidden", None)
        return hidden if isinstance(hidden, dict) else {}

    def _results(self) -> Mapping[int, Any]:
        results = self.namespace().get("_oh")
        return results if isinstance(results, dict) else {}


def _last_error() -> BaseException | None:
    """The error that the shell showed last, unless it is the buddy's own."""
    last = getattr(sys, "last_value", None)
    return last if isinstance(last, BaseException) and not is_our_error(last) else None


def _colab_notebook() -> tuple[Saved, None] | None:
    """The open notebook, asked of Colab's page."""
    message = (
        sys.modules.get("google.colab._message")
        if "google.colab" in sys.modules
        else None
    )
    if message is None:
        return None
    try:
        answer = message.blocking_request("get_ipynb", timeout_sec=ANSWER_WITHIN)
    except Exception as error:
        # Colab documents none of what its bridge raises
        raise Unreadable(f"{type(error).__name__}") from error
    return notebook_in(
        answer.get("ipynb") if isinstance(answer, dict) else None, math.inf
    ), None
