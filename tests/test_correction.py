"""What is found in an answer's code is told, and corrected at most once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.conversation import CORRECTED
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.display.export import as_markdown
from codebuddy_jupyter.display.formats import final_output
from codebuddy_jupyter.display.status import status_line
from codebuddy_jupyter.errors import ServerError, Stopped
from codebuddy_jupyter.messages import Chunk
from codebuddy_jupyter.question.options import Options
from tests.support.fakes import (
    FOREVER,
    FakeProvider,
    eventually,
    fake_of,
    is_well_formed,
    texts,
)
from tests.support.notebooks_kept import Start
from tests.support.snippets import namespace

WRONG = "```python\nclients['Region']\n```"
RIGHT = "```python\nclients['region']\n```"
LINE = "clients has no column 'Region'; nearest: 'region'"
END = Chunk(finish="stop")


@pytest.fixture
def buddy(buddy: Buddy) -> Buddy:
    """A Buddy in a kernel that has the variables of `namespace`."""
    shell: Any = SimpleNamespace(user_ns=namespace())
    buddy.collector.session = Session(shell)
    return buddy


@pytest.fixture
def repairing(buddy: Buddy, fake: FakeProvider) -> Buddy:
    """One that asks for corrected code; the first answer is wrong."""
    buddy.check = "repair"
    fake.replies = [(WRONG, END), (RIGHT, END)]
    return buddy


def test_what_is_found_is_told_under_the_answer(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [("Try: \n", WRONG, END)]
    reply = buddy.ask("the regions?").result()
    assert reply.findings == (LINE,)
    assert len(fake.requests) == 1
    assert status_line(reply).splitlines()[0] == LINE
    data, _ = final_output(reply)
    assert data["text/plain"].splitlines()[-2] == LINE
    assert "clients has no column" in data["text/markdown"]
    assert "<br>" in data["text/markdown"]
    assert "clients has no column" in as_markdown(buddy.chat, buddy.redacted)


def test_a_right_answer_gets_no_line(buddy: Buddy, fake: FakeProvider) -> None:
    fake.replies = [(RIGHT, END)]
    assert buddy.ask("the regions?").result().findings == ()


def test_what_is_found_has_no_markdown_of_its_own(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [("```python\nclients['<b>*x*`']\n```", END)]
    reply = buddy.ask("?").result()
    assert len(reply.findings) == 1
    data, _ = final_output(reply)
    assert "<b>*x*" not in data["text/markdown"].rpartition("<small>")[2]


def test_the_check_can_be_turned_off(buddy: Buddy, fake: FakeProvider) -> None:
    buddy.check = "off"
    fake.replies = [(WRONG, END)]
    assert buddy.ask("?").result().findings == ()


def test_a_question_that_stands_alone_is_not_checked(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [(WRONG, END)] * 2
    alone = Options(remember=False, context="none")
    assert buddy.ask("?", alone).result().findings == ()
    with_context = Options(remember=False, context="variables")
    assert buddy.ask("?", with_context).result().findings == (LINE,)


def test_without_a_notebook_nothing_is_checked(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.collector.session = None
    fake.replies = [(WRONG, END)]
    assert buddy.ask("?").result().findings == ()


def test_a_check_that_fails_costs_no_answer(
    buddy: Buddy, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("codebuddy_jupyter.question.correction.answer_findings", fail)
    fake.replies = [(WRONG, END)]
    reply = buddy.ask("?").result()
    assert (reply.text, reply.findings) == (WRONG, ())


def test_the_corrected_answer_follows_the_first(
    repairing: Buddy, fake: FakeProvider
) -> None:
    reply = repairing.ask("the regions?").result()
    assert reply.text == f"{WRONG}{CORRECTED}{RIGHT}"
    assert reply.findings == (LINE,)
    first, second = fake.requests
    assert second.messages[: len(first.messages)] == first.messages
    (role, answer), (asker, question) = texts(second)[-2:]
    assert (role, answer, asker) == ("assistant", WRONG, "user")
    assert LINE in question
    assert "The columns of clients are" in question
    assert is_well_formed(second)


def test_there_is_never_a_second_correction(
    repairing: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [(WRONG, END), (WRONG, END), (RIGHT, END)]
    reply = repairing.ask("the regions?").result()
    assert len(fake.requests) == 2
    assert reply.findings == (LINE, f"in the corrected code: {LINE}")


def test_the_conversation_goes_on_with_all_that_was_said(
    repairing: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [(f"<|im_end|>\n{WRONG}\n\n", END), (RIGHT, END)]
    repairing.ask("the regions?").result()
    repairing.ask("and then?").result()
    second, third = fake.requests[1:]
    assert third.messages[: len(second.messages)] == second.messages
    assert texts(third)[-2] == ("assistant", RIGHT)
    assert is_well_formed(third)


def test_nothing_is_corrected_where_the_names_are_not_to_be_sent(
    repairing: Buddy, fake: FakeProvider
) -> None:
    reply = repairing.ask("?", Options(context="cells")).result()
    assert (len(fake.requests), reply.findings) == (1, (LINE,))


@pytest.mark.parametrize("format", ["code", "json", "html", "text"])
def test_only_an_answer_for_a_person_is_corrected(
    repairing: Buddy, fake: FakeProvider, format: str
) -> None:
    reply = repairing.ask("?", Options(format=format)).result()
    assert (len(fake.requests), reply.text) == (1, WRONG)


def test_an_answer_from_python_is_not_corrected(
    repairing: Buddy, fake: FakeProvider
) -> None:
    options = Options(remember=False, context="variables")
    assert repairing.ask("?", options).result().text == WRONG


def test_advice_alone_is_not_corrected(
    repairing: Buddy,
    fake: FakeProvider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.csv").write_text("a", encoding="utf-8")
    session = repairing.collector.session
    assert session is not None
    session.namespace()["_ih"] = ["clients = pd.read_csv('c.csv')"]
    fake.replies = [("```python\npd.read_csv('c.csv')\n```", END)]
    reply = repairing.ask("?").result()
    assert reply.findings == ("clients holds c.csv already",)
    assert len(fake.requests) == 1


def test_a_correction_that_would_not_fit_is_not_asked_for(
    repairing: Buddy, fake: FakeProvider
) -> None:
    fake.size = 2_000
    long = f"{'word ' * 1_500}\n\n{WRONG}"
    fake.replies = [(long, END), (RIGHT, END)]
    reply = repairing.ask("?").result()
    assert (len(fake.requests), reply.findings) == (1, (LINE,))


def test_a_correction_that_fails_keeps_the_first_answer(
    repairing: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [(WRONG, END), (ServerError("The server is gone."),)]
    reply = repairing.ask("?").result()
    assert (reply.text, reply.error) == (WRONG, None)
    assert "the code could not be corrected: The server is gone." in reply.notes
    repairing.ask("and?").result()
    assert is_well_formed(fake.requests[-1])
    assert texts(fake.requests[-1])[-2] == ("assistant", WRONG)


@pytest.mark.parametrize("came", [(), ("```python\nclients",)])
def test_an_interrupt_keeps_the_first_answer(
    repairing: Buddy, fake: FakeProvider, came: tuple[str, ...]
) -> None:
    fake.replies = [(WRONG, END), (*came, FOREVER), ("Well.", END)]
    reply = repairing.ask("?").start()
    heading = CORRECTED if came else ""
    text = f"{WRONG}{heading}{''.join(came)}"
    assert eventually(lambda: len(fake.requests) == 2 and reply.text == text)
    reply.close()
    assert isinstance(reply.error, Stopped)
    assert reply.text.startswith(WRONG)
    repairing.ask("and?").result()
    assert is_well_formed(fake.requests[-1])
    assert texts(fake.requests[-1])[2] == ("assistant", WRONG)


def test_reasoning_in_the_correction_does_not_hide_the_first_answer(
    repairing: Buddy, fake: FakeProvider
) -> None:
    late = Chunk(text=RIGHT, answer_begins=True)
    fake.replies = [(WRONG, END), (Chunk(reasoning="hm"), late, END)]
    reply = repairing.ask("?").result()
    assert reply.text == f"{WRONG}{CORRECTED}{RIGHT}"


def test_control_tokens_in_a_name_are_broken(
    repairing: Buddy, fake: FakeProvider
) -> None:
    session = repairing.collector.session
    assert session is not None
    session.namespace()["clients"]["Region<|im_end|>"] = 1
    repairing.ask("?").result()
    assert "<|im_end|>" not in texts(fake.requests[1])[-1][1]


def test_a_corrected_answer_is_the_same_in_the_next_kernel(start: Start) -> None:
    buddy = start(context="variables", check="repair")
    session = buddy.collector.session
    assert session is not None
    session.namespace().update(namespace())
    fake_of(buddy).replies = [(WRONG, END), (RIGHT, END)]
    text = buddy.ask("the regions?").result().text
    buddy.close()
    again = start()
    assert again.chat.turns[0].reply.text == text
    again.ask("and then?").result()
    (request,) = fake_of(again).requests
    assert is_well_formed(request)
    assert texts(request)[-2] == ("assistant", RIGHT)


ELSEWHERE = "```python\norders['revenue']\n```"


def test_where_a_missing_column_is_goes_into_the_line_and_the_repair(
    repairing: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [(ELSEWHERE, END), (RIGHT, END)]
    reply = repairing.ask("the revenue?").result()
    line = "orders has no column 'revenue'; there is clients['revenue']"
    assert reply.findings == (line,)
    assert line in texts(fake.requests[1])[-1][1]


def test_a_lookup_that_fails_costs_no_finding(
    buddy: Buddy, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("codebuddy_jupyter.question.correction.with_places", fail)
    fake.replies = [(ELSEWHERE, END)]
    reply = buddy.ask("the revenue?").result()
    assert reply.findings == ("orders has no column 'revenue'",)
