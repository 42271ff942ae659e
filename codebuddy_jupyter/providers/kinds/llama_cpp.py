"""llama.cpp's own server, and llamafile, which is one:
https://github.com/ggml-org/llama.cpp/tree/master/tools/server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from ...messages import Model
from ..http.address import native_of
from ..http.probe import NO_ANSWER, Probe
from ..http.server_error import as_mapping
from .base import Kind, whole


class LlamaCpp(Kind):
    """llama.cpp, which serves one model under any name, or as a router each of several
    under its own.
    """

    name: ClassVar[str] = "llama.cpp"
    ports: ClassVar[tuple[int, ...]] = (8080,)

    async def recognise(self, probe: Probe, url: str) -> str | None:
        """By the name that it gives itself in every answer, also while it loads, or as
        the owner of its models.
        """
        answer = await probe.get(f"{url}/models") or NO_ANSWER
        listed = answer.list_of("data") or []
        if answer.headers.get("server") != "llama.cpp" and "llamacpp" not in [
            one.get("owned_by") for one in listed
        ]:
            return None
        return str(
            (await probe.get(f"{native_of(url)}/props") or NO_ANSWER).fields.get(
                "build_info"
            )
            or ""
        )

    async def models(
        self, probe: Probe, url: str, *, closely: bool = False
    ) -> list[Model] | None:
        """The model that it runs, or those that it could, with window, size and what
        each can take.
        """
        listed = (await probe.get(f"{url}/models") or NO_ANSWER).list_of("data")
        return (
            None
            if listed is None
            else list(
                await asyncio.gather(*(_model(probe, url, one) for one in listed))
            )
        )

    async def count(self, probe: Probe, url: str, model: str, text: str) -> int | None:
        """How many tokens a text has."""
        tokens = (
            await probe.post(f"{native_of(url)}/tokenize", {"content": text})
            or NO_ANSWER
        ).fields.get("tokens")
        return len(tokens) if isinstance(tokens, list) else None

    def start(self) -> str:
        """The command that starts it."""
        return "llama-server -m MODEL.gguf --jinja"

    def loading(self, model: str) -> str:
        """The command that starts it with another model."""
        return self.start()

    def widen(self, model: str, tokens: int) -> str:
        """The command that starts it so."""
        return f"llama-server -m MODEL.gguf --jinja -c {tokens}"


async def _model(probe: Probe, url: str, entry: Mapping[str, Any]) -> Model:
    name, meta = str(entry.get("id") or ""), as_mapping(entry.get("meta"))
    # a router alone tells it, of each of its models
    state = as_mapping(entry.get("status")).get("value")
    if state not in (None, "loaded"):
        return Model(name, loaded=False)
    which = (
        "" if state is None else f"?{urlencode({'model': name, 'autoload': 'false'})}"
    )
    told = (await probe.get(f"{native_of(url)}/props{which}") or NO_ANSWER).fields
    can = ["chat"]
    can += (
        ["tools"]
        if as_mapping(told.get("chat_template_caps")).get("supports_tools")
        else []
    )
    can += ["images"] if as_mapping(told.get("modalities")).get("vision") else []
    return Model(
        name,
        window=whole(as_mapping(told.get("default_generation_settings")).get("n_ctx"))
        or whole(meta.get("n_ctx")),
        loaded=True,
        abilities=tuple(can) if told else (),
        size=whole(meta.get("size")),
        max_window=whole(meta.get("n_ctx_train")),
    )
