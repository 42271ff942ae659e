"""An OpenAI-compatible server on one's own machine: Ollama, LM Studio, llama.cpp, vLLM, LocalAI, Jan, their like."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from traitlets import Unicode

from .. import errors
from ..keys import NO_KEY, Key
from ..messages import Model
from . import explain
from .address import host_of, normalise_base_url, root_of
from .complaint import as_mapping
from .openai_chat import OpenAIChatProvider

FAVOURITES = ("llama3", "llama3:latest")
NO_CHAT = re.compile(r"embed|rerank|whisper|\bbge\b|\be5\b|\btts\b", re.IGNORECASE)
PROBE = 3.0  # seconds that a server gets for telling what is loaded


class LocalProvider(OpenAIChatProvider):
    """A local server. It needs no key, and says by itself which models it has and how far they see."""

    label = "Local LLM (Ollama/LM Studio)"
    key_variable = "CODEBUDDY_API_KEY"
    environment: ClassVar[Mapping[str, str]] = {"base_url": "CODEBUDDY_BASE_URL", "model": "CODEBUDDY_MODEL"}

    base_url = Unicode(
        "http://localhost:11434/v1",
        help="The address of the server: Ollama's is http://localhost:11434/v1, LM Studio's http://localhost:1234/v1.",
    ).tag(config=True)
    model = Unicode(
        "", help="The model that is asked. Empty: the one that is loaded, else llama3, else the first that can chat."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        self._chosen: dict[str, str] = {}
        self._windows: dict[tuple[str, str], int | None] = {}
        super().__init__(**kwargs)

    def own_host(self) -> str:
        """The host of the environment's base URL, to which its key belongs; without one, the host in use."""
        return host_of(normalise_base_url(os.environ.get(self.environment["base_url"]) or self.base_url))

    def find_key(self) -> Key:
        """The key for the host in use, or the placeholder that servers without keys expect."""
        return self.keys.find(self.name, self.key_variable, host_of(self.url), self.own_host()) or NO_KEY

    def remedy(self) -> str:
        """How to start the server that is usual at this port."""
        elsewhere = "http://localhost:11434/v1"
        if host_of(self.url).endswith(":11434"):
            start, elsewhere = "Start Ollama with `ollama serve`", "http://localhost:1234/v1"
        elif host_of(self.url).endswith(":1234"):
            start = "Start LM Studio's server with `lms server start`"
        else:
            start = "Start the server there"
        return f'{start}, or point the buddy elsewhere: %config LocalProvider.base_url = "{elsewhere}"'

    def read_model(self, entry: Mapping[str, Any]) -> Model:
        """A model out of the server's list, with the window where llama.cpp, vLLM or LM Studio tell it."""
        meta = as_mapping(entry.get("meta"))
        window = meta.get("n_ctx") or entry.get("max_model_len") or entry.get("loaded_context_length")
        state = entry.get("state")
        loaded = None if state is None else state == "loaded"
        name = str(entry.get("id") or entry.get("name") or "")
        return Model(name, window if isinstance(window, int) else None, loaded)

    def forget(self) -> None:
        """Forget which model was chosen and how far each sees."""
        self._chosen.clear()
        self._windows.clear()

    async def models(self) -> list[Model]:
        """The models that the server offers; loaded ones with their window, where it tells."""
        models = await super().models()
        if models and all(model.window for model in models):
            return models
        loaded = await self._loaded(await self.server())
        if loaded is None:
            return models
        return [_as_loaded(model, loaded) for model in models]

    async def choose(self, model: str) -> str:
        """The model to ask: the one that is named; else one that is loaded, else llama3, else the first that can chat.

        Raises
        ------
        ModelNotFound
            When the server has none that can chat.
        """
        if model or self.model:
            return model or self.model
        if self.url not in self._chosen:
            chat = [offered for offered in await self.models() if not NO_CHAT.search(offered.name)]
            self._windows |= {(self.url, one.name): one.window for one in chat if one.loaded is not False}
            if not chat:
                raise errors.ModelNotFound(
                    f"{self.url} has no model that can chat. Fetch or load one there first, "
                    "with Ollama by `ollama pull llama3.2`"
                )
            preferred = [m.name for m in chat if m.loaded] + [m.name for m in chat if m.name in FAVOURITES]
            self._chosen[self.url] = [*preferred, chat[0].name][0]
        return self._chosen[self.url]

    async def window(self, model: str) -> int | None:
        """How many tokens the model can see as it is loaded; None where the server does not tell."""
        place = (self.url, model)
        if place not in self._windows:
            found = next((m for m in await self.models() if m.name in (model, f"{model}:latest")), Model(model))
            if found.loaded is False:  # it tells once the model is loaded
                return None
            self._windows[place] = found.window
        return self._windows[place]

    async def _loaded(self, server: explain.Server) -> dict[str, int | None] | None:
        """The loaded models with their windows, as Ollama or LM Studio tell; None where neither answers."""
        root = root_of(server.url)
        ollama, lm_studio = await asyncio.gather(
            self._try_get(server, f"{root}/api/ps", "models"), self._try_get(server, f"{root}/api/v0/models", "data")
        )
        if ollama is None and lm_studio is None:
            return None
        loaded = {str(m.get("name")): m.get("context_length") for m in ollama or []}
        return loaded | {
            str(m.get("id")): m.get("loaded_context_length") for m in lm_studio or [] if m.get("state") == "loaded"
        }

    async def _try_get(self, server: explain.Server, url: str, field: str) -> list[Mapping[str, Any]] | None:
        try:
            async with asyncio.timeout(PROBE):
                entries = as_mapping(await self.get(server, url)).get(field)
        except (errors.ProviderError, TimeoutError):
            return None
        return [as_mapping(entry) for entry in entries] if isinstance(entries, list) else None


def _as_loaded(model: Model, loaded: Mapping[str, int | None]) -> Model:
    """The model with what is known of it as it is loaded now."""
    window = loaded.get(model.name)
    return replace(model, window=window if isinstance(window, int) else model.window, loaded=model.name in loaded)
