"""The snapshot: all that could be sent about the notebook now, ranked for a question."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from .failure import Failure
from .items import (
    MAX_CHARACTERS,
    Cell,
    Item,
    Notebook,
    Output,
    Section,
    Snapshot,
    cell_name,
    joined_outputs,
)
from .relevance import (
    Topic,
    WordScores,
    definitions_in,
    is_about_failing,
    is_about_headings,
    is_about_shown,
    may_set,
    names_in,
    names_set,
    names_used,
)

MAX_HEADINGS = 60
# Characters of an error's message whose words count.
MESSAGE_CHARACTERS = 300
# Variables of the failing function.
MAX_LOCALS = 30
# Cells that are parsed in search of one name's definitions.
MAX_PARSED = 12
# The last definitions of a name that count.
LAST_DEFINITIONS = 2
# The cells that ran last, whose names count.
RECENT_CELLS = 3
# The cells with the highest weights, whose names count as well.
BEST_CELLS = 4
# The ids of the last error, and of the one that a prompt attaches; what begins those of
# earlier errors.
LAST_ERROR = "error"
ATTACHED_ERROR = "mention:error"
EARLIER_ERROR = "error:"
# Characters: a shorter output costs next to nothing.
SHORT_OUTPUT = 200

# What each sign adds to the weight of an item. The rank of an item is its negative
# weight, so one that weighs 30 or more is urgent: it is offered again even where it
# was left out before.
ATTACHED = 1000.0
ERROR = 500.0
OUTLINE = 45.0
# For each text: the share of the question's words that are in it, times this.
WORD_MATCH = 48.0
# For cells:
FAILING_CELL = 60.0
LAST_CELL = 40.0
SETS_NAMED = 35.0
USES_NAMED = 12.0
SETS_USED_BY_BEST = 14.0
SETS_USED_BY_THOSE = 9.0
LATEST_RUN = 8.0
MARKDOWN_CELL = -2.0
# For outputs, in addition to the weight of their cell; all that can be said of an image
# is its size:
SMALL_OUTPUT = 4.0
LARGE_OUTPUT = -20.0
ONLY_IMAGES = -25.0
# For variables:
NAMED_VARIABLE = 50.0
USED_BY_FAILING = 32.0
USED_BY_RECENT = 12.0
LATEST_VARIABLE = 3.0
# What has columns is what code is written for, and a name alone does not tell them.
WITH_COLUMNS = 10.0

# From which score of its words on a text or a cell that has not run is sent.
TEXT_SCORE = 0.3
# Outputs that are sent where the question is about what was shown: how many short ones
# and how many others, and from which score of their words and their cell's on.
SHORT_OUTPUTS = 8
LONG_OUTPUTS = 1
SHORT_OUTPUT_SCORE = 0.05
LONG_OUTPUT_SCORE = 0.6
# The cells that ran last, whose error is news.
NEWS_CELLS = 2


# How a question names a cell by its number.
_NUMBERED = re.compile(r"\b(?:In|Out) ?\[(\d{1,9})\]")


@dataclass(frozen=True)
class KernelState:
    """What the kernel holds at the moment of a question.

    ``variables`` are described as texts by their names, the latest first.
    """

    notebook: Notebook
    variables: Mapping[str, str]
    failure: Failure | None = None


def _type_name(value: object) -> str:
    return type(value).__name__


def snapshot(
    prompt: str,
    state: KernelState,
    sections: frozenset[Section],
    attached: Iterable[Item] = (),
    describe: Callable[[object], str] = _type_name,
) -> Snapshot:
    """Return the items of these sections, ranked for a question.

    Parameters
    ----------
    prompt
        The question.
    state
        What there is to choose from.
    sections
        What may be sent.
    attached
        What the prompt attaches by name; always included.
    describe
        Describes a value without its contents.
    """
    cells = state.notebook.cells
    failure = state.failure
    run_cells = _in_run_order(cells)
    topic = _topic(prompt, state, run_cells)
    lines = {name: f"{name}: {schema}" for name, schema in state.variables.items()}
    words = _word_scores(prompt, cells, lines.values(), failure)
    weights = _CellWeights(cells, run_cells, topic, words, failure)
    attached = list(attached)
    wishes = _Wishes(prompt, run_cells, words, attached)
    errors = list(_error(failure, describe, wishes))
    defining = _defining_cells(run_cells, state.variables)
    makers: dict[Section, Callable[[], Iterable[Item]]] = {
        "outline": partial(_outline, cells, wishes),
        "cells": partial(_cells, cells, weights, wishes),
        "outputs": partial(_outputs, cells, weights, wishes),
        "variables": partial(
            _variables, lines, topic, words, weights.used_names, defining
        ),
        "error": lambda: errors,
    }
    items: list[Item] = []
    for section, make in makers.items():
        if section in sections:
            items += make()
    items += _attached(attached, errors)
    failing = failure.names if failure else ()
    return Snapshot(
        tuple(items),
        sections,
        state.notebook.name,
        state.notebook.troubles,
        tuple(f"variable:{name}" for name in failing if name in lines),
    )


def _in_run_order(cells: Sequence[Cell]) -> list[Cell]:
    run_cells = [cell for cell in cells if cell.number is not None]
    return sorted(run_cells, key=lambda cell: cell.number or 0)


def _topic(prompt: str, state: KernelState, run_cells: Sequence[Cell]) -> Topic:
    failing = frozenset(state.failure.names) if state.failure else frozenset()
    recent = _names_used_by(run_cells[-RECENT_CELLS:])
    return Topic(prompt, state.variables, failing, recent)


def _names_used_by(cells: Iterable[Cell]) -> frozenset[str]:
    return frozenset(chain.from_iterable(names_used(cell.source) for cell in cells))


def _word_scores(
    prompt: str,
    cells: Sequence[Cell],
    variable_lines: Iterable[str],
    failure: Failure | None,
) -> WordScores:
    message = ""
    if failure is not None and is_about_failing(prompt):
        message = failure.message[:MESSAGE_CHARACTERS]
    texts = [*(cell.source for cell in cells), *variable_lines]
    output_texts = [cell.output_text for cell in cells]
    return WordScores(prompt, texts, message, output_texts)


class _Wishes:
    """What a question brings in: what it names, what its words are about."""

    def __init__(
        self,
        prompt: str,
        run_cells: Sequence[Cell],
        words: WordScores,
        attached: Sequence[Item],
    ) -> None:
        self.score = words.score
        self.is_about_failing = is_about_failing(prompt)
        self.is_about_headings = is_about_headings(prompt)
        self._is_about_shown = is_about_shown(prompt)
        self._named = frozenset(map(int, _NUMBERED.findall(prompt)))
        self._attaches_error = any(item.id == ATTACHED_ERROR for item in attached)
        self._news = frozenset(cell.number for cell in run_cells[-NEWS_CELLS:])

    def names(self, cell: Cell) -> bool:
        """Return whether the question names a cell, as ``In[3]`` or ``Out[3]``."""
        return cell.number in self._named

    def wants_text(self, text: str) -> bool:
        """Return whether a cell that has not run, or a text, is sent."""
        return self.score(text) >= TEXT_SCORE

    def outputs(self, outputs: Sequence[tuple[Cell, str]]) -> frozenset[str]:
        """Return the ids of the cells whose output is sent.

        An output costs more than it helps, unless the question names it or is about
        what was shown: then it is the few that have most of its words.
        """
        named = [cell.id for cell, _ in outputs if self.names(cell)]
        if not self._is_about_shown:
            return frozenset(named)
        short: list[tuple[float, int, str]] = []
        long: list[tuple[float, int, str]] = []
        for cell, text in outputs:
            score = self.score(text) + self.score(cell.source)
            is_short = len(text) <= SHORT_OUTPUT
            if score >= (SHORT_OUTPUT_SCORE if is_short else LONG_OUTPUT_SCORE):
                (short if is_short else long).append((score, -len(text), cell.id))
        best = heapq.nlargest(SHORT_OUTPUTS, short) + heapq.nlargest(LONG_OUTPUTS, long)
        return frozenset((*named, *(id for _, _, id in best)))

    def wants_earlier_error(self, cell: Cell) -> bool:
        """Return whether an error before the last one is sent."""
        if self._attaches_error:
            return self.names(cell)
        return self.is_about_failing or self.names(cell)

    def wants_error(self, failure: Failure) -> bool:
        """Return whether the last error is sent: it is news, or asked about."""
        is_asked = self.is_about_failing or self._attaches_error
        return is_asked or failure.cell is None or failure.cell in self._news


def _defining_cells(
    run_cells: Sequence[Cell], variables: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the cell's item that tells how a function or a class is defined."""
    names = set()
    for name, text in variables.items():
        if text.startswith(("def ", "async def ", "class ")):
            names.add(name)
    defining: dict[str, str] = {}
    if not names:
        return defining
    for cell in run_cells:
        for name in names & definitions_in(cell.source):
            defining[name] = f"cell:{cell.id}"
    return defining


def _outline(cells: Sequence[Cell], wishes: _Wishes) -> Iterator[Item]:
    headings = [line.strip() for cell in cells for line in cell.headings]
    if not headings:
        return
    text = "\n".join(headings[:MAX_HEADINGS])
    if len(headings) > MAX_HEADINGS:
        text += f"\n… {len(headings) - MAX_HEADINGS} more headings"
    yield Item(
        "outline",
        "outline",
        "outline",
        text,
        -OUTLINE,
        (3, 0),
        wanted=wishes.is_about_headings,
    )


def _cells(
    cells: Sequence[Cell], weights: _CellWeights, wishes: _Wishes
) -> Iterator[Item]:
    for index, cell in enumerate(cells):
        if not cell.text:
            continue
        id = f"cell:{cell.id}"
        rank = -weights.of[cell.id]
        if has_run(cell):
            yield Item(
                id,
                "cells",
                cell.title,
                cell.text,
                rank,
                (1, index, 0),
                base_rank=-weights.base[cell.id],
                wanted=not cell.is_magic,
                name=cell.beginning,
            )
        else:
            wanted = wishes.wants_text(cell.source)
            position = (3, 1, index, 0)
            yield Item(
                id, "cells", cell.title, cell.text, rank, position, wanted=wanted
            )


def has_run(cell: Cell) -> bool:
    """Return whether a cell is code that ran, so that its names exist."""
    return cell.number is not None and cell.type == "code"


def _outputs(
    cells: Sequence[Cell], weights: _CellWeights, wishes: _Wishes
) -> Iterator[Item]:
    shown = {cell.id: _shown_text(cell) for cell in cells}
    wanted = wishes.outputs([(cell, shown[cell.id]) for cell in cells])
    for index, cell in enumerate(cells):
        text = shown[cell.id]
        error = ""
        if cell.output_text and cell.number is not None:
            error = joined_outputs(_outputs_of(cell, errors=True))
        if text:
            yield Item(
                f"output:{cell.id}",
                "outputs",
                f"output of {cell.name}",
                text,
                -_output_weight(cell, text, weights),
                (3, 1, index, 1),
                wanted=cell.id in wanted,
                name=cell.end,
            )
        # The last error has a section of its own.
        if error and cell.number != weights.failing:
            yield Item(
                f"{EARLIER_ERROR}{cell.id}",
                "outputs",
                error_title(cell.number),
                error,
                -_output_weight(cell, error, weights),
                (3, 1, index, 2),
                # The run tells errors apart, however their text was found.
                identity=error_title(cell.number),
                wanted=wishes.wants_earlier_error(cell),
            )


def _shown_text(cell: Cell) -> str:
    """Return what a cell has shown but for its error, which is an item of its own: an
    output is no other one as soon as its error is the last or no longer the last.
    """
    if cell.output_text and cell.number is not None:
        return joined_outputs(_outputs_of(cell, errors=False))
    return cell.output_text


def _outputs_of(cell: Cell, *, errors: bool) -> list[Output]:
    return [output for output in cell.outputs if (output.kind == "error") is errors]


def error_title(number: int | None) -> str:
    """Return the title of the error that the run of this number ended in."""
    return f"error in {cell_name(number)}"


def _output_weight(cell: Cell, text: str, weights: _CellWeights) -> float:
    by_words = WORD_MATCH * weights.words.score(text)
    weight = max(weights.of[cell.id], by_words)
    if len(text) > SHORT_OUTPUT:
        return weight + LARGE_OUTPUT
    if all(output.kind == "image" for output in cell.outputs):
        return weight + ONLY_IMAGES
    return weight + SMALL_OUTPUT


class _CellWeights:
    """The weight of each cell for a question, by the cell's id: ``of``.

    ``base`` are the weights that they have whatever the question is.
    ``used_names`` are the names that the cells with the highest weights use.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        run_cells: Sequence[Cell],
        topic: Topic,
        words: WordScores,
        failure: Failure | None,
    ) -> None:
        self.words = words
        self.failing = failure.cell if failure else None
        self.of = {cell.id: WORD_MATCH * words.score(cell.source) for cell in cells}
        self.base = dict.fromkeys(self.of, 0.0)
        self._latest_first = [
            (cell, names_in(cell.source)) for cell in reversed(run_cells)
        ]
        self._weigh_by_names(cells, topic)
        self._weigh_by_runs(run_cells, self.of)
        self._weigh_by_runs(run_cells, self.base)
        for id in self._last_definitions(topic.recent):
            self.base[id] += SETS_USED_BY_BEST
        self.used_names = self._weigh_what_the_best_use(run_cells)

    def _weigh_by_names(self, cells: Sequence[Cell], topic: Topic) -> None:
        """Prefer cells that set or use what is named, and code to text."""
        defining = self._last_definitions(topic.named | topic.failing)
        for cell in cells:
            if cell.type == "markdown":
                self.of[cell.id] += MARKDOWN_CELL
            elif cell.id in defining:
                self.of[cell.id] += SETS_NAMED
            elif topic.named and not topic.named.isdisjoint(names_in(cell.source)):
                self.of[cell.id] += USES_NAMED

    def _weigh_by_runs(
        self, run_cells: Sequence[Cell], weights: dict[str, float]
    ) -> None:
        """Prefer cells that ran late, and the one that failed."""
        step = LATEST_RUN / (len(run_cells) + 1)
        for order, cell in enumerate(run_cells, 1):
            weights[cell.id] += step * order
            if cell.number == self.failing:
                weights[cell.id] += FAILING_CELL
        if run_cells:
            weights[run_cells[-1].id] += LAST_CELL

    def _weigh_what_the_best_use(self, run_cells: Sequence[Cell]) -> frozenset[str]:
        """Prefer cells that set what the best cells use; return the names in use."""
        used: frozenset[str] = frozenset()
        using = heapq.nlargest(BEST_CELLS, run_cells, key=lambda cell: self.of[cell.id])
        for weight in (SETS_USED_BY_BEST, SETS_USED_BY_THOSE):
            names = _names_used_by(using)
            setting = self._last_definitions(names - used)
            setting.difference_update(cell.id for cell in using)
            for id in setting:
                self.of[id] += weight
            using = [cell for cell in run_cells if cell.id in setting]
            used |= names
        return used

    def _last_definitions(self, names: frozenset[str]) -> set[str]:
        """Return the ids of cells that set one of these names last or just before that.

        The definition before the last often shows where a value comes from. A cell is
        parsed to find out whether it sets a name, so only some of the cells that
        mention a name are looked at.
        """
        cell_ids: set[str] = set()
        parsed: Counter[str] = Counter()
        definitions: Counter[str] = Counter()
        for cell, mentioned in self._latest_first:
            if names.isdisjoint(mentioned):
                continue
            for name in names & mentioned:
                if definitions[name] >= LAST_DEFINITIONS or parsed[name] >= MAX_PARSED:
                    continue
                if not may_set(cell.source, name):
                    continue
                parsed[name] += 1
                if name in names_set(cell.source):
                    definitions[name] += 1
                    cell_ids.add(cell.id)
        return cell_ids


def _variables(
    lines: Mapping[str, str],
    topic: Topic,
    words: WordScores,
    used_names: frozenset[str],
    defining: Mapping[str, str],
) -> Iterator[Item]:
    for index, (name, text) in enumerate(lines.items()):
        base = LATEST_VARIABLE * (1 - index / (len(lines) + 1))
        if name in topic.recent:
            base += USED_BY_RECENT
        if "columns: " in text:
            base += WITH_COLUMNS
        weight = base + WORD_MATCH * words.score(text) + _weight_by_use(name, topic)
        if name in used_names:
            weight += SETS_USED_BY_BEST
        description_start = len(name) + len(": ")
        yield Item(
            f"variable:{name}",
            "variables",
            name,
            text,
            -weight,
            (2, len(lines) - index),
            base_rank=-base,
            # The code of the cells has them.
            wanted=not text.startswith(("module ", "imported "), description_start),
            told_by=defining.get(name, ""),
        )


def _weight_by_use(name: str, topic: Topic) -> float:
    weight = NAMED_VARIABLE if name in topic.named else 0.0
    if name in topic.failing:
        return weight + USED_BY_FAILING
    return weight


def _error(
    failure: Failure | None, describe: Callable[[object], str], wishes: _Wishes
) -> Iterator[Item]:
    if failure is None or not failure.text:
        return
    lines = [failure.text[:MAX_CHARACTERS]]
    if failure.locals:
        lines.append("Variables of the failing function:")
        for name, value in list(failure.locals.items())[:MAX_LOCALS]:
            lines.append(f"{name}: {describe(value)}")
    yield Item(
        LAST_ERROR,
        "error",
        error_title(failure.cell),
        "\n".join(lines),
        -ERROR,
        (4,),
        identity=failure.text,
        wanted=wishes.wants_error(failure),
    )


def _attached(attached: Iterable[Item], errors: Iterable[Item]) -> Iterator[Item]:
    """Yield what the prompt attaches; an error with the variables of its function."""
    for index, item in enumerate(attached):
        if item.id == ATTACHED_ERROR:
            for error in errors:
                item = item._replace(text=error.text)
        if item.text or item.images:
            yield item._replace(rank=-ATTACHED, position=(5, index))
