"""Looks as messages of a turn."""

from __future__ import annotations

from codebuddy_jupyter.chat.looks import (
    is_of_look,
    kept_looks,
    look_messages,
    looks_in,
    messages_of,
)
from codebuddy_jupyter.messages import Looked, Message, Proposal, ToolCall


def test_a_look_is_two_messages_from_which_it_can_be_read() -> None:
    looked = Looked("orders", "8 columns", "orders: 8 columns\nprice float")
    call = ToolCall("", "variable", '{"name": "orders"}')
    asked, told = look_messages(1, call, looked)
    assert asked.tool_calls[0].id == told.tool_call_id == "look-1"
    assert told.text.startswith("looked at orders: 8 columns\n")
    assert all(map(is_of_look, (asked, told)))
    assert not is_of_look(Message("assistant", "The answer."))
    assert list(looks_in([asked, told, Message("tool", "?")])) == [looked]


def test_looks_that_were_kept_are_the_same_messages_again() -> None:
    call = ToolCall("", "variable", '{"name": "orders"}')
    messages = [
        *look_messages(1, call, Looked("orders", "8 columns", "price\ncity")),
        *look_messages(2, ToolCall("", "error", "{}"), Looked("error", "none", "-")),
    ]
    kept = kept_looks(messages)
    assert [one.look for one in kept] == ["variable", "error"]
    assert kept[0].told.startswith("looked at orders: 8 columns\n")
    assert list(messages_of(kept)) == messages
    assert kept_looks([Message("tool", "?", tool_call_id="other")]) == ()


def test_a_proposal_is_read_as_text_that_nobody_can_accept() -> None:
    proposal = Proposal("a", "x = 1")
    told = "a new cell: x = 1"
    looked = Looked("a new cell", "1 line", told, verb="proposed", proposal=proposal)
    call = ToolCall("", "propose_cell", '{"code": "x = 1"}')
    (read,) = looks_in(look_messages(1, call, looked))
    assert read == Looked("a new cell", "1 line", told, verb="proposed")
    assert read.line == "proposed a new cell: 1 line"
