"""Describe arrays by what their headers say: numpy, scipy.sparse, torch, dask, xarray.

Shapes and types are read, values only on request and only the first few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .text import (
    HEAD,
    column,
    count,
    fields,
    format_value,
    label,
    listed,
    size,
    table,
)
from .types import (
    Describer,
    class_body,
    is_instance,
    is_of_library,
    name_of,
    try_class_attribute,
    try_loaded,
)

_NOT_COMPUTED = "not computed"
# Values of an array that are shown, and the characters for them.
_MAX_SHOWN = 20
_MAX_SHOWN_LENGTH = 600
# The size of a smaller array, in bytes, is not worth saying.
_LARGE = 1_000_000
# Sparse formats of which the number of stored values is known without counting.
_COUNTED_FORMATS = ("csr", "csc", "bsr", "coo")


# numpy and scipy


def describe_ndarray(array: Any, with_values: bool) -> str:
    """Describe a numpy array.

    Reads through numpy's own descriptors, so no code of a user's subclass runs.
    """
    cls = type(array)
    ndarray = try_loaded("numpy", "ndarray")
    body: Mapping[str, Any] = class_body(ndarray)
    dtype = body["dtype"].__get__(array)
    nbytes = body["nbytes"].__get__(array)
    shape = _shape(body["shape"].__get__(array))
    title = name_of(cls)
    if not is_of_library(cls, "numpy"):
        title = f"{title} (a numpy.ndarray)"
    text = f"{title} {shape} {_numpy_type(dtype)}"
    if nbytes >= _LARGE:
        text = f"{text} ({size(nbytes)})"
    lines = [text, *_record_fields(dtype)]
    is_readable = cls is ndarray and is_of_library(type(dtype), "numpy")
    if with_values and is_readable and nbytes:
        if dtype.names:
            lines += _first_records(array)
        else:
            lines.append(f"  first values: {_first_values(array)}")
    return "\n".join(lines)


def describe_sparse(matrix: Any, with_values: bool) -> str:
    """Describe a scipy sparse matrix or array."""
    title = name_of(type(matrix))
    text = f"{title} {_shape(matrix.shape)} {_numpy_type(matrix.dtype)}"
    if matrix.format not in _COUNTED_FORMATS:
        return text
    stored = matrix.data.size
    rows = int(matrix.shape[0])
    columns = int(matrix.shape[-1])
    cells = max(1, rows * columns)
    percent = f"{100 * stored / cells:.2g} %"
    stored_size = size(matrix.data.nbytes)
    return f"{text}, {count(stored, 'stored value')} ({percent}, {stored_size})"


def _shape(shape: Sequence[Any]) -> str:
    lengths = list(map(_length, shape))
    if len(lengths) == 1:
        return f"({lengths[0]},)"
    return f"({', '.join(lengths)})"


def _length(length: Any) -> str:
    # Dask does not know the length of every block, and then has NaN for it.
    return f"{length:,}" if type(length) is int else "?"


def _numpy_type(dtype: Any) -> str:
    if not is_of_library(type(dtype), "numpy"):
        return name_of(type(dtype))
    if dtype.names:
        return f"records of {count(len(dtype.names), 'field')}"
    return str(dtype)


def _record_fields(dtype: Any) -> list[str]:
    """Return the fields of a structured array."""
    if not is_of_library(type(dtype), "numpy") or not dtype.names:
        return []
    names = []
    types = []
    for name in dtype.names:
        field_type = dtype.fields[name][0]
        names.append(column(name))
        types.append(_numpy_type(field_type))
    return fields(names, types, "fields")


def _first_records(array: Any) -> list[str]:
    """Return the first records as a table, with a column for each field."""
    names = array.dtype.names
    head = array.reshape(-1)[:HEAD]
    columns = [head[name].tolist() for name in names]
    return table([label(name) for name in names], columns)


def _first_values(array: Any) -> str:
    """Return the first values along the last axis, reading no others."""
    while array.ndim > 1:
        array = array[0]
    flat = array.reshape(-1)
    values = flat[:_MAX_SHOWN].tolist()
    return format_value(values, _MAX_SHOWN_LENGTH)


# torch and dask


def describe_tensor(tensor: Any, with_values: bool) -> str:
    """Describe a torch tensor; values in a GPU's memory are not fetched."""
    shape = tuple(tensor.shape)
    device = str(tensor.device)
    title = f"torch.{type(tensor).__name__}"
    text = f"{title} {_shape(shape)} {tensor.dtype!s} on {device}"
    if tensor.requires_grad:
        text = f"{text}, requires grad"
    if not with_values or not shape:
        return text
    if device != "cpu":
        return f"{text}, values not fetched"
    flat = tensor.detach().reshape(-1)
    values = flat[:HEAD].tolist()
    return f"{text}\n  first values: {format_value(values)}"


def describe_dask_array(array: Any, with_values: bool) -> str:
    """Describe a dask array, without computing it."""
    blocks = " x ".join(f"{len(lengths):,}" for lengths in array.chunks)
    return (
        f"dask.array.Array {_shape(array.shape)} {_numpy_type(array.dtype)}, "
        f"{blocks} blocks, {_NOT_COMPUTED}"
    )


# xarray


def describe_data_array(array: Any, with_values: bool) -> str:
    """Describe an xarray array; values only where they are in memory."""
    title = "xarray.DataArray"
    if array.name is not None:
        title = f"{title} {label(array.name)}"
    lines = [f"{title} {_variable(array.variable)}", *_coordinates(array.coords)]
    if not with_values:
        return "\n".join(lines)
    data = _data_of(array.variable)
    if type(data) is try_loaded("numpy", "ndarray") and data.size:
        lines.append(f"  first values: {_first_values(data)}")
    else:
        lines.append(f"  values {_NOT_COMPUTED}")
    return "\n".join(lines)


def describe_dataset(dataset: Any, with_values: bool) -> str:
    """Describe an xarray dataset: its dimensions, variables and coordinates."""
    names = list(dataset.data_vars)
    dimensions = listed(_dimensions(dataset.sizes)) or "none"
    title = f"xarray.Dataset of {count(len(names), 'variable')}"
    variables = dataset.variables
    types = [_variable(variables[name]) for name in names]
    columns = [column(name) for name in names]
    lines = [
        f"{title}, dimensions: {dimensions}",
        *fields(columns, types, "variables"),
        *_coordinates(dataset.coords),
    ]
    return "\n".join(lines)


def _coordinates(coordinates: Any) -> list[str]:
    names = list(coordinates)
    lines = []
    for name in names[:HEAD]:
        variable = _variable(coordinates[name].variable)
        lines.append(f"  coordinate {label(name)} {variable}")
    if len(names) > HEAD:
        lines.append(f"  … {len(names) - HEAD:,} more coordinates")
    return lines


def _dimensions(sizes: Mapping[Any, int]) -> list[str]:
    return [f"{label(name)} {length:,}" for name, length in sizes.items()]


def _variable(variable: Any) -> str:
    """Return dimensions and type of a variable, without loading its data."""
    dimensions = ", ".join(_dimensions(variable.sizes))
    data_type = type(_data_of(variable))
    in_memory = _is_of_any(data_type, "numpy", "pandas")
    if not in_memory and not _is_of_any(data_type, "dask", "xarray"):
        return f"({dimensions}) {name_of(data_type)}"
    text = f"({dimensions}) {_numpy_type(variable.dtype)}"
    if in_memory or _is_index(variable):
        return text
    return f"{text}, {_NOT_COMPUTED}"


def _data_of(variable: Any) -> Any:
    """Return the array under an xarray variable; its ``data`` would load it."""
    slot = try_class_attribute(type(variable), "_data")
    if slot is None:
        return None
    return slot.__get__(variable)


def _is_index(variable: Any) -> bool:
    """Return whether a variable is a coordinate's index, which is always in memory."""
    index_type = try_loaded("xarray", "IndexVariable")
    return type(index_type) is type and is_instance(variable, index_type)


def _is_of_any(cls: type, *libraries: str) -> bool:
    return any(is_of_library(cls, library) for library in libraries)


DESCRIBERS = (
    Describer("numpy:ndarray", describe_ndarray, subclasses=True),
    # Some sparse types are dicts as well, but this base comes before `dict`.
    Describer("scipy.sparse._base:_spbase", describe_sparse),
    Describer("scipy.sparse.base:spmatrix", describe_sparse),
    Describer("torch:Tensor", describe_tensor),
    Describer("dask.array:Array", describe_dask_array),
    Describer("xarray:DataArray", describe_data_array),
    Describer("xarray:Dataset", describe_dataset),
)
