"""A map over rows of which each meets a fault of the server: no row is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import BuddyError, MapStopped
from codebuddy_jupyter.values.batch import pool
from codebuddy_jupyter.values.batch.mapping import Map, MapOptions
from tests.support.fakes import local
from tests.support.faults import FAULTS
from tests.support.map_server import MapServer, said
from tests.support.scripted_server import Answer

SLOW = ("wait: ", "flood: ", "status: loading")
WRONG = {
    name: fault.answer for name, fault in FAULTS.items() if not name.startswith(SLOW)
}
# Rows of one map.
GROUP = 40


@pytest.fixture
def buddy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Buddy]:
    monkeypatch.setattr(pool, "BUSY_PAUSES", (0.01,))
    monkeypatch.setattr(pool, "DOWN_PAUSES", (0.01,))
    buddy = Buddy(settings_path=tmp_path / "real.json")
    local(buddy).change({"model": "llama3", "retries": 0})
    yield buddy
    buddy.close()


@pytest.fixture
def server(buddy: Buddy) -> Iterator[MapServer]:
    with MapServer(slots=4) as server:
        local(buddy).base_url = server.url
        yield server


def mapped(buddy: Buddy, rows: list[str]) -> Any:
    options = MapOptions(progress=False, max_failures=1.0)
    return Map(buddy, rows, "Repeat {item}", options).gather()


def row_of(prompt: str) -> str:
    # A server that takes no system message gets it with the question.
    return prompt.rpartition("Repeat ")[2]


def test_a_row_that_meets_a_fault_once_is_answered_in_the_end(
    buddy: Buddy, server: MapServer
) -> None:
    def say(prompt: str) -> Answer:
        row = row_of(prompt)
        if row in WRONG and row not in failed:
            failed.add(row)
            return WRONG[row]
        return said(row)

    failed: set[str] = set()
    server.say = say
    names = list(WRONG)
    for start in range(0, len(names), GROUP):
        rows = names[start : start + GROUP]
        for _ in rows:
            try:
                values = mapped(buddy, rows)
            except MapStopped as stopped:
                # The fault was the server's, not the row's.
                values = stopped.result
            else:
                missing = [n for n, value in enumerate(values) if value is None]
                assert list(values.errors) == missing
                assert all(isinstance(e, BuddyError) for e in values.errors.values())
            for row, value in zip(rows, values, strict=True):
                assert value in (row, None)
            if None not in values:
                break
        assert values == rows
    assert failed == set(WRONG)


def test_a_pool_of_which_one_server_does_everything_wrong_answers_all_rows(
    buddy: Buddy, server: MapServer
) -> None:
    answers = iter([*WRONG.values()] * 50)
    rows = [f"row{number}" for number in range(100)]
    server.say = lambda prompt: said(row_of(prompt))
    with MapServer(slots=4) as wrong:
        wrong.say = lambda prompt: next(answers)
        local(buddy).pool = [wrong.url, server.url]
        values = mapped(buddy, rows)
    for row, value in zip(rows, values, strict=True):
        # A reply that was cut by a fault can be one without an error.
        assert value is not None or rows.index(row) in values.errors
    assert sum(value == row for row, value in zip(rows, values, strict=True)) > 50
