"""The row about the first word: a real model, a notebook of 30 cells, and the same model
asked without the notebook in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.question.options import Options

from . import in_process
from .server import Server
from .table import Row, median, seconds

BARE = ("What is a list?", "What is a dict?", "What is a set?")
ALONE = Options(remember=False, context="none", max_tokens=4)
SHORT = Options(max_tokens=4)
QUESTION = "How many orders are there for each city?"
FOLLOW_UP = "What does best hold?"
NEW_CELL = "best = sorted(totals.items(), key=lambda pair: pair[1])[-3:]"
# Seconds without a cell or a question, and after which a reading is interrupted.
QUIET, READING = 30.0, 6.0

IMPORTS = """\
import math, random, statistics
from collections import defaultdict
from datetime import date, timedelta"""
ORDERS = """\
random.seed(7)
CITIES = ["Bern", "Lyon", "Turin", "Graz", "Porto"]
orders = []
for number in range(400):
    orders.append({
        "id": number,
        "city": random.choice(CITIES),
        "day": date(2024, 1, 1) + timedelta(days=random.randrange(360)),
        "amount": round(random.lognormvariate(3, 0.7), 2),
        "items": random.randint(1, 9),
    })"""
TOTALS = """\
totals = defaultdict(float)
for order in orders:
    totals[order["city"]] += order["amount"]"""
STEP = """\
mean_{0} = statistics.fmean(order["amount"] for order in orders if order["items"] > {1})"""


def cells() -> list[str]:
    """Return the 30 cells of the notebook."""
    steps = [STEP.format(number, number % 8) for number in range(27)]
    return [IMPORTS, ORDERS, TOTALS, *steps]


def first_of(reply: Reply) -> float:
    """Return the seconds until the first word of an answer."""
    return reply.seconds_to_first or 0.0


class Notebook:
    """A notebook whose cells have run, and a Buddy whose engine has answered before."""

    def __init__(self, shell: Any, buddy: Buddy) -> None:
        self.shell = shell
        self.buddy = buddy
        self.bare = [self.first(text, ALONE) for text in BARE]

    def ask(self, text: str, options: Options = SHORT) -> Reply:
        """Ask, and wait for the end of the answer."""
        return self.buddy.ask(text, options).result()

    def first(self, text: str, options: Options = SHORT) -> float:
        """Return the seconds until the first word."""
        return first_of(self.ask(text, options))

    def run(self, source: str) -> None:
        """Run a cell, as the extension sees it."""
        self.buddy.quiet.note_cell_start()
        self.shell.run_cell(source, store_history=True)
        self.buddy.quiet.note_cell_end()


@contextmanager
def notebook() -> Iterator[Notebook]:
    """Open a notebook; its engine has read nothing of it."""
    with (
        in_process.notebook(cells()) as (shell, session),
        in_process.real_buddy(session) as buddy,
    ):
        yield Notebook(shell, buddy)


def first_words(server: Server, quick: bool) -> Iterator[Row]:
    """A real model (a GGUF file named by CODEBUDDY_BENCH_MODEL, else the model that the
    engine uses by default) with a notebook of 30 cells: seconds to the first word of a
    first question with no time to read ahead, of one after 30 seconds of quiet, of a
    follow-up right after one new cell, and of a question without the notebook that is
    asked 6 seconds after reading ahead began; and the tokens of the prompt that the
    engine read for it. Beside them, the median of three questions without the notebook
    to the same engine. The speed of reading is that of the first of these questions.
    """
    with notebook() as opened:
        cold = opened.ask(QUESTION)
        yield _row("with no time to read ahead", "10 s", cold, opened, 10.0)
        speed = (cold.usage.read_tokens or 0) / (cold.usage.read_seconds or 1.0)
    with notebook() as opened:
        opened.buddy.quiet.begin()
        time.sleep(QUIET)
        warm = opened.ask(QUESTION)
        goal = "1.5 times a bare question's"
        most = 1.5 * median(opened.bare)
        yield _row(f"after {QUIET:.0f} s of quiet", goal, warm, opened, most)
        opened.run(NEW_CELL)
        reply = opened.ask(FOLLOW_UP)
        new = (reply.usage.read_tokens or 0) / speed
        when = f"of a follow-up after a new cell, {new:.2f} s of reading"
        yield _row(when, "1.3 times that", reply, opened, 1.3 * new)
    with notebook() as opened:
        opened.buddy.quiet.begin()
        time.sleep(opened.buddy.quiet.seconds + READING)
        asked = opened.ask("What is a tuple?", ALONE)
        most = median(opened.bare) + 2.0
        when = "of a bare question while the model reads ahead"
        yield _row(when, "2 s more", asked, opened, most)


def _row(when: str, goal: str, reply: Reply, opened: Notebook, most: float) -> Row:
    figure = f"30 cells, real model: first word {when}"
    first = first_of(reply)
    told = f"{seconds([first])}; {reply.usage.read_tokens} tokens read"
    beside = f"{seconds(opened.bare)} (bare questions)"
    return Row(figure, goal, told, beside, first <= most)
