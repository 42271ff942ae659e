"""Collect what can be sent about the notebook for a question.

The collector holds the session, the describers and the redactor. It sends nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AnySet
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from ..secrets.redactor import Redacted, Redactor, known_values
from .describe import Describers
from .describe.text import on_one_line
from .error_message import message_of
from .failure import Failure
from .fit import Redact
from .hint_items import hints_about
from .items import Cell, Notebook, Section, Snapshot
from .mentions import Mention, resolve
from .relevance import likely_names, names_in, words_of
from .session import Session
from .snapshot import MAX_LOCALS, KernelState, snapshot

# Variables that are described for a question; no context window has room for more.
MAX_DESCRIBED = 1_000

# Characters at each end of a question by which what is about it is found: of a pasted
# text of megabytes, that would take seconds, and what is asked stands at an end.
MAX_END = 100_000

# Variables and cells of which the completion of code is told.
MAX_NAMES = 20
MAX_SOURCES = 20
# The beginnings of descriptions of which it is not told: the code shows the imports.
UNTOLD = ("module ", "imported ")

EMPTY_STATE = KernelState(Notebook(), {})
NOTEBOOK_SECTIONS: frozenset[Section] = frozenset({"outline", "cells", "outputs"})
VARIABLES_SECTION: frozenset[Section] = frozenset({"variables"})
ERROR_SECTION: frozenset[Section] = frozenset({"error"})

T = TypeVar("T")


class Collector:
    """Collects what one session knows of its notebook; without one, nothing.

    Parameters
    ----------
    session
        What the kernel has run and holds; None in a plain process.
    """

    def __init__(self, session: Session | None = None) -> None:
        self.session = session
        self.describers = Describers()
        self._redactor = Redactor()
        self._secrets: dict[str, str] = {}
        # The text of the last error, and its function's variables as they were described
        # while the shell held them: an error of the buddy's own takes their place there.
        self._locals: tuple[str, Mapping[str, str]] = "", {}
        # Reentrant: a describer of the user's may ask the buddy, on the same thread.
        self._collecting = threading.RLock()

    def collect(
        self,
        prompt: str,
        sections: frozenset[Section],
        mentions: Sequence[Mention],
        *,
        share_values: bool,
    ) -> Snapshot:
        """Return what could be sent now for a question.

        Threads that call this at the same time wait for each other.

        Parameters
        ----------
        prompt
            The question.
        sections
            What may be sent.
        mentions
            What the prompt attaches by name.
        share_values
            Whether the values of variables are sent, too.

        Raises
        ------
        PromptError
            When the prompt mentions something that does not exist.
        """
        if self.session is None:
            self._redactor.know(known_values(os.environ, {}))
            return Snapshot()
        with self._collecting:
            return self._collect(
                self.session,
                _ends_of(prompt),
                sections,
                mentions,
                share_values=share_values,
            )

    def _collect(
        self,
        session: Session,
        prompt: str,
        sections: frozenset[Section],
        mentions: Sequence[Mention],
        *,
        share_values: bool,
    ) -> Snapshot:
        sources = _Sources(sections)
        code_names = sources.read("The cells", session.code_names, frozenset())
        self.describers.begin(code_names or frozenset())
        names = sources.read("The variables", session.names, VARIABLES_SECTION)
        self._know_secrets(names)
        variables = names or {}
        attached = resolve(mentions, session, self.describers)
        state = self._state(
            session,
            sources,
            variables,
            prompt,
            share_values=share_values,
        )

        def ranked() -> Snapshot:
            wanted = frozenset(sources.sections)
            return snapshot(prompt, state, wanted, attached, str)

        collected = sources.read("The collected context", ranked, sections)
        if collected is None:
            collected = snapshot(prompt, EMPTY_STATE, frozenset(), attached)
        if variables and VARIABLES_SECTION & sources.sections:
            found = hints_about(
                prompt,
                mentions,
                variables,
                state.notebook.cells,
            )
            collected = replace(collected, items=(*collected.items, *found))
        return replace(
            collected,
            troubles=(*collected.troubles, *sources.troubles),
            undescribed=variables.keys() - state.variables.keys(),
        )

    def code_context(
        self, names: Sequence[str], sections: AnySet[Section], cell: str = ""
    ) -> tuple[list[str], dict[str, str]]:
        """Return what a model is told to complete code: sources that ran, the last one
        last, and schemas of variables by name. No code of the user's is run.

        Parameters
        ----------
        names
            The names that may be variables.
        sections
            What may be sent.
        cell
            The id of the cell that is completed, which is left out.
        """
        session = self.session
        if session is None:
            self._redactor.know(known_values(os.environ, {}))
            return [], {}
        with self._collecting:
            sources = _Sources(sections)
            variables = sources.read("The variables", session.names, VARIABLES_SECTION)
            self._know_secrets(variables)
            schemas = {}
            if VARIABLES_SECTION & sources.sections:
                schemas = self._schemas(names, variables or {})
            ran = None
            if "cells" in sources.sections:

                def last_sources() -> list[str]:
                    return session.last_sources(MAX_SOURCES, cell)

                ran = sources.read("The cells", last_sources, NOTEBOOK_SECTIONS)
            return ran or [], schemas

    def _schemas(
        self, names: Sequence[str], variables: Mapping[str, object]
    ) -> dict[str, str]:
        """Return the schemas of the first of these names that are variables."""
        existing = [name for name in names if name in variables]
        schemas = {}
        for name in existing[:MAX_NAMES]:
            value = variables[name]
            schema = on_one_line(self.describers.built_in_schema(value))
            if not schema.startswith(UNTOLD):
                schemas[name] = schema
        return schemas

    @contextmanager
    def reading(self) -> Iterator[Session | None]:
        """Hold other readers of the kernel off, with the secrets of the present
        variables known; gives the session, if there is one.
        """
        session = self.session
        with self._collecting:
            if session is not None:
                self.describers.begin(session.code_names())
                self._know_secrets(session.names())
            yield session

    def _know_secrets(self, names: Mapping[str, object] | None) -> None:
        """Redact the secrets among the variables and in the environment from now on.

        Where the variables cannot be read, the secrets known so far stay redacted.
        """
        secrets = known_values(os.environ, names or {})
        if names is None:
            secrets = {**self._secrets, **secrets}
        self._secrets = secrets
        self._redactor.know(self._secrets)

    def _state(
        self,
        session: Session,
        sources: _Sources,
        names: Mapping[str, object],
        prompt: str,
        *,
        share_values: bool,
    ) -> KernelState:
        """Return what can be read of the kernel's state."""
        if not sources.sections:
            return EMPTY_STATE

        def described() -> Mapping[str, str]:
            likely = _likeliest(names, prompt, failure, notebook)
            return self._described(likely, share_values=share_values)

        def last_failure() -> Failure | None:
            return self._with_locals(session.failure())

        failure = sources.read("The last error", last_failure, ERROR_SECTION)
        notebook = variables = None
        # A failure is ranked and described with the notebook's cells.
        if failure or NOTEBOOK_SECTIONS & sources.sections:
            notebook = sources.read("The notebook", session.notebook, NOTEBOOK_SECTIONS)
        if VARIABLES_SECTION & sources.sections:
            variables = sources.read("The variables", described, VARIABLES_SECTION)
        return KernelState(notebook or Notebook(), variables or {}, failure)

    def _with_locals(self, failure: Failure | None) -> Failure | None:
        """Return the failure with descriptions of its function's variables."""
        if failure is None:
            return None
        if failure.locals:
            first = dict(islice(failure.locals.items(), MAX_LOCALS))
            described = self._described(first, share_values=False)
            self._locals = failure.text, described
        text, described_then = self._locals
        if text != failure.text:
            described_then = {}
        return replace(failure, locals=described_then)

    def _described(
        self, names: Mapping[str, object], *, share_values: bool
    ) -> Mapping[str, str]:
        described = {}
        for name, value in names.items():
            if share_values:
                described[name] = self.describers.values(value)
            else:
                schema = self.describers.schema(value)
                described[name] = on_one_line(schema)
        return described

    def warm(self) -> None:
        """Do in advance what a first question would wait for.

        That is reading the saved notebook and compiling the patterns of secrets.
        """
        self._redactor.redact("")
        if self.session is None:
            return
        notebook = _Sources().read(
            "The notebook", self.session.notebook, NOTEBOOK_SECTIONS
        )
        if notebook is not None:
            for index, cell in enumerate(notebook.cells):
                cell.items(index)
                _fill_caches(cell)

    def redact(self, text: str) -> Redacted:
        """Return the text with the secrets that are known or recognised redacted."""
        return self._redactor.redact(text)

    def redaction(self, *, enabled: bool) -> Redact:
        """Return `redact`, or where the user turned it off, what leaves a text alone."""
        return self.redact if enabled else Redacted


def _ends_of(prompt: str) -> str:
    """Return a question without the middle of a very long one."""
    if len(prompt) <= 2 * MAX_END:
        return prompt
    return f"{prompt[:MAX_END]}\n{prompt[-MAX_END:]}"


def _likeliest(
    names: Mapping[str, object],
    prompt: str,
    failure: Failure | None,
    notebook: Notebook | None,
) -> Mapping[str, object]:
    """Return the variables that are described; of very many, the likeliest."""
    if len(names) <= MAX_DESCRIBED:
        return names
    likely = likely_names(
        names,
        prompt,
        _mentioned_names(prompt, failure, notebook),
        MAX_DESCRIBED,
    )
    return {name: names[name] for name in likely}


def _mentioned_names(
    prompt: str, failure: Failure | None, notebook: Notebook | None
) -> Iterator[str]:
    """Yield the names in the question, the error and the notebook, likeliest first."""
    yield from names_in(prompt)
    if failure is not None:
        yield from failure.names
    if notebook is None:
        return
    run_cells = [cell for cell in notebook.cells if cell.number is not None]
    run_cells.sort(key=lambda cell: cell.number or 0, reverse=True)
    for cell in run_cells:
        yield from names_in(cell.source)


def _fill_caches(cell: Cell) -> None:
    words_of(cell.source)
    words_of(cell.output_text)
    # Worked out where they are first read.
    _ = cell.names, cell.shown_text, cell.error_text


class _Sources:
    """Reads sources, any of which may fail.

    ``sections`` are those that can still be sent, ``troubles`` has a line for each
    source that could not be read.
    """

    def __init__(self, sections: AnySet[Section] = frozenset()) -> None:
        self.sections = set(sections)
        self.troubles: list[str] = []

    def read(
        self, name: str, source: Callable[[], T], sections: AnySet[Section]
    ) -> T | None:
        """Return what a source gives, or None where it fails.

        A failed source takes its sections away: then it is not known what is in them,
        nor whether something is gone.
        """
        try:
            return source()
        except Exception as error:  # noqa: BLE001 - any failure costs the source, not the answer
            reason = f"{type(error).__name__}: {message_of(error)}"
            self.troubles.append(f"{name} could not be read: {reason}")
            self.sections -= sections
            return None
