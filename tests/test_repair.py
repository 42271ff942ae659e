"""The question for corrected code."""

from __future__ import annotations

from codebuddy_jupyter.context.inspection.code_check import findings
from codebuddy_jupyter.context.inspection.finding import Finding
from codebuddy_jupyter.context.inspection.repair import repair_question
from tests.support.snippets import namespace


def test_it_tells_what_is_missing_and_what_there_is() -> None:
    found = findings("clients['Region']\npd.merge(clients, key='id')", namespace())
    assert repair_question(found).splitlines() == [
        "Your code does not work here:",
        "- clients has no column 'Region'; nearest: 'region'",
        "- merge takes no argument 'key'",
        "The columns of clients are 'Official language', 'id', 'joined', 'region', "
        "'revenue'.",
        found[1].fact,
        "Answer with the complete corrected code in one ```python block. Use only names "
        "and columns that exist.",
    ]
    assert found[1].fact.startswith("The signature is merge(left, right, how='inner'")


def test_there_is_nothing_to_ask_where_nothing_fails() -> None:
    assert repair_question(()) == ""
    assert repair_question([Finding("loaded", "df holds x.csv already", "x.csv")]) == ""


def test_of_many_findings_the_first_are_told() -> None:
    many = [Finding("name", f"'n{n}' is not defined", f"n{n}") for n in range(9)]
    assert repair_question(many).count("not defined") == 4


def test_no_value_is_told() -> None:
    names = {**namespace(), "words": ["SECRET"], "title": "SECRET"}
    names["clients"].loc[0, "region"] = "SECRET"
    found = findings("clients['Region'], words.push(1), title.x()", names)
    assert len(found) == 3
    assert "SECRET" not in repair_question(found)
