"""A conversation: its turns, and the messages of which each of them consists."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..context.fit import ItemRecord, SentItems
from ..errors import PromptTooLong
from ..messages import REPETITION, Message
from .repetition import without_repetition
from .reply import Reply

# Characters of a title.
MAX_TITLE = 60
# What stands between an answer and its correction; it is not sent to the model.
CORRECTED = "\n\n**Corrected code:**\n\n"


def titled(question: str) -> str:
    """Return the title of a conversation that begins with this question."""
    words = question.split(maxsplit=MAX_TITLE)
    line = " ".join(words[:MAX_TITLE])
    if len(line) <= MAX_TITLE:
        return line
    shortened = line[: MAX_TITLE - 1].rstrip()
    return f"{shortened}…"


def _new_id() -> str:
    return uuid.uuid4().hex


class Place(NamedTuple):
    """Where a question is asked: which one it is of the run of which cell."""

    cell: str
    number: int


@dataclass
class Turn:
    """A question, its reply, and the messages that both consist of.

    Parameters
    ----------
    question
        The question as it was typed.
    reply
        Its reply.
    sent
        The question as it was sent, with what was new in the notebook; None for a turn
        that this kernel did not send.
    sent_items
        What ``sent`` says about the notebook.
    before
        The messages before it where the conversation was cut for it; None: those of the
        earlier turns.
    id
        Its id on disk.
    asked
        When it was asked, in seconds since 1970.
    steps
        What came between question and answer: the first answer, and the request for a
        corrected one.
    kept_question
        The question as it is kept on disk, without secrets.
    postponed
        What was left out of ``sent`` since reading it would have taken too long, by id.
    place
        Where this kernel asked it; None for a question of the panel or another kernel.
    looks
        The looks before the answer, as calls of tools and their results. What they have
        shown is in `sent` as well, in words that every model can read.
    """

    question: str
    reply: Reply
    sent: Message | None = None
    sent_items: SentItems = field(default_factory=SentItems)
    before: tuple[Message, ...] | None = None
    id: str = field(default_factory=_new_id)
    asked: float = field(default_factory=time.time)
    steps: tuple[Message, ...] = ()
    kept_question: str = ""
    postponed: Mapping[str, ItemRecord] = field(default_factory=dict)
    place: Place | None = None
    looks: tuple[Message, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        """Its messages as they were sent and received: the question comes first."""
        question = self.sent
        if question is None:
            question = Message("user", self.question)
        return (question, *self._after_question())

    @property
    def messages_as_typed(self) -> tuple[Message, ...]:
        """Its messages without what the question said about the notebook."""
        question = Message("user", self.question)
        return (question, *self._after_question())

    @property
    def messages_so_far(self) -> tuple[Message, ...]:
        """Its messages as typed, with the looks and the part of the answer that came."""
        question = Message("user", self.question)
        return (question, *self.looks, *self._with_answer())

    @property
    def has_answer(self) -> bool:
        """Whether the reply has ended with anything that can be sent as an answer."""
        return self.reply.done and bool(self._after_question())

    @property
    def broke_off(self) -> bool:
        """Whether the reply ended early."""
        return self.reply.done and self.reply.error is not None

    def _after_question(self) -> tuple[Message, ...]:
        """Return the steps and, if the reply has ended with some text, the answer."""
        if not self.reply.done:
            return self.steps
        steps = list(self._with_answer())
        if steps and steps[-1].role == "assistant":
            answer = steps.pop()
            text = answer.text.removeprefix(CORRECTED)
            if self.reply.finish == REPETITION:
                # All of it would lead the model to go on with it.
                text = without_repetition(text)
            if text.strip():
                steps.append(replace(answer, text=text))
        if steps and steps[-1].role == "user":
            # Nothing has come of a correction.
            steps.pop()
        return tuple(steps)

    def _with_answer(self) -> tuple[Message, ...]:
        """Return the steps and, if any has come, the text of the answer.

        Reasoning is not among them.
        """
        answer = self.reply.text
        # The text of a reply includes the first answer.
        for step in self.steps:
            if step.role == "assistant":
                answer = answer.removeprefix(step.text)
        if not answer.strip():
            return self.steps
        return (*self.steps, Message("assistant", answer))


@dataclass
class Chat:
    """A conversation: it grows at its end, where its last turn can be taken back."""

    turns: list[Turn] = field(default_factory=list)
    id: str = field(default_factory=_new_id)

    @property
    def title(self) -> str:
        """Its title in a list: the start of its first question."""
        if not self.turns:
            return ""
        return titled(self.turns[0].reply.prompt)

    def before(self, reply: Reply | None) -> list[Turn]:
        """Return the turns that are sent again with a question.

        Left out are turns that still run, turns without any answer, and questions that
        did not fit the context window.

        Parameters
        ----------
        reply
            The reply to the question; None for the next question.
        """
        earlier: list[Turn] = []
        for turn in self.turns:
            if turn.reply is reply:
                break
            if _is_sent_again(turn):
                earlier.append(turn)
        return earlier

    def before_in_cells(self, turn: Turn) -> list[Turn]:
        """Return the turns that come before a turn when the notebook is run again.

        Of those that are sent again, these are the ones of this kernel's cells. A cell
        that has run several times counts once, with its last turn; what came after the
        turn when it was asked for the first time does not count.
        """
        last: dict[Place, Turn] = {}
        for other in self.turns:
            if other is turn:
                break
            if other.place is not None and _is_sent_again(other):
                last[other.place] = other
        counted = []
        for place, other in last.items():
            if place == turn.place:
                break
            counted.append(other)
        return counted


def _is_sent_again(turn: Turn) -> bool:
    return turn.has_answer and not isinstance(turn.reply.error, PromptTooLong)
