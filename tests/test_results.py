"""The answers of maps on disk."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest

from codebuddy_jupyter.errors import NotKept
from codebuddy_jupyter.messages import Usage
from codebuddy_jupyter.values.batch import results
from codebuddy_jupyter.values.batch.results import AT_ONCE, Averages, Kept, Results

JOB, OTHER = b"job", b"other"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def kept(tmp_path: Path, told: list[str]) -> Results:
    return Results(tmp_path / "codebuddy" / "maps.sqlite3", told.append)


def row(number: int) -> bytes:
    return b"row %d" % number


def sql(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def test_answers_are_found_by_job_and_row(kept: Results) -> None:
    answer = Kept(row(1), '{"value": true}', Usage(10, 2), 0.5)
    assert kept.find(JOB, [row(1)]) == {}
    assert not kept.path.exists()
    kept.add(JOB, [answer, Kept(row(2), "b")])
    assert kept.find(JOB, [row(1), row(3)]) == {row(1): answer}
    assert kept.find(OTHER, [row(1)]) == {}


def test_many_are_found_at_once(kept: Results) -> None:
    rows = [row(number) for number in range(2 * AT_ONCE + 1)]
    kept.add(JOB, [Kept(one, "x") for one in rows])
    assert kept.find(JOB, rows).keys() == set(rows)


def test_a_later_answer_takes_the_place_of_an_earlier(kept: Results) -> None:
    kept.add(JOB, [Kept(row(1), "a")])
    kept.add(JOB, [Kept(row(1), "b")])
    assert kept.find(JOB, [row(1)])[row(1)].text == "b"


def test_only_the_owner_can_read_the_file(kept: Results) -> None:
    kept.add(JOB, [Kept(row(1), "a")])
    if os.name == "posix":
        assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600


def test_the_averages_of_a_job(kept: Results) -> None:
    assert kept.averages(JOB) == Averages()
    kept.add(JOB, [Kept(row(1), "a", Usage(10, 2), 1.0)])
    kept.add(JOB, [Kept(row(2), "a", Usage(20, None), 2.0)])
    kept.add(OTHER, [Kept(row(2), "a", Usage(99, 99), 99.0)])
    assert kept.averages(JOB) == Averages(2, 15.0, 2.0, 1.5)
    assert kept.averages(b"none").answers == 0


def test_it_is_known_whether_another_job_was_about_a_row(kept: Results) -> None:
    kept.add(OTHER, [Kept(row(1), "a")])
    assert kept.has_other(JOB, row(1))
    assert not kept.has_other(JOB, row(2))
    assert not kept.has_other(OTHER, row(1))
    assert (kept.is_new(JOB), kept.is_new(OTHER)) == (True, False)


def test_a_job_can_be_forgotten(kept: Results) -> None:
    kept.forget(JOB)
    assert not kept.path.exists()
    for job in (JOB, OTHER):
        kept.add(job, [Kept(row(1), "a")])
    kept.forget(JOB)
    assert kept.find(JOB, [row(1)]) == {}
    assert kept.find(OTHER, [row(1)])


def test_jobs_that_nobody_uses_are_deleted(
    kept: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    for job in (JOB, OTHER):
        kept.add(job, [Kept(row(1), "a")])
    long_ago = time.time() - 91 * 86_400
    sql(kept.path, "UPDATE jobs SET used = ? WHERE digest = ?", long_ago, OTHER)
    kept.open(JOB)
    assert kept.find(JOB, [row(1)])
    assert sql(kept.path, "SELECT count(*) FROM answers") == [(1,)]
    monkeypatch.setattr(results, "MOST_JOBS", 1)
    kept.open(b"third")
    assert sql(kept.path, "SELECT digest FROM jobs") == [(b"third",)]


def test_a_broken_file_is_set_aside(kept: Results, told: list[str]) -> None:
    kept.path.parent.mkdir()
    kept.path.write_bytes(b"no database at all, and longer than its header would be")
    kept.add(JOB, [Kept(row(1), "a")])
    assert kept.find(JOB, [row(1)])
    assert "answers could not be read" in told[0]
    assert len(list(kept.path.parent.glob("*.broken-*"))) == 1


def test_a_file_of_a_newer_version_is_left_alone(kept: Results) -> None:
    kept.add(JOB, [Kept(row(1), "a")])
    sql(kept.path, "PRAGMA user_version = 99")
    with pytest.raises(NotKept, match="Answers are not kept: a newer version"):
        kept.add(JOB, [Kept(row(2), "b")])


def test_what_sqlite_does_not_take_is_kept_all_the_same(kept: Results) -> None:
    kept.add(JOB, [Kept(row(1), "a\udcff", Usage(10**30, None))])
    found = kept.find(JOB, [row(1)])[row(1)]
    assert found.text == "a?"
    assert found.usage.prompt_tokens == 2**63 - 1
