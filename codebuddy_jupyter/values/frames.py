"""Frames of pandas and polars as the type of an answer: one row for each record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from ..errors import Remedy, SettingError

LIBRARIES = ("pandas", "polars")
EXAMPLE = Remedy("Say what a row is", "into=Annotated[pandas.DataFrame, Row]")

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Frame:
    """A frame as the type of an answer.

    Parameters
    ----------
    library
        Its library: pandas or polars.
    cls
        Its class.
    row
        The type of a row, or its short form.
    """

    library: str
    cls: Callable[..., Any]
    row: Any

    @property
    def name(self) -> str:
        """The name of its class, with its library."""
        return f"{self.library}.DataFrame"

    def of(self, records: Sequence[Record], columns: Sequence[str]) -> Any:
        """Return the frame of these records."""
        names = list(columns)
        if self.library == "pandas":
            return self.cls(list(records), columns=names)
        if not records:
            return self.cls(schema=names)
        # A column may begin with many missing values.
        return self.cls(list(records), infer_schema_length=None)


def try_frame(into: Any) -> Frame | None:
    """Return the frame that a type means, ``Annotated[pandas.DataFrame, Row]``; None if
    it means none.

    Raises
    ------
    SettingError
        If it means a frame, but not what its rows are.
    """
    cls = into
    rows: tuple[Any, ...] = ()
    if get_origin(into) is Annotated:
        cls, *others = get_args(into)
        rows = tuple(others)
    for library in LIBRARIES:
        # What the user has not imported cannot be meant.
        module = sys.modules.get(library)
        if module is None:
            continue
        frame_class: Any = getattr(module, "DataFrame", module)
        if cls is frame_class:
            if len(rows) != 1:
                what = f"A {library}.DataFrame alone says nothing about its rows."
                raise SettingError(what, EXAMPLE)
            return Frame(library, cls, rows[0])
    return None
