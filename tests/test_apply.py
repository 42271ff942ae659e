"""``/apply``: the difference to a cell, and the new cell with the new text."""

from __future__ import annotations

import json

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands.apply import NOT_PUT, PUT_BELOW, UNDO
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import PromptError, SettingError
from codebuddy_jupyter.markdown.safe import fence
from codebuddy_jupyter.messages import Proposal
from codebuddy_jupyter.question.options import Options
from tests.support.command_line import prompt_of, run_line
from tests.support.fakes import FakeProvider
from tests.support.sessions import run

CELL = "rows = [1, 2]\ntotal = sum(rows)\ntotal / nothing"
FIXED = "rows = [1, 2]\ntotal = sum(rows)\ntotal / 2"
DIFFERENCE = (
    "```diff\n  rows = [1, 2]\n  total = sum(rows)\n- total / nothing\n+ total / 2\n```"
)


@pytest.fixture
def fixed(buddy: Buddy, fake: FakeProvider, session: Session) -> Buddy:
    """A buddy that was asked to fix the cell ``In[1]`` and has answered."""
    buddy.collector.session = session
    run(CELL)
    run("x = 1")
    answer(buddy, fake, fence(FIXED, "python"), "/fix")
    return buddy


def answer(buddy: Buddy, fake: FakeProvider, text: str, typed: str = "") -> None:
    """Ask what is typed, or else about nothing, and get this answer."""
    fake.replies.append([text])
    prompt = "why?"
    if typed:
        prompt = prompt_of(buddy, typed) or prompt
    buddy.ask(prompt).result()


def test_after_fix_the_failed_cell_is_compared_and_the_new_text_put_below(
    fixed: Buddy,
) -> None:
    added: list[str] = []
    shown = run_line(fixed, "/apply", add_cell=added.append)
    assert shown == f"Changes to In[1]:\n\n{DIFFERENCE}\n\n{PUT_BELOW}"
    assert added == [FIXED]


def test_where_no_cell_can_be_added_the_difference_is_shown(fixed: Buddy) -> None:
    shown = run_line(fixed, "/apply")
    assert DIFFERENCE in shown
    assert shown.endswith(NOT_PUT)


def test_code_that_resembles_no_cell_is_put_below(
    fixed: Buddy, fake: FakeProvider
) -> None:
    answer(fixed, fake, fence("print('hello')", "python"))
    added: list[str] = []
    shown = run_line(fixed, "/apply", add_cell=added.append)
    assert shown.startswith("No cell resembles this code:\n\n```python\nprint")
    assert added == ["print('hello')"]


def test_a_block_is_chosen_by_its_number(fixed: Buddy, fake: FakeProvider) -> None:
    blocks = [fence("ls", "bash"), fence(FIXED, "python"), fence("SELECT 1", "sql")]
    answer(fixed, fake, "\n".join(blocks))
    added: list[str] = []
    run_line(fixed, "/apply 1", add_cell=added.append)
    # Without a number, the one that revises a cell.
    run_line(fixed, "/apply", add_cell=added.append)
    assert added == ["%%bash\nls", FIXED]
    with pytest.raises(SettingError, match="it is in sql"):
        run_line(fixed, "/apply 3", add_cell=added.append)
    assert len(added) == 2


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "99999999", "1 2", "²"])
def test_a_number_without_a_block_is_refused(fixed: Buddy, number: str) -> None:
    with pytest.raises(SettingError, match=r"the last answer has 1 block\b"):
        run_line(fixed, f"/apply {number}")


def test_a_cell_that_has_the_code_already_gets_no_second_one(
    fixed: Buddy, fake: FakeProvider
) -> None:
    answer(fixed, fake, fence("x = 1", "python"))
    added: list[str] = []
    shown = run_line(fixed, "/apply", add_cell=added.append)
    assert shown == "In[2] has this code already."
    assert added == []


def test_without_an_answer_that_has_code_it_says_how_to_get_one(
    buddy: Buddy, fake: FakeProvider
) -> None:
    answer(buddy, fake, "No code here.")
    with pytest.raises(PromptError, match="no answer with code yet"):
        run_line(buddy, "/apply")


def test_without_a_session_the_code_is_put_below(
    buddy: Buddy, fake: FakeProvider
) -> None:
    answer(buddy, fake, fence("x = 1", "python"))
    added: list[str] = []
    assert PUT_BELOW in run_line(buddy, "/apply", add_cell=added.append)
    assert added == ["x = 1"]


def propose(
    buddy: Buddy,
    fake: FakeProvider,
    tool: str,
    text: str = "Done.",
    **arguments: object,
) -> Proposal:
    """Have the model propose code, and answer with a text."""
    fake.replies += [[json.dumps({"look": tool, **arguments})], [text]]
    (proposal,) = buddy.ask("do it in In[1]", Options(propose=True)).result().proposed
    return proposal


def test_a_proposal_is_put_below_as_a_difference(
    fixed: Buddy, fake: FakeProvider
) -> None:
    proposal = propose(fixed, fake, "propose_edit", cell=1, code=FIXED)
    added: list[str] = []
    shown = run_line(fixed, "/apply", add_cell=added.append)
    assert shown.startswith("Proposed: a change of In[1].")
    assert DIFFERENCE in shown
    assert shown.endswith(f"{PUT_BELOW}{UNDO}")
    assert added == [FIXED]
    assert fixed.proposed.state(proposal.id) == "accepted"
    # It has not run, so that it may be needed once more.
    run_line(fixed, "/apply 1", add_cell=added.append)
    assert added == [FIXED, FIXED]


def test_proposals_are_numbered_after_the_code_blocks(
    fixed: Buddy, fake: FakeProvider
) -> None:
    text = fence("x = 2", "python")
    proposal = propose(fixed, fake, "propose_cell", text, code="y = 3", after=0)
    added: list[str] = []
    run_line(fixed, "/apply 1", add_cell=added.append)
    assert fixed.proposed.state(proposal.id) == "waiting"
    run_line(fixed, "/apply 2", add_cell=added.append)
    assert added == ["x = 2", "y = 3"]
    with pytest.raises(SettingError, match="has 1 block and 1 proposal"):
        run_line(fixed, "/apply 3")


def test_where_no_cell_can_be_added_a_proposal_stays_undecided(
    fixed: Buddy, fake: FakeProvider
) -> None:
    proposal = propose(fixed, fake, "propose_cell", code="y = 3", after=0)
    assert run_line(fixed, "/apply").endswith(NOT_PUT)
    assert fixed.proposed.state(proposal.id) == "waiting"


def test_a_proposal_for_a_cell_that_has_changed_is_not_applied(
    fixed: Buddy, fake: FakeProvider
) -> None:
    proposal = propose(fixed, fake, "propose_edit", cell=1, code=FIXED)
    session = fixed.collector.session
    assert session is not None
    (first, *_) = session.notebook().cells
    changed = {"id": first.id, "cell_type": "code", "source": "rows = []"}
    session.set_open_cells([{**changed, "execution_count": 1, "outputs": []}])
    added: list[str] = []
    with pytest.raises(SettingError, match="has changed since"):
        run_line(fixed, "/apply", add_cell=added.append)
    assert (added, fixed.proposed.state(proposal.id)) == ([], "stale")


def test_a_rejected_proposal_is_not_applied(fixed: Buddy, fake: FakeProvider) -> None:
    proposal = propose(fixed, fake, "propose_cell", code="y = 3", after=0)
    fixed.proposed.note_shown(proposal.id, proposal.digest, "page")
    fixed.proposed.decide(proposal.id, proposal.digest, "page", "reject")
    added: list[str] = []
    with pytest.raises(SettingError, match="was rejected"):
        run_line(fixed, "/apply", add_cell=added.append)
    assert added == []
