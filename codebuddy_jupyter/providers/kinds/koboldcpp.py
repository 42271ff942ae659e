"""KoboldCpp: https://lite.koboldai.net/koboldcpp_api."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from ...messages import Model
from ..http.address import native_of
from ..http.probe import NO_ANSWER, Probe
from .base import Kind, whole


class KoboldCpp(Kind):
    """KoboldCpp, which imitates Ollama as well, and serves the one model that it was
    started with.
    """

    name: ClassVar[str] = "KoboldCpp"
    ports: ClassVar[tuple[int, ...]] = (5001,)

    async def recognise(self, probe: Probe, url: str) -> str | None:
        """By the name and version that it tells."""
        told = (
            await probe.get(f"{native_of(url)}/api/extra/version") or NO_ANSWER
        ).fields
        return (
            str(told.get("version") or "")
            if str(told.get("result")).lower() == "koboldcpp"
            else None
        )

    async def models(
        self, probe: Probe, url: str, *, closely: bool = False
    ) -> list[Model] | None:
        """Its model, with the window."""
        answer, told = await asyncio.gather(
            probe.get(f"{url}/models"),
            probe.get(f"{native_of(url)}/api/extra/true_max_context_length"),
        )
        listed = (answer or NO_ANSWER).list_of("data")
        window = whole((told or NO_ANSWER).fields.get("value"))
        return (
            None
            if listed is None
            else [
                Model(str(one.get("id") or ""), window, loaded=True) for one in listed
            ]
        )

    async def count(self, probe: Probe, url: str, model: str, text: str) -> int | None:
        """How many tokens a text has."""
        told = (
            await probe.post(f"{native_of(url)}/api/extra/tokencount", {"prompt": text})
            or NO_ANSWER
        ).fields
        return whole(told.get("value"))

    def start(self) -> str:
        """The command that starts it."""
        return "koboldcpp --model MODEL.gguf"

    def loading(self, model: str) -> str:
        """The command that starts it with another model."""
        return self.start()

    def widen(self, model: str, tokens: int) -> str:
        """The command that starts it so."""
        return f"koboldcpp --model MODEL.gguf --contextsize {tokens}"
