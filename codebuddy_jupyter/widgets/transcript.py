"""What a page has of each question and what came of it, and what it still lacks.

It sends nothing itself.

Blocks of Markdown that are settled are told once, by number; only the growing tail is
told again. All of it has been made harmless. Both kinds of entries have a ``number``,
and ``due``: when to look for news again, in seconds of ``time.monotonic()``; infinite
once nothing more comes.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Any

from ..chat.reply import Reply
from ..display import screens as show
from ..errors import Stopped
from ..markdown.safe import Blocks, escape, neutralise
from .protocol import Problem, problem_of

# seconds between two looks for the first piece of an answer
FIRST = 0.02
# seconds between two tellings of the tail; most of what one costs the page is the
# picture, not its size
REDRAW = 1 / 8
# seconds between two looks at how far a command is
PROGRESS = 0.25
STOPPED = "stopped"
# formats whose text may be shown block by block
IN_PIECES = ("markdown", "code", "math")

Message = dict[str, Any]


class Answer:
    """A reply on its way to the page.

    Parameters
    ----------
    number
        Names it to the page.
    reply
        The reply.
    asked
        What was typed; by default the prompt as it was sent.
    """

    def __init__(self, number: int, reply: Reply, asked: str = "") -> None:
        self.number = number
        self.reply = reply
        self.asked = asked or reply.prompt
        # what is past is told where somebody looks at it
        self.due = float("inf") if reply.done and not asked else 0.0
        self._blocks = Blocks()
        self._settled: list[str] = []
        self._rest: Message = {"tail": ""}
        self._seen = 0
        self._has_text = False
        self._thoughts_told = False

    def head(self) -> Message:
        """What a page needs to make room for it."""
        return {"turn": self.number, "question": self.asked}

    def whole(self) -> Message:
        """All of it as far as it is told, for a page that has nothing yet."""
        if self.reply.done and "done" not in self._rest and self.due == float("inf"):
            self.news()
        thoughts = (
            {"thoughts": self.reply.reasoning.strip()} if self._thoughts_told else {}
        )
        return {
            **self.head(),
            "from": 0,
            "blocks": self._settled,
            **thoughts,
            **self._rest,
        }

    def news(self) -> Message | None:
        """What has come since the last look, if anything."""
        began, done = time.monotonic(), self.reply.done
        new = self.reply.chunks[self._seen :]
        self._seen += len(new)
        start, before = len(self._settled), self._rest
        text = "".join([chunk.text for chunk in new])
        self._has_text = self._has_text or bool(text.strip())
        self._settled += self._settle(text, done)
        tail = "" if done else self._tail()
        self._rest = {"tail": tail, **(self._ending() if done else {})}
        self.due = self._next_look(began, len(tail), done)
        thoughts = self._thoughts(done)
        if self._rest == before and len(self._settled) == start and not thoughts:
            return None
        return {
            "turn": self.number,
            "from": start,
            "blocks": self._settled[start:],
            **thoughts,
            **self._rest,
        }

    def _settle(self, text: str, done: bool) -> list[str]:
        if self.reply.format not in IN_PIECES:
            text = self.reply.text if done else ""
            return [show.during(text, self.reply.format)] if text else []
        blocks = [
            *(self._blocks.feed(text) if text else []),
            *(self._blocks.flush() if done else []),
        ]
        shown = [neutralise(block) for block in blocks if block.strip()]
        if done and not (shown or self._settled) and self.reply.error is None:
            return [escape(show.silence(self.reply))]
        return shown

    def _tail(self) -> str:
        tail = self._blocks.tail if self.reply.format in IN_PIECES else self.reply.text
        if tail.strip():
            return show.during(tail, self.reply.format)
        return "" if self._has_text else show.waiting(self.reply)

    def _ending(self) -> Message:
        line, error = show.status(self.reply), _problem(self.reply.error)
        return {"done": True, "line": line, "error": error, "has_text": self._has_text}

    def _thoughts(self, done: bool) -> Message:
        if (
            self._thoughts_told
            or not (done or self._has_text)
            or not self.reply.reasoning
        ):
            return {}
        self._thoughts_told = True
        return {"thoughts": self.reply.reasoning.strip()}

    def _next_look(self, began: float, size: int, done: bool) -> float:
        now = time.monotonic()
        if done:
            return float("inf")
        if not self._has_text:
            return now + FIRST
        return now + max(REDRAW, size / show.TAIL_SPEED, 4 * (now - began))


class CommandOutput:
    """What a command gave, or that it still works. It is no part of the conversation.

    ``stop`` is done once nobody waits for the command any more.
    """

    def __init__(self, number: int, line: str) -> None:
        self.number = number
        self.line = line
        self.due = 0.0
        self.ended = False
        self.stop: Future[None] = Future()
        self._lock = threading.Lock()
        self._now: Message = {"from": 0, "blocks": [], "tail": ""}
        self._before: Message = {}

    def head(self) -> Message:
        """What a page needs to make room for it."""
        return {"turn": self.number, "question": self.line, "command": True}

    def whole(self) -> Message:
        """All of it as far as it is told."""
        return {**self.head(), **self._now}

    def news(self) -> Message | None:
        """What has changed since the last look, if anything."""
        told = self._now
        self.due = float("inf") if "done" in told else time.monotonic() + PROGRESS
        if told == self._before:
            return None
        self._before = told
        return {"turn": self.number, **told}

    def progress(self, what: str, done: int, total: int) -> None:
        """Note how far the command is, in bytes."""
        share = f" {100 * done // total} % of {total / 1e6:,.1f} MB" if total else ""
        with self._lock:
            if not self.ended:
                self._now = {**self._now, "tail": f"{escape(what)}{share}"}

    def end(self, markdown: str = "", error: BaseException | None = None) -> None:
        """Note what the command gave; of several ends the first counts."""
        line = STOPPED if isinstance(error, Stopped) else ""
        blocks = [markdown] if markdown else []
        with self._lock:
            if not self.ended:
                self.ended, self.due = True, 0.0
                self._now = {
                    "from": 0,
                    "blocks": blocks,
                    "tail": "",
                    "done": True,
                    "line": line,
                    "error": _problem(error),
                }

    def close(self) -> None:
        """Stop the command, if it still works."""
        self.end(error=Stopped(STOPPED))
        self.stop.cancel()


def _problem(error: BaseException | None) -> Problem | None:
    """Return an error as the page shows it; the line below an answer already says that
    the user stopped it.
    """
    if error is None or isinstance(error, Stopped):
        return None
    return problem_of(error)
