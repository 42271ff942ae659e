"""Calls of tools that a model wrote as text, in every form that is known."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.tools.calls import (
    LONGEST,
    Call,
    calls_in,
    may_be_call,
    try_call,
)

NAMES = ("variable", "error")
ORDERS = Call("variable", {"name": "orders"})


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "variable", "arguments": {"name": "orders"}}',
        '{"name": "variable", "parameters": {"name": "orders"}}',
        '{"name": "variable", "arguments": "{\\"name\\": \\"orders\\"}"}',
        '{"look": "variable", "name": "orders"}',
        '{"function": {"name": "variable", "arguments": {"name": "orders"}}}',
        '[{"name": "variable", "arguments": {"name": "orders"}}]',
        '```json\n{"name": "variable", "arguments": {"name": "orders"}}\n```',
        '<tool_call>\n{"name": "variable", "arguments": {"name": "orders"}}\n'
        "</tool_call>",
        '<|python_tag|>{"name": "variable", "parameters": {"name": "orders"}}',
        '[TOOL_CALLS][{"name": "variable", "arguments": {"name": "orders"}}]',
        '[variable(name="orders")]',
        "variable(name='orders')",
    ],
)
def test_a_known_form_is_a_call(text: str) -> None:
    assert calls_in(text, NAMES) == [ORDERS]
    # It is held back from the first character on.
    assert all(may_be_call(text[:end], NAMES) for end in range(len(text)))


def test_several_calls_are_found_in_order() -> None:
    one = '<tool_call>{"name": "error", "arguments": {}}</tool_call>'
    two = '<tool_call>{"look": "variable", "name": "orders"}</tool_call>'
    assert calls_in(f"{one}\n{two}", NAMES) == [Call("error"), ORDERS]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The frame has two columns.",
        "```python\norders.head()\n```",
        '{"name": "Ada", "age": 36}',
        '{"name": "delete_all", "arguments": {}}',
        "[1, 2, 3]",
        "variable is a word",
        "[variable(",
        "[variable(name=open('/etc/passwd'))",
        '{"name": "variable", "arguments": ' + "[" * 2000,
        "{" * LONGEST,
        '{"name": "variable"}' + " " * LONGEST,
    ],
    ids=range(12),
)
def test_an_answer_is_no_call(text: str) -> None:
    assert calls_in(text, NAMES) == []


def test_only_plain_values_of_a_written_call_count() -> None:
    text = "[variable(name=open('/etc/passwd'), part='schema', **more)]"
    assert calls_in(text, NAMES) == [Call("variable", {"part": "schema"})]


@pytest.mark.parametrize("begun", ["Th", "``", "```python", "# ", "|", "1"], ids=repr)
def test_a_usual_answer_is_soon_no_call(begun: str) -> None:
    assert not may_be_call(f"{begun} answer goes on", NAMES)


@pytest.mark.parametrize("data", [None, 3, "variable", [], {"name": ["variable"]}])
def test_other_values_are_no_call(data: object) -> None:
    assert try_call(data, NAMES) is None
