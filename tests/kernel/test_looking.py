"""The notebook as a panel looks at it: from a thread of its own, whether a cell runs or
not.
"""

from __future__ import annotations

import pytest

from tests.support.kernels import Kernel

SETUP = """
import asyncio, threading
buddy = get_ipython().codebuddy.buddy
panel = get_ipython().codebuddy.panel()

class Pool:
    loop = asyncio.get_running_loop()

async def describe(pool):
    assert asyncio.get_running_loop() is pool.loop
    return "a pool of the kernel's loop"

buddy.collector.describers.register(Pool, describe)
pool, found = Pool(), []

def look():
    seen = buddy.collector.collect("", frozenset({"variables"}), [], share_values=False)
    found.append((seen.troubles, [item.text for item in seen.items if "pool" in item.text]))
"""


@pytest.fixture
def probing(kernel: Kernel) -> Kernel:
    """A kernel with an open panel, and a type that can be described on the kernel's
    loop only.
    """
    for cell in ("%load_ext codebuddy_jupyter", SETUP):
        kernel.good(cell)
    return kernel


def test_a_look_from_another_thread_awaits_on_the_kernels_loop(probing: Kernel) -> None:
    printed = probing.good("await asyncio.to_thread(look)\nprint(found)").printed
    assert "a pool of the kernel's loop" in printed
    assert "((), [" in printed


def test_a_look_while_a_cell_runs_tells_the_rest(probing: Kernel) -> None:
    code = "thread = threading.Thread(target=look)\nthread.start()\nthread.join()\nprint(found)"
    assert "Pool, not described: no time was left" in probing.good(code).printed


def test_a_look_while_variables_come_and_go_sees_some_of_them(probing: Kernel) -> None:
    # Each look would wait for its description, which the loop has no time for.
    probing.good("del pool")
    code = """
import sys
# Threads take turns within a look, too.
usual = sys.getswitchinterval()
sys.setswitchinterval(usual / 50)
def look_often():
    for _ in range(100):
        look()
thread = threading.Thread(target=look_often)
thread.start()
while thread.is_alive():
    for number in range(200):
        globals()[f"name_{number}"] = number
    for number in range(200):
        del globals()[f"name_{number}"]
sys.setswitchinterval(usual)
print({troubles for troubles, _ in found})
"""
    assert probing.good(code).printed == "{()}\n"
