"""LocalAI: https://localai.io."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from ...errors import SettingError
from ...messages import Model
from ..http.address import native_of
from ..http.probe import NO_ANSWER, Probe
from ..http.server_error import ErrorResponse
from .base import Kind, done


class LocalAI(Kind):
    """LocalAI, which imitates Ollama as well, and does not tell its windows."""

    name: ClassVar[str] = "LocalAI"
    example: ClassVar[str] = "llama-3.2-3b-instruct:q4_k_m"
    ports: ClassVar[tuple[int, ...]] = (8080,)
    can_load: ClassVar[bool] = True
    can_unload: ClassVar[bool] = True

    async def recognise(self, probe: Probe, url: str) -> str | None:
        """By the document that describes it; before it had one, by its page and its
        list of backends.
        """
        root = native_of(url)
        known, page = await asyncio.gather(
            probe.get(f"{root}/.well-known/localai.json"), probe.get(f"{root}/")
        )
        told = (known or NO_ANSWER).fields
        if "endpoints" not in told:
            if "LocalAI" not in str((page or NO_ANSWER).body):
                return None
            if (
                "backends"
                not in (await probe.get(f"{root}/system") or NO_ANSWER).fields
            ):
                return None
        version = told.get("version") or (
            await probe.get(f"{root}/version") or NO_ANSWER
        ).fields.get("version")
        return str(version or "")

    async def models(
        self, probe: Probe, url: str, *, closely: bool = False
    ) -> list[Model] | None:
        """Its models, and which of them are loaded, where it tells."""
        answer, system = await asyncio.gather(
            probe.get(f"{url}/models"), probe.get(f"{native_of(url)}/system")
        )
        listed = (answer or NO_ANSWER).list_of("data")
        if listed is None:
            return None
        running = (system or NO_ANSWER).list_of("loaded_models")
        loaded = {str(one.get("id")) for one in running or []}
        names = [str(one.get("id") or "") for one in listed]
        return [
            Model(name, loaded=None if running is None else name in loaded)
            for name in names
        ]

    def start(self) -> str:
        """The command that starts it."""
        return "local-ai run"

    def fetch(self, model: str) -> str:
        """The command that fetches a model."""
        return f"local-ai models install {model}"

    def widen(self, model: str, tokens: int) -> str:
        """What to write in the file of the model."""
        return f"context_size: {tokens}  # in models/{model}.yaml, then start LocalAI again"

    def loading(self, model: str) -> str:
        """The command that loads a model."""
        return f"%buddy /load {model}"

    async def load(self, probe: Probe, url: str, model: str, seconds: float) -> None:
        """Load a model; older versions have no such order
        (https://localai.io/docs/features/backend-monitor).
        """
        answer = await probe.post(
            f"{native_of(url)}/backend/load", {"model": model}, seconds
        )
        if (
            answer is not None
            and answer.status in (404, 405)
            and not ErrorResponse(answer.body, 404).is_missing_model()
        ):
            raise SettingError(
                "This version of LocalAI cannot be told to load a model. A question to it does that"
            )
        done(answer)

    async def unload(self, probe: Probe, url: str, model: str) -> None:
        """End the process that runs a model."""
        done(await probe.post(f"{native_of(url)}/backend/shutdown", {"model": model}))
