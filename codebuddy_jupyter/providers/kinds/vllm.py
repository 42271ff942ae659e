"""vLLM: https://docs.vllm.ai/en/latest/serving/openai_compatible_server."""

from __future__ import annotations

from ...messages import Model
from ..http.probe import Probe
from .base import Kind, list_models, model_name, positive


class VLLM(Kind):
    """vLLM, which serves the model it was started with."""

    name = "vLLM"
    ports = (8000,)
    owners = ("vllm",)
    start_command = "vllm serve MODEL"
    load_command = "vllm serve {model}"
    widen_command = "vllm serve {model} --max-model-len {tokens}"
    keeps_prompts = True

    async def recognise(self, probe: Probe) -> str | None:
        """Recognise it by the owner of its models."""
        if await super().recognise(probe) is None:
            return None
        answer = await probe.get(f"{probe.native_url}/version")
        return str(answer.fields.get("version") or "")

    async def models(
        self, probe: Probe, *, closely: bool = False
    ) -> list[Model] | None:
        """Return the models that it serves, with the context window."""
        entries = await list_models(probe)
        if entries is None:
            return None
        return [
            Model(model_name(entry), positive(entry.get("max_model_len")), loaded=True)
            for entry in entries
        ]

    async def count(self, probe: Probe, model: str, text: str) -> int | None:
        """Return the number of tokens of a text."""
        body = {"model": model, "prompt": text}
        answer = await probe.post(f"{probe.native_url}/tokenize", body)
        return positive(answer.fields.get("count"))
