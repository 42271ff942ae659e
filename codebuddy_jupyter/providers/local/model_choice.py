"""The models of a local server: read from its lists, and which one to ask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...messages import Model
from ..http.server_error import as_mapping

# The models that are preferred if none is loaded.
PREFERRED = ("llama3", "llama3:latest")
NOT_FOR_CHAT = re.compile(r"embed|rerank|whisper|\bbge\b|\be5\b|\btts\b", re.IGNORECASE)


def model_of(entry: Mapping[str, Any]) -> Model:
    """Return a model from the OpenAI-compatible list, with the context window under the
    names that many servers give it.
    """
    name = entry.get("id") or entry.get("name") or ""
    meta = as_mapping(entry.get("meta"))
    window = (
        meta.get("n_ctx")
        or entry.get("max_model_len")
        or entry.get("loaded_context_length")
    )
    if not isinstance(window, int):
        window = None
    loaded: bool | None = None
    state = entry.get("state")
    if state is not None:
        loaded = state == "loaded"
    return Model(str(name), window=window, loaded=loaded)


def merged(listed: list[Model], reported: list[Model]) -> list[Model]:
    """Return the models of the OpenAI-compatible list in their order, with what the
    server's own API reported; then those that only its own API has.
    """
    details = {model.name: model for model in reported}
    known = []
    for model in listed:
        known.append(details.pop(model.name, model))
    return [*known, *details.values()]


def named(models: list[Model], name: str) -> Model | None:
    """Return the model of a name, whose tag ``:latest`` may be left out."""
    for model in models:
        if model.is_named(name):
            return model
    return None


def can_chat(model: Model) -> bool:
    """Return whether a model answers prompts, by its abilities, else by its name."""
    if model.abilities:
        return "chat" in model.abilities
    return not NOT_FOR_CHAT.search(model.name)


def best_of(models: list[Model]) -> str:
    """Return the name of the model to ask: the first that is loaded, else llama3, else
    the first. ``models`` is not empty.
    """
    for model in models:
        if model.loaded:
            return model.name
    for model in models:
        if model.name in PREFERRED:
            return model.name
    return models[0].name
