"""llama.cpp's own server, and llamafile, which is one: https://github.com/ggml-org/llama.cpp/tree/master/tools/server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from ...messages import Model
from ..address import native_of
from ..complaint import as_mapping
from .base import Kind, whole
from .look import SILENCE, Look


class LlamaCpp(Kind):
    """llama.cpp, which serves one model under any name."""

    name: ClassVar[str] = "llama.cpp"
    ports: ClassVar[tuple[int, ...]] = (8080,)

    async def recognise(self, look: Look, url: str) -> str | None:
        """By the name that it gives itself in every answer, also while it loads, or as the owner of its models."""
        answer = await look.get(f"{url}/models") or SILENCE
        listed = answer.list_of("data") or []
        if answer.headers.get("server") != "llama.cpp" and "llamacpp" not in [one.get("owned_by") for one in listed]:
            return None
        return str((await look.get(f"{native_of(url)}/props") or SILENCE).fields.get("build_info") or "")

    async def models(self, look: Look, url: str, *, closely: bool = False) -> list[Model] | None:
        """The model that it runs, with its window, size and what it can take."""
        answer, props = await asyncio.gather(look.get(f"{url}/models"), look.get(f"{native_of(url)}/props"))
        listed = (answer or SILENCE).list_of("data")
        if listed is None:
            return None
        told = (props or SILENCE).fields
        window = whole(as_mapping(told.get("default_generation_settings")).get("n_ctx"))
        can = ["chat"]
        can += ["tools"] if as_mapping(told.get("chat_template_caps")).get("supports_tools") else []
        can += ["images"] if as_mapping(told.get("modalities")).get("vision") else []
        return [_model(one, window, tuple(can) if told else ()) for one in listed]

    def start(self) -> str:
        """The command that starts it."""
        return "llama-server -m MODEL.gguf --jinja"

    def widen(self, model: str, tokens: int) -> str:
        """The command that starts it so."""
        return f"llama-server -m MODEL.gguf --jinja -c {tokens}"


def _model(entry: Mapping[str, Any], window: int | None, can: tuple[str, ...]) -> Model:
    meta = as_mapping(entry.get("meta"))
    return Model(
        str(entry.get("id") or ""),
        window=window or whole(meta.get("n_ctx")),
        loaded=True,
        abilities=can,
        size=whole(meta.get("size")),
        max_window=whole(meta.get("n_ctx_train")),
    )
