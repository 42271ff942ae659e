"""llama.cpp's own server, and llamafile, which is one:
https://github.com/ggml-org/llama.cpp/tree/master/tools/server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from ...messages import Infill, Model
from ..http.infill import InfillWay
from ..http.probe import Probe
from ..http.server_error import as_mapping
from .base import Kind, list_models, model_name, positive
from .infill import LlamaCppInfill

# The status with which it says that a model has no control tokens for that.
NOT_IMPLEMENTED = 501


class LlamaCpp(Kind):
    """llama.cpp, which serves one model under any name, or as a router several models,
    each under its own name.
    """

    name = "llama.cpp"
    ports = (8080,)
    start_command = "llama-server -m MODEL.gguf --jinja"
    load_command = start_command
    widen_command = "llama-server -m MODEL.gguf --jinja -c {tokens}"
    keeps_prompts = True
    # Chunks that say how far the prompt is read.
    chat_fields: ClassVar[Mapping[str, Any]] = {"return_progress": True}

    async def recognise(self, probe: Probe) -> str | None:
        """Recognise it by its ``Server`` header, which it sends while it loads as well,
        or by the owner of its models.
        """
        answer = await probe.get(f"{probe.url}/models")
        if answer.headers.get("server") != "llama.cpp":
            entries = answer.list_of("data")
            if not entries:
                return None
            owners = [entry.get("owned_by") for entry in entries]
            if "llamacpp" not in owners:
                return None
        props = await probe.get(f"{probe.native_url}/props")
        return str(props.fields.get("build_info") or "")

    async def models(
        self, probe: Probe, *, closely: bool = False
    ) -> list[Model] | None:
        """Return the model that it runs, or as a router those that it can run, with
        context window, size and abilities.
        """
        entries = await list_models(probe)
        if entries is None:
            return None
        reading = [_read_model(probe, entry) for entry in entries]
        return list(await asyncio.gather(*reading))

    async def count(self, probe: Probe, model: str, text: str) -> int | None:
        """Return the number of tokens of a text."""
        address = f"{probe.native_url}/tokenize"
        answer = await probe.post(address, {"content": text})
        tokens = answer.fields.get("tokens")
        if not isinstance(tokens, list):
            return None
        return len(tokens)

    async def slots(self, probe: Probe, model: str) -> int | None:
        """Return the number of its slots, each of which answers one request at a time."""
        query = urlencode({"model": model, "autoload": "false"})
        # Only a router looks at the query.
        answer = await probe.get(f"{probe.native_url}/props?{query}")
        return positive(answer.fields.get("total_slots"))

    async def infill(self, probe: Probe, model: str) -> InfillWay | None:
        """Return its own API for that, if it has it for this model; a gateway may keep
        it away.
        """
        way = LlamaCppInfill()
        shortest = Infill("x = ", "\n", model, max_tokens=1)
        body = {**way.body(shortest, 0), "stream": False}
        answer = await probe.post(way.path(probe.url), body)
        if "content" in answer.fields:
            return way
        if answer.status == NOT_IMPLEMENTED:
            return None
        return await super().infill(probe, model)


async def _read_model(probe: Probe, entry: Mapping[str, Any]) -> Model:
    name = model_name(entry)
    # Only a router reports a status, of each of its models.
    status = as_mapping(entry.get("status")).get("value")
    if status not in (None, "loaded"):
        return Model(name, loaded=False)
    url = f"{probe.native_url}/props"
    if status is not None:
        query = urlencode({"model": name, "autoload": "false"})
        url = f"{url}?{query}"
    answer = await probe.get(url)
    props = answer.fields
    settings = as_mapping(props.get("default_generation_settings"))
    window = positive(settings.get("n_ctx"))
    meta = as_mapping(entry.get("meta"))
    return Model(
        name,
        window=window or positive(meta.get("n_ctx")),
        loaded=True,
        abilities=_abilities(props),
        size=positive(meta.get("size")),
        max_window=positive(meta.get("n_ctx_train")),
        parameters=positive(meta.get("n_params")),
    )


def _abilities(props: Mapping[str, Any]) -> tuple[str, ...]:
    if not props:
        return ()
    names = ["chat"]
    template = as_mapping(props.get("chat_template_caps"))
    if template.get("supports_tools"):
        names.append("tools")
    modalities = as_mapping(props.get("modalities"))
    if modalities.get("vision"):
        names.append("images")
    return tuple(names)
