"""The question about one row, with fields for its columns.

It knows no frame, and sends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...errors import PromptError, Remedy, did_you_mean

ITEM = "item"
"""The field for a row that is one value."""

_BRACES = re.compile(
    r"\{\{(?P<literal>[^{}\n]*)\}\}|\{(?P<name>[^{}\n]+)\}",
)
# Columns that an error names.
MOST_NAMED = 12


@dataclass(frozen=True)
class Template:
    """A question with fields.

    Parameters
    ----------
    text
        The question as it was typed.
    fields
        The names of its fields, each once, in their order.
    pieces
        What it consists of: texts, and the numbers of fields between them.
    """

    text: str
    fields: tuple[str, ...]
    pieces: tuple[str | int, ...]

    def fill(self, texts: Sequence[str]) -> str:
        """Return the question about a row.

        Parameters
        ----------
        texts
            The text of each field. Fields that stand in these are not filled.
        """
        parts = []
        for piece in self.pieces:
            if isinstance(piece, int):
                piece = texts[piece]
            parts.append(piece)
        return "".join(parts)


def template_of(
    text: str, columns: Sequence[str] | None, *, may_append: bool
) -> Template:
    """Return the template of a question.

    ``{column}`` is a field and ``{{column}}`` is not; every other brace stays as it is.

    Parameters
    ----------
    text
        The question as it was typed.
    columns
        The names that fields can have; None: any, since there is no row.
    may_append
        Whether the row stands at the end if the question has no field.

    Raises
    ------
    PromptError
        If it is empty, names a column that does not exist, or names none.
    """
    if not text.strip():
        example = Remedy("Write one", 'buddy.map(items, "Is this a complaint? {text}")')
        raise PromptError("There is no question about the rows.", example)
    pieces: list[str | int] = []
    fields: list[str] = []
    end = 0
    for match in _BRACES.finditer(text):
        pieces.append(text[end : match.start()])
        end = match.end()
        name = match["name"]
        if name is not None and _is_field(name, columns):
            if name not in fields:
                fields.append(name)
            pieces.append(fields.index(name))
        else:
            pieces.append(_as_text(match))
    pieces.append(text[end:])
    if not fields:
        if not may_append:
            raise _without_field(text, columns or ())
        fields.append(ITEM)
        pieces += ["\n\n", 0]
    return Template(text, tuple(fields), tuple(filter(_is_something, pieces)))


def _is_something(piece: str | int) -> bool:
    return piece != ""


def _is_field(name: str, columns: Sequence[str] | None) -> bool:
    """Return whether braces contain a column.

    Raises
    ------
    PromptError
        If they surely mean one that does not exist.
    """
    if columns is None:
        return name.isidentifier()
    if name in columns:
        return True
    # Anything else may be JSON, code or LaTeX.
    if name.isidentifier():
        raise _no_column(name, columns)
    return False


def _as_text(match: re.Match[str]) -> str:
    literal = match["literal"]
    if literal is None:
        return match[0]
    return f"{{{literal}}}"


def _no_column(name: str, columns: Sequence[str]) -> PromptError:
    suggestion = did_you_mean(name, columns)
    remedies = [suggestion] if suggestion else []
    braces = Remedy(f"Write {{{{{name}}}}} to send the braces as they are")
    what = f"There is no column {name!r} for {{{name}}}; {_listed(columns)}."
    return PromptError(what, *remedies, braces)


def _without_field(text: str, columns: Sequence[str]) -> PromptError:
    what = (
        "The question names no column, so it would be the same for each row; "
        f"{_listed(columns)}."
    )
    field = next(iter(columns), "column")
    example = f'"{text.strip()[:40]} {{{field}}}"'
    return PromptError(what, Remedy("Name one", example))


def _listed(columns: Iterable[str]) -> str:
    names = list(columns)
    if not names:
        return "there are none"
    more = ""
    if len(names) > MOST_NAMED:
        more = f" and {len(names) - MOST_NAMED:,} more"
    return f"the fields are {', '.join(names[:MOST_NAMED])}{more}"
