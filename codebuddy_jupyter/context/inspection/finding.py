"""What a static check has found in a piece of code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "name", "column", "attribute", "keyword", "module", "file", "loaded", "magic"
]
ADVICE: frozenset[Kind] = frozenset({"loaded"})
"""Kinds that do not make the code fail."""


@dataclass(frozen=True)
class Finding:
    """Something in a piece of code that does not fit the live kernel.

    Parameters
    ----------
    kind
        What does not exist; ``loaded`` is a file that a variable holds already.
    text
        A line for the user: ``clients has no column 'Region'; nearest: 'region'``.
    name
        What does not exist: ``Region``.
    nearest
        The existing name nearest to it; empty where none is near.
    owner
        What it was looked for in: ``clients``; empty for a name.
    fact
        A line for the model, with what there is: the columns, or the real signature.
    line
        The line of the code, from 1.
    """

    kind: Kind
    text: str
    name: str
    nearest: str = ""
    owner: str = ""
    fact: str = ""
    line: int = 0

    @property
    def fails(self) -> bool:
        """Whether the code fails there."""
        return self.kind not in ADVICE
