"""KoboldCpp: https://lite.koboldai.net/koboldcpp_api."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from ...messages import Model
from ..address import native_of
from .base import Kind, whole
from .look import SILENCE, Look


class KoboldCpp(Kind):
    """KoboldCpp, which imitates Ollama as well, and serves the one model that it was started with."""

    name: ClassVar[str] = "KoboldCpp"
    ports: ClassVar[tuple[int, ...]] = (5001,)

    async def recognise(self, look: Look, url: str) -> str | None:
        """By the name and version that it tells."""
        told = (await look.get(f"{native_of(url)}/api/extra/version") or SILENCE).fields
        return str(told.get("version") or "") if str(told.get("result")).lower() == "koboldcpp" else None

    async def models(self, look: Look, url: str, *, closely: bool = False) -> list[Model] | None:
        """Its model, with the window."""
        answer, told = await asyncio.gather(
            look.get(f"{url}/models"), look.get(f"{native_of(url)}/api/extra/true_max_context_length")
        )
        listed = (answer or SILENCE).list_of("data")
        window = whole((told or SILENCE).fields.get("value"))
        return None if listed is None else [Model(str(one.get("id") or ""), window, loaded=True) for one in listed]

    async def count(self, look: Look, url: str, model: str, text: str) -> int | None:
        """How many tokens a text has."""
        told = (await look.post(f"{native_of(url)}/api/extra/tokencount", {"prompt": text}) or SILENCE).fields
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
