"""What a page has already received of each question and its answer, and what is new.

An entry sends nothing itself. Settled blocks of Markdown are reported once, by number;
only the growing tail is reported again. All of it has been made safe. Both classes of
entries have a ``number``, and ``due``: when to look for changes again, in seconds of
``time.monotonic()``, infinite after the last change.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..chat.reply import Reply
from ..display.drawing import Drawing, Pace, splitter_for
from ..display.formats import growing_markdown
from ..display.status import no_text_line, progress_share, status_line
from ..errors import Stopped
from ..markdown.safe import escape
from ..messages import Proposal
from .protocol import CardFields, Problem, problem_of

# Drawing the tail costs the page about the same for a short and a long text.
PAGE_PACE = Pace(before_text=0.02, between=1 / 8)
# seconds between two reports of the progress of a command
PROGRESS_INTERVAL = 0.25
STOPPED = "stopped"
BY_AGENT = "An agent proposes:"

Message = dict[str, Any]


class AnswerEntry:
    """A reply on its way to the page.

    Parameters
    ----------
    number
        Identifies the entry in the page.
    reply
        The reply.
    question
        What the user typed; by default the prompt that was sent.
    about
        The number of the cell that the question is about, if it names one.
    card
        Returns what the page shows of a proposal; None: no page can decide about any.

    Attributes
    ----------
    begins_anew : bool
        Whether what the page has of the answer was reasoning, so that the last changes
        are all that there is of it.
    """

    def __init__(
        self,
        number: int,
        reply: Reply,
        question: str = "",
        about: int | None = None,
        card: Callable[[Proposal], CardFields] | None = None,
    ) -> None:
        self.number = number
        self.about = about
        self.reply = reply
        self.question = question or reply.prompt
        self.due = 0.0
        if reply.done and not question:
            # An old answer is sent when the page asks for it.
            self.due = math.inf
        self.begins_anew = False
        self._drawing = Drawing(reply, splitter_for(reply.format), PAGE_PACE)
        self._blocks: list[str] = []
        self._rest: Message = {"tail": ""}
        self._sent_thoughts = False
        self._looks: Message = {}
        self._card = card

    def head(self) -> Message:
        """Return what the page needs to show the question without its answer."""
        head: Message = {"turn": self.number, "question": self.question}
        if self.about is not None:
            head["about"] = self.about
        return head

    def full(self) -> Message:
        """Return all that was reported so far, for a page that has nothing yet."""
        is_undrawn = self.reply.done and not self._drawing.done
        if is_undrawn and self.due == math.inf:
            self.changes()
        thoughts: Message = {}
        if self._sent_thoughts:
            thoughts["thoughts"] = self._drawing.thoughts.strip()
        return {
            **self.head(),
            "from": 0,
            "blocks": self._blocks,
            **thoughts,
            **self._looks,
            **self._cards(),
            **self._rest,
        }

    def changes(self) -> Message | None:
        """Return what has changed since the last call, or None if nothing has."""
        start = len(self._blocks)
        rest_before = self._rest
        pause = self._drawing.draw(self._put)
        self.begins_anew = self._drawing.takes_back
        if self.begins_anew:
            start = 0
        self.due = time.monotonic() + pause
        blocks = self._blocks[start:]
        thoughts = self._new_thoughts()
        looks = self._new_looks()
        is_same = self._rest == rest_before and not looks
        if not blocks and not thoughts and is_same:
            return None
        return {
            "turn": self.number,
            "from": start,
            "blocks": blocks,
            **thoughts,
            **looks,
            **self._rest,
        }

    def _put(self, settled: list[str]) -> None:
        if self._drawing.takes_back:
            # The page begins the turn anew.
            self._blocks = []
            self._sent_thoughts = False
            self._looks = {}
        for block in settled:
            if block.strip():
                self._blocks.append(growing_markdown(block, self.reply.format))
        self._rest = {"tail": self._drawing.tail_markdown()}
        if self._drawing.done:
            if not self._blocks and self.reply.error is None:
                self._blocks.append(escape(no_text_line(self.reply)))
            self._rest |= self._ending()

    def _ending(self) -> Message:
        return {
            "done": True,
            "line": status_line(self.reply, looks=False),
            "error": _problem(self.reply.error),
            "has_text": self._drawing.has_text,
        }

    def _new_thoughts(self) -> Message:
        thoughts = self._drawing.thoughts.strip()
        if self._sent_thoughts or not thoughts:
            return {}
        self._sent_thoughts = True
        return {"thoughts": thoughts}

    def _new_looks(self) -> Message:
        """Return all looks, if there are more than were reported."""
        looks = [{"line": look.line, "text": look.text} for look in self.reply.looked]
        reported = self._looks.get("looks", [])
        if len(looks) == len(reported):
            return {}
        self._looks = {"looks": looks}
        return {**self._looks, **self._cards()}

    def _cards(self) -> Message:
        """Return all that is proposed, as it is now."""
        proposed = self.reply.proposed
        if self._card is None or not proposed:
            return {}
        return {"cards": [self._card(proposal) for proposal in proposed]}


class CommandOutput:
    """What a command returned, or its progress. It is not part of the conversation.

    Parameters
    ----------
    number
        Identifies the entry in the page.
    line
        The command as the user typed it.

    Attributes
    ----------
    ended : bool
        Whether the command has ended.
    stop : Future
        Cancelled when the command is to stop.
    """

    def __init__(self, number: int, line: str) -> None:
        self.number = number
        self.line = line
        self.due = 0.0
        self.ended = False
        self.stop: Future[None] = Future()
        self._lock = threading.Lock()
        self._state: Message = {"from": 0, "blocks": [], "tail": ""}
        self._reported: Message = {}

    def head(self) -> Message:
        """Return what the page needs to show the command without its output."""
        return {"turn": self.number, "question": self.line, "command": True}

    def full(self) -> Message:
        """Return the command and all of its output so far."""
        return {**self.head(), **self._state}

    def changes(self) -> Message | None:
        """Return the present state if it has changed since the last call, else None."""
        state = self._state
        if "done" in state:
            self.due = math.inf
        else:
            self.due = time.monotonic() + PROGRESS_INTERVAL
        if state == self._reported:
            return None
        self._reported = state
        return {"turn": self.number, **state}

    def progress(self, what: str, done: int, total: int) -> None:
        """Note the progress of a download, in bytes; ``total`` is 0 if it is unknown."""
        tail = escape(what)
        if total:
            tail += f" {progress_share(done, total)}"
        with self._lock:
            if not self.ended:
                self._state = {**self._state, "tail": tail}

    def end(self, markdown: str = "", error: BaseException | None = None) -> None:
        """Note what the command returned or raised; only the first call counts."""
        state = {
            "from": 0,
            "blocks": [markdown] if markdown else [],
            "tail": "",
            "done": True,
            "line": STOPPED if isinstance(error, Stopped) else "",
            "error": _problem(error),
        }
        with self._lock:
            if not self.ended:
                self.ended = True
                self.due = 0.0
                self._state = state

    def close(self) -> None:
        """Stop the command if it still runs."""
        self.end(error=Stopped(STOPPED))
        self.stop.cancel()


class AgentProposal:
    """Code that an agent proposes; no question came before it.

    Parameters
    ----------
    number
        Identifies the entry in the page.
    proposal
        What is proposed.
    card
        Returns what the page shows of it.
    """

    def __init__(
        self,
        number: int,
        proposal: Proposal,
        card: Callable[[Proposal], CardFields],
    ) -> None:
        self.number = number
        self.proposal = proposal
        self.due = 0.0
        self._card = card

    @property
    def ended(self) -> bool:
        """Whether somebody has decided; until then, each conversation shows it."""
        return self._card(self.proposal)["state"] != "waiting"

    def head(self) -> Message:
        """Return what the page needs to show who proposes."""
        return {"turn": self.number, "question": BY_AGENT, "command": True}

    def full(self) -> Message:
        """Return all of it."""
        return {**self.head(), **self._content()}

    def changes(self) -> Message | None:
        """Return all of it, once; the card is told by itself what becomes of it."""
        self.due = math.inf
        return {"turn": self.number, **self._content()}

    def _content(self) -> Message:
        return {
            "from": 0,
            "blocks": [],
            "tail": "",
            "cards": [self._card(self.proposal)],
            "done": True,
            "line": "",
            "error": None,
        }

    def close(self) -> None:
        """Do nothing: it has ended."""


def _problem(error: BaseException | None) -> Problem | None:
    """Return an error as the page shows it; the line below an answer already says that
    the user stopped it.
    """
    if error is None or isinstance(error, Stopped):
        return None
    return problem_of(error)
