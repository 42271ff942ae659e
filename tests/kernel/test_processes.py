"""The kernel as a process: its threads and children, its end, and what it does when it
has nothing to do.
"""

from __future__ import annotations

import os
import time

import pytest

from tests.support.kernels import Kernel
from tests.support.scripted_server import ScriptedServer, begun, hang, question_in

HELLO = "Hello from the scripted server."


def test_an_idle_kernel_has_no_busy_thread(copy: Kernel) -> None:
    copy.good("%load_ext codebuddy_jupyter")
    copy.good("%buddy hello")
    copy.good("import time\nbefore = time.process_time()")
    time.sleep(2)
    used = float(copy.good("print(time.process_time() - before)").printed)
    assert used < 1, "a busy thread would have used 2 s"


REMAINING = """
import threading, time
for _ in range(100):
    names = [t.name for t in threading.enumerate() if t.name.startswith("buddy")]
    if len(names) == 1: break
    time.sleep(0.1)
print(names)
"""


def test_one_thread_serves_all_questions(kernel: Kernel) -> None:
    for _ in range(3):
        kernel.good("%buddy hello")
    assert kernel.good(REMAINING).printed == "['buddy-loop']\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_can_ask(copy: Kernel, server: ScriptedServer) -> None:
    copy.good("%load_ext codebuddy_jupyter")
    copy.good("%buddy hello")
    cell = copy.good(
        "import os, codebuddy_jupyter as buddy\n"
        "read, write = os.pipe()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os.write(write, str(buddy.ask('from the child')).encode())\n"
        "    os._exit(0)\n"
        "os.close(write)\n"
        "print(os.read(read, 1000).decode())\n"
        "os.waitpid(child, 0)\n"
        "print(buddy.ask('from the parent'))"
    )
    assert cell.printed == f"{HELLO}\n{HELLO}\n"
    assert question_in(server.asked()[1]["body"]["messages"][-1]) == "from the child"


@pytest.mark.parametrize("running", ["a cell", "nothing but the request"])
def test_a_kernel_that_is_shut_down_ends_with_its_request(
    copy: Kernel, server: ScriptedServer, running: str
) -> None:
    copy.good("%load_ext codebuddy_jupyter\nimport codebuddy_jupyter as buddy")
    server.script(begun("Once"))
    cell = copy.begin(
        "%buddy hello" if running == "a cell" else "answer = buddy.ask('hello').start()"
    )
    server.wait_for("first", seconds=30)
    if running != "a cell":
        copy.end(cell)
    copy.manager.shutdown_kernel()
    assert not copy.manager.is_alive()
    assert server.wait_for("closed")


def test_a_killed_kernel_takes_its_request_along(
    fresh: Kernel, server: ScriptedServer
) -> None:
    fresh.good("%load_ext codebuddy_jupyter")
    server.script(hang())
    fresh.begin("%buddy hello")
    server.wait_for("arrived", seconds=30)
    fresh.manager.shutdown_kernel(now=True)
    assert server.wait_for("closed")
