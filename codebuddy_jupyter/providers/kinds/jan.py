"""https://jan.ai/docs/desktop/api-server."""

from __future__ import annotations

from typing import ClassVar

from ..http.probe import NO_ANSWER, Probe
from .base import Kind

ENGINES = {"llama.cpp", "mlx", "remote"}


class Jan(Kind):
    """Jan, which wants a key, and tells nothing but the names of its models."""

    name: ClassVar[str] = "Jan"
    ports: ClassVar[tuple[int, ...]] = (1337,)

    async def recognise(self, probe: Probe, url: str) -> str | None:
        """By who owns its models: the engine that runs each (llama.cpp's own server
        writes itself without a dot).
        """
        listed = (await probe.get(f"{url}/models") or NO_ANSWER).list_of("data")
        return (
            ""
            if listed and all(one.get("owned_by") in ENGINES for one in listed)
            else None
        )

    def start(self) -> str:
        """Where to start it in its window; there is no command."""
        return "Settings > Local API Server > Start Server"

    def fetch(self, model: str) -> str:
        """Where to fetch a model."""
        return "Hub > Download"

    def widen(self, model: str, tokens: int) -> str:
        """Where to set it."""
        return f"Settings > Model Providers > Llama.cpp > {model} > Context Size = {tokens}"
