"""Real kernels for tests: started as Jupyter starts them, every message kept with the
moment at which it came.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[2]
COLAB = (
    ROOT / ".venv-colab" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
)
PYTHONS = {"newest": Path(sys.executable), "colab": COLAB}
# it takes a widget's messages otherwise than 7.4
OLDER = {"ipykernel 7.3": ROOT / ".venv-ipykernel-7.3"}
COPIES = Path(__file__).with_name("kernel_copies.py")
COPY = Path(__file__).with_name("kernel_copy.py")
CAN_COPY = sys.platform == "linux"
PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
# Linux gives ports from 32768 on, other systems from 49152 on.
KERNEL_PORTS = range(20_000, 32_000)
# a bound for what hangs, not a measure of what is slow
SECONDS = 60.0
# the same for a start: the first kernel compiles all that it imports
STARTING = 180.0
FOREIGN = (
    "CODEBUDDY_",
    "OPENAI_",
    "OLLAMA_",
    "LMSTUDIO_",
    "JUPYTER_",
    "IPYTHON",
    "JPY_",
    "XDG_",
    "PYTHON",
)


def python_named(name: str) -> Path:
    """The interpreter of an environment: the newest Jupyter, or one as Colab pins it."""
    assert PYTHONS[name].exists(), (
        "The environment that is like Colab's is missing: make .venv-colab/.done"
    )
    return PYTHONS[name]


def older(name: str) -> dict[str, str]:
    """What must be in the environment for the newest Jupyter with this of ``OLDER``;
    nothing for another name.
    """
    if name not in OLDER:
        return {}
    assert (OLDER[name] / ".done").exists(), (
        f"{name} is missing: make {OLDER[name].name}/.done"
    )
    return {"PYTHONPATH": str(OLDER[name])}


@cache
def copies_of(python: Path) -> str:
    """Start a process of which kernels are copies; it ends with this one.

    Parameters
    ----------
    python
        Its interpreter.

    Returns
    -------
    str
        The name by which `kernel_copy.py` finds it.
    """
    name = f"kernels-{secrets.token_hex(8)}"
    # It listens from here on: whoever connects early waits.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [str(python), "-P", str(COPIES), str(descriptor)],
            env=clean_environment(Path(tempfile.gettempdir())),
            stdin=subprocess.DEVNULL,
            pass_fds=[descriptor],
        )
    atexit.register(process.terminate)
    return name


def command_of(python: Path, *, copied: bool) -> list[str]:
    """Return the command that starts a kernel, as it stands in a kernel's spec.

    Parameters
    ----------
    python
        Its interpreter; ipykernel must be installed for it.
    copied
        Whether it is a copy of a process that has imported its libraries, where the
        system can copy one: it takes a third of the time.
    """
    start = [str(python), "-m", "ipykernel_launcher"]
    if copied and CAN_COPY:
        start = [sys.executable, "-I", "-S", str(COPY), copies_of(python)]
    return [*start, "-f", "{connection_file}"]


def free_ports(count: int) -> list[int]:
    """Return ports at which nobody listens, and which no system gives to anybody who
    asks for any: another test could get one before the kernel does.
    """
    found: list[int] = []
    # Not the usual numbers, which Hypothesis makes the same in each process.
    for port in random.SystemRandom().sample(KERNEL_PORTS, 20 * count):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found


def specs_of(command: list[str], home: Path) -> KernelSpecManager:
    """Return specs in which kernels are started by this command, under the name
    ``tested``.
    """
    spec = home / "specs" / "tested"
    spec.mkdir(parents=True, exist_ok=True)
    (spec / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "tested", "language": "python"})
    )
    return KernelSpecManager(kernel_dirs=[str(spec.parent)], ensure_native_kernel=False)


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process that shall know nothing of the user: no keys, no
    proxies, an empty home.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN)
        and not name.upper().endswith(("_API_KEY", "_PROXY"))
    }
    folders = (
        "HOME",
        "USERPROFILE",
        "IPYTHONDIR",
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
    )
    return {
        **kept,
        **{name: str(home / name.lower()) for name in folders},
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        **more,
    }


@dataclass(frozen=True)
class Message:
    """A message of the kernel's output channel, and when it came, in seconds of
    ``time.monotonic()``.
    """

    type: str
    content: Mapping[str, Any]
    at: float

    @property
    def markdown(self) -> str:
        """What it shows as Markdown."""
        return str(self.content.get("data", {}).get("text/markdown", ""))


@dataclass
class Cell:
    """A cell that was sent to a kernel: what came of it so far."""

    id: str
    messages: list[Message] = field(default_factory=list)
    reply: Mapping[str, Any] = field(default_factory=dict)
    ended: float | None = None

    @property
    def status(self) -> str:
        """``ok``, ``error`` or ``aborted``."""
        return str(self.reply.get("status", "running"))

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """What stays in the notebook."""
        return outputs(self.messages)

    @property
    def outputs_without_updates(self) -> list[dict[str, Any]]:
        """What a front end shows in the end that does not apply display updates."""
        return outputs([m for m in self.messages if m.type != "update_display_data"])

    @property
    def printed(self) -> str:
        """What the cell wrote to its standard output."""
        return "".join(
            m.content["text"]
            for m in self.messages
            if m.type == "stream" and m.content["name"] == "stdout"
        )

    @property
    def answer(self) -> dict[str, Any]:
        """The one output that an answer leaves."""
        answers = [
            output
            for output in self.outputs
            if "codebuddy" in output.get("metadata", {})
        ]
        assert len(answers) == 1, self.outputs
        return answers[0]

    @property
    def error(self) -> str:
        """What the user sees of the failure, without colours; it must be one line."""
        lines = [
            line
            for output in self.outputs
            if output["type"] == "error"
            for line in output["traceback"]
        ]
        assert len(lines) == 1, lines
        return str(lines[0]).replace("\x1b[31m", "").replace("\x1b[0m", "")


def outputs(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """What a front end has in the cell after these messages."""
    left: list[dict[str, Any]] = []
    clearing = False
    for message in messages:
        content = message.content
        if message.type == "clear_output":
            clearing = content["wait"]
            left = left if clearing else []
        elif message.type == "update_display_data":
            for output in left:
                if output["id"] == content["transient"]["display_id"]:
                    output.update(data=content["data"], metadata=content["metadata"])
        elif message.type in ("stream", "display_data", "execute_result", "error"):
            left = [] if clearing else left
            clearing = False
            last = left[-1] if left else {}
            if message.type == "stream" and last.get("name") == content["name"]:
                last["text"] += content["text"]
            else:
                left.append(
                    {
                        "type": message.type,
                        "id": content.get("transient", {}).get("display_id"),
                        **content,
                    }
                )
    return left


class Kernel:
    """A kernel of some Python; ``with Kernel(python, home) as kernel``.

    Parameters
    ----------
    python
        The interpreter; ipykernel must be installed for it.
    home
        An empty folder that stands for the user's.
    copied
        Whether it is a copy of a process that has imported its libraries: for tests in
        which its start and its imports do not matter.
    environment
        More environment variables; none that Python reads when it starts, for a copy.
    """

    def __init__(
        self, python: Path, home: Path, *, copied: bool = False, **environment: str
    ) -> None:
        self.home = home
        self.environment = clean_environment(home, **environment)
        specs = specs_of(command_of(python, copied=copied), home)
        self.manager = KernelManager(
            kernel_name="tested",
            kernel_spec_manager=specs,
            cache_ports=False,
            **dict(zip(PORTS, free_ports(len(PORTS)), strict=True)),
        )
        self._cells: dict[str, Cell] = {}

    def __enter__(self) -> Self:
        self.manager.start_kernel(env=self.environment, cwd=str(self.home))
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=STARTING)
        return self

    def __exit__(self, *exc: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    @property
    def is_at_rest(self) -> bool:
        """Whether it lives, and no cell runs or waits."""
        return self.manager.is_alive() and all(
            cell.ended for cell in self._cells.values()
        )

    def begin(
        self, code: str, *, stdin: bool = True, stop_on_error: bool = True
    ) -> Cell:
        """Send a cell.

        ``stdin`` says whether somebody is there to type, as a front end does.
        """
        id = self.client.execute(code, allow_stdin=stdin, stop_on_error=stop_on_error)
        return self._cells.setdefault(id, Cell(id))

    def run(self, code: str, *, stdin: bool = True) -> Cell:
        """Run a cell to its end, however it ends."""
        cell = self.end(self.begin(code, stdin=stdin))
        # a kernel turns away what comes in the moment after a failure
        if cell.status == "aborted":
            time.sleep(0.5)
            cell = self.end(self.begin(code, stdin=stdin))
        return cell

    def begin_cell(self, id: str, code: str, *, stdin: bool = False) -> Cell:
        """Send a cell under its id, as a front end for notebooks does."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": stdin,
            "stop_on_error": False,
        }
        message = self.client.session.msg(
            "execute_request", content, metadata={"cellId": id}
        )
        self.client.shell_channel.send(message)
        key = str(message["header"]["msg_id"])
        return self._cells.setdefault(key, Cell(key))

    def run_cell(self, id: str, code: str, *, stdin: bool = False) -> Cell:
        """Run a cell under its id to its end, however it ends."""
        return self.end(self.begin_cell(id, code, stdin=stdin))

    def good(self, code: str, *, stdin: bool = True) -> Cell:
        """Run a cell that must not fail."""
        cell = self.run(code, stdin=stdin)
        assert cell.status == "ok", cell.outputs
        return cell

    def end(self, cell: Cell, seconds: float = SECONDS) -> Cell:
        """Wait for the end of a cell."""
        self._receive(lambda: cell.ended is not None, seconds)
        return cell

    def wait_for(
        self, cell: Cell, found: Callable[[Message], bool], seconds: float = SECONDS
    ) -> Message:
        """Wait for a message of a cell."""
        self._receive(lambda: any(map(found, cell.messages)), seconds)
        return next(filter(found, cell.messages))

    def interrupt(self) -> None:
        """Do what the stop button does."""
        self.manager.interrupt_kernel()

    def _receive(self, enough: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not enough():
            if time.monotonic() > end:
                raise TimeoutError(
                    f"not within {seconds} s; the cells: {list(self._cells.values())}"
                )
            try:
                self._take(self.client.get_iopub_msg(timeout=0.2))
            except queue.Empty:
                continue

    def _take(self, raw: Mapping[str, Any]) -> None:
        cell = self._cells.get(raw["parent_header"].get("msg_id", ""))
        if cell is None:
            return
        if raw["msg_type"] == "status" and raw["content"]["execution_state"] == "idle":
            cell.reply = self._reply(cell.id)
            cell.ended = time.monotonic()
        elif raw["msg_type"] not in ("status", "execute_input"):
            cell.messages.append(
                Message(raw["msg_type"], raw["content"], time.monotonic())
            )

    def _reply(self, id: str) -> Mapping[str, Any]:
        while True:
            reply = self.client.get_shell_msg(timeout=SECONDS)
            if reply["parent_header"].get("msg_id") == id:
                return dict(reply["content"])
