"""The messages between page and kernel: declared once, and checked when they arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from codebuddy_jupyter.errors import Remedy, SettingError
from codebuddy_jupyter.widgets.editor_protocol import EditorMessage, EditorRequest
from codebuddy_jupyter.widgets.protocol import (
    AskRequest,
    ChatMessage,
    ChatRequest,
    ProviderRequest,
    problem_of,
)
from codebuddy_jupyter.widgets.received import WrongFields, matches, read_message
from tests.docs import protocol


@pytest.mark.parametrize("file", protocol.FILES, ids=lambda file: file.parts[-3])
def test_the_types_for_javascript_are_those_of_python(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    declared = protocol.declarations(protocol.FILES[file])
    assert text == declared, "run: python -m tests.docs protocol"


@pytest.mark.parametrize(
    "messages",
    [ChatRequest, ChatMessage, ProviderRequest, EditorRequest, EditorMessage],
)
def test_each_message_has_a_type_of_its_own(messages: Any) -> None:
    types = [get_args(m.__annotations__["type"]) for m in get_args(messages)]
    assert len(set(types)) == len(types)


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        ("a", str, True),
        (1, str, False),
        (1, int, True),
        (True, int, False),
        (True, bool, True),
        (None, int | None, True),
        ("a", int | None, False),
        ("a", Literal["a", "b"], True),
        ("c", Literal["a", "b"], False),
        ([1, 2], list[int], True),
        ([1, "2"], list[int], False),
        ({"0": 1}, list[int], False),
        (["a", 1], tuple[str, int], True),
        (["a"], tuple[str, int], False),
        ({"a": 1}, dict[str, Any], True),
        ([], dict[str, Any], False),
        ({"type": "ask", "ask": "1", "text": ""}, AskRequest, True),
        ({"type": "ask", "ask": "1"}, AskRequest, False),
        ({"type": "ask", "ask": "1", "text": "", "more": 1}, AskRequest, True),
    ],
)
def test_a_value_matches_its_declared_type(
    value: object, declared: Any, expected: bool
) -> None:
    assert matches(value, declared) is expected


def test_an_unknown_message_is_none_and_a_wrong_one_names_its_fields() -> None:
    assert read_message({"type": "stop"}, ChatRequest) == {"type": "stop"}
    assert read_message({"type": "key", "key": ""}, ChatRequest) is None
    assert read_message("stop", ChatRequest) is None
    with pytest.raises(WrongFields, match="want: turn"):
        read_message({"type": "want", "turn": "1"}, ChatRequest)


def test_an_error_is_sent_as_a_line_and_with_its_remedies() -> None:
    error = SettingError("There is no model.", Remedy("List them", "%buddy /models"))
    assert problem_of(error) == {
        "line": "There is no model. List them: %buddy /models",
        "what": "There is no model.",
        "remedies": [{"text": "List them", "command": "%buddy /models"}],
    }
    assert problem_of(ZeroDivisionError("no"))["what"] == "ZeroDivisionError: no"
