"""The snapshot: all that could be told about the notebook now, each thing with its rank for this question."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from .failure import Failure
from .items import Cell, Item, Notebook, Section, Snapshot
from .relevance import Topic, Words, is_about_failing, may_set, names_in, names_set, names_used

HEADINGS = 60  # of the outline
LONGEST = 12_000  # characters of one item: more would fill a usual window by itself
SAID = 300  # characters of an error's message whose words matter
MOST_PARSED = 12  # cells in which one name's definition is looked for
RECENT = 3  # cells that ran last, whose names matter

# What each sign adds to an item's weight. An item of 30 and more is told even where it was left out before.
MENTIONED, FAILURE, OUTLINE = 1000.0, 500.0, 45.0
FAILING_CELL, LAST_CELL, NAMED, DEFINES_NAMED, USED_BY_FAILING = 60.0, 40.0, 50.0, 35.0, 32.0
USES_NAMED, USED_BY_RECENT, NEWEST, WORDS = 12.0, 12.0, 8.0, 48.0
NEWEST_NAME = 3.0
SETS_WHAT_THE_BEST_USE, SETS_WHAT_THOSE_USE = 14.0, 9.0
BEST = 4  # cells whose names matter as well
SHORT = 200  # characters of an output that costs next to nothing
SHORT_OUTPUT = 4.0
NOTHING_NEW = -25.0  # an output that is a picture: its size is all that can be told
OUTPUT, TEXT, IMPORTED = -3.0, -2.0, -12.0


@dataclass(frozen=True)
class Scene:
    """What a question stands in: the notebook, its variables as texts (the latest first), and the last error."""

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
    ran = sorted((cell for cell in cells if cell.number is not None), key=lambda cell: cell.number or 0)
    failing = frozenset(failure.names) if failure else frozenset()
    recent = frozenset(chain.from_iterable(names_used(cell.source) for cell in ran[-RECENT:]))
    topic = Topic(prompt, scene.variables, failing, recent)
    texts = chain((cell.source for cell in cells), scene.variables.values())
    troubled = failure is not None and is_about_failing(prompt)
    words = Words(prompt, texts, failure.message[:SAID] if failure and troubled else "")
    weights = _Weights(cells, ran, topic, words, failure)
    made: dict[Section, Callable[[], Iterable[Item]]] = {
        "outline": lambda: _outline(cells),
        "cells": lambda: _cells(cells, weights),
        "outputs": lambda: _outputs(cells, weights),
        "variables": lambda: _variables(scene.variables, topic, words, weights.used),
        "error": lambda: _error(failure, describe),
    }
    items = [item for section, make in made.items() if section in sections for item in make()]
    attached = [
        item._replace(rank=-MENTIONED, place=(5, place))
        for place, item in enumerate(mentioned)
        if item.text or item.images
    ]
    return Snapshot((*items, *attached), sections, scene.notebook.name, scene.notebook.troubles)


def _outline(cells: Sequence[Cell]) -> Iterator[Item]:
    headings = [line.strip() for cell in cells if cell.type == "markdown" for line in _headings(cell.source)]
    if headings:
        more = f"\n… {len(headings) - HEADINGS} more headings" if len(headings) > HEADINGS else ""
        yield Item("outline", "outline", "outline", "\n".join(headings[:HEADINGS]) + more, -OUTLINE, (0,))


def _headings(source: str) -> Iterator[str]:
    fenced = False
    for line in source.splitlines():
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        if not fenced and line.startswith("#") and line.lstrip("#").startswith(" "):
            yield line


def _cells(cells: Sequence[Cell], weights: _Weights) -> Iterator[Item]:
    for index, cell in enumerate(cells):
        source = cell.source.strip()
        if not source or (cell.type == "markdown" and _is_all_headings(source)):
            continue
        text = source[:LONGEST]
        if cell.ran is not None and cell.ran.strip() != source:
            text += f"\n# This is what stands in it now. What was run is:\n{cell.ran.strip()[:LONGEST]}"
        yield Item(f"cell:{cell.id}", "cells", _title(cell), text, -weights.of(cell), (1, index, 0))


def _is_all_headings(source: str) -> bool:
    return set(source.splitlines()) == set(_headings(source))


def _outputs(cells: Sequence[Cell], weights: _Weights) -> Iterator[Item]:
    for index, cell in enumerate(cells):
        if not cell.outputs:
            continue
        failed = weights.failing is not None and cell.number == weights.failing
        shown = [output.text for output in cell.outputs if not (failed and output.kind == "error")]
        text = "\n".join(shown).strip("\n")[:LONGEST]
        if text.strip() and not _ADDRESS.fullmatch(text):
            told = any(output.kind != "image" for output in cell.outputs)
            worth = NOTHING_NEW if not told else SHORT_OUTPUT if len(text) <= SHORT else OUTPUT
            rank = -(max(weights.of(cell), WORDS * weights.words.score(text)) + worth)
            yield Item(f"output:{cell.id}", "outputs", f"output of {_called(cell)}", text, rank, (1, index, 1))


_ADDRESS = re.compile(r"<[^<>\n]{1,200} at 0x[0-9a-f]{6,16}>", re.IGNORECASE)


class _Weights:
    """How much each cell weighs for a question."""

    def __init__(
        self,
        cells: Sequence[Cell],
        ran: Sequence[Cell],
        topic: Topic,
        words: Words,
        failure: Failure | None,
    ) -> None:
        self.topic, self.words = topic, words
        self.order = {cell.id: place for place, cell in enumerate(ran)}
        self.failing = failure.cell if failure else None
        self.defining = _last_definitions(ran, topic.named | topic.failing)
        self._known = {cell.id: self._of(cell) for cell in cells}
        self.used = self._add_what_the_best_use(ran)

    def _add_what_the_best_use(self, ran: Sequence[Cell]) -> frozenset[str]:
        """Let the cells that set what the best cells use weigh more; gives the names."""
        used: frozenset[str] = frozenset()
        using = {cell.id: cell for cell in sorted(ran, key=lambda cell: -self._known[cell.id])[:BEST]}
        for worth in (SETS_WHAT_THE_BEST_USE, SETS_WHAT_THOSE_USE):
            names = frozenset(chain.from_iterable(names_used(cell.source) for cell in using.values()))
            setting = _last_definitions(ran, names - used) - using.keys()
            for id in setting:
                self._known[id] += worth
            using = {cell.id: cell for cell in ran if cell.id in setting}
            used |= names
        return used

    def of(self, cell: Cell) -> float:
        """The weight of a cell."""
        return self._known[cell.id]

    def _of(self, cell: Cell) -> float:
        place = self.order.get(cell.id, -1)
        weight = WORDS * self.words.score(cell.source) + NEWEST * (place + 1) / (len(self.order) + 1)
        if cell.type == "markdown":
            return weight + TEXT
        if self.failing is not None and cell.number == self.failing:
            weight += FAILING_CELL
        if place >= 0 and place == len(self.order) - 1:
            weight += LAST_CELL
        if cell.id in self.defining:
            weight += DEFINES_NAMED
        elif self.topic.named and not self.topic.named.isdisjoint(names_in(cell.source)):
            weight += USES_NAMED
        return weight


def _last_definitions(ran: Sequence[Cell], names: frozenset[str]) -> set[str]:
    """The cells that last set each of these names, and the last before that, which often tells where it came from."""
    found: set[str] = set()
    for name in names:
        mentioning = (cell for cell in reversed(ran) if name in names_in(cell.source) and may_set(cell.source, name))
        setting = (cell.id for cell in islice(mentioning, MOST_PARSED) if name in names_set(cell.source))
        found.update(islice(setting, 2))
    return found


def _variables(variables: Mapping[str, str], topic: Topic, words: Words, used: frozenset[str]) -> Iterator[Item]:
    for place, (name, told) in enumerate(variables.items()):
        text = f"{name}: {told}"
        weight = WORDS * words.score(text) + NEWEST_NAME * (1 - place / (len(variables) + 1))
        weight += NAMED if name in topic.named else 0.0
        weight += USED_BY_FAILING if name in topic.failing else USED_BY_RECENT if name in topic.recent else 0.0
        weight += SETS_WHAT_THE_BEST_USE if name in used else 0.0
        weight += IMPORTED if told.startswith(("module ", "imported ")) else 0.0
        yield Item(f"variable:{name}", "variables", name, text, -weight, (2, len(variables) - place))


def _error(failure: Failure | None, describe: Callable[[object], str]) -> Iterator[Item]:
    if failure is not None and failure.text:
        inside = [f"{name}: {describe(value)}" for name, value in list(failure.locals.items())[:30]]
        text = "\n".join([failure.text[:LONGEST], *(["Variables of the failing function:", *inside] if inside else [])])
        yield Item("error", "error", f"error in {_number(failure.cell)}", text, -FAILURE, (3,))


def _title(cell: Cell) -> str:
    return _called(cell) if cell.type == "markdown" or cell.state == "run" else f"{_called(cell)}, {cell.state}"


def _called(cell: Cell) -> str:
    return "text" if cell.type == "markdown" else _number(cell.number)


def _number(number: int | None) -> str:
    return "cell" if number is None else f"In[{number}]"
