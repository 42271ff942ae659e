"""The choice of a look by a JSON schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codebuddy_jupyter.tools.calls import Call
from codebuddy_jupyter.tools.choice import MOST_CHOICES, choice_form, instruction
from codebuddy_jupyter.tools.look import Look, description_of, parameters_of
from codebuddy_jupyter.values.form import NotValid


def variable(name: str, part: str = "schema") -> str:
    """Tell of a variable."""
    return f"{name} {part}"


def error() -> str:
    """Tell the last error."""
    return "none"


def looks(names: list[str]) -> list[Look]:
    """Two looks, one of them at variables of these names."""
    made = []
    for function in (variable, error):
        parameters = parameters_of(function)
        text = description_of(function)
        made.append(Look(function.__name__, text, parameters, function, str))
    choices = {"name": names}
    first = made[0]
    fields: dict[str, Any] = {**vars(first), "choices": lambda: choices}
    return [Look(**fields), made[1]]


def test_each_look_is_a_choice_with_the_names_that_there_are() -> None:
    answer, first, second = choice_form(looks(["df"])).schema["anyOf"]
    assert answer["properties"] == {"look": {"type": "string", "enum": ["answer"]}}
    assert first["properties"]["name"] == {"type": "string", "enum": ["df"]}
    assert first["required"] == ["look", "name", "part"]
    assert second["required"] == ["look"]


@pytest.mark.parametrize("names", [[], [f"v{n}" for n in range(MOST_CHOICES + 1)]])
def test_too_many_names_or_none_are_not_listed(names: list[str]) -> None:
    option = choice_form(looks(names)).schema["anyOf"][1]
    assert option["properties"]["name"] == {"type": "string"}


@pytest.mark.parametrize(
    ("chosen", "call"),
    [
        ({"look": "answer"}, None),
        ({"look": "error"}, Call("error")),
        ({"look": "variable", "name": "df"}, Call("variable", {"name": "df"})),
        ({"value": {"look": "error"}}, Call("error")),
        ({"name": "error", "arguments": {}}, Call("error")),
    ],
)
def test_a_choice_is_a_call_or_none(chosen: Any, call: Call | None) -> None:
    assert choice_form(looks(["df"])).read(json.dumps(chosen)) == call


@pytest.mark.parametrize("text", ["", "{}", '{"look": "delete"}', "The answer is 3."])
def test_anything_else_is_not_valid(text: str) -> None:
    with pytest.raises(NotValid):
        choice_form(looks(["df"])).read(text)


def test_the_instruction_names_each_look() -> None:
    text = instruction(looks(["df"]), "How many rows?\n")
    assert "- variable(name, part): Tell of a variable." in text
    assert "- error: Tell the last error." in text
    *_, answer, question = text.splitlines()
    assert answer.startswith("- answer: ")
    assert question == "The question: How many rows?"
    assert "The question" not in instruction(looks(["df"]), "why? " * 200)
