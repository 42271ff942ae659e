"""The context windows with which a server has its models loaded, as they were last seen."""

from __future__ import annotations

import time
from typing import NamedTuple

# Seconds for which every server keeps an idle model loaded; Ollama's default is five
# minutes.
KEPT_LOADED = 240.0


class LoadedModel(NamedTuple):
    """A model at a server, and the context window that the settings ask for; 0: none."""

    url: str
    model: str
    num_ctx: int


class LoadedWindows:
    """Remembers context windows, in tokens, until the models may have been unloaded."""

    def __init__(self) -> None:
        # With the moment of the last use.
        self._seen: dict[LoadedModel, tuple[int | None, float]] = {}

    def get(self, model: LoadedModel) -> int | None:
        """Return the context window that was last seen; None if none was reported."""
        window, _ = self._seen.get(model, (None, 0.0))
        return window

    def __contains__(self, model: LoadedModel) -> bool:
        """Return whether something is remembered of the model."""
        return model in self._seen

    def is_fresh(self, model: LoadedModel) -> bool:
        """Return whether the model was used so lately that it must still be loaded."""
        _, moment = self._seen.get(model, (None, float("-inf")))
        return time.monotonic() - moment <= KEPT_LOADED

    def remember(self, model: LoadedModel, window: int | None) -> int | None:
        """Remember that the model is used now, which keeps it loaded, and its window.

        Returns
        -------
        int or None
            The window.
        """
        self._seen[model] = window, time.monotonic()
        return window

    def forget(self) -> None:
        """Forget all of them."""
        self._seen.clear()
