"""The choice of a look by a JSON schema: that is how small models choose well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..values.form import Form
from ..values.schema import Schema
from .calls import Call, try_call
from .look import Look

LOOK = "look"
"""The field that names the look."""
ANSWER = "answer"
"""What is chosen in place of a look by a model that needs none."""
# Values among which a parameter is chosen; of more, none are named.
MOST_CHOICES = 60


def choice_form(looks: Sequence[Look]) -> Form:
    """Return the form of a choice among these looks, and of none of them; its value is
    a `Call`, or None.
    """
    options: list[Schema] = [_option(ANSWER, {})]
    for look in looks:
        options.append(_option(look.name, _properties(look)))
    names = [look.name for look in looks]
    return Form(
        name="choice",
        fields=(),
        columns=(),
        adapter=_Reader(names),
        inner={"anyOf": options},
        # The schema's root is no object, but each choice is.
        is_wrapped=False,
    )


def instruction(looks: Sequence[Look], question: str) -> str:
    """Return what the model is told of the looks.

    Parameters
    ----------
    looks
        What can be looked up.
    question
        The question, which a short one repeats at the end: small models choose by what
        they read last.
    """
    lines = [HEADING]
    for look in looks:
        lines.append(f"- {_heading(look)}: {look.description}")
    lines.append(f"- {ANSWER}: {NOTHING_NEEDED}")
    if len(question) <= LONGEST_QUESTION:
        lines.append(f"The question: {question.strip()}")
    return "\n".join(lines)


HEADING = (
    "Before you answer, choose the one of these that finds out what the question asks "
    "for:"
)
NOTHING_NEEDED = (
    "Nothing is to be found out: the question wants code, a plot, an explanation or a "
    "text, or what is told above answers it."
)
# Characters of a question that is repeated.
LONGEST_QUESTION = 500


def _heading(look: Look) -> str:
    parameters = ", ".join(look.parameters.get("properties", {}))
    return f"{look.name}({parameters})" if parameters else look.name


def _option(name: str, properties: Mapping[str, Schema]) -> Schema:
    fields: Schema = {LOOK: {"type": "string", "enum": [name]}, **properties}
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _properties(look: Look) -> dict[str, Schema]:
    """Return the schemas of a look's arguments, with the values that exist now."""
    choices = look.choices()
    properties: dict[str, Schema] = {}
    for name, schema in look.parameters.get("properties", {}).items():
        values = choices.get(name, [])
        if 0 < len(values) <= MOST_CHOICES:
            schema = {"type": schema.get("type", "string"), "enum": values}
        properties[name] = schema
    return properties


class _Reader:
    """Reads a choice, as an adapter of pydantic does.

    Parameters
    ----------
    names
        The names of the looks.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def validate_python(self, data: Any) -> Call | None:
        """Return the call that was chosen; None: to look at nothing."""
        call = try_call(data, [*self._names, ANSWER])
        if call is None:
            raise ValueError(
                f"look must be {ANSWER} or one of {', '.join(self._names)}"
            )
        return None if call.name == ANSWER else call
