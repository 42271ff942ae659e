"""Looks as messages of a turn."""

from __future__ import annotations

from codebuddy_jupyter.chat.looks import is_of_look, look_messages, looks_in
from codebuddy_jupyter.messages import Looked, Message, ToolCall


def test_a_look_is_two_messages_from_which_it_can_be_read() -> None:
    looked = Looked("orders", "8 columns", "orders: 8 columns\nprice float")
    call = ToolCall("", "variable", '{"name": "orders"}')
    asked, told = look_messages(1, call, looked)
    assert asked.tool_calls[0].id == told.tool_call_id == "look-1"
    assert told.text.startswith("looked at `orders`: 8 columns\n")
    assert all(map(is_of_look, (asked, told)))
    assert not is_of_look(Message("assistant", "The answer."))
    assert list(looks_in([asked, told, Message("tool", "?")])) == [looked]
