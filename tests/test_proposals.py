"""A decision about a proposal counts once, for what was shown, where it was shown."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from codebuddy_jupyter.messages import Proposal
from codebuddy_jupyter.tools.proposals import (
    DECIDED,
    MOST_KEPT,
    NOT_KNOWN,
    NOT_SHOWN,
    Choice,
    NotCounted,
    Proposals,
)


@pytest.fixture
def proposals() -> Proposals:
    return Proposals()


def shown(proposals: Proposals, *pages: str) -> Proposal:
    """A proposal that these pages show."""
    proposal = proposals.add("x = 1", cell=3, old="x = 0")
    for page in pages:
        proposals.note_shown(proposal.id, proposal.digest, page)
    return proposal


def test_a_new_proposal_waits_and_has_an_id_of_its_own(proposals: Proposals) -> None:
    one, other = proposals.add("x = 1"), proposals.add("x = 1")
    assert one.id != other.id
    assert one.digest != other.digest
    assert proposals.state(one.id) == "waiting"
    assert proposals.get(one.id) is one


@pytest.mark.parametrize(
    ("choice", "state"),
    [
        ("insert", "accepted"),
        ("edit", "accepted"),
        ("run", "accepted"),
        ("reject", "rejected"),
    ],
)
def test_a_decision_counts(proposals: Proposals, choice: Choice, state: str) -> None:
    told: list[str] = []
    proposals.watchers.append(told.append)
    proposal = shown(proposals, "page")
    assert proposals.decide(proposal.id, proposal.digest, "page", choice) is proposal
    assert proposals.state(proposal.id) == state
    assert proposals.page(proposal.id) == "page"
    assert told == [proposal.id]


@pytest.mark.parametrize("second", ["one", "other"])
def test_only_the_first_decision_counts(proposals: Proposals, second: str) -> None:
    proposal = shown(proposals, "one", "other")
    proposals.decide(proposal.id, proposal.digest, "one", "insert")
    with pytest.raises(NotCounted, match=DECIDED["accepted"]):
        proposals.decide(proposal.id, proposal.digest, second, "run")
    assert proposals.page(proposal.id) == "one"


def test_of_many_clicks_at_once_one_counts(proposals: Proposals) -> None:
    pages = [f"page {number}" for number in range(8)]
    proposal = shown(proposals, *pages)
    gate = threading.Barrier(len(pages))
    counted: list[str] = []

    def click(page: str) -> None:
        gate.wait()
        try:
            proposals.decide(proposal.id, proposal.digest, page, "run")
        except NotCounted:
            return
        counted.append(page)

    threads = [threading.Thread(target=click, args=[page]) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == [proposals.page(proposal.id)]


@pytest.mark.parametrize(
    "changed",
    [
        {"code": "x = 2"},
        {"old": "x = 9"},
        {"old": None},
        {"cell": 4},
        {"cell_id": "a"},
        {"id": "0"},
    ],
    ids=str,
)
def test_a_decision_about_something_else_does_not_count(
    proposals: Proposals, changed: dict[str, object]
) -> None:
    proposal = shown(proposals, "page")
    other = replace(proposal, **changed)  # type: ignore[arg-type]
    with pytest.raises(NotCounted):
        proposals.decide(other.id, other.digest, "page", "run")
    assert proposals.state(proposal.id) == "waiting"


def test_a_page_that_has_not_shown_it_cannot_decide(proposals: Proposals) -> None:
    proposal = shown(proposals, "page")
    # One that shows another text has not shown this one.
    proposals.note_shown(proposal.id, "0" * 64, "late")
    for page in ("late", "", "cell"):
        with pytest.raises(NotCounted, match=NOT_SHOWN):
            proposals.decide(proposal.id, proposal.digest, page, "run")


def test_what_another_kernel_proposed_cannot_be_accepted(proposals: Proposals) -> None:
    stored = shown(Proposals(), "page")
    proposals.note_shown(stored.id, stored.digest, "page")
    with pytest.raises(NotCounted, match=NOT_KNOWN):
        proposals.decide(stored.id, stored.digest, "page", "run")
    assert proposals.state(stored.id) is None
    assert proposals.get(stored.id) is None


def test_a_stale_proposal_cannot_be_accepted(proposals: Proposals) -> None:
    proposal = shown(proposals, "page")
    proposals.note_stale(proposal.id, "another page")
    assert proposals.state(proposal.id) == "waiting"
    proposals.note_stale(proposal.id, "page")
    with pytest.raises(NotCounted, match=DECIDED["stale"]):
        proposals.decide(proposal.id, proposal.digest, "page", "insert")


def test_only_the_page_that_accepted_can_find_the_cell_changed(
    proposals: Proposals,
) -> None:
    proposal = shown(proposals, "one", "other")
    proposals.decide(proposal.id, proposal.digest, "one", "insert")
    proposals.note_stale(proposal.id, "other")
    assert proposals.state(proposal.id) == "accepted"
    proposals.note_stale(proposal.id, "one")
    assert proposals.state(proposal.id) == "stale"


def test_what_was_accepted_runs_and_is_undone_in_this_order(
    proposals: Proposals,
) -> None:
    proposal = shown(proposals, "page")
    proposals.note_ran(proposal.id)
    proposals.note_undone(proposal.id)
    assert proposals.state(proposal.id) == "waiting"
    assert proposals.accepted_with("x = 1") is None
    proposals.decide(proposal.id, proposal.digest, "page", "run")
    assert proposals.accepted_with("x = 1\n") is proposal
    assert proposals.accepted_with("x = 2") is None
    proposals.note_ran(proposal.id)
    assert proposals.accepted_with("x = 1") is None
    proposals.note_stale(proposal.id, "page")
    assert proposals.state(proposal.id) == "ran"
    proposals.note_undone(proposal.id)
    assert proposals.state(proposal.id) == "undone"


def test_the_oldest_are_forgotten(proposals: Proposals) -> None:
    first = shown(proposals, "page")
    for number in range(MOST_KEPT):
        proposals.add(f"x = {number}")
    assert proposals.state(first.id) is None
    with pytest.raises(NotCounted, match=NOT_KNOWN):
        proposals.decide(first.id, first.digest, "page", "insert")
