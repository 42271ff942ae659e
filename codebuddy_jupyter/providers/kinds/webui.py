"""text-generation-webui:
https://github.com/oobabooga/text-generation-webui/wiki/12-%E2%80%90-OpenAI-API.
"""

from __future__ import annotations

import asyncio

from ...messages import Model
from ..http.probe import Probe
from .base import Kind, check_done


class TextGenerationWebUI(Kind):
    """text-generation-webui, which answers from the loaded model and ignores the name in
    a request.
    """

    name = "text-generation-webui"
    ports = (5000,)
    start_command = "python server.py --api"
    load_command = "%buddy /load {model}"
    widen_command = "python server.py --api --model {model} --ctx-size {tokens}"
    can_load = True
    can_unload = True

    async def recognise(self, probe: Probe) -> str | None:
        """Recognise it by what it reports about the loaded model."""
        answer = await probe.get(f"{probe.url}/internal/model/info")
        if "model_name" in answer.fields:
            return ""
        return None

    async def models(
        self, probe: Probe, *, closely: bool = False
    ) -> list[Model] | None:
        """Return its models, and which of them is loaded."""
        info, answer = await asyncio.gather(
            probe.get(f"{probe.url}/internal/model/info"),
            probe.get(f"{probe.url}/internal/model/list"),
        )
        names = answer.fields.get("model_names")
        if not isinstance(names, list):
            return None
        current = info.fields.get("model_name")
        return [Model(str(name), loaded=name == current) for name in names]

    async def load(
        self, probe: Probe, model: str, seconds: float, num_ctx: int = 0
    ) -> None:
        """Load a model in place of the one that is loaded."""
        body = {"model_name": model}
        check_done(await probe.post(f"{probe.url}/internal/model/load", body, seconds))

    async def unload(self, probe: Probe, model: str) -> None:
        """Unload the model that is loaded."""
        check_done(await probe.post(f"{probe.url}/internal/model/unload", {}))
