"""KoboldCpp: https://lite.koboldai.net/koboldcpp_api."""

from __future__ import annotations

import asyncio

from ...messages import Model
from ..http.probe import Probe
from .base import Kind, list_models, model_name, positive


class KoboldCpp(Kind):
    """KoboldCpp, which serves the one model it was started with and also imitates
    Ollama.
    """

    name = "KoboldCpp"
    ports = (5001,)
    start_command = "koboldcpp --model MODEL.gguf"
    load_command = start_command
    widen_command = "koboldcpp --model MODEL.gguf --contextsize {tokens}"

    async def recognise(self, probe: Probe) -> str | None:
        """Recognise it by the name that it reports with its version."""
        answer = await probe.get(f"{probe.native_url}/api/extra/version")
        if str(answer.fields.get("result")).lower() != "koboldcpp":
            return None
        return str(answer.fields.get("version") or "")

    async def models(
        self, probe: Probe, *, closely: bool = False
    ) -> list[Model] | None:
        """Return its model, with the context window."""
        entries, answer = await asyncio.gather(
            list_models(probe),
            probe.get(f"{probe.native_url}/api/extra/true_max_context_length"),
        )
        if entries is None:
            return None
        window = positive(answer.fields.get("value"))
        return [Model(model_name(entry), window, loaded=True) for entry in entries]

    async def count(self, probe: Probe, model: str, text: str) -> int | None:
        """Return the number of tokens of a text."""
        address = f"{probe.native_url}/api/extra/tokencount"
        answer = await probe.post(address, {"prompt": text})
        return positive(answer.fields.get("value"))
