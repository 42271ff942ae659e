"""A draft: the messages of one question, made from the conversation, the notebook and
the window. It sends nothing.

The conversation only grows at its end, so that a server finds its prompt cache intact:
each message tells what is new in the notebook since the last, and stays as it was sent.
Where that no longer fits, it is cut to a fresh look at the notebook and the latest
turns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..chat.reply import Turn
from ..context.envelope import envelope
from ..context.fit import Redact, SentItems, Update, fit, tally, tokens_wanted
from ..context.items import Item, Snapshot
from ..messages import Message
from .tokens import Tokens

# of the free window, at most, that the notebook takes of a question
SHARE = 0.8
# of what is then free, at most, that earlier turns take when the conversation is cut
KEPT = 0.5


@dataclass(frozen=True)
class Room:
    """The window as a question may fill it, in tokens.

    ``window`` is None where nobody tells it, and ``assumed`` then counts; ``prompt`` is
    what the question may take with all that stands before it, and ``notebook`` the most
    that is told of the notebook at once.
    """

    window: int | None
    assumed: int
    prompt: int
    notebook: int


@dataclass(frozen=True)
class Draft:
    """What would be sent for a question, and what would not.

    ``parts`` are names with tokens, for a person; ``turns_left_out`` counts the earlier
    turns that are not in it. ``before`` is what stands before the question where the
    conversation was cut for it, else None; ``troubles`` are lines about sources that
    could not be read.
    """

    messages: tuple[Message, ...]
    question: Message
    room: Room
    tokens: int
    parts: tuple[tuple[str, int], ...] = ()
    news: Update = field(default_factory=Update)
    redacted: tuple[str, ...] = ()
    before: tuple[Message, ...] | None = None
    turns_left_out: int = 0
    troubles: tuple[str, ...] = ()

    @property
    def can_shrink(self) -> bool:
        """Whether there is anything in it besides what is said first and the question."""
        return bool(self.news.items) or any(
            message.role == "assistant" for message in self.messages
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for the user, under the answer."""
        lines = list(self.troubles)
        if self.news.left_out:
            lines.append(
                f"left out of the context: {tally(self.news.left_out)} (%buddy /context)"
            )
        if self.redacted:
            lines.append(
                f"{len(self.redacted)} secret{'' if len(self.redacted) == 1 else 's'} redacted"
            )
        return tuple(lines)


@dataclass(frozen=True)
class Brief:
    """What a draft is made from: the question as typed, what is said first, what could
    be told, how to count, and how to redact.
    """

    question: str
    system: str
    snapshot: Snapshot
    tokens: Tokens
    redact: Redact


def draft(
    brief: Brief, turns: Sequence[Turn], room: Room, *, cut: bool = False
) -> Draft:
    """The messages for a question after these turns.

    Parameters
    ----------
    brief
        The question, and what could be told with it.
    turns
        The earlier turns, oldest first.
    room
        The tokens that there are. The question itself stays whole, whether it fits or
        not.
    cut
        Begin with a fresh look at the notebook even where the conversation could grow.
    """
    redacted, redacted_system = brief.redact(brief.question), brief.redact(brief.system)
    question, system = redacted.text, redacted_system.text
    first = (Message("system", system),) if system.strip() else ()
    free = room.prompt - brief.tokens.total([*first, Message("user", question)])
    earlier = conversation(turns, brief.redact)
    known = known_after(turns)
    left = free - brief.tokens.total(earlier)
    share = min(room.notebook, int(free * SHARE))
    count, redact = brief.tokens.count, brief.redact
    if cut or left < min(tokens_wanted(brief.snapshot, known, count), share):
        news = fit(brief.snapshot, SentItems(), share, count, redact)
        kept, left_out = _latest(turns, brief, int((free - _size(news, brief)) * KEPT))
        before, known = kept if turns else None, SentItems()
    else:
        kept, before, left_out = earlier, None, 0
        news = fit(brief.snapshot, known, min(share, left), count, redact)
    told = envelope(news, redact(brief.snapshot.name).text, first=not known.sent)
    images = tuple(image for item in news.items for image in item.images)
    message = Message("user", f"{told}\n\n{question}" if told else question, images)
    messages = (*first, *kept, message)
    return Draft(
        messages,
        message,
        room,
        brief.tokens.total(messages),
        _parts(brief, first, kept, question, news),
        news,
        (*redacted.labels, *redacted_system.labels, *news.redacted),
        before,
        left_out,
        brief.snapshot.troubles,
    )


def conversation(turns: Sequence[Turn], redact: Redact) -> tuple[Message, ...]:
    """The messages that stand before the next question, as they were sent."""
    messages: list[Message] = []
    for turn in turns:
        if turn.before is not None:
            messages = list(turn.before)
        messages += [
            turn.message or Message("user", turn.question),
            Message("assistant", turn.answer()),
        ]
    return _redacted(messages, redact)


def _redacted(messages: Iterable[Message], redact: Redact) -> tuple[Message, ...]:
    """The messages without secrets; what was sent once is blanked again, as what was
    none then may be one now.
    """
    return tuple(
        replace(message, text=redact(message.text).text) for message in messages
    )


def known_after(turns: Sequence[Turn]) -> SentItems:
    """What these turns have told the model of the notebook."""
    known = SentItems()
    for turn in turns:
        known = turn.known if turn.before is not None else known.after(turn.known)
    return known


def _latest(
    turns: Sequence[Turn], brief: Brief, room: int
) -> tuple[tuple[Message, ...], int]:
    """The latest turns within so many tokens, without what was told of the notebook
    then; and how many are left out.
    """
    kept: list[Message] = []
    for number, turn in enumerate(reversed(turns)):
        pair = _redacted(
            [Message("user", turn.question), Message("assistant", turn.answer())],
            brief.redact,
        )
        room -= brief.tokens.total(pair)
        if room < 0:
            return tuple(kept), len(turns) - number
        kept = [*pair, *kept]
    return tuple(kept), 0


def _size(news: Update, brief: Brief) -> int:
    return sum(brief.tokens.count(item.text) for item in news.items)


def _parts(
    brief: Brief,
    first: Sequence[Message],
    kept: Sequence[Message],
    question: str,
    news: Update,
) -> tuple[tuple[str, int], ...]:
    sizes: Counter[str] = Counter()
    if first:
        sizes["system prompt"] = brief.tokens.total(first)
    if kept:
        sizes["earlier turns"] = brief.tokens.total(kept)
    for item in news.items:
        sizes[_named(item)] += brief.tokens.count(item.text)
    sizes["question"] = brief.tokens.total([Message("user", question)])
    return tuple(sizes.items())


def _named(item: Item) -> str:
    return {"error": "last error", "mentions": "attached"}.get(
        item.section, item.section
    )
