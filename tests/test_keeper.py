"""Answers are kept on disk as they come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from codebuddy_jupyter.errors import NotKept
from codebuddy_jupyter.values.batch import keeper as module
from codebuddy_jupyter.values.batch.keeper import Keeper
from codebuddy_jupyter.values.batch.results import Kept, Results

JOB = b"job"


class WatchedResults(Results):
    """Remembers what was written together; fails as long as it is told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, lambda line: None)
        self.written: list[list[bytes]] = []
        self.reason = ""
        self.may_write = threading.Event()
        self.may_write.set()

    def add(self, job: bytes, answers: Iterable[Kept]) -> None:
        assert self.may_write.wait(30)
        if self.reason:
            raise NotKept(self.reason)
        answers = list(answers)
        self.written.append([kept.row for kept in answers])
        super().add(job, answers)


@pytest.fixture
def results(tmp_path: Path) -> WatchedResults:
    return WatchedResults(tmp_path / "maps.sqlite3")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def keeper(results: WatchedResults, told: list[str]) -> Keeper:
    return Keeper(results, JOB, told.append)


def test_an_answer_is_on_disk_when_it_is_kept(
    keeper: Keeper, results: WatchedResults
) -> None:
    async def keep() -> None:
        for number in range(3):
            row = b"%d" % number
            await keeper.keep(Kept(row, "x"))
            assert results.find(JOB, [row])

    asyncio.run(keep())


def test_answers_that_come_while_others_are_written_are_written_together(
    keeper: Keeper, results: WatchedResults
) -> None:
    async def keep() -> None:
        results.may_write.clear()
        first = asyncio.create_task(keeper.keep(Kept(b"0", "x")))
        while keeper._present is None:
            await asyncio.sleep(0)
        others = [
            asyncio.create_task(keeper.keep(Kept(b"%d" % number, "x")))
            for number in range(1, 20)
        ]
        await asyncio.sleep(0)
        results.may_write.set()
        await asyncio.gather(first, *others)

    asyncio.run(keep())
    assert [len(rows) for rows in results.written] == [1, 19]


def test_one_that_is_cancelled_does_not_keep_the_others_from_the_disk(
    keeper: Keeper, results: WatchedResults
) -> None:
    async def keep() -> None:
        results.may_write.clear()
        first = asyncio.create_task(keeper.keep(Kept(b"0", "x")))
        second = asyncio.create_task(keeper.keep(Kept(b"1", "x")))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        results.may_write.set()
        await second

    asyncio.run(keep())
    assert sorted(results.find(JOB, [b"0", b"1"])) == [b"0", b"1"]


def test_a_full_disk_is_told_once_and_the_answers_are_written_later(
    keeper: Keeper,
    results: WatchedResults,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def keep() -> None:
        results.reason = "Answers are not kept in maps.sqlite3: disk full."
        for number in range(5):
            await keeper.keep(Kept(b"%d" % number, "x"))
        assert not keeper.is_keeping
        assert len(told) == 1
        results.reason = ""
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
        await keeper.keep(Kept(b"5", "x"))

    asyncio.run(keep())
    assert "disk full" in told[0]
    assert "stay in memory" in told[0]
    assert told[1:] == ["The answers are kept on disk again."]
    assert len(results.find(JOB, [b"%d" % number for number in range(6)])) == 6
    assert keeper.is_keeping


def test_without_a_file_nothing_is_kept_or_found(told: list[str]) -> None:
    keeper = Keeper(None, JOB, told.append)

    async def keep() -> None:
        await keeper.keep(Kept(b"0", "x"))
        await keeper.flush()

    asyncio.run(keep())
    keeper.begin()
    keeper.forget()
    assert (keeper.find([b"0"]), keeper.averages().answers) == ({}, 0)
    assert (keeper.has_other_answer(b"0"), told) == (False, [])


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, told: list[str]) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    keeper = Keeper(Results(path, told.append), JOB, told.append)
    assert keeper.find([b"0"]) == {}
    assert "cannot be read" in told[0]
    assert "asked about again" in told[0]
