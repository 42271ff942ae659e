"""The row about looks: which of them a real model chooses for a question, and whether
it chooses none where none is needed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.question.options import Options

from . import in_process
from .server import Server
from .table import Row, seconds

# Questions whose first look must be right, and unneeded looks, at most.
MUST_BE_RIGHT, MOST_UNNEEDED = 36, 2
# The answer itself does not matter.
OPTIONS = Options(look=True, new=True, max_tokens=1)

CELLS = (
    "import pandas as pd\nimport numpy as np",
    """\
rng = np.random.default_rng(3)
orders = pd.DataFrame({
    "order_id": range(500),
    "customer": rng.integers(0, 80, 500),
    "price": np.where(rng.random(500) < 0.1, np.nan, rng.random(500) * 90),
    "city": rng.choice(["Bern", "Lyon", "Graz"], 500),
})""",
    """\
customers = pd.DataFrame({
    "customer": range(80),
    "Full name": [f"Name {n}" for n in range(80)],
    "country": rng.choice(["CH", "FR", "AT", None], 80),
})""",
    """\
sensors = pd.DataFrame(
    rng.random((200, 90)), columns=[f"channel_{n:02}_reading" for n in range(90)]
)
sensors["Outside Temperature"] = 3.0""",
    """\
def clean(text, lower=True, strip=True):
    \"\"\"Return the text in the form that is stored.\"\"\"
    text = text.strip() if strip else text
    return text.lower() if lower else text""",
    'print("rows written:", len(orders))',
    'totals = orders.groupby("city")["price"].sum()',
    'merged = orders.merge(customers, on="customer", how="left")',
)
FILES = {
    "budget.csv": "year,department,amount\n2023,sales,10\n2024,sales,12\n",
    "cities.csv": "city;population;mayor\nBern;134000;A\n",
    "helpers.py": "def convert(value, rate=1.1):\n    return value * rate\n",
}


@dataclass(frozen=True)
class Question:
    """A question, the look that it needs, and arguments that it must have."""

    text: str
    look: str = ""
    arguments: tuple[tuple[str, str], ...] = ()


def _of(look: str, name: str, questions: Mapping[str, str]) -> list[Question]:
    """Return questions that need one look, each with what an argument contains."""
    made = []
    for text, value in questions.items():
        made.append(Question(text, look, ((name, value),)))
    return made


def _of_part(part: str, questions: Mapping[str, str]) -> list[Question]:
    made = []
    for text, name in questions.items():
        made.append(Question(text, "variable", (("name", name), ("part", part))))
    return made


NEED_ONE = [
    *_of_part(
        "missing",
        {
            "How many values are missing in orders right now?": "orders",
            "Which columns of customers have missing values?": "customers",
            "Does merged have any missing values?": "merged",
            "Tell me how many prices are missing in orders.": "orders",
            "Is sensors complete, or are values missing?": "sensors",
            "How many countries are missing in customers?": "customers",
        },
    ),
    *_of_part(
        "unique",
        {
            "How many different cities are in orders right now?": "orders",
            "How many distinct countries does customers have?": "customers",
            "How many unique values does each column of merged have?": "merged",
            "Tell me the number of different customers in orders.": "orders",
            "Which column of customers has the most distinct values?": "customers",
            "Is order_id unique in orders?": "orders",
        },
    ),
    *_of(
        "signature",
        "dotted",
        {
            "Which parameters does pd.merge_asof take?": "merge_asof",
            "What is the default of the keep parameter of drop_duplicates?": (
                "drop_duplicates"
            ),
            "Show me the signature of np.histogram.": "histogram",
            "Which arguments can I pass to pd.pivot_table?": "pivot_table",
            "What does the documentation of pd.cut say?": "cut",
            "How is the parameter of np.clip called that sets the maximum?": "clip",
            "What are the options of pd.read_csv?": "read_csv",
            "What does the docstring of np.quantile say?": "quantile",
        },
    ),
    *_of(
        "file_head",
        "path",
        {
            "Which columns does the file budget.csv have?": "budget.csv",
            "What is in helpers.py?": "helpers.py",
            "Look at cities.csv: how are its columns called?": "cities.csv",
            "Which functions does the file helpers.py define?": "helpers.py",
            "Which separator does cities.csv use?": "cities.csv",
            "Is there a column for the department in budget.csv?": "budget.csv",
        },
    ),
    *_of(
        "columns_like",
        "text",
        {
            "Which frame has a column about the temperature?": "emperature",
            "Is there any column named like 'population' in my frames?": "opulation",
            "Find the columns whose names contain 'channel_7'.": "channel_7",
            "Which columns of sensors are about the outside?": "utside",
            "Does any frame have a column with channel_55 in its name?": "channel_55",
        },
    ),
    *_of(
        "search_cells",
        "text",
        {
            "In which cell of the notebook is groupby used?": "groupby",
            "Search the notebook for 'merge(' and tell me the line.": "merge",
            "Where in the notebook do I call default_rng?": "default_rng",
            "In which cells does the word lower appear?": "lower",
        },
    ),
    *_of(
        "cell",
        "number",
        {
            "What did the cell In[6] print?": "6",
            "Show me the output of In[6].": "6",
            "What was printed when In[6] ran?": "6",
        },
    ),
    Question("Did anything fail in this notebook? What was the last error?", "error"),
    Question("Look up the last error of this notebook.", "error"),
]
NEED_NONE = [
    Question(text)
    for text in (
        "What is a left join?",
        "Write code for the mean price of each city in orders.",
        "Sort orders by price, the highest first.",
        "Explain the difference between a list and a tuple.",
        "Plot the number of orders of each city as bars.",
        "Write a function that reverses a text.",
        "Rename the column 'Full name' of customers to name.",
        "How do I install a package in a notebook?",
        "Write a docstring for the function clean.",
        "Merge orders and customers on customer.",
        "Filter orders to those of Bern.",
        "What does the function clean do?",
        "Write a test for clean.",
        "Count the orders of each customer.",
        "Thanks, that helped.",
        "What is the standard deviation, in words?",
        "Add a column to orders with the price in francs, rate 0.95.",
        "Convert totals to a frame with two columns.",
        "Draw a histogram of the prices in orders.",
        "What does how='left' mean in the merge above?",
    )
]


@contextmanager
def notebook() -> Iterator[Buddy]:
    """Open a notebook whose cells have run, with a Buddy whose engine is the real one."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name, text in FILES.items():
            Path(name).write_text(text, encoding="utf-8")
        with (
            in_process.notebook(CELLS) as (_, session),
            in_process.real_buddy(session) as buddy,
        ):
            buddy.keep_chats = False
            # What is sent must not depend on how busy the machine is.
            buddy.reading_seconds = 0.0
            yield buddy


def looked_up(buddy: Buddy, question: Question) -> list[tuple[str, Any]]:
    """Return the first look that the model chose, with its arguments, if it did."""
    reply = buddy.ask(question.text, OPTIONS).start()
    while not (reply.looked or reply.text or reply.done):
        reply.wait(1.0, beyond=len(reply.chunks))
    reply.close()
    looks = []
    for message in buddy.chat.turns[-1].looks:
        for call in message.tool_calls:
            looks.append((call.name, json.loads(call.arguments)))
    return looks


def is_right(question: Question, looks: list[tuple[str, Any]]) -> bool:
    """Return whether the first look is the one that the question needs, or none is."""
    if not question.look:
        return not looks
    if not looks or looks[0][0] != question.look:
        return False
    given = looks[0][1]
    return all(value in str(given.get(name, "")) for name, value in question.arguments)


def choices(server: Server, quick: bool) -> Iterator[Row]:
    """A real model (a GGUF file named by CODEBUDDY_BENCH_MODEL, else the model that the
    engine uses by default) with a notebook of 8 cells and 3 files: 40 questions that
    need one look, such as missing values, a signature, a file or the output of a cell,
    of which the first look must be the right one with the right arguments; and 20 that
    need none, since code is asked for or the answer is told already.
    """
    step = 10 if quick else 1
    times: list[float] = []
    right = unneeded = 0
    need_one, need_none = NEED_ONE[::step], NEED_NONE[::step]
    with notebook() as buddy:
        model = buddy.ask("Hello", OPTIONS).result().model
        for question in (*need_one, *need_none):
            began = time.perf_counter()
            looks = looked_up(buddy, question)
            times.append(time.perf_counter() - began)
            is_good = is_right(question, looks)
            right += is_good and bool(question.look)
            unneeded += not is_good and not question.look
            if not is_good:
                print(f"{question.text}: {looks}", file=sys.stderr, flush=True)
    yield Row(
        f"{len(need_one)} questions that need a look, {model}: right choice",
        f"{MUST_BE_RIGHT} of 40",
        f"{right}; {seconds(times)} to the choice",
        "",
        right * 40 >= MUST_BE_RIGHT * len(need_one),
    )
    yield Row(
        f"{len(need_none)} questions that need none, {model}: unneeded looks",
        f"{MOST_UNNEEDED} of 20",
        str(unneeded),
        "",
        unneeded * 20 <= MOST_UNNEEDED * len(need_none),
    )
