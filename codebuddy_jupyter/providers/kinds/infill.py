"""The own APIs of llama.cpp and Ollama for the text between two others: a request as
their JSON, the body of the reply as the events of the OpenAI-compatible API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...messages import Infill
from ..http.address import native_of
from ..http.chat_stream import ChatStream, Events
from ..http.infill import InfillWay, TextStream
from ..http.server_error import parsed
from .ollama_chat import Lines, ollama_usage


class LlamaCppInfill(InfillWay):
    """``/infill`` of llama.cpp, which puts the model's own control tokens around the two
    texts.
    """

    def path(self, url: str) -> str:
        """Return where requests are sent."""
        return f"{native_of(url)}/infill"

    def body(self, request: Infill, num_ctx: int) -> dict[str, Any]:
        """Return the JSON of a request."""
        return {
            "model": request.model,
            "input_prefix": request.before,
            "input_suffix": request.after,
            "n_predict": request.max_tokens,
            "temperature": 0,
            "cache_prompt": True,
            "stream": True,
        }

    def reading(self) -> ChatStream:
        """Return the parser of the reply."""
        return TextStream(_LlamaCppEvents())


class OllamaInfill(InfillWay):
    """``/api/generate`` of Ollama with a suffix, which fills in the model's template."""

    def path(self, url: str) -> str:
        """Return where requests are sent."""
        return f"{native_of(url)}/api/generate"

    def body(self, request: Infill, num_ctx: int) -> dict[str, Any]:
        """Return the JSON of a request."""
        options: dict[str, Any] = {"temperature": 0, "num_predict": request.max_tokens}
        if num_ctx:
            options["num_ctx"] = num_ctx
        return {
            "model": request.model,
            "prompt": request.before,
            # Without any suffix, the text before would be taken for a question.
            "suffix": request.after or "\n",
            "raw": False,
            "stream": True,
            "options": options,
        }

    def reading(self) -> ChatStream:
        """Return the parser of the reply."""
        return TextStream(_GenerateLines())


class _LlamaCppEvents(Events):
    """Parses the events of llama.cpp's own API into those of the OpenAI-compatible one."""

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """Return the events that ``data`` completes."""
        events = []
        for name, event in super().feed(data):
            value = parsed(event)
            if isinstance(value, Mapping) and "content" in value:
                chunk = _chunk(value)
                event = _as_bytes(chunk)
            events.append((name, event))
        return events


def _chunk(event: Mapping[str, Any]) -> Mapping[str, Any]:
    choice: dict[str, Any] = {"index": 0, "text": event.get("content")}
    chunk: dict[str, Any] = {"choices": [choice]}
    if event.get("stop"):
        at_limit = event.get("stop_type") == "limit" or event.get("stopped_limit")
        choice["finish_reason"] = "stop"
        if at_limit:
            choice["finish_reason"] = "length"
        chunk["timings"] = event.get("timings")
        chunk["usage"] = {
            "prompt_tokens": event.get("tokens_evaluated"),
            "completion_tokens": event.get("tokens_predicted"),
        }
    return chunk


class _GenerateLines(Lines):
    """Parses lines of Ollama's ``/api/generate``."""

    def _event(self, line: bytes) -> bytes:
        value = parsed(line)
        if not isinstance(value, Mapping) or "response" not in value:
            return super()._event(line)
        choice: dict[str, Any] = {"index": 0, "text": value.get("response")}
        chunk: dict[str, Any] = {"choices": [choice]}
        if value.get("done"):
            choice["finish_reason"] = value.get("done_reason") or "stop"
            chunk |= ollama_usage(value)
        return _as_bytes(chunk)


def _as_bytes(chunk: Mapping[str, Any]) -> bytes:
    text = json.dumps(chunk, ensure_ascii=False)
    return text.encode("utf-8", "replace")
