"""The static check of an answer, and the hints for an error: in this process."""

from __future__ import annotations

import linecache
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from codebuddy_jupyter.context.error_hints import hints_text
from codebuddy_jupyter.context.failure import failure_of
from codebuddy_jupyter.context.inspection.answer_check import answer_findings
from codebuddy_jupyter.context.traceback_frames import Source
from tests.support.snippets import RIGHT, WRONG, namespace

from .server import Server
from .table import Row, median, milliseconds

# Snippets in one answer.
IN_ANSWER = 12
ROWS = 1_000_000
FAILING = (
    "wide['Column 7']",
    "large['Key']",
    "large.merge(other, left_on='key', right_on='name')",
    "pd.merge(large)",
    "larg.head()",
)


def checking(server: Server, quick: bool) -> Iterator[Row]:
    """An answer with two blocks, of 12 statements each that are right or wrong, is
    checked against a kernel with 300 variables, some of them frames; what earlier checks
    have kept is used, as in a session. The error hints are those for an unknown column
    of a frame with 2,000 columns, for a merge of two frames of a million rows, for a
    wrong call and for an unknown name.
    """
    rounds = 3 if quick else 20
    names = _names()
    answers = list(_answers())
    times = [
        _timed(partial(answer_findings, answer, names))
        for _ in range(rounds)
        for answer in answers
    ]
    figure = "the code of an answer is checked"
    yield Row(figure, "20 ms", milliseconds(times), "", median(times) <= 0.020)
    hints = [_timed(work) for work in list(_errors(names)) * rounds]
    yield Row(
        "hints for an error", "20 ms", milliseconds(hints), "", median(hints) <= 0.020
    )


def _names() -> dict[str, Any]:
    names = namespace()
    names["large"] = pd.DataFrame({"key": np.arange(ROWS), "value": 0.5})
    names["other"] = pd.DataFrame({"name": np.arange(ROWS).astype(str)})
    names["wide"] = pd.DataFrame(np.zeros((2, 2_000))).rename(
        columns="column {}".format
    )
    names |= {f"value_{number}": number for number in range(300)}
    return names


def _answers() -> Iterator[str]:
    code = [snippet for snippet in RIGHT if "\n" not in snippet]
    code += [snippet for snippet, _ in WRONG if "\n" not in snippet]
    for first in range(0, len(code) - 2 * IN_ANSWER, 2 * IN_ANSWER):
        middle = first + IN_ANSWER
        blocks = code[first:middle], code[middle : middle + IN_ANSWER]
        fenced = [f"```python\n{chr(10).join(block)}\n```" for block in blocks]
        yield "This is how:\n\n" + "\n\nOr:\n\n".join(fenced)


def _errors(names: dict[str, Any]) -> Iterator[Callable[[], object]]:
    for number, cell in enumerate(FAILING):
        file = f"<ipython-input-{number}-bench>"
        linecache.cache[file] = (len(cell), None, [cell], file)
        source = Source(number, [cell])
        try:
            exec(compile(cell, file, "exec"), names)
        except (KeyError, NameError, TypeError, ValueError) as error:
            sources = {file: source}.get
            failure = failure_of(error, sources)
            yield partial(hints_text, error, failure, sources, None, names)


def _timed(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before
