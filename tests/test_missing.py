"""What the code of an answer misses is looked up without a model: in other frames, in
modules and in cells.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from codebuddy_jupyter.context.collector import Collector
from codebuddy_jupyter.context.inspection.code_check import findings
from codebuddy_jupyter.context.items import SECTIONS, Cell, Notebook, Section
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.tools.missing import with_places
from tests.support.snippets import namespace

ALL = frozenset(SECTIONS)


@pytest.fixture
def collector() -> Collector:
    """A collector of a kernel that has the variables of `namespace`."""
    shell: Any = SimpleNamespace(user_ns=namespace())
    return Collector(Session(shell))


def told(
    collector: Collector, code: str, sections: frozenset[Section] = ALL
) -> list[str]:
    assert collector.session is not None
    found = findings(code, collector.session.namespace())
    return [one.text for one in with_places(found, collector, sections)]


def with_cells(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, *cells: Cell
) -> None:
    notebook = Notebook(cells=cells)
    monkeypatch.setattr(collector.session, "notebook", lambda: notebook)


@pytest.mark.parametrize(
    ("code", "line"),
    [
        pytest.param(
            "orders['revenue']",
            "orders has no column 'revenue'; there is clients['revenue']",
            id="a column of another frame",
        ),
        pytest.param(
            "orders['official_language']",
            "orders has no column 'official_language'; there is "
            "clients['Official language']",
            id="one that is written otherwise",
        ),
        pytest.param(
            "orders.joined",
            "orders has no column or attribute 'joined'; nearest: 'join'; there is "
            "clients['joined']",
            id="as an attribute",
        ),
        pytest.param(
            "revenue + 1",
            "'revenue' is not defined; there is clients['revenue']",
            id="a column that is used as a variable",
        ),
        pytest.param(
            "merge(clients, orders)",
            "'merge' is not defined; there is pd.merge",
            id="a function without its module",
        ),
        pytest.param(
            "np.read_parquet",
            "numpy has no attribute 'read_parquet'; there is pl.read_parquet, "
            "pd.read_parquet",
            id="a function of another module",
        ),
        pytest.param(
            "clients['Region']",
            "clients has no column 'Region'; nearest: 'region'",
            id="only written otherwise",
        ),
        pytest.param(
            "quux",
            "'quux' is not defined",
            id="nothing",
        ),
    ],
)
def test_a_finding_tells_where_it_is_instead(
    collector: Collector, code: str, line: str
) -> None:
    assert told(collector, code) == [line]


def test_a_replaced_function_is_not_looked_for_elsewhere(collector: Collector) -> None:
    (line,) = told(collector, "np.float(1)")
    assert "there is" not in line


def test_the_signature_of_what_is_meant_is_told_to_the_model(
    collector: Collector,
) -> None:
    assert collector.session is not None
    found = findings("math.sqrtt(2)", collector.session.namespace())
    (finding,) = with_places(found, collector, ALL)
    assert finding.nearest == "sqrt"
    assert finding.fact == "The signature is sqrt(x, /)."
    assert "signature" not in finding.text


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        pytest.param(
            Cell("1", "code", "train = clients.head(2)"),
            "'train' is not defined; cell 1 of the notebook (not run) defines it",
            id="not run",
        ),
        pytest.param(
            Cell("1", "code", "x = 1\ndef train(): ...", number=3, state="failed"),
            "'train' is not defined; cell 1 of the notebook (failed) defines it",
            id="failed",
        ),
        pytest.param(
            Cell("1", "code", "train = 1", number=3, state="run"),
            "'train' is not defined",
            id="run, and deleted since",
        ),
        pytest.param(
            Cell("1", "code", "print(train)"),
            "'train' is not defined",
            id="only used",
        ),
        pytest.param(
            Cell("1", "code", "def fit(train):\n    model = train"),
            "'train' is not defined",
            id="only a parameter",
        ),
        pytest.param(
            Cell("1", "code", "train = = 1"),
            "'train' is not defined",
            id="no Python",
        ),
        pytest.param(
            Cell("1", "markdown", "train = 1"),
            "'train' is not defined",
            id="text",
        ),
    ],
)
def test_a_cell_that_has_not_run_is_told(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, cell: Cell, line: str
) -> None:
    with_cells(collector, monkeypatch, cell)
    assert told(collector, "train") == [line]


def test_only_what_may_be_sent_is_looked_up(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cells(collector, monkeypatch, Cell("1", "code", "train = 1"))
    line = "'train' is not defined"
    assert told(collector, "train", frozenset({"variables"})) == [line]
    line = "'revenue' is not defined"
    assert told(collector, "revenue", frozenset({"cells"})) == [line]
    assert told(collector, "revenue", frozenset()) == [line]


def test_at_most_three_places_are_told(collector: Collector) -> None:
    assert collector.session is not None
    frame = pd.DataFrame({"rare": [1]})
    more = {f"frame_{number}": frame for number in range(6)}
    collector.session.namespace().update(more)
    (line,) = told(collector, "rare")
    assert line.count("['rare']") == 3


def test_columns_that_compare_by_code_of_the_user_s_are_left_out(
    collector: Collector,
) -> None:
    class Trap(str):
        __slots__ = ()

        def casefold(self) -> str:
            raise AssertionError

    assert collector.session is not None
    columns = pd.Index([Trap("a"), "revenue"], dtype=object)
    odd = pd.DataFrame([[1, 2]], columns=columns)
    collector.session.namespace()["odd"] = odd
    assert told(collector, "revenue") == [
        "'revenue' is not defined; there is clients['revenue']"
    ]


def test_without_a_notebook_the_findings_stay_as_they_are() -> None:
    found = findings("nowhere", namespace())
    assert with_places(found, Collector(), ALL) == found
