"""Reports of examinations, as a terminal shows them."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from codebuddy_jupyter.doctor.examination import examine
from codebuddy_jupyter.doctor.report import MARKS, Report
from codebuddy_jupyter.providers.base import Provider
from codebuddy_jupyter.providers.local.discovery import Discovery
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.scripted_server import (
    delta,
    stream,
    usage,
)

SHORT = stream(*map(delta, "12345678"), delta(finish="length"), usage(20, 8))


def local(url: str, **settings: Any) -> LocalProvider:
    provider = LocalProvider(base_url=url, **settings)
    provider.search = Discovery([], in_container=False)
    return provider


def report_on(provider: Provider, needed: int = 0) -> Report:
    async def examine_and_close() -> Report:
        try:
            return await examine(provider, needed)
        finally:
            await provider.close()

    return asyncio.run(examine_and_close())


def lines(provider: Provider, needed: int = 0) -> list[str]:
    """The report as a terminal shows it: without the versions, the port taken out, and
    `-` for what is not known.
    """
    text = report_on(provider, needed).text()
    shown = [" ".join(line.split()) for line in text.splitlines()[1:-1]]
    port = (
        str(getattr(provider, "base_url", ""))
        .partition("127.0.0.1:")[2]
        .partition("/")[0]
    )
    shown = [line.replace(MARKS[None], "-", 1) for line in shown]
    return [line.replace(port, "PORT") if port else line for line in shown]


def trouble(provider: Provider, needed: int = 0) -> list[str]:
    """What failed, each with the remedies under it."""
    shown = lines(provider, needed)
    first = next(
        (i for i, line in enumerate(shown) if line.startswith("✗")), len(shown)
    )
    kept = [shown[first]] if first < len(shown) else []
    for line in shown[first + 1 :]:
        if not line.startswith("→"):
            break
        kept.append(line)
    return kept


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
