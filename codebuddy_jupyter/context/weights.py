"""How much the cells of a notebook weigh, in themselves and for a question."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter

from .failure import Failure
from .items import Cell
from .relevance import Topic, WordScores, may_set, names_set, names_used

# Cells that are parsed in search of one name's definitions.
MAX_PARSED = 12
# The last definitions of a name that count.
LAST_DEFINITIONS = 2
# The cells with the highest weights, whose names count as well.
BEST_CELLS = 4

# For each text: the share of the question's words that are in it, times this.
WORD_MATCH = 48.0
FAILING_CELL = 60.0
LAST_CELL = 40.0
SETS_NAMED = 35.0
USES_NAMED = 12.0
SETS_USED_BY_BEST = 14.0
SETS_USED_BY_THOSE = 9.0
MARKDOWN_CELL = -2.0


def names_used_by(cells: Iterable[Cell]) -> frozenset[str]:
    """Return the names that the code of these cells reads or sets."""
    names_by_cell = (names_used(cell.source) for cell in cells)
    return frozenset(chain.from_iterable(names_by_cell))


class CellWeights:
    """What is added to the weight that a cell has by the time of its run.

    Most cells have nothing but that weight, so both mappings are small.

    Parameters
    ----------
    cells
        All cells, in the order of the notebook.
    run_cells
        Those that ran, the latest last.
    topic
        What the question is about.
    words
        How well texts match its words.
    failure
        The last error.

    Attributes
    ----------
    base
        What is added whatever the question is, by the id of the cell.
    asked
        What is added for the question, besides.
    used_names
        The names that the cells with the highest weights use.
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
        self.base: defaultdict[str, float] = defaultdict(float)
        self.asked: defaultdict[str, float] = defaultdict(float)
        self._latest_first = list(reversed(run_cells))
        self._weigh_by_runs(run_cells)
        for id in self._last_definitions(topic.recent):
            self.base[id] += SETS_USED_BY_BEST
        self._weigh_by_words(cells)
        self._weigh_by_names(cells, topic)
        self.used_names = self._weigh_what_the_best_use(run_cells)

    def of(self, cell: Cell) -> float:
        """Return the weight of a cell for the question."""
        base = self.base.get(cell.id, 0.0)
        asked = self.asked.get(cell.id, 0.0)
        return cell.weight + base + asked

    def _weigh_by_runs(self, run_cells: Sequence[Cell]) -> None:
        """Prefer the cell that ran last, and the one that failed."""
        for cell in run_cells:
            if cell.number == self.failing:
                self.base[cell.id] += FAILING_CELL
        if run_cells:
            self.base[run_cells[-1].id] += LAST_CELL

    def _weigh_by_words(self, cells: Iterable[Cell]) -> None:
        score_of = self.words.score
        for cell in cells:
            weight = WORD_MATCH * score_of(cell.source)
            if cell.type == "markdown":
                weight += MARKDOWN_CELL
            if weight:
                self.asked[cell.id] = weight

    def _weigh_by_names(self, cells: Sequence[Cell], topic: Topic) -> None:
        """Prefer cells that set or use what is named."""
        defining = self._last_definitions(topic.named | topic.failing)
        for id in defining:
            self.asked[id] += SETS_NAMED
        if not topic.named:
            return
        for cell in cells:
            if cell.id in defining or topic.named.isdisjoint(cell.names):
                continue
            if cell.type == "code":
                self.asked[cell.id] += USES_NAMED

    def _weigh_what_the_best_use(self, run_cells: Sequence[Cell]) -> frozenset[str]:
        """Prefer cells that set what the best cells use; return the names in use."""
        used: frozenset[str] = frozenset()
        using = self._best(run_cells)
        for weight in (SETS_USED_BY_BEST, SETS_USED_BY_THOSE):
            names = names_used_by(using)
            setting = self._last_definitions(names - used)
            setting.difference_update(cell.id for cell in using)
            for id in setting:
                self.asked[id] += weight
            using = [cell for cell in run_cells if cell.id in setting]
            used |= names
        return used

    def _best(self, run_cells: Sequence[Cell]) -> list[Cell]:
        """Return the cells with the highest weights; of cells that weigh as much, the
        latest.
        """
        # Of a large notebook, most cells have a common word of the question.
        likely = heapq.nlargest(
            2 * BEST_CELLS,
            reversed(self.asked.items()),
            key=itemgetter(1),
        )
        ids = set(self.base)
        ids.update(id for id, _ in likely)
        candidates = [cell for cell in run_cells if cell.id in ids]
        candidates += run_cells[-BEST_CELLS:]
        best = heapq.nlargest(2 * BEST_CELLS, candidates, key=self.of)
        by_id = {cell.id: cell for cell in best}
        return list(by_id.values())[:BEST_CELLS]

    def _last_definitions(self, names: frozenset[str]) -> set[str]:
        """Return the ids of cells that set one of these names last or just before that.

        The definition before the last often shows where a value comes from. A cell is
        parsed to find out whether it sets a name, so only some of the cells that
        mention a name are looked at.
        """
        cell_ids: set[str] = set()
        parsed: Counter[str] = Counter()
        definitions: Counter[str] = Counter()
        wanted = set(names)
        for cell in self._latest_first:
            if not wanted:
                break
            if wanted.isdisjoint(cell.names):
                continue
            for name in wanted & cell.names:
                if not may_set(cell.source, name):
                    continue
                parsed[name] += 1
                if name in names_set(cell.source):
                    definitions[name] += 1
                    cell_ids.add(cell.id)
                is_found = definitions[name] >= LAST_DEFINITIONS
                if is_found or parsed[name] >= MAX_PARSED:
                    wanted.remove(name)
        return cell_ids
