"""text-generation-webui:
https://github.com/oobabooga/text-generation-webui/wiki/12-%E2%80%90-OpenAI-API.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from ...messages import Model
from ..http.probe import NO_ANSWER, Probe
from .base import Kind, done


class TextGenerationWebUI(Kind):
    """text-generation-webui, which answers from the model that is loaded whatever name
    it is asked for.
    """

    name: ClassVar[str] = "text-generation-webui"
    ports: ClassVar[tuple[int, ...]] = (5000,)
    can_load: ClassVar[bool] = True
    can_unload: ClassVar[bool] = True

    async def recognise(self, probe: Probe, url: str) -> str | None:
        """By what it tells of the model that is loaded."""
        told = (await probe.get(f"{url}/internal/model/info") or NO_ANSWER).fields
        return "" if "model_name" in told else None

    async def models(
        self, probe: Probe, url: str, *, closely: bool = False
    ) -> list[Model] | None:
        """Its models, and which of them is loaded."""
        info, answer = await asyncio.gather(
            probe.get(f"{url}/internal/model/info"),
            probe.get(f"{url}/internal/model/list"),
        )
        names = (answer or NO_ANSWER).fields.get("model_names")
        current = (info or NO_ANSWER).fields.get("model_name")
        if not isinstance(names, list):
            return None
        return [Model(str(name), loaded=name == current) for name in names]

    def start(self) -> str:
        """The command that starts it."""
        return "python server.py --api"

    def loading(self, model: str) -> str:
        """The command that loads a model."""
        return f"%buddy /load {model}"

    def widen(self, model: str, tokens: int) -> str:
        """The command that starts it so."""
        return f"python server.py --api --model {model} --ctx-size {tokens}"

    async def load(self, probe: Probe, url: str, model: str, seconds: float) -> None:
        """Load a model, in the place of the one that is loaded."""
        done(
            await probe.post(
                f"{url}/internal/model/load", {"model_name": model}, seconds
            )
        )

    async def unload(self, probe: Probe, url: str, model: str) -> None:
        """Unload the model that is loaded."""
        done(await probe.post(f"{url}/internal/model/unload", {}))
