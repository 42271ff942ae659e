"""Providers that answer as their script says, above the wire, and a Buddy that asks
them.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, cast

from traitlets import Float, Unicode

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import ProviderError
from codebuddy_jupyter.messages import Chunk, Infill, Model, Request
from codebuddy_jupyter.providers.base import Provider
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.providers.registry import GROUP, Registry

Step = str | Chunk | float | BaseException
"""A text, a chunk, seconds to wait, or an error to raise."""

# seconds
FOREVER = 3600.0
ANSWER: Sequence[Step] = ("An ", "answer.", Chunk(finish="stop"))


class FakeProvider(Provider):
    """Answers each question with the next of ``replies``, or else as ``answer`` gives,
    and remembers the requests.
    """

    environment: ClassVar = {
        "base_url": "CODEBUDDY_BASE_URL",
        "model": "CODEBUDDY_MODEL",
    }

    model = Unicode("fake-1").tag(config=True, affects="target")
    base_url = Unicode("http://localhost:1").tag(config=True, affects="target")
    patience = Float(1.0, min=0.0).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        self.replies: list[Sequence[Step]] = []
        self.answer: Callable[[Request], Sequence[Step]] = lambda request: ANSWER
        self.requests: list[Request] = []
        # What it writes between two texts, for each request.
        self.writes: list[Sequence[Step]] = []
        self.infills: list[Infill] = []
        self.offline_then: list[bool] = []
        self.offers: list[Model] | ProviderError = []
        self.size: int | None = None
        self.asked = threading.Event()
        self.ended = threading.Event()
        self.prepared: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.command = ""
        self.keeps = False
        self.is_loaded = True
        self.speed: float | None = None
        self.batch: int | None = None
        # What it alone can download, with what is to be known of each.
        self.downloads: dict[str, str] = {}
        super().__init__(**kwargs)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Give what the script says; ``asked`` and ``ended`` tell when that began and
        was over.
        """
        self.requests.append(request)
        steps = self.replies.pop(0) if self.replies else self.answer(request)
        async with aclosing(self._given(steps)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def infill(self, request: Infill) -> AsyncIterator[Chunk]:
        """Give what ``writes`` says, as `stream` does."""
        self.infills.append(request)
        steps = self.writes.pop(0) if self.writes else ANSWER
        async with aclosing(self._given(steps)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _given(self, steps: Sequence[Step]) -> AsyncGenerator[Chunk, None]:
        self.offline_then.append(self.offline)
        self.asked.set()
        try:
            for step in steps:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield Chunk(text=step) if isinstance(step, str) else step
        finally:
            self.ended.set()

    async def models(self) -> list[Model]:
        """What it offers, or the error that the script says."""
        if isinstance(self.offers, ProviderError):
            raise self.offers
        return self.offers

    async def window(self, model: str) -> int | None:
        """The window that the script says."""
        return self.size

    def keeps_prompts(self) -> bool:
        """What the script says."""
        return self.keeps

    async def can_read_ahead(self, model: str) -> bool:
        """What the script says."""
        return self.keeps and self.is_loaded

    def tokens_at_once(self) -> int | None:
        """Return ``batch``."""
        return self.batch

    def expected_speed(self, model: str) -> float | None:
        """What the script says."""
        return self.speed

    async def prepare(
        self, model: str, progress: Callable[[str, int, int], None]
    ) -> None:
        """Remember for which model."""
        self.prepared.append(model)
        progress("making ready", 1, 1)

    def widen(self, model: str, tokens: int) -> str:
        """The command that the script says."""
        return self.command and f"{self.command} {model} {tokens}"

    async def pull(self, model: str, progress: Callable[[str, int, int], None]) -> str:
        """Remember it."""
        self.told.append(("pull", model))
        progress("fetching", 1, 2)
        return model

    def can_pull(self, model: str) -> bool:
        """Whether the script says so."""
        return model in self.downloads

    def about_download(self, model: str) -> str:
        """What the script says."""
        return self.downloads.get(model, "")

    def other_models(self) -> list[str]:
        """What the script says."""
        return [f"{name} ({about})" for name, about in self.downloads.items()]

    async def load(self, model: str) -> None:
        """Remember it."""
        self.told.append(("load", model))

    async def unload(self, model: str) -> None:
        """Remember it."""
        self.told.append(("unload", model))

    async def load_ahead(self, model: str) -> None:
        """Remember it."""
        self.told.append(("load ahead", model))

    def where(self) -> str:
        """Its address."""
        return self.base_url


class FakeCloud(FakeProvider):
    """A second one, that stands for the cloud."""

    model = Unicode("cloud-1").tag(config=True, affects="target")


class FakeQwen(FakeProvider):
    """A third one, whose name is also the name of models."""


FAKES = {"Local": "FakeProvider", "OpenAI": "FakeCloud", "Qwen": "FakeQwen"}


def buddy_with_fakes(settings: Path, **kwargs: Any) -> Buddy:
    """A Buddy whose providers are fakes, with its saved settings in the file
    ``settings``.
    """
    registry = Registry(
        [
            EntryPoint(name, f"tests.support.fakes:{kind}", GROUP)
            for name, kind in FAKES.items()
        ]
    )
    return Buddy(settings_path=settings, registry=registry, **kwargs)


def fake_of(buddy: Buddy, name: str = "Local") -> FakeProvider:
    """The fake of this name."""
    return cast(FakeProvider, buddy.provider_named(name))


def texts(request: Request) -> list[tuple[str, str]]:
    """Role and text of each message of a request."""
    return [(message.role, message.text) for message in request.messages]


def is_well_formed(request: Request) -> bool:
    """Whether every server takes the request: one system message, then strictly in turn."""
    roles = [message.role for message in request.messages]
    turns = len(roles) // 2 - 1
    in_turn = ["system", *["user", "assistant"] * turns, "user"]
    return roles == in_turn and all(
        message.text.strip() for message in request.messages
    )


def local(buddy: Buddy) -> LocalProvider:
    """The Buddy's own local provider."""
    provider = buddy.provider_named("Local")
    assert isinstance(provider, LocalProvider)
    return provider


def eventually(holds: Callable[[], object], seconds: float = 30.0) -> bool:
    """Whether something comes to hold in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
