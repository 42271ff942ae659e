"""The values that pass between the modules of the context.

Cells and outputs are what is found in the notebook; items are what can be sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AnySet
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from ..messages import Image
from .buddy_cells import is_buddy_cell
from .relevance import names_in

State = Literal["run", "not run", "changed", "failed", "running"]
Section = Literal["outline", "cells", "outputs", "variables", "error", "mentions"]
SECTIONS: tuple[Section, ...] = (
    "outline",
    "cells",
    "outputs",
    "variables",
    "error",
    "mentions",
)
# An item of this rank or a lower one is offered again after it was left out.
URGENT_RANK = -30.0
# Of one text: more would fill a usual context window by itself.
MAX_CHARACTERS = 12_000
# The id of the error that a prompt attaches.
ATTACHED_ERROR = "mention:error"
# The weight of the latest of very many runs, and the number of the run that has half.
LATEST_RUN = 8.0
HALF_RUN = 100

_FENCES = ("```", "~~~")
_OBJECT_ADDRESS = re.compile(r"<[^<>\n]{1,200} at 0x[0-9a-f]{6,16}>", re.IGNORECASE)


@dataclass(frozen=True)
class Output:
    """An output of a cell as text.

    That is what was printed, a result, a table, a line about an image, or an error.
    """

    kind: Literal["text", "result", "table", "image", "error"]
    text: str


@dataclass(frozen=True)
class Cell:
    """A cell of the notebook.

    ``number`` is the execution count of its last run in this kernel (``In[number]``),
    None if it was not run in this kernel. ``state`` is ``changed`` if the source is no
    longer the one that was run, which is then ``run_source``. Texts are worked out once
    per object: a cell stays the same object as long as nothing about it changes.
    """

    id: str
    type: Literal["code", "markdown"]
    source: str
    number: int | None = None
    state: State = "not run"
    outputs: tuple[Output, ...] = ()
    run_source: str | None = None

    def items(self, index: int) -> tuple[Item | None, Item | None]:
        """Return what is sent of it at this place of the notebook, and of what it has
        shown, as nothing but the time of its run makes them weigh.
        """
        made: tuple[int, tuple[Item | None, Item | None]] | None
        made = self.__dict__.get("_made")
        if made is None or made[0] != index:
            made = index, _items_of(self, index)
            # As a cached property does it.
            self.__dict__["_made"] = made
        return made[1]

    @cached_property
    def name(self) -> str:
        """The name by which the cell is called: ``In[3]``."""
        if self.type == "markdown":
            return "text"
        return cell_name(self.number)

    @cached_property
    def title(self) -> str:
        """The name, with the state unless the cell has run as usual."""
        if self.type == "markdown" or self.state == "run":
            return self.name
        return f"{self.name}, {self.state}"

    @cached_property
    def text(self) -> str:
        """The source to send, with the source that was run if that is another.

        Empty for a text that is all headings, since the outline holds these.
        """
        source = self.source.strip()
        if self.type == "markdown" and set(source.splitlines()) == set(self.headings):
            return ""
        text = source[:MAX_CHARACTERS]
        if self.run_source is None:
            return text
        run_source = self.run_source.strip()
        if run_source == source:
            return text
        note = "# That is the present source. The source that was run:"
        return f"{text}\n{note}\n{run_source[:MAX_CHARACTERS]}"

    @cached_property
    def is_magic(self) -> bool:
        """Whether it has nothing but magics, shell commands and comments."""
        lines = self.source.strip().splitlines()
        if not lines or lines[0].startswith("%%"):
            return False
        filled = filter(None, lines)
        return all(line.startswith(("%", "!", "#")) for line in filled)

    @cached_property
    def is_users(self) -> bool:
        """Whether it has code or text of the user's, and does not only ask the buddy."""
        return bool(self.source.strip()) and not is_buddy_cell(self.source)

    @cached_property
    def names(self) -> frozenset[str]:
        """Everything in its source that could be a name of Python."""
        return names_in(self.source)

    @cached_property
    def weight(self) -> float:
        """What it weighs by the time of its run: the later, the more."""
        number = self.number or 0
        return LATEST_RUN * number / (number + HALF_RUN)

    @cached_property
    def shown_text(self) -> str:
        """All outputs but the error, which is no part of them: an output is no other
        one as soon as its error is the last or no longer the last.
        """
        if not self.output_text or self.number is None:
            return self.output_text
        return joined_outputs(self._outputs(errors=False))

    @cached_property
    def error_text(self) -> str:
        """The error that its run ended in."""
        if not self.output_text or self.number is None:
            return ""
        return joined_outputs(self._outputs(errors=True))

    def _outputs(self, *, errors: bool) -> list[Output]:
        chosen = []
        for output in self.outputs:
            is_error = output.kind == "error"
            if is_error is errors:
                chosen.append(output)
        return chosen

    @cached_property
    def headings(self) -> tuple[str, ...]:
        """The lines of a text that are headings."""
        if self.type != "markdown":
            return ()
        return tuple(_headings(self.source.strip()))

    @cached_property
    def output_text(self) -> str:
        """All outputs as one text; empty where they hold no information."""
        return joined_outputs(self.outputs)


def _items_of(cell: Cell, index: int) -> tuple[Item | None, Item | None]:
    """Return what is sent of a cell at this place, and of what it has shown, before
    anything but the time of its run is known to matter.
    """
    code = output = None
    if cell.text:
        code = _source_item(cell, index)
    if cell.shown_text:
        output = Item(
            f"output:{cell.id}",
            "outputs",
            f"output of {cell.name}",
            cell.shown_text,
            -cell.weight,
            (3, 1, index, 1),
            wanted=False,
            source=cell.source,
        )
    return code, output


def _source_item(cell: Cell, index: int) -> Item:
    """Return what is sent of a cell's source: of code that ran, whatever the question."""
    has_run = cell.number is not None and cell.type == "code"
    position: tuple[int, ...] = (3, 1, index, 0)
    base_rank: float | None = None
    source = ""
    if has_run:
        position = (1, index, 0)
        base_rank = -cell.weight
        source = cell.source
    return Item(
        f"cell:{cell.id}",
        "cells",
        cell.title,
        cell.text,
        -cell.weight,
        position,
        base_rank=base_rank,
        wanted=has_run and not cell.is_magic,
        source=source,
    )


def cell_name(number: int | None) -> str:
    """Return the name of a cell with this execution count."""
    return "cell" if number is None else f"In[{number}]"


def joined_outputs(outputs: Iterable[Output]) -> str:
    """Return outputs as one text; empty for no more than an object's address."""
    joined = "\n".join([output.text for output in outputs])
    text = joined.strip("\n")[:MAX_CHARACTERS]
    if not text.strip() or _OBJECT_ADDRESS.fullmatch(text):
        return ""
    return text


def _headings(source: str) -> list[str]:
    headings = []
    in_fence = False
    for line in source.splitlines():
        if line.lstrip().startswith(_FENCES):
            in_fence = not in_fence
        elif not in_fence and _is_heading(line):
            headings.append(line)
    return headings


def _is_heading(line: str) -> bool:
    return line.startswith("#") and line.lstrip("#").startswith(" ")


@dataclass(frozen=True)
class Notebook:
    """The notebook as it was found, its cells in order.

    ``origin`` is where the cells come from: the live notebook, the saved file, or the
    kernel's history. ``troubles`` are lines for the user about sources that could not
    be read.
    """

    cells: tuple[Cell, ...] = ()
    name: str = ""
    folder: Path | None = None
    origin: Literal["live", "file", "history"] = "history"
    troubles: tuple[str, ...] = ()


class Item(NamedTuple):
    """A piece of the notebook that can be sent to the model.

    ``id`` stays the same from turn to turn (``cell:3f2a``, ``variable:df``); ``title``
    is its present name (``In[3], failed``). ``rank`` (lower goes first) decides which
    items are sent when not all fit, ``position`` orders them in the text. ``identity``
    tells whether it is still the same where the text can change without that: what an
    error's variables hold now is no other error.

    ``base_rank`` is the rank of an item that is sent whatever the question is, and None
    for one that only a question brings in. An item that is not ``wanted`` is sent only
    if an earlier state of it was; one with ``told_by`` is not sent where the item of
    that id tells the same. ``source`` is that of the cell, and ``name`` the line by
    which the cell is recognised, once it is redacted.

    It is a tuple since a snapshot of a large notebook creates thousands.
    """

    id: str
    section: Section
    title: str
    text: str
    rank: float = 0.0
    position: tuple[int, ...] = ()
    images: tuple[Image, ...] = ()
    identity: str = ""
    base_rank: float | None = None
    wanted: bool = True
    told_by: str = ""
    source: str = ""
    name: str = ""

    def ranked(self, rank: float, base_rank: float | None) -> Item:
        """Return the item with other ranks; faster than ``_replace``."""
        return Item(
            self.id,
            self.section,
            self.title,
            self.text,
            rank,
            self.position,
            self.images,
            self.identity,
            base_rank,
            self.wanted,
            self.told_by,
            self.source,
            self.name,
        )


@dataclass(frozen=True)
class Snapshot:
    """What could be sent about the notebook at one moment.

    ``sections`` are those that were collected: an item that is missing from one of them
    is gone. ``undescribed`` are the variables that exist and have no item, because
    there are too many. ``troubles`` are lines for the user about sources that could not
    be read. ``failing`` are the ids of the variables on the lines that the last error
    came from.
    """

    items: tuple[Item, ...] = ()
    sections: frozenset[Section] = frozenset()
    troubles: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    undescribed: AnySet[str] = frozenset()
