"""The rows about answers."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from codebuddy_jupyter.errors import BuddyError

from ..in_process import MODEL_VARIABLE
from ..server import Server
from ..table import Row
from .measure import ARMS, MODEL, RECORD, Choice, answers, recording
from .notebooks import NOTEBOOKS
from .report import arms_of, overview, rows

# Questions about each notebook when quick.
FEW = 1


def right_answers(
    server: Server, quick: bool, choice: Choice | None = None
) -> Iterator[Row]:
    """64 questions about eight notebooks (tables, dates, merges, plots, arrays, text,
    SQL, errors) are asked of a real model in a llama.cpp with two threads, temperature
    0, at most 400 tokens: the question alone; after the sources of the earlier cells;
    after these and a line for each variable; by the buddy in a session that has run the
    notebook; by the buddy with the code checked and repaired once; and the same with
    looks before the answer. Each stands alone. The Python of the answer runs in a copy
    of the notebook's state; right is what gives the value, the variable or the figure
    that a solution gives.
    """
    choice = choice or Choice()
    if quick:
        choice = replace(choice, questions=FEW)
    with tempfile.TemporaryDirectory(
        prefix="bench", ignore_cleanup_errors=True
    ) as folder:
        try:
            with recording(choice) as recorder:
                judged = []
                for answer in answers(choice, recorder, Path(folder)):
                    print(answer, file=sys.stderr, flush=True)
                    judged.append(answer)
        except BuddyError as error:
            yield Row("right answers of a real model", "", str(error), "", met=False)
            return
    arms = arms_of(judged)
    print(overview(arms.values()), flush=True)
    yield from rows(arms)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen of the answers."""
    group = parser.add_argument_group("answers")
    group.add_argument(
        "--arms",
        type=_names(ARMS),
        default=tuple(ARMS),
        help=f"of {','.join(ARMS)}; else all",
    )
    group.add_argument(
        "--model",
        default="",
        help=f"a GGUF file or a name; else of {MODEL_VARIABLE}, else {MODEL}",
    )
    group.add_argument(
        "--record",
        type=Path,
        default=RECORD,
        help="the file of answers; those in it are not asked again",
    )
    names = [notebook.name for notebook in NOTEBOOKS]
    group.add_argument(
        "--notebooks",
        type=_names(names),
        default=tuple(names),
        help=f"of {','.join(names)}; else all",
    )
    group.add_argument(
        "--threads",
        type=int,
        default=2,
        help="of the engine: as many as cores are free",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="ASSIGNMENT",
        help="a setting of the buddy, as for %%config",
    )


def choice_of(arguments: argparse.Namespace) -> Choice:
    """Return what was chosen on the command line."""
    return Choice(
        arms=arguments.arms,
        model=arguments.model,
        record=arguments.record,
        notebooks=arguments.notebooks,
        settings=arguments.set,
        threads=arguments.threads,
    )


def _names(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """Return what reads a list of names with commas."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        unknown = set(names) - set(known)
        if unknown:
            raise argparse.ArgumentTypeError(
                f"there is no {', '.join(sorted(unknown))}"
            )
        return names

    return read
