"""The looks before an answer: chosen by a schema or called as tools, told with the
question, and visible.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.display.export import as_markdown, as_notebook
from codebuddy_jupyter.display.formats import final_output
from codebuddy_jupyter.display.status import status_line, waiting_markdown
from codebuddy_jupyter.errors import PromptTooLong, ServerError, Stopped
from codebuddy_jupyter.messages import Chunk, Model, Request, ToolCall, Usage
from codebuddy_jupyter.question.looking import LOOKED_UP, MAX_LOOKS
from codebuddy_jupyter.question.looks import LARGE
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.tools.choice import ANSWER
from tests.support.fakes import (
    FOREVER,
    FakeProvider,
    Step,
    eventually,
    fake_of,
    is_well_formed,
)
from tests.support.notebooks_kept import Start
from tests.support.secrets_planted import PLANTED
from tests.support.snippets import namespace

END = Chunk(finish="stop", usage=Usage(200, 5))
LOOK = Options(look=True)
LINE = "looked at clients: 5 columns"


def choice(look: str, /, **arguments: Any) -> tuple[str, Chunk]:
    """The answer of a model that chooses by a schema."""
    return json.dumps({"look": look, **arguments}), END


def call(name: str, /, **arguments: Any) -> tuple[Chunk, Chunk]:
    """The answer of a model that calls a tool."""
    made = ToolCall("", name, json.dumps(arguments))
    return Chunk(tool_calls=(made,)), Chunk(finish="tool_calls")


CLIENTS = choice("variable", name="clients", part="schema")
ORDERS = choice("variable", name="orders", part="missing")
NONE = choice(ANSWER)
REPLY = ("It has ", "five.", END)


@pytest.fixture
def buddy(buddy: Buddy) -> Buddy:
    """A Buddy in a kernel that has the variables of `namespace`."""
    shell: Any = SimpleNamespace(user_ns=namespace())
    buddy.collector.session = Session(shell)
    return buddy


@pytest.fixture
def large(buddy: Buddy, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Buddy:
    """One whose model is large and calls tools."""
    fake.offers = [Model("fake-1", abilities=("tools",), parameters=LARGE)]
    monkeypatch.setattr(fake, "stays_here", lambda: True)
    return buddy


def last(request: Request) -> str:
    return request.messages[-1].text


def test_by_default_nothing_is_looked_up(buddy: Buddy, fake: FakeProvider) -> None:
    fake.replies = [REPLY]
    assert buddy.looks == "off"
    assert buddy.ask("clients or orders?").result().looked == ()
    assert len(fake.requests) == 1


def test_what_is_chosen_is_told_with_the_question(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [CLIENTS, NONE, REPLY]
    reply = buddy.ask("clients or orders?", LOOK).result()
    assert reply.text == "It has five."
    assert [looked.line for looked in reply.looked] == [LINE]
    first, second, answer = fake.requests
    assert first.schema is not None
    assert first.temperature == 0
    assert '- {"look": "variable", "name": "NAME", "part": "missing"}: ' in last(first)
    assert answer.schema is None
    assert answer.max_tokens is None
    assert LOOKED_UP in last(answer)
    assert "'Official language'" in last(answer)
    assert "write_code" not in last(answer)
    # What was read stays in the server's cache.
    assert last(second).startswith(last(answer))
    assert first.messages[:-1] == answer.messages[:-1]
    assert last(first).endswith("The question: clients or orders?")
    assert last(first).count("clients or orders?") == 1
    assert is_well_formed(answer)


def test_the_setting_looks_without_the_option(buddy: Buddy, fake: FakeProvider) -> None:
    buddy.looks = "auto"
    fake.replies = [NONE, REPLY]
    assert buddy.ask("clients?").result().looked == ()
    assert len(fake.requests) == 2
    assert LOOKED_UP not in last(fake.requests[1])


def test_at_most_four_looks_come_before_the_answer(
    buddy: Buddy, fake: FakeProvider
) -> None:
    names = ["clients", "orders", "growth", "cities", "ages"]
    fake.replies = [choice("variable", name=name, part="schema") for name in names]
    fake.replies[MAX_LOOKS:] = [REPLY]
    reply = buddy.ask(f"{', '.join(names)}?", LOOK).result()
    assert len(reply.looked) == MAX_LOOKS
    assert len(fake.requests) == MAX_LOOKS + 1
    assert reply.text == "It has five."


def test_the_same_look_is_not_made_twice(buddy: Buddy, fake: FakeProvider) -> None:
    fake.replies = [CLIENTS, CLIENTS, REPLY]
    assert len(buddy.ask("clients or orders?", LOOK).result().looked) == 1


def test_a_look_at_nothing_is_told_as_such(buddy: Buddy, fake: FakeProvider) -> None:
    fake.replies = [choice("signature", dotted="pd.mrge"), NONE, REPLY]
    reply = buddy.ask("pd.merge or pd.cut?", LOOK).result()
    assert reply.looked[0].is_error
    assert "nearest: 'merge'" in last(fake.requests[-1])


def test_a_choice_that_is_never_valid_costs_the_look_alone(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [("Hm.", END)] * 3 + [REPLY]
    reply = buddy.ask("clients or orders?", LOOK).result()
    assert (reply.text, reply.looked) == ("It has five.", ())
    line = "fake-1 does not choose what to look up, so nothing is looked up."
    assert reply.notes == (line,)
    # It is not asked to choose again.
    fake.replies = [REPLY]
    assert buddy.ask("orders?", LOOK).result().text == "It has five."
    assert fake.requests[-1].schema is None
    assert len(fake.requests) == 5


def test_a_server_without_schemas_is_asked_in_words(
    buddy: Buddy, fake: FakeProvider
) -> None:
    refusal = ServerError("unknown field response_format", status=400)
    fake.replies = [(refusal,), CLIENTS, NONE, REPLY]
    reply = buddy.ask("clients or orders?", LOOK).result()
    assert len(reply.looked) == 1
    assert fake.requests[1].schema is None
    assert "Answer with JSON" in last(fake.requests[1])


def test_a_large_model_calls_tools(large: Buddy, fake: FakeProvider) -> None:
    wanted = call("variable", name="clients", part="schema")
    fake.replies = [wanted, REPLY]
    reply = large.ask("clients or orders?", LOOK).result()
    assert (reply.text, reply.tool_calls) == ("It has five.", ())
    assert [looked.line for looked in reply.looked] == [LINE]
    first, second = fake.requests
    assert first.schema is None
    assert {tool.name for tool in first.tools} >= {"variable", "error"}
    assert [message.role for message in second.messages[-2:]] == ["assistant", "tool"]
    assert "'Official language'" in last(second)
    # The tools are not in the next prompt, so that their tokens do not count.
    assert reply.usage == Usage(None, 5)


def test_a_large_model_may_simply_answer(large: Buddy, fake: FakeProvider) -> None:
    fake.replies = [REPLY]
    reply = large.ask("hello", LOOK).result()
    assert (reply.text, reply.looked) == ("It has five.", ())
    assert len(fake.requests) == 1


def test_after_four_calls_there_are_no_more_tools(
    large: Buddy, fake: FakeProvider
) -> None:
    names = ["clients", "orders", "growth", "cities"]
    fake.replies = [call("variable", name=name) for name in names]
    fake.replies += [REPLY]
    reply = large.ask("clients or orders?", LOOK).result()
    assert len(reply.looked) == MAX_LOOKS
    assert fake.requests[-1].tools == ()
    assert LOOKED_UP in last(fake.requests[-1])


def test_an_unknown_tool_is_told_as_such(large: Buddy, fake: FakeProvider) -> None:
    fake.replies = [call("run_code", code="1"), REPLY]
    reply = large.ask("clients or orders?", LOOK).result()
    assert reply.looked[0].text.startswith("There is no 'run_code'; there are: ")


def test_a_written_call_is_understood_and_the_schema_used_from_then_on(
    large: Buddy, fake: FakeProvider
) -> None:
    written = '```json\n{"name": "variable", "arguments": {"name": "clients"}}\n```'
    fake.replies = [(written, END), NONE, REPLY]
    reply = large.ask("clients or orders?", LOOK).result()
    assert (reply.text, len(reply.looked)) == ("It has five.", 1)
    assert fake.requests[1].schema is not None
    fake.replies = [NONE, REPLY]
    large.ask("clients or orders?", LOOK).result()
    assert fake.requests[-2].schema is not None


def test_a_server_that_refuses_tools_is_asked_by_schema(
    large: Buddy, fake: FakeProvider
) -> None:
    refusal = ServerError("fake-1 does not support tools", status=400)
    fake.replies = [(refusal,), CLIENTS, NONE, REPLY]
    reply = large.ask("clients or orders?", LOOK).result()
    assert (reply.text, len(reply.looked)) == ("It has five.", 1)


def test_another_error_of_the_server_is_the_answer_s(
    large: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [(ServerError("out of memory", status=503),)]
    with pytest.raises(ServerError, match="out of memory"):
        large.ask("clients or orders?", LOOK).result()


def test_stop_ends_the_choice_at_once(buddy: Buddy, fake: FakeProvider) -> None:
    fake.replies = [(FOREVER,)]
    reply = buddy.ask("clients or orders?", LOOK).start()
    assert fake.asked.wait(30)
    reply.close()
    assert fake.ended.wait(30)
    assert isinstance(reply.error, Stopped)
    assert len(fake.requests) == 1


def test_a_stopped_answer_keeps_its_looks(buddy: Buddy, fake: FakeProvider) -> None:
    fake.replies = [CLIENTS, NONE, ("It", FOREVER)]
    reply = buddy.ask("clients or orders?", LOOK).start()
    assert eventually(lambda: reply.text == "It")
    reply.close()
    assert [looked.line for looked in reply.looked] == [LINE]
    (turn,) = buddy.chat.turns
    roles = [message.role for message in turn.messages_so_far]
    assert roles == ["user", "assistant", "tool", "assistant"]


def test_looks_that_were_made_are_not_made_again_for_a_smaller_prompt(
    buddy: Buddy, fake: FakeProvider
) -> None:
    too_long = PromptTooLong("too long", tokens=9000, window=4000)
    fake.replies = [CLIENTS, NONE, (too_long,), REPLY]
    reply = buddy.ask("clients or orders?", LOOK).result()
    assert (reply.text, len(reply.looked)) == ("It has five.", 1)
    assert LOOKED_UP in last(fake.requests[-1])


def test_the_length_with_looks_does_not_tell_that_of_the_question(
    buddy: Buddy, fake: FakeProvider
) -> None:
    tokens = buddy.tokens["fake-1"]
    before = tokens.count("word " * 1000)
    too_long = PromptTooLong("too long", tokens=4100, window=4000)
    fake.replies = [CLIENTS, NONE, (too_long,), REPLY]
    buddy.ask("clients or orders?", LOOK).result()
    assert tokens.count("word " * 1000) < 2 * before


def test_a_look_without_room_is_left_out(buddy: Buddy, fake: FakeProvider) -> None:
    fake.size = 900
    buddy.context = "variables"
    buddy.context_tokens = 0
    names = iter(["pd.DataFrame", "pd.merge", "pd.cut", "pd.Series"])

    def answer(request: Request) -> Sequence[Step]:
        if request.schema is None:
            return REPLY
        return choice("signature", dotted=next(names))

    fake.answer = answer
    reply = buddy.ask("columns? " + "word " * 150, LOOK).result()
    assert reply.text == "It has five."
    assert len(reply.looked) < MAX_LOOKS


def test_the_next_question_has_the_looks_before_it(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [CLIENTS, NONE, REPLY, REPLY]
    buddy.ask("clients or orders?", LOOK).result()
    buddy.ask("and rows?").result()
    third, fourth = fake.requests[-2:]
    assert fourth.messages[: len(third.messages)] == third.messages
    assert is_well_formed(fourth)


def test_an_answer_of_a_type_looks_nothing_up(buddy: Buddy, fake: FakeProvider) -> None:
    fake.replies = [('{"value": 5}', END)]
    assert buddy.ask("clients or orders?", Options(look=True, into=int)).value == 5


def test_what_may_not_be_sent_is_not_looked_at(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [REPLY]
    buddy.ask("clients or orders?", Options(look=True, context="none")).result()
    assert len(fake.requests) == 1
    fake.replies = [NONE, REPLY]
    buddy.ask("error?", Options(look=True, context="error")).result()
    assert '- {"look": "error"}' in last(fake.requests[1])
    assert '- {"look": "variable"' not in last(fake.requests[1])


def test_a_look_is_a_line_that_unfolds(buddy: Buddy, fake: FakeProvider) -> None:
    fake.replies = [CLIENTS, NONE, REPLY]
    reply = buddy.ask("clients or orders?", LOOK).result()
    data, _ = final_output(reply)
    markdown = data["text/markdown"]
    assert markdown.startswith("<details><summary>looked at ")
    assert "Official language" in markdown
    assert data["text/plain"].startswith(f"{LINE}\n\nIt has five.")
    assert status_line(reply).startswith(LINE)
    assert "looked at" not in status_line(reply, looks=False)
    assert "5 columns" in as_markdown(buddy.chat, buddy.redacted)
    assert "5 columns" in as_notebook(buddy.chat, buddy.redacted)


def test_a_look_is_told_while_the_answer_is_awaited(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [CLIENTS, (FOREVER,)]
    reply = buddy.ask("clients or orders?", LOOK).start()
    assert eventually(lambda: len(reply.looked) == 1)
    assert "5 columns" in waiting_markdown(reply, reply.started or 0.0)
    reply.close()


def test_looks_outlive_the_kernel(start: Start, tmp_path: Path) -> None:
    first = start(context="auto")
    session: Any = first.collector.session
    session.namespace().update(namespace())
    fake = first.provider_named("Local")
    assert isinstance(fake, FakeProvider)
    fake.replies = [CLIENTS, NONE, REPLY]
    first.ask("clients or orders?", LOOK).result()
    first.close()
    second = start()
    (turn,) = second.chat.turns
    assert [looked.line for looked in turn.reply.looked] == [LINE]
    assert turn.reply.text == "It has five."
    # What they showed is of the former kernel.
    assert [message.role for message in turn.messages] == ["user", "assistant"]


def test_a_question_that_is_asked_again_looks_again(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [CLIENTS, NONE, REPLY, ORDERS, NONE, REPLY]
    first = buddy.ask("clients or orders?", LOOK).result()
    again = buddy.ask("orders or clients?", LOOK).result()
    assert buddy.history.take_back(first) is False
    assert buddy.history.take_back(again)
    (turn,) = buddy.chat.turns
    assert turn.reply is first
    fake.replies = [CLIENTS, NONE, REPLY]
    buddy.ask("clients or orders, once more?", LOOK).result()
    # Of the question that was taken back, nothing is sent any more.
    assert "orders or clients?" not in str(fake.requests[-1].messages)
    assert is_well_formed(fake.requests[-1])


def test_a_branch_keeps_the_looks_before_it(start: Start) -> None:
    buddy = start(context="auto")
    session: Any = buddy.collector.session
    session.namespace().update(namespace())
    fake = buddy.provider_named("Local")
    assert isinstance(fake, FakeProvider)
    fake.replies = [CLIENTS, NONE, REPLY, ORDERS, NONE, REPLY]
    buddy.ask("clients or orders?", LOOK).result()
    second = buddy.ask("orders or clients?", LOOK).result()
    buddy.ask("rows?").result()
    assert buddy.history.branch(second, "another")
    (turn,) = buddy.chat.turns
    assert [looked.line for looked in turn.reply.looked] == [LINE]
    assert "5 columns" in as_markdown(buddy.chat, buddy.redacted)
    fake.replies = [ORDERS, NONE, REPLY]
    buddy.ask("orders or clients, then?", LOOK).result()
    assert is_well_formed(fake.requests[-1])


def test_a_question_that_names_nothing_costs_no_request(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [REPLY]
    assert buddy.ask("Thanks!", LOOK).result().text == "It has five."
    assert len(fake.requests) == 1


def test_once_all_that_it_names_is_known_nothing_is_chosen(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [CLIENTS, REPLY]
    reply = buddy.ask("clients?", LOOK).result()
    assert (reply.text, len(reply.looked)) == ("It has five.", 1)
    assert len(fake.requests) == 2


def test_a_long_question_is_not_asked_twice(buddy: Buddy, fake: FakeProvider) -> None:
    fake.replies = [NONE, REPLY]
    question = "clients? " + "word " * 200 + "Well?"
    buddy.ask(question, LOOK).result()
    choosing, answer = fake.requests
    assert last(choosing).startswith(last(answer))
    assert last(choosing).count("Well?") == 1


def test_a_secret_of_the_question_is_no_choice(
    buddy: Buddy, fake: FakeProvider
) -> None:
    key = PLANTED[0].secret
    fake.replies = [NONE, REPLY]
    buddy.ask(f"Where in clients is '{key}' used?", LOOK).result()
    assert key not in str(fake.requests)


def test_a_search_for_candidates_that_fails_costs_no_answer(
    buddy: Buddy, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("codebuddy_jupyter.question.looks.candidates_of", fail)
    fake.replies = [REPLY]
    assert buddy.ask("clients?", LOOK).result().text == "It has five."


def test_a_file_that_is_named_is_looked_at_without_a_choice(
    buddy: Buddy, fake: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("budget.csv").write_text("year,amount\n2024,1\n", encoding="utf-8")
    fake.replies = [REPLY]
    reply = buddy.ask("Plot budget.csv.", LOOK).result()
    assert [looked.title for looked in reply.looked] == ["budget.csv"]
    assert len(fake.requests) == 1
    assert "amount" in last(fake.requests[0])
    # What else the question names can still be chosen.
    fake.replies = [CLIENTS, REPLY]
    reply = buddy.ask("Join budget.csv to clients.", LOOK).result()
    titles = [looked.title for looked in reply.looked]
    assert titles == ["budget.csv", "clients"]


PROPOSE = Options(propose=True)
CELL = choice("propose_cell", code="clients.head()", after=0)
PROPOSED = "proposed a new cell: 1 line"


def test_code_is_proposed_only_if_that_is_wanted(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [CELL, ("clients.head() shows it.", END)]
    reply = buddy.ask("show it", PROPOSE).result()
    assert [looked.line for looked in reply.looked] == [PROPOSED]
    (proposal,) = reply.proposed
    assert proposal.code == "clients.head()"
    assert buddy.proposed.state(proposal.id) == "waiting"
    first, answer = fake.requests
    told = last(first)
    assert '- {"look": "propose_cell", "code": "CODE", "after": "AFTER"}: ' in told
    assert '"look": "variable"' not in told
    # It is shown once, and the model is told so.
    assert "Nothing was changed or run." in last(answer)
    assert answer.schema is None


def test_the_setting_proposes_beside_looks(buddy: Buddy, fake: FakeProvider) -> None:
    buddy.proposals = "click"
    fake.replies = [CLIENTS, CELL, REPLY]
    reply = buddy.ask("show clients", LOOK).result()
    assert [looked.line for looked in reply.looked] == [LINE, PROPOSED]
    assert len(fake.requests) == 3


@pytest.mark.parametrize(
    "options",
    [
        Options(remember=False, propose=True),
        Options(format="code", propose=True),
        Options(into=bool, propose=True),
    ],
    ids=["from Python", "code", "value"],
)
def test_what_nobody_could_decide_about_is_not_proposed(
    buddy: Buddy, fake: FakeProvider, options: Options
) -> None:
    fake.replies = [("true", END)]
    assert buddy.ask("show it", options).result().proposed == ()
    assert len(fake.requests) == 1


def test_a_large_model_proposes_by_tools(large: Buddy, fake: FakeProvider) -> None:
    wanted = call("propose_cell", code="clients.head()")
    fake.replies = [wanted, REPLY]
    reply = large.ask("show it", PROPOSE).result()
    assert [one.code for one in reply.proposed] == ["clients.head()"]
    assert fake.requests[1].tools == ()


def test_several_calls_at_once_are_several_proposals(
    large: Buddy, fake: FakeProvider
) -> None:
    codes = ["a = 1", "b = 2"]
    made = tuple(ToolCall("", "propose_cell", json.dumps({"code": c})) for c in codes)
    fake.replies = [(Chunk(tool_calls=made), END), REPLY]
    reply = large.ask("do it", PROPOSE).result()
    assert [one.code for one in reply.proposed] == codes


def test_what_cannot_be_proposed_is_told_and_may_be_corrected(
    buddy: Buddy, fake: FakeProvider
) -> None:
    wrong = choice("propose_cell", code=" ", after=0)
    fake.replies = [wrong, CELL, REPLY]
    reply = buddy.ask("show it", PROPOSE).result()
    assert [looked.is_error for looked in reply.looked] == [True, False]
    assert len(reply.proposed) == 1


def test_a_restored_conversation_shows_proposals_as_text_alone(
    start: Start,
) -> None:
    first = start(keep_chats=True, proposals="click")
    fake_of(first).replies = [CELL, REPLY]
    first.ask("show it").result()
    first.history.close()
    restored = start(keep_chats=True).chat.turns[0].reply
    (looked,) = restored.looked
    assert looked.line == PROPOSED
    assert "clients.head()" in looked.text
    assert restored.proposed == ()


def test_an_answer_shows_what_it_proposes_as_text(
    buddy: Buddy, fake: FakeProvider
) -> None:
    code = "for name in clients:\n    print(name)"
    text = "See:\n\n```python\nclients\n```\n"
    fake.replies = [choice("propose_cell", code=code, after=0), (text, END)]
    reply = buddy.ask("show it", PROPOSE).result()
    data, _ = final_output(reply)
    for type in ("text/markdown", "text/plain"):
        assert f"```python\n{code}\n```" in data[type]
        assert "`%buddy /apply 2` puts the code into the next cell" in data[type]
    for written in (as_markdown, as_notebook):
        assert "Proposed: a new cell" in written(buddy.chat, str)


def test_proposed_code_is_compared_with_the_kernel(
    buddy: Buddy, fake: FakeProvider
) -> None:
    wrong = choice("propose_cell", code="clients['Regoin'].sum()", after=0)
    fake.replies = [wrong, REPLY]
    (finding,) = buddy.ask("sum it", PROPOSE).result().findings
    assert finding.startswith("in the proposed code: ")
    assert "Regoin" in finding


def test_a_model_that_cannot_propose_answers_without(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [("Hm.", END)] * 3 + [REPLY]
    reply = buddy.ask("do it", PROPOSE).result()
    assert (reply.text, reply.proposed) == ("It has five.", ())
    line = "fake-1 does not choose what to propose, so nothing is proposed."
    assert reply.notes == (line,)
