"""The chunks of a model that may call tools are divided into text and calls."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.messages import Chunk, ToolCall, Usage
from codebuddy_jupyter.question.tool_stream import ToolStream, arguments_of
from codebuddy_jupyter.tools.calls import Call

NAMES = ("variable",)
END = Chunk(finish="stop", usage=Usage(100, 5))
ORDERS = Call("variable", {"name": "orders"})


def read(*chunks: Chunk | str) -> tuple[ToolStream, str, list[Chunk]]:
    """Return the stream of these chunks, the text that it showed, and all of them."""
    stream = ToolStream(NAMES)
    shown: list[Chunk] = []
    for chunk in chunks:
        shown += stream.feed(Chunk(text=chunk) if isinstance(chunk, str) else chunk)
    shown += stream.end()
    return stream, "".join([chunk.text for chunk in shown]), shown


def test_an_answer_is_shown_as_it_comes() -> None:
    stream = ToolStream(NAMES)
    assert stream.feed(Chunk(text="The")) == [Chunk(text="The")]
    assert stream.has_text
    stream.feed(END)
    # The tools that were counted are not in the next prompt.
    assert stream.end() == [Chunk(finish="stop", usage=Usage(None, 5))]
    assert stream.calls == []


def test_a_native_call_is_no_text() -> None:
    call = ToolCall("1", "variable", '{"name": "orders"}')
    stream, text, shown = read(Chunk(tool_calls=(call,)), END)
    assert (stream.calls, stream.are_native, text, shown) == ([ORDERS], True, "", [])


def test_a_written_call_is_never_shown() -> None:
    stream, text, shown = read('{"name": "var', 'iable", "arguments": ', END)
    assert stream.calls == []
    assert text == '{"name": "variable", "arguments": '
    written = ('{"look": "var', 'iable", "name": ', '"orders"}', END)
    stream, text, shown = read(*written)
    assert (stream.calls, stream.are_native, text) == ([ORDERS], False, "")
    assert shown == []


def test_json_that_is_no_call_is_shown_at_the_end() -> None:
    stream, text, _ = read('{"rows"', ": 3}", END)
    assert (stream.calls, text) == ([], '{"rows": 3}')


def test_reasoning_and_notes_pass() -> None:
    thought = Chunk(reasoning="Hm.", note="a note")
    _, text, shown = read(thought, "Yes.", END)
    assert shown[0] == thought
    assert text == "Yes."


def test_held_text_that_was_reasoning_is_told_before_the_answer() -> None:
    begins = Chunk(text="Yes.", answer_begins=True)
    _, _, shown = read("{hm", begins, END)
    assert [chunk.text for chunk in shown] == ["{hm", "", "Yes.", ""]
    assert shown[1].answer_begins


@pytest.mark.parametrize("arguments", ["", "[1]", "{", "null", "[" * 100_000])
def test_arguments_that_are_no_object_are_none(arguments: str) -> None:
    assert arguments_of(ToolCall("1", "variable", arguments)) == {}
