"""Who looks at the notebook for a question: it holds the session, the describers and
the redactor, and sends nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AnySet
from dataclasses import replace
from typing import TypeVar

from ..secrets.redactor import Redactor, known_values
from .describe import Describers
from .failure import message_of
from .fit import Measure
from .items import Notebook, Section, Snapshot
from .mentions import Mention, resolve
from .relevance import names_in, words_of
from .session import Session
from .snapshot import Scene, snapshot

NOTHING = Snapshot()
NO_SCENE = Scene(Notebook(), {})
FROM_NOTEBOOK: frozenset[Section] = frozenset({"outline", "cells", "outputs"})
VARIABLES: frozenset[Section] = frozenset({"variables"})
ERROR: frozenset[Section] = frozenset({"error"})

T = TypeVar("T")


class Collector:
    """Looks at the notebook of one session; without one, there is nothing to see.

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
        # the same thread may look again, from within a describer of the user's
        self._looking = threading.RLock()

    def look(
        self,
        prompt: str,
        sections: frozenset[Section],
        mentions: Sequence[Mention],
        *,
        share_values: bool,
    ) -> Snapshot:
        """What could be told now for a question.

        Of several threads one looks after the other.

        Parameters
        ----------
        prompt
            The question.
        sections
            What may be told.
        mentions
            What the prompt attaches by name.
        share_values
            Tell the variables' values, too.

        Raises
        ------
        PromptError
            When something is mentioned that is not there.
        """
        if self.session is None:
            self._redactor.know(known_values(os.environ, {}))
            return NOTHING
        with self._looking:
            return self._look(
                self.session, prompt, sections, mentions, share_values=share_values
            )

    def _look(
        self,
        session: Session,
        prompt: str,
        sections: frozenset[Section],
        mentions: Sequence[Mention],
        *,
        share_values: bool,
    ) -> Snapshot:
        self.describers.begin()
        sources = _Sources(sections)
        names = sources.tried("The variables", session.names, VARIABLES)
        # Where the variables cannot be read, what was known of them is redacted all the
        # same.
        self._secrets = {
            **(self._secrets if names is None else {}),
            **known_values(os.environ, names or {}),
        }
        self._redactor.know(self._secrets)
        attached = resolve(mentions, session, self.describers) if mentions else []
        scene = self._scene(session, sources, names or {}, share_values=share_values)
        found = sources.tried(
            "What was found",
            lambda: snapshot(
                prompt,
                scene,
                frozenset(sources.sections),
                attached,
                self.describers.schema,
            ),
            sections,
        )
        if found is None:
            found = snapshot(prompt, NO_SCENE, frozenset(), attached)
        return replace(found, troubles=(*found.troubles, *sources.troubles))

    def _scene(
        self,
        session: Session,
        sources: _Sources,
        names: Mapping[str, object],
        *,
        share_values: bool,
    ) -> Scene:
        """What the question stands in, as far as it can be read."""
        if not sources.sections:
            return NO_SCENE
        failure = sources.tried("The last error", session.failure, ERROR)
        notebook = told = None
        if failure or FROM_NOTEBOOK & sources.sections:
            notebook = sources.tried("The notebook", session.notebook, FROM_NOTEBOOK)
        if VARIABLES & sources.sections:
            told = sources.tried(
                "The variables",
                lambda: self._told(names, share_values=share_values),
                VARIABLES,
            )
        return Scene(notebook or Notebook(), told or {}, failure)

    def warm(self) -> None:
        """Do ahead what a first look would wait for: read the saved notebook, and make
        the patterns of secrets.
        """
        self._redactor.redact("")
        if self.session is not None:
            notebook = _Sources().tried(
                "The notebook", self.session.notebook, FROM_NOTEBOOK
            )
            for cell in notebook.cells if notebook else ():
                words_of(cell.source), words_of(cell.given), names_in(cell.source)

    def redacted(self, text: str) -> str:
        """The text without the secrets in it, as far as they can be told."""
        return self._redactor.redact(text).text

    def measure(self, count: Callable[[str], int], *, redact: bool) -> Measure:
        """How texts are counted and, unless the user wants them as they are, blanked."""
        return Measure(count, self._redact if redact else _as_it_is)

    def _told(
        self, names: Mapping[str, object], *, share_values: bool
    ) -> Mapping[str, str]:
        tell = self.describers.values if share_values else self.describers.schema
        return {name: tell(thing) for name, thing in names.items()}

    def _redact(self, text: str) -> tuple[str, tuple[str, ...]]:
        redacted = self._redactor.redact(text)
        return redacted.text, redacted.labels


class _Sources:
    """The sources of one look: the sections that can be told, and a line for each
    source that could not be read.
    """

    def __init__(self, sections: AnySet[Section] = frozenset()) -> None:
        self.sections = set(sections)
        self.troubles: list[str] = []

    def tried(
        self, what: str, source: Callable[[], T], sections: AnySet[Section]
    ) -> T | None:
        """What a source gives.

        None where it fails: then nothing of these sections is known, nor that it is
        gone.
        """
        try:
            return source()
        except Exception as error:  # noqa: BLE001 - whatever a source raises costs that source, never the answer
            self.troubles.append(
                f"{what} could not be read: {type(error).__name__}: {message_of(error)}"
            )
            self.sections -= sections
            return None


def _as_it_is(text: str) -> tuple[str, tuple[str, ...]]:
    return text, ()
