"""LocalAI: https://localai.io."""

from __future__ import annotations

import asyncio

from ...errors import Remedy, SettingError
from ...messages import Model
from ..http.probe import Probe
from ..http.server_error import ErrorResponse
from .base import Kind, check_done, list_models, model_name


class LocalAI(Kind):
    """LocalAI, which does not report context windows and also imitates Ollama."""

    name = "LocalAI"
    ports = (8080,)
    example_model = "llama-3.2-3b-instruct:q4_k_m"
    start_command = "local-ai run"
    download_command = "local-ai models install {model}"
    load_command = "%buddy /load {model}"
    widen_command = (
        "context_size: {tokens}  # in models/{model}.yaml, then restart LocalAI"
    )
    can_load = True
    can_unload = True

    async def recognise(self, probe: Probe) -> str | None:
        """Recognise it by the document that describes it, in older versions by its web
        page and its list of backends.
        """
        document, page = await asyncio.gather(
            probe.get(f"{probe.native_url}/.well-known/localai.json"),
            probe.get(f"{probe.native_url}/"),
        )
        if "endpoints" not in document.fields:
            if not page.mentions("LocalAI"):
                return None
            system = await probe.get(f"{probe.native_url}/system")
            if "backends" not in system.fields:
                return None
        version = document.fields.get("version")
        if not version:
            answer = await probe.get(f"{probe.native_url}/version")
            version = answer.fields.get("version")
        return str(version or "")

    async def models(
        self, probe: Probe, *, closely: bool = False
    ) -> list[Model] | None:
        """Return its models, and which of them are loaded if it reports that."""
        entries, system = await asyncio.gather(
            list_models(probe), probe.get(f"{probe.native_url}/system")
        )
        if entries is None:
            return None
        names = [model_name(entry) for entry in entries]
        running = system.list_of("loaded_models")
        if running is None:
            return [Model(name) for name in names]
        loaded = {str(entry.get("id")) for entry in running}
        return [Model(name, loaded=name in loaded) for name in names]

    async def load(
        self, probe: Probe, model: str, seconds: float, num_ctx: int = 0
    ) -> None:
        """Load a model; older versions cannot
        (https://localai.io/docs/features/backend-monitor).
        """
        address = f"{probe.native_url}/backend/load"
        answer = await probe.post(address, {"model": model}, seconds)
        is_unknown_path = answer.status in (404, 405)
        if is_unknown_path and not ErrorResponse(answer.body, 404).is_missing_model():
            raise SettingError(
                "This version of LocalAI does not let clients load a model.",
                Remedy("Ask the model a question, which loads it"),
            )
        check_done(answer)

    async def unload(self, probe: Probe, model: str) -> None:
        """Stop the process that runs a model."""
        address = f"{probe.native_url}/backend/shutdown"
        check_done(await probe.post(address, {"model": model}))
