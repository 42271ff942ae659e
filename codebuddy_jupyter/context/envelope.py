"""The text that tells the model about the notebook.

It begins with what does not depend on the question, so that a server can read that
ahead. Code, outputs and files stand in fences that no text in them can close, and a
variable takes one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from ..markdown.safe import fence
from .fit import ItemRecord, Renamed, Update, is_told_state, tally
from .inert import inert
from .items import Item

_FIRST_CELLS = "The cells of the notebook before this one:"
_LATER_CELLS = "Cells that ran since then:"
_FIRST_VARIABLES = "Variables that exist now (use them; do not load files again):"
_LATER_VARIABLES = "Variables that are new or changed:"
_ASKED_VARIABLES = "Variables:"
# How the columns of a frame begin, and how many commas are in those that are not
# repeated for a second frame.
_COLUMNS = "; columns: "
_MANY_COLUMNS = 3
# Cells or variables that are gone and named.
_MAX_GONE = 20


@dataclass(frozen=True)
class Envelope:
    """The text about the notebook, in two parts.

    ``stable`` does not depend on the question as long as everything fits, ``asked`` is
    what the question brings in. Either may be empty.
    """

    stable: str = ""
    asked: str = ""


def envelope(update: Update, *, first: bool) -> Envelope:
    """Return the text that reports an update.

    Parameters
    ----------
    update
        What to report; its texts are redacted already.
    first
        Whether the model was sent nothing of the notebook yet.
    """
    if not update:
        return Envelope()
    stable = [*_stable_parts(update, first=first), *_past_parts(update)]
    asked = [*_asked_parts(update.asked), *_omitted(update.left_out)]
    return Envelope(
        stable="\n\n".join(stable),
        asked="\n\n".join(asked),
    )


def mention_name(title: str) -> str:
    """Return what an attachment is called in a sentence: ``df`` for ``@df``."""
    return title.removeprefix("@").removeprefix("file:")


def _stable_parts(update: Update, *, first: bool) -> Iterator[str]:
    cells_heading = _LATER_CELLS
    variables_heading = _LATER_VARIABLES
    if first:
        cells_heading = _FIRST_CELLS
        variables_heading = _FIRST_VARIABLES
    cells = [item for item in update.stable if item.section == "cells"]
    if cells:
        yield cells_heading
    for cell in cells:
        code = _fenced(cell.text, "python")
        if is_told_state(cell.title):
            code = f"{inert(cell.title)}:\n{code}"
        yield code
    variables = [item for item in update.stable if item.section == "variables"]
    if variables:
        yield _list(variables_heading, variables)


def _past_parts(update: Update) -> Iterator[str]:
    """Yield what is to be said of cells and variables that were told before."""
    lines = [_renaming(renamed) for renamed in update.renamed]
    gone = [_gone_name(record) for record in update.gone]
    if gone:
        names = ", ".join(gone[:_MAX_GONE])
        more = len(gone) - _MAX_GONE
        if more > 0:
            names = f"{names} and {more} more"
        lines.append(f"No longer there: {names}.")
    if lines:
        yield "\n".join(lines)


def _renaming(renamed: Renamed) -> str:
    item = renamed.item
    name = _quoted(item.name or item.title)
    before = _state_in(renamed.old_title)
    now = _state_in(item.title)
    return f"The cell {name}: {before} before, {now} now."


def _gone_name(record: ItemRecord) -> str:
    if record.section == "variables":
        return inert(record.title)
    return _quoted(record.name or record.title)


def _asked_parts(items: Iterable[Item]) -> Iterator[str]:
    for section_is_variables, run in groupby(items, _is_variable):
        if section_is_variables:
            yield _list(_ASKED_VARIABLES, run)
        else:
            yield from map(_labelled, run)


def _is_variable(item: Item) -> bool:
    return item.section == "variables"


def _labelled(item: Item) -> str:
    language = ""
    if item.section == "cells" and item.title != "text":
        language = "python"
    return f"{_label(item)}:\n{_fenced(item.text, language)}"


def _label(item: Item) -> str:
    """Return what stands above an item, in one line."""
    title = _on_one_line(item.title)
    capitalised = f"{title[:1].upper()}{title[1:]}"
    if item.section == "outputs" and item.name:
        return f"{capitalised}, {_quoted(item.name)}"
    if item.section == "mentions":
        return mention_name(title)
    if item.section == "outline":
        return "Headings of the notebook"
    if title == "text":
        return "Text in the notebook"
    return capitalised


def _omitted(left_out: tuple[Item, ...]) -> Iterator[str]:
    if left_out:
        yield f"(Left out, as there was no room: {tally(left_out)}.)"


def _list(heading: str, variables: Iterable[Item]) -> str:
    """Return a line for each variable, or for several of which the same is told."""
    names: dict[str, list[str]] = {}
    for item in variables:
        text = inert(item.text).strip()
        name, colon, description = text.partition(": ")
        if not colon:
            name = text
            description = ""
        same = names.setdefault(description, [])
        same.append(name)
    lines = [heading]
    first_with: dict[str, str] = {}
    for description, same in names.items():
        described = _with_reference(description, same[0], first_with)
        text = f"{', '.join(same)}: {described}"
        # The lines of a value stay behind its name.
        indented = text.replace("\n", "\n    ")
        lines.append(f"- {indented}".removesuffix(": "))
    return "\n".join(lines)


def _with_reference(description: str, name: str, first_with: dict[str, str]) -> str:
    """Return a frame's description, without long columns that another frame has, too."""
    title, mark, columns = description.partition(_COLUMNS)
    if not mark or "\n" in columns:
        return description
    if columns.count(", ") < _MANY_COLUMNS:
        return description
    first = first_with.setdefault(columns, name)
    if first == name:
        return description
    return f"{title}; columns as in {first}"


def _fenced(text: str, language: str) -> str:
    fenced = fence(inert(text), language)
    return fenced.rstrip("\n")


def _quoted(text: str) -> str:
    """Return the beginning of a cell as code in a sentence."""
    without_marks = _on_one_line(text).replace("`", "'")
    return f"`{without_marks}`"


def _on_one_line(text: str) -> str:
    words = inert(text).split()
    return " ".join(words)


def _state_in(title: str) -> str:
    return title.partition(", ")[2] or "run"
