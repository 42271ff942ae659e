"""``python -m tests.bench [names] [--quick]``: measure, and write
``docs/benchmarks.md``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from .answers.rows import add_arguments, choice_of, right_answers
from .rows import ROWS
from .server import Server
from .table import Row, load, machine, table, versions

Measure = Callable[[Server, bool], Iterator[Row]]
"""What measures rows: with a scripted server, and quickly or not."""
PAGE = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"

TEXT = """\
# Benchmarks

Written by `make bench`. Where there is a comparison, the raw `openai` client did the same
work in the same run: in the same kernel environment, with the same scripted server, which
is a separate process on loopback.

{table}
Each figure is the median, followed by the smallest and the largest value if it was measured
more than once. Values are compared with their goals before rounding.

- Machine: {machine}. Load average at the start: {load:.1f}. Other work on the machine makes
  times longer and more variable.
- {versions}.
- The run took {minutes:.1f} minutes. `make bench ARGS="first bytes"` measures single rows
  and prints them.

## How each is measured

{notes}"""


def main() -> None:
    """Measure the rows that are named, or all; all of them make the page."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Measure what the buddy costs."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"which to measure, of: {', '.join(ROWS)}; else all",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="measure each a few times only, and write no page",
    )
    add_arguments(parser)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(ROWS):
        parser.error(
            f"there is no {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}"
        )
    busy, began = load(), time.monotonic()
    answers = partial(right_answers, choice=choice_of(arguments))
    measures: dict[str, Measure] = {**ROWS, "answers": answers}
    wanted = [measures[name] for name in arguments.names or ROWS]
    rows = list(_measured(wanted, arguments.quick))
    if not (arguments.names or arguments.quick):
        PAGE.write_text(
            page(rows, busy, (time.monotonic() - began) / 60), encoding="utf-8"
        )


def page(rows: Iterable[Row], busy: float, minutes: float) -> str:
    """Return the page: the rows, the load average at the start, the duration in minutes."""
    notes = "".join(
        f"- **{name}**: {' '.join((row.__doc__ or '').split())}\n"
        for name, row in ROWS.items()
    )
    return TEXT.format(
        table=table(rows),
        machine=machine(),
        versions=versions(),
        load=busy,
        minutes=minutes,
        notes=notes,
    )


def _measured(measures: Iterable[Measure], quick: bool) -> Iterable[Row]:
    with Server() as server:
        for measure in measures:
            for row in measure(server, quick):
                print(row, file=sys.stdout, flush=True)
                yield row


if __name__ == "__main__":
    main()
