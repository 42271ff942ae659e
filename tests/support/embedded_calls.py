"""Questions to an embedded engine."""

from __future__ import annotations

from collections.abc import Callable

from codebuddy_jupyter import errors
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.messages import Chunk, Message, Request
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from tests.support.recital import (
    RecitedAnswer,
    mentions,
)

LONG = " ".join(f"word{number}" for number in range(2000))

ANSWERS = [
    RecitedAnswer("Hello from a small model."),
    RecitedAnswer(f"<think>\nWell, well.\n</think>\n\n{LONG}", mentions("long")),
]


class Answered(list[Chunk]):
    """The chunks of an answer, and the error with which it ended."""

    error: errors.ProviderError | None = None

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self)

    @property
    def reasoning(self) -> str:
        return "".join(chunk.reasoning for chunk in self)

    @property
    def notes(self) -> list[str]:
        return [chunk.note for chunk in self if chunk.note]


def ask(
    loop: Loop,
    provider: EmbeddedProvider,
    question: str,
    *,
    at: int = -1,
    do: Callable[[], object] = bool,
) -> Answered:
    """Ask as the buddy does; after ``at`` chunks, do something."""

    async def answer() -> Answered:
        answered, name = Answered(), await provider.choose("")
        try:
            async for chunk in provider.stream(
                Request((Message("user", question),), name)
            ):
                answered.append(chunk)
                if len(answered) == at:
                    do()
        except errors.ProviderError as error:
            answered.error = error
        return answered

    return loop.run(answer())
