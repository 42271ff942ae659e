"""Kernels as copies of this process, which has imported the libraries that each of them
needs: to import them again takes most of the time of a kernel's start.

``python -P kernel_copies.py DESCRIPTOR`` copies itself for each connection to the
listening socket; `kernel_copy.py` connects, in place of a kernel. Codebuddy is not
imported here.
"""

from __future__ import annotations

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
    "anyio.abc",
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


def next_kernel(listener: socket.socket) -> socket.socket:
    """Return in a copy of this process once there is a connection, which it gives."""
    # Copies that have ended need nobody who asks for their status.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
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
        importlib.import_module(library)
    # The copies share what is never looked at again.
    gc.collect()
    gc.freeze()
    run_kernel(next_kernel(socket.socket(fileno=int(sys.argv[1]))))
