"""Comms whose messages are handled while a cell runs, where the kernel has subshells."""

from __future__ import annotations

from typing import Any


def answer_on_subshell(comm: Any) -> None:
    """Let ipykernel 7.4 handle the messages of a comm at once.

    It handles each on the subshell that last sent over the comm. That is the main
    shell, if a cell did, so a click would wait for the cell that runs.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default
