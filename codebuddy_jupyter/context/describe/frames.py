"""Describe tables and columns: pandas, geopandas, polars, pyarrow, dask, Spark.

Reads what these objects know about themselves; computes nothing over their data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from .text import (
    HEAD,
    MAX_COLUMNS,
    column,
    count,
    fields,
    label,
    listed,
    size,
    table,
)
from .types import (
    Describer,
    instance_dict,
    is_exactly,
    is_of_library,
    name_of,
    try_class_attribute,
    try_loaded,
)

# Of a wider frame, the types of the other columns are not even read.
_MAX_WIDTH = 2000
# Columns whose first values are shown.
_MAX_SHOWN = 12
# Characters of a type.
_MAX_TYPE = 80
_NOT_COMPUTED = "not computed"


def _extent(rows: int, width: int) -> str:
    return f"{count(rows, 'row')} x {count(width, 'column')}"


def _head(
    rows: int, names: Sequence[str], columns: Sequence[Sequence[Any]]
) -> list[str]:
    """Return a table with the first rows; nothing where no column can be shown."""
    if not names:
        return []
    return [f"  first {count(rows, 'row')}:", *table(names, columns)]


def _one_column(values: Sequence[Any], name: Any = None) -> list[str]:
    """Return the values under their name, by which secrets are redacted."""
    if name is None or name == "":
        return table(["value"], [values])
    return table([label(name)], [values])


# pandas and geopandas


def describe_frame(frame: Any, with_values: bool) -> str:
    """Describe a pandas or geopandas frame, or one of a subclass as pandas sees it."""
    plain, title = _as_pandas(frame, "DataFrame")
    if plain is None:
        return title
    rows, width = plain.shape
    if width > _MAX_WIDTH:
        return _describe_wide_frame(plain, title)
    columns = plain.columns.tolist()
    dtypes = list(plain.dtypes)
    lines = [f"{title} {_extent(rows, width)}"]
    lines += _index_line(plain.index)
    lines += fields(_column_names(columns), _pandas_types(dtypes))
    lines += _geometry(frame)
    if with_values and rows:
        names = [label(name) for name in columns]
        lines += _pandas_head(plain, names, dtypes)
    return "\n".join(lines)


def _column_names(names: Sequence[Any]) -> list[str]:
    """Return the names of columns as code writes them; of texts these are remembered."""
    named = []
    for name in names:
        # Not a subclass, whose hash may be the user's code.
        if type(name) is str:
            named.append(_text_column(name))
        else:
            named.append(column(name))
    return named


@lru_cache(maxsize=4096)
def _text_column(name: str) -> str:
    return column(name)


def _describe_wide_frame(plain: Any, title: str) -> str:
    rows, width = plain.shape
    first = plain.iloc[:0, :MAX_COLUMNS]
    names = [column(name) for name in first.columns]
    lines = [f"{title} {_extent(rows, width)}"]
    lines += fields(names, _pandas_types(first.dtypes))
    lines.append(f"  … {width - MAX_COLUMNS:,} more")
    return "\n".join(lines)


def describe_series(series: Any, with_values: bool) -> str:
    """Describe a pandas or geopandas series."""
    plain, title = _as_pandas(series, "Series")
    if plain is None:
        return title
    name = "value"
    if plain.name is not None:
        name = label(plain.name)
        title = f"{title} {name}"
    rows = len(plain)
    dtypes = [plain.dtype]
    lines = [f"{title} {_pandas_type(plain.dtype)}, {count(rows, 'row')}"]
    lines += _index_line(plain.index)
    if with_values and rows:
        lines += _pandas_head(plain.to_frame(), [name], dtypes)
    return "\n".join(lines)


def describe_index(index: Any, with_values: bool) -> str:
    """Describe a pandas index that is a variable."""
    cls = type(index)
    if not is_of_library(cls, "pandas"):
        return name_of(cls)
    title = f"pandas.{cls.__name__} {_index(index)}"
    text = f"{title}, {count(len(index), 'element')}"
    if not with_values:
        return text
    if not _is_readable(index.dtype) or not len(index):
        return text
    titles, columns = _index_columns(index[:HEAD])
    lines = [text, *table(titles, columns)]
    return "\n".join(lines)


def _index_columns(index: Any) -> tuple[list[str], list[list[Any]]]:
    """Return the values of an index as columns, one for each level."""
    if type(index).__name__ == "MultiIndex":
        numbers = range(index.nlevels)
        # The public method would take a number for the name of a level first, and
        # compare it with names, which can be of the user's own classes.
        levels = [index._get_level_values(number) for number in numbers]
    else:
        levels = [index]
    titles = []
    columns = []
    for level in levels:
        if not _is_readable(level.dtype):
            continue
        title = "(index)"
        if level.name is not None:
            title = label(level.name)
        titles.append(title)
        columns.append(level.tolist())
    return titles, columns


def _as_pandas(value: Any, name: str) -> tuple[Any, str]:
    """Return a frame or series of pandas' own class over the same data, and a title.

    An instance of a user's subclass is not used itself, since that would run its code.
    None instead of the frame where it cannot be made.
    """
    cls = type(value)
    pandas_class = try_loaded("pandas", name)
    title = f"pandas.{name}"
    if cls is pandas_class:
        return value, title
    if is_of_library(cls, "geopandas"):
        title = f"geopandas.{cls.__name__}"
    else:
        title = f"{name_of(cls)} (a {title})"
    manager: Any = instance_dict(value).get("_mgr")
    from_manager = try_class_attribute(pandas_class, "_from_mgr")
    if not is_of_library(type(manager), "pandas"):
        return None, title
    if not isinstance(from_manager, classmethod):
        return None, title
    make = from_manager.__get__(None, pandas_class)
    plain = make(manager, axes=manager.axes)
    if name == "Series":
        series_name = instance_dict(value).get("_name")
        is_safe = is_exactly(series_name, str, int, tuple)
        plain.name = series_name if is_safe else None
    return plain, title


def _pandas_types(dtypes: Iterable[Any]) -> list[str]:
    """Return the columns' types; each dtype that columns share is formatted once."""
    dtypes = list(dtypes)
    names: dict[int, str] = {}
    for dtype in dtypes:
        if id(dtype) not in names:
            names[id(dtype)] = _pandas_type(dtype)
    return [names[id(dtype)] for dtype in dtypes]


def _pandas_type(dtype: Any) -> str:
    """Return a column's type; of categories only how many there are."""
    cls = type(dtype)
    if is_of_library(cls, "numpy"):
        return _numpy_type(dtype)
    if is_of_library(cls, "geopandas"):
        return str(dtype)[:_MAX_TYPE]
    if not is_of_library(cls, "pandas"):
        return name_of(cls)
    if cls.__name__ == "CategoricalDtype":
        if dtype.categories is None:
            return "category"
        return f"category ({_categories(dtype)})"
    if cls.__name__ == "SparseDtype":
        return f"Sparse[{_pandas_type(dtype.subtype)}]"
    return str(dtype)[:_MAX_TYPE]


def _categories(dtype: Any) -> str:
    return count(len(dtype.categories), "category", "categories")


@lru_cache(maxsize=256)
def _numpy_type(dtype: Any) -> str:
    # Cached, since numpy works out the name each time.
    return str(dtype)[:_MAX_TYPE]


def _index_line(index: Any) -> list[str]:
    """Return a line about the index of a frame; none where it only counts the rows."""
    cls = type(index)
    if not is_of_library(cls, "pandas"):
        return [f"  index {name_of(cls)}"]
    if cls.__name__ == "RangeIndex" and index.name is None:
        return []
    return [f"  index {_index(index)}"]


def _index(index: Any) -> str:
    """Return the name and the type of an index of pandas', or of each level."""
    cls = type(index)
    if cls.__name__ == "MultiIndex":
        names = [label(name) for name in index.names]
        return f"of {count(len(names), 'level')}: {listed(names)}"
    text = _pandas_type(index.dtype)
    if index.name is not None:
        text = f"{label(index.name)} {text}"
    has_frequency = cls.__name__ in ("DatetimeIndex", "TimedeltaIndex")
    if has_frequency and index.freq is not None:
        text = f"{text}, freq {index.freq.freqstr}"
    return text


def _geometry(frame: Any) -> list[str]:
    """Return which column of a geopandas frame holds the geometry, and its system."""
    column = instance_dict(frame).get("_geometry_column_name")
    if type(column) is not str:
        return []
    if not is_of_library(type(frame), "geopandas"):
        return []
    crs = "no crs"
    if frame.crs is not None:
        crs = label(frame.crs.srs)
    return [f"  geometry: {label(column)}, {crs}"]


def _is_readable(dtype: Any) -> bool:
    """Return whether values are numpy's or pandas' own, so that no other code runs."""
    cls = type(dtype)
    return is_of_library(cls, "numpy") or is_of_library(cls, "pandas")


def _pandas_head(plain: Any, names: Sequence[str], dtypes: Sequence[Any]) -> list[str]:
    readable = []
    for index, dtype in enumerate(dtypes):
        if _is_readable(dtype):
            readable.append(index)
    shown = readable[:_MAX_SHOWN]
    head = plain.iloc[:HEAD, shown]
    titles = [names[index] for index in shown]
    columns = []
    for position in range(len(shown)):
        # By position, since columns can share a name.
        column = head.iloc[:, position]
        columns.append(column.tolist())
    is_range = type(head.index).__name__ == "RangeIndex"
    if not is_range and is_of_library(type(head.index), "pandas"):
        index_titles, index_columns = _index_columns(head.index)
        titles = index_titles + titles
        columns = index_columns + columns
    return _head(len(head), titles, columns)


# polars


def describe_polars(frame: Any, with_values: bool) -> str:
    """Describe a polars frame."""
    schema = frame.schema
    types = [polars_type(dtype) for dtype in schema.values()]
    names = [column(name) for name in schema]
    lines = [f"polars.DataFrame {_extent(*frame.shape)}"]
    lines += fields(names, types)
    if with_values and frame.height:
        lines += _polars_head(frame)
    return "\n".join(lines)


def _polars_head(frame: Any) -> list[str]:
    readable = []
    for name, dtype in frame.schema.items():
        if not _holds_objects(dtype):
            readable.append(name)
    shown = readable[:_MAX_SHOWN]
    head = frame.select(shown).head(HEAD)
    titles = [label(name) for name in shown]
    columns = [column.to_list() for column in head]
    return _head(head.height, titles, columns)


def describe_polars_series(series: Any, with_values: bool) -> str:
    """Describe a polars series."""
    rows = count(len(series), "row")
    text = f"polars.Series {label(series.name)} {polars_type(series.dtype)}, {rows}"
    if not with_values or not len(series):
        return text
    if _holds_objects(series.dtype):
        return text
    values = series.head(HEAD).to_list()
    lines = [text, *_one_column(values, series.name)]
    return "\n".join(lines)


def describe_polars_lazily(frame: Any, with_values: bool) -> str:
    """Describe a polars query; to know its columns, polars may read files."""
    return f"polars.LazyFrame, {_NOT_COMPUTED}"


def polars_type(dtype: Any) -> str:
    """Return a column's type; of an enumeration only how many categories it has."""
    name = type(dtype).__name__
    if name == "Enum":
        return f"Enum ({_categories(dtype)})"
    if name in ("List", "Array"):
        return f"{name}({polars_type(dtype.inner)})"
    if name == "Struct":
        words = []
        for field in dtype.fields:
            words.append(f"{label(field.name)} {polars_type(field.dtype)}")
        return f"Struct({listed(words, limit=10)})"
    if name == "Datetime" and dtype.time_zone is None:
        return name
    if is_of_library(type(dtype), "polars"):
        return str(dtype)[:_MAX_TYPE]
    return name_of(type(dtype))


def _holds_objects(dtype: Any) -> bool:
    if not is_of_library(type(dtype), "polars"):
        return True
    return "Object" in str(dtype)


# pyarrow


def describe_arrow(arrow_table: Any, with_values: bool) -> str:
    """Describe a pyarrow table or record batch."""
    schema = arrow_table.schema
    rows = arrow_table.num_rows
    title = f"{_arrow_name(arrow_table)} {_extent(rows, len(schema))}"
    lines = [title, *_arrow_fields(schema)]
    if with_values and rows:
        lines += _arrow_head(arrow_table)
    return "\n".join(lines)


def _arrow_head(arrow_table: Any) -> list[str]:
    schema = arrow_table.schema
    readable = []
    for index, arrow_type in enumerate(schema.types):
        if _is_arrow_type(arrow_type):
            readable.append(index)
    shown = readable[:_MAX_SHOWN]
    head = arrow_table.slice(0, HEAD)
    names = [schema.field(index).name for index in shown]
    titles = [label(name) for name in names]
    columns = [head.column(index).to_pylist() for index in shown]
    return _head(head.num_rows, titles, columns)


def describe_arrow_array(array: Any, with_values: bool) -> str:
    """Describe a pyarrow array or chunked array."""
    extent = f"{count(len(array), 'element')} ({size(array.nbytes)})"
    text = f"{_arrow_name(array)} {_arrow_type(array.type)}, {extent}"
    if not with_values or not len(array):
        return text
    if not _is_arrow_type(array.type):
        return text
    values = array.slice(0, HEAD).to_pylist()
    lines = [text, *_one_column(values)]
    return "\n".join(lines)


def describe_arrow_schema(schema: Any, with_values: bool) -> str:
    """Describe a pyarrow schema."""
    title = f"pyarrow.Schema, {count(len(schema), 'field')}"
    lines = [title, *_arrow_fields(schema)]
    return "\n".join(lines)


def describe_arrow_dataset(dataset: Any, with_values: bool) -> str:
    """Describe a pyarrow dataset by its schema, without reading its files."""
    schema = dataset.schema
    width = count(len(schema), "column")
    title = f"{_arrow_name(dataset)} of {width}, not read"
    lines = [title, *_arrow_fields(schema)]
    return "\n".join(lines)


def _arrow_name(value: Any) -> str:
    name = type(value).__name__
    if "Dataset" in name:
        return f"pyarrow.dataset.{name}"
    return f"pyarrow.{name}"


def _arrow_fields(schema: Any) -> list[str]:
    names = [column(field.name) for field in schema]
    types = [_arrow_type(field.type) for field in schema]
    return fields(names, types)


def _arrow_type(arrow_type: Any) -> str:
    if _is_arrow_type(arrow_type):
        return str(arrow_type)[:_MAX_TYPE]
    return name_of(type(arrow_type))


def _is_arrow_type(arrow_type: Any) -> bool:
    """Return whether a type is pyarrow's; an extension type runs code of the user's."""
    cls = type(arrow_type)
    is_extension = cls.__name__.endswith("ExtensionType")
    return is_of_library(cls, "pyarrow") and not is_extension


# dask and Spark


def describe_dask(frame: Any, with_values: bool) -> str:
    """Describe a dask frame or series by the columns that dask inferred."""
    attributes = instance_dict(frame)
    title = f"dask.dataframe.{type(frame).__name__}"
    expression = attributes.get("_expr")
    own_meta = attributes.get("_meta")
    meta: Any = instance_dict(expression).get("_meta", own_meta)
    if type(meta) is try_loaded("pandas", "DataFrame"):
        types = _pandas_types(meta.dtypes)
        lines = [f"{title} of {count(len(types), 'column')}, {_NOT_COMPUTED}"]
        names = [column(name) for name in meta.columns]
        lines += fields(names, types)
        return "\n".join(lines)
    text = f"{title}, {_NOT_COMPUTED}"
    if type(meta) is try_loaded("pandas", "Series"):
        return f"{text}\n  {label(meta.name)} {_pandas_type(meta.dtype)}"
    return text


def describe_spark(frame: Any, with_values: bool) -> str:
    """Describe a Spark frame by its columns; those of a remote server are not fetched."""
    attributes = instance_dict(frame)
    # A frame with a `_jdf` is local.
    if "_jdf" in attributes:
        schema = frame.schema
    else:
        schema = attributes.get("_schema")
    title = "pyspark.sql.DataFrame"
    if schema is None or not is_of_library(type(schema), "pyspark"):
        return f"{title}, {_NOT_COMPUTED}"
    names = []
    types = []
    for field in schema.fields:
        type_name = field.dataType.simpleString()
        names.append(column(field.name))
        types.append(type_name[:_MAX_TYPE])
    lines = [f"{title} of {count(len(types), 'column')}, {_NOT_COMPUTED}"]
    lines += fields(names, types)
    return "\n".join(lines)


DESCRIBERS = (
    Describer("pandas:DataFrame", describe_frame, subclasses=True),
    Describer("pandas:Series", describe_series, subclasses=True),
    Describer("pandas:Index", describe_index),
    Describer("polars:DataFrame", describe_polars),
    Describer("polars:Series", describe_polars_series),
    Describer("polars:LazyFrame", describe_polars_lazily),
    Describer("pyarrow:Table", describe_arrow),
    Describer("pyarrow:RecordBatch", describe_arrow),
    Describer("pyarrow:Array", describe_arrow_array),
    Describer("pyarrow:ChunkedArray", describe_arrow_array),
    Describer("pyarrow:Schema", describe_arrow_schema),
    Describer("pyarrow.dataset:Dataset", describe_arrow_dataset),
    Describer("dask.dataframe:DataFrame", describe_dask),
    Describer("dask.dataframe:Series", describe_dask),
    Describer("pyspark.sql.dataframe:DataFrame", describe_spark),
    Describer("pyspark.sql.classic.dataframe:DataFrame", describe_spark),
    Describer("pyspark.sql.connect.dataframe:DataFrame", describe_spark),
)
