"""What came of one question to a provider."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Chunk, Message, Request, ToolCall
from codebuddy_jupyter.providers.base import Provider
from codebuddy_jupyter.providers.local.provider import LocalProvider

HELLO = Request((Message("user", "hello"),), "llama3")

SECRET = "sk-very-secret-0123456789"


@dataclass
class Outcome:
    """What came of a question: the chunks, and the error if it ended in one."""

    chunks: list[Chunk] = field(default_factory=list)
    error: errors.ProviderError | None = None

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def reasoning(self) -> str:
        return "".join(chunk.reasoning for chunk in self.chunks)

    @property
    def calls(self) -> list[ToolCall]:
        return [call for chunk in self.chunks for call in chunk.tool_calls]

    @property
    def line(self) -> str:
        line = str(self.error)
        assert "\n" not in line
        assert len(line) < 900
        return line


async def asking(provider: Provider, request: Request = HELLO) -> Outcome:
    outcome = Outcome()
    try:
        async for chunk in provider.stream(request):
            outcome.chunks.append(chunk)
    except errors.ProviderError as error:
        outcome.error = error
    return outcome


def ask(provider: Provider, request: Request = HELLO) -> Outcome:
    async def once() -> Outcome:
        outcome = await asking(provider, request)
        await provider.close()
        return outcome

    return asyncio.run(once())


WITH_OPTIONS = Request(
    (Message("user", "hello"),),
    "llama3",
    temperature=0.5,
    max_tokens=9,
    extra={"seed": 1},
)


def chunks_of(provider: LocalProvider, *, times: int = 1) -> list[Chunk]:
    """The chunks of the last of so many answers."""

    async def all_of_them() -> list[Chunk]:
        chunks: list[Chunk] = []
        for _ in range(times):
            chunks = [chunk async for chunk in provider.stream(WITH_OPTIONS)]
        await provider.close()
        return chunks

    return asyncio.run(all_of_them())


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def notes_of(chunks: list[Chunk]) -> list[str]:
    return [chunk.note for chunk in chunks if chunk.note]
