"""Docker Model Runner: https://docs.docker.com/ai/model-runner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...messages import Model
from ..http.probe import Probe
from ..http.server_error import as_mapping
from .base import Kind, list_models, model_name, positive


class DockerModelRunner(Kind):
    """Docker Model Runner, which also imitates Ollama."""

    name = "Docker Model Runner"
    ports = (12434,)
    path = "/engines/v1"
    owners = ("docker",)
    example_model = "ai/llama3.2"
    start_command = "docker desktop enable model-runner --tcp 12434"
    download_command = "docker model pull {model}"
    load_command = "docker model run --detach {model}"
    widen_command = "docker model configure --context-size {tokens} {model}"

    async def recognise(self, probe: Probe) -> str | None:
        """Recognise it by its banner, else by the owner of its models."""
        banner = await probe.get(f"{probe.native_url}/")
        if "Docker Model Runner" in str(banner.body)[:200]:
            return ""
        return await super().recognise(probe)

    async def models(
        self, probe: Probe, *, closely: bool = False
    ) -> list[Model] | None:
        """Return the downloaded models.

        The context window may be the largest that the model supports rather than the
        one in use; the server refuses a prompt that does not fit.
        """
        entries = await list_models(probe)
        if entries is None:
            return None
        return [_model(entry) for entry in entries]


def _model(entry: Mapping[str, Any]) -> Model:
    window = as_mapping(entry.get("dmr")).get("context_window")
    return Model(model_name(entry), positive(window))
