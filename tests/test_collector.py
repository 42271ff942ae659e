"""The collector: a source that fails costs itself and one line, never the answer, and
never lets a secret through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from codebuddy_jupyter.context.collector import MAX_DESCRIBED, MAX_END, Collector
from codebuddy_jupyter.context.failure import Failure
from codebuddy_jupyter.context.fit import ItemRecord, SentItems, fit
from codebuddy_jupyter.context.items import SECTIONS, Cell, Notebook, Section, Snapshot
from codebuddy_jupyter.context.mentions import find_mentions
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import PromptError
from codebuddy_jupyter.secrets.redactor import Redacted

CELLS = (
    Cell("m", "markdown", "# Sales", None),
    Cell("a", "code", "rate = 0.19", 1, "run"),
    Cell("b", "code", "rate / 0", 2, "failed"),
)
SECRET = "kv7-" + "plum" * 3


class Scripted:
    """A session for the collector; what is named in ``broken`` raises."""

    def __init__(self) -> None:
        self.broken: dict[str, BaseException] = {}

    def _given(self, name: str, value: Any) -> Any:
        if name in self.broken:
            raise self.broken[name]
        return value

    def names(self) -> dict[str, Any]:
        """The user's variables."""
        return cast(
            "dict[str, Any]",
            self._given("names", {"rate": 0.19, "billing_password": SECRET}),
        )

    def code_names(self) -> frozenset[str]:
        """The names in the cells."""
        return cast("frozenset[str]", self._given("code_names", frozenset({"rate"})))

    def notebook(self) -> Notebook:
        """The notebook."""
        return cast(
            Notebook,
            self._given(
                "notebook", Notebook(CELLS, "sales.ipynb", troubles=("It is old.",))
            ),
        )

    def failure(self) -> Failure:
        """The last error."""
        failure = Failure(
            2, 1, "ZeroDivisionError", "In[2], line 1: rate / 0", "division by zero"
        )
        return cast(Failure, self._given("failure", failure))


@pytest.fixture
def scripted() -> Scripted:
    """What the session gives."""
    return Scripted()


@pytest.fixture
def collector(scripted: Scripted) -> Collector:
    """A collector of that session."""
    return Collector(cast(Session, scripted))


def collected(
    collector: Collector,
    prompt: str = "what is rate?",
    sections: frozenset[Section] | None = None,
) -> Snapshot:
    all_of_it = frozenset(SECTIONS) if sections is None else sections
    return collector.collect(
        prompt, all_of_it, find_mentions(prompt), share_values=False
    )


def sections_of(found: Snapshot) -> set[Section]:
    return {item.section for item in found.items}


def test_what_can_be_read_is_collected_without_a_trouble(
    collector: Collector,
) -> None:
    found = collected(collector)
    assert sections_of(found) == {"outline", "cells", "variables", "error"}
    assert found.sections == frozenset(SECTIONS)
    assert found.troubles == ("It is old.",)


class Many(Scripted):
    """A session with a hundred thousand variables; the latest comes first."""

    def names(self) -> dict[str, Any]:
        """The user's variables."""
        numbered = {f"v{number}": number for number in reversed(range(100_000))}
        return {**numbered, "old_prices": [1], "rate": 0.19}


def test_of_very_many_variables_the_likeliest_are_described() -> None:
    collector = Collector(cast(Session, Many()))
    found = collected(collector, "why do the prices in v17 not fit v2345?")
    described = [item.title for item in found.items if item.section == "variables"]
    assert len(described) == MAX_DESCRIBED
    # They are named, used in a cell, made of a word of the question, or the latest.
    assert {"v17", "v2345", "rate", "old_prices", "v99999"} <= set(described)
    assert len(found.undescribed) == 100_002 - MAX_DESCRIBED
    assert not found.undescribed & set(described)


@pytest.mark.parametrize(
    "prompt", ["why v17? {}", "{} why v17?"], ids=["before", "after"]
)
def test_what_is_asked_before_or_after_a_very_long_text_is_found(prompt: str) -> None:
    collector = Collector(cast(Session, Many()))
    found = collected(collector, prompt.format("data " * MAX_END))
    described = [item.title for item in found.items if item.section == "variables"]
    assert "v17" in described


def test_a_variable_among_very_many_is_gone_only_when_it_is() -> None:
    collector = Collector(cast(Session, Many()))
    records = {
        f"variable:{name}": ItemRecord("variables", name, 1) for name in ("v5", "w")
    }
    found = collected(collector, "why?")
    assert "v5" in found.undescribed
    update = fit(found, SentItems(records), 10_000, len, Redacted)
    assert [record.title for record in update.gone] == ["w"]


LOST: Mapping[str, tuple[set[Section], str]] = {
    "names": ({"variables"}, "The variables could not be read: ValueError: no luck"),
    "notebook": (
        {"outline", "cells", "outputs"},
        "The notebook could not be read: ValueError: no luck",
    ),
    "failure": ({"error"}, "The last error could not be read: ValueError: no luck"),
}


@pytest.mark.parametrize(
    ("broken", "lost", "line"), [(name, *lost) for name, lost in LOST.items()], ids=LOST
)
def test_a_source_that_fails_costs_itself_and_one_line(
    collector: Collector, scripted: Scripted, broken: str, lost: set[Section], line: str
) -> None:
    scripted.broken[broken] = ValueError("no luck")
    found = collected(collector)
    assert sections_of(found) == {"outline", "cells", "variables", "error"} - lost
    assert found.sections == frozenset(SECTIONS) - lost
    assert [one for one in found.troubles if one != "It is old."] == [line]


def test_describers_that_fail_cost_the_variables(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(thing: object) -> str:
        raise RecursionError("too deep")

    monkeypatch.setattr(collector.describers, "schema", fails)
    found = collected(collector)
    assert sections_of(found) == {"outline", "cells", "error"}
    assert "The variables could not be read: RecursionError: too deep" in found.troubles


def test_all_sources_may_fail_and_attachments_are_still_sent(
    collector: Collector, scripted: Scripted
) -> None:
    collected(collector)
    scripted.broken = dict.fromkeys(("notebook", "failure"), MemoryError())
    found = collected(collector, "what is @rate?")
    assert sections_of(found) == {"variables", "mentions"}
    assert len(found.troubles) == 2


def test_what_cannot_be_ranked_costs_all_but_what_is_attached(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(source: str) -> frozenset[str]:
        raise RecursionError("too deep")

    monkeypatch.setattr("codebuddy_jupyter.context.weights.names_used", fails)
    found = collected(collector, "what is @rate?")
    assert sections_of(found) == {"mentions"}
    assert found.sections == frozenset()
    assert found.troubles == (
        "The collected context could not be read: RecursionError: too deep",
    )


def test_secrets_of_variables_stay_redacted_when_the_variables_cannot_be_read(
    collector: Collector, scripted: Scripted
) -> None:
    collected(collector)
    assert collector.redact(f"x {SECRET} y").text == "x [redacted: billing_password] y"
    scripted.broken["names"] = ValueError("no luck")
    collected(collector)
    assert collector.redact(f"x {SECRET} y").text == "x [redacted: billing_password] y"


def test_an_interrupt_is_not_caught(collector: Collector, scripted: Scripted) -> None:
    scripted.broken["notebook"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        collected(collector)


def test_a_mention_of_what_is_not_there_is_an_error(collector: Collector) -> None:
    with pytest.raises(PromptError):
        collected(collector, "what is @rat?")


def test_without_sections_only_attachments_are_collected(
    collector: Collector, scripted: Scripted
) -> None:
    scripted.broken = dict.fromkeys(("notebook", "failure"), ValueError())
    found = collected(collector, "what is @rate?", frozenset())
    assert sections_of(found) == {"mentions"}
    assert found.troubles == ()


def test_warming_up_survives_a_notebook_that_cannot_be_read(
    collector: Collector, scripted: Scripted
) -> None:
    scripted.broken["notebook"] = ValueError("no luck")
    collector.warm()


def test_without_a_session_nothing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_TOKEN", SECRET)
    collector = Collector()
    assert collected(collector) == Snapshot()
    assert SECRET not in collector.redact(f"x {SECRET} y").text
