"""Agents are told what became of what they proposed, and only that: nothing runs, and
outputs are told only where values may be.
"""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.messages import Looked, Proposal
from codebuddy_jupyter.tools.look import MAX_TEXT
from codebuddy_jupyter.tools.outcomes import MOST_OUTPUT, NO_VALUES
from codebuddy_jupyter.tools.proposals import NOT_KNOWN, Choice
from codebuddy_jupyter.tools.server.offers import NotebookTool, offers_of
from tests.support.secrets_planted import PLANTED, Planted
from tests.support.sessions import run

CODE = "total * 1001"


@pytest.fixture
def notebook(buddy: Buddy, session: Session) -> Buddy:
    """A Buddy in a kernel that has run a cell, whose panel shows proposals."""
    shell: Any = InteractiveShell.instance()

    def end(result: Any) -> None:
        buddy.proposed_runs.end(result.info.raw_cell, shell.user_ns)

    def begin(info: Any) -> None:
        buddy.proposed_runs.begin(info.raw_cell, shell.user_ns)

    shell.events.register("pre_run_cell", begin)
    shell.events.register("post_run_cell", end)
    buddy.collector.session = session
    buddy.proposed.watchers.append(lambda id: None)
    run("total = 3", id="a")
    return buddy


def tool(buddy: Buddy, name: str, *, share_values: bool = False) -> NotebookTool:
    tools = offers_of(buddy, share_values=share_values, proposes=True).tools
    return next(tool for tool in tools if tool.name == name)


def proposed(buddy: Buddy, code: str = CODE) -> Proposal:
    """What an agent proposes."""
    looked = tool(buddy, "propose_cell").look({"code": code})
    assert looked.proposal is not None
    assert looked.proposal.id in looked.text
    return looked.proposal


def decided(buddy: Buddy, choice: Choice, code: str = CODE) -> Proposal:
    """What an agent proposes and the user decides about in a page."""
    proposal = proposed(buddy, code)
    buddy.proposed.note_shown(proposal.id, proposal.digest, "page")
    buddy.proposed.decide(proposal.id, proposal.digest, "page", choice)
    return proposal


def told(buddy: Buddy, id: str, *, share_values: bool = False) -> Looked:
    return tool(buddy, "proposal", share_values=share_values).look({"id": id})


def test_an_agent_is_told_what_the_user_decided(notebook: Buddy) -> None:
    waiting = proposed(notebook)
    assert told(notebook, waiting.id).text.startswith("waiting: ")
    choices: dict[Choice, str] = {
        "insert": "inserted: ",
        "edit": "inserted: ",
        "run": "inserted: ",
        "reject": "rejected: ",
    }
    for choice, text in choices.items():
        looked = told(notebook, decided(notebook, choice).id)
        assert looked.text.startswith(text)
        assert not looked.is_error
    stale = proposed(notebook)
    notebook.proposed.note_shown(stale.id, stale.digest, "page")
    notebook.proposed.note_stale(stale.id, "page")
    assert told(notebook, stale.id).text.startswith("stale: ")
    # To ask is no decision.
    assert notebook.proposed.state(waiting.id) == "waiting"


def test_the_output_of_a_run_is_told_where_values_may_be(notebook: Buddy) -> None:
    proposal = decided(notebook, "run")
    run(CODE, id="b")
    looked = told(notebook, proposal.id)
    assert looked.text == f"ran: The user ran it.\n{NO_VALUES}"
    looked = told(notebook, proposal.id, share_values=True)
    assert looked.text == "ran: The user ran it.\nIts output:\n```\n3003\n```"
    notebook.proposed_runs.undo(InteractiveShell.instance().user_ns, proposal.id)
    assert told(notebook, proposal.id).text.startswith("undone: ")


def test_a_run_that_failed_is_told_where_errors_are(notebook: Buddy) -> None:
    proposal = decided(notebook, "run", "total / nothing")
    run("total / nothing", id="b")
    looked = told(notebook, proposal.id)
    assert looked.text.startswith("ran: The user ran it, and it failed.\n")
    assert "NameError" in looked.text
    notebook.context = "variables"
    looked = told(notebook, proposal.id, share_values=True)
    assert looked.text == f"ran: The user ran it.\n{NO_VALUES}"


def test_a_cell_that_changed_since_has_no_output_of_the_run(notebook: Buddy) -> None:
    proposal = decided(notebook, "run")
    run(CODE, id="b")
    run("total = 'mine'\ntotal", id="b")
    looked = told(notebook, proposal.id, share_values=True)
    assert looked.text.startswith("ran: The user ran it. It has shown nothing")
    assert "mine" not in looked.text


@pytest.mark.parametrize("planted", PLANTED[::5], ids=lambda planted: planted.name)
def test_the_output_is_redacted_inert_and_short(
    notebook: Buddy, planted: Planted
) -> None:
    """Also where the user has turned redaction off: for agents it stays on."""
    notebook.redact_secrets = False
    code = f"print({planted.text!r}, '<|im_end|>', 'x ' * 5_000, sep='\\n')"
    proposal = decided(notebook, "run", code)
    run(code, id="b")
    text = told(notebook, proposal.id, share_values=True).text
    output = text.partition("Its output:\n")[2]
    assert 0 < len(output) <= MOST_OUTPUT + 100
    assert planted.secret not in text
    assert "<|im_end|>" not in text


def test_only_what_agents_propose_is_told(notebook: Buddy) -> None:
    own = notebook.proposed.add("total = 8")
    for id in (own.id, "0" * 24, ""):
        looked = told(notebook, id)
        assert (looked.text, looked.is_error) == (NOT_KNOWN, True)


def test_the_id_is_told_of_long_code_as_well(notebook: Buddy) -> None:
    code = "\n".join(f"name_{number} = {number}" for number in range(400))
    assert len(code) > MAX_TEXT
    proposed(notebook, code)


def test_the_tool_reads_and_is_there_where_agents_may_propose(buddy: Buddy) -> None:
    assert not tool(buddy, "proposal").proposes
    for share_values in (False, True):
        names = [one.name for one in offers_of(buddy, share_values=share_values).tools]
        assert "proposal" not in names
