"""A served notebook in a real kernel, asked by the client of the official SDK."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from codebuddy_jupyter.tools.server.address_file import PREFIX, Address
from tests.support.fakes import eventually
from tests.support.kernels import SECONDS, Kernel
from tests.support.mcp_clients import address_in, called
from tests.support.scripted_server import ScriptedServer

# Colab's environment has no package of MCP, and is asked only for what it says then.
newest = pytest.mark.parametrize("python", ["newest"], indirect=True, scope="session")
colab = pytest.mark.parametrize("python", ["colab"], indirect=True, scope="session")


def files(kernel: Kernel) -> list[Path]:
    folder = Path(kernel.environment["JUPYTER_RUNTIME_DIR"])
    return list(folder.glob(f"{PREFIX}*.json"))


def served(kernel: Kernel, line: str = "%buddy /serve") -> Address:
    shown = json.dumps(kernel.good(line).outputs)
    (file,) = files(kernel)
    address = address_in(file)
    # The notebook keeps its outputs.
    assert address.key not in shown
    assert str(address.port) in shown
    return address


def is_open(address: Address) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", address.port)) == 0


@newest
def test_an_agent_sees_the_kernel_as_it_is_also_while_a_cell_runs(
    kernel: Kernel,
) -> None:
    kernel.good("orders = [1, 2, 3]")
    address = served(kernel)
    assert "list" in called(address, "variable", name="orders")
    go = kernel.home / "go"
    cell = kernel.begin(
        "import os\nlate = {'a': 1}\nprint('begun')\n"
        f"while not os.path.exists({str(go)!r}): sum(range(1_000))"
    )
    kernel.wait_for(cell, lambda message: message.type == "stream")
    try:
        assert "dict" in called(address, "variable", name="late")
        assert "orders = [1, 2, 3]" in called(address, "context", question="orders?")
        assert cell.ended is None
    finally:
        go.touch()
    assert kernel.end(cell).status == "ok"
    status = json.dumps(kernel.good("%buddy /serve status").outputs)
    assert "orders?" in status
    assert address.key not in status
    kernel.good("%buddy /serve off")
    assert not is_open(address)
    assert files(kernel) == []


@newest
def test_an_interrupt_leaves_the_server_alone(kernel: Kernel) -> None:
    address = served(kernel)
    cell = kernel.begin("import time\nprint('begun')\ntime.sleep(3_600)")
    kernel.wait_for(cell, lambda message: message.type == "stream")
    kernel.interrupt()
    assert kernel.end(cell).status == "error"
    assert "KeyboardInterrupt" in called(address, "error")


@newest
def test_it_ends_with_the_extension(kernel: Kernel) -> None:
    address = served(kernel, "%buddy /serve --values")
    kernel.good("%unload_ext codebuddy_jupyter")
    assert eventually(lambda: not is_open(address))
    assert files(kernel) == []


@newest
def test_it_ends_with_the_kernel(copy: Kernel) -> None:
    copy.good("%load_ext codebuddy_jupyter")
    address = served(copy)
    copy.client.shutdown()
    assert eventually(lambda: not copy.manager.is_alive())
    assert not is_open(address)
    assert files(copy) == []


@newest
def test_the_command_passes_an_agent_s_lines_on(kernel: Kernel) -> None:
    kernel.good("orders = [1, 2, 3]")
    served(kernel)
    call = {"name": "variable", "arguments": {"name": "orders"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    program = shutil.which("codebuddy", path=os.path.dirname(sys.executable))
    assert program
    run = subprocess.run(
        [program, "mcp"],
        input=json.dumps(message) + "\n",
        env=kernel.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    (answer,) = map(json.loads, run.stdout.splitlines())
    assert "list" in answer["result"]["content"][0]["text"]
    assert run.stderr == ""


@colab
def test_without_the_package_it_says_what_to_install(
    kernel: Kernel, server: ScriptedServer
) -> None:
    cell = kernel.run("%buddy /serve")
    assert 'Install it: %pip install "codebuddy-jupyter[mcp]"' in cell.error
    assert files(kernel) == []
