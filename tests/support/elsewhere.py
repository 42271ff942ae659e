"""A provider as another package would write it, with an address and a key."""

from __future__ import annotations

from collections.abc import AsyncIterator

from traitlets import Unicode

from codebuddy_jupyter.messages import Chunk, Model, Request
from codebuddy_jupyter.providers.base import Address, Provider


class Elsewhere(Provider):
    """A provider of another package, with an address and a key."""

    label = "Elsewhere"
    key_variable = "ELSEWHERE_KEY"
    model = Unicode("else-1").tag(config=True)
    base_url = Unicode("https://api.elsewhere.example/v1").tag(config=True)

    def address(self) -> Address:
        """Return the base URL of the settings."""
        return Address(self.base_url, self.key_variable, is_setting=True)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer with eight words."""
        for word in ["one", "two", "three", "four", "five", "six", "seven", "eight"]:
            yield Chunk(text=f"{word} ")
        yield Chunk(finish="length")

    async def models(self) -> list[Model]:
        """Return two models."""
        return [Model("else-1", window=8192), Model("else-2")]
