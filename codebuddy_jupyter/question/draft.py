"""A draft: the messages of one question, made from the conversation and the notebook to
fit the context window. It sends nothing.

The conversation only grows at its end, so that a server finds its prompt cache intact:
each message contains what is new in the notebook since the last, and is sent again
unchanged. Where that no longer fits, the conversation is cut to a complete description
of the notebook and the latest turns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..chat.conversation import Turn
from ..context.envelope import envelope, mention_name
from ..context.fit import ItemRecord, Redact, Update, fit, tally, tokens_wanted
from ..context.inert import without_control_tokens
from ..context.items import ATTACHED_ERROR, Item, Snapshot
from ..context.snapshot import LAST_ERROR
from ..messages import Image, Message
from .prompts import BROKE_OFF
from .tokens import Tokens
from .unsent import Unsent, sent_items_after, unsent_after

# The notebook takes at most this share of the free context window: the rest is for the
# next turn.
NOTEBOOK_SHARE = 0.85
# A question takes at least this share of the room for a prompt.
QUESTION_SHARE = 1 / 16
# Earlier turns take at most this share of what is then free, if the conversation is cut.
TURNS_SHARE = 0.5
SECTION_NAMES = {"error": "last error", "mentions": "attached"}
"""What a person reads for a section, where that is not its name."""


@dataclass(frozen=True)
class Room:
    """The context window as a question may fill it, in tokens.

    Parameters
    ----------
    window
        The context window; None where the server does not report it.
    assumed
        The context window that is assumed then.
    prompt
        The most tokens of the question with all messages before it.
    notebook
        The most tokens of the notebook in one message.
    """

    window: int | None
    assumed: int
    prompt: int
    notebook: int


@dataclass(frozen=True)
class Draft:
    """What would be sent for a question, and what would be left out.

    Parameters
    ----------
    messages
        The messages that would be sent.
    question
        The last of them, as it is kept in the conversation.
    room
        The room that there was.
    tokens
        The estimated tokens of all messages.
    stable
        The beginning of the messages that does not depend on the question, as long as
        all of it fits: a server can read that before a question is asked. The last may
        be a message of the user's without its end.
    parts
        For a person: what the messages consist of, with tokens.
    update
        What the question says about the notebook, and what it leaves out.
    redacted
        The kinds of the secrets that were redacted.
    before
        The messages before the question if the conversation was cut for it, else None.
    turns_left_out
        How many earlier turns are left out.
    troubles
        Lines for the user about sources that could not be read.
    postponed
        What is left out since reading it would take too long, by id.
    """

    messages: tuple[Message, ...]
    question: Message
    room: Room
    tokens: int
    stable: tuple[Message, ...] = ()
    parts: tuple[tuple[str, int], ...] = ()
    update: Update = field(default_factory=Update)
    redacted: tuple[str, ...] = ()
    before: tuple[Message, ...] | None = None
    turns_left_out: int = 0
    troubles: tuple[str, ...] = ()
    postponed: Mapping[str, ItemRecord] = field(default_factory=dict)

    @property
    def can_shrink(self) -> bool:
        """Whether it has anything besides the system prompt and the question."""
        roles = [message.role for message in self.messages]
        return bool(self.update.items) or "assistant" in roles

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for the user, below the answer."""
        lines = list(self.troubles)
        if self.update.left_out:
            items = tally(self.update.left_out)
            lines.append(f"left out of the context: {items} (%buddy /context)")
        secrets = len(self.redacted)
        if secrets == 1:
            lines.append("1 secret redacted")
        elif secrets:
            lines.append(f"{secrets} secrets redacted")
        return tuple(lines)


@dataclass(frozen=True)
class _Past:
    """What precedes the question, and what is then new in the notebook."""

    messages: tuple[Message, ...]
    update: Update
    knows_notebook: bool
    is_cut: bool = False
    turns_left_out: int = 0


@dataclass(frozen=True)
class Drafter:
    """Makes the drafts of one question for one model.

    Parameters
    ----------
    question
        The question as it was typed.
    system
        The system prompt.
    snapshot
        What could be sent of the notebook.
    tokens
        Estimates the tokens of texts and messages.
    redact
        Redacts secrets in a text.
    """

    question: str
    system: str
    snapshot: Snapshot
    tokens: Tokens
    redact: Redact

    def draft(self, turns: Sequence[Turn], room: Room, *, cut: bool = False) -> Draft:
        """Return the messages for the question after these turns.

        Parameters
        ----------
        turns
            The earlier turns, the oldest first.
        room
            The tokens that there are. The question itself is never shortened.
        cut
            Begin with a complete description of the notebook, even if the conversation
            could grow.
        """
        question = self.redact(self._in_words(self.question))
        system = self.redact(self.system)
        first: tuple[Message, ...] = ()
        if system.text.strip():
            first = (Message("system", system.text),)
        asked = self._question_tokens(question.text)
        free = room.prompt - self.tokens.total(first) - asked
        least = int(room.prompt * QUESTION_SHARE)
        kept = max(least - asked, 0)
        past = self._past(turns, free, kept, room.notebook, cut=cut)
        begun, message = self._message(question.text, past)
        last = message
        if past.messages and turns[-1].broke_off:
            last = _after_break(message)
            begun = _after_break(begun)
        before = (*first, *past.messages)
        messages = (*before, last)
        stable = before
        if past.update.stable:
            stable = (*before, begun)
        return Draft(
            messages=messages,
            question=message,
            room=room,
            tokens=self.tokens.total(messages),
            stable=stable,
            parts=self._parts(first, past, question.text),
            update=past.update,
            redacted=(
                *question.labels,
                *system.labels,
                *past.update.redacted,
            ),
            before=past.messages if past.is_cut else None,
            turns_left_out=past.turns_left_out,
            troubles=self.snapshot.troubles,
        )

    def _past(
        self, turns: Sequence[Turn], free: int, kept: int, notebook: int, *, cut: bool
    ) -> _Past:
        """Continue the conversation, or cut it if it does not fit any more.

        Where possible, so many of the free tokens are ``kept`` as a longer question
        takes: what fits of the notebook must not depend on the question's length.
        """
        share = int((free - kept) * NOTEBOOK_SHARE)
        share = min(notebook, share)
        earlier = conversation(turns, self.redact)
        unsent = unsent_after(self.snapshot, turns)
        left = free - self.tokens.total(earlier)
        wanted = tokens_wanted(
            unsent.snapshot,
            unsent.known,
            self.tokens.count,
            share,
        )
        if cut or left < min(wanted, share):
            return self._cut_past(turns, free, share)
        if left - kept >= min(wanted, share):
            left -= kept
        update = self._fit(unsent, min(share, left))
        knows_notebook = bool(sent_items_after(turns).sent)
        return _Past(earlier, update, knows_notebook=knows_notebook)

    def _fit(self, unsent: Unsent, room: int) -> Update:
        return fit(
            unsent.snapshot,
            unsent.known,
            room,
            self.tokens.count,
            self.redact,
        )

    def _cut_past(self, turns: Sequence[Turn], free: int, share: int) -> _Past:
        unsent = unsent_after(self.snapshot, ())
        update = self._fit(unsent, share)
        for item in update.items:
            free -= self.tokens.count(item.text)
        kept = self._latest(turns, int(free * TURNS_SHARE))
        messages: list[Message] = []
        broke_off = False
        for turn in kept:
            messages += _turn_messages(turn.messages_as_typed, after_break=broke_off)
            broke_off = turn.broke_off
        return _Past(
            as_sent(messages, self.redact),
            update,
            knows_notebook=False,
            is_cut=bool(turns),
            turns_left_out=len(turns) - len(kept),
        )

    def _latest(self, turns: Sequence[Turn], room: int) -> list[Turn]:
        """Return the latest turns that fit, without what they said of the notebook."""
        kept: list[Turn] = []
        for turn in reversed(turns):
            messages = as_sent(turn.messages_as_typed, self.redact)
            room -= self.tokens.total(messages)
            if room < 0:
                break
            kept.append(turn)
        kept.reverse()
        return kept

    def _message(self, question: str, past: _Past) -> tuple[Message, Message]:
        """Return the question with what is new in the notebook: its beginning, which
        does not depend on the question, and all of it.
        """
        notebook = envelope(past.update, first=not past.knows_notebook)
        parts = filter(None, (notebook.stable, notebook.asked, question))
        # All of it: pasted text and the values of fields are in the question, too.
        text = without_control_tokens("\n\n".join(parts))
        images: list[Image] = []
        for item in past.update.items:
            images += item.images
        begun = Message("user", without_control_tokens(notebook.stable))
        return begun, Message("user", text, tuple(images))

    def _in_words(self, question: str) -> str:
        """Return the question with the names of attachments in words: small models
        repeat ``@error`` in their code.
        """
        items = {item.id: item for item in self.snapshot.items}
        for item in items.values():
            if item.section != "mentions":
                continue
            words = mention_name(item.title)
            if item.id == ATTACHED_ERROR and LAST_ERROR in items:
                words = f"the {items[LAST_ERROR].title}"
            title = re.escape(item.title)
            mention = re.search(rf"{title}(?!\w)", question)
            if mention is not None:
                before = question[: mention.start()]
                after = question[mention.end() :]
                question = f"{before}{words}{after}"
        return question

    def _question_tokens(self, question: str) -> int:
        return self.tokens.total([Message("user", question)])

    def _parts(
        self, first: Sequence[Message], past: _Past, question: str
    ) -> tuple[tuple[str, int], ...]:
        sizes: Counter[str] = Counter()
        if first:
            sizes["system prompt"] = self.tokens.total(first)
        if past.messages:
            sizes["earlier turns"] = self.tokens.total(past.messages)
        for item in past.update.items:
            sizes[_section_name(item)] += self.tokens.count(item.text)
        sizes["question"] = self._question_tokens(question)
        return tuple(sizes.items())


def conversation(turns: Sequence[Turn], redact: Redact) -> tuple[Message, ...]:
    """Return the messages of earlier turns as they precede the next question."""
    messages: list[Message] = []
    broke_off = False
    for turn in turns:
        if turn.before is not None:
            messages = list(turn.before)
        after_break = broke_off and bool(messages)
        messages += _turn_messages(turn.messages, after_break=after_break)
        broke_off = turn.broke_off
    return as_sent(messages, redact)


def _turn_messages(messages: Sequence[Message], *, after_break: bool) -> list[Message]:
    """Return the messages of a turn, which says whether the last answer broke off."""
    question, *others = messages
    if after_break:
        question = _after_break(question)
    return [question, *others]


def _after_break(question: Message) -> Message:
    """Return the question with a first line that says the last answer broke off.

    The user says that, so that the model does not take it for its own words.
    """
    return replace(question, text=f"{BROKE_OFF}\n\n{question.text}")


def as_sent(messages: Iterable[Message], redact: Redact) -> tuple[Message, ...]:
    """Return the messages without secrets and control tokens, and answers without
    surrounding blanks.

    A message that was sent before is redacted again: more secrets may be known now. An
    answer can repeat control tokens as well, of a file or of its own template.
    """
    sent: list[Message] = []
    for message in messages:
        redacted = redact(message.text)
        text = without_control_tokens(redacted.text)
        if message.role == "assistant":
            text = text.strip()
        sent.append(replace(message, text=text))
    return tuple(sent)


def _section_name(item: Item) -> str:
    return SECTION_NAMES.get(item.section, item.section)
