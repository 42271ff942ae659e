"""Describers of the user's in a real kernel: coroutines run on the notebook's loop."""

from __future__ import annotations

import pytest

from tests.support.kernels import Kernel

SETUP = """
import asyncio
from codebuddy_jupyter.context.describe import Describers

class Pool:
    pass

describers = Describers()
pool = Pool()
"""
# Made by top-level await, so bound to the kernel's own loop.
BOUND = """
pool.loop = asyncio.get_running_loop()
pool.lock = asyncio.Lock()
pool.queue = asyncio.Queue()
await pool.queue.put("a connection")
async with pool.lock:
    await asyncio.sleep(0)
"""
REGISTERED = """
async def describe(pool):
    assert asyncio.get_running_loop() is pool.loop
    async with pool.lock:
        connection = await pool.queue.get()
        await asyncio.sleep(0.01)
        await pool.queue.put(connection)
    return f"a pool with {connection}"

describers.register(Pool, describe)
"""


@pytest.fixture
def described(kernel: Kernel) -> Kernel:
    """Return a kernel with a pool and a describer that are bound to its loop."""
    for cell in (SETUP, BOUND, REGISTERED):
        kernel.good(cell)
    return kernel


def test_a_coroutine_is_awaited_on_the_kernels_own_loop(described: Kernel) -> None:
    for _ in range(3):
        assert (
            described.good("print(describers.schema(pool))").printed
            == "a pool with a connection\n"
        )


def test_await_still_works_afterwards(described: Kernel) -> None:
    described.good("describers.schema(pool)")
    cell = described.good(
        "async with pool.lock:\n    print(await asyncio.sleep(0.01, 'awaited'), pool.queue.qsize())"
    )
    assert cell.printed == "awaited 1\n"


def test_queued_cells_are_run_afterwards(described: Kernel) -> None:
    codes = [
        "print(describers.schema(pool))",
        "print('next')",
        "print(await asyncio.sleep(0.01, 'last'))",
    ]
    cells = [described.begin(code) for code in codes]
    printed = [described.end(cell).printed for cell in cells]
    assert printed == ["a pool with a connection\n", "next\n", "last\n"]
    assert [cell.status for cell in cells] == ["ok"] * 3


def test_it_works_from_within_a_coroutine_of_the_notebook(described: Kernel) -> None:
    cell = described.good(
        "await asyncio.sleep(0)\nprint(describers.schema(pool))\nawait asyncio.sleep(0)"
    )
    assert cell.printed == "a pool with a connection\n"


def test_a_coroutine_that_is_too_slow_is_cut_off(described: Kernel) -> None:
    described.good(
        "async def slow(pool):\n    await asyncio.sleep(60)\ndescribers.register(Pool, slow)"
    )
    assert (
        described.good("print(describers.schema(pool))").printed
        == "Pool, too slow to describe\n"
    )
    assert (
        described.good("print(await asyncio.sleep(0, 'awaited'))").printed
        == "awaited\n"
    )


def test_from_another_thread_it_is_awaited_on_the_kernels_loop_too(
    described: Kernel,
) -> None:
    described.good("describers.begin()")
    cell = described.good("print(await asyncio.to_thread(describers.schema, pool))")
    assert cell.printed == "a pool with a connection\n"


def test_an_interrupt_ends_a_coroutine_that_blocks(described: Kernel) -> None:
    described.good(
        "import time\nasync def block(pool):\n    print('begun', flush=True)\n    time.sleep(60)"
    )
    described.good("describers.register(Pool, block)")
    cell = described.begin("describers.schema(pool)")
    described.wait_for(cell, lambda message: message.type == "stream")
    described.interrupt()
    assert described.end(cell).status == "error"
    assert (
        described.run("print(await asyncio.sleep(0, 'awaited'))").printed == "awaited\n"
    )


def test_without_a_coroutine_asyncio_stays_as_it_is(fresh: Kernel) -> None:
    before = fresh.good("import sys\nprint('nest_asyncio2' in sys.modules)").printed
    fresh.good(SETUP)
    fresh.good(
        "describers.register(Pool, lambda pool: 'plain')\nassert describers.schema(pool) == 'plain'"
    )
    assert fresh.good("print('nest_asyncio2' in sys.modules)").printed == before
