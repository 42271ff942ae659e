"""Maps over frames and bags of Dask, on a real cluster of two workers."""

from __future__ import annotations

import os
import pickle
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask
import dask.bag as db
import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from distributed.utils import get_mp_context

from codebuddy_jupyter import api
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import PromptError, SettingError
from codebuddy_jupyter.values.batch import dask_frames
from codebuddy_jupyter.values.batch.dask_frames import is_dask, lazy_map
from codebuddy_jupyter.values.batch.mapping import MapOptions, default_path
from tests.support.fakes import eventually, local
from tests.support.map_server import MapServer

SLOTS = 4
ROWS = 200
# Workers that are forked need not each import all of Dask.
STARTED_BY = "forkserver" if os.name == "posix" else "spawn"
# What each worker imports.
PRELOADED = [
    "codebuddy_jupyter.buddy",
    "codebuddy_jupyter.providers.local.provider",
    "codebuddy_jupyter.values.batch.dask_frames",
    "dask.dataframe",
    "distributed",
    "openai",
    "pandas",
    "pyarrow",
]


@dataclass
class Review:
    stars: int
    summary: str


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Buddy]:
    buddy = Buddy(settings_path=tmp_path / "real.json")
    yield buddy
    buddy.close()


@pytest.fixture
def servers() -> Iterator[list[MapServer]]:
    with MapServer(SLOTS, 0.02) as one, MapServer(SLOTS, 0.02) as other:
        one.say = other.say = lambda prompt: prompt.split()[-1].upper()
        yield [one, other]


def preload() -> None:
    """Have workers forked from a process with what each of them imports."""
    # Dask sets its own list with the first context that it gives.
    context = get_mp_context()
    if STARTED_BY == "forkserver":
        context.set_forkserver_preload(PRELOADED)


@pytest.fixture
def cluster(home: Path) -> Iterator[Client]:
    """Two workers, each a process; leases of one that dies are soon free again."""
    settings = {
        "distributed.worker.multiprocessing-method": STARTED_BY,
        "distributed.scheduler.locks.lease-timeout": "8s",
        "distributed.scheduler.allowed-failures": 10,
    }
    with dask.config.set(settings):
        preload()
        with (
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                local_directory=str(home),
                env=dict(os.environ),
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client


def frame(partitions: int = 8) -> Any:
    texts = [f"row{number}" for number in range(ROWS)]
    pandas = pd.DataFrame({"text": texts}, index=[f"i{n:03}" for n in range(ROWS)])
    return dd.from_pandas(pandas, npartitions=partitions)


def mapped(buddy: Buddy, items: Any, **options: Any) -> Any:
    return lazy_map(buddy, items, "Repeat {text}", MapOptions(**options))


EXPECTED = {f"i{number:03}": f"ROW{number}" for number in range(ROWS)}


def test_what_is_of_dask_is_recognised() -> None:
    assert is_dask(frame())
    assert is_dask(frame()["text"])
    assert is_dask(db.from_sequence([1]))
    assert not is_dask(pd.DataFrame())


def test_a_lazy_map_asks_nothing_and_has_the_types_of_its_values(
    real: Buddy, servers: list[MapServer]
) -> None:
    local(real).base_url = servers[0].url
    assert mapped(real, frame(), into=bool).dtype == "boolean"
    assert mapped(real, frame(), into=int).dtype == "Int64"
    assert mapped(real, frame()["text"]).name == "text"
    records = mapped(real, frame(), into=Review)
    assert list(records.columns) == ["stars", "summary"]
    assert str(records.dtypes["stars"]) == "Int64"
    assert servers[0].questions == []


def test_bad_questions_are_refused_at_once(
    real: Buddy, servers: list[MapServer]
) -> None:
    local(real).base_url = servers[0].url
    with pytest.raises(PromptError, match="no column 'txt'"):
        lazy_map(real, frame(), "Repeat {txt}", MapOptions())
    with pytest.raises(PromptError, match="one provider and one model"):
        mapped(real, frame(), model=["a", "b"])
    with pytest.raises(SettingError):
        mapped(real, frame(), into=object())


def test_what_protects_on_a_worker_is_never_switched_off(
    real: Buddy, servers: list[MapServer], tmp_path: Path
) -> None:
    local(real).base_url = servers[0].url
    real.change({"redact_secrets": False})
    worker = Buddy(settings_path=tmp_path / "worker.json")
    worker.change({"offline": True, "keep_chats": False, "redact_secrets": True})
    plan = dask_frames._plan(real, "Repeat {text}", MapOptions())
    dask_frames._configure(worker, plan)
    assert (worker.offline, worker.keep_chats) == (True, False)
    assert worker.redact_secrets
    assert local(worker).base_url == servers[0].url
    worker.change({"offline": False, "keep_chats": True, "redact_secrets": False})
    real.change({"offline": True, "keep_chats": False, "redact_secrets": True})
    plan = dask_frames._plan(real, "Repeat {text}", MapOptions())
    dask_frames._configure(worker, plan)
    assert (worker.offline, worker.keep_chats) == (True, False)
    assert worker.redact_secrets
    worker.close()


def test_the_settings_of_a_worker_come_before_those_of_the_kernel(
    real: Buddy,
    servers: list[MapServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local(real).base_url = servers[0].url
    plan = dask_frames._plan(real, "Repeat {text}", MapOptions())
    monkeypatch.setenv("CODEBUDDY_BASE_URL", servers[1].url)
    worker = Buddy(settings_path=tmp_path / "worker.json")
    dask_frames._configure(worker, plan)
    assert local(worker).base_url == servers[1].url
    worker.close()


def test_no_key_is_in_the_graph(
    real: Buddy, servers: list[MapServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_API_KEY", "the-key-itself")
    provider = local(real)
    provider.change({"base_url": servers[0].url, "headers": {"X-Key": "a-header"}})
    lazy = mapped(real, frame())
    graph = pickle.dumps(dict(lazy.__dask_graph__()))
    assert b"Repeat {text}" in graph
    assert b"the-key-itself" not in graph
    assert b"a-header" not in graph


def test_workers_ask_the_servers_of_the_kernel_or_their_own_within_their_slots(
    real: Buddy, servers: list[MapServer], cluster: Client
) -> None:
    local(real).change(
        {"base_url": servers[0].url, "pool": [one.url for one in servers]}
    )
    values = mapped(real, frame()).compute()
    assert values.to_dict() == EXPECTED
    asked = Counter(question for one in servers for question in one.questions)
    assert len(asked) == ROWS
    assert asked.total() == ROWS
    assert all(1 < one.most_at_once() <= SLOTS for one in servers)
    # Another kernel: nothing is asked again.
    assert mapped(real, frame()).compute().to_dict() == EXPECTED
    assert sum(len(one.questions) for one in servers) == ROWS
    use_servers_of_their_own(cluster, servers)
    local(real).change({"base_url": "http://localhost:9/v1", "pool": []})
    lazy = lazy_map(real, frame(), "Say {text}", MapOptions(model="m"))
    assert lazy.compute().to_dict() == EXPECTED
    assert sum(len(one.questions) for one in servers) == 2 * ROWS
    assert all(one.questions[-1].startswith("Say") for one in servers)


def use_servers_of_their_own(cluster: Client, servers: list[MapServer]) -> None:
    def use(url: str) -> None:
        dask.config.set({"codebuddy.pool": [url]})

    # What the client keeps of the scheduler's news names no workers for a moment.
    workers = list(cluster.nthreads())
    for worker, server in zip(workers, servers, strict=True):
        cluster.run(use, server.url, workers=[worker])


def test_a_bag_gives_a_bag(real: Buddy, servers: list[MapServer]) -> None:
    local(real).base_url = servers[0].url
    bag = db.from_sequence(["a", "b", "c"], npartitions=2)
    lazy = lazy_map(real, bag, "Repeat", MapOptions())
    assert lazy.compute(scheduler="threads") == ["A", "B", "C"]


def test_a_sample_is_asked_about_at_once(
    shell: Any, real: Buddy, servers: list[MapServer]
) -> None:
    shell.codebuddy = SimpleNamespace(buddy=real)
    local(real).base_url = servers[0].url
    values = api.map(frame(), "Repeat {text}", sample=3, progress=False)
    assert values.to_dict() == dict(list(EXPECTED.items())[:3])
    bag = db.from_sequence(["a", "b", "c"], npartitions=2)
    assert api.map(bag, "Repeat", sample=2, progress=False) == ["A", "B"]
    assert len(servers[0].questions) == 5
    assert is_dask(api.map(frame(), "Repeat {text}"))
    with pytest.raises(SettingError, match="no dry run"):
        api.map(frame(), "Repeat {text}", dry_run=True)


@pytest.mark.skipif(os.name != "posix", reason="there is no kill -9")
def test_a_worker_that_is_killed_loses_no_row(
    real: Buddy, servers: list[MapServer], cluster: Client
) -> None:
    local(real).change(
        {"base_url": servers[0].url, "pool": [one.url for one in servers]}
    )

    def count() -> int:
        return sum(len(one.questions) for one in servers)

    computing = cluster.compute(mapped(real, frame()))
    # First the workers import what they need.
    assert eventually(lambda: count() >= ROWS // 3, 90)
    pids = cluster.run(os.getpid)
    os.kill(next(iter(pids.values())), signal.SIGKILL)
    values = computing.result(timeout=120)
    assert values.to_dict() == EXPECTED
    asked = Counter(question for one in servers for question in one.questions)
    assert len(asked) == ROWS
    # Those in flight at the worker that was killed.
    assert asked.total() - ROWS <= 2 * SLOTS
    assert default_path().exists()
