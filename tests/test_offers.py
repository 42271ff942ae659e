"""What agents are offered: the context of a question and an outline, without secrets, and
without values unless they are shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.question.tokens import Tokens
from codebuddy_jupyter.tools.proposing import MOST_WAITING, NO_PANEL, TOO_MANY
from codebuddy_jupyter.tools.server.offers import (
    ERROR,
    FEWEST_TOKENS,
    LONGEST_LINE,
    MOST_CELLS,
    MOST_TOKENS,
    OUTLINE,
    NotebookTool,
    Offers,
    offers_of,
)
from tests.support.secrets_planted import PLANTED, Planted
from tests.support.sessions import forget_outputs, run


@pytest.fixture
def notebook(shell: InteractiveShell, buddy: Buddy) -> Iterator[Buddy]:
    """A Buddy whose notebook is what a test runs."""
    forget_outputs(shell)
    session = Session(shell)
    session.listen()
    buddy.collector.session = session
    yield buddy
    session.leave()


def context(buddy: Buddy, share_values: bool = False, **arguments: Any) -> str:
    looked = context_tool(buddy, share_values).look(arguments)
    assert not looked.is_error
    return looked.text


def context_tool(buddy: Buddy, share_values: bool = False) -> NotebookTool:
    tools = offers_of(buddy, share_values=share_values).tools
    return next(tool for tool in tools if tool.name == "context")


def read(offers: Offers, uri: str) -> str:
    (resource,) = [one for one in offers.resources if one.uri == uri]
    return resource.read()


def test_the_context_has_code_variables_and_the_error(notebook: Buddy) -> None:
    run("price = 3.5")
    run("price['a']")
    told = context(notebook, question="what is wrong?")
    assert "price = 3.5" in told
    assert "price: float" in told
    assert "TypeError" in told


def test_values_and_outputs_are_told_only_if_they_are_shared(notebook: Buddy) -> None:
    run("from random import Random\nnumber = Random(5).randrange(10**12)")
    run("number")
    run("print(number + 1)")
    number = str(notebook.collector.session.namespace()["number"])  # type: ignore[union-attr]
    asked = "what was printed, what is the output, and the value of number?"
    assert number[:-1] not in context(notebook, question=asked)
    assert number in context(notebook, share_values=True, question=asked)


def test_nothing_is_attached_by_a_mention(notebook: Buddy) -> None:
    run("number = 10**6 + 17")
    assert "1000017" not in context(notebook, question="@number @file:/etc/passwd")


@pytest.mark.parametrize("tokens", [1, FEWEST_TOKENS, 1_000, 10**9])
def test_the_context_has_at_most_so_many_tokens(notebook: Buddy, tokens: int) -> None:
    for number in range(60):
        run(f"text_{number} = {'word ' * 60!r}")
    told = context(notebook, question="text_1?", tokens=tokens)
    most = min(max(tokens, FEWEST_TOKENS), MOST_TOKENS)
    assert Tokens().count(told) <= most


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({}, "context needs a question, as a text."),
        ({"question": 1}, "context needs a question, as a text."),
        ({"question": "?", "tokens": "many"}, "tokens is a whole number."),
        ({"question": "?", "tokens": True}, "tokens is a whole number."),
        ({"question": "?", "code": "1"}, "context has no argument 'code'."),
    ],
)
def test_wrong_arguments_are_told(
    buddy: Buddy, arguments: dict[str, Any], line: str
) -> None:
    looked = context_tool(buddy).look(arguments)
    assert (looked.text, looked.is_error) == (line, True)


def test_without_a_notebook_there_is_nothing(buddy: Buddy) -> None:
    assert context(buddy, question="?") == "There is nothing in the notebook."
    offers = offers_of(buddy, share_values=False)
    assert read(offers, OUTLINE) == "The notebook has no cells."
    assert read(offers, ERROR)


def test_the_setting_for_context_holds(notebook: Buddy) -> None:
    run("price = 3.5")
    notebook.context = "none"
    assert context(notebook, question="?") == "There is nothing in the notebook."
    offers = offers_of(notebook, share_values=True)
    assert [tool.name for tool in offers.tools] == ["context"]
    assert offers.resources == []
    notebook.context = "variables"
    assert "price = 3.5" not in context(notebook, question="?")


def test_the_outline_has_a_line_for_each_cell(notebook: Buddy) -> None:
    run("\nprice = 3.5  # net\nrate = 2")
    run("price / 0")
    told = read(offers_of(notebook, share_values=False), OUTLINE)
    assert told.splitlines()[-2:] == [
        "In[1]: price = 3.5  # net",
        "In[2], failed: price / 0",
    ]


def test_the_outline_is_bounded(notebook: Buddy) -> None:
    for _ in range(MOST_CELLS + 5):
        run("x = 'a'")
    lines = read(offers_of(notebook, share_values=False), OUTLINE).splitlines()
    assert len(lines) <= MOST_CELLS + 1


def test_the_outline_has_the_headings_of_texts_cut_and_without_secrets(
    notebook: Buddy,
) -> None:
    text = (
        f"# Prices {'x' * 500}\n```\n# a comment\n```\n## password = 'Xk3vQ9zT4m'\nmore"
    )
    session = notebook.collector.session
    assert session is not None
    session.set_open_cells([{"id": "a", "cell_type": "markdown", "source": text}])
    lines = read(offers_of(notebook, share_values=False), OUTLINE).splitlines()
    assert lines[0] == f"# Prices {'x' * 500}"[:LONGEST_LINE]
    assert lines[1].startswith("## ")
    assert "Xk3vQ9zT4m" not in lines[1]
    assert "# a comment" not in lines


def test_the_last_error_is_a_resource(notebook: Buddy) -> None:
    run("{'a': 1}['b']")
    assert "KeyError" in read(offers_of(notebook, share_values=False), ERROR)


def told_of(buddy: Buddy, share_values: bool) -> str:
    """All that an agent can be told without knowing a name."""
    offers = offers_of(buddy, share_values=share_values)
    parts = [resource.read() for resource in offers.resources]
    parts.append(context(buddy, share_values, question="all of it", tokens=MOST_TOKENS))
    for tool in offers.tools:
        for arguments in ({}, {"name": "planted"}, {"number": 1}, {"text": "planted"}):
            parts.append(tool.look(arguments).text)
    return "\n".join(parts)


@pytest.mark.parametrize("planted", PLANTED[::3], ids=lambda planted: planted.name)
def test_no_secret_is_told(notebook: Buddy, planted: Planted) -> None:
    """Also where the user has turned redaction off: for agents it stays on."""
    notebook.redact_secrets = False
    run(f"planted = {planted.text!r}")
    run("print(planted)")
    run("raise ValueError(planted)")
    for share_values in (False, True):
        assert planted.secret not in told_of(notebook, share_values)


def test_code_is_proposed_only_if_that_is_offered(notebook: Buddy) -> None:
    offers = offers_of(notebook, share_values=True)
    assert not any(tool.proposes for tool in offers.tools)
    offers = offers_of(notebook, share_values=False, proposes=True)
    names = [tool.name for tool in offers.tools if tool.proposes]
    assert names == ["propose_cell", "propose_edit"]


def test_what_an_agent_proposes_waits_and_is_bounded(notebook: Buddy) -> None:
    run("x = 1")
    offers = offers_of(notebook, share_values=False, proposes=True)
    cell, edit = [tool for tool in offers.tools if tool.proposes]
    for tool, arguments in ((cell, {"code": "y"}), (edit, {"cell": 1, "code": "y"})):
        looked = tool.look(arguments)
        assert looked.is_error
        assert looked.text == NO_PANEL
    told: list[str] = []
    notebook.proposed.watchers.append(told.append)
    for number in range(MOST_WAITING):
        looked = cell.look({"code": f"x = {number}"})
        assert looked.proposal is not None
        assert looked.proposal.by_agent
    assert cell.look({"code": "x = 99"}).text == TOO_MANY
    waiting = notebook.proposed.waiting_of_agents()
    assert [one.id for one in waiting] == told
    assert len(told) == MOST_WAITING
    session: Any = notebook.collector.session
    assert session.namespace()["x"] == 1
