"""A provider as another package would write it: it says again what it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from traitlets import Bool

from codebuddy_jupyter.messages import Chunk, Request
from codebuddy_jupyter.providers.base import Provider


class EchoProvider(Provider):
    """Says again what it was asked."""

    shout = Bool(False, help="Whether to say it loudly.").tag(config=True)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Give the question back, word by word."""
        text = request.messages[-1].text
        for word in (text.upper() if self.shout else text).split():
            yield Chunk(text=f"{word} ")

    async def choose(self, model: str) -> str:
        """There is but one model."""
        return model or "echo-1"


class PickyProvider(EchoProvider):
    """Refuses to be made."""

    def __init__(self, **kwargs: Any) -> None:
        raise KeyError("PICKY_HOME")


def function() -> None:
    """It is no provider."""
