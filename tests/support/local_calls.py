"""Calls of a local provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from codebuddy_jupyter.providers.local.provider import LocalProvider

PS, GENERATE, NATIVE, CHAT = (
    "/api/ps",
    "/api/generate",
    "/api/chat",
    "/v1/chat/completions",
)

PULL, WIDE = "/api/pull", 16384


def run(
    provider: LocalProvider, *calls: Callable[[], Coroutine[Any, Any, Any]]
) -> list[Any]:
    async def in_turn() -> list[Any]:
        outcomes = [await call() for call in calls]
        await provider.close()
        return outcomes

    return asyncio.run(in_turn())


def chosen(provider: LocalProvider, model: str = "") -> str:
    return str(run(provider, lambda: provider.choose(model))[0])


def window(provider: LocalProvider, model: str) -> int | None:
    found: int | None = run(provider, lambda: provider.window(model))[0]
    return found
