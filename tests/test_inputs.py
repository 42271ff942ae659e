"""What a map is given is recognised by the libraries that are loaded."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from codebuddy_jupyter.errors import PromptError
from codebuddy_jupyter.values.batch import arrow, frames, sources
from codebuddy_jupyter.values.batch.inputs import sample_of, source_of

INPUTS = [
    (pd.DataFrame({"item": [1, 2, 3]}), frames.PandasFrame),
    (pd.Series([1, 2, 3]), frames.PandasSeries),
    (pl.DataFrame({"item": [1, 2, 3]}), frames.PolarsFrame),
    (pl.Series([1, 2, 3]), frames.PolarsSeries),
    (pa.table({"item": [1, 2, 3]}), arrow.ArrowTable),
    (pa.record_batch({"item": [1, 2, 3]}), arrow.ArrowTable),
    (pa.array([1, 2, 3]), arrow.ArrowColumn),
    (pa.chunked_array([[1, 2], [3]]), arrow.ArrowColumn),
    (duckdb.sql("SELECT range AS item FROM range(1, 4)"), arrow.DuckRelation),
    ({"a": 1, "b": 2, "c": 3}, sources.DictSource),
    ([1, 2, 3], sources.IterableSource),
    (np.array([1, 2, 3]), sources.IterableSource),
    (range(1, 4), sources.IterableSource),
    (iter([1, 2, 3]), sources.IterableSource),
]


@pytest.mark.parametrize(
    ("items", "kind"), INPUTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_an_input_is_recognised(items: Any, kind: type[sources.Source]) -> None:
    source = source_of(items)
    assert type(source) is kind
    rows = [list(values) for _, values in source.rows(["item"])]
    assert [int(value) for (value,) in rows] == [1, 2, 3]


@pytest.mark.parametrize(
    "items",
    [items for items, _ in INPUTS if not hasattr(items, "__next__")],
    ids=lambda value: type(value).__name__,
)
def test_a_sample_is_the_first_rows(items: Any) -> None:
    sample = sample_of(items, 2)
    rows = [list(values) for _, values in source_of(sample).rows(["item"])]
    assert [int(value) for (value,) in rows] == [1, 2]


class Subclass(pd.DataFrame):
    """As a GeoDataFrame is one."""


def test_a_sample_of_a_subclass_is_its_first_rows() -> None:
    sample = sample_of(Subclass({"n": [1, 2, 3]}), 2)
    assert sample["n"].to_list() == [1, 2]


def test_a_lazy_frame_must_be_collected() -> None:
    with pytest.raises(PromptError, match=r"frame\.collect\(\)"):
        source_of(pl.LazyFrame({"item": [1]}))


def test_no_library_is_imported() -> None:
    code = (
        "import sys; from codebuddy_jupyter.values.batch.inputs import source_of; "
        "source_of([1]); "
        "print({'pandas', 'polars', 'pyarrow', 'duckdb', 'openai', 'pydantic', 'tqdm'} "
        "& set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert run.stdout.strip() == "set()", run.stderr
