"""What a question names that can be looked at."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from codebuddy_jupyter.context.collector import Collector
from codebuddy_jupyter.context.failure import Failure
from codebuddy_jupyter.context.items import Cell, Notebook
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.tools.calls import Call
from codebuddy_jupyter.tools.candidates import MOST_VALUES, Candidate, candidates_of
from codebuddy_jupyter.tools.look import Look, description_of, parameters_of
from codebuddy_jupyter.tools.looks import SECTION_OF, looks_of
from tests.support.secrets_planted import PLANTED
from tests.support.snippets import namespace

CELLS = (
    Cell("1", "code", "import pandas as pd", number=1, state="run"),
    Cell(
        "2",
        "code",
        "totals = orders.groupby('region')['amount'].sum()  # the total\n"
        "def scaled(frame):\n    '''Return the frame.'''",
        number=2,
        state="run",
    ),
    Cell("3", "markdown", "# groups and lengths"),
)

Found = dict[str, Any]


@pytest.fixture
def collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collector:
    """A collector of a notebook with cells, files and the variables of `namespace`."""
    monkeypatch.chdir(tmp_path)
    for name in ("budget.csv", "tools.py", ".hidden.csv", "LICENSE"):
        Path(name).touch()
    shell: Any = SimpleNamespace(user_ns=namespace())
    session = Session(shell)
    monkeypatch.setattr(session, "notebook", lambda: Notebook(cells=CELLS))
    return Collector(session)


def found(collector: Collector, question: str) -> Found:
    """What is offered by the looks of this package."""
    looks = looks_of(collector, share_values=False)
    offered = candidates_of(question, collector, looks)
    values = {one.look.name: dict(one.values) for one in offered}
    return {name: some for name, some in values.items() if name in SECTION_OF}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        pytest.param("Thanks, that helped.", {}, id="nothing"),
        pytest.param("", {}, id="empty"),
        pytest.param("What is a generator?", {}, id="general knowledge"),
        pytest.param(
            "How many values are missing in clients?",
            {"variable": {"name": ["clients"]}},
            id="a variable",
        ),
        pytest.param(
            "What is clients.region?",
            {
                "variable": {"name": ["clients"]},
                "signature": {"dotted": ["clients.region"]},
            },
            id="a column of a variable",
        ),
        pytest.param(
            "How many different client_ids are there?",
            {"variable": {"name": ["orders"]}},
            id="the frame with a column in the plural",
        ),
        pytest.param("What does scaled do?", {}, id="a function is told already"),
        pytest.param(
            "What did In[2] show, and 7?", {"cell": {"number": [2]}}, id="a cell"
        ),
        pytest.param("Multiply by 2.5 and v2.", {}, id="other numbers"),
        pytest.param(
            "Where is groupby used?",
            {"search_cells": {"text": ["groupby"]}},
            id="a word of the code",
        ),
        pytest.param("What is the total of it?", {}, id="words of comments and texts"),
        pytest.param(
            "Where is 'total of' written?",
            {
                "search_cells": {"text": ["total of"]},
                "columns_like": {"text": ["total of"]},
            },
            id="a quotation",
        ),
        pytest.param(
            "Where is 'the total' written?",
            {"search_cells": {"text": ["the total"]}},
            id="a quotation of the code",
        ),
        pytest.param(
            "Which columns have 'official l' in their name?",
            {"columns_like": {"text": ["official l"]}},
            id="a quotation of a column",
        ),
        pytest.param("It's what the user's data isn't.", {}, id="apostrophes"),
        pytest.param("What is the last error?", {"error": {}}, id="an error"),
        pytest.param(
            "Which parameters does pd.merge take?",
            {"signature": {"dotted": ["pd.merge"]}},
            id="a function",
        ),
        pytest.param(
            "What does drop_duplicates return?",
            {
                "signature": {
                    "dotted": [
                        "pandas.DataFrame.drop_duplicates",
                    ]
                }
            },
            id="a method without its class",
        ),
        pytest.param("Merge these and sort them.", {}, id="words that are functions"),
        pytest.param("Use no.such.thing here.", {}, id="dots of something else"),
        pytest.param(
            "What is in Budget.csv?",
            {"file_head": {"path": ["budget.csv"]}},
            id="a file, in any case",
        ),
        pytest.param(
            "What is in data/other.parquet?",
            {"file_head": {"path": ["data/other.parquet"]}},
            id="a file that is not there",
        ),
        pytest.param(
            "Which frame is about the language?",
            {"columns_like": {"text": ["language"]}},
            id="a part of a column's name",
        ),
    ],
)
def test_only_what_a_question_names_is_offered(
    collector: Collector, question: str, expected: Found
) -> None:
    assert found(collector, question) == expected


@pytest.mark.parametrize(
    ("question", "is_sure"),
    [
        ("Load budget.csv and plot it.", True),
        ("Load budget.csv and no_such.csv.", True),
        ("Load no_such.csv.", False),
        ("What did In[2] show?", False),
    ],
)
def test_a_file_that_is_there_is_looked_at_in_any_case(
    collector: Collector, question: str, is_sure: bool
) -> None:
    looks = looks_of(collector, share_values=False)
    candidates = candidates_of(question, collector, looks)
    named = [one for one in candidates if one.look.name in SECTION_OF]
    assert [one.is_sure for one in named] == [is_sure]
    if is_sure:
        assert named[0].calls == [Call("file_head", {"path": "budget.csv"})]


def test_after_an_error_it_is_offered_in_any_language(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(collector, "Was ging schief?") == {}
    failure = Failure(cell=2, line=1, name="KeyError", text="KeyError: 'a'")
    monkeypatch.setattr(collector.session, "failure", lambda: failure)
    assert found(collector, "Was ging schief?") == {"error": {}}


def test_a_secret_is_not_offered(collector: Collector) -> None:
    key = PLANTED[0].secret
    offered = found(collector, f"Where is '{key}' used?")
    assert key not in str(offered)


def test_at_most_so_many_values_are_offered(collector: Collector) -> None:
    assert collector.session is not None
    frame = pd.DataFrame({"rare": [1]})
    names = [f"frame_{number}" for number in range(40)]
    collector.session.namespace().update(dict.fromkeys(names, frame))
    offered = found(collector, " ".join(names))
    assert len(offered["variable"]["name"]) == MOST_VALUES


def test_a_folder_that_is_gone_has_no_files(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector.session, "folder", lambda: Path("no such folder"))
    assert found(collector, "Is LICENSE there?") == {}


def rate(currency: str) -> str:
    """Tell the rate of a currency."""
    return currency


def test_a_look_of_another_package_is_always_offered(collector: Collector) -> None:
    look = Look("rate", description_of(rate), parameters_of(rate), rate, str)
    assert candidates_of("Well?", collector, [look]) == [Candidate(look, {})]
    assert candidates_of("Well?", Collector(), [look]) == []


def test_what_was_looked_at_is_offered_no_more() -> None:
    look = Look("rate", description_of(rate), parameters_of(rate), rate, str)
    both = Candidate(look, {"currency": ["EUR", "USD"]})
    assert both.without({"currency": "EUR"}) == Candidate(look, {"currency": ["USD"]})
    assert both.without({"currency": "CHF"}) == both
    assert Candidate(look, {"currency": ["EUR"]}).without({"currency": "EUR"}) is None
    assert Candidate(look, {}).without({}) is None


def test_no_code_of_the_user_s_objects_runs(collector: Collector) -> None:
    class Trap:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    assert collector.session is not None
    collector.session.namespace()["trap"] = Trap()
    assert found(collector, "What is trap, and trap.value?") == {
        "variable": {"name": ["trap"]}
    }
