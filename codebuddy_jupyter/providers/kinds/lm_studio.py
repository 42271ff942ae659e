"""LM Studio: https://lmstudio.ai/docs/developer/rest; version 0 of its own protocol
until 0.3, version 1 from 0.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...errors import SettingError
from ...messages import Model
from ..http.address import native_of
from ..http.probe import NO_ANSWER, Probe
from ..http.server_error import as_mapping
from .base import Kind, abilities, done, whole

TYPES = {
    "llm": ("chat",),
    "vlm": ("chat", "images"),
    "embedding": ("embeddings",),
    "embeddings": ("embeddings",),
}
ABILITIES = {
    "tool_use": "tools",
    "trained_for_tool_use": "tools",
    "vision": "images",
    "reasoning": "reasoning",
}
UNEXPECTED = "Unexpected endpoint or method"
"""What it says to a path that it does not know, with a status of 200."""


class LMStudio(Kind):
    """LM Studio, whose list holds what is downloaded; a model loads with the first
    question to it.
    """

    name: ClassVar[str] = "LM Studio"
    example: ClassVar[str] = "llama-3.2-3b-instruct"
    ports: ClassVar[tuple[int, ...]] = (1234,)
    can_load: ClassVar[bool] = True
    can_unload: ClassVar[bool] = True

    async def recognise(self, probe: Probe, url: str) -> str | None:
        """By a list in either version of its own protocol."""
        new, old = await _lists(probe, url)
        is_new = new and all("loaded_instances" in one for one in new)
        is_old = old and all("state" in one and "type" in one for one in old)
        banner = await probe.get(f"{native_of(url)}/")
        is_empty = UNEXPECTED in str((banner or NO_ANSWER).body)
        return "" if is_new or is_old or is_empty else None

    async def models(
        self, probe: Probe, url: str, *, closely: bool = False
    ) -> list[Model] | None:
        """Its models, as far as the newer version of its protocol tells, else the
        older.
        """
        new, old = await _lists(probe, url)
        if new is not None:
            return [_new(one) for one in new]
        return None if old is None else [_old(one) for one in old]

    def start(self) -> str:
        """The command that starts it."""
        return "lms server start"

    def fetch(self, model: str) -> str:
        """The command that fetches a model."""
        return f"lms get {model}"

    def loading(self, model: str) -> str:
        """The command that loads a model."""
        return f"%buddy /load {model}"

    def widen(self, model: str, tokens: int) -> str:
        """The commands that load it anew."""
        return f"lms unload {model} && lms load {model} --context-length {tokens}"

    async def load(self, probe: Probe, url: str, model: str, seconds: float) -> None:
        """Load a model; from 0.4."""
        answer = await probe.post(
            f"{native_of(url)}/api/v1/models/load", {"model": model}, seconds
        )
        if UNEXPECTED in str((answer or NO_ANSWER).body):
            raise SettingError(
                "This version of LM Studio cannot be told to load a model. Do "
                f"it there: lms load {model}"
            )
        done(answer)

    async def unload(self, probe: Probe, url: str, model: str) -> None:
        """Unload every instance of a model; from 0.4."""
        new, _ = await _lists(probe, url)
        entry = next((one for one in new or [] if one.get("key") == model), {})
        running = [
            as_mapping(one).get("id") for one in entry.get("loaded_instances") or []
        ]
        if not running:
            raise SettingError(
                f"{model} is not loaded at {url}, as far as it tells. See: %buddy /models"
            )
        for instance in running:
            done(
                await probe.post(
                    f"{native_of(url)}/api/v1/models/unload", {"instance_id": instance}
                )
            )


async def _lists(
    probe: Probe, url: str
) -> tuple[list[Mapping[str, Any]] | None, list[Mapping[str, Any]] | None]:
    """The list of the newer version of its protocol; where that is not known there, the
    list of the older.
    """
    root = native_of(url)
    new = await probe.get(f"{root}/api/v1/models") or NO_ANSWER
    if (listed := new.list_of("models")) is not None or new.status != 200:
        return listed, None
    return None, (await probe.get(f"{root}/api/v0/models") or NO_ANSWER).list_of("data")


def _new(entry: Mapping[str, Any]) -> Model:
    instances = [as_mapping(one) for one in entry.get("loaded_instances") or []]
    windows = [
        whole(as_mapping(one.get("config")).get("context_length")) for one in instances
    ]
    told = [
        name for name, value in as_mapping(entry.get("capabilities")).items() if value
    ]
    return Model(
        str(entry.get("key") or ""),
        window=min(filter(None, windows), default=None),
        loaded=bool(instances),
        abilities=tuple(
            dict.fromkeys(
                [*TYPES.get(str(entry.get("type")), ()), *abilities(told, ABILITIES)]
            )
        ),
        size=whole(entry.get("size_bytes")),
        max_window=whole(entry.get("max_context_length")),
    )


def _old(entry: Mapping[str, Any]) -> Model:
    told = entry.get("capabilities")
    known = abilities(told, ABILITIES) if isinstance(told, list) else ()
    return Model(
        str(entry.get("id") or ""),
        window=whole(entry.get("loaded_context_length")),
        loaded=entry.get("state") == "loaded",
        abilities=tuple(
            dict.fromkeys([*TYPES.get(str(entry.get("type")), ()), *known])
        ),
        max_window=whole(entry.get("max_context_length")),
    )
