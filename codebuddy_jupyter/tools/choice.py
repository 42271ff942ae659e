"""The choice of a look by a JSON schema: that is how small models choose well."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..values.form import Form
from ..values.schema import Schema
from .calls import Call, try_call
from .candidates import Candidate
from .look import Look

LOOK = "look"
"""The field that names the look."""
CODE, ANSWER = "write_code", "explain"
"""What is chosen in place of a look: small models choose a thing to do, not none."""
NOTHING: Mapping[str, str] = {
    CODE: "it wants code, a plot, a test, or data sorted, filtered, joined or changed",
    ANSWER: "it wants an explanation, general knowledge or a text",
}

Way = tuple[Mapping[str, Any], str, str, Mapping[str, Any]]
"""One use of a look: arguments, what it finds out, and a question with its arguments."""
WAYS: Mapping[str, Sequence[Way]] = {
    "variable": (
        (
            {"part": "missing"},
            "how many values are missing, or whether any are",
            "How many values of t are missing?",
            {"name": "t", "part": "missing"},
        ),
        (
            {"part": "unique"},
            "how many different, distinct or unique values there are",
            "How many different names are in t?",
            {"name": "t", "part": "unique"},
        ),
        (
            {"part": "head"},
            "what the first rows or the values are",
            "What are the values of t?",
            {"name": "t", "part": "head"},
        ),
    ),
    "cell": (
        ({}, "what In[N] printed or showed", "What did In[2] show?", {"number": 2}),
    ),
    "search_cells": (
        (
            {},
            "in which cells a word or a function is used",
            "Where is plot used?",
            {"text": "plot"},
        ),
    ),
    "error": (({}, "what failed, the last error", "What went wrong?", {}),),
    "signature": (
        (
            {},
            "parameters, options, defaults or documentation of a function",
            "What are the parameters of np.sort?",
            {"dotted": "np.sort"},
        ),
    ),
    "file_head": (
        (
            {},
            "what is in a file: its columns, or its code",
            "What does notes.csv contain?",
            {"path": "notes.csv"},
        ),
    ),
    "columns_like": (
        (
            {},
            "which frame has a column that is about something",
            "Which frame has the weights?",
            {"text": "weight"},
        ),
    ),
    "propose_cell": (
        (
            {},
            "it wants something done: code, a plot, a test, or data sorted or changed",
            "Plot t.",
            {"code": "t.plot()", "after": 0},
        ),
    ),
    "propose_edit": (
        (
            {},
            "it wants the code of In[N] changed; CODE is all of the new code",
            "Let In[2] sort t by name.",
            {"cell": 2, "code": "t.sort_values('name')"},
        ),
    ),
}
"""How each look of this package is explained to a small model."""
EXAMPLES = (
    ("Sort t by name.", CODE),
    ("Plot t.", CODE),
    ("What is a loop?", ANSWER),
)
"""Questions that need no look."""
LONGEST_QUESTION = 500
"""Characters of a question that is asked again after what can be looked up."""
HEADING = "What is needed first to answer the question? One of these:"


def choice_form(candidates: Sequence[Candidate]) -> Form:
    """Return the form of a choice among these looks, and of none of them; its value is
    a `Call`, or None.
    """
    options = [_option(name, {}) for name in _nothing(candidates)]
    for candidate in candidates:
        options.append(_option(candidate.look.name, _properties(candidate)))
    names = [candidate.look.name for candidate in candidates]
    return Form(
        name="choice",
        fields=(),
        columns=(),
        adapter=_Reader(names),
        inner={"anyOf": options},
        # The schema's root is no object, but each choice is.
        is_wrapped=False,
    )


def instruction(candidates: Sequence[Candidate], question: str) -> str:
    """Return what the model is told of the looks.

    Parameters
    ----------
    candidates
        What can be looked up.
    question
        The question, which comes last unless it is long: small models choose by what
        they read last.
    """
    lines = [HEADING]
    nothing = _nothing(candidates)
    for name, meaning in nothing.items():
        lines.append(f"- {_written(name, {})}: {meaning}")
    examples = []
    for asked, name in EXAMPLES:
        if name in nothing:
            examples.append(f"{asked} {_written(name, {})}")
    for candidate in candidates:
        look = candidate.look
        for arguments, meaning, asked, example in _ways(look):
            shown = _placeholders(look, arguments)
            lines.append(f"- {_written(look.name, shown)}: {meaning}")
            examples.insert(-1, f"{asked} {_written(look.name, example)}")
        if look.name not in WAYS:
            shown = _placeholders(look, {})
            lines.append(f"- {_written(look.name, shown)}: {look.description}")
    parts = ["\n".join(lines), "\n".join(["Examples:", *examples])]
    if len(question) <= LONGEST_QUESTION:
        parts.append(f"The question: {question}")
    return "\n\n".join(parts)


def _nothing(candidates: Sequence[Candidate]) -> Mapping[str, str]:
    """Return what can be chosen in place of a look; code is proposed where it can be."""
    if any(candidate.look.proposes for candidate in candidates):
        return {ANSWER: NOTHING[ANSWER]}
    return NOTHING


def _ways(look: Look) -> Iterator[Way]:
    """Yield how a look can be used, without what its parameters do not allow."""
    properties = look.parameters.get("properties", {})
    for way in WAYS.get(look.name, ()):
        is_allowed = True
        for name, value in way[0].items():
            is_allowed = value in properties.get(name, {}).get("enum", [value])
        if is_allowed:
            yield way


def _placeholders(look: Look, arguments: Mapping[str, Any]) -> dict[str, Any]:
    names: Iterable[str] = look.parameters.get("properties", {})
    return {name: arguments.get(name, name.upper()) for name in names}


def _written(look: str, arguments: Mapping[str, Any]) -> str:
    return json.dumps({LOOK: look, **arguments})


def _option(name: str, properties: Mapping[str, Schema]) -> Schema:
    fields: Schema = {LOOK: {"type": "string", "enum": [name]}, **properties}
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _properties(candidate: Candidate) -> dict[str, Schema]:
    """Return the schemas of a look's arguments, with the values that the question names."""
    look = candidate.look
    properties: dict[str, Schema] = {}
    for name, schema in look.parameters.get("properties", {}).items():
        values = list(candidate.values.get(name, ()))
        examples = [way[0][name] for way in _ways(look) if name in way[0]]
        if values or examples:
            kind = schema.get("type", "string")
            schema = {"type": kind, "enum": values or examples}
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
        known = [*NOTHING, *self._names]
        call = try_call(data, known)
        if call is None:
            raise ValueError(f"look must be one of {', '.join(known)}")
        return None if call.name in NOTHING else call
