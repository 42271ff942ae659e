"""Names of hosts with the addresses that a test wants them to have."""

from __future__ import annotations

import socket
from typing import Any

import pytest


def names_mean(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> None:
    """Let names have these addresses; ``models_test`` stands for ``models.test``."""
    look_up = socket.getaddrinfo

    def answer(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        name = (host.decode() if isinstance(host, bytes) else host) or ""
        found = [
            look_up(address, port, *args, **kwargs)
            for address in addresses.get(name.replace(".", "_"), [name])
        ]
        return [entry for entries in found for entry in entries]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
