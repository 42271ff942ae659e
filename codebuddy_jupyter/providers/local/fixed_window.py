"""The context window of the settings: having a model loaded with it, and keeping it so.

Only for kinds of servers that take one (`Kind.can_set_window`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ..http.probe import Probe
from ..kinds import FoundServer

# Seconds for which every server keeps an idle model loaded; Ollama's default is five
# minutes.
KEPT_LOADED = 240.0


@dataclass(frozen=True)
class FixedWindow:
    """A model that is to be loaded with a context window of ``num_ctx`` tokens."""

    url: str
    model: str
    num_ctx: int


class FixedWindows:
    """Loads models with the context window of the settings, and remembers how they were
    loaded.

    The OpenAI-compatible API of a server takes no context window. With the first
    request through it, some versions load the model again, with the default window.
    That is tried once for each server; if it happens, requests must go through the
    server's own API, which takes the window each time.
    """

    def __init__(self) -> None:
        # With the context window that the model got, and when it was last used.
        self._loaded: dict[FixedWindow, tuple[int | None, float]] = {}
        self._resets: dict[str, bool] = {}

    def forget(self) -> None:
        """Forget how models were loaded."""
        self._loaded.clear()

    def loaded(self, wanted: FixedWindow) -> int | None:
        """Return the context window with which the model was loaded."""
        window, _ = self._loaded.get(wanted, (None, 0.0))
        return window

    def needs_own_api(self, url: str) -> bool:
        """Return whether the server's OpenAI-compatible API resets the window."""
        return self._resets.get(url, False)

    def is_due(self, wanted: FixedWindow) -> bool:
        """Return whether the model must be loaded, since it never was or may have been
        unloaded meanwhile. The server's own API loads it by itself.
        """
        if wanted not in self._loaded:
            return True
        _, moment = self._loaded[wanted]
        is_old = time.monotonic() - moment > KEPT_LOADED
        return is_old and not self.needs_own_api(wanted.url)

    def remember(self, wanted: FixedWindow, window: int | None) -> None:
        """Remember that the model is used now, which keeps it loaded, and its window."""
        self._loaded[wanted] = window, time.monotonic()

    async def load(
        self,
        probe: Probe,
        server: FoundServer,
        wanted: FixedWindow,
        seconds: float,
    ) -> int | None:
        """Load the model, and find out whether the OpenAI-compatible API keeps the
        window; each may take up to ``seconds``. Return the window that it got.

        Raises
        ------
        ErrorResponse
            If the server refuses.
        ConnectionError
            If it does not answer.
        """
        kind = server.kind
        url = server.url
        await kind.load(probe, wanted.model, seconds, wanted.num_ctx)
        window = await kind.loaded_window(probe, wanted.model)
        if url not in self._resets:
            request = _shortest_request(wanted.model)
            await probe.post(f"{url}/chat/completions", request, seconds)
            window_after = await kind.loaded_window(probe, wanted.model)
            self._resets[url] = window_after != window
        return window


def _shortest_request(model: str) -> dict[str, Any]:
    return {
        "model": model,
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "1"}],
    }
