"""The values that travel between the rooms of the context: cells and outputs as found, items as they go out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ..messages import Image

State = Literal["run", "not run", "changed", "failed", "running"]
Section = Literal["outline", "cells", "outputs", "variables", "error", "mentions"]
URGENT = -30.0
SECTIONS: tuple[Section, ...] = ("outline", "cells", "outputs", "variables", "error", "mentions")


@dataclass(frozen=True)
class Output:
    """An output of a cell as text: what was printed, a result, a table, a line about an image, an error."""

    kind: Literal["text", "result", "table", "image", "error"]
    text: str


@dataclass(frozen=True)
class Cell:
    """A cell of the notebook.

    ``number`` is that of its last run in this kernel (``In[number]``), None where it was not run in it. ``state`` is
    ``changed`` when the source is no longer the one that was run. ``ran`` is the source that was run, where that is
    another.
    """

    id: str
    type: Literal["code", "markdown"]
    source: str
    number: int | None = None
    state: State = "not run"
    outputs: tuple[Output, ...] = ()
    ran: str | None = None


@dataclass(frozen=True)
class Notebook:
    """The notebook as it was found, in its order.

    ``origin`` tells from what: the live notebook, the saved file, or the kernel's history. ``troubles`` are lines for
    the user about sources that could not be read.
    """

    cells: tuple[Cell, ...] = ()
    name: str = ""
    folder: Path | None = None
    origin: Literal["live", "file", "history"] = "history"
    troubles: tuple[str, ...] = ()


class Item(NamedTuple):
    """A thing that may be told to the model.

    ``id`` stays the same from turn to turn (``cell:3f2a``, ``variable:df``); ``title`` is how it is called now
    (``In[3], failed``). ``place`` orders items in the text, and ``rank`` (lower goes first) decides which stay when not
    all fit; one of at most `URGENT` is worth telling even where it was left out before.

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

    ``sections`` are those that were looked at: what is missing from one of them is gone. ``troubles`` are lines for the
    user about sources that could not be read.
    """

    items: tuple[Item, ...] = ()
    sections: frozenset[Section] = frozenset()
    name: str = ""
    troubles: tuple[str, ...] = ()
