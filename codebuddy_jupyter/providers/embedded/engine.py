"""The embedded engine: llama.cpp's own server in a child process that never outlives
the process that started it.

This file is also the program that the child runs, so it imports nothing of the package:
the child starts in milliseconds and contains only the engine. Its configuration, with
the key, is written to the child's standard input, so that it is not visible in the list
of processes. The child lives while that pipe is open.
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

# Lines of the engine's log that are kept.
LOG_LINES = 40
# Seconds between two checks that the parent still lives.
PARENT_CHECK = 1.0
# Seconds between two checks of a child that may be ending.
CHILD_CHECK = 0.05
# Seconds that a killed child may take to end.
KILL_TIMEOUT = 5.0
# Tokens that are read at once. llama.cpp notices a closed connection only between two
# batches: with a model of 1.5B parameters on two cores, the next question got its first
# word after 1.0 s with 64 and after 4.9 s with 512, its default. It costs 11 % of the
# reading speed. In return, a whole prompt is read ahead with one request: with 256, it
# had to be sent in pieces, which were read a third more slowly.
BATCH = 64
# MiB for the cache of earlier prompts; llama.cpp's default may take 8 GiB.
CACHE_MIB = 1024
# How much the engine yields to the notebook, as by ``nice``. With 5 the scheduler gives
# it a quarter of a core on which a cell computes, so that the cell keeps three quarters
# of its speed. With 0 the cell kept half of it, and with 10 the model read and wrote
# half as fast as with 5.
NICENESS = 5
# How often a thread that waits for another looks before it sleeps. With 2 threads on two
# cores, 60 tokens of a small model took 0.9 s, and 3.6 s beside two busy loops; with
# threads that sleep at once 2.8 s and 3.1 s, with 200,000 looks 0.7 s and 26 s. So the
# number of threads need not follow what else runs.
BRIEFLY_SPINNING_THREADS = {"GOMP_SPINCOUNT": "2000"}


class EngineError(Exception):
    """The engine did not start; the message is its own reason."""


@dataclass(frozen=True)
class EngineConfig:
    """What an engine serves.

    Parameters
    ----------
    model
        A GGUF file.
    name
        The name under which the engine serves it.
    n_ctx
        The context window, in tokens; 0: the largest that the model supports.
    threads
        The number of threads; 0: llama.cpp's default.
    cache_mib
        MiB of memory for earlier prompts; 0: none.
    slots
        How many requests it answers at a time; they share the context window.
    """

    model: Path
    name: str
    n_ctx: int = 0
    threads: int = 0
    cache_mib: int = CACHE_MIB
    slots: int = 1


class Engine:
    """A running engine; it belongs to the process that started it, not to forks of that.

    Parameters
    ----------
    config
        What it serves.
    url, key
        Where it listens, such as ``http://127.0.0.1:40001``, and the key that every
        request must carry.
    process
        The child.
    """

    def __init__(
        self,
        config: EngineConfig,
        url: str,
        key: str,
        process: subprocess.Popen[bytes],
    ) -> None:
        self.config = config
        self.url = url
        self.key = key
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
        """Return whether the child has ended, or ends within so many seconds; its
        sockets close shortly before.
        """
        for _ in range(ceil(seconds / CHILD_CHECK)):
            if not self.alive:
                return True
            await asyncio.sleep(CHILD_CHECK)
        return not self.alive

    @property
    def ending(self) -> str:
        """How the child ended, such as ``Killed``, which is what a system does that runs
        out of memory.
        """
        status = self._process.returncode or 0
        name = signal.strsignal(-status) if status < 0 else None
        return name or f"status {status}"

    async def close(self) -> None:
        """End the child at once; it holds nothing that could be lost."""
        if self._owner == os.getpid():
            await asyncio.to_thread(_end, self._process)


async def start_engine(config: EngineConfig) -> Engine:
    """Start an engine, and return it when it answers.

    Raises
    ------
    EngineError
        If it cannot serve the model, with its reason.
    """
    key = secrets.token_urlsafe(32)
    process = await _spawned()
    log = _Log(process)
    try:
        url = await asyncio.to_thread(_configure, process, config, key)
    except asyncio.CancelledError:
        process.kill()
        raise
    if not url:
        await asyncio.to_thread(_end, process)
        reason = log.reason()
        raise EngineError(
            reason or f"it ended with status {process.returncode} and no message"
        )
    return Engine(config, url, key, process)


async def _spawned() -> subprocess.Popen[bytes]:
    """Return a child that waits for its configuration.

    The thread that starts a process cannot be cancelled, so if this is cancelled, the
    child is killed when it has started.
    """
    spawning = asyncio.get_running_loop().run_in_executor(None, _spawn)
    try:
        return await asyncio.shield(spawning)
    except asyncio.CancelledError:
        spawning.add_done_callback(_kill_spawned)
        raise


def _kill_spawned(spawning: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    if not spawning.exception():
        spawning.result().kill()


def _spawn() -> subprocess.Popen[bytes]:
    # A session or group of its own: Ctrl-C in the terminal is meant for the kernel, not
    # for the engine.
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        flags |= subprocess.BELOW_NORMAL_PRIORITY_CLASS
        options = {"creationflags": flags}
    # -P: a file of the user named json.py must not replace Python's.
    command = [sys.executable, "-P", __file__]
    return subprocess.Popen(
        command,
        bufsize=0,
        env={**BRIEFLY_SPINNING_THREADS, **os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def _configure(process: subprocess.Popen[bytes], config: EngineConfig, key: str) -> str:
    """Send the child its configuration, and return the address that it answers; empty if
    it ends instead.
    """
    values = {
        "parent": os.getpid(),
        "model": str(config.model),
        "name": config.name,
        "key": key,
        "n_ctx": config.n_ctx,
        "threads": config.threads,
        "cache_mib": config.cache_mib,
        "slots": config.slots,
    }
    try:
        _pipe(process.stdin).write(json.dumps(values).encode() + b"\n")
    except OSError:
        # It has ended already; its log has the reason.
        return ""
    return _pipe(process.stdout).readline().decode().strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    # A system can keep a killed process for a while, waiting for a disk.
    with suppress(subprocess.TimeoutExpired):
        process.wait(KILL_TIMEOUT)
    for pipe in (process.stdin, process.stdout):
        _pipe(pipe).close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("this process was started without a pipe")
    return pipe


class _Log:
    """The last lines of a child's log, read as they come so that the pipe never fills."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._lines: deque[bytes] = deque(maxlen=LOG_LINES)
        self._pipe = _pipe(process.stderr)
        self._reader = threading.Thread(
            target=self._read, name="buddy-engine-log", daemon=True
        )
        self._reader.start()

    def _read(self) -> None:
        with self._pipe:
            self._lines.extend(self._pipe)

    def reason(self) -> str:
        """Return the line that says why the child ended: the first error, which is the
        most specific, else the last line.
        """
        # The child has ended, so the pipe ends too.
        self._reader.join(PARENT_CHECK)
        log = b"".join(self._lines).decode(errors="replace")
        lines = [line.strip() for line in log.rstrip().split("\n")]
        # Errors are marked with an E.
        errors = [line.partition(" E ")[2] for line in lines if " E " in line]
        for error in errors:
            if "error" in error or "invalid" in error:
                return error.split(": ", 1)[-1]
        if errors:
            return errors[0]
        return lines[-1] if lines else ""


# What the child runs.


def main() -> None:
    """Serve a model as the configuration on standard input says, until that ends."""
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        config = json.loads(stdin.readline())
    _die_with_pipe()
    _yield_to_others()
    llama = importlib.import_module("xllamacpp")
    server = llama.Server(_params(llama, config))
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    _wait_for_end_of(config["parent"])
    os._exit(0)


def _params(llama: Any, config: dict[str, Any]) -> Any:
    params = llama.CommonParams()
    params.model.path = config["model"]
    params.model_alias = {config["name"]}
    params.n_ctx = config["n_ctx"]
    params.n_parallel = config["slots"]
    # Each request may use all of the context window that the others leave.
    params.kv_unified = True
    params.n_batch = BATCH
    params.n_ubatch = BATCH
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [config["key"]]
    params.cors_origins = "localhost"
    params.cors_origins_explicit = True
    params.ui = False
    # Errors only.
    params.verbosity = 1
    params.cache_ram_mib = config["cache_mib"]
    for cpu in (params.cpuparams, params.cpuparams_batch):
        # Where it was built without OpenMP, this lets the threads sleep.
        cpu.poll = 0
        if config["threads"]:
            cpu.n_threads = config["threads"]
    return params


def _yield_to_others() -> None:
    """Let the notebook go first where both compute."""
    if sys.platform == "win32":
        # It was started with a lower priority.
        return
    os.nice(NICENESS)
    # A session of its own is a group of its own for the scheduler of most Linux systems,
    # and within it only its own processes are compared.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


def _die_with_pipe() -> None:
    """Let the system end this process with the pipe, even while the engine loads and
    holds Python's lock.
    """
    if sys.platform != "win32":
        import fcntl

        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(0, fcntl.F_GETFL)
        # Sends SIGIO, which ends a process by default.
        fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC)


def _wait_for_end_of(parent: int) -> None:
    """Wait until the parent has ended.

    A fork of the parent may still hold the pipe, so the parent's id is checked as well.
    """
    if sys.platform == "win32":
        os.read(0, 1)
        return
    import select

    while os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], PARENT_CHECK)
        if readable:
            return


if __name__ == "__main__":
    main()
