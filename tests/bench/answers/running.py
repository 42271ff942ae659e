"""Runs the code of answers in the state of a notebook, and judges the results.

It is the program of a child process, which the code of an answer may bring to its end.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import printed
from .child import Answered, Request, serve
from .code import code_in
from .figures import drawn, is_same_figure
from .forms import Form, form_of, has_same_values, is_same
from .notebooks import find
from .question import Notebook, Question
from .verdict import LOOSE, RIGHT, WRONG, Verdict

# What the code of an answer must not do: leave the machine, or start programs.
REFUSED = (
    "socket.connect",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
)
# What it may do only to the files in its own folder.
CHANGES = ("os.remove", "os.rename", "os.rmdir", "shutil.rmtree", "shutil.move")
WRITES = frozenset("wax+")


class NoResult(Exception):
    """The code ran, and what it was to define is not there or does not work."""


@dataclass
class Outcome:
    """What code did.

    Parameters
    ----------
    names
        The namespace afterwards.
    value
        The value of the last expression.
    assigned
        The value that the last statement assigned.
    displayed
        What was given to ``display``.
    printed
        What was printed.
    figures
        The figures that it opened.
    called
        The values of the question's calls.
    """

    names: dict[str, Any]
    value: Any = None
    assigned: Any = None
    displayed: list[Any] = field(default_factory=list)
    printed: str = ""
    figures: list[Figure] = field(default_factory=list)
    called: list[Any] = field(default_factory=list)


def judge(notebook: Notebook, question: Question, code: str) -> Verdict:
    """Run code in the state in which the question is asked, and judge its result."""
    if not code:
        return Verdict(WRONG, "no code")
    try:
        outcome = run(notebook, question, code)
        got = _compared(question, outcome)
    except BaseException as error:  # noqa: BLE001 - an answer may raise anything
        return Verdict(WRONG, type(error).__name__, str(error)[:300])
    if question.figure:
        return _judge_figure(question, got, _reference(notebook, question))
    wanted = _reference(notebook, question)
    if _is_right(question, got, wanted):
        return Verdict(RIGHT)
    if _is_loosely_right(question, outcome, got, wanted):
        return Verdict(LOOSE)
    return Verdict(WRONG, "another result", repr(got)[:300])


def run(notebook: Notebook, question: Question, code: str) -> Outcome:
    """Run code in the state in which the question is asked.

    Raises
    ------
    BaseException
        What the code raises.
    """
    with _folder(notebook):
        outcome = Outcome(_state(notebook, question))
        outcome.names["display"] = lambda *shown, **_: outcome.displayed.extend(shown)
        with contextlib.redirect_stdout(io.StringIO()) as text, _guarded():
            _execute(code, outcome)
            outcome.called = [_called(call, outcome.names) for call in question.calls]
        outcome.printed = text.getvalue()
        outcome.figures = [plt.figure(number) for number in plt.get_fignums()]
        outcome.figures += _figure_of(outcome.value)
        return outcome


def _called(call: str, names: dict[str, Any]) -> Any:
    try:
        return eval(call, names)
    except Exception as error:
        # Not an error of the answer's own code, which ran.
        raise NoResult(f"{call}: {type(error).__name__}: {error}") from error


def _compared(question: Question, outcome: Outcome) -> Any:
    """Return what is compared: forms, or what is drawn."""
    if question.figure:
        figures = dict.fromkeys(outcome.figures)
        return drawn(figures)
    if question.calls:
        return [form_of(value) for value in outcome.called]
    if question.into:
        return [form_of(outcome.names.get(question.into))]
    return [form_of(outcome.value)]


@cache
def _reference(notebook: Notebook, question: Question) -> Any:
    return _compared(question, run(notebook, question, question.reference))


def _is_right(question: Question, got: list[Form], wanted: list[Form]) -> bool:
    return all(
        is_same(
            one,
            other,
            ordered=question.ordered,
            any_names=question.any_names,
            near=question.tolerance,
        )
        for one, other in zip(got, wanted, strict=True)
    )


def _is_loosely_right(
    question: Question, outcome: Outcome, got: list[Form], wanted: list[Form]
) -> bool:
    near = question.tolerance
    if all(has_same_values(*pair, near) for pair in zip(got, wanted, strict=True)):
        return True
    if question.calls:
        return False
    shown = [outcome.value, outcome.assigned, *outcome.displayed]
    if any(has_same_values(form_of(value), wanted[0], near) for value in shown):
        return True
    return printed.has_values(outcome.printed, wanted[0])


def _judge_figure(
    question: Question,
    got: Mapping[str, tuple[Any, ...]],
    wanted: Mapping[str, tuple[Any, ...]],
) -> Verdict:
    if is_same_figure(got, wanted, question.figure):
        return Verdict(RIGHT)
    data = [name for name in question.figure if name in ("values", "boxes")]
    if is_same_figure(got, wanted, data):
        return Verdict(LOOSE)
    return Verdict(WRONG, "another figure", str(got)[:300])


def _execute(code: str, outcome: Outcome) -> None:
    tree = ast.parse(code)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    exec(compile(tree, "answer", "exec"), outcome.names)
    if isinstance(last, ast.Expr):
        expression = compile(ast.Expression(last.value), "answer", "eval")
        outcome.value = eval(expression, outcome.names)
    elif isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
        outcome.assigned = outcome.names[last.targets[0].id]


def _state(notebook: Notebook, question: Question) -> dict[str, Any]:
    """Return the namespace after the notebook's cells."""
    outcome = Outcome({"__name__": "__main__", "display": lambda *_, **__: None})
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in notebook.cells:
            _execute(cell, outcome)
        # The cell before the question may fail.
        with contextlib.suppress(Exception):
            _execute(question.after, outcome)
    # As the inline backend does after each cell.
    plt.close("all")
    return outcome.names


def _figure_of(value: Any) -> list[Figure]:
    if isinstance(value, Axes):
        value = value.figure
    return [value] if isinstance(value, Figure) else []


@contextlib.contextmanager
def _folder(notebook: Notebook) -> Iterator[None]:
    """Work in a new folder with the notebook's files."""
    before = Path.cwd()
    folder = tempfile.mkdtemp(prefix="answer")
    os.chdir(folder)
    try:
        for name, text in notebook.files.items():
            Path(name).write_text(text, encoding="utf-8")
        yield
    finally:
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)


class _Guard:
    """Refuses, while it is on, what an answer must not do."""

    def __init__(self) -> None:
        self.is_on = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event in REFUSED:
            raise PermissionError(f"an answer must not use {event}")
        writes = event == "open" and _is_writing(arguments[1])
        if (writes or event in CHANGES) and _is_elsewhere(arguments[0]):
            raise PermissionError(f"an answer must not change {arguments[0]}")


def _is_writing(mode: Any) -> bool:
    return isinstance(mode, str) and bool(WRITES & set(mode))


def _is_elsewhere(path: Any) -> bool:
    if not isinstance(path, str | os.PathLike):
        return False
    return not Path(path).resolve().is_relative_to(Path.cwd().resolve())


_guard = _Guard()


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    _guard.is_on = True
    try:
        yield
    finally:
        _guard.is_on = False


def _answer(request: Request) -> Answered:
    notebook, question = find(request["notebook"], request["question"])
    verdict = judge(notebook, question, code_in(request["answer"]))
    plt.close("all")
    return asdict(verdict)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.addaudithook(_guard)
    serve(_answer)
