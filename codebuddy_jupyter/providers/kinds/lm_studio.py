"""LM Studio: https://lmstudio.ai/docs/developer/rest; version 0 of its own API until
0.3, version 1 from 0.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import Remedy, SettingError
from ...messages import Model
from ..http.probe import Probe
from ..http.server_error import as_mapping
from .base import Kind, abilities, check_done, model_name, parameter_count, positive

Entries = list[Mapping[str, Any]]

ABILITIES_OF_TYPE = {
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
# Its answer to an unknown path, with status 200.
UNKNOWN_PATH = "Unexpected endpoint or method"


class LMStudio(Kind):
    """LM Studio, which lists downloaded models; a model loads with the first request to
    it.
    """

    name = "LM Studio"
    ports = (1234,)
    example_model = "llama-3.2-3b-instruct"
    start_command = "lms server start"
    download_command = "lms get {model}"
    load_command = "%buddy /load {model}"
    widen_command = "lms unload {model} && lms load {model} --context-length {tokens}"
    can_load = True
    can_unload = True
    keeps_prompts = True

    async def recognise(self, probe: Probe) -> str | None:
        """Recognise it by the list of models in either version of its own API."""
        new, old = await _lists(probe)
        if new and _all_have(new, "loaded_instances"):
            return ""
        if old and _all_have(old, "state", "type"):
            return ""
        # Without models, its lists look like those of other servers.
        banner = await probe.get(f"{probe.native_url}/")
        if banner.mentions(UNKNOWN_PATH):
            return ""
        return None

    async def models(
        self, probe: Probe, *, closely: bool = False
    ) -> list[Model] | None:
        """Return its models, from the newer version of its API if it has that."""
        new, old = await _lists(probe)
        if new is not None:
            return [_new_model(entry) for entry in new]
        if old is not None:
            return [_old_model(entry) for entry in old]
        return None

    async def load(
        self, probe: Probe, model: str, seconds: float, num_ctx: int = 0
    ) -> None:
        """Load a model; from 0.4."""
        address = f"{probe.native_url}/api/v1/models/load"
        answer = await probe.post(address, {"model": model}, seconds)
        if answer.mentions(UNKNOWN_PATH):
            raise SettingError(
                "This version of LM Studio does not let clients load a model.",
                Remedy("Load it there", f"lms load {model}"),
            )
        check_done(answer)

    async def unload(self, probe: Probe, model: str) -> None:
        """Unload every instance of a model; from 0.4."""
        instances = await _instances(probe, model)
        if not instances:
            raise SettingError(
                f"LM Studio reports no loaded model {model} at {probe.url}.",
                Remedy("List the models", "%buddy /models"),
            )
        address = f"{probe.native_url}/api/v1/models/unload"
        for instance in instances:
            check_done(await probe.post(address, {"instance_id": instance}))


def _all_have(entries: Entries, *fields: str) -> bool:
    for entry in entries:
        for field in fields:
            if field not in entry:
                return False
    return True


async def _lists(probe: Probe) -> tuple[Entries | None, Entries | None]:
    """Return the list of the newer version of its API, and if the server does not have
    that, the list of the older version.
    """
    answer = await probe.get(f"{probe.native_url}/api/v1/models")
    new = answer.list_of("models")
    # Version 0 answers 200 to unknown paths as well.
    if new is not None or answer.status != 200:
        return new, None
    answer = await probe.get(f"{probe.native_url}/api/v0/models")
    return None, answer.list_of("data")


async def _instances(probe: Probe, model: str) -> list[Any]:
    """Return the ids of the loaded instances of a model."""
    new, _ = await _lists(probe)
    for entry in new or []:
        if entry.get("key") == model:
            loaded = entry.get("loaded_instances") or []
            return [as_mapping(instance).get("id") for instance in loaded]
    return []


def _new_model(entry: Mapping[str, Any]) -> Model:
    instances = entry.get("loaded_instances") or []
    windows = []
    for instance in instances:
        window = _window(as_mapping(instance))
        if window is not None:
            windows.append(window)
    capabilities = as_mapping(entry.get("capabilities"))
    supported = [name for name, value in capabilities.items() if value]
    return Model(
        str(entry.get("key") or ""),
        window=min(windows, default=None),
        loaded=bool(instances),
        abilities=_abilities(entry, supported),
        size=positive(entry.get("size_bytes")),
        max_window=positive(entry.get("max_context_length")),
        parameters=parameter_count(entry.get("params_string")),
    )


def _old_model(entry: Mapping[str, Any]) -> Model:
    return Model(
        model_name(entry),
        window=positive(entry.get("loaded_context_length")),
        loaded=entry.get("state") == "loaded",
        abilities=_abilities(entry, entry.get("capabilities")),
        max_window=positive(entry.get("max_context_length")),
    )


def _window(instance: Mapping[str, Any]) -> int | None:
    config = as_mapping(instance.get("config"))
    return positive(config.get("context_length"))


def _abilities(entry: Mapping[str, Any], supported: object) -> tuple[str, ...]:
    by_type = ABILITIES_OF_TYPE.get(str(entry.get("type")), ())
    both = by_type + abilities(supported, ABILITIES)
    return tuple(dict.fromkeys(both))
