"""Tables and columns, described: pandas, geopandas, polars, pyarrow, dask, Spark.

Only what they know of themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from .text import HEAD, MOST_COLUMNS, count, fields, label, listed, size, table
from .types import (
    Known,
    attributes,
    in_class,
    is_exactly,
    is_of_library,
    loaded,
    name_of,
)

# columns; of a wider frame the types of the rest are not even read
_WIDEST = 2000
# columns of the head
_MOST_SHOWN = 12
_NOT_COMPUTED = "not computed"


# pandas and geopandas


def describe_frame(frame: Any, values: bool) -> str:
    """A pandas or geopandas frame; one of the user's own class is seen through pandas'
    eyes.
    """
    plain, title = _plain(frame, "DataFrame")
    if plain is None:
        return title
    rows, width = plain.shape
    if width > _WIDEST:
        return _wide_frame(plain, title)
    names = [label(name) for name in plain.columns.tolist()]
    dtypes = list(plain.dtypes)
    lines = [f"{title} {_extent(rows, width)}{_bytes_of(dtypes, rows)}"]
    lines += [f"  index: {_index(plain.index)}", *_levels(plain.columns)]
    lines += fields(names, _pandas_types(dtypes)) + _geography(frame)
    return "\n".join(
        lines + (_pandas_head(plain, names, dtypes) if values and rows else [])
    )


def _wide_frame(plain: Any, title: str) -> str:
    first = plain.iloc[:0, :MOST_COLUMNS]
    lines = fields([label(name) for name in first.columns], _pandas_types(first.dtypes))
    rows, width = plain.shape
    return "\n".join(
        [
            f"{title} {_extent(rows, width)}",
            *lines,
            f"  … {width - MOST_COLUMNS:,} more",
        ]
    )


def describe_series(series: Any, values: bool) -> str:
    """A pandas or geopandas series."""
    plain, title = _plain(series, "Series")
    if plain is None:
        return title
    name = f" {label(plain.name)}" if plain.name is not None else ""
    rows = len(plain)
    first = (
        f"{title}{name} {_pandas_type(plain.dtype)}, "
        f"{count(rows, 'row')}{_bytes_of([plain.dtype], rows)}"
    )
    head = (
        _pandas_head(plain.to_frame(), ["value"], [plain.dtype])
        if values and rows
        else []
    )
    return "\n".join([first, f"  index: {_index(plain.index)}", *head])


def describe_index(index: Any, values: bool) -> str:
    """A pandas index that is a variable of its own."""
    text = f"pandas.{_index(index)}, {count(len(index), 'element')}"
    if not values or not _is_readable(index.dtype) or not len(index):
        return text
    return "\n".join([text, *table(["value"], [list(index[:HEAD])])])


def _plain(thing: Any, name: str) -> tuple[Any, str]:
    """The thing as pandas' own class, over the same data, and how to call it; None
    where it cannot be had.
    """
    kind = type(thing)
    own, title = loaded("pandas", name), f"pandas.{name}"
    if kind is own:
        return thing, title
    title = (
        f"geopandas.{kind.__name__}"
        if is_of_library(kind, "geopandas")
        else f"{name_of(kind)} (a {title})"
    )
    data: Any = attributes(thing).get("_mgr")
    view = in_class(own, "_from_mgr")
    if not is_of_library(type(data), "pandas") or not isinstance(view, classmethod):
        return None, title
    plain = view.__get__(None, own)(data, axes=data.axes)
    if name == "Series":
        label_of = attributes(thing).get("_name")
        plain.name = label_of if is_exactly(label_of, str, int, tuple) else None
    return plain, title


def _extent(rows: int, width: int) -> str:
    return f"{count(rows, 'row')} x {count(width, 'column')}"


def _bytes_of(dtypes: Sequence[Any], rows: int) -> str:
    """The size as the types tell it; of what has no fixed size (texts, objects), it
    counts nothing.
    """
    if not rows or not dtypes:
        return ""
    shared = Counter(map(id, dtypes))
    fixed = {
        id(dtype): dtype.itemsize
        for dtype in {id(dtype): dtype for dtype in dtypes}.values()
        if _is_fixed(dtype)
    }
    more = "" if len(fixed) == len(shared) else "over "
    return (
        f" ({more}{size(sum(fixed[one] * shared[one] for one in fixed) * rows)})"
        if fixed
        else ""
    )


def _is_fixed(dtype: Any) -> bool:
    if is_of_library(type(dtype), "numpy"):
        return bool(dtype.kind != "O")
    return type(dtype).__name__ == "DatetimeTZDtype" and is_of_library(
        type(dtype), "pandas"
    )


def _pandas_types(dtypes: Iterable[Any]) -> list[str]:
    """The columns' types; each is worded once, as columns that are stored together
    share theirs.
    """
    dtypes = list(dtypes)
    words = {
        id(dtype): _pandas_type(dtype)
        for dtype in {id(dtype): dtype for dtype in dtypes}.values()
    }
    return [words[id(dtype)] for dtype in dtypes]


def _pandas_type(dtype: Any) -> str:
    """A column's type; of a category only how many there are."""
    kind = type(dtype)
    if is_of_library(kind, "numpy"):
        return _numpy_type(dtype)
    if not is_of_library(kind, "pandas"):
        return str(dtype)[:80] if is_of_library(kind, "geopandas") else name_of(kind)
    if kind.__name__ == "CategoricalDtype":
        categories = dtype.categories
        return (
            f"category, {count(len(categories), 'category', 'categories')}"
            if categories is not None
            else "category"
        )
    return (
        f"Sparse[{_pandas_type(dtype.subtype)}]"
        if kind.__name__ == "SparseDtype"
        else str(dtype)[:80]
    )


@lru_cache(maxsize=256)
def _numpy_type(dtype: Any) -> str:
    """numpy's name of a type, which it works out anew each time."""
    return str(dtype)[:80]


def _index(index: Any) -> str:
    kind = type(index)
    if not is_of_library(kind, "pandas"):
        return name_of(kind)
    if kind.__name__ == "MultiIndex":
        return (
            f"MultiIndex of {count(len(index.names), 'level')}: "
            f"{listed([label(name) for name in index.names])}"
        )
    name = f" {label(index.name)}" if index.name is not None else ""
    dtype = "" if kind.__name__ == "RangeIndex" else f" {_pandas_type(index.dtype)}"
    freq = index.freq if kind.__name__ in ("DatetimeIndex", "TimedeltaIndex") else None
    return f"{kind.__name__}{name}{dtype}{f', freq {freq.freqstr}' if freq is not None else ''}"


def _levels(columns: Any) -> list[str]:
    """A line about the columns' own index, where it has levels."""
    return (
        [f"  columns: {_index(columns)}"]
        if type(columns).__name__ == "MultiIndex"
        else []
    )


def _geography(frame: Any) -> list[str]:
    """Which column holds the geometry, and in what coordinates."""
    active = attributes(frame).get("_geometry_column_name")
    if type(active) is not str or not is_of_library(type(frame), "geopandas"):
        return []
    reference = frame.crs
    return [
        (
            f"  geometry: {label(active)}, "
            f"{label(reference.srs) if reference is not None else 'no crs'}"
        )
    ]


def _is_readable(dtype: Any) -> bool:
    """Whether the values are numpy's or pandas' own, so that to read some runs nobody
    else's code.
    """
    return is_of_library(type(dtype), "numpy") or is_of_library(type(dtype), "pandas")


def _pandas_head(plain: Any, names: Sequence[str], dtypes: Sequence[Any]) -> list[str]:
    shown = [at for at, dtype in enumerate(dtypes) if _is_readable(dtype)][:_MOST_SHOWN]
    head = plain.iloc[:HEAD, shown]
    columns = [head.iloc[:, at].tolist() for at in range(len(shown))]
    titles = [names[at] for at in shown]
    if type(head.index).__name__ != "RangeIndex" and _is_readable(head.index.dtype):
        titles, columns = ["(index)", *titles], [head.index.tolist(), *columns]
    return _head(len(head), titles, columns)


def _head(
    rows: int, names: Sequence[str], columns: Sequence[Sequence[Any]]
) -> list[str]:
    return [f"  first {count(rows, 'row')}:", *table(names, columns)] if names else []


# polars


def describe_polars(frame: Any, values: bool) -> str:
    """A polars frame."""
    schema = frame.schema
    kinds = [polars_type(dtype) for dtype in schema.values()]
    lines = [
        f"polars.DataFrame {_extent(*frame.shape)}",
        *fields([label(name) for name in schema], kinds),
    ]
    if values and frame.height:
        shown = [name for name, dtype in schema.items() if not _holds_objects(dtype)][
            :_MOST_SHOWN
        ]
        head = frame.select(shown).head(HEAD)
        lines += _head(
            head.height,
            [label(name) for name in shown],
            [column.to_list() for column in head],
        )
    return "\n".join(lines)


def describe_polars_series(series: Any, values: bool) -> str:
    """A polars series."""
    text = (
        f"polars.Series {label(series.name)} {polars_type(series.dtype)}, "
        f"{count(len(series), 'row')}"
    )
    if not values or not len(series) or _holds_objects(series.dtype):
        return text
    return "\n".join([text, *table(["value"], [series.head(HEAD).to_list()])])


def describe_polars_lazily(frame: Any, values: bool) -> str:
    """A polars query: to know its columns could be to read files."""
    return f"polars.LazyFrame, {_NOT_COMPUTED}"


def polars_type(dtype: Any) -> str:
    """A column's type; of an enumeration only how many categories there are."""
    name = type(dtype).__name__
    if name == "Enum":
        return f"Enum, {count(len(dtype.categories), 'category', 'categories')}"
    if name in ("List", "Array"):
        return f"{name}({polars_type(dtype.inner)})"
    if name == "Struct":
        return f"Struct({listed([f'{label(field.name)} {polars_type(field.dtype)}' for field in dtype.fields], 10)})"
    return (
        str(dtype)[:80]
        if is_of_library(type(dtype), "polars")
        else name_of(type(dtype))
    )


def _holds_objects(dtype: Any) -> bool:
    return not is_of_library(type(dtype), "polars") or "Object" in str(dtype)


# pyarrow


def describe_arrow(table_of: Any, values: bool) -> str:
    """A pyarrow table or record batch."""
    schema = table_of.schema
    lines = [
        (
            f"{_arrow_name(table_of)} {_extent(table_of.num_rows, len(schema))} "
            f"({size(table_of.nbytes)})"
        )
    ]
    lines += _arrow_fields(schema)
    if values and table_of.num_rows:
        shown = [at for at, field in enumerate(schema) if _is_arrow(field.type)][
            :_MOST_SHOWN
        ]
        head = table_of.slice(0, HEAD)
        columns = [head.column(at).to_pylist() for at in shown]
        lines += _head(
            head.num_rows, [label(schema.field(at).name) for at in shown], columns
        )
    return "\n".join(lines)


def describe_arrow_array(array: Any, values: bool) -> str:
    """A pyarrow array, in one piece or several."""
    text = (
        f"{_arrow_name(array)} {_arrow_type(array.type)}, "
        f"{count(len(array), 'element')} ({size(array.nbytes)})"
    )
    if not values or not len(array) or not _is_arrow(array.type):
        return text
    return "\n".join([text, *table(["value"], [array.slice(0, HEAD).to_pylist()])])


def describe_arrow_schema(schema: Any, values: bool) -> str:
    """A pyarrow schema."""
    return "\n".join(
        [f"pyarrow.Schema, {count(len(schema), 'field')}", *_arrow_fields(schema)]
    )


def describe_arrow_dataset(dataset: Any, values: bool) -> str:
    """A pyarrow dataset: its schema is known, its rows are in files."""
    schema = dataset.schema
    return "\n".join(
        [
            f"{_arrow_name(dataset)} of {count(len(schema), 'column')}, not read",
            *_arrow_fields(schema),
        ]
    )


def _arrow_name(thing: Any) -> str:
    module = "pyarrow.dataset" if "Dataset" in type(thing).__name__ else "pyarrow"
    return f"{module}.{type(thing).__name__}"


def _arrow_fields(schema: Any) -> list[str]:
    return fields(
        [label(field.name) for field in schema],
        [_arrow_type(field.type) for field in schema],
    )


def _arrow_type(kind: Any) -> str:
    return str(kind)[:80] if _is_arrow(kind) else name_of(type(kind))


def _is_arrow(kind: Any) -> bool:
    """Whether a type is pyarrow's own; one of the user's writes and reads itself by
    code of the user's.
    """
    return is_of_library(type(kind), "pyarrow") and not type(kind).__name__.endswith(
        "ExtensionType"
    )


# dask and Spark


def describe_dask(frame: Any, values: bool) -> str:
    """A dask frame or series: what it found out of its columns when it was made."""
    expression = attributes(frame).get("_expr")
    meta: Any = attributes(expression).get("_meta", attributes(frame).get("_meta"))
    lines = [f"dask.dataframe.{type(frame).__name__}, {_NOT_COMPUTED}"]
    if type(meta) is loaded("pandas", "DataFrame"):
        kinds = _pandas_types(meta.dtypes)
        lines[0] = (
            f"dask.dataframe.{type(frame).__name__} of "
            f"{count(len(kinds), 'column')}, {_NOT_COMPUTED}"
        )
        lines += fields([label(name) for name in meta.columns], kinds)
    elif type(meta) is loaded("pandas", "Series"):
        lines.append(f"  {label(meta.name)} {_pandas_type(meta.dtype)}")
    return "\n".join(lines)


def describe_spark(frame: Any, values: bool) -> str:
    """A Spark frame: its columns are known before it is run; one of a remote server is
    not asked for them.
    """
    kept = attributes(frame)
    schema = kept.get("_schema") if "_jdf" not in kept else frame.schema
    first = f"pyspark.sql.DataFrame, {_NOT_COMPUTED}"
    if schema is None or not is_of_library(type(schema), "pyspark"):
        return first
    kinds = [field.dataType.simpleString()[:80] for field in schema.fields]
    lines = fields([label(field.name) for field in schema.fields], kinds)
    return "\n".join(
        [
            f"pyspark.sql.DataFrame of {count(len(kinds), 'column')}, {_NOT_COMPUTED}",
            *lines,
        ]
    )


_ARROW_ARRAYS = ("Array", "ChunkedArray")

KINDS = (
    Known("pandas:DataFrame", describe_frame, subclasses=True),
    Known("pandas:Series", describe_series, subclasses=True),
    Known("pandas:Index", describe_index),
    Known("polars:DataFrame", describe_polars),
    Known("polars:Series", describe_polars_series),
    Known("polars:LazyFrame", describe_polars_lazily),
    Known("pyarrow:Table", describe_arrow),
    Known("pyarrow:RecordBatch", describe_arrow),
    *(Known(f"pyarrow:{name}", describe_arrow_array) for name in _ARROW_ARRAYS),
    Known("pyarrow:Schema", describe_arrow_schema),
    Known("pyarrow.dataset:Dataset", describe_arrow_dataset),
    Known("dask.dataframe:DataFrame", describe_dask),
    Known("dask.dataframe:Series", describe_dask),
    Known("pyspark.sql.dataframe:DataFrame", describe_spark),
    Known("pyspark.sql.classic.dataframe:DataFrame", describe_spark),
    Known("pyspark.sql.connect.dataframe:DataFrame", describe_spark),
)
