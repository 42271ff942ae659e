"""The rows about looks and `/serve` as such: how long they take, and what they cost while
nobody uses them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codebuddy_jupyter.context.collector import Collector
from codebuddy_jupyter.tools.looks import looks_of
from codebuddy_jupyter.tools.server.address_file import PREFIX
from tests.support.mcp_clients import address_in, called

from . import cells, in_process
from .kernel import MeasuredKernel
from .server import Server
from .table import Row, median, milliseconds, seconds

LOOK, START = 0.020, 1.0
"""Seconds that a look, and a start, may take."""
ROWS, CELLS = 300_000, 100
ARGUMENTS: Mapping[str, list[Mapping[str, Any]]] = {
    "variable": [
        {"name": "large", "part": "schema"},
        {"name": "small", "part": "missing"},
    ],
    "cell": [{"number": 50}],
    "search_cells": [{"text": "value_50"}],
    "error": [{}],
    "signature": [{"dotted": "pd.merge"}],
    "file_head": [{"path": "data.csv"}],
    "columns_like": [{"text": "column 77"}],
}
# What `/serve` alone imports.
IS_UNUSED = (
    "not {'mcp', 'starlette', 'codebuddy_jupyter.tools.server.endpoint'} & "
    "set(__import__('sys').modules)"
)


def looking(server: Server, quick: bool) -> Iterator[Row]:
    """Each look of this package, once it was used, in a notebook of 100 cells with a
    frame of 300,000 rows, one of 10,000 rows whose missing values are counted, and one
    of 2,000 columns.
    """
    rounds = 3 if quick else 20
    with notebook() as collector:
        times: list[float] = []
        for look in looks_of(collector, share_values=False):
            for arguments in ARGUMENTS[look.name]:
                look.look(arguments)
                for _ in range(rounds):
                    began = time.perf_counter()
                    look.look(arguments)
                    times.append(time.perf_counter() - began)
    yield Row("a look", "20 ms", milliseconds(times), "", median(times) <= LOOK)


@contextmanager
def notebook() -> Iterator[Collector]:
    """Open a notebook that has run."""
    sources = [f"value_{number} = {number}" for number in range(CELLS)]
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("data.csv").write_text("a,b\n" + "1,2\n" * 1_000, encoding="utf-8")
        with in_process.notebook(sources) as (shell, session):
            shell.user_ns.update(
                pd=pd,
                large=pd.DataFrame({"key": np.arange(ROWS), "value": 0.5}),
                small=pd.DataFrame(
                    np.where(np.random.rand(10_000, 4) < 0.1, np.nan, 1.0)
                ),
                wide=pd.DataFrame(np.zeros((2, 2_000))).rename(
                    columns="column {}".format
                ),
            )
            yield Collector(session)


def serving(server: Server, quick: bool) -> Iterator[Row]:
    """`%buddy /serve` from sending the cell to its end, in a fresh kernel that has
    answered a question, and until the client of the official SDK, a new one each time,
    has the answer of its first call, which includes what is imported then. Before, what
    only the server needs must not be imported.
    """
    starts: list[float] = []
    firsts: list[float] = []
    unused = 0
    for _ in range(1 if quick else 3):
        with MeasuredKernel(server.url) as kernel:
            kernel.good(cells.LOAD)
            kernel.good(cells.ASK)
            unused += kernel.good(f"print({IS_UNUSED})").printed.strip() == "True"
            began = time.perf_counter()
            kernel.good("%buddy /serve")
            starts.append(time.perf_counter() - began)
            folder = Path(kernel.environment["JUPYTER_RUNTIME_DIR"])
            (file,) = folder.glob(f"{PREFIX}*.json")
            called(address_in(file), "error")
            firsts.append(time.perf_counter() - began)
    told = f"{seconds(starts)}; first answer to an agent after {seconds(firsts)}"
    yield Row("`%buddy /serve`", "1 s", told, "", median(starts) <= START)
    yield Row(
        "modules that only `/serve` needs, imported before it is used",
        "0",
        "0" if unused == len(starts) else "some",
        "",
        unused == len(starts),
    )
