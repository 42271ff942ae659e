"""The rows about `buddy.map`."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dask.dataframe
import openai
import pandas as pd
import psutil
import pytest
from distributed import Client, LocalCluster

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.messages import Chunk
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.values.batch.dask_frames import lazy_map
from codebuddy_jupyter.values.batch.mapping import Map, MapOptions
from codebuddy_jupyter.values.batch.question import SYSTEM
from tests.support.fakes import buddy_with_fakes, fake_of
from tests.support.map_server import MapServerProcess, most_at_once
from tests.support.real_model import NAME

from .in_process import MODEL_VARIABLE
from .server import Server
from .table import Row, median, seconds

ROWS, SLOTS, SECONDS = 320, 8, 0.1
IDEAL = ROWS / (2 * SLOTS) * SECONDS
REVIEWS = (
    "The {} arrived on time and works well.",
    "The {} broke after two days, and nobody answers my letters.",
    "I like the {}, but the colour is not what the picture showed.",
    "Never again: the {} was used, dirty, and had no cable.",
)
THINGS = ("lamp", "kettle", "phone", "chair", "radio")
OPTIONS = MapOptions(progress=False)
# What stands after a question in the prompts of both real models.
END = "<|im_end|>\n<|im_start|>assistant\n"


@contextmanager
def home() -> Iterator[Path]:
    """A folder of its own for what is kept."""
    with (
        tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as name,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("JUPYTER_DATA_DIR", name)
        environment.setenv("JUPYTER_CONFIG_DIR", name)
        yield Path(name)


@contextmanager
def local_buddy(urls: Sequence[str]) -> Iterator[Buddy]:
    """A Buddy that asks these servers."""
    with home() as folder:
        buddy = Buddy(settings_path=folder / "codebuddy.json")
        provider = buddy.provider_named("Local")
        provider.change({"pool": list(urls), "base_url": urls[0]})
        try:
            yield buddy
        finally:
            buddy.close()


def two_servers(server: Server, quick: bool) -> Iterator[Row]:
    """320 rows are asked of two scripted servers, processes of their own, each of which
    tells that it has 8 slots and takes 0.1 s for an answer; ideal are 2.0 s. Raw are a
    pool of the raw client with 8 requests to each server at a time, and a loop over the
    rows (40 rows, scaled up). Then one of the servers is killed after a third of the
    rows.
    """
    rows = [f"row{number}" for number in range(ROWS)]
    times, pools, loops = [], [], []
    most = 0
    for _ in range(1 if quick else 3):
        with ExitStack() as stack:
            servers = [
                stack.enter_context(MapServerProcess(SLOTS, SECONDS)) for _ in "ab"
            ]
            buddy = stack.enter_context(local_buddy([one.url for one in servers]))
            # Imports and the first look at the servers are not those of the rows.
            Map(buddy, ["warm"], "Repeat {item}", OPTIONS).gather()
            began = time.perf_counter()
            values = Map(buddy, rows, "Repeat {item}", OPTIONS).gather()
            times.append(time.perf_counter() - began)
            assert values == rows
            most = max(most, *[most_at_once(one.questions()) for one in servers])
            loops.append(_raw_loop(servers[0].url, rows[:40]) * ROWS / 40)
            pools.append(asyncio.run(_raw_pool([one.url for one in servers], rows)))
    yield Row(
        f"`buddy.map`: {ROWS} rows, two servers of {SLOTS} slots, ideal {IDEAL:.1f} s",
        f"{1.3 * IDEAL:.1f} s, no server above {SLOTS} requests",
        f"{seconds(times)}, {most} requests at most",
        f"{seconds(pools)} (a pool), {median(loops):.1f} s (a loop)",
        median(times) <= 1.3 * IDEAL and most <= SLOTS,
    )
    lost, took = _with_one_killed(rows)
    yield Row(
        "the same, one server killed midway: rows lost",
        "0",
        f"{lost} ({took:.1f} s)",
        "",
        lost == 0,
    )


def _raw_loop(url: str, rows: Sequence[str]) -> float:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        began = time.perf_counter()
        for row in rows:
            client.chat.completions.create(
                model="llama3",
                messages=[{"role": "user", "content": f"Repeat {row}"}],
                stream=True,
            ).close()
        return time.perf_counter() - began


async def _raw_pool(urls: Sequence[str], rows: Sequence[str]) -> float:
    """Seconds of a pool that knows the slots of each server."""
    waiting = iter(rows)
    async with AsyncExitStack() as stack:
        clients = []
        for url in urls:
            client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
            clients.append(await stack.enter_async_context(client))
        began = time.perf_counter()
        slots = [_raw_slot(client, waiting) for client in clients * SLOTS]
        await asyncio.gather(*slots)
        return time.perf_counter() - began


async def _raw_slot(client: openai.AsyncOpenAI, rows: Iterator[str]) -> None:
    for row in rows:
        stream = await client.chat.completions.create(
            model="llama3",
            messages=[{"role": "user", "content": f"Repeat {row}"}],
            stream=True,
        )
        async for _ in stream:
            pass


def _with_one_killed(rows: list[str]) -> tuple[int, float]:
    with (
        MapServerProcess(SLOTS, SECONDS) as dying,
        MapServerProcess(SLOTS, SECONDS) as other,
        local_buddy([dying.url, other.url]) as buddy,
    ):
        began = time.perf_counter()
        stream = Map(buddy, rows, "Repeat {item}", OPTIONS).stream()
        values = dict(itertools.islice(stream, ROWS // 3))
        dying.kill()
        values.update(stream)
        took = time.perf_counter() - began
    wrong = [row for number, row in enumerate(rows) if values.get(number) != row]
    return len(wrong), took


def kept(server: Server, quick: bool) -> Iterator[Row]:
    """A process maps 320 rows over a server of 8 slots, and is killed (`kill -9`) at
    half of them; then another process makes the same map. Counted are the rows that the
    server was asked about twice.
    """
    code = (
        "import sys, codebuddy_jupyter as buddy; "
        f"rows = [f'row{{n}}' for n in range({ROWS})]; "
        "assert buddy.map(rows, 'Repeat {item}', progress=False) == rows"
    )
    with home(), MapServerProcess(SLOTS, 0.05) as asked:
        environment = {**os.environ, "CODEBUDDY_BASE_URL": asked.url}
        command = [sys.executable, "-c", code]
        killed = subprocess.Popen(command, env=environment)
        while len(asked.questions()) < ROWS // 2:
            time.sleep(0.02)
        killed.kill()
        killed.wait(10)
        subprocess.run(command, env=environment, check=True, timeout=120)
        counts = Counter(
            record["body"]["messages"][-1]["content"] for record in asked.questions()
        )
    again = sum(counts.values()) - len(counts)
    yield Row(
        f"`kill -9` at half of {ROWS} rows, then again: rows asked about twice",
        f"{SLOTS}, those in flight",
        str(again),
        "",
        again <= SLOTS and len(counts) == ROWS,
    )


def overhead(server: Server, quick: bool) -> Iterator[Row]:
    """A stream of short rows is asked of a provider in the same process that answers at
    once, so that what is measured is the buddy's side: reading, redacting, asking and
    keeping on disk. The memory is that of the process after the first tenth and at the
    end.
    """
    count = 20_000 if quick else 1_000_000
    with home() as folder:
        buddy = buddy_with_fakes(folder / "codebuddy.json")
        fake = fake_of(buddy)
        fake.answer = lambda request: ["yes", Chunk(finish="stop")]
        fake.requests = Forgetful()
        fake.offline_then = Forgetful()
        rows = (f"a short review with the number {number}" for number in range(count))
        process = psutil.Process()
        early = 0.0
        began = time.perf_counter()
        for seen, _ in enumerate(
            Map(buddy, rows, "Is it good? {item}", OPTIONS).stream()
        ):
            if seen == count // 10:
                early = process.memory_info().rss
        took = time.perf_counter() - began
        grown = (process.memory_info().rss - early) / 1e6
        buddy.close()
    yield Row(
        f"`buddy.map`: our side of a row, {count:,} rows streamed",
        "1 ms",
        f"{1000 * took / count:.2f} ms",
        "",
        took / count <= 0.001,
    )
    yield Row(
        f"memory that {count:,} streamed rows add after the first tenth",
        "10 MB",
        f"{grown:.1f} MB",
        "",
        grown <= 10,
    )


class Forgetful(list[Any]):
    """A list that keeps nothing."""

    def append(self, value: object) -> None:
        """Forget it."""


def real_model(server: Server, quick: bool) -> Iterator[Row]:
    """200 short reviews are asked of the built-in engine with a real model (SmolLM2 by
    default), four slots and two threads: is each a complaint, yes or no. Counted are
    the tokens of prompts that llama.cpp evaluated, against those of what all rows share
    once and of each row with what follows it. Then the same by a plain loop over
    `buddy.ask`.
    """
    count = 40 if quick else 200
    rows = [
        REVIEWS[number % 4].format(f"{THINGS[number % 5]} number {number}")
        for number in range(count)
    ]
    model = os.environ.get(MODEL_VARIABLE) or NAME
    with home() as folder:
        buddy = Buddy(settings_path=folder / "codebuddy.json")
        buddy.change({"provider": "Embedded"})
        provider = buddy.provider_named("Embedded")
        provider.change({"model": model, "parallel": 4, "threads": 2})
        options = MapOptions(progress=False, max_tokens=4)
        prompt = "Is this review a complaint? Answer yes or no. {item}"
        try:
            Map(buddy, ["Hello."], prompt, options).gather()
            began = time.perf_counter()
            values = Map(buddy, rows, prompt, options).gather()
            took = time.perf_counter() - began
            usage = values.usage
            looped = _loop(buddy, prompt, rows)
            alone = _own_tokens(buddy, rows)
        finally:
            buddy.close()
    assert not values.errors, values.errors
    shared = (usage.prompt_tokens or 0) / count - alone
    ideal = shared + count * alone
    ratio = (usage.read_tokens or 0) / ideal
    yield Row(
        f"prompt tokens evaluated by llama.cpp for {count} rows",
        "1.1 times what they share once and the rows",
        f"{ratio:.2f} times ({usage.read_tokens:,} of {usage.prompt_tokens:,} tokens)",
        "",
        ratio <= 1.1,
    )
    yield Row(
        f"`buddy.map` of {count} rows by llama.cpp on this machine",
        "half the time of a loop",
        f"{took:.1f} s",
        f"{looped:.1f} s (a loop)",
        took <= looped / 2,
    )


def _loop(buddy: Buddy, prompt: str, rows: Sequence[str]) -> float:
    """Seconds of the same questions one after the other."""
    options = Options(system=SYSTEM, max_tokens=4, remember=False, context="none")
    began = time.perf_counter()
    for row in rows:
        buddy.ask(prompt.replace("{item}", row), options).result()
    return time.perf_counter() - began


def _own_tokens(buddy: Buddy, rows: Sequence[str]) -> float:
    """The tokens of a row and of what follows it in a prompt, on average."""

    async def count() -> float:
        provider = buddy.provider_named("Embedded")
        model = await provider.choose("")
        counts = [await provider.count(model, row + END) or 0 for row in rows]
        return sum(counts) / len(counts)

    return buddy.loop.run(count())


def on_dask(server: Server, quick: bool) -> Iterator[Row]:
    """The same 320 rows in 16 partitions are asked about by a Dask cluster of two
    workers, processes with two threads each, of the same two servers. The workers have
    imported what they need.
    """
    rows = [f"row{number}" for number in range(ROWS)]
    with (
        MapServerProcess(SLOTS, SECONDS) as one,
        MapServerProcess(SLOTS, SECONDS) as other,
        local_buddy([one.url, other.url]) as buddy,
        LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster),
    ):
        warm = dask.dataframe.from_pandas(pd.DataFrame({"text": ["a", "b"]}), 2)
        lazy_map(buddy, warm, "Repeat {text}", OPTIONS).compute()
        frame = dask.dataframe.from_pandas(pd.DataFrame({"text": rows}), 16)
        began = time.perf_counter()
        values = lazy_map(buddy, frame, "Repeat {text}", OPTIONS).compute()
        took = time.perf_counter() - began
        most = max(most_at_once(asked.questions()) for asked in (one, other))
        assert values.tolist() == rows
    yield Row(
        f"the same {ROWS} rows on Dask, two workers and two servers",
        f"{1.5 * IDEAL:.1f} s, no server above {SLOTS} requests",
        f"{took:.2f} s, {most} requests at most",
        "",
        took <= 1.5 * IDEAL and most <= SLOTS,
    )
