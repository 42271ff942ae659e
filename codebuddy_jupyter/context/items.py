"""The values that travel between the rooms of the context: cells and outputs as found,
items as they go out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from ..messages import Image

State = Literal["run", "not run", "changed", "failed", "running"]
Section = Literal["outline", "cells", "outputs", "variables", "error", "mentions"]
URGENT = -30.0
# characters of one text: more would fill a usual window by itself
LONGEST = 12_000
SECTIONS: tuple[Section, ...] = (
    "outline",
    "cells",
    "outputs",
    "variables",
    "error",
    "mentions",
)


@dataclass(frozen=True)
class Output:
    """An output of a cell as text: what was printed, a result, a table, a line about an
    image, an error.
    """

    kind: Literal["text", "result", "table", "image", "error"]
    text: str


@dataclass(frozen=True)
class Cell:
    """A cell of the notebook.

    ``number`` is that of its last run in this kernel (``In[number]``), None where it
    was not run in it. ``state`` is ``changed`` when the source is no longer the one
    that was run. ``ran`` is the source that was run, where that is another. How it is
    told is worked out once: a cell stays the same object as long as nothing about it
    changes.
    """

    id: str
    type: Literal["code", "markdown"]
    source: str
    number: int | None = None
    state: State = "not run"
    outputs: tuple[Output, ...] = ()
    ran: str | None = None

    @cached_property
    def name(self) -> str:
        """What it is called: ``In[3]``."""
        return "text" if self.type == "markdown" else numbered(self.number)

    @cached_property
    def title(self) -> str:
        """Its name, and its state where that is worth a word."""
        return (
            self.name
            if self.type == "markdown" or self.state == "run"
            else f"{self.name}, {self.state}"
        )

    @cached_property
    def text(self) -> str:
        """Its source as it is told, with what was run where that is another; "" where
        the outline says it all.
        """
        source = self.source.strip()
        if self.type == "markdown" and set(source.splitlines()) == set(self.headings):
            return ""
        text = source[:LONGEST]
        if self.ran is not None and (ran := self.ran.strip()) != source:
            text += (
                f"\n# This is what stands in it now. What was run is:\n{ran[:LONGEST]}"
            )
        return text

    @cached_property
    def headings(self) -> tuple[str, ...]:
        """The lines of a text that are headings."""
        return tuple(_headings(self.source.strip())) if self.type == "markdown" else ()

    @cached_property
    def given(self) -> str:
        """All its outputs as they are told; "" where they tell nothing."""
        return told(self.outputs)


def numbered(number: int | None) -> str:
    """What a cell of this number is called."""
    return "cell" if number is None else f"In[{number}]"


def told(outputs: Iterable[Output]) -> str:
    """Outputs as one text; "" where they tell no more than an object's address."""
    text = "\n".join([output.text for output in outputs]).strip("\n")[:LONGEST]
    return "" if not text.strip() or _ADDRESS.fullmatch(text) else text


def _headings(source: str) -> Iterator[str]:
    fenced = False
    for line in source.splitlines():
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        if not fenced and line.startswith("#") and line.lstrip("#").startswith(" "):
            yield line


_ADDRESS = re.compile(r"<[^<>\n]{1,200} at 0x[0-9a-f]{6,16}>", re.IGNORECASE)


@dataclass(frozen=True)
class Notebook:
    """The notebook as it was found, in its order.

    ``origin`` tells from what: the live notebook, the saved file, or the kernel's
    history. ``troubles`` are lines for the user about sources that could not be read.
    """

    cells: tuple[Cell, ...] = ()
    name: str = ""
    folder: Path | None = None
    origin: Literal["live", "file", "history"] = "history"
    troubles: tuple[str, ...] = ()


class Item(NamedTuple):
    """A thing that may be told to the model.

    ``id`` stays the same from turn to turn (``cell:3f2a``, ``variable:df``); ``title``
    is how it is called now (``In[3], failed``). ``place`` orders items in the text, and
    ``rank`` (lower goes first) decides which stay when not all fit; one of at most
    `URGENT` is worth telling even where it was left out before.

    It is a tuple since a look at a large notebook makes thousands.
    """

    id: str
    section: Section
    title: str
    text: str
    rank: float = 0.0
    place: tuple[int, ...] = ()
    images: tuple[Image, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """What could be told about the notebook at one moment.

    ``sections`` are those that were looked at: what is missing from one of them is
    gone. ``troubles`` are lines for the user about sources that could not be read.
    """

    items: tuple[Item, ...] = ()
    sections: frozenset[Section] = frozenset()
    name: str = ""
    troubles: tuple[str, ...] = ()
