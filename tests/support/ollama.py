"""An Ollama that is played: it loads models, counts tokens, and treats a prompt that is
too long as the real one does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.kinds import lines
from tests.support.scripted_server import (
    NOT_FOUND,
    Answer,
    ScriptedServer,
    as_json,
    plain,
)

DEFAULT_WINDOW = 4096
ANSWER = "One two three."


@dataclass(frozen=True)
class OllamaModel:
    """A model that it has.

    Parameters
    ----------
    max_window
        The most tokens of context that it supports.
    num_ctx
        The context window of its model file; 0: none.
    capabilities
        What ``/api/show`` reports; None: nothing, as older versions.
    """

    max_window: int = 8192
    num_ctx: int = 0
    capabilities: tuple[str, ...] | None = ("completion",)


def tokens_of(text: str) -> int:
    """The tokens that it counts: one for each digit and for four other characters."""
    digits = sum(character.isdigit() for character in text)
    return digits + (len(text) - digits) // 4 + 1


class ScriptedOllama(ScriptedServer):
    """Ollama, with these models by their full names.

    Parameters
    ----------
    models
        The models that it has.
    refuses
        Whether it knows ``"truncate": false``; older versions cut in silence.
    reaches_registry
        Whether it can download.

    Attributes
    ----------
    loads
        Each time that a model was loaded: its name and context window.
    loaded
        The models in memory, with their context windows.
    counted
        For each question, the tokens that were read.
    """

    def __init__(
        self,
        models: Mapping[str, OllamaModel] | None = None,
        *,
        refuses: bool = True,
        reaches_registry: bool = True,
    ) -> None:
        super().__init__()
        self.models = dict(models or {})
        self.refuses = refuses
        self.reaches_registry = reaches_registry
        self.loads: list[tuple[str, int]] = []
        self.loaded: dict[str, int] = {}
        self.counted: list[int] = []

    @property
    def asks(self) -> list[dict[str, Any]]:
        """The bodies of the questions by its own protocol."""
        return [record["body"] for record in self.asked("/api/chat")]

    def _next(self, path: str) -> Answer:
        if path in self._scripts:
            return super()._next(path)
        body = self.requests[-1]["body"] or {}
        answers = {
            "/": self._banner,
            "/api/version": self._version,
            "/v1/models": self._listed,
            "/api/tags": self._tags,
            "/api/ps": self._ps,
            "/api/show": self._show,
            "/api/generate": self._generate,
            "/api/chat": self._chat,
            "/api/pull": self._pull,
            "/v1/chat/completions": self._chat_without_window,
        }
        answer = answers.get(path)
        return answer(body) if answer else NOT_FOUND

    def _banner(self, body: Mapping[str, Any]) -> Answer:
        return plain("Ollama is running")

    def _version(self, body: Mapping[str, Any]) -> Answer:
        return as_json({"version": "0.14.0"})

    def _listed(self, body: Mapping[str, Any]) -> Answer:
        entries = [{"id": name, "owned_by": "library"} for name in self.models]
        return as_json({"object": "list", "data": entries or None})

    def _tags(self, body: Mapping[str, Any]) -> Answer:
        entries = [{"name": name, "size": 10**9} for name in self.models]
        return as_json({"models": entries})

    def _ps(self, body: Mapping[str, Any]) -> Answer:
        entries = []
        for name, window in self.loaded.items():
            entries.append({"name": name, "context_length": window})
        return as_json({"models": entries})

    def _show(self, body: Mapping[str, Any]) -> Answer:
        name = _full(body["model"])
        model = self.models.get(name)
        if model is None:
            return _missing(body)
        shown: dict[str, Any] = {
            "model_info": {"llama.context_length": model.max_window},
            "parameters": 'stop                           "<|im_end|>"',
        }
        if model.num_ctx:
            shown["parameters"] += f"\nnum_ctx                        {model.num_ctx}"
        if model.capabilities is not None:
            shown["capabilities"] = model.capabilities
        return as_json(shown)

    def _generate(self, body: Mapping[str, Any]) -> Answer:
        name = _full(body["model"])
        model = self.models.get(name)
        if model is None:
            return _missing(body)
        if body.get("keep_alive") == 0:
            self.loaded.pop(name, None)
            return as_json({"done": True, "done_reason": "unload"})
        if model.capabilities is not None and "completion" not in model.capabilities:
            return as_json({"error": f'"{name}" does not support generate'}, 400)
        self._load(name, body)
        return as_json({"done": True, "done_reason": "load"})

    def _load(self, name: str, body: Mapping[str, Any]) -> int:
        model = self.models[name]
        window = body.get("options", {}).get("num_ctx")
        window = min(window or model.num_ctx or DEFAULT_WINDOW, model.max_window)
        if self.loaded.get(name) != window:
            self.loads.append((name, window))
        self.loaded = {name: window}
        return window

    def _chat_without_window(self, body: Mapping[str, Any]) -> Answer:
        raise AssertionError("Ollama was asked by the protocol that cuts in silence.")

    def _chat(self, body: Mapping[str, Any]) -> Answer:
        name = _full(body["model"])
        model = self.models.get(name)
        if model is None:
            return _missing(body)
        if model.capabilities is not None and "completion" not in model.capabilities:
            return as_json({"error": f'"{name}" does not support chat'}, 400)
        window = self._load(name, body)
        messages = body["messages"]
        tokens = _total(messages)
        if tokens > window:
            if self.refuses and body.get("truncate") is False:
                return _too_long(tokens, window)
            tokens = _cut(messages, window)
        self.counted.append(tokens)
        said = {"message": {"role": "assistant", "content": ANSWER}, "done": False}
        end = {
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": tokens,
            "eval_count": 3,
        }
        return lines(said, end)

    def _pull(self, body: Mapping[str, Any]) -> Answer:
        if not self.reaches_registry:
            return lines({"status": "pulling manifest"}, {"error": NO_REGISTRY})
        self.models[_full(body["model"])] = OllamaModel()
        return lines({"status": "pulling manifest"}, {"status": "success"})


NO_REGISTRY = (
    'pull model manifest: Get "https://registry.ollama.ai/v2/library/llama3.2/manifests/'
    'latest": dial tcp: lookup registry.ollama.ai on 127.0.0.53:53: no such host'
)


def _full(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _missing(body: Mapping[str, Any]) -> Answer:
    return as_json({"error": f"model '{body['model']}' not found"}, 404)


def _total(messages: Sequence[Mapping[str, Any]]) -> int:
    return sum(tokens_of(message["content"]) for message in messages)


def _too_long(tokens: int, window: int) -> Answer:
    error = {
        "code": 400,
        "message": (
            f"request ({tokens} tokens) exceeds the available context size ({window} "
            "tokens), try increasing it"
        ),
        "type": "exceed_context_size_error",
        "n_prompt_tokens": tokens,
        "n_ctx": window,
    }
    return as_json({"error": json.dumps({"error": error})}, 400)


def _cut(messages: Sequence[Mapping[str, Any]], window: int) -> int:
    """What older versions read: without the oldest messages, or half a window."""
    kept = [*messages]
    while _total(kept) > window and len(kept) > 2:
        del kept[1]
    tokens = _total(kept)
    return tokens if tokens <= window else window // 2 + 2
