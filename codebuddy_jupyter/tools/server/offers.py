"""What agents are offered: the looks, the context of a question, and two resources.

All of it only reads, except that agents may propose code if the user wants that: a panel
shows it for a click, and nothing is executed here. Secrets are always redacted here,
whatever the settings say: an agent may send what it reads to another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from ...buddy import Buddy
from ...context.collector import Collector
from ...context.envelope import envelope
from ...context.fit import fit
from ...context.inert import inert, without_control_tokens
from ...context.items import Cell, Section
from ...messages import Looked
from ...question.options import sections_of
from ...question.tokens import Tokens
from ...question.unsent import unsent_after
from ..look import look_of
from ..looks import looks_of, safe_text
from ..outcomes import Outcomes
from ..proposing import Proposing, proposing_tools

FEWEST_TOKENS, USUAL_TOKENS, MOST_TOKENS = 200, 2_000, 8_000
"""Of the context of a question."""
LONGEST_QUESTION = 4_000
"""Characters."""
MOST_CELLS = 300
"""In the outline."""
LONGEST_LINE = 80
"""Characters of a heading, and of the line by which a cell is recognised."""
OUTLINE, ERROR = "notebook://outline", "notebook://error"
OUTLINE_TEXTS = (
    "outline",
    "The headings and cells of the notebook, a line each, with their numbers.",
)
ERROR_TEXTS = (
    "last error",
    "The last error of the notebook, with the lines that it came from.",
)
"""The names and descriptions of the resources."""
WITH_VALUES: frozenset[Section] = frozenset({"outputs"})
"""The sections of the context that show values."""


class NotebookTool(Protocol):
    """What an agent can call: a look, or what is called like one."""

    @property
    def name(self) -> str:
        """How it is called."""
        ...

    @property
    def description(self) -> str:
        """What it does, for a model."""
        ...

    @property
    def proposes(self) -> bool:
        """Whether it shows code to the user instead of finding something."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Its arguments, as a JSON schema."""
        ...

    def look(self, arguments: Mapping[str, Any]) -> Looked:
        """Return what it finds, also for wrong arguments."""
        ...


@dataclass(frozen=True)
class Resource:
    """What an agent can read without arguments.

    Parameters
    ----------
    uri, name, description
        As MCP has them.
    read
        Returns the text; any thread may call it.
    """

    uri: str
    name: str
    description: str
    read: Callable[[], str]


@dataclass(frozen=True)
class Offers:
    """All that a server offers."""

    tools: Sequence[NotebookTool]
    resources: Sequence[Resource]


def offers_of(buddy: Buddy, *, share_values: bool, proposes: bool = False) -> Offers:
    """Return what is offered of a Buddy's notebook, by its settings as they are now.

    Parameters
    ----------
    buddy
        The Buddy.
    share_values
        Whether the values of variables and the outputs of cells are offered, too.
    proposes
        Whether agents may propose code, which a panel shows to the user.
    """
    collector = buddy.collector
    sections = sections_of(buddy.context)
    if not share_values:
        sections -= WITH_VALUES
    looks = looks_of(
        collector, share_values=share_values, redact_secrets=True, sections=sections
    )
    if proposes:
        safe = safe_text(collector)
        proposing = Proposing(collector, buddy.proposed, for_agents=True)
        outcomes = Outcomes(collector, buddy.proposed, sections, safe)
        looks += proposing_tools(proposing, sections, safe)
        looks.append(look_of(outcomes.proposal, safe))
    context = ContextTool(collector, sections, share_values=share_values)
    resources = []
    if "cells" in sections:
        resources.append(Resource(OUTLINE, *OUTLINE_TEXTS, lambda: outline(collector)))
    for look in looks:
        if look.name == "error":
            resources.append(Resource(ERROR, *ERROR_TEXTS, partial(look.run, {})))
    return Offers([*looks, context], resources)


class ContextTool:
    """The tool ``context``: what the buddy would send with a question.

    Parameters
    ----------
    collector
        Knows the kernel, and redacts secrets.
    sections
        What may be told.
    share_values
        Whether the values of variables are told, too.
    """

    name = "context"
    proposes = False
    description = (
        "What matters in the notebook for a question: the code that ran, variables with "
        "types, shapes and columns, and the last error, ranked and cut to a number of "
        "tokens. Secrets are redacted."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "question": {"type": "string", "description": "What you want to know."},
            "tokens": {
                "type": "integer",
                "description": "The most tokens of the answer.",
                "minimum": FEWEST_TOKENS,
                "maximum": MOST_TOKENS,
                "default": USUAL_TOKENS,
            },
        },
        "required": ["question"],
        "additionalProperties": False,
    }

    def __init__(
        self,
        collector: Collector,
        sections: frozenset[Section],
        *,
        share_values: bool,
    ) -> None:
        self._collector = collector
        self._sections = sections
        self._share_values = share_values

    def look(self, arguments: Mapping[str, Any]) -> Looked:
        """Return the context of a question, also for wrong arguments."""
        unknown = sorted(arguments.keys() - self.parameters["properties"].keys())
        question = arguments.get("question")
        tokens = arguments.get("tokens", USUAL_TOKENS)
        if unknown:
            return _wrong(f"context has no argument {unknown[0]!r}.")
        if not isinstance(question, str):
            return _wrong("context needs a question, as a text.")
        if not isinstance(tokens, int) or isinstance(tokens, bool):
            return _wrong("tokens is a whole number.")
        tokens = min(max(tokens, FEWEST_TOKENS), MOST_TOKENS)
        text, troubles = self._context(question[:LONGEST_QUESTION], tokens)
        content = "\n\n".join([text or "There is nothing in the notebook.", *troubles])
        return Looked("context", f"{tokens:,} tokens at most", content)

    def _context(self, question: str, tokens: int) -> tuple[str, list[str]]:
        """Return the text, and lines about what could not be read."""
        collector = self._collector
        # Without mentions: what is attached by name would bring its values.
        snapshot = collector.collect(
            question, self._sections, (), share_values=self._share_values
        )
        unsent = unsent_after(snapshot, ())
        update = fit(
            unsent.snapshot, unsent.known, tokens, Tokens().count, collector.redact
        )
        notebook = envelope(update, first=True)
        parts = filter(None, (notebook.stable, notebook.asked))
        text = without_control_tokens("\n\n".join(parts))
        return text, [inert(collector.redact(line).text) for line in snapshot.troubles]


def _wrong(line: str) -> Looked:
    return Looked("context", "nothing found", line, is_error=True)


def outline(collector: Collector) -> str:
    """Return the headings and cells of the notebook, a line each."""
    with collector.reading() as session:
        cells = () if session is None else session.notebook().cells
    if not cells:
        return "The notebook has no cells."
    lines = list(_lines(cells[:MOST_CELLS], collector))
    more = len(cells) - MOST_CELLS
    if more > 0:
        lines.append(f"… {more} more cells")
    return "\n".join(lines)


def _lines(cells: Sequence[Cell], collector: Collector) -> Iterator[str]:
    for cell in cells:
        # Redacted before it is cut: a part of a secret may not look like one.
        source = inert(collector.redact(cell.source).text)
        headings = replace(cell, source=source).headings
        for heading in headings:
            yield heading[:LONGEST_LINE]
        if not headings:
            first = source.strip().partition("\n")[0]
            yield f"{inert(cell.title)}: {first[:LONGEST_LINE]}"
