"""Recognises what a map is given, by the libraries that are loaded; none is imported."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any

from ...errors import PromptError, Remedy
from .arrow import ArrowColumn, ArrowTable, DuckRelation
from .frames import PandasFrame, PandasSeries, PolarsFrame, PolarsSeries
from .sources import DictSource, IterableSource, Source, checked

# The source of each class of a library.
_SOURCES: Mapping[str, Mapping[str, Any]] = {
    "pandas": {
        "DataFrame": PandasFrame,
        "Series": PandasSeries,
    },
    "polars": {
        "DataFrame": PolarsFrame,
        "Series": PolarsSeries,
    },
    "pyarrow": {
        "Table": ArrowTable,
        "RecordBatch": ArrowTable,
        "ChunkedArray": ArrowColumn,
        "Array": ArrowColumn,
    },
    "duckdb": {"DuckDBPyRelation": DuckRelation},
}


def sample_of(items: Any, count: int) -> Any:
    """Return the first rows of an input, in its own kind."""
    if is_of_library(items, "pandas", "polars", "duckdb"):
        # Of pandas and polars, and of DuckDB.
        for method in ("head", "limit"):
            if hasattr(items, method):
                return getattr(items, method)(count)
    if is_of_library(items, "pyarrow"):
        return items.slice(0, count)
    if isinstance(items, dict):
        return dict(islice(items.items(), count))
    return list(islice(checked(items), count))


def is_of_library(items: Any, *libraries: str) -> bool:
    """Return whether an object is of a class of one of these libraries, or of one
    derived from it.
    """
    for cls in type(items).__mro__:
        library = cls.__module__.partition(".")[0]
        if library.lstrip("_") in libraries:
            return True
    return False


def source_of(items: Any) -> Source:
    """Return the rows of an input.

    Raises
    ------
    PromptError
        If it has none.
    """
    for library, sources in _SOURCES.items():
        module = sys.modules.get(library)
        for name, source in sources.items():
            cls = getattr(module, name, None)
            if isinstance(cls, type) and isinstance(items, cls):
                found: Source = source(items, module)
                return found
    polars = sys.modules.get("polars")
    lazy = getattr(polars, "LazyFrame", None)
    if isinstance(lazy, type) and isinstance(items, lazy):
        collect = Remedy("Collect it first", "buddy.map(frame.collect(), …)")
        raise PromptError("A LazyFrame of polars has no rows yet.", collect)
    if isinstance(items, dict):
        return DictSource(items)
    return IterableSource(checked(items))
