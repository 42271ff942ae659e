"""Hints that go along with an error."""

from __future__ import annotations

import itertools
import linecache
from typing import Any

import pytest

from codebuddy_jupyter.context.error_hints import HEADING, hints_text
from codebuddy_jupyter.context.failure import failure_of
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.context.traceback_frames import Source
from tests.support.hostile_errors import Hostile
from tests.support.sessions import run
from tests.support.snippets import namespace

NUMBERS = itertools.count(1)


def hints(cell: str, **more: Any) -> list[str]:
    """Run a cell that fails: what is told about it."""
    space = {**namespace(), **more}
    name = f"<ipython-input-1-hints{next(NUMBERS)}>"
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)

    def sources(file: str) -> Source | None:
        return Source(1, cell.splitlines()) if file == name else None

    with pytest.raises(Exception) as failed:  # noqa: PT011 - each test looks at its own
        exec(compile(cell, name, "exec"), space)
    failure = failure_of(failed.value, sources)
    text = hints_text(failed.value, failure, sources, None, space)
    if not text:
        return []
    heading, *lines = text.splitlines()
    assert heading == HEADING
    return lines


COLUMNS = "The columns of clients are 'Official language', 'id', 'joined', 'region', 'revenue'."
NEAREST = "clients has no column 'Region'; nearest: 'region'"


@pytest.mark.parametrize(
    ("cell", "lines"),
    [
        ("clients['Region']", [NEAREST, COLUMNS]),
        ("x = 1\n(clients\n .groupby('Region')\n .revenue.sum())", [NEAREST, COLUMNS]),
        ("key = 'Region'\nclients[key]", [NEAREST, COLUMNS]),
        ("for row in clients['Region']:\n    pass", [NEAREST, COLUMNS]),
        (
            "def f(d):\n    return d['Region']\nf(clients)",
            [NEAREST.replace("clients", "d"), COLUMNS.replace("clients", "d")],
        ),
        ("settings['Rate']", ["settings has no key 'Rate'; nearest: 'rate'"]),
        ("clints.head()", ["'clints' is not defined; nearest: 'clients'"]),
        (
            "pd.merge(clients, orders, left_on='id', right_on='region')",
            ["clients['id'] is int64, orders['region'] is str: 0 of 4 keys match"],
        ),
        ("scaled()", ["The signature is scaled(frame, factor=…)."]),
        (
            "class Box:\n    def grow(self): ...\nBox().groww()",
            ["Box has no attribute 'groww'; nearest: 'grow'"],
        ),
        ("1 / 0", []),
        ("raise ValueError('no')", []),
        ("{}['x']", []),
    ],
)
def test_an_error_comes_with_what_the_kernel_knows(cell: str, lines: list[str]) -> None:
    assert hints(cell) == lines


def test_the_signature_of_an_installed_function_is_told() -> None:
    (line,) = hints("clients.sort_values()")
    assert line.startswith("The signature is clients.sort_values(by, *, axis=0, ")
    first, second = hints("pd.merge(clients, orders, key='id')")
    assert first == "merge takes no argument 'key'"
    assert second.startswith("The signature is merge(left, right, how='inner'")


def test_no_value_is_told() -> None:
    names = {"rate": "SECRET", "known": {"Rate": "SECRET"}}
    for cell in ("known['rate']", "known[rate]", "rate.foo()", "clients[rate]"):
        told = [
            line for line in hints(cell, **names) if "no column 'SECRET'" not in line
        ]
        assert "SECRET" not in "".join(told)


@pytest.mark.parametrize(
    "cell",
    [
        "raise Trouble()",
        "raise KeyError(thing)",
        "raise AttributeError('no', name='x', obj=thing)",
        "clients[Odd('x')]",
    ],
)
def test_no_code_of_the_user_s_objects_runs(cell: str) -> None:
    class Trouble(KeyError):
        @property
        def args(self) -> Any:  # type: ignore[override]
            raise AssertionError("read")

        def __str__(self) -> str:
            raise AssertionError("shown")

    class Odd(str):
        used: list[str] = []  # noqa: RUF012 - shared on purpose

    hints(cell, Trouble=Trouble, thing=Hostile(), Odd=Odd)


def test_the_hints_are_part_of_the_error_that_is_sent(session: Session) -> None:
    run("table = {'Rate': 1}")
    run("table['rate']")
    failure = session.failure()
    assert failure is not None
    *_, heading, line = failure.text.splitlines()
    assert (heading, line) == (HEADING, "table has no key 'rate'; nearest: 'Rate'")
