"""The tools that propose code: they show it, and change and run nothing."""

from __future__ import annotations

from typing import Any

import pytest

from codebuddy_jupyter.context.collector import Collector
from codebuddy_jupyter.context.items import SECTIONS
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.messages import Looked
from codebuddy_jupyter.tools.candidates import candidates_of
from codebuddy_jupyter.tools.choice import instruction
from codebuddy_jupyter.tools.look import Look
from codebuddy_jupyter.tools.looks import safe_text
from codebuddy_jupyter.tools.proposals import Proposals
from codebuddy_jupyter.tools.proposing import (
    LONGEST_CODE,
    NOTHING_TO_SEE,
    TOO_LONG,
    UNSEEN,
    Proposing,
    proposing_tools,
)
from tests.support.sessions import run

ALL = frozenset(SECTIONS)


@pytest.fixture
def collector(session: Session) -> Collector:
    collector = Collector()
    collector.session = session
    run("rows = [1, 2]\ntotal = sum(rows)", id="a")
    return collector


@pytest.fixture
def tools(collector: Collector) -> dict[str, Look]:
    proposing = Proposing(collector, Proposals(), step=2)
    safe = safe_text(collector)
    return {tool.name: tool for tool in proposing_tools(proposing, ALL, safe)}


def propose(tools: dict[str, Look], name: str, **arguments: Any) -> Looked:
    return tools[name].look(arguments)


def test_a_new_cell_is_proposed(tools: dict[str, Look]) -> None:
    found = propose(tools, "propose_cell", code="total * 2\n")
    assert found.line == "proposed a new cell: 1 line"
    assert "```python\ntotal * 2\n```" in found.text
    assert "Nothing was changed or run." in found.text
    assert found.proposal is not None
    proposal = found.proposal
    assert (proposal.code, proposal.cell, proposal.old) == ("total * 2", None, None)
    assert proposal.step == 2


def test_a_new_cell_can_come_below_another(tools: dict[str, Look]) -> None:
    found = propose(tools, "propose_cell", code="x", after=1)
    assert found.line == "proposed a new cell below In[1]: 1 line"
    assert found.proposal is not None
    assert (found.proposal.cell, found.proposal.cell_id) == (1, "a")


def test_a_change_of_a_cell_is_proposed_as_a_difference(tools: dict[str, Look]) -> None:
    new = "rows = [1, 2]\ntotal = max(rows)"
    found = propose(tools, "propose_edit", cell=1, code=new)
    assert found.line == "proposed a change of In[1]: 2 lines"
    assert "- total = sum(rows)\n+ total = max(rows)" in found.text
    assert found.proposal is not None
    assert found.proposal.old == "rows = [1, 2]\ntotal = sum(rows)"
    assert found.proposal.code == new


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("propose_edit", {"cell": 7, "code": "x"}, "There is no cell In[7]"),
        ("propose_cell", {"after": 7, "code": "x"}, "there are: In[1]."),
        ("propose_cell", {"code": " \n"}, NOTHING_TO_SEE),
        ("propose_cell", {"code": "x" * (LONGEST_CODE + 1)}, TOO_LONG),
        ("propose_cell", {"code": "a = 1 # \u202e"}, UNSEEN),
        ("propose_cell", {"code": "a\u200b = 1"}, UNSEEN),
        ("propose_cell", {"code": "a = 1\x1b[2K"}, UNSEEN),
        ("propose_cell", {"code": "a = 1\rb = 2"}, UNSEEN),
        ("propose_cell", {"code": "a = 1\x0cb = 2"}, UNSEEN),
        ("propose_cell", {"code": "a = 1\u2028b = 2"}, UNSEEN),
        ("propose_cell", {}, "needs the argument 'code'"),
        ("propose_cell", {"code": 1}, "it must be a text"),
        ("propose_cell", {"code": "x", "run": True}, "no argument 'run'"),
        ("propose_edit", {"cell": "one", "code": "x"}, "cell"),
    ],
    ids=str,
)
def test_what_cannot_be_proposed_is_told_to_the_model(
    tools: dict[str, Look], name: str, arguments: dict[str, Any], why: str
) -> None:
    found = propose(tools, name, **arguments)
    assert found.is_error
    assert found.proposal is None
    assert why in found.text


def test_a_change_that_changes_nothing_is_none(tools: dict[str, Look]) -> None:
    same = "rows = [1, 2]\ntotal = sum(rows)\n"
    found = propose(tools, "propose_edit", cell=1, code=same)
    assert found.text == "In[1] has this code already."


def test_secrets_are_redacted_for_the_model_and_kept_for_the_user(
    tools: dict[str, Look],
) -> None:
    key = "sk-proj-" + "a1B2c3D4" * 6
    found = propose(tools, "propose_cell", code=f"key = '{key}'")
    assert key not in found.text
    assert found.proposal is not None
    assert key in found.proposal.code


def test_cells_are_changed_only_where_the_model_may_know_of_them(
    collector: Collector,
) -> None:
    proposing = Proposing(collector, Proposals())
    tools = proposing_tools(proposing, frozenset(), safe_text(collector))
    assert [tool.name for tool in tools] == ["propose_cell"]


def test_a_model_chooses_among_the_cells_that_the_question_names(
    collector: Collector, tools: dict[str, Look]
) -> None:
    run("x = 1")
    cell, edit = candidates_of("Change In[1].", collector, tools.values())
    assert (cell.values, edit.values) == ({}, {"cell": [1]})
    assert cell.look.proposes
    (only,) = candidates_of("Change it.", collector, tools.values())
    assert only.look.name == "propose_cell"
    # What could not be proposed may be corrected.
    assert cell.without({"code": ""}) is cell
    told = instruction([cell, edit], "Change In[1].")
    assert (
        '- {"look": "propose_cell", "code": "CODE", "after": "AFTER"}: it wants' in told
    )
    assert "write_code" not in told


def test_without_a_notebook_there_is_no_cell_to_change() -> None:
    collector = Collector()
    proposing = Proposing(collector, Proposals())
    tool = proposing_tools(proposing, ALL, safe_text(collector))[1]
    assert tool.look({"cell": 1, "code": "x"}).is_error
