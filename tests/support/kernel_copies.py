"""Kernels as copies of this process, which has imported the libraries that each of them
needs: to import them again takes most of the time of a kernel's start.

``python -P kernel_copies.py DESCRIPTOR`` copies itself for each connection to the
listening socket; `kernel_copy.py` connects, in place of a kernel. Codebuddy is not
imported here.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading

from ipykernel import kernelapp

# What kernels and codebuddy import in the tests.
LIBRARIES = (
    "IPython.core.oinspect",
    "anywidget",
    "anyio._backends._asyncio",
    "httpcore",
    "httpcore2",
    "h11",
    "ipykernel.debugger",
    "ipykernel.zmqshell",
    "ipywidgets",
    "markdown_it",
    "openai",
    "pdb",
    "psutil",
    "sqlite3",
    "tornado.platform.asyncio",
    "truststore",
)
# Seconds.
LOOK_EVERY = 5.0


def next_kernel(listener: socket.socket) -> socket.socket:
    """Return in a copy of this process once there is a connection, which it gives."""
    # It ends with the process that started it, however that ends.
    parent = os.getppid()
    listener.settimeout(LOOK_EVERY)
    # Copies that have ended need nobody who asks for their status.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            if os.getppid() != parent:
                sys.exit()
            continue
        if os.fork() == 0:
            break
        connection.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    listener.close()
    return connection


def run_kernel(connection: socket.socket) -> None:
    """Be the kernel that the other end stands for, as long as it is there."""
    parent = os.getppid()
    os.setsid()
    with connection.makefile("r", encoding="utf-8") as requests:
        request = json.loads(requests.readline())
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    connection.sendall(f"{os.getpid()}\n".encode())
    threading.Thread(target=end_after, args=(connection,), daemon=True).start()
    sys.argv[1:] = [*request["arguments"], f"--IPKernelApp.parent_handle={parent}"]
    kernelapp.launch_new_instance()


def end_after(connection: socket.socket) -> None:
    """End this process once the other end of the connection is gone."""
    connection.recv(1)
    os._exit(1)


if __name__ == "__main__":
    for library in LIBRARIES:
        # An older environment has fewer.
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(library)
    # The copies share what is never looked at again.
    gc.collect()
    gc.freeze()
    run_kernel(next_kernel(socket.socket(fileno=int(sys.argv[1]))))
