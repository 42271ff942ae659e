"""The snapshot: all that could be told about the notebook now, each thing with its rank
for this question.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from .failure import Failure
from .items import LONGEST, Cell, Item, Notebook, Section, Snapshot, numbered, told
from .relevance import (
    Topic,
    Words,
    is_about_failing,
    may_set,
    names_in,
    names_set,
    names_used,
)

# of the outline
HEADINGS = 60
# characters of an error's message whose words matter
SAID = 300
# cells in which one name's definition is looked for
MOST_PARSED = 12
# definitions of it that matter
LAST = 2
# cells that ran last, whose names matter
RECENT = 3

# What each sign adds to an item's weight. An item of 30 and more is told even where it
# was left out before.
MENTIONED, FAILURE, OUTLINE = 1000.0, 500.0, 45.0
FAILING_CELL, LAST_CELL, NAMED, DEFINES_NAMED, USED_BY_FAILING = (
    60.0,
    40.0,
    50.0,
    35.0,
    32.0,
)
USES_NAMED, USED_BY_RECENT, NEWEST, WORDS = 12.0, 12.0, 8.0, 48.0
NEWEST_NAME = 3.0
SETS_WHAT_THE_BEST_USE, SETS_WHAT_THOSE_USE = 14.0, 9.0
# cells whose names matter as well
BEST = 4
# characters of an output that costs next to nothing
SHORT = 200
SHORT_OUTPUT = 4.0
# an output that is a picture: its size is all that can be told
NOTHING_NEW = -25.0
OUTPUT, TEXT, IMPORTED = -3.0, -2.0, -12.0


@dataclass(frozen=True)
class Scene:
    """What a question stands in: the notebook, its variables as texts (the latest
    first), and the last error.
    """

    notebook: Notebook
    variables: Mapping[str, str]
    failure: Failure | None = None


def snapshot(
    prompt: str,
    scene: Scene,
    sections: frozenset[Section],
    mentioned: Iterable[Item] = (),
    describe: Callable[[object], str] = lambda thing: type(thing).__name__,
) -> Snapshot:
    """The items of these sections, ranked for a question.

    Parameters
    ----------
    prompt
        The question.
    scene
        What there is.
    sections
        What may be told.
    mentioned
        What the prompt attaches by name; always told.
    describe
        Tells of a value what it is, without telling the value.
    """
    cells, failure = scene.notebook.cells, scene.failure
    ran = sorted(
        (cell for cell in cells if cell.number is not None),
        key=lambda cell: cell.number or 0,
    )
    failing = frozenset(failure.names) if failure else frozenset()
    recent = frozenset(
        chain.from_iterable(names_used(cell.source) for cell in ran[-RECENT:])
    )
    topic = Topic(prompt, scene.variables, failing, recent)
    lines = {name: f"{name}: {schema}" for name, schema in scene.variables.items()}
    about = [*(cell.source for cell in cells), *lines.values()]
    troubled = failure is not None and is_about_failing(prompt)
    words = Words(
        prompt,
        about,
        failure.message[:SAID] if failure and troubled else "",
        [cell.given for cell in cells],
    )
    weights = _Weights(cells, ran, topic, words, failure)
    made: dict[Section, Callable[[], Iterable[Item]]] = {
        "outline": lambda: _outline(cells),
        "cells": lambda: _cells(cells, weights),
        "outputs": lambda: _outputs(cells, weights),
        "variables": lambda: _variables(lines, topic, words, weights.used),
        "error": lambda: _error(failure, describe),
    }
    items = [
        item for section, make in made.items() if section in sections for item in make()
    ]
    attached = [
        item._replace(rank=-MENTIONED, place=(5, place))
        for place, item in enumerate(mentioned)
        if item.text or item.images
    ]
    return Snapshot(
        (*items, *attached), sections, scene.notebook.name, scene.notebook.troubles
    )


def _outline(cells: Sequence[Cell]) -> Iterator[Item]:
    headings = [line.strip() for cell in cells for line in cell.headings]
    if headings:
        more = (
            f"\n… {len(headings) - HEADINGS} more headings"
            if len(headings) > HEADINGS
            else ""
        )
        yield Item(
            "outline",
            "outline",
            "outline",
            "\n".join(headings[:HEADINGS]) + more,
            -OUTLINE,
            (0,),
        )


def _cells(cells: Sequence[Cell], weights: _Weights) -> Iterator[Item]:
    for index, cell in enumerate(cells):
        if cell.text:
            yield Item(
                f"cell:{cell.id}",
                "cells",
                cell.title,
                cell.text,
                -weights.of[cell.id],
                (1, index, 0),
            )


def _outputs(cells: Sequence[Cell], weights: _Weights) -> Iterator[Item]:
    score = weights.words.score
    for index, cell in enumerate(cells):
        text = cell.given
        if text and weights.failing is not None and cell.number == weights.failing:
            text = told(output for output in cell.outputs if output.kind != "error")
        if text:
            rank = -max(weights.of[cell.id], WORDS * score(text)) - (
                OUTPUT if len(text) > SHORT else _worth(cell)
            )
            yield Item(
                f"output:{cell.id}",
                "outputs",
                f"output of {cell.name}",
                text,
                rank,
                (1, index, 1),
            )


def _worth(cell: Cell) -> float:
    """What it adds that a cell's outputs are short."""
    return (
        SHORT_OUTPUT
        if any(output.kind != "image" for output in cell.outputs)
        else NOTHING_NEW
    )


class _Weights:
    """How much each cell weighs for a question, by its id: ``of``."""

    def __init__(
        self,
        cells: Sequence[Cell],
        ran: Sequence[Cell],
        topic: Topic,
        words: Words,
        failure: Failure | None,
    ) -> None:
        self.words = words
        self.failing = failure.cell if failure else None
        self.of = {cell.id: WORDS * words.score(cell.source) for cell in cells}
        self._backwards = [(cell, names_in(cell.source)) for cell in reversed(ran)]
        self._add_what_is_seen(cells, ran, topic)
        self.used = self._add_what_the_best_use(ran)

    def _add_what_is_seen(
        self, cells: Sequence[Cell], ran: Sequence[Cell], topic: Topic
    ) -> None:
        """Let text weigh less, and cells more that ran late, that failed, and that have
        to do with what is named.
        """
        defining = self._last_definitions(topic.named | topic.failing)
        for cell in cells:
            if cell.type == "markdown":
                self.of[cell.id] += TEXT
            elif cell.id in defining:
                self.of[cell.id] += DEFINES_NAMED
            elif topic.named and not topic.named.isdisjoint(names_in(cell.source)):
                self.of[cell.id] += USES_NAMED
        step = NEWEST / (len(ran) + 1)
        for place, cell in enumerate(ran, 1):
            self.of[cell.id] += step * place + (
                FAILING_CELL if cell.number == self.failing else 0.0
            )
        if ran:
            self.of[ran[-1].id] += LAST_CELL

    def _add_what_the_best_use(self, ran: Sequence[Cell]) -> frozenset[str]:
        """Let the cells that set what the best cells use weigh more; gives the names."""
        used: frozenset[str] = frozenset()
        using = heapq.nlargest(BEST, ran, key=lambda cell: self.of[cell.id])
        for worth in (SETS_WHAT_THE_BEST_USE, SETS_WHAT_THOSE_USE):
            names = frozenset(
                chain.from_iterable(names_used(cell.source) for cell in using)
            )
            setting = self._last_definitions(names - used) - {cell.id for cell in using}
            for id in setting:
                self.of[id] += worth
            using = [cell for cell in ran if cell.id in setting]
            used |= names
        return used

    def _last_definitions(self, names: frozenset[str]) -> set[str]:
        """The cells that last set each of these names, and those that did before, which
        often tell where it came from.

        Who sets a name is found by parsing, so of those that mention it only some are
        looked at.
        """
        found: set[str] = set()
        parsed, setting = Counter[str](), Counter[str]()
        for cell, mentioned in self._backwards:
            if names.isdisjoint(mentioned):
                continue
            for name in names & mentioned:
                if (
                    setting[name] < LAST
                    and parsed[name] < MOST_PARSED
                    and may_set(cell.source, name)
                ):
                    parsed[name] += 1
                    if name in names_set(cell.source):
                        setting[name] += 1
                        found.add(cell.id)
        return found


def _variables(
    lines: Mapping[str, str], topic: Topic, words: Words, used: frozenset[str]
) -> Iterator[Item]:
    for place, (name, text) in enumerate(lines.items()):
        weight = WORDS * words.score(text) + NEWEST_NAME * (
            1 - place / (len(lines) + 1)
        )
        weight += NAMED if name in topic.named else 0.0
        weight += (
            USED_BY_FAILING
            if name in topic.failing
            else USED_BY_RECENT
            if name in topic.recent
            else 0.0
        )
        weight += SETS_WHAT_THE_BEST_USE if name in used else 0.0
        weight += (
            IMPORTED
            if text.startswith(("module ", "imported "), len(name) + 2)
            else 0.0
        )
        yield Item(
            f"variable:{name}",
            "variables",
            name,
            text,
            -weight,
            (2, len(lines) - place),
        )


def _error(
    failure: Failure | None, describe: Callable[[object], str]
) -> Iterator[Item]:
    if failure is not None and failure.text:
        inside = [
            f"{name}: {describe(value)}"
            for name, value in list(failure.locals.items())[:30]
        ]
        text = "\n".join(
            [
                failure.text[:LONGEST],
                *(["Variables of the failing function:", *inside] if inside else []),
            ]
        )
        yield Item(
            "error", "error", f"error in {numbered(failure.cell)}", text, -FAILURE, (3,)
        )
