"""The choice of a look by a JSON schema."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from codebuddy_jupyter.tools.calls import Call
from codebuddy_jupyter.tools.candidates import Candidate
from codebuddy_jupyter.tools.choice import (
    ANSWER,
    CODE,
    LONGEST_QUESTION,
    choice_form,
    instruction,
)
from codebuddy_jupyter.tools.look import Look, description_of, parameters_of
from codebuddy_jupyter.values.form import NotValid


def rate(currency: str, to: Literal["EUR", "USD"] = "EUR") -> str:
    """Tell the rate of a currency."""
    return f"{currency} {to}"


def variable(name: str, part: Literal["schema", "missing", "unique"] = "schema") -> str:
    """Tell of a variable."""
    return f"{name} {part}"


def error() -> str:
    """Tell the last error."""
    return "none"


def candidates(*names: str) -> list[Candidate]:
    """Three looks, one of them at variables of these names."""
    made = []
    for function in (variable, error, rate):
        parameters = parameters_of(function)
        text = description_of(function)
        look = Look(function.__name__, text, parameters, function, str)
        values = {"name": names} if function is variable else {}
        made.append(Candidate(look, values))
    return made


def test_each_look_is_a_choice_with_the_values_that_are_offered() -> None:
    code, answer, first, second, third = choice_form(candidates("df")).schema["anyOf"]
    assert code["properties"] == {"look": {"type": "string", "enum": [CODE]}}
    assert answer["properties"] == {"look": {"type": "string", "enum": [ANSWER]}}
    assert first["properties"]["name"] == {"type": "string", "enum": ["df"]}
    # What the model is told of every variable is no choice.
    assert first["properties"]["part"]["enum"] == ["missing", "unique"]
    assert first["required"] == ["look", "name", "part"]
    assert second["required"] == ["look"]
    assert third["properties"]["to"]["enum"] == ["EUR", "USD"]


def test_without_values_any_can_be_chosen() -> None:
    option = choice_form(candidates()).schema["anyOf"][2]
    assert option["properties"]["name"] == {"type": "string"}


@pytest.mark.parametrize(
    ("chosen", "call"),
    [
        ({"look": ANSWER}, None),
        ({"look": CODE}, None),
        ({"look": "error"}, Call("error")),
        ({"look": "variable", "name": "df"}, Call("variable", {"name": "df"})),
        ({"value": {"look": "error"}}, Call("error")),
        ({"name": "error", "arguments": {}}, Call("error")),
    ],
)
def test_a_choice_is_a_call_or_none(chosen: Any, call: Call | None) -> None:
    assert choice_form(candidates("df")).read(json.dumps(chosen)) == call


@pytest.mark.parametrize("text", ["", "{}", '{"look": "delete"}', "The answer is 3."])
def test_anything_else_is_not_valid(text: str) -> None:
    with pytest.raises(NotValid):
        choice_form(candidates("df")).read(text)


def test_the_instruction_explains_what_is_offered_and_nothing_else() -> None:
    text = instruction(candidates("df"), "How many rows?")
    assert '- {"look": "variable", "name": "NAME", "part": "missing"}: how many' in text
    assert '- {"look": "error"}: what failed, the last error' in text
    assert (
        '- {"look": "rate", "currency": "CURRENCY", "to": "TO"}: Tell the rate' in text
    )
    assert '"part": "head"' not in text
    assert '"signature"' not in text
    assert text.index("write_code") < text.index("Examples:")
    assert text.endswith("\n\nThe question: How many rows?")
    assert "The question:" not in instruction(
        candidates("df"), "?" * LONGEST_QUESTION * 2
    )
