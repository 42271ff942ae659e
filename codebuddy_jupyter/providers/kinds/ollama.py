"""Ollama: https://docs.ollama.com/api."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from ...errors import ModelNotFound, Remedy, ServerError
from ...messages import Model, Progress, Request
from ..http.address import native_of
from ..http.chat_stream import ChatStream
from ..http.infill import InfillWay
from ..http.probe import Probe, ProbeAnswer
from ..http.server_error import ErrorResponse, as_mapping, quote
from .base import Kind, abilities, check_done, parameter_count, positive
from .infill import OllamaInfill
from .ollama_chat import Lines, native_body

ABILITIES = {
    "completion": "chat",
    "tools": "tools",
    "vision": "images",
    "thinking": "reasoning",
    "embedding": "embeddings",
}
# The name of the ability to write what stands between two texts.
INSERT = "insert"
# Models that are described in parallel.
PARALLEL = 8
# The context window in the parameters of a model file, one parameter on each line.
NUM_CTX = re.compile(r"^num_ctx\s+(\d+)", re.MULTILINE)
# What Ollama says if it does not reach the registry from which it downloads, in the
# words of Go's network library.
NO_CONNECTION = re.compile(
    r"\bdial (?:tcp|udp)|\blookup \S+|no such host|network is unreachable|i/o timeout"
    r"|connection (?:refused|reset)|proxyconnect|\btls: |\bx509: |handshake timeout"
    r"|deadline exceeded|Client\.Timeout",
    re.IGNORECASE,
)
REGISTRY = "registry.ollama.ai"
REGISTRY_IN_ERROR = re.compile(r"https?://([\w.-]+)|lookup ([\w.-]+)")


class Ollama(Kind):
    """Ollama. Many servers imitate its API, so it is recognised by its banner alone.

    Its OpenAI-compatible API cuts a prompt that is too long without a word, takes no
    context window, and may load a model again with the default one. So it is asked by
    its own chat API, which can refuse such a prompt instead.
    """

    name = "Ollama"
    ports = (11434,)
    start_command = "ollama serve"
    download_command = "%buddy /pull {model}"
    load_command = "%buddy /load {model}"
    widen_command = "%config LocalProvider.num_ctx = {tokens}"
    can_pull = True
    can_load = True
    can_unload = True
    has_own_chat = True
    keeps_prompts = True

    async def recognise(self, probe: Probe) -> str | None:
        """Recognise it by its banner."""
        banner = await probe.get(f"{probe.native_url}/")
        if not banner.mentions("Ollama is running"):
            return None
        answer = await probe.get(f"{probe.native_url}/api/version")
        return str(answer.fields.get("version") or "")

    async def models(
        self, probe: Probe, *, closely: bool = False
    ) -> list[Model] | None:
        """Return its models with their size, and the context window of the loaded ones;
        ``closely``, also the largest window and the abilities of each.
        """
        tags, ps = await asyncio.gather(
            probe.get(f"{probe.native_url}/api/tags"),
            probe.get(f"{probe.native_url}/api/ps"),
        )
        entries = tags.list_of("models")
        if entries is None:
            return None
        running = ps.list_of("models")
        loaded = {}
        for entry in running or []:
            loaded[str(entry.get("name"))] = entry
        models = [_model(entry, loaded) for entry in entries]
        if running is None:
            models = [replace(model, loaded=None) for model in models]
        if not closely:
            return models
        limit = asyncio.Semaphore(PARALLEL)
        describing = [_described(probe, model, limit) for model in models]
        return list(await asyncio.gather(*describing))

    async def pull(self, probe: Probe, model: str, progress: Progress) -> None:
        """Download a model; an interrupted download resumes."""
        is_complete = False
        body = {"model": model, "stream": True}
        reply = probe.lines(f"{probe.native_url}/api/pull", body)
        async with aclosing(reply) as lines:
            async for line in lines:
                error = line.get("error")
                if error:
                    status = positive(line.get("status"))
                    raise _pull_failed(model, ErrorResponse(error, status))
                step = str(line.get("status") or "")
                done = positive(line.get("completed")) or 0
                total = positive(line.get("total")) or 0
                progress(step, done, total)
                is_complete = step == "success"
        if not is_complete:
            raise ConnectionError("the download ended early")

    async def load(
        self, probe: Probe, model: str, seconds: float, num_ctx: int = 0
    ) -> None:
        """Load a model, with a context window of its own if it is given one."""
        body: dict[str, Any] = {"model": model, "stream": False}
        if num_ctx:
            body["options"] = {"num_ctx": num_ctx}
        await _generate(probe, body, seconds)

    async def unload(self, probe: Probe, model: str) -> None:
        """Unload a model now."""
        body = {"model": model, "stream": False, "keep_alive": 0}
        await _generate(probe, body, probe.seconds)

    async def describe(self, probe: Probe, model: str) -> Model:
        """Return what it reports about a model; the context window is that of its model
        file, if that sets one.
        """
        answer = await probe.post(f"{probe.native_url}/api/show", {"model": model})
        response = ErrorResponse(answer.body, answer.status)
        if response.is_missing_model():
            raise response
        described = _with_details(Model(model), answer)
        # One that Ollama hands on to its cloud is never loaded.
        if answer.fields.get("remote_model"):
            return replace(described, window=described.max_window)
        parameters = str(answer.fields.get("parameters") or "")
        setting = NUM_CTX.search(parameters)
        if setting is None:
            return described
        window = int(setting[1])
        most = described.max_window or window
        return replace(described, window=min(window, most))

    async def infill(self, probe: Probe, model: str) -> InfillWay | None:
        """Return its own API for that, if the model's template has a place for the text
        after the gap. Nothing is loaded to find out.
        """
        answer = await probe.post(f"{probe.native_url}/api/show", {"model": model})
        reported = answer.fields.get("capabilities")
        # Older versions report none, and refuse the request.
        if isinstance(reported, list) and INSERT not in reported:
            return None
        if not answer.fields:
            return None
        return OllamaInfill()

    async def loaded(self, probe: Probe, model: str) -> Model | None:
        """Return a model as it is loaded at this moment; None if it is not loaded."""
        answer = await probe.get_uncached(f"{probe.native_url}/api/ps")
        for entry in answer.list_of("models") or []:
            name = str(entry.get("name"))
            if Model(name).is_named(model):
                return _model(entry, {name: entry})
        return None

    def chat_url(self, url: str) -> str:
        """Return the address of its own chat API."""
        return f"{native_of(url)}/api/chat"

    def chat_body(self, request: Request, num_ctx: int) -> dict[str, Any]:
        """Return the JSON of a request for its own chat API."""
        return native_body(request, num_ctx)

    def chat_stream(self) -> ChatStream:
        """Return the parser of the replies of its own chat API."""
        return ChatStream(Lines())


def _pull_failed(model: str, response: ErrorResponse) -> Exception:
    message = response.message
    if NO_CONNECTION.search(message):
        return _no_registry(response)
    if "does not exist" not in message:
        return response
    return ModelNotFound(
        f"Ollama finds no model {model} to download ({quote(response.message)}).",
        Remedy(
            "Look up its name at https://ollama.com/library and download it",
            "%buddy /pull NAME",
        ),
    )


def _no_registry(response: ErrorResponse) -> ServerError:
    """Return the error for a registry that Ollama does not reach."""
    message = response.message
    named = REGISTRY_IN_ERROR.search(message)
    host = REGISTRY
    if named is not None:
        host = named[1] or named[2]
    # The last part is the reason: lookup HOST: no such host.
    reason = message.rpartition(": ")[2]
    return ServerError(
        f"Ollama cannot reach {quote(host)} ({quote(reason)}).",
        Remedy("Check the network connection of the machine on which Ollama runs"),
        Remedy(
            "If that needs a proxy, start Ollama with it",
            "HTTPS_PROXY=http://HOST:PORT ollama serve",
        ),
        status=response.status,
    )


async def _generate(probe: Probe, body: Mapping[str, Any], seconds: float) -> None:
    """Send an empty prompt, which only loads or unloads a model
    (https://docs.ollama.com/faq).
    """
    address = f"{probe.native_url}/api/generate"
    answer = await probe.post(address, body, seconds)
    check_done(answer)


def _model(entry: Mapping[str, Any], loaded: Mapping[str, Mapping[str, Any]]) -> Model:
    """Return a model of the list; ``loaded`` has the entries of the loaded models, by
    name.
    """
    name = str(entry.get("name") or entry.get("model") or "")
    window = as_mapping(loaded.get(name)).get("context_length")
    details = as_mapping(entry.get("details"))
    return Model(
        name,
        window=positive(window),
        loaded=name in loaded,
        abilities=abilities(entry.get("capabilities"), ABILITIES),
        size=positive(entry.get("size")),
        parameters=parameter_count(details.get("parameter_size")),
    )


async def _described(probe: Probe, model: Model, limit: asyncio.Semaphore) -> Model:
    """Return the model with its abilities and its largest context window."""
    address = f"{probe.native_url}/api/show"
    async with limit:
        answer = await probe.post(address, {"model": model.name})
    return _with_details(model, answer)


def _with_details(model: Model, answer: ProbeAnswer) -> Model:
    """Return the model with what ``/api/show`` reports about it."""
    capabilities = answer.fields.get("capabilities")
    if isinstance(capabilities, list):
        reported = abilities(capabilities, ABILITIES)
        model = replace(model, abilities=reported)
    model_info = as_mapping(answer.fields.get("model_info"))
    return replace(model, max_window=_max_window(model_info))


def _max_window(model_info: Mapping[str, Any]) -> int | None:
    # The name begins with the model's architecture, such as qwen3.context_length.
    for name, value in model_info.items():
        if name.endswith(".context_length") and positive(value):
            return positive(value)
    return None
