"""Stands for a kernel where Jupyter starts one: ``python kernel_copy.py NAME ARGUMENT…``
asks `kernel_copies.py`, which listens at this name, for it.

It passes signals on, and ends with the kernel, as the kernel does with it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from types import FrameType


def main() -> None:
    """Ask for a kernel, and wait for its end."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(f"\0{sys.argv[1]}")
    request = {
        "arguments": sys.argv[2:],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
    }
    connection.sendall(f"{json.dumps(request)}\n".encode())
    with connection.makefile("r", encoding="utf-8") as answers:
        kernel = int(answers.readline())

        def pass_on(number: int, frame: FrameType | None) -> None:
            os.killpg(kernel, number)

        signal.signal(signal.SIGINT, pass_on)
        signal.signal(signal.SIGTERM, pass_on)
        answers.read()


if __name__ == "__main__":
    main()
