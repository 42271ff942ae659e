"""Arrays, described: numpy, torch, xarray, scipy.sparse and dask.

Shape and type, as they stand in the array's head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import HEAD, count, fields, label, listed, size, written
from .types import Known, is_kind, is_of_library, loaded, mro, name_of, raw

_NOT_COMPUTED = "not computed"
# values of an array's head
_MOST_SHOWN = 20


def describe_ndarray(array: Any, values: bool) -> str:
    """A numpy array.

    Read through numpy's own descriptors, so a subclass of the user's is not asked.
    """
    base = loaded("numpy", "ndarray")
    own: Mapping[str, Any] = raw(base)
    shape, dtype, nbytes = (
        own[name].__get__(array) for name in ("shape", "dtype", "nbytes")
    )
    kind = type(array)
    heading = (
        name_of(kind)
        if is_of_library(kind, "numpy")
        else f"{name_of(kind)} (a numpy.ndarray)"
    )
    lines = [
        f"{heading} {_shape(shape)} {_numpy_type(dtype)} ({size(nbytes)})",
        *_record_fields(dtype),
    ]
    if values and kind is base and nbytes and is_of_library(type(dtype), "numpy"):
        lines.append(f"  first values: {_first(array)}")
    return "\n".join(lines)


def _shape(shape: Any) -> str:
    lengths = [f"{length:,}" if type(length) is int else "?" for length in shape]
    return f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''})"


def _numpy_type(dtype: Any) -> str:
    if not is_of_library(type(dtype), "numpy"):
        return name_of(type(dtype))
    return (
        f"records of {count(len(dtype.names), 'field')}" if dtype.names else str(dtype)
    )


def _record_fields(dtype: Any) -> list[str]:
    """The fields of a structured array."""
    if not is_of_library(type(dtype), "numpy") or not dtype.names:
        return []
    return fields(
        [label(name) for name in dtype.names],
        [_numpy_type(dtype.fields[name][0]) for name in dtype.names],
    )


def _first(array: Any) -> str:
    """The first row of the last axis, or the first few; not more is read."""
    while array.ndim > 1:
        array = array[0]
    return written(array.reshape(-1)[:_MOST_SHOWN].tolist(), 600)


def describe_sparse(matrix: Any, values: bool) -> str:
    """A scipy sparse matrix or array; how many values it stores, where that is known
    without counting.
    """
    kind = type(matrix)
    text = f"{name_of(kind)} {_shape(matrix.shape)} {_numpy_type(matrix.dtype)}"
    if matrix.format in ("csr", "csc", "bsr", "coo"):
        stored = matrix.data.size
        cells = max(1, int(matrix.shape[0]) * int(matrix.shape[-1]))
        text = (
            f"{text}, {count(stored, 'stored value')} ({100 * stored / cells:.2g} "
            f"%, {size(matrix.data.nbytes)})"
        )
    return text


def describe_tensor(tensor: Any, values: bool) -> str:
    """A torch tensor; one that is not in main memory is not fetched."""
    shape, dtype, device = tuple(tensor.shape), str(tensor.dtype), str(tensor.device)
    gradient = ", requires grad" if tensor.requires_grad else ""
    text = f"{_torch_name(tensor)} {_shape(shape)} {dtype} on {device}{gradient}"
    if not values or not shape:
        return text
    if device != "cpu":
        return f"{text}, values not fetched"
    return f"{text}\n  first values: {written(tensor.detach().reshape(-1)[:HEAD].tolist())}"


def _torch_name(tensor: Any) -> str:
    return f"torch.{type(tensor).__name__}"


def describe_dask_array(array: Any, values: bool) -> str:
    """A dask array: its chunks are known, its values are not."""
    blocks = " x ".join(f"{len(lengths):,}" for lengths in array.chunks)
    return (
        f"dask.array.Array {_shape(array.shape)} {_numpy_type(array.dtype)}, "
        f"{blocks} blocks, {_NOT_COMPUTED}"
    )


def describe_data_array(array: Any, values: bool) -> str:
    """An xarray array."""
    name = f" {label(array.name)}" if array.name is not None else ""
    lines = [
        f"xarray.DataArray{name} {_variable(array.variable)}",
        *_coordinates(array.coords),
    ]
    data = _data_of(array.variable)
    if values and type(data) is loaded("numpy", "ndarray") and data.size:
        lines.append(f"  first values: {_first(data)}")
    elif values:
        lines.append(f"  values {_NOT_COMPUTED}")
    return "\n".join(lines)


def describe_dataset(dataset: Any, values: bool) -> str:
    """An xarray dataset: its dimensions, variables and coordinates."""
    names = list(dataset.data_vars)
    variables = dataset.variables
    sizes = listed(
        [f"{label(name)} {length:,}" for name, length in dataset.sizes.items()]
    )
    lines = [
        f"xarray.Dataset of {count(len(names), 'variable')}, dimensions: {sizes or 'none'}"
    ]
    lines += fields(
        [label(name) for name in names], [_variable(variables[name]) for name in names]
    )
    return "\n".join(lines + _coordinates(dataset.coords))


def _coordinates(coordinates: Any) -> list[str]:
    names = list(coordinates)
    kinds = [_variable(coordinates[name].variable) for name in names[:HEAD]]
    lines = [
        f"  coordinate {label(name)} {kind}"
        for name, kind in zip(names, kinds, strict=False)
    ]
    return [
        *lines,
        *([f"  … {len(names) - HEAD:,} more coordinates"] if len(names) > HEAD else []),
    ]


def _variable(variable: Any) -> str:
    """Dimensions and type of one variable; what its data are is looked at, not the
    data.
    """
    sizes = ", ".join(
        f"{label(name)} {length:,}" for name, length in variable.sizes.items()
    )
    data = _data_of(variable)
    if not any(
        is_of_library(type(data), library)
        for library in ("numpy", "dask", "xarray", "pandas")
    ):
        return f"({sizes}) {name_of(type(data))}"
    lazily = (
        ""
        if is_of_library(type(data), "numpy") or is_of_library(type(data), "pandas")
        else f", {_NOT_COMPUTED}"
    )
    return f"({sizes}) {_numpy_type(variable.dtype)}{'' if _is_index(variable) else lazily}"


def _data_of(variable: Any) -> Any:
    """The array under an xarray variable, as it is, where a look at ``.data`` would
    load it.
    """
    slot = next(
        (raw(base)["_data"] for base in mro(type(variable)) if "_data" in raw(base)),
        None,
    )
    return slot.__get__(variable) if slot is not None else None


def _is_index(variable: Any) -> bool:
    """Whether it is a coordinate's own index, which is always in memory."""
    index = loaded("xarray", "IndexVariable")
    return type(index) is type and is_kind(variable, index)


KINDS = (
    Known("numpy:ndarray", describe_ndarray, subclasses=True),
    # The base that comes before `dict` in those that are dicts as well.
    Known("scipy.sparse._base:_spbase", describe_sparse),
    Known("scipy.sparse.base:spmatrix", describe_sparse),
    Known("torch:Tensor", describe_tensor),
    Known("dask.array:Array", describe_dask_array),
    Known("xarray:DataArray", describe_data_array),
    Known("xarray:Dataset", describe_dataset),
)
