"""Descriptions of arrays and tensors."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
import xarray as xr

from codebuddy_jupyter.context.describe import Describers
from tests.support.torch_stand_in import torch_with


class Signal(np.ndarray):
    """An array of the user's."""

    def __array_finalize__(self, other: Any) -> None:
        self.__dict__["made"] = True


def dataset() -> xr.Dataset:
    return xr.Dataset({"t": (("x", "y"), np.zeros((3, 4)))}, coords={"x": [1, 2, 3]})


SCHEMAS: dict[str, tuple[Any, str]] = {
    "an array": (
        lambda: np.zeros((1000, 3)),
        "numpy.ndarray (1,000, 3) float64",
    ),
    "one axis": (lambda: np.zeros(3, dtype="int8"), "numpy.ndarray (3,) int8"),
    "no axis": (lambda: np.array(1.0), "numpy.ndarray () float64"),
    "records": (
        lambda: np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]),
        "numpy.ndarray (2,) records of 2 fields\n  fields: 'a' int32, 'b' float64",
    ),
    "masked": (
        lambda: np.ma.masked_array([1], dtype="i8"),
        "numpy.ma.MaskedArray (1,) int64",
    ),
    "of the user's class": (
        lambda: np.zeros(3).view(Signal),
        "tests.test_describe_arrays.Signal (a numpy.ndarray) (3,) float64",
    ),
    "a scalar": (lambda: np.float64(3), "numpy.float64"),
    "sparse": (
        lambda: sp.csr_matrix(np.eye(4)),
        "scipy.sparse.csr_matrix (4, 4) float64, 4 stored values (25 %, 32 B)",
    ),
    "sparse, not counted": (
        lambda: sp.dok_array((3, 3)),
        "scipy.sparse.dok_array (3, 3) float64",
    ),
    "dask": (
        lambda: da.zeros((10, 10), chunks=5),
        "dask.array.Array (10, 10) float64, 2 x 2 blocks, not computed",
    ),
    "a data array": (
        lambda: dataset()["t"],
        "xarray.DataArray t (x 3, y 4) float64\n  coordinate x (x 3) int64",
    ),
    "a lazy data array": (
        lambda: dataset().chunk()["t"],
        "xarray.DataArray t (x 3, y 4) float64, not computed\n  coordinate x (x 3) int64",
    ),
    "a dataset": (
        dataset,
        (
            "xarray.Dataset of 1 variable, dimensions: x 3, y 4\n"
            "  variables: 't' (x 3, y 4) float64\n  coordinate x (x 3) int64"
        ),
    ),
}


@pytest.mark.parametrize(("make", "text"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_has_shapes_and_types(make: Any, text: str) -> None:
    assert Describers().schema(make()) == text


VALUES: dict[str, tuple[Any, str]] = {
    "an array": (lambda: np.arange(4), "first values: [0, 1, 2, 3]"),
    "two axes": (lambda: np.arange(4).reshape(2, 2), "first values: [0, 1]"),
    "objects": (lambda: np.array([object()]), "first values: [<object>]"),
    "a scalar": (lambda: np.float64(3), "= 3.0"),
    "a moment": (lambda: np.datetime64("2026-01-01"), "= 2026-01-01"),
    "a data array": (lambda: dataset()["t"], "first values: [0.0, 0.0, 0.0, 0.0]"),
    "a lazy data array": (lambda: dataset().chunk()["t"], "values not computed"),
}


@pytest.mark.parametrize(("make", "line"), VALUES.values(), ids=VALUES)
def test_values_are_the_first(make: Any, line: str) -> None:
    assert Describers().values(make()).splitlines()[-1].strip() == line


def test_an_empty_array_has_no_first_values() -> None:
    for array in (np.zeros(0), np.zeros((3, 0)), np.zeros((0, 3))):
        assert Describers().values(array) == Describers().schema(array)


def test_a_tensor_has_shape_type_and_device(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = torch_with(monkeypatch).Tensor()
    assert Describers().schema(tensor) == "torch.Tensor (2, 3) torch.float32 on cpu"
    assert (
        Describers()
        .values(tensor)
        .endswith("\n  first values: [0.0, 1.0, 2.0, 3.0, 4.0]")
    )


def test_a_tensor_on_a_device_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = torch_with(monkeypatch, "cuda:0").Tensor()
    assert (
        Describers().values(tensor)
        == "torch.Tensor (2, 3) torch.float32 on cuda:0, values not fetched"
    )
