"""The row about replay: a notebook of questions that runs again as a whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.run_all import (
    Cells,
    outputs,
    restart_and_run_all,
    seconds_of,
    write_notebook,
)
from tests.support.scripted_server import Answer

from .server import Server
from .table import Row, median, milliseconds

QUESTIONS = 20
LOAD = "%load_ext codebuddy_jupyter"
NOTHING_LISTENS = "http://127.0.0.1:9/v1"


def run_again(server: Server, quick: bool) -> Iterator[Row]:
    """A notebook with 20 questions, each after a cell that sets a variable, is run by
    nbclient in a new kernel: once with the server, once more with the server, whose
    requests are counted, and then by `Buddy.replay = "only"` where nothing listens. The
    time is that for which the kernel was busy with a question's cell in the last run;
    beside it, that of the cells that set a variable. The outputs of the last two runs
    are compared.
    """
    number = 5 if quick else QUESTIONS
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        path = Path(folder) / "analysis.ipynb"
        write_notebook(path, _sources(number))
        server.script(Answer(tokens=100))
        _run(path, server.url, "on")
        asked = len(server.paths())
        server.script(Answer(tokens=100))
        second = _run(path, server.url, "on")
        requests = len(server.paths())
        third = _run(path, NOTHING_LISTENS, "only")
    assert asked >= number
    is_equal = outputs(second) == outputs(third)
    times, beside = seconds_of(third[2::2]), seconds_of(third[1::2])
    told = "byte-equal" if is_equal else "different"
    yield Row(
        f"{number} questions run again by nbclient, network cut",
        "0 requests, outputs byte-equal, 5 ms a cell",
        f"{requests} requests, outputs {told}, {milliseconds(times)}",
        f"{milliseconds(beside)} (`x = 1`)",
        requests == 0 and is_equal and median(times) <= 0.005,
    )


def _run(path: Path, url: str, replay: str) -> Cells:
    return restart_and_run_all(path, CODEBUDDY_BASE_URL=url, CODEBUDDY_REPLAY=replay)


def _sources(questions: int) -> list[str]:
    sources = [LOAD]
    for number in range(questions):
        sources += [f"value_{number} = {number}", f"%buddy what is value_{number}?"]
    return sources
