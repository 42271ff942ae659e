"""vLLM: https://docs.vllm.ai/en/latest/serving/openai_compatible_server."""

from __future__ import annotations

from typing import ClassVar

from ...messages import Model
from ..http.address import native_of
from ..http.probe import NO_ANSWER, Probe
from .base import Kind, whole


class VLLM(Kind):
    """vLLM, which serves what it was started with."""

    name: ClassVar[str] = "vLLM"
    ports: ClassVar[tuple[int, ...]] = (8000,)

    async def recognise(self, probe: Probe, url: str) -> str | None:
        """By who owns its models."""
        listed = (await probe.get(f"{url}/models") or NO_ANSWER).list_of("data")
        if not listed or not all(one.get("owned_by") == "vllm" for one in listed):
            return None
        return str(
            (await probe.get(f"{native_of(url)}/version") or NO_ANSWER).fields.get(
                "version"
            )
            or ""
        )

    async def models(
        self, probe: Probe, url: str, *, closely: bool = False
    ) -> list[Model] | None:
        """What it serves, with the window."""
        listed = (await probe.get(f"{url}/models") or NO_ANSWER).list_of("data")
        if listed is None:
            return None
        return [
            Model(
                str(one.get("id") or ""), whole(one.get("max_model_len")), loaded=True
            )
            for one in listed
        ]

    async def count(self, probe: Probe, url: str, model: str, text: str) -> int | None:
        """How many tokens a text has."""
        asked = {"model": model, "prompt": text}
        return whole(
            (
                await probe.post(f"{native_of(url)}/tokenize", asked) or NO_ANSWER
            ).fields.get("count")
        )

    def start(self) -> str:
        """The command that starts it."""
        return "vllm serve MODEL"

    def loading(self, model: str) -> str:
        """The command that starts it with another model."""
        return f"vllm serve {model}"

    def widen(self, model: str, tokens: int) -> str:
        """The command that starts it so."""
        return f"vllm serve {model} --max-model-len {tokens}"
