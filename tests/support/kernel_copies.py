"""Kernels as copies of this process, which has imported the libraries that each of them
needs: to import them again takes most of the time of a kernel's start.

``python -P kernel_copies.py DESCRIPTOR`` copies itself for each connection to the
listening socket; `kernel_copy.py` connects, in place of a kernel. Codebuddy's modules
are executed here as well, and are in ``sys.modules`` of a copy from its first import of
one of them on.
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
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from ipykernel import kernelapp

# What kernels and codebuddy import in the tests, and of codebuddy what is imported when
# it is loaded, shows its panel and asks.
LIBRARIES = (
    "IPython.core.completerlib",
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
    "pygments.formatters.terminal256",
    "sqlite3",
    "stack_data",
    "tornado.platform.asyncio",
    "truststore",
    "codebuddy_jupyter.completion.requests",
    "codebuddy_jupyter.display.screens",
    "codebuddy_jupyter.ipython.extension",
    "codebuddy_jupyter.ipython.into",
    "codebuddy_jupyter.ipython.line",
    "codebuddy_jupyter.providers.cloud",
    "codebuddy_jupyter.providers.embedded.provider",
    "codebuddy_jupyter.providers.local.provider",
    "codebuddy_jupyter.widgets.editor",
    "codebuddy_jupyter.widgets.panel",
)
PACKAGE = "codebuddy_jupyter"
# Seconds.
LOOK_EVERY = 5.0


class Executed(MetaPathFinder, Loader):
    """Takes codebuddy's modules out of ``sys.modules``, and puts all of them back when
    the package is imported.
    """

    def __init__(self) -> None:
        names = [name for name in sys.modules if name.split(".")[0] == PACKAGE]
        self._modules = {name: sys.modules.pop(name) for name in names}
        self._spec = self._modules[PACKAGE].__spec__
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec of the package, and None for all else."""
        return ModuleSpec(name, self, is_package=True) if name == PACKAGE else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the package, with all of its modules in their places."""
        sys.meta_path.remove(self)
        sys.modules.update(self._modules)
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Execute nothing anew."""
        module.__spec__ = self._spec


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
    Executed()
    # The copies share what is never looked at again.
    gc.collect()
    gc.freeze()
    run_kernel(next_kernel(socket.socket(fileno=int(sys.argv[1]))))
