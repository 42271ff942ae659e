"""Descriptions of tables and columns.

Spark is too large to install for a test: small classes replace it.
"""

from __future__ import annotations

import collections
import sys
import types
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pytest

from codebuddy_jupyter.context.describe import Describers
from codebuddy_jupyter.secrets.redactor import redact

SECRET = "hunter2"


class Sales(pd.DataFrame):
    """A frame of the user's."""

    @property
    def _constructor(self) -> Any:
        raise KeyboardInterrupt

    def __len__(self) -> int:
        raise KeyboardInterrupt


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "price": [1.5, 2.0, np.nan],
            "city": pd.Categorical([SECRET, "y", SECRET]),
            "when": pd.date_range("2026", periods=3, tz="UTC", unit="ns"),
            "what": np.array([SECRET, {"a": 1}, object()], dtype=object),
        }
    )


def dask_of(data: Any) -> Any:
    make: Any = dd.from_pandas
    return make(data, npartitions=2)


def polars_frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "n": [1, 2],
            "level": pl.Series([SECRET, "y"], dtype=pl.Enum([SECRET, "y"])),
            "levels": pl.Series(
                [[SECRET], ["y"]], dtype=pl.List(pl.Enum([SECRET, "y"]))
            ),
            "record": [{"a": SECRET}, {"a": "y"}],
        }
    )


COLUMNS = (
    "  columns: 'price' float64, 'city' category (2 categories), "
    "'when' datetime64[ns, UTC], 'what' object"
)
SCHEMAS: dict[str, tuple[Any, str]] = {
    "a frame": (
        frame,
        f"pandas.DataFrame 3 rows x 4 columns\n{COLUMNS}",
    ),
    "no rows": (
        lambda: frame()[:0],
        f"pandas.DataFrame 0 rows x 4 columns\n{COLUMNS}",
    ),
    "nothing at all": (
        pd.DataFrame,
        "pandas.DataFrame 0 rows x 0 columns",
    ),
    "a frame of the user's class": (
        lambda: Sales({"a": [1]}),
        (
            "tests.test_describe_frames.Sales (a pandas.DataFrame) 1 row x 1 "
            "column\n  columns: 'a' int64"
        ),
    ),
    "an index of dates": (
        lambda: frame()[["price", "when"]].set_index("when"),
        (
            "pandas.DataFrame 3 rows x 1 column\n"
            "  index when datetime64[ns, UTC]\n  columns: 'price' float64"
        ),
    ),
    "an index with a frequency": (
        lambda: pd.Series(
            [1.0], index=pd.date_range("2026", periods=1, freq="D", unit="ns")
        ),
        "pandas.Series float64, 1 row\n  index datetime64[ns], freq D",
    ),
    "levels": (
        lambda: pd.DataFrame(
            {("a", "x"): [1.0], ("a", "y"): [2.0]},
            index=pd.MultiIndex.from_arrays([[1], [SECRET]]),
        ),
        "pandas.DataFrame 1 row x 2 columns\n  index of 2 levels: None, None\n"
        "  columns: ('a', 'x') float64, ('a', 'y') float64",
    ),
    "a series": (
        lambda: frame()["city"],
        "pandas.Series city category (2 categories), 3 rows",
    ),
    "an index": (
        lambda: pd.Index([1, 2], name="id"),
        "pandas.Index id int64, 2 elements",
    ),
    "a polars frame": (
        polars_frame,
        "polars.DataFrame 2 rows x 4 columns\n  columns: 'n' Int64, 'level' Enum (2 categories), "
        "'levels' List(Enum (2 categories)), 'record' Struct(a String)",
    ),
    "a polars series": (
        lambda: pl.Series("n", [1, 2]),
        "polars.Series n Int64, 2 rows",
    ),
    "a polars query": (lambda: polars_frame().lazy(), "polars.LazyFrame, not computed"),
    "an arrow table": (
        lambda: pa.table(
            {"n": pa.array([1, 2]), "s": pa.array([SECRET, "y"]).dictionary_encode()}
        ),
        (
            "pyarrow.Table 2 rows x 2 columns\n  columns: 'n' int64, "
            "'s' dictionary<values=string, indices=int32, ordered=0>"
        ),
    ),
    "an arrow array": (
        lambda: pa.array([1, 2]),
        "pyarrow.Int64Array int64, 2 elements (16 B)",
    ),
    "arrow chunks": (
        lambda: pa.chunked_array([[1], [2]]),
        "pyarrow.ChunkedArray int64, 2 elements (16 B)",
    ),
    "an arrow schema": (
        lambda: pa.schema([("n", pa.int64())]),
        "pyarrow.Schema, 1 field\n  columns: 'n' int64",
    ),
    "a dask frame": (
        lambda: dask_of(frame()[["price"]]),
        "dask.dataframe.DataFrame of 1 column, not computed\n  columns: 'price' float64",
    ),
    "a dask series": (
        lambda: dask_of(frame()["price"]),
        "dask.dataframe.Series, not computed\n  price float64",
    ),
    "places": (
        lambda: gpd.GeoDataFrame(
            {"n": [1]}, geometry=gpd.points_from_xy([1], [2]), crs="EPSG:4326"
        ),
        "geopandas.GeoDataFrame 1 row x 2 columns\n"
        "  columns: 'n' int64, 'geometry' geometry\n"
        "  geometry: geometry, EPSG:4326",
    ),
}


@pytest.mark.parametrize(("make", "text"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_has_columns_and_types_and_no_value(make: Any, text: str) -> None:
    assert Describers().schema(make()) == text
    assert SECRET not in text


def test_of_many_columns_the_first_are_named_and_the_rest_counted() -> None:
    columns = {f"f{i}": np.zeros(1) for i in range(140)} | {
        f"i{i}": np.zeros(1, dtype=np.int64) for i in range(60)
    }
    text = Describers().schema(pd.DataFrame(columns))
    assert text.startswith(
        "pandas.DataFrame 1 row x 200 columns\n  columns: float64 ('f0', 'f1', "
    )
    assert text.endswith("'f39'), … 160 more: 100 float64, 60 int64")
    assert len(text) <= 1500


def test_of_very_many_columns_not_even_the_types_are_read() -> None:
    text = Describers().schema(pd.DataFrame(np.zeros((1, 100_000))))
    assert text.startswith(
        "pandas.DataFrame 1 row x 100,000 columns\n  columns: float64 (0, 1, "
    )
    assert text.endswith(", 39)\n  … 99,960 more")


HEADS: dict[str, tuple[Any, list[str]]] = {
    "a frame": (
        lambda: frame()[["price", "city", "what"]],
        [
            "first 3 rows:",
            "price | city | what",
            "1.5 | hunter2 | hunter2",
            "2.0 | y | {'a': 1}",
            "nan | hunter2 | <object>",
        ],
    ),
    "a frame of many rows": (
        lambda: pd.DataFrame({"a": range(10)}),
        ["first 5 rows:", "| a", "| 0", "| 1", "| 2", "| 3", "| 4"],
    ),
    "a series with its index": (
        lambda: pd.Series([1, 2], index=["x", "y"]),
        ["first 2 rows:", "(index) | value", "x | 1", "y | 2"],
    ),
    "polars": (
        lambda: polars_frame()[["n", "level"]],
        ["first 2 rows:", "n | level", "1 | hunter2", "2 | y"],
    ),
    "arrow": (lambda: pa.table({"n": [1, 2]}), ["first 2 rows:", "| n", "| 1", "| 2"]),
    "a long text": (
        lambda: pd.Series(["x" * 100]),
        ["first 1 row:", "| value", "| " + "x" * 39 + "…"],
    ),
}


@pytest.mark.parametrize(("make", "head"), HEADS.values(), ids=HEADS)
def test_values_are_the_first_rows(make: Any, head: list[str]) -> None:
    lines = [line.strip() for line in Describers().values(make()).splitlines()]
    assert lines[-len(head) :] == head


def test_what_is_lazy_stays_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def never(*args: Any, **kwargs: Any) -> Any:
        raise KeyboardInterrupt

    lazy = [
        dask_of(frame()[["price"]]).map_partitions(lambda part: part),
        pl.LazyFrame({"a": [1]}),
    ]
    lazy.append(pl.scan_csv(tmp_path / "missing.csv"))
    for name in ("compute", "__len__", "head", "divisions", "npartitions"):
        monkeypatch.setattr(dd.DataFrame, name, never)
    for name in ("collect", "collect_schema", "explain", "fetch"):
        monkeypatch.setattr(pl.LazyFrame, name, never, raising=False)
    for value in lazy:
        assert "not computed" in Describers().schema(value)
        assert Describers().values(value) == Describers().schema(value)


def test_an_arrow_dataset_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    pyarrow.csv.write_csv(pa.table({"n": [1, 2]}), file)
    dataset = pyarrow.dataset.dataset(file, format="csv")
    file.unlink()
    assert (
        Describers().values(dataset)
        == "pyarrow.dataset.FileSystemDataset of 1 column, not read\n  columns: 'n' int64"
    )


def spark(monkeypatch: pytest.MonkeyPatch, module: str, **kept: Any) -> Any:
    """Return a replacement for a Spark frame, in the module of the real class."""

    class DataFrame:
        @property
        def schema(self) -> Any:
            return vars(self)["_schema"]

        def __getattr__(self, name: str) -> Any:
            raise KeyboardInterrupt

    class Kind:
        def simpleString(self) -> str:
            return "bigint"

    class StructType:
        fields = (types.SimpleNamespace(name="id", dataType=Kind()),)

    sql, types_module = types.ModuleType(module), types.ModuleType("pyspark.sql.types")
    for cls, home in ((DataFrame, sql), (StructType, types_module)):
        cls.__module__, cls.__qualname__ = home.__name__, cls.__name__
        home.__dict__[cls.__name__] = cls
        monkeypatch.setitem(sys.modules, home.__name__, home)
    made = DataFrame()
    vars(made).update(_schema=StructType(), **kept)
    return made


@pytest.mark.parametrize(
    "module", ["pyspark.sql.dataframe", "pyspark.sql.classic.dataframe"]
)
def test_a_spark_frame_has_its_columns(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    value = spark(monkeypatch, module, _jdf=object())
    assert (
        Describers().values(value)
        == "pyspark.sql.DataFrame of 1 column, not computed\n  columns: 'id' bigint"
    )


def test_a_remote_spark_frame_is_not_queried(monkeypatch: pytest.MonkeyPatch) -> None:
    value = spark(monkeypatch, "pyspark.sql.connect.dataframe")
    del vars(value)["_schema"]
    assert Describers().schema(value) == "pyspark.sql.DataFrame, not computed"


Login = collections.namedtuple("Login", "user password")
USERS = ["jo", "an|n"]
WORDS = ["swordfish", "correct|horse and a long battery and a staple"]
LOGINS: dict[str, Any] = {
    "pandas": lambda: pd.DataFrame({"user": USERS, "password": WORDS}),
    "one column": lambda: pd.DataFrame({"password": WORDS}),
    "a series": lambda: pd.Series(WORDS, name="password"),
    "an index": lambda: pd.DataFrame(
        {"a": [1, 2]}, index=pd.Index(WORDS, name="password")
    ),
    "an index alone": lambda: pd.Index(WORDS, name="password"),
    "levels": lambda: pd.DataFrame(
        {"a": [1, 2]},
        index=pd.MultiIndex.from_arrays([WORDS, USERS], names=["password", "u"]),
    ),
    "levels of columns": lambda: pd.DataFrame(
        {("a", "password"): WORDS, ("a", "user"): USERS}
    ),
    "categories": lambda: pd.DataFrame({"u": USERS, "password": pd.Categorical(WORDS)}),
    "polars": lambda: pl.DataFrame({"user": USERS, "password": WORDS}),
    "a polars series": lambda: pl.Series("password", WORDS),
    "arrow": lambda: pa.table({"user": USERS, "password": WORDS}),
    "records": lambda: np.array(
        list(zip(USERS, WORDS, strict=True)),
        dtype=[("user", "U9"), ("password", "U30")],
    ),
    "a named tuple": lambda: Login("jo", "correct|horse"),
    "another language": lambda: pd.DataFrame({"user": USERS, "mot_de_passe": WORDS}),
}


@pytest.mark.parametrize("make", LOGINS.values(), ids=LOGINS)
def test_a_column_for_passwords_is_redacted_where_values_are_sent(make: Any) -> None:
    text = Describers().values(make())
    assert "horse" in text
    redacted = redact(f"logins: {text}")
    assert "horse" not in redacted
    assert "swordfish" not in redacted


def test_types_do_not_hold_categories() -> None:
    for make in (
        lambda: pd.Series(["hunter2"], dtype="category").dtype,
        lambda: pd.DataFrame({"a": pd.Series(["hunter2"], dtype="category")}),
        lambda: pd.Series([1], index=pd.CategoricalIndex(["hunter2"])),
        lambda: pl.DataFrame({"a": ["hunter2"]}, schema={"a": pl.Categorical}),
        lambda: pl.DataFrame({"a": ["hunter2"]}, schema={"a": pl.Enum(["hunter2"])}),
        lambda: pl.Enum(["hunter2"]),
        lambda: pa.table({"a": pa.array(["hunter2"]).dictionary_encode()}),
    ):
        assert "hunter2" not in Describers().schema(make())


def test_levels_of_an_index_with_numbers_as_names_are_told_by_their_place() -> None:
    frame = pd.DataFrame({1: ["x", "y"], "k": ["a", "b"], "v": [1.0, 2.0]})
    value = frame.groupby([1, "k"])["v"].sum()
    lines = [line.strip() for line in Describers().values(value).splitlines()]
    assert lines[-3:] == ["1 | k | v", "x | a | 1.0", "y | b | 2.0"]
