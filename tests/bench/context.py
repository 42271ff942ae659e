"""The rows about the context: what it costs to know the notebook, and how well it is
known.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import psutil

from codebuddy_jupyter.context.describe import Describers
from codebuddy_jupyter.secrets.redactor import Redactor
from tests.support.engines import engine_with
from tests.support.facts import QUESTIONS, cells_of
from tests.support.innocent import innocent_text
from tests.support.notebook_kernel import NotebookKernel, run_notebook, told
from tests.support.pass_through import Exchange, PassThrough
from tests.support.recital import RecitedAnswer
from tests.support.secrets_planted import PLANTED

from .server import Server
from .table import Row, median, megabytes, milliseconds

CELLS, VARIABLES, FRAMES = 1000, 300, 10
ROWS_OF_A_FRAME, COLUMNS = 10_000_000, 200
# of each cell: 5 MB in all
OUTPUT_BYTES = 5_000
# tokens
WINDOW = 4096
# bytes: what fills a window of 32,768 tokens
REDACTED_SIZE = 128 * 1024
GOAL_OF_FACTS = 32

LARGE = f"""
import numpy as np, pandas as pd
def frame(columns):
    kinds = [np.int8(1), np.float64(0.5), np.datetime64("2026-01-01", "us"), np.bool_(True)]
    columns = [np.broadcast_to(kinds[i % 4], {ROWS_OF_A_FRAME}) for i in range(columns)]
    series = [pd.Series(data, copy=False) for data in columns]
    names = [f"column_{{i}}" for i in range(len(series))]
    return pd.DataFrame(dict(zip(names, series)), copy=False)
for i in range({FRAMES}):
    globals()[f"frame_{{i}}"] = frame(20)
"""
LOOK = """
import time
from codebuddy_jupyter.context.items import SECTIONS
began = time.perf_counter()
seen = get_ipython().codebuddy.buddy.collector.collect(
    "why is frame_3 empty after the merge with step_900?",
    frozenset(SECTIONS),
    [],
    share_values=False,
)
took = time.perf_counter() - began
count = len(seen.items)
seen = None
"""


@dataclass(frozen=True)
class Looks:
    """How long each look in one kernel took (seconds), and how much memory all of them
    (bytes).
    """

    first: float
    later: list[float]
    saved: list[float]
    grown: int


def snapshot(server: Server, quick: bool) -> Iterator[Row]:
    """A real kernel has run 1,000 cells of a notebook with 5 MB of outputs, was saved,
    and holds 300 variables and ten pandas frames of 10 million rows. Timed is what the
    cell that asks waits for: the look at notebook and variables. For the first look the
    notebook was read ahead, in the background, when the extension was loaded; "not read
    ahead" is that of a kernel whose notebook was saved for the first time after all had
    run. A later look comes each time that ten cells ran; "saved in between" where the
    notebook was saved then too. Memory is what the process of a kernel that has read
    nothing ahead alone holds (USS), before the first look and after all.
    """
    times, rounds = (1, 3) if quick else (3, 10)
    with tempfile.TemporaryDirectory(
        prefix="bench", ignore_cleanup_errors=True
    ) as folder:
        warm = [
            _looks(server, Path(folder, f"warm{number}"), rounds, ahead=True)
            for number in range(times)
        ]
        cold = [
            _looks(server, Path(folder, f"cold{number}"), rounds, ahead=False)
            for number in range(times)
        ]
    first, later, saved = (
        [one.first for one in warm],
        [time for one in (*warm, *cold) for time in one.later],
        [time for one in (*warm, *cold) for time in one.saved],
    )
    grown = [one.grown for one in cold]
    told_first = (
        f"{milliseconds(first)}; not read ahead: "
        f"{milliseconds([one.first for one in cold])}"
    )
    told_later = f"{milliseconds(later)}; saved in between: {milliseconds(saved)}"
    yield Row(
        "a first look at 1,000 cells", "50 ms", told_first, "", median(first) <= 0.050
    )
    yield Row(
        "a later look, ten cells changed",
        "10 ms",
        told_later,
        "",
        median(later) <= 0.010,
    )
    yield Row(
        "memory that looking takes",
        "20 MB",
        megabytes(grown),
        "",
        median(grown) <= 20e6,
    )


def describing(server: Server, quick: bool) -> Iterator[Row]:
    """A frame of 10 million rows and 200 columns of four types is described, by a new
    describer each time, in this process; pandas and polars have been imported.
    """
    rounds = 5 if quick else 30
    for name, frame in (("pandas", _pandas_frame()), ("polars", _polars_frame())):
        times = [_timed(partial(Describers().schema, frame)) for _ in range(rounds)]
        figure = f"describing a {name} frame, 10 million rows of 200 columns"
        yield Row(figure, "5 ms", milliseconds(times), "", median(times) <= 0.005)


def redacting(server: Server, quick: bool) -> Iterator[Row]:
    """128 kB of the notebooks in `tests/`, with a planted secret every 4 kB, in items
    of 4 kB; by a new redactor each time, then by the same again. What is imported at the
    first time is not counted.
    """
    rounds = 3 if quick else 20
    items = _planted_items()
    fresh: list[float] = []
    again: list[float] = []
    for _ in range(rounds):
        redactor = Redactor()
        fresh.append(_timed(partial(_redact_all, redactor, items)))
        again.append(_timed(partial(_redact_all, redactor, items)))
    yield Row(
        "redacting secrets in 128 kB",
        "150 ms",
        milliseconds(fresh),
        "",
        median(fresh) <= 0.150,
    )
    yield Row(
        "redacting it again, unchanged",
        "5 ms",
        milliseconds(again),
        "",
        median(again) <= 0.005,
    )


def innocent(server: Server, quick: bool) -> Iterator[Row]:
    """The ordinary notebook text that is kept with the tests goes through a new
    redactor; what it redacts is counted.
    """
    text = innocent_text()
    labels = Redactor().redact(text).labels
    figure = f"wrong redactions in {len(text.encode()) / 1e6:.1f} MB of ordinary text"
    yield Row(figure, "0", str(len(labels)), "", not labels)


def growing(server: Server, quick: bool) -> Iterator[Row]:
    """A notebook of 56 cells on a real engine (llama.cpp, 32,768 tokens).

    Before each of the follow-up questions a cell is run anew. Evaluated is what the
    engine tells (`timings.prompt_n`); new is the length of this prompt less that of the
    prompt before it, as the engine counts. The ratio is of the sums over all follow-up
    turns.
    """
    turns = 4 if quick else 10
    with (
        tempfile.TemporaryDirectory(
            prefix="bench", ignore_cleanup_errors=True
        ) as folder,
        engine_with(
            Path(folder),
            [RecitedAnswer("Look at the types of the key columns.")],
            n_ctx=32_768,
        ) as engine,
        PassThrough(engine) as passed,
    ):
        home = Path(folder, "home")
        home.mkdir()
        with run_notebook("energy_series", home, passed.url) as kernel:
            for turn in range(turns + 1):
                kernel.run_cell(
                    f"new{turn}",
                    f"note_{turn} = {turn}\nreadings['load_kw'].quantile(0.9{turn})",
                )
                cell = kernel.run_cell(
                    f"ask{turn}", f"%buddy what does note_{turn} say about the load?"
                )
                assert cell.status == "ok", cell.outputs
        evaluated, new = _worked(passed.exchanges)
    figure = f"prompt tokens evaluated per follow-up turn, over those new in it ({turns} turns)"
    ratio = evaluated / new
    yield Row(
        figure, "1.1", f"{ratio:.3f} ({evaluated:,} of {new:,})", "", ratio <= 1.1
    )


def facts(server: Server, quick: bool) -> Iterator[Row]:
    """The 40 questions of `tests/facts.py` about eight notebooks, each asked in a real
    kernel that has run the notebook, of a server that tells a window of 4,096 tokens.
    Counted are those whose prompt holds all facts.
    """
    with tempfile.TemporaryDirectory(
        prefix="bench", ignore_cleanup_errors=True
    ) as folder:
        heard = told(Path(folder), WINDOW)
    whole = sum(not question.missing(text) for question, text in heard.items())
    figure = f"questions whose prompt holds all needed facts, at {WINDOW:,} tokens"
    yield Row(
        figure,
        f"{GOAL_OF_FACTS} of {len(QUESTIONS)}",
        str(whole),
        "",
        whole >= GOAL_OF_FACTS,
    )


def _looks(server: Server, home: Path, rounds: int, *, ahead: bool) -> Looks:
    home.mkdir()
    file = home / "large.ipynb"
    cells = [_cell(number, _source(number)) for number in range(CELLS)]
    if ahead:
        _save(file, cells)
    with NotebookKernel(file, CODEBUDDY_BASE_URL=server.url) as kernel:
        _run_large(kernel)
        process = psutil.Process(
            int(kernel.good("import os; print(os.getpid())").printed)
        )
        before = process.memory_full_info().uss
        _save(file, cells)
        first = _look(kernel)
        later = [_later(kernel, cells, turn) for turn in range(rounds)]
        saved = [
            _later(kernel, cells, turn, file) for turn in range(rounds, 2 * rounds)
        ]
        return Looks(first, later, saved, process.memory_full_info().uss - before)


def _save(file: Path, cells: list[dict[str, Any]]) -> None:
    """Save a notebook as Jupyter does."""
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False)
    file.write_text(f"{text}\n", encoding="utf-8", newline="\n")


def _cell(number: int, source: str) -> dict[str, Any]:
    line = f"row {number:4} " + "0.123456789 " * 6 + "\n"
    text = [line] * (OUTPUT_BYTES // len(line))
    return {
        "id": f"cell{number}",
        "cell_type": "code",
        "source": source.splitlines(keepends=True),
        # the extension was loaded before them
        "execution_count": number + 2,
        "metadata": {},
        "outputs": [{"output_type": "stream", "name": "stdout", "text": text}],
    }


def _source(number: int, value: int = 0) -> str:
    return f"# step {number} of the analysis\nstep_{number % VARIABLES} = {value or number}"


def _run_large(kernel: NotebookKernel) -> None:
    kernel.run_cell("loading", "%load_ext codebuddy_jupyter")
    for number in range(CELLS):
        kernel.run_cell(f"cell{number}", _source(number))
    assert kernel.run_cell("large", LARGE).status == "ok"
    # what is imported for the first question is not the look's
    kernel.good("%buddy -c none hello")


def _look(kernel: NotebookKernel) -> float:
    cell = kernel.run_cell("looking", f"{LOOK}print(count, took)")
    assert cell.status == "ok", cell.outputs
    count, took = cell.printed.split()
    assert int(count) > CELLS, count
    return float(took)


def _later(
    kernel: NotebookKernel,
    cells: list[dict[str, Any]],
    turn: int,
    file: Path | None = None,
) -> float:
    """Run ten cells that were edited, save the notebook where a file is given, and
    look.
    """
    for number in range(10 * turn, 10 * turn + 10):
        source = _source(number, 1_000_000 + turn)
        kernel.run_cell(f"cell{number}", source)
        cells[number] = _cell(number, source)
    if file:
        _save(file, cells)
    return _look(kernel)


def _pandas_frame() -> pd.DataFrame:
    kinds: list[Any] = [
        np.int8(1),
        np.float64(0.5),
        np.datetime64("2026-01-01", "us"),
        np.bool_(True),
    ]
    # Each column repeats one value without holding it ten million times.
    columns = [np.broadcast_to(kinds[i % 4], ROWS_OF_A_FRAME) for i in range(COLUMNS)]
    return pd.DataFrame(
        {f"column_{i}": pd.Series(data, copy=False) for i, data in enumerate(columns)},
        copy=False,
    )


def _polars_frame() -> pl.DataFrame:
    column = pl.Series("column", np.zeros(ROWS_OF_A_FRAME, np.int8))
    return pl.DataFrame([column.alias(f"column_{i}") for i in range(COLUMNS)])


def _planted_items() -> list[str]:
    sources = [
        cell["source"]
        for name in dict.fromkeys(one.notebook for one in QUESTIONS)
        for cell in cells_of(name)
    ]
    text = "\n\n".join(sources)
    text *= REDACTED_SIZE // len(text) + 1
    source = random.Random(0)
    size = 4096
    planted = [source.choice(PLANTED).text for _ in range(REDACTED_SIZE // size)]
    return [
        f"{text[i * size : (i + 1) * size - len(secret)]}\n{secret}"
        for i, secret in enumerate(planted)
    ]


def _worked(exchanges: list[Exchange]) -> tuple[int, int]:
    later = list(pairwise(exchanges))
    assert all(exchange.status == 200 for exchange in exchanges)
    return sum(now.evaluated for _, now in later), sum(
        now.prompt_tokens - then.prompt_tokens for then, now in later
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _redact_all(redactor: Redactor, items: list[str]) -> None:
    for item in items:
        redactor.redact(item)
