"""Proposals in the panel: shown as cards, decided once, and acted on by one page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pandas
import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.tools.proposals import CELL, DECIDED, MOST_STEPS, NOT_KNOWN
from codebuddy_jupyter.widgets.cards import MOST_OUTPUT, NO_STEP_LEFT, NOT_RUN
from codebuddy_jupyter.widgets.transcript import BY_AGENT
from tests.support.fakes import FakeProvider, Step, eventually
from tests.support.secrets_planted import PLANTED
from tests.support.sessions import run
from tests.support.watched import Watched

SOURCE = "rows = [1, 2]\ntotal = sum(rows)"
CHANGED = "rows = [1, 2]\ntotal = max(rows)"
NEW = {"look": "propose_cell", "code": "total = 7", "after": 0}
CHANGE = {"look": "propose_edit", "cell": 1, "code": CHANGED}


@pytest.fixture
def chat(buddy: Buddy, session: Session) -> Iterator[Watched]:
    """A chat in a kernel that has run a cell, in which answers may propose code."""
    shell: Any = InteractiveShell.instance()

    def end(result: Any) -> None:
        buddy.proposed_runs.end(result.info.raw_cell, shell.user_ns)

    shell.events.register(
        "pre_run_cell",
        lambda info: buddy.proposed_runs.begin(info.raw_cell, shell.user_ns),
    )
    shell.events.register("post_run_cell", end)
    buddy.collector.session = session
    buddy.proposals = "click"
    run(SOURCE, id="a")
    chat = Watched(buddy, shell.user_ns)
    yield chat
    chat.close()


def propose(
    chat: Watched, fake: FakeProvider, choice: dict[str, Any], *pages: str
) -> dict[str, Any]:
    """Have an answer propose code; gives the card that these pages show."""
    count = len(cards(chat))
    replies: list[Sequence[Step]] = [[json.dumps(choice)], ["Done."]]
    fake.replies += replies
    chat.ask("do it in In[1]")
    assert eventually(lambda: len(cards(chat)) > count)
    assert eventually(lambda: not fake.replies)
    card = cards(chat)[-1]
    for page in pages:
        chat.page("showed", id=card["id"], digest=card["digest"], view=page)
    return card


def cards(chat: Watched) -> list[dict[str, Any]]:
    """The cards that answers have shown, each once."""
    found = {}
    for message in chat.told("answer"):
        for card in message.get("cards", []):
            found[card["id"]] = card
    return list(found.values())


def decide(
    chat: Watched, card: dict[str, Any], view: str, choice: str, **more: Any
) -> None:
    fields = {"id": card["id"], "digest": card["digest"], "copies": []}
    fields |= {"source": card["old"], **more}
    chat.page("decide", view=view, choice=choice, **fields)


def state(chat: Watched, card: dict[str, Any]) -> str:
    """What the page was told last of a card."""
    told = [one for one in chat.told("card") if one["id"] == card["id"]]
    return str(told[-1]["state"]) if told else str(card["state"])


def acts(chat: Watched) -> list[tuple[str, str]]:
    return [(one["view"], one["choice"]) for one in chat.told("act")]


def noted(chat: Watched, text: str) -> bool:
    def is_there() -> bool:
        return any(text in str(message["text"]) for message in chat.told("noted"))

    return eventually(is_there)


def test_a_card_has_what_the_user_decides_about(
    chat: Watched, fake: FakeProvider
) -> None:
    card = propose(chat, fake, CHANGE)
    assert card["title"] == f"a change of In[1], step 1 of {MOST_STEPS}"
    assert (card["old"], card["code"]) == (SOURCE, CHANGED)
    assert ("-", "total = sum(rows)") in card["rows"]
    assert ("+", "total = max(rows)") in card["rows"]
    assert (card["cell"], card["cell_id"], card["state"]) == (1, "a", "waiting")
    assert (card["copies"], card["undo"], card["goes_on"]) == ([], False, True)


@pytest.mark.parametrize("choice", ["insert", "edit", "run"])
def test_a_decision_lets_the_page_act_that_made_it(
    chat: Watched, fake: FakeProvider, choice: str
) -> None:
    card = propose(chat, fake, NEW, "one", "other")
    decide(chat, card, "one", choice)
    assert eventually(lambda: acts(chat) == [("one", choice)])
    assert state(chat, card) == "accepted"


def test_what_is_rejected_lets_no_page_act(chat: Watched, fake: FakeProvider) -> None:
    card = propose(chat, fake, NEW, "one")
    decide(chat, card, "one", "reject")
    assert eventually(lambda: state(chat, card) == "rejected")
    assert acts(chat) == []


def test_of_clicks_in_two_pages_one_counts(chat: Watched, fake: FakeProvider) -> None:
    card = propose(chat, fake, NEW, "one", "other")
    for view in ("one", "other", "one"):
        decide(chat, card, view, "run")
    assert noted(chat, DECIDED["accepted"])
    assert eventually(lambda: len(chat.told("noted")) == 2)
    assert acts(chat) == [("one", "run")]


@pytest.mark.parametrize("view", ["a page", CELL, ""])
def test_a_page_that_does_not_show_it_cannot_decide(
    chat: Watched, fake: FakeProvider, view: str
) -> None:
    card = propose(chat, fake, NEW, "one")
    decide(chat, card, view, "run")
    assert eventually(lambda: chat.told("noted") != [])
    assert (acts(chat), state(chat, card)) == ([], "waiting")


def test_a_card_of_another_text_cannot_be_decided(
    chat: Watched, fake: FakeProvider
) -> None:
    card = propose(chat, fake, NEW, "one")
    decide(chat, {**card, "digest": "0" * 64}, "one", "run")
    decide(chat, {**card, "id": "0" * 24}, "one", "run")
    assert noted(chat, NOT_KNOWN)
    assert (acts(chat), state(chat, card)) == ([], "waiting")


@pytest.mark.parametrize("choice", ["insert", "run", "edit"])
@pytest.mark.parametrize("source", ["", f"{SOURCE}\nmine = 1", CHANGED])
def test_a_change_of_a_cell_that_has_changed_is_stale(
    chat: Watched, fake: FakeProvider, source: str, choice: str
) -> None:
    card = propose(chat, fake, CHANGE, "one")
    decide(chat, card, "one", choice, source=source)
    assert noted(chat, DECIDED["stale"])
    assert (acts(chat), state(chat, card)) == ([], "stale")


def test_a_page_without_the_notebook_leaves_that_to_the_kernel(
    chat: Watched, fake: FakeProvider
) -> None:
    card = propose(chat, fake, CHANGE, "one")
    decide(chat, card, "one", "insert", source=None)
    assert eventually(lambda: acts(chat) == [("one", "insert")])
    other = propose(chat, fake, {**CHANGE, "code": "x = 1"}, "one")
    run("total = 0", id="a")
    decide(chat, other, "one", "insert", source=None)
    assert eventually(lambda: state(chat, other) == "stale")
    assert len(acts(chat)) == 1


def test_the_page_that_acts_may_find_the_cell_changed(
    chat: Watched, fake: FakeProvider
) -> None:
    card = propose(chat, fake, CHANGE, "one", "other")
    decide(chat, card, "one", "run")
    assert eventually(lambda: acts(chat) == [("one", "run")])
    chat.page("outdated", id=card["id"], view="other")
    assert state(chat, card) == "accepted"
    chat.page("outdated", id=card["id"], view="one")
    assert state(chat, card) == "stale"
    # Its code, typed by hand, is no run of it.
    run(CHANGED, id="a")
    assert state(chat, card) == "stale"


def test_a_run_is_shown_and_undone_once(chat: Watched, fake: FakeProvider) -> None:
    card = propose(chat, fake, NEW, "one")
    decide(chat, card, "one", "run")
    assert eventually(lambda: acts(chat) == [("one", "run")])
    run("total = 7", id="b")
    assert state(chat, card) == "ran"
    assert chat.told("card")[-1]["undo"] is True
    chat.page("undo", id=card["id"])
    assert eventually(lambda: state(chat, card) == "undone")
    assert eventually(lambda: "restored: total" in chat.told("card")[-1]["note"])
    assert chat.told("card")[-1]["undo"] is False
    assert chat.shell.user_ns["total"] == 3
    chat.page("undo", id=card["id"])
    assert noted(chat, "No run of a proposed cell can be undone.")


def test_a_copy_is_offered_before_the_run_and_used_by_undo(
    chat: Watched, fake: FakeProvider
) -> None:
    chat.shell.user_ns["df"] = pandas.DataFrame({"a": [1]})
    code = "df['b'] = 2"
    card = propose(chat, fake, {**NEW, "code": code}, "one")
    ((name, size),) = card["copies"]
    assert name == "df"
    assert size.endswith("B")
    decide(chat, card, "one", "run", copies=["df", "total", "missing"])
    assert eventually(lambda: acts(chat) == [("one", "run")])
    run(code, id="b")
    chat.page("undo", id=card["id"])
    assert eventually(lambda: state(chat, card) == "undone")
    assert list(chat.shell.user_ns["df"].columns) == ["a"]


def ran(chat: Watched, fake: FakeProvider, code: str) -> dict[str, Any]:
    """Have code proposed, accepted and run."""
    card = propose(chat, fake, {**NEW, "code": code}, "one")
    count = len(acts(chat))
    decide(chat, card, "one", "run")
    assert eventually(lambda: len(acts(chat)) > count)
    run(code, id="b")
    assert state(chat, card) == "ran"
    return card


def asked_on(chat: Watched, fake: FakeProvider, card: dict[str, Any]) -> str:
    """Go on after a run; gives what the model was told of it."""
    count = len(fake.requests)
    chat.ask("Go on", after=card["id"])
    assert eventually(lambda: len(fake.requests) > count)
    turns = chat.buddy.chat.turns
    assert eventually(lambda: all(turn.reply.done for turn in turns))
    return str(fake.requests[count].messages[-1].text)


def test_the_result_is_told_and_another_step_can_be_proposed(
    chat: Watched, fake: FakeProvider
) -> None:
    card = ran(chat, fake, "total = 7\ntotal * 6")
    fake.replies = [[json.dumps(NEW)], ["Next."]]
    told = asked_on(chat, fake, card)
    assert "The cell that you proposed has run." in told
    assert "42" in told
    assert eventually(lambda: len(cards(chat)) == 2)
    assert cards(chat)[-1]["title"] == f"a new cell, step 2 of {MOST_STEPS}"
    # It needs a click of its own.
    assert cards(chat)[-1]["state"] == "waiting"
    assert chat.buddy.proposed.state(cards(chat)[-1]["id"]) == "waiting"


def test_an_error_is_told(chat: Watched, fake: FakeProvider) -> None:
    card = ran(chat, fake, "total / nothing")
    told = asked_on(chat, fake, card)
    assert "has run and failed." in told
    assert "NameError" in told


def refused(chat: Watched, text: str) -> bool:
    def is_there() -> bool:
        return any(text in one["error"]["line"] for one in chat.told("refused"))

    return eventually(is_there)


def test_the_result_is_told_once_and_only_after_a_run(
    chat: Watched, fake: FakeProvider
) -> None:
    waiting = propose(chat, fake, NEW, "one")
    chat.ask("Go on", after=waiting["id"])
    assert refused(chat, NOT_RUN)
    chat.ask("Go on", after="0" * 24)
    assert refused(chat, NOT_KNOWN)
    card = ran(chat, fake, "total * 2")
    asked_on(chat, fake, card)
    count = len(fake.requests)
    chat.ask("Go on", after=card["id"])
    assert refused(chat, DECIDED["ran"])
    assert len(fake.requests) == count


def test_after_the_last_step_nothing_is_asked(chat: Watched) -> None:
    proposed = chat.buddy.proposed
    proposal = proposed.add("total = 9", step=MOST_STEPS)
    proposed.note_shown(proposal.id, proposal.digest, "one")
    proposed.decide(proposal.id, proposal.digest, "one", "run")
    run("total = 9", id="b")
    assert not chat.told("card")[-1]["goes_on"]
    chat.ask("Go on", after=proposal.id)
    assert refused(chat, NO_STEP_LEFT)


def test_the_output_is_redacted_inert_and_bounded(
    chat: Watched, fake: FakeProvider
) -> None:
    secret = PLANTED[0]
    code = f"{secret.text!r} + '<|im_end|>' + 'x' * 50_000"
    card = ran(chat, fake, code)
    told = asked_on(chat, fake, card)
    output = told.partition("Its output:")[2].partition("If the task is")[0]
    assert 0 < len(output) <= MOST_OUTPUT + 100
    assert secret.secret not in told
    assert "<|im_end|>" not in told


def test_outputs_that_are_not_shared_are_not_told(
    chat: Watched, fake: FakeProvider
) -> None:
    chat.buddy.context = "cells"
    told = asked_on(chat, fake, ran(chat, fake, "total * 1001"))
    assert "3003" not in told
    assert "Its output" not in told


def test_a_new_page_shows_cards_as_they_are_now(
    chat: Watched, fake: FakeProvider
) -> None:
    card = propose(chat, fake, NEW, "one")
    decide(chat, card, "one", "reject")
    assert eventually(lambda: state(chat, card) == "rejected")
    fresh = Watched(chat.buddy, {})
    fresh.page("ready", view="new")
    assert eventually(lambda: fresh.told("all") != [])
    (turn,) = fresh.told("all")[-1]["turns"]
    assert [one["state"] for one in turn["cards"]] == ["rejected"]
    fresh.close()


def test_other_panels_are_told_what_became_of_a_card(
    chat: Watched, fake: FakeProvider
) -> None:
    other = Watched(chat.buddy, {})
    card = propose(chat, fake, NEW, "one")
    decide(chat, card, "one", "insert")
    assert eventually(lambda: state(other, card) == "accepted")
    assert acts(other) == []
    other.close()
    count = len(other.sent)
    run("total = 7", id="b")
    assert state(chat, card) == "ran"
    assert len(other.sent) == count


def by_agent(chat: Watched, code: str) -> dict[str, Any]:
    """Have an agent propose code; gives the card."""
    proposal = chat.buddy.proposed.add(code, by_agent=True)

    def found() -> list[dict[str, Any]]:
        return [one for one in cards(chat) if one["id"] == proposal.id]

    assert eventually(lambda: found() != [])
    return found()[0]


def test_what_an_agent_proposes_waits_in_the_panel(chat: Watched) -> None:
    card = by_agent(chat, "total = 7")
    assert (card["title"], card["state"]) == ("a new cell", "waiting")
    assert chat.told("turn")[-1]["question"] == BY_AGENT
    assert chat.shell.user_ns["total"] == 3
    chat.page("showed", id=card["id"], digest=card["digest"], view="one")
    decide(chat, card, "one", "run")
    assert eventually(lambda: acts(chat) == [("one", "run")])
    run("total = 7", id="b")
    assert state(chat, card) == "ran"
    # What comes next is the agent's own business.
    assert not chat.told("card")[-1]["goes_on"]
    chat.ask("Go on", after=card["id"])
    assert refused(chat, NO_STEP_LEFT)


def test_an_agent_s_proposal_waits_through_conversations_and_panels(
    chat: Watched,
) -> None:
    card = by_agent(chat, "total = 7")
    chat.page("reset")
    other = Watched(chat.buddy, {})
    other.page("ready", view="new")
    assert eventually(lambda: [one["id"] for one in cards(other)] == [card["id"]])
    assert chat.told("gone") == []
    chat.page("showed", id=card["id"], digest=card["digest"], view="one")
    decide(chat, card, "one", "reject")
    assert eventually(lambda: state(other, card) == "rejected")
    chat.page("reset")
    assert eventually(lambda: chat.told("gone") != [])
    other.close()
