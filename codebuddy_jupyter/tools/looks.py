"""The looks that there are: those of this package, and what other installed packages
register in the entry-point group.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AnySet
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..context.collector import Collector
from ..context.inert import inert
from ..context.items import SECTIONS, Section
from .look import TIMEOUT, Function, Look, description_of, parameters_of
from .notebook import NotebookLooks

GROUP = "codebuddy_jupyter.looks"
"""The entry-point group: a function with types and a docstring by its name."""

SECTION_OF: Mapping[str, Section] = {
    "variable": "variables",
    "cell": "cells",
    "search_cells": "cells",
    "error": "error",
    "signature": "variables",
    "file_head": "mentions",
    "columns_like": "variables",
}
"""The section of the context that must be shared for a look of this package."""


def looks_of(
    collector: Collector,
    *,
    share_values: bool,
    redact_secrets: bool = True,
    sections: AnySet[Section] = frozenset(SECTIONS),
) -> list[Look]:
    """Return the looks at a notebook; nothing is read before one is used.

    Parameters
    ----------
    collector
        Knows the kernel, and redacts secrets.
    share_values
        Whether values of variables may be told.
    redact_secrets
        Whether secrets are redacted.
    sections
        The sections of the context that may be told; without any there are no looks.
    """
    safe = safe_text(collector, redact_secrets=redact_secrets)
    notebook = NotebookLooks(
        collector,
        safe,
        share_values=share_values,
        share_outputs="outputs" in sections,
    )
    looks = []
    for name, section in SECTION_OF.items():
        if section in sections:
            function = getattr(notebook, name)
            parameters = parameters_of(function)
            if name == "variable" and not share_values:
                parameters = _without_head(parameters)
            description = description_of(function)
            look = Look(name, description, parameters, function, safe)
            looks.append(look)
    if sections:
        for name, (function, parameters) in other_looks().items():
            description = description_of(function)
            looks.append(
                Look(name, description, parameters, function, safe, timeout=TIMEOUT)
            )
    return looks


def safe_text(
    collector: Collector, *, redact_secrets: bool = True
) -> Callable[[str], str]:
    """Return what redacts secrets in a text and makes it inert."""
    redact = collector.redaction(enabled=redact_secrets)

    def safe(text: str) -> str:
        return inert(redact(text).text)

    return safe


def _without_head(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a look at variables without what would tell values."""
    properties = dict(parameters["properties"])
    part = properties["part"]
    allowed = [value for value in part["enum"] if value != "head"]
    properties["part"] = {**part, "enum": allowed}
    return {**parameters, "properties": properties}


def other_looks() -> Mapping[str, tuple[Function, dict[str, Any]]]:
    """Return the looks of other packages, with the schemas of their arguments.

    One that cannot be loaded is left out, as is one of a name that is taken; `problems`
    tells why.
    """
    return _others().looks


def problems() -> tuple[str, ...]:
    """Return a line about each look of another package that is left out."""
    return _others().problems


@dataclass(frozen=True)
class Others:
    """The looks of other packages by name, and what is wrong with some."""

    looks: Mapping[str, tuple[Function, dict[str, Any]]]
    problems: tuple[str, ...]


@functools.cache
def _others() -> Others:
    # Searching all installed packages takes 10 to 20 ms, so that is done once.
    return loaded(entry_points(group=GROUP))


def loaded(entries: Iterable[EntryPoint]) -> Others:
    """Return the looks that entry points name."""
    found: dict[str, tuple[Function, dict[str, Any]]] = {}
    problems = []
    for entry in entries:
        try:
            if entry.name in SECTION_OF or not entry.name.isidentifier():
                raise ValueError("its name is taken, or is no identifier")
            function = entry.load()
            if not description_of(function):
                raise ValueError("it has no docstring")
            found[entry.name] = function, parameters_of(function)
        except Exception as error:  # noqa: BLE001 - the code of another package may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            problems.append(f"The look {entry.name} cannot be used: {reason}")
    return Others(found, tuple(problems))
