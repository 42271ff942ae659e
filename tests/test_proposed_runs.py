"""Accepted proposals that run as cells are noted, and undone once."""

from __future__ import annotations

from typing import Any

import pandas
import pytest

from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.messages import Proposal
from codebuddy_jupyter.tools.proposals import Proposals
from codebuddy_jupyter.tools.proposed_runs import (
    BUSY,
    MOST_UNDOS,
    NOTHING_TO_UNDO,
    ProposedRuns,
)

CODE = "x = 2"


@pytest.fixture
def proposals() -> Proposals:
    return Proposals()


@pytest.fixture
def runs(proposals: Proposals) -> ProposedRuns:
    return ProposedRuns(proposals)


def accepted(proposals: Proposals, code: str = CODE) -> Proposal:
    proposal = proposals.add(code)
    proposals.note_shown(proposal.id, proposal.digest, "page")
    return proposals.decide(proposal.id, proposal.digest, "page", "run")


def cell(runs: ProposedRuns, names: dict[str, Any], code: str = CODE) -> None:
    """Run a cell as the shell does."""
    runs.begin(code, names)
    exec(code, names)
    del names["__builtins__"]
    runs.end(code, names)


def test_a_run_of_an_accepted_proposal_can_be_undone_once(
    proposals: Proposals, runs: ProposedRuns
) -> None:
    names = {"x": 1}
    proposal = accepted(proposals)
    cell(runs, names)
    assert proposals.state(proposal.id) == "ran"
    assert runs.can_undo(proposal.id)
    assert runs.undo(names).restored == ["x"]
    assert names == {"x": 1}
    assert proposals.state(proposal.id) == "undone"
    with pytest.raises(SettingError, match=NOTHING_TO_UNDO):
        runs.undo(names)


def test_the_same_code_that_nobody_accepted_is_a_cell_like_others(
    proposals: Proposals, runs: ProposedRuns
) -> None:
    proposal = proposals.add(CODE)
    cell(runs, {})
    assert proposals.state(proposal.id) == "waiting"
    accepted(proposals, "y = 1")
    cell(runs, {}, "y = 1 + 1")
    with pytest.raises(SettingError, match=NOTHING_TO_UNDO):
        runs.undo({})


def test_a_second_run_by_hand_is_not_noted(
    proposals: Proposals, runs: ProposedRuns
) -> None:
    names = {"x": 1}
    accepted(proposals)
    cell(runs, names)
    cell(runs, names)
    # What the first run left has not changed, as far as can be seen.
    assert runs.undo(names).restored == ["x"]


def test_runs_are_undone_from_the_last_one_on(
    proposals: Proposals, runs: ProposedRuns
) -> None:
    names: dict[str, Any] = {"x": 1}
    codes = [f"x = 'run {number}'" for number in range(MOST_UNDOS + 1)]
    ids = []
    for code in codes:
        ids.append(accepted(proposals, code).id)
        cell(runs, names, code)
    for _ in range(MOST_UNDOS):
        runs.undo(names)
    assert names == {"x": "run 0"}
    assert not runs.can_undo(ids[0])


def test_nothing_is_undone_while_a_cell_runs(
    proposals: Proposals, runs: ProposedRuns
) -> None:
    names = {"x": 1}
    accepted(proposals)
    cell(runs, names)
    runs.begin("sleep()", names)
    with pytest.raises(SettingError, match=BUSY):
        runs.undo(names)
    runs.end("sleep()", names)
    # The cell that types the command runs, too.
    runs.begin("%buddy /undo", names)
    assert runs.undo(names).restored == ["x"]


def test_a_cell_that_runs_others_is_kept_apart_from_them(
    proposals: Proposals, runs: ProposedRuns
) -> None:
    names: dict[str, Any] = {}
    proposal = accepted(proposals, "run('y')")
    runs.begin("run('y')", names)
    runs.begin("y = 1", names)
    names["y"] = 1
    # The end of this one is not told.
    runs.begin("lost", names)
    runs.end("y = 1", names)
    runs.end("nothing began", names)
    assert proposals.state(proposal.id) == "accepted"
    runs.end("run('y')", names)
    assert runs.undo(names).removed == ["y"]


def test_copies_are_kept_of_what_was_chosen(
    proposals: Proposals, runs: ProposedRuns
) -> None:
    frame = pandas.DataFrame({"a": [1]})
    names: dict[str, Any] = {"df": frame}
    proposal = accepted(proposals, "df['b'] = 2")
    runs.keep_copies(proposal.id, ["df"])
    cell(runs, names, "df['b'] = 2")
    assert runs.undo(names).copied == ["df"]
    assert list(names["df"].columns) == ["a"]
