"""The weights of cells: the time of their run, the error, names and words."""

from __future__ import annotations

from codebuddy_jupyter.context.failure import Failure
from codebuddy_jupyter.context.items import Cell
from codebuddy_jupyter.context.relevance import Topic, WordScores
from codebuddy_jupyter.context.weights import BEST_CELLS, CellWeights, names_used_by


def code(id: str, source: str, number: int) -> Cell:
    return Cell(id, "code", source, number, "run")


CELLS = [
    code("load", "orders = load()", 1),
    code("clean", "clean = orders.dropna()", 2),
    code("other", "x = 1", 3),
    code("plot", "clean.plot()", 4),
    code("last", "y = 2", 5),
]


def weighed(
    prompt: str, cells: list[Cell] = CELLS, failure: Failure | None = None
) -> CellWeights:
    words = WordScores(prompt, [cell.source for cell in cells])
    topic = Topic(prompt, ("orders", "clean", "x", "y"))
    return CellWeights(cells, cells, topic, words, failure)


def heaviest(weights: CellWeights, cells: list[Cell] = CELLS) -> list[str]:
    return [cell.id for cell in sorted(cells, key=weights.of, reverse=True)]


def test_the_base_does_not_depend_on_the_question() -> None:
    assert weighed("why?").base == weighed("plot orders by month").base
    assert list(weighed("").base) == ["last"]


def test_later_runs_weigh_more() -> None:
    weights = [code("a", "a", number).weight for number in (1, 2, 50, 5000, 5001)]
    assert weights == sorted(set(weights))
    assert Cell("a", "code", "a").weight == 0


def test_the_cell_that_failed_weighs_most() -> None:
    failure = Failure(3, 1, "KeyError", "KeyError")
    assert heaviest(weighed("", failure=failure))[0] == "other"


def test_cells_that_set_what_is_named_come_before_those_that_use_it() -> None:
    weights = weighed("hm, orders?")
    assert heaviest(weights)[0] == "load"
    assert weights.of(CELLS[1]) > weights.of(CELLS[2])


def test_what_the_best_cells_use_is_known() -> None:
    later = [code(str(n), f"z{n} = 1", n) for n in range(6, 6 + BEST_CELLS)]
    weights = weighed("plot it", [*CELLS, *later])
    assert "clean" in weights.used_names
    assert weights.asked["clean"] > weights.asked["other"]


def test_where_all_cells_match_the_latest_are_the_best() -> None:
    cells = [code(str(n), f"step_{n} = 1", n) for n in range(1, 100)]
    weights = weighed("which step?", cells)
    names = {f"step_{n}" for n in range(100 - BEST_CELLS, 100)}
    assert names <= weights.used_names


def test_no_cells_weigh_nothing() -> None:
    assert weighed("why?", []).used_names == frozenset()
    assert names_used_by([]) == frozenset()
