"""A question on its way to one model: the draft that fits its window, and what the
server's count tells of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..chat.reply import Turn
from ..errors import PromptError
from ..messages import Request, Usage
from ..providers.base import Provider
from .draft import Brief, Draft, Room, draft
from .tokens import Tokens

# tokens, where no server tells: what Ollama gives a model on most laptops
ASSUMED_WINDOW = 4096
# tokens, where no server tells: more than that is refused without asking
LARGEST_WINDOW = 1_000_000
# tokens kept free for the answer, at most a quarter of the window
ROOM = 1024
# of the room for a prompt: below that, an estimate of its length is good enough
TIGHT = 0.5
# tokens; a server that says it read less does not count what it read before, or counts
# wrongly
SURE = 500


@dataclass(frozen=True)
class Asked:
    """Who is asked, how, and what.

    Parameters
    ----------
    name, provider, model
        Who is asked.
    window
        Of the model, in tokens; None where no server told.
    brief
        What is asked, and what is known with it.
    context_tokens
        The most tokens of the notebook that one question carries.
    temperature, max_tokens, extra
        As in the request; None for the server's own.
    """

    name: str
    provider: Provider
    model: str
    window: int | None
    brief: Brief
    context_tokens: int
    temperature: float | None
    max_tokens: int | None
    extra: Mapping[str, Any]

    @property
    def tokens(self) -> Tokens:
        """How this model's tokens are counted."""
        return self.brief.tokens

    def draft(self, earlier: list[Turn]) -> Draft:
        """The messages for the window, as far as it is known."""
        return draft(self.brief, earlier, self._room)

    async def counted(self, earlier: list[Turn]) -> Draft:
        """As `draft`; where they may not fit, the server's own tokenizer is asked,
        once.

        Raises
        ------
        PromptError
            When pictures are attached and the model takes none.
        """
        made = self.draft(earlier)
        if made.question.images:
            abilities = await self.provider.abilities(self.model)
            if abilities and "images" not in abilities:
                raise PromptError(
                    f"{self.model} takes no images. Choose a model that does: %buddy /models"
                )
        if self.tokens.learned or made.tokens < made.room.prompt * TIGHT:
            return made
        count = await self.provider.count(self.model, made.question.text)
        self.tokens.learn_text(made.question.text, count)
        return self.draft(earlier) if count else made

    def smaller(self, earlier: list[Turn], made: Draft, window: int | None) -> Draft:
        """A draft for a server that found the last one too long: for the window that it
        told, else of half the size.
        """
        room = made.room
        if window and window < (room.window or LARGEST_WINDOW):
            room = replace(self, window=window)._room
        else:
            most = self.tokens.total(made.messages) // 2
            room = replace(room, prompt=min(room.prompt, most))
        return draft(self.brief, earlier, room, cut=True)

    def request(self, made: Draft) -> Request:
        """The request for a draft."""
        return Request(
            made.messages, self.model, self.temperature, self.max_tokens, self.extra
        )

    def learn(self, made: Draft, usage: Usage, earlier: list[Turn]) -> str:
        """Learn from what the server counted; a line for the user where it must have
        left out a part of the prompt.

        Half of the estimate is surely too little, and a conversation that only grew
        cannot have become shorter; what is left of a prompt that was cut fills a
        window, so it is never small.
        """
        sent, counted = self.tokens.total(made.messages), usage.prompt_tokens
        # What a kept turn was sent with, the notebook, is not sent with it again.
        grew = earlier and earlier[-1].message is not None and made.before is None
        before = earlier[-1].reply if grew else None
        least = (
            before.usage.prompt_tokens
            if before and before.model == self.model
            else None
        )
        if (
            counted
            and counted >= SURE
            and (counted < sent / 2 or counted < (least or 0))
        ):
            cut = (
                f"The server seems to have cut the prompt: about {sent:,} tokens "
                f"were sent, and it read {counted:,}."
            )
            return f"{cut}{self.widening(earlier)}"
        self.tokens.learn(made.messages, counted)
        return ""

    def notes(self, earlier: list[Turn], made: Draft) -> Iterator[str]:
        """Lines for the user about what was left out, and how the model can be given
        room for it.
        """
        cut = made.before is not None
        lines = [*([_cut_short(made)] if cut else []), *made.notes]
        tight = cut or (made.news.left_out and made.room.notebook > made.room.prompt)
        widening = self.widening(earlier, made.room.window) if tight else ""
        for number, line in enumerate(lines):
            yield f"{line}{widening if number == 0 else ''}"

    def widening(self, turns: list[Turn], window: int | None = None) -> str:
        """How to give the model a window in which all has room, where a command for
        that is known.
        """
        all_of_it = draft(
            self.brief,
            turns,
            Room(None, LARGEST_WINDOW, LARGEST_WINDOW, self.context_tokens),
        )
        needed = max(
            all_of_it.tokens + ROOM, 2 * (window or self.window or ASSUMED_WINDOW)
        )
        command = self.provider.widen(self.model, 1 << (needed - 1).bit_length())
        return f" To widen it: {command}" if command else ""

    @property
    def _room(self) -> Room:
        window = self.window or ASSUMED_WINDOW
        free = min(self.max_tokens or ROOM, window // 4)
        return Room(self.window, ASSUMED_WINDOW, window - free, self.context_tokens)


def _cut_short(made: Draft) -> str:
    """The line about a conversation that was cut to the latest turns."""
    size = (
        f"{made.room.window:,}"
        if made.room.window
        else f"an assumed {ASSUMED_WINDOW:,}"
    )
    why = f"the conversation no longer fits the model's window of {size} tokens."
    if not made.turns_left_out:
        return f"What was told of the notebook before is told anew: {why}"
    turns = made.turns_left_out
    return (
        f"{'The oldest turn was' if turns == 1 else f'The {turns} oldest turns were'} "
        f"left out: {why}"
    )
