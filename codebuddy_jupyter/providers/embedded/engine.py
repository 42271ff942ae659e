"""The embedded engine: llama.cpp's own server in a child process that never outlives
the process that started it.

This file is also the program that the child runs, so it imports nothing of the package:
the child is up in milliseconds and holds no more than the engine. The order, with the
key, goes to the child's standard input and so shows in no list of processes; while that
pipe is open, the child lives.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import IO, Any

# lines of the engine's log that are kept
LAST_WORDS = 40
# seconds between two looks at whether the parent still lives
PULSE = 1.0
# seconds between two looks at a child that may be ending
GLANCE = 0.05
# seconds that a killed child may take to be gone
ENDING = 5.0


class EngineError(Exception):
    """The engine did not start; the message is its own reason."""


@dataclass(frozen=True)
class Order:
    """What an engine is to serve.

    Parameters
    ----------
    model
        A GGUF file.
    name
        The name that the engine gives the model.
    n_ctx
        The window, in tokens; 0: the model's own.
    threads
        How many threads compute; 0: the engine's choice.
    """

    model: Path
    name: str
    n_ctx: int = 0
    threads: int = 0


class Engine:
    """A running engine; it belongs to the process that started it, not to forks of
    that.

    Parameters
    ----------
    order
        What it serves.
    url, key
        Where it listens, such as ``http://127.0.0.1:40001``, and what every request
        must carry.
    process
        The child.
    """

    def __init__(
        self, order: Order, url: str, key: str, process: subprocess.Popen[bytes]
    ) -> None:
        self.order, self.url, self.key = order, url, key
        self._process = process
        self._owner = os.getpid()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._owner == os.getpid() and self._process.poll() is None

    async def ends_within(self, seconds: float) -> bool:
        """Whether the child is gone, now or within so many seconds: its sockets close a
        little before it is.
        """
        for _ in range(ceil(seconds / GLANCE)):
            if not self.alive:
                return True
            await asyncio.sleep(GLANCE)
        return not self.alive

    @property
    def ending(self) -> str:
        """How the child ended, such as ``Killed``, which is what a system does that
        runs out of memory.
        """
        status = self._process.returncode or 0
        return (signal.strsignal(-status) if status < 0 else None) or f"status {status}"

    async def close(self) -> None:
        """End the child, at once: it keeps nothing that could be lost."""
        if self._owner == os.getpid():
            await asyncio.to_thread(_end, self._process)


async def start_engine(order: Order) -> Engine:
    """Start an engine, and wait until it answers.

    Raises
    ------
    EngineError
        When it cannot serve the model, with its reason.
    """
    key = secrets.token_urlsafe(32)
    process = await _spawned()
    log = _Log(process)
    try:
        url = await asyncio.to_thread(_hand_over, process, order, key)
    except asyncio.CancelledError:
        process.kill()
        raise
    if not url:
        await asyncio.to_thread(_end, process)
        raise EngineError(
            log.reason()
            or f"it ended with status {process.returncode} and without a word"
        )
    return Engine(order, url, key, process)


async def _spawned() -> subprocess.Popen[bytes]:
    """A child that waits for its order; none is left when this is cancelled, which no
    thread that starts one can be.
    """
    spawning = asyncio.get_running_loop().run_in_executor(None, _spawn)
    try:
        return await asyncio.shield(spawning)
    except asyncio.CancelledError:
        spawning.add_done_callback(_forget)
        raise


def _forget(spawning: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    if not spawning.exception():
        spawning.result().kill()


def _spawn() -> subprocess.Popen[bytes]:
    # A session or group of its own: a Ctrl-C in the terminal is for the kernel, not for
    # the engine.
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {
            "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP
            | subprocess.CREATE_NO_WINDOW
        }
    # -P: a file of the user's that is called json.py must not be taken for Python's.
    command = [sys.executable, "-P", __file__]
    return subprocess.Popen(
        command,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **apart,
    )


def _hand_over(process: subprocess.Popen[bytes], order: Order, key: str) -> str:
    """Tell the child what to do, and give the address that it answers, or nothing when
    it ends instead.
    """
    told = {
        "parent": os.getpid(),
        "model": str(order.model),
        "name": order.name,
        "key": key,
    }
    told |= {"n_ctx": order.n_ctx, "threads": order.threads}
    try:
        _pipe(process.stdin).write(json.dumps(told).encode() + b"\n")
    except OSError:
        # it has ended already; its log says why
        return ""
    return _pipe(process.stdout).readline().decode().strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    # the system may keep it a while, waiting for a disk
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDING)
    for pipe in (process.stdin, process.stdout):
        _pipe(pipe).close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("this process was started without a pipe")
    return pipe


class _Log:
    """The last lines of a child's log, read as they come so that the pipe never fills."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._lines: deque[bytes] = deque(maxlen=LAST_WORDS)
        self._pipe = _pipe(process.stderr)
        self._reader = threading.Thread(
            target=self._read, name="buddy-engine-log", daemon=True
        )
        self._reader.start()

    def _read(self) -> None:
        with self._pipe:
            self._lines.extend(self._pipe)

    def reason(self) -> str:
        """The line that says why the child ended: of the errors, the first says it
        best; else the last line.
        """
        # the child has ended, so the pipe ends too
        self._reader.join(PULSE)
        lines = [line.decode(errors="replace").strip() for line in tuple(self._lines)]
        errors = [line.split(" E ", 1)[1] for line in lines if " E " in line]
        told = [
            error.split(": ", 1)[-1]
            for error in errors
            if "error" in error or "invalid" in error
        ]
        return [*told, *errors, *reversed(lines), ""][0]


# What the child runs.


def main() -> None:
    """Serve a model as the order on standard input says, until that ends."""
    with open(0, "rb", buffering=0, closefd=False) as orders:
        order = json.loads(orders.readline())
    _die_with_pipe()
    llama = importlib.import_module("xllamacpp")
    server = llama.Server(_params(llama, order))
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    _outlive_nobody(order["parent"])
    os._exit(0)


def _params(llama: Any, order: dict[str, Any]) -> Any:
    params = llama.CommonParams()
    params.model.path, params.model_alias = order["model"], {order["name"]}
    params.n_ctx = order["n_ctx"]
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys = [order["key"]]
    params.cors_origins, params.cors_origins_explicit = "localhost", True
    params.ui = False
    # errors only
    params.verbosity = 1
    # of earlier prompts; the default may take 8 GiB of a laptop's memory
    params.cache_ram_mib = 1024
    if order["threads"]:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = order["threads"]
    return params


def _die_with_pipe() -> None:
    """Let the system end this process with the pipe, for as long as the engine loads
    and holds Python's lock.
    """
    if sys.platform != "win32":
        import fcntl

        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        # SIGIO, whose default is to end
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)


def _outlive_nobody(parent: int) -> None:
    """Wait until the parent is gone.

    A fork of it may still hold the pipe, so its id is looked at as well.
    """
    if sys.platform == "win32":
        os.read(0, 1)
        return
    import select

    while os.getppid() == parent and not select.select([0], [], [], PULSE)[0]:
        pass


if __name__ == "__main__":
    main()
