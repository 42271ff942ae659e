"""The snapshot: all that could be told, each thing with its rank for the question."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codebuddy_jupyter.context.failure import Failure
from codebuddy_jupyter.context.items import (
    SECTIONS,
    Cell,
    Item,
    Notebook,
    Output,
    Section,
    Snapshot,
)
from codebuddy_jupyter.context.snapshot import KernelState, snapshot
from codebuddy_jupyter.context.wishes import NEWS_CELLS

ALL = frozenset(SECTIONS)


FAILED = Failure(3, 1, "KeyError", "KeyError: 'price'", "'price'", ("df",))

CELLS = (
    Cell("m", "markdown", "# Sales\nWe look at sales.\n```\n# no heading\n```"),
    Cell(
        "a",
        "code",
        "df = load('sales.csv')",
        1,
        "run",
        (Output("text", "loaded 10 rows"),),
    ),
    Cell("b", "code", "import numpy as np", 2, "run"),
    Cell(
        "c", "code", "df['price'].mean()", 3, "failed", (Output("error", "KeyError"),)
    ),
    Cell("d", "code", "rate = 0.1", 4, "changed", run_source="rate = 0.2"),
    Cell("e", "code", "unused = 1"),
)
STATE = KernelState(
    Notebook(CELLS, "sales.ipynb"),
    {"rate": "float", "np": "module numpy 2", "df": "a frame"},
    FAILED,
)


def taken(
    prompt: str = "hm?",
    state: KernelState = STATE,
    sections: frozenset[Section] = ALL,
    **more: Any,
) -> Snapshot:
    return snapshot(prompt, state, sections, **more)


def by_id(found: Snapshot) -> dict[str, Item]:
    return {item.id: item for item in found.items}


def order(found: Snapshot) -> list[str]:
    wanted = [item for item in found.items if item.wanted]
    return [item.id for item in sorted(wanted, key=lambda item: item.rank)]


def test_everything_becomes_an_item_with_its_title() -> None:
    titles = {id: item.title for id, item in by_id(taken()).items()}
    assert titles == {
        "outline": "outline",
        "cell:m": "text",
        "cell:a": "In[1]",
        "output:a": "output of In[1]",
        "cell:b": "In[2]",
        "cell:c": "In[3], failed",
        "cell:d": "In[4], changed",
        "cell:e": "cell, not run",
        "variable:rate": "rate",
        "variable:np": "np",
        "variable:df": "df",
        "error": "error in In[3]",
    }


def test_the_outline_holds_the_headings_and_no_comments_of_code() -> None:
    assert by_id(taken())["outline"].text == "# Sales"


def test_a_text_that_is_all_headings_is_told_by_the_outline_alone() -> None:
    found = taken(
        state=KernelState(Notebook((Cell("m", "markdown", "# One\n## Two"),)), {})
    )
    assert list(by_id(found)) == ["outline"]


def test_a_changed_cell_tells_what_stands_there_and_what_was_run() -> None:
    text = by_id(taken())["cell:d"].text
    assert text.startswith("rate = 0.1\n")
    assert text.endswith("rate = 0.2")


def test_the_error_is_told_once() -> None:
    assert "output:c" not in by_id(taken())
    assert "error:c" in by_id(taken(state=KernelState(STATE.notebook, {})))


def test_the_error_tells_the_failing_functions_variables_without_their_values() -> None:
    failed = replace(FAILED, locals={"secret": "1234", "n": 3})
    text = by_id(
        taken(
            state=KernelState(STATE.notebook, {}, failed),
            describe=lambda thing: type(thing).__name__,
        )
    )["error"].text
    assert text.endswith("Variables of the failing function:\nsecret: str\nn: int")


@pytest.mark.parametrize(
    "section", ["outline", "cells", "outputs", "variables", "error"]
)
def test_a_section_alone(section: Section) -> None:
    found = taken(sections=frozenset([section]))
    assert {item.section for item in found.items} == {section}
    assert found.sections == {section}


def wanted(prompt: str, state: KernelState = STATE) -> set[str]:
    return {item.id for item in taken(prompt, state).items if item.wanted}


def test_code_and_variables_are_sent_whatever_the_question_is() -> None:
    lasting = []
    for prompt in ("", "why is rate so low?", "plot df"):
        items = taken(prompt).items
        ranked = [(item.id, item.base_rank, item.position) for item in items]
        lasting.append([one for one in ranked if one[1] is not None])
    assert lasting[0] == lasting[1] == lasting[2]
    assert {id for id, _, _ in lasting[0]} == {
        "cell:a",
        "cell:b",
        "cell:c",
        "cell:d",
        "variable:rate",
        "variable:np",
        "variable:df",
    }


@pytest.mark.parametrize(
    ("prompt", "id"),
    [
        pytest.param("how many rows were loaded?", "output:a", id="an output"),
        pytest.param("explain Out[1]", "output:a", id="an output by its number"),
        pytest.param("where is unused set?", "cell:e", id="a cell that has not run"),
        pytest.param("which sales do we look at?", "cell:m", id="a text"),
        pytest.param("in which section is that?", "outline", id="the headings"),
    ],
)
def test_the_rest_is_sent_where_the_question_is_about_it(prompt: str, id: str) -> None:
    state = KernelState(STATE.notebook, STATE.variables)
    assert id in wanted(prompt, state)
    assert id not in wanted("plot the price by month", state)


def test_imports_and_magics_are_not_sent() -> None:
    cells = (
        Cell("a", "code", "%matplotlib inline\n!pip install x", 1, "run"),
        Cell("b", "code", "%%time\nx = 1", 2, "run"),
    )
    state = KernelState(Notebook(cells), {"np": "module numpy 2", "x": "int"})
    assert wanted("hm?", state) == {"cell:b", "variable:x"}


def test_axes_are_sent_where_the_question_names_them() -> None:
    axes = {"ax": "matplotlib.axes.Axes: 20 Rectangle", "x": "int"}
    state = KernelState(Notebook(CELLS), axes)
    assert "variable:ax" not in wanted("plot the price by month", state)
    assert "variable:ax" in wanted("give my histogram (ax) a title", state)


def test_an_old_error_is_no_news() -> None:
    later = [
        Cell(f"later{n}", "code", f"ok{n} = 1", 10 + n, "run")
        for n in range(NEWS_CELLS)
    ]
    state = replace(STATE, notebook=Notebook((*CELLS[:5], *later)))
    assert "error" not in wanted("plot the price by month", state)
    assert "error" in wanted("why did it fail?", state)
    attached = [Item("mention:error", "mentions", "@error", "KeyError")]
    found = taken("look at @error", state, attached=attached)
    assert by_id(found)["error"].wanted
    assert "error" in wanted(
        "plot the price by month", replace(STATE, failure=replace(FAILED, cell=4))
    )


def test_earlier_errors_are_sent_where_the_question_is_about_failing() -> None:
    state = KernelState(STATE.notebook, STATE.variables)
    assert "error:c" in wanted("what failed?", state)
    assert "error:c" not in wanted("plot the price", state)


def test_a_functions_line_says_which_cell_tells_it() -> None:
    cells = (
        Cell("a", "code", "def f():\n    pass", 1, "run"),
        Cell("b", "code", "def f(x):\n    pass\n\nclass A:\n    pass", 2, "run"),
    )
    lines = {"f": "def f(x)", "A": "class A", "g": "def g()", "n": "int"}
    found = by_id(taken(state=KernelState(Notebook(cells), lines)))
    told = {id: item.told_by for id, item in found.items() if item.told_by}
    assert told == {"variable:f": "cell:b", "variable:A": "cell:b"}


def test_attached_things_come_first_whatever_the_sections() -> None:
    attached = Item("mention:np", "mentions", "@np", "numpy")
    found = taken(sections=frozenset(["error"]), attached=[attached])
    assert order(found) == ["mention:np", "error"]


def test_the_error_and_its_cell_go_before_the_rest() -> None:
    assert order(taken())[:2] == ["error", "cell:c"]


@pytest.mark.parametrize(
    ("prompt", "first"),
    [
        pytest.param("what is rate?", "variable:rate", id="a variable that is named"),
        pytest.param("where is unused set?", "cell:e", id="a cell by its words"),
        pytest.param(
            "how many rows were loaded?", "output:a", id="an output by its words"
        ),
        pytest.param("what does numpy do here", "cell:b", id="an import"),
    ],
)
def test_what_the_question_is_about_goes_first_but_for_outline_and_last_cell(
    prompt: str, first: str
) -> None:
    ranked = order(taken(prompt, KernelState(STATE.notebook, STATE.variables)))
    assert next(id for id in ranked if id not in ("outline", "cell:d")) == first


def test_the_cells_that_set_a_named_variable_go_before_those_that_use_it() -> None:
    cells = (
        Cell("set", "code", "orders = load()", 1, "run"),
        *(
            Cell(f"use{n}", "code", f"print(orders, {n})", 2 + n, "run")
            for n in range(8)
        ),
        Cell("last", "code", "other = 1", 20, "run"),
    )
    ranked = order(
        taken(
            "why is orders empty?", KernelState(Notebook(cells), {"orders": "a frame"})
        )
    )
    assert ranked.index("cell:set") < min(
        ranked.index(f"cell:use{n}") for n in range(8)
    )


def test_the_latest_cell_goes_before_older_ones() -> None:
    cells = tuple(
        Cell(str(n), "code", f"value{n} = {n}", n, "run") for n in range(1, 20)
    )
    ranked = order(taken("and now?", KernelState(Notebook(cells), {})))
    assert ranked[0] == "cell:19"
    assert ranked.index("cell:15") < ranked.index("cell:2")


def test_an_empty_notebook_has_nothing_to_tell() -> None:
    assert taken(state=KernelState(Notebook(), {})).items == ()
