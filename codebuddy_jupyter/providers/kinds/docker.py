"""Docker Model Runner: https://docs.docker.com/ai/model-runner."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from ...messages import Model
from ..http.address import native_of
from ..http.probe import NO_ANSWER, Probe
from ..http.server_error import as_mapping
from .base import Kind, whole


class DockerModelRunner(Kind):
    """Docker Model Runner, which imitates Ollama as well."""

    name: ClassVar[str] = "Docker Model Runner"
    example: ClassVar[str] = "ai/llama3.2"
    ports: ClassVar[tuple[int, ...]] = (12434,)
    path: ClassVar[str] = "/engines/v1"

    async def recognise(self, probe: Probe, url: str) -> str | None:
        """By its banner, else by who owns its models."""
        banner, answer = await asyncio.gather(
            probe.get(f"{native_of(url)}/"), probe.get(f"{url}/models")
        )
        listed = (answer or NO_ANSWER).list_of("data")
        is_owner = bool(listed) and all(
            one.get("owned_by") == "docker" for one in listed or []
        )
        return (
            ""
            if is_owner
            or "Docker Model Runner" in str((banner or NO_ANSWER).body)[:200]
            else None
        )

    async def models(
        self, probe: Probe, url: str, *, closely: bool = False
    ) -> list[Model] | None:
        """What was pulled.

        Its window may be what the model could; a prompt that is too long for it is
        refused.
        """
        listed = (await probe.get(f"{url}/models") or NO_ANSWER).list_of("data")
        return None if listed is None else [_model(one) for one in listed]

    def start(self) -> str:
        """The command that starts it where it does not yet listen."""
        return "docker desktop enable model-runner --tcp 12434"

    def fetch(self, model: str) -> str:
        """The command that fetches a model."""
        return f"docker model pull {model}"

    def loading(self, model: str) -> str:
        """The command that loads a model."""
        return f"docker model run --detach {model}"

    def widen(self, model: str, tokens: int) -> str:
        """The command that does it."""
        return f"docker model configure --context-size {tokens} {model}"


def _model(entry: Mapping[str, Any]) -> Model:
    return Model(
        str(entry.get("id") or ""),
        whole(as_mapping(entry.get("dmr")).get("context_window")),
    )
