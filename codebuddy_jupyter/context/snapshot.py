"""The snapshot: all that could be sent about the notebook now, ranked for a question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from .failure import Failure
from .items import (
    ATTACHED_ERROR,
    MAX_CHARACTERS,
    Cell,
    Item,
    Notebook,
    Section,
    Snapshot,
    cell_name,
)
from .relevance import Topic, WordScores, definitions_in, is_about_failing
from .weights import SETS_USED_BY_BEST, WORD_MATCH, CellWeights, names_used_by
from .wishes import SHORT_OUTPUT, Wishes

MAX_HEADINGS = 60
# Characters of an error's message whose words count.
MESSAGE_CHARACTERS = 300
# Variables of the failing function.
MAX_LOCALS = 30
# The cells that ran last, whose names count.
RECENT_CELLS = 3
# The id of the last error, and what begins those of earlier errors.
LAST_ERROR = "error"
EARLIER_ERROR = "error:"

# What each sign adds to the weight of an item. The rank of an item is its negative
# weight, so one that weighs 30 or more is urgent: it is offered again even where it
# was left out before.
ATTACHED = 1000.0
ERROR = 500.0
OUTLINE = 45.0
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
# The beginnings of descriptions that are not sent: the code of the cells has the
# imports, and what is drawn on the axes of an earlier cell is not shown again. Axes are
# sent where the question names them.
IMPORTS = ("module ", "imported ")
DRAWINGS = ("matplotlib.figure.", "matplotlib.axes.")


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
    weights = CellWeights(cells, run_cells, topic, words, failure)
    attached = list(attached)
    wishes = Wishes(prompt, run_cells, words, attached)
    errors = list(_error(failure, describe, wishes))
    defining = _defining_cells(run_cells, state.variables)
    makers: dict[Section, Callable[[], Iterable[Item]]] = {
        "outline": partial(_outline, cells, wishes),
        "cells": partial(_cells, cells, weights, wishes),
        "outputs": partial(_outputs, cells, weights, wishes),
        "variables": partial(
            _variables,
            lines,
            topic,
            words,
            weights.used_names,
            defining,
        ),
        "error": lambda: errors,
    }
    items: list[Item] = []
    for section, make in makers.items():
        if section in sections:
            items += make()
    items += _attached(attached, errors)
    return Snapshot(
        tuple(items),
        sections,
        state.notebook.troubles,
        failing=_failing_variables(state),
    )


def _failing_variables(state: KernelState) -> tuple[str, ...]:
    """Return the ids of the variables on the lines that the last error came from."""
    if state.failure is None:
        return ()
    names = state.failure.names
    return tuple([f"variable:{name}" for name in names if name in state.variables])


def _in_run_order(cells: Sequence[Cell]) -> list[Cell]:
    run_cells = [cell for cell in cells if cell.number is not None]
    return sorted(run_cells, key=lambda cell: cell.number or 0)


def _topic(prompt: str, state: KernelState, run_cells: Sequence[Cell]) -> Topic:
    failing: frozenset[str] = frozenset()
    if state.failure is not None:
        failing = frozenset(state.failure.names)
    recent = names_used_by(run_cells[-RECENT_CELLS:])
    return Topic(prompt, state.variables, failing, recent)


def _word_scores(
    prompt: str,
    cells: Sequence[Cell],
    variable_lines: Iterable[str],
    failure: Failure | None,
) -> WordScores:
    message = ""
    if failure is not None and is_about_failing(prompt):
        message = failure.message[:MESSAGE_CHARACTERS]
    texts = [cell.source for cell in cells]
    texts += variable_lines
    output_texts = [cell.output_text for cell in cells]
    return WordScores(
        prompt,
        texts,
        secondary=message,
        uncounted=output_texts,
    )


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


def _outline(cells: Sequence[Cell], wishes: Wishes) -> Iterator[Item]:
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
    cells: Sequence[Cell], weights: CellWeights, wishes: Wishes
) -> Iterator[Item]:
    for index, cell in enumerate(cells):
        item, _ = cell.items(index)
        if item is None:
            continue
        base = weights.base.get(cell.id, 0.0)
        added = base + weights.asked.get(cell.id, 0.0)
        if item.base_rank is None:
            wanted = wishes.wants_text(cell.source)
            yield item._replace(rank=item.rank - added, wanted=wanted)
        elif added:
            yield item.ranked(item.rank - added, item.base_rank - base)
        else:
            yield item


def _outputs(
    cells: Sequence[Cell], weights: CellWeights, wishes: Wishes
) -> Iterator[Item]:
    shown = [(cell, cell.shown_text) for cell in cells]
    wanted = wishes.outputs(shown)
    for index, cell in enumerate(cells):
        _, item = cell.items(index)
        if item is not None and cell.id in wanted:
            rank = -_output_weight(cell, item.text, weights)
            yield item._replace(rank=rank, wanted=True)
        elif item is not None:
            yield item
        # The last error has a section of its own.
        if cell.error_text and cell.number != weights.failing:
            yield _earlier_error(cell, index, weights, wishes)


def _earlier_error(
    cell: Cell, index: int, weights: CellWeights, wishes: Wishes
) -> Item:
    return Item(
        f"{EARLIER_ERROR}{cell.id}",
        "outputs",
        error_title(cell.number),
        cell.error_text,
        -_output_weight(cell, cell.error_text, weights),
        (3, 1, index, 2),
        # The run tells errors apart, however their text was found.
        identity=error_title(cell.number),
        wanted=wishes.wants_earlier_error(cell),
    )


def error_title(number: int | None) -> str:
    """Return the title of the error that the run of this number ended in."""
    return f"error in {cell_name(number)}"


def _output_weight(cell: Cell, text: str, weights: CellWeights) -> float:
    by_words = WORD_MATCH * weights.words.score(text)
    weight = max(weights.of(cell), by_words)
    if len(text) > SHORT_OUTPUT:
        return weight + LARGE_OUTPUT
    if all(output.kind == "image" for output in cell.outputs):
        return weight + ONLY_IMAGES
    return weight + SMALL_OUTPUT


def _variables(
    lines: Mapping[str, str],
    topic: Topic,
    words: WordScores,
    used_names: frozenset[str],
    defining: Mapping[str, str],
) -> Iterator[Item]:
    for index, (name, text) in enumerate(lines.items()):
        age = index / (len(lines) + 1)
        base = LATEST_VARIABLE * (1 - age)
        if name in topic.recent:
            base += USED_BY_RECENT
        if "columns: " in text:
            base += WITH_COLUMNS
        weight = base + WORD_MATCH * words.score(text)
        weight += _weight_by_use(name, topic)
        if name in used_names:
            weight += SETS_USED_BY_BEST
        description_start = len(name) + len(": ")
        is_wanted = not text.startswith(IMPORTS, description_start)
        if text.startswith(DRAWINGS, description_start):
            is_wanted = name in topic.named or name in topic.failing
        yield Item(
            f"variable:{name}",
            "variables",
            name,
            text,
            -weight,
            (2, len(lines) - index),
            base_rank=-base,
            wanted=is_wanted,
            told_by=defining.get(name, ""),
        )


def _weight_by_use(name: str, topic: Topic) -> float:
    weight = NAMED_VARIABLE if name in topic.named else 0.0
    if name in topic.failing:
        return weight + USED_BY_FAILING
    return weight


def _error(
    failure: Failure | None, describe: Callable[[object], str], wishes: Wishes
) -> Iterator[Item]:
    if failure is None or not failure.text:
        return
    lines = [failure.text[:MAX_CHARACTERS]]
    if failure.locals:
        lines.append("Variables of the failing function:")
        shown = list(failure.locals.items())[:MAX_LOCALS]
        for name, value in shown:
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
