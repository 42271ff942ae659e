"""Ollama: https://docs.ollama.com/api."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, ClassVar

from ...errors import ModelNotFound
from ...messages import Model, Progress
from ..http.address import native_of
from ..http.probe import NO_ANSWER, Probe
from ..http.server_error import ErrorResponse, as_mapping, shortened
from .base import Kind, abilities, done, whole

ABILITIES = {
    "completion": "chat",
    "tools": "tools",
    "vision": "images",
    "thinking": "reasoning",
    "embedding": "embeddings",
}
# models that are looked at side by side
AT_ONCE = 8


class Ollama(Kind):
    """Ollama. What many others imitate, so that its banner alone tells it from them."""

    name: ClassVar[str] = "Ollama"
    ports: ClassVar[tuple[int, ...]] = (11434,)
    can_pull: ClassVar[bool] = True
    can_load: ClassVar[bool] = True
    can_unload: ClassVar[bool] = True

    async def recognise(self, probe: Probe, url: str) -> str | None:
        """By its banner."""
        root = native_of(url)
        if "Ollama is running" not in str(
            (await probe.get(f"{root}/") or NO_ANSWER).body
        ):
            return None
        return str(
            (await probe.get(f"{root}/api/version") or NO_ANSWER).fields.get("version")
            or ""
        )

    async def models(
        self, probe: Probe, url: str, *, closely: bool = False
    ) -> list[Model] | None:
        """Its models with their size; the window of the loaded ones, and if asked
        closely what each could.
        """
        root = native_of(url)
        tags, ps = await asyncio.gather(
            probe.get(f"{root}/api/tags"), probe.get(f"{root}/api/ps")
        )
        listed = (tags or NO_ANSWER).list_of("models")
        if listed is None:
            return None
        running = (ps or NO_ANSWER).list_of("models")
        loaded = {str(one.get("name")): one for one in running or []}
        models = [_model(one, loaded, known=running is not None) for one in listed]
        if not closely:
            return models
        turn = asyncio.Semaphore(AT_ONCE)
        return list(
            await asyncio.gather(
                *(_closely(probe, root, model, turn) for model in models)
            )
        )

    def start(self) -> str:
        """The command that starts it."""
        return "ollama serve"

    def fetch(self, model: str) -> str:
        """The command that fetches a model."""
        return f"%buddy /pull {model}"

    def loading(self, model: str) -> str:
        """The command that loads a model."""
        return f"%buddy /load {model}"

    def widen(self, model: str, tokens: int) -> str:
        """The setting of the provider, since its OpenAI-compatible part takes no
        window.
        """
        return f"%config LocalProvider.num_ctx = {tokens}"

    async def pull(
        self, probe: Probe, url: str, model: str, progress: Progress
    ) -> None:
        """Fetch a model; what an interrupted pull has fetched is not fetched again."""
        is_whole = False
        async with aclosing(
            probe.lines(f"{native_of(url)}/api/pull", {"model": model, "stream": True})
        ) as lines:
            async for line in lines:
                if line.get("error"):
                    raise _not_fetched(
                        model, ErrorResponse(line["error"], whole(line.get("status")))
                    )
                done_yet, total = (
                    whole(line.get("completed")) or 0,
                    whole(line.get("total")) or 0,
                )
                progress(str(line.get("status") or ""), done_yet, total)
                is_whole = line.get("status") == "success"
        if not is_whole:
            raise ConnectionError("it ended before it was done")

    async def load(self, probe: Probe, url: str, model: str, seconds: float) -> None:
        """Load a model with its own window."""
        await self.load_with(probe, url, model, None, seconds)

    async def load_with(
        self, probe: Probe, url: str, model: str, num_ctx: int | None, seconds: float
    ) -> None:
        """Load a model with a window of so many tokens; see `load`."""
        options = {"options": {"num_ctx": num_ctx}} if num_ctx else {}
        await _generate(
            probe, url, {"model": model, "stream": False, **options}, seconds
        )

    async def unload(self, probe: Probe, url: str, model: str) -> None:
        """Unload a model now."""
        await _generate(
            probe,
            url,
            {"model": model, "stream": False, "keep_alive": 0},
            probe.seconds,
        )

    async def loaded_window(self, probe: Probe, url: str, model: str) -> int | None:
        """The window of a model as it is loaded at this moment; None where it is not."""
        answer = await probe.ask(f"{native_of(url)}/api/ps")
        running = (answer or NO_ANSWER).list_of("models") or []
        found = next(
            (one for one in running if one.get("name") in (model, f"{model}:latest")),
            {},
        )
        return whole(found.get("context_length"))


def _not_fetched(model: str, complaint: ErrorResponse) -> Exception:
    if "does not exist" not in complaint.words:
        return complaint
    return ModelNotFound(
        f"Ollama finds no model {model} to fetch ({shortened(complaint.words)}). "
        "See how it is called at https://ollama.com/library, then: %buddy /pull NAME"
    )


async def _generate(
    probe: Probe, url: str, body: Mapping[str, Any], seconds: float
) -> None:
    """An empty prompt: it only loads or unloads (https://docs.ollama.com/faq)."""
    done(await probe.post(f"{native_of(url)}/api/generate", body, seconds))


def _model(
    entry: Mapping[str, Any], loaded: Mapping[str, Mapping[str, Any]], *, known: bool
) -> Model:
    name = str(entry.get("name") or entry.get("model") or "")
    told = entry.get("capabilities")
    return Model(
        name,
        window=whole(loaded.get(name, {}).get("context_length")),
        loaded=name in loaded if known else None,
        abilities=abilities(told, ABILITIES) if isinstance(told, list) else (),
        size=whole(entry.get("size")),
    )


async def _closely(
    probe: Probe, root: str, model: Model, turn: asyncio.Semaphore
) -> Model:
    async with turn:
        answer = await probe.post(f"{root}/api/show", {"model": model.name})
    shown = (answer or NO_ANSWER).fields
    told = shown.get("capabilities")
    windows = [
        whole(value)
        for name, value in as_mapping(shown.get("model_info")).items()
        if name.endswith(".context_length")
    ]
    return replace(
        model,
        abilities=abilities(told, ABILITIES)
        if isinstance(told, list)
        else model.abilities,
        max_window=next(filter(None, windows), None),
    )
