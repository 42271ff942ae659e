"""The columns of live frames, read from frames of exactly known types only."""

from __future__ import annotations

from typing import Any

from ..describe.types import is_exactly, is_of_library, try_loaded

# Columns of a frame that are read.
MAX_COLUMNS = 5_000
# Columns that a line for the model tells.
MAX_TOLD = 30
# Characters of a column that is told.
MAX_NAME = 60

_NUMPY_KINDS = {
    **dict.fromkeys("iufc", "numbers"),
    **dict.fromkeys("mM", "dates"),
    "O": "objects",
}
_PANDAS_KINDS = {"StringDtype": "text", "DatetimeTZDtype": "dates"}


def frame_library(value: object) -> str:
    """Return the library of a value that is exactly its frame; empty for others."""
    for library in ("pandas", "polars"):
        cls = try_loaded(library, "DataFrame")
        if cls is not None and type(value) is cls:
            return library
    return ""


def try_columns(frame: Any) -> list[object] | None:
    """Return the columns of a frame in their order.

    None where there are too many, or where one is not a plain text or number, so that
    comparing it might run code of the user's.
    """
    if frame_library(frame) == "polars":
        return list(frame.columns)
    index = frame.columns
    if not is_of_library(type(index), "pandas") or index.nlevels != 1:
        return None
    if len(index) > MAX_COLUMNS:
        return None
    names: list[object] = index.tolist()
    if not all(map(is_plain_name, names)):
        return None
    return names


def index_names(frame: Any) -> frozenset[object] | None:
    """Return the name of a pandas frame's index; None where it is not plain, or where
    the index has several levels.
    """
    index = frame.index
    if not is_of_library(type(index), "pandas") or index.nlevels > 1:
        return None
    names = [name for name in index.names if name is not None]
    if not all(map(is_plain_name, names)):
        return None
    return frozenset(names)


def kinds_of(frame: Any, names: list[object]) -> dict[object, str]:
    """Return the kinds of a pandas frame's columns, as far as `kind_of` knows them."""
    kinds: dict[object, str] = {}
    dtypes = frame.dtypes.tolist()
    for name, dtype in zip(names, dtypes, strict=False):
        if name in kinds:
            kinds[name] = ""
        else:
            kinds[name] = kind_of(dtype)
    return kinds


def kind_of(dtype: Any) -> str:
    """Return whether a pandas type is of ``numbers``, ``dates``, ``text`` or Python's
    ``objects``; empty for any other.
    """
    cls = type(dtype)
    if is_of_library(cls, "numpy"):
        return _NUMPY_KINDS.get(dtype.kind, "")
    if not is_of_library(cls, "pandas"):
        return ""
    return _PANDAS_KINDS.get(cls.__name__, "")


def is_plain_name(name: object) -> bool:
    """Return whether a name of a column is a plain text or number."""
    return is_exactly(name, str, int)


def quoted_names(names: object) -> str:
    """Return names of columns for the model: the first of them, in quotes."""
    texts = sorted(name for name in names if type(name) is str)  # type: ignore[attr-defined]
    shown = [f"'{text[:MAX_NAME]}'" for text in texts[:MAX_TOLD]]
    more = len(texts) - MAX_TOLD
    if more > 0:
        shown.append(f"… {more:,} more")
    return ", ".join(shown)
