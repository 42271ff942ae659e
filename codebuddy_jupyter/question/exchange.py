"""One question to one target: its drafts, its request, and what the server's count of
tokens reveals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..chat.conversation import Turn
from ..errors import PromptError, PromptTooLong, Remedy
from ..messages import Message, Request, Usage, bare_name
from .budget import Budget
from .draft import Draft, Drafter, Room
from .options import Options
from .target import ASSUMED_WINDOW, LARGEST_WINDOW, Target
from .tokens import Tokens

# Tokens that are kept free for the answer, at most a quarter of the context window.
ANSWER_ROOM = 1024
# Below this share of the room for a prompt, an estimate of its length is good enough.
ESTIMATE_SHARE = 0.5
# Tokens. A prompt that the server cut usually fills much of a context window: a server
# that reports less may not count what it had cached, or count wrongly.
SMALLEST_CUT_PROMPT = 500
# A prompt that takes less than this share of the context window is not cut.
CROWDED_SHARE = 0.4
# Older versions of Ollama cut a prompt to half of the context window and so many tokens.
HALF_WINDOW_EXTRA = range(9)
# An estimate that is larger than the server's count by this factor is surely too large,
# or the prompt was cut.
SURELY_MORE = 1.2
READ_LONGER = Remedy(
    "It is left out so that the answer begins soon; to wait for all of it",
    "%config Buddy.reading_seconds = 0",
)


@dataclass(frozen=True)
class Exchange:
    """One question to one target.

    Parameters
    ----------
    target
        Who answers.
    drafter
        Makes the drafts of the question.
    options
        What the question sets for itself.
    context_tokens
        The most tokens of the notebook in the question.
    earlier
        The earlier turns, the oldest first.
    budget
        How long the model may read; None: as long as it takes.
    """

    target: Target
    drafter: Drafter
    options: Options
    context_tokens: int
    earlier: list[Turn]
    budget: Budget | None = None

    @property
    def tokens(self) -> Tokens:
        """The estimate of this model's tokens."""
        return self.drafter.tokens

    def draft(self) -> Draft:
        """Return the messages for the context window, or the assumed one."""
        room = self._room(self.target.window)
        draft = self.drafter.draft(self.earlier, room)
        if self.budget is None:
            return draft
        return self.budget.limited(draft, self.drafter, self.earlier, room)

    def stable(self) -> tuple[Message, ...]:
        """Return the beginning of the messages that no question changes."""
        room = self._room(self.target.window)
        return self.drafter.draft(self.earlier, room).stable

    async def counted(self) -> Draft:
        """Return a draft as `draft`; one that may not fit is counted by the server.

        Raises
        ------
        PromptError
            If images are attached and the model does not support them.
        """
        draft = self.draft()
        if draft.question.images:
            await self._check_images()
        is_small = draft.tokens < draft.room.prompt * ESTIMATE_SHARE
        if self.tokens.learned or is_small:
            return draft
        text = draft.question.text
        count = await self.target.provider.count(self.target.model, text)
        self.tokens.learn_text(text, count)
        if not count:
            return draft
        return self.draft()

    async def _check_images(self) -> None:
        model = self.target.model
        abilities = await self.target.provider.abilities(model)
        if abilities and "images" not in abilities:
            raise PromptError(
                f"{model} does not support images.",
                Remedy("Choose a model that does", "%buddy /models"),
            )

    def smaller(self, draft: Draft, counted: int | None, window: int | None) -> Draft:
        """Return a smaller draft after the server rejected one as too long.

        Parameters
        ----------
        draft
            The draft that was too long.
        counted
            Its length if the server reported it, in tokens: it corrects the estimate.
        window
            The context window if the server reported it, in tokens. If nothing tells
            how much is too much, the new draft has half the size.
        """
        self.tokens.learn(draft.messages, counted)
        estimated = self.tokens.total(draft.messages)
        room = draft.room
        if window and window < (room.window or LARGEST_WINDOW):
            room = self._room(window)
        if counted and estimated < counted:
            # The correction did not go all the way, so the room is less by this much.
            room = replace(room, prompt=room.prompt * estimated // counted)
        if estimated <= room.prompt:
            room = replace(room, prompt=estimated // 2)
        return self.drafter.draft(self.earlier, room, cut=True)

    def request(self, draft: Draft) -> Request:
        """Return the request for a draft."""
        temperature = self.options.temperature
        if temperature is None:
            temperature = self.target.provider.temperature
        return Request(
            draft.messages,
            self.target.model,
            temperature,
            self._max_tokens,
            self.options.extra,
        )

    def learn(self, draft: Draft, usage: Usage) -> str:
        """Learn from the tokens that the server counted.

        Returns
        -------
        str
            A line for the user if the server must have cut the prompt, else "".
        """
        counted = usage.prompt_tokens
        if not counted:
            return ""
        sent = self.tokens.total(draft.messages)
        is_shrunk = counted < self._least_tokens(draft)
        is_halved = self._is_halved(draft, sent, counted)
        is_too_small = counted < self.tokens.least(draft.messages)
        if not (is_shrunk or is_halved or is_too_small):
            self.tokens.learn(draft.messages, counted)
            return ""
        # What may have been cut teaches nothing.
        if counted < SMALLEST_CUT_PROMPT and not self._is_rest(draft, sent, counted):
            return ""
        line = (
            f"The server seems to have cut the prompt: about {sent:,} tokens were "
            f"sent, and it read {counted:,}."
        )
        return _with_remedy(line, self.try_widening())

    def _is_halved(self, draft: Draft, sent: int, counted: int) -> bool:
        """Return whether the count is what is left if Ollama cuts a prompt."""
        window = draft.room.window
        if window is None or counted - window // 2 not in HALF_WINDOW_EXTRA:
            return False
        return sent > counted * SURELY_MORE

    def _is_rest(self, draft: Draft, sent: int, counted: int) -> bool:
        """Return whether a small count may be what was left of a prompt that was too
        long: at least the system prompt and the question, which a server keeps.
        """
        window = draft.room.window
        if window is None or sent <= window * CROWDED_SHARE:
            return False
        first = draft.messages[0]
        kept = [draft.messages[-1]]
        if first.role == "system":
            kept = [first, *kept]
        return counted >= self.tokens.least(kept)

    def _least_tokens(self, draft: Draft) -> int:
        """Return how many tokens the prompt has at least: those of the last turn's,
        since a conversation that only grew cannot have become shorter.
        """
        # The notebook in a turn that was read from disk is not sent again.
        if not self.earlier or draft.before is not None:
            return 0
        last = self.earlier[-1]
        model = bare_name(self.target.model)
        is_same_model = bare_name(last.reply.model) == model
        if last.sent is None or not is_same_model:
            return 0
        return last.reply.usage.prompt_tokens or 0

    def notes(self, draft: Draft) -> Iterator[str]:
        """Yield lines for the user about what was left out, and how to change that."""
        lines = list(draft.notes)
        if draft.before is not None:
            lines.insert(0, _cut_note(draft))
        is_window_the_limit = draft.room.notebook > draft.room.prompt
        needs_room = bool(draft.update.left_out) and is_window_the_limit
        remedy = None
        if draft.before is not None or needs_room:
            remedy = self.try_widening(draft.room.window)
        elif draft.update.left_out and draft.postponed:
            remedy = READ_LONGER
        for line in lines:
            yield _with_remedy(line, remedy)
            remedy = None

    def try_widening(self, window: int | None = None) -> Remedy | None:
        """Return how to get a context window into which everything fits, if known.

        Parameters
        ----------
        window
            The present context window in tokens; by default the target's.
        """
        unlimited = Room(
            window=None,
            assumed=LARGEST_WINDOW,
            prompt=LARGEST_WINDOW,
            notebook=self.context_tokens,
        )
        everything = self.drafter.draft(self.earlier, unlimited)
        window = window or self.target.window or ASSUMED_WINDOW
        needed = max(everything.tokens + ANSWER_ROOM, 2 * window)
        power_of_two = 1 << (needed - 1).bit_length()
        command = self.target.provider.widen(self.target.model, power_of_two)
        if not command:
            return None
        return Remedy("Enlarge the context window", command)

    @property
    def _max_tokens(self) -> int | None:
        return self.options.max_tokens or self.target.provider.max_tokens

    def _room(self, window: int | None) -> Room:
        tokens = window or ASSUMED_WINDOW
        answer = min(self._max_tokens or ANSWER_ROOM, tokens // 4)
        return Room(
            window=window,
            assumed=ASSUMED_WINDOW,
            prompt=tokens - answer,
            notebook=self.context_tokens,
        )


def _with_remedy(line: str, remedy: Remedy | None) -> str:
    if not remedy:
        return line
    return f"{line} {remedy}"


def _cut_note(draft: Draft) -> str:
    """Return the line about a conversation that was cut to the latest turns."""
    size = f"an assumed {ASSUMED_WINDOW:,}"
    if draft.room.window:
        size = f"{draft.room.window:,}"
    reason = (
        f"the conversation no longer fits the model's context window of {size} tokens."
    )
    turns = draft.turns_left_out
    if not turns:
        return f"The notebook is described from the beginning again: {reason}"
    if turns == 1:
        return f"The oldest turn was left out: {reason}"
    return f"The {turns} oldest turns were left out: {reason}"


def with_larger_window(error: PromptTooLong, enlarge: Remedy | None) -> PromptTooLong:
    """Return the error with how to enlarge the context window: by a command that is
    known, else in general.
    """
    remedies = [*error.remedies, Remedy("Load the model with a larger context window")]
    if enlarge is not None:
        remedies = [enlarge, *error.remedies]
    return PromptTooLong(
        error.what,
        *remedies,
        tokens=error.tokens,
        window=error.window,
    )
