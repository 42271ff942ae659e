"""The looks that there are, those of other packages among them."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from codebuddy_jupyter.context.collector import Collector
from codebuddy_jupyter.context.items import Section
from codebuddy_jupyter.tools.looks import GROUP, SECTION_OF, loaded, looks_of


def test_each_look_has_a_schema_and_a_description() -> None:
    looks = looks_of(Collector(), share_values=False)
    assert {look.name for look in looks} >= set(SECTION_OF)
    for look in looks:
        assert look.description.endswith(".")
        assert look.parameters["type"] == "object"
        assert set(look.parameters["required"]) <= set(look.parameters["properties"])


def test_the_first_rows_are_offered_only_if_values_are_shared() -> None:
    parts = []
    for share_values in (False, True):
        looks = looks_of(Collector(), share_values=share_values)
        variable = next(look for look in looks if look.name == "variable")
        parts.append(variable.parameters["properties"]["part"]["enum"])
    assert parts == [
        ["schema", "missing", "unique"],
        ["schema", "missing", "unique", "head"],
    ]


@pytest.mark.parametrize(
    ("sections", "names"),
    [
        (frozenset(), set()),
        (frozenset({"cells"}), {"cell", "search_cells"}),
        (frozenset({"error"}), {"error"}),
        (frozenset({"mentions"}), {"file_head"}),
    ],
)
def test_only_what_may_be_sent_can_be_looked_at(
    sections: frozenset[Section], names: set[str]
) -> None:
    looks = looks_of(Collector(), share_values=False, sections=sections)
    assert {look.name for look in looks} == names


def rate(currency: str) -> str:
    """Tell the rate of a currency."""
    return f"{currency}: 1.1"


def silent(currency: str) -> str:
    return currency


def test_another_package_adds_a_look() -> None:
    found = loaded([EntryPoint("rate", f"{__name__}:rate", GROUP)])
    assert found.problems == ()
    function, parameters = found.looks["rate"]
    assert function is rate
    assert parameters["required"] == ["currency"]


@pytest.mark.parametrize(
    ("name", "target", "reason"),
    [
        ("variable", f"{__name__}:rate", "its name is taken"),
        ("no name", f"{__name__}:rate", "is no identifier"),
        ("silent", f"{__name__}:silent", "it has no docstring"),
        ("gone", "no_such_package:look", "ModuleNotFoundError"),
        ("strange", f"{__name__}:GROUP", "The look strange cannot be used"),
    ],
)
def test_a_look_that_cannot_be_used_costs_one_line(
    name: str, target: str, reason: str
) -> None:
    found = loaded([EntryPoint(name, target, GROUP)])
    assert found.looks == {}
    (problem,) = found.problems
    assert reason in problem
    assert "\n" not in problem
