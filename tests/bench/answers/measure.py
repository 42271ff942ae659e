"""Asks a real model all questions in several ways, and has the answers judged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider

from ..in_process import MODEL_VARIABLE
from . import lean
from .child import Child, Ended, Request
from .code import code_in
from .notebooks import NOTEBOOKS
from .question import Notebook, Question
from .recorder import Exchange, Record, Recorder
from .verdict import WRONG, Verdict

ALONE, CELLS, LEAN, OURS, CHECKED = "alone", "cells", "lean", "ours", "checked"
LOOKED = "looked"
ARMS: Mapping[str, str] = {
    ALONE: "the question alone",
    CELLS: "sources of the earlier cells",
    LEAN: "the same, then a line for each variable",
    OURS: "the buddy's prompt",
    CHECKED: "the buddy's prompt, code checked and repaired",
    LOOKED: "the same, after looks at what the model chooses",
}
BUDDYS = frozenset({OURS, CHECKED})
MODEL = "qwen2.5-coder-1.5b"
RECORD = Path(__file__).parents[3] / "build" / "answers.jsonl"
# Of the engine, in tokens.
WINDOW = 8192
# The longest answer, in tokens.
MAX_TOKENS = 400
# Seconds. Cells import pandas on a busy machine; an answer has its own time limits.
OPENING, ANSWERING = 120.0, 1800.0
# Seconds after which the code of an answer hangs; the first run imports what it needs.
RUNNING, FIRST_RUN = 30.0, 120.0


@dataclass(frozen=True)
class Choice:
    """What is measured.

    Parameters
    ----------
    arms
        Names of `ARMS`.
    model
        The model: what `EmbeddedProvider.model` takes.
    record
        The file of the answers.
    notebooks
        The names of the notebooks.
    settings
        Assignments for ``%config`` in the buddy's sessions.
    threads
        The threads of the engine: as many as cores are free.
    questions
        How many questions of each notebook are asked.
    """

    arms: Sequence[str] = tuple(ARMS)
    model: str = ""
    record: Path = RECORD
    notebooks: Sequence[str] = tuple(one.name for one in NOTEBOOKS)
    settings: Sequence[str] = ()
    threads: int = 2
    questions: int = 100

    @property
    def model_name(self) -> str:
        """The model, by default that of the environment."""
        return self.model or os.environ.get(MODEL_VARIABLE) or MODEL


@dataclass(frozen=True)
class Answer:
    """An answer of one arm, with the verdict on its code.

    Parameters
    ----------
    exchange
        The request that led to it, and the answer; of a repair, the second.
    prompt_tokens
        The tokens of the first prompt.
    findings
        What the buddy found wrong with the code.
    repaired
        Whether the model was asked to correct it.
    seconds
        How long all requests took.
    looked
        What was looked up before.
    """

    arm: str
    notebook: Notebook
    question: Question
    exchange: Exchange
    prompt_tokens: int
    verdict: Verdict
    findings: Sequence[str] = ()
    repaired: bool = False
    seconds: float = 0.0
    looked: Sequence[str] = ()

    def __str__(self) -> str:
        error = f" ({self.verdict.error})" if self.verdict.error else ""
        error += "".join(f"; {line}" for line in (*self.findings, *self.looked))
        name = f"{self.notebook.name}/{self.question.name}"
        return f"{self.arm:8} {name:32} {self.verdict.verdict}{error}"


class Unanswered(Exception):
    """The buddy has no answer; the message says to what, and why."""


@dataclass(frozen=True)
class Asked:
    """The exchanges with the model that a question led to, what was found in the code
    of the first answer, and what was looked up before it.
    """

    exchanges: Sequence[Exchange]
    findings: Sequence[str] = ()
    looked: Sequence[str] = ()

    @property
    def answers(self) -> list[Exchange]:
        """The exchanges that are answers, and no choices of a look."""
        return [one for one in self.exchanges if not one.is_choice]

    @property
    def final(self) -> Exchange:
        """The exchange with the code that counts: of a correction without code, the
        first.
        """
        with_code = [one for one in self.answers if code_in(one.answer)]
        return with_code[-1] if with_code else self.answers[0]


@contextmanager
def recording(choice: Choice) -> Iterator[Recorder]:
    """Run an engine with the model, and a recorder in front of it.

    Raises
    ------
    codebuddy_jupyter.BuddyError
        If the engine cannot run the model.
    """
    loop = Loop()
    provider = EmbeddedProvider(
        model=choice.model_name, threads=choice.threads, n_ctx=WINDOW
    )
    try:
        name = loop.run(provider.choose(""))
        loop.run(provider.window(name))
        url, key = loop.run(provider.endpoint())
        with Recorder(url, key, name, Record(choice.record)) as recorder:
            yield recorder
    finally:
        loop.run(provider.close())
        loop.stop()


def answers(choice: Choice, recorder: Recorder, folder: Path) -> Iterator[Answer]:
    """Ask each question in each of the chosen ways, and judge the answers.

    The questions about a notebook are asked one after the other in one way, so that the
    engine has read what they share.
    """
    with Judge(folder / "judge") as judge:
        for notebook in NOTEBOOKS:
            if notebook.name not in choice.notebooks:
                continue
            questions = notebook.questions[: choice.questions]
            with ExitStack() as stack:
                sessions = Sessions(stack, folder, recorder, choice)
                for arm in _asked(choice.arms):
                    for question in questions:
                        asked = _ask(arm, notebook, question, recorder, sessions)
                        for answer in _served(arm, notebook, question, asked, judge):
                            if answer.arm in choice.arms:
                                yield answer


def _asked(arms: Iterable[str]) -> list[str]:
    """Return the arms that are asked: one question to the buddy serves two of them."""
    return list(dict.fromkeys(OURS if arm in BUDDYS else arm for arm in arms))


def _ask(
    arm: str,
    notebook: Notebook,
    question: Question,
    recorder: Recorder,
    sessions: Sessions,
) -> Asked:
    """Ask a question in one way."""
    if arm in (OURS, LOOKED):
        return sessions.ask_buddy(notebook, question, look=arm == LOOKED)
    cells = notebook.cells_before(question)
    if arm == ALONE:
        text = lean.alone(question.text)
    elif arm == CELLS:
        text = lean.with_cells(question.text, cells)
    else:
        variables = sessions.variables(notebook, question)
        text = lean.with_cells_and_variables(question.text, cells, variables)
    messages = [
        {"role": "system", "content": lean.SYSTEM},
        {"role": "user", "content": text},
    ]
    return Asked([recorder.ask(messages, MAX_TOKENS)])


def _served(
    arm: str, notebook: Notebook, question: Question, asked: Asked, judge: Judge
) -> Iterator[Answer]:
    """Yield the answers of the arms that the exchanges serve."""
    first = asked.answers[0]
    served = {arm: asked.final if arm == LOOKED else first}
    if arm == OURS:
        served = {OURS: first, CHECKED: asked.final}
    for name, exchange in served.items():
        yield Answer(
            arm=name,
            notebook=notebook,
            question=question,
            exchange=exchange,
            prompt_tokens=first.prompt_tokens,
            verdict=judge.verdict(notebook, question, exchange.answer),
            findings=asked.findings,
            repaired=len(asked.answers) > 1,
            seconds=sum(one.seconds for one in asked.exchanges),
            looked=asked.looked,
        )


class Sessions:
    """The sessions of one notebook: one for each cell that runs before a question.

    Parameters
    ----------
    stack
        Ends them.
    folder
        Where each gets a home.
    recorder
        The server that the buddy asks.
    choice
        What is measured.
    """

    def __init__(
        self, stack: ExitStack, folder: Path, recorder: Recorder, choice: Choice
    ) -> None:
        self._stack = stack
        self._folder = folder
        self._recorder = recorder
        self._choice = choice
        self._opened: dict[str, tuple[Child, list[str]]] = {}

    def variables(self, notebook: Notebook, question: Question) -> list[str]:
        """Return a line for each variable."""
        return self._session(notebook, question)[1]

    def ask_buddy(
        self, notebook: Notebook, question: Question, *, look: bool = False
    ) -> Asked:
        """Ask the buddy, which looks things up before if it shall.

        Raises
        ------
        Unanswered
            If it fails: a run that goes on later asks again.
        """
        session, _ = self._session(notebook, question)
        before = len(self._recorder.exchanges)
        request: Request = {
            "do": "ask",
            "text": question.text,
            "context": "auto",
            "max_tokens": MAX_TOKENS,
            "look": look,
        }
        answered = session.ask(request, ANSWERING)
        if answered["error"]:
            raise Unanswered(f"{question.name}: {answered['error']}")
        exchanges = self._recorder.exchanges[before:]
        return Asked(exchanges, answered["findings"], answered["looked"])

    def _session(
        self, notebook: Notebook, question: Question
    ) -> tuple[Child, list[str]]:
        if question.after not in self._opened:
            self._opened[question.after] = self._open(notebook, question)
        return self._opened[question.after]

    def _open(self, notebook: Notebook, question: Question) -> tuple[Child, list[str]]:
        home = self._folder / f"{notebook.name}-{len(self._opened)}"
        child = Child(
            "tests.bench.answers.session",
            home,
            CODEBUDDY_BASE_URL=self._recorder.url,
        )
        session = self._stack.enter_context(child)
        names: Request = {"notebook": notebook.name, "question": question.name}
        opened = session.ask({"do": "open", **names}, OPENING)
        settings = list(self._choice.settings)
        session.ask({"do": "set up", "settings": settings}, OPENING)
        return session, opened["variables"]


class Judge:
    """Has the code of answers run in a child process; use it as a context manager.

    Parameters
    ----------
    home
        A folder of its own.
    seconds
        How long the code of an answer may run.
    """

    def __init__(self, home: Path, seconds: float = RUNNING) -> None:
        self._home = home
        self._seconds = seconds
        self._child: Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._end()

    def verdict(self, notebook: Notebook, question: Question, answer: str) -> Verdict:
        """Return the verdict on an answer; code that hangs is ended."""
        seconds = self._seconds
        if self._child is None:
            self._child = Child("tests.bench.answers.running", self._home)
            seconds = FIRST_RUN
        request: Request = {
            "notebook": notebook.name,
            "question": question.name,
            "answer": answer,
        }
        try:
            return Verdict(**self._child.ask(request, seconds))
        except Ended:
            self._end()
            return Verdict(WRONG, "no end", f"after {seconds:.0f} s")

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None
