"""Follow a reply while it arrives: what is settled, what still grows, when to draw next.

This is the same for a cell's output, a terminal and the panel, which only put it onto
their surface. It displays nothing itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..chat.reply import Reply
from ..markdown.blocks import Blocks
from ..messages import Chunk
from .formats import IN_BLOCKS, closed, growing_markdown
from .status import stalled_line, waiting_markdown

# characters per second: how much of a long tail is drawn again at most
TAIL_SPEED = 12_000
# Drawing takes at most a fifth of the time: the pause is four times what it cost.
PAUSE_PER_COST = 4.0


@dataclass(frozen=True)
class Pace:
    """How often a growing answer is drawn.

    Parameters
    ----------
    before_text
        Seconds between two drawings at least, while there is no text.
    between
        Seconds between two drawings at least, from the first text on.
    per_cost
        Seconds of pause for each second that the last drawing took.
    """

    before_text: float
    between: float
    per_cost: float = PAUSE_PER_COST

    def pause(self, *, has_text: bool, size: int, cost: float) -> float:
        """Return the seconds to wait before the next drawing.

        Parameters
        ----------
        has_text
            Whether the answer has text.
        size
            Characters of the tail that will be drawn again.
        cost
            Seconds that the last drawing took.
        """
        shortest = self.before_text
        if has_text:
            shortest = self.between
        return max(shortest, size / TAIL_SPEED, self.per_cost * cost)


class Splitter(Protocol):
    """Divides the text of a reply into settled blocks and a growing tail."""

    @property
    def tail(self) -> str:
        """The text that may still change its meaning."""

    def feed(self, text: str) -> list[str]:
        """Add text; return the blocks that it settles."""

    def flush(self) -> list[str]:
        """End the text; return the remaining blocks."""


class OneBlock:
    """Settles nothing before the end: all of the text is the tail."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    @property
    def tail(self) -> str:
        """All of the text so far."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def feed(self, text: str) -> list[str]:
        """Add text; nothing is settled."""
        self._pieces.append(text)
        return []

    def flush(self) -> list[str]:
        """End the text; return all of it."""
        text = self.tail
        self._pieces = []
        return [text]


class EachPiece:
    """Settles every piece at once, for a surface that only appends."""

    tail = ""

    def feed(self, text: str) -> list[str]:
        """Return the text."""
        return [text]

    def flush(self) -> list[str]:
        """End the text; nothing remains."""
        return []


def splitter_for(format: str) -> Splitter:
    """Return how an answer of a format is divided while it grows."""
    if format in IN_BLOCKS:
        return Blocks()
    return OneBlock()


class Drawing:
    """A reply as it is drawn: settled blocks once, the growing tail again and again.

    Parameters
    ----------
    reply
        The reply to follow.
    splitter
        Divides its text.
    pace
        How often it is drawn.
    timer
        Returns seconds; measures what a drawing costs.

    Attributes
    ----------
    seen : int
        The number of chunks that have been drawn.
    has_text : bool
        Whether they contain text other than white space.
    thoughts : str
        Their reasoning, once there is text or the reply has ended.
    done : bool
        Whether the reply has ended and all of it has been drawn.
    takes_back : bool
        Whether this drawing begins anew, since what was drawn before was reasoning.
    """

    def __init__(
        self,
        reply: Reply,
        splitter: Splitter,
        pace: Pace,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.reply = reply
        self.seen = 0
        self.has_text = False
        self.thoughts = ""
        self.done = False
        self.takes_back = False
        self._splitter = splitter
        self._pace = pace
        self._timer = timer
        self._reasoning: list[str] = []

    def draw(self, put: Callable[[list[str]], None]) -> float:
        """Draw what has arrived since the last time.

        Parameters
        ----------
        put
            Puts newly settled blocks onto the surface, and the tail below them.

        Returns
        -------
        float
            Seconds until the next drawing is useful; infinite after the last one.
        """
        began = self._timer()
        put(self._read())
        cost = self._timer() - began
        if self.done:
            return math.inf
        return self._pace.pause(
            has_text=self.has_text,
            size=len(self._splitter.tail),
            cost=cost,
        )

    def tail_markdown(self) -> str:
        """Return safe Markdown for what is below the settled blocks.

        This is the text that still grows, or what the reply waits for if it has none;
        below the text, for how long nothing has come.
        """
        now = time.monotonic()
        tail = self._splitter.tail
        stalled = ""
        if not self.done:
            stalled = stalled_line(self.reply, now)
        if tail.strip():
            if not stalled:
                return growing_markdown(tail, self.reply.format)
            # The line must not become part of an open code block.
            shown = growing_markdown(closed(tail), self.reply.format)
            return f"{shown.rstrip()}\n\n*{stalled}*"
        if self.has_text or self.done:
            return f"*{stalled}*" if stalled else ""
        return waiting_markdown(self.reply, now)

    def _read(self) -> list[str]:
        """Take in the new chunks; return the blocks that they settle."""
        # This is read before the chunks: when it is true, all of them are there.
        has_ended = self.reply.done
        chunks = self._answer_in(self.reply.chunks[self.seen :])
        text = "".join([chunk.text for chunk in chunks])
        settled = []
        if text:
            settled = self._splitter.feed(text)
        if has_ended and not self.done:
            settled += self._splitter.flush()
            self.done = True
        self.has_text = self.has_text or text.strip() != ""
        self._reasoning += [chunk.reasoning for chunk in chunks]
        if self.has_text or self.done:
            self.thoughts += "".join(self._reasoning)
            self._reasoning = []
        return settled

    def _answer_in(self, chunks: list[Chunk]) -> list[Chunk]:
        """Return those of the new chunks whose text is not reasoning; take back what was
        drawn if it was.
        """
        starts = [at for at, chunk in enumerate(chunks) if chunk.answer_begins]
        earlier = self.seen
        self.seen += len(chunks)
        self.takes_back = bool(starts) and self.has_text
        if not starts:
            return chunks
        before = self.reply.chunks[: earlier + starts[-1]]
        self._splitter.flush()
        self.has_text = False
        self.thoughts = ""
        self._reasoning = [chunk.reasoning + chunk.text for chunk in before]
        return chunks[starts[-1] :]
