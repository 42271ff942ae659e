"""What a model has read of the prompts that it was sent, and how fast it reads.

A server with a prompt cache reads only what follows the beginning that a prompt has in
common with the one before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..chat.reply import ExpectedReading
from ..messages import Chunk, Message, Reading, Usage
from .speeds import ReadingSpeeds
from .target import Target
from .tokens import Tokens, TokensByModel

# Where a server does not tell how far it had read when it was stopped, this share of
# what its speed promises counts as read.
CAREFUL_SHARE = 0.8

Messages = Sequence[Message]


class Reader:
    """What one model has read last, and how fast it reads.

    Parameters
    ----------
    target
        The model.
    speeds
        The speeds of all models.
    tokens
        Estimates the tokens of texts for this model.
    """

    def __init__(self, target: Target, speeds: ReadingSpeeds, tokens: Tokens) -> None:
        self._target = target
        self._speeds = speeds
        self._tokens = tokens
        self._messages: tuple[Message, ...] = ()
        self._read = 0

    @property
    def speed(self) -> float | None:
        """Tokens of a prompt that the model reads in a second, measured or expected;
        None if that is not known.
        """
        target = self._target
        measured = self._speeds.get(target.provider.where(), target.model)
        return measured or target.provider.expected_speed(target.model)

    def unread(self, messages: Messages) -> int:
        """Estimate how many tokens of a prompt are not in the prompt cache."""
        total = self.total(messages)
        common = self._common(messages)
        return total - min(common, self._read, total)

    def beginning(self, messages: Messages, tokens: int) -> tuple[Message, ...]:
        """Return the beginning of a prompt of which about so many tokens are unread; all
        of it if that is less.
        """
        left = self.total(messages) - self.unread(messages) + tokens
        beginning: list[Message] = []
        for message in messages:
            size = self.total([message])
            if size > left:
                beginning.append(_cut(message, left / size))
                break
            beginning.append(message)
            left -= size
        return tuple(beginning)

    def has_read(self, text: str) -> bool:
        """Return whether a text is in what was read last."""
        left: float = self._read
        for message in self._messages:
            size = self._tokens.total([message])
            read = message.text
            if size > left:
                length = int(len(read) * (left / size))
                read = read[:length]
            if text in read:
                return True
            left -= size
            if left <= 0:
                break
        return False

    def total(self, messages: Messages) -> int:
        """Estimate the tokens of a prompt."""
        return self._tokens.total(messages)

    def count(self, text: str) -> int:
        """Estimate the tokens of a text."""
        return self._tokens.count(text)

    def note(self, messages: Messages, tokens: int | None = None) -> None:
        """Note that so many tokens of a prompt, the last one of the model, have been
        read; None: all.
        """
        self._messages = tuple(messages)
        read = self.total(messages)
        if tokens is not None:
            read = min(tokens, read)
        self._read = read

    def learn(self, tokens: int | None, seconds: float | None) -> None:
        """Learn from so many tokens that were read in so many seconds."""
        if not (tokens and seconds):
            return
        target = self._target
        server = target.provider.where()
        self._speeds.learn(server, target.model, tokens, seconds)

    def _common(self, messages: Messages) -> int:
        """Return the tokens of the beginning that a prompt has in common with the last."""
        same: list[Message] = []
        for message, earlier in zip(messages, self._messages, strict=False):
            if message == earlier:
                same.append(message)
                continue
            if message.role == earlier.role:
                text = common_beginning(message.text, earlier.text)
                same.append(_text_alone(message, text))
            break
        return self._tokens.total(same)


class Readers:
    """The readers by server and model.

    Parameters
    ----------
    speeds
        How fast models read.
    tokens
        The estimates of tokens, by the name of the model.
    """

    def __init__(self, speeds: ReadingSpeeds, tokens: TokensByModel) -> None:
        self.speeds = speeds
        self._tokens = tokens
        self._readers: dict[tuple[str, str], Reader] = {}

    def of(self, target: Target) -> Reader | None:
        """Return the reader of a model; None if its server is not known to keep what it
        has read.
        """
        if not target.provider.keeps_prompts():
            return None
        key = target.provider.where(), target.model
        tokens = self._tokens[target.model]
        reader = Reader(target, self.speeds, tokens)
        return self._readers.setdefault(key, reader)


def _cut(message: Message, share: float) -> Message:
    """Return a message without what follows this share of its text, up to a line's end
    if there is one: a token that is cut would be read again.
    """
    length = int(len(message.text) * share)
    text = message.text[:length]
    lines, _, _ = text.rpartition("\n")
    return _text_alone(message, lines or text)


def _text_alone(message: Message, text: str) -> Message:
    """Return a message with this text and nothing else."""
    return replace(message, text=text, images=(), tool_calls=())


def common_beginning(text: str, other: str) -> str:
    """Return the longest text with which both begin."""
    # By halves, since comparing is a hundred times as fast as walking in Python.
    low = 0
    high = min(len(text), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if text[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return text[:low]


class PromptWatch:
    """Follows how a model reads one prompt.

    Parameters
    ----------
    reader
        The model.
    messages
        The prompt.
    clock
        Gives the time in seconds.

    Attributes
    ----------
    unread
        The estimated tokens that are to be read.
    """

    def __init__(
        self,
        reader: Reader,
        messages: Messages,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._messages = tuple(messages)
        self._total = reader.total(messages)
        self.unread = reader.unread(messages)
        self._began = clock()
        self._seconds: float | None = None
        self._progress: Reading | None = None
        self._usage = Usage()

    def feed(self, chunk: Chunk) -> None:
        """Take a chunk of the reply."""
        self._progress = chunk.reading or self._progress
        self._usage = chunk.usage or self._usage
        has_begun = chunk.text or chunk.reasoning or chunk.tool_calls or chunk.finish
        if has_begun and self._seconds is None:
            self._seconds = self._clock() - self._began

    @property
    def read(self) -> int:
        """The tokens that were read of those that were unread, as far as is known."""
        if self._seconds is not None:
            return self.unread
        cached = self._total - self.unread
        progress = self._progress
        if progress is not None:
            done = self._total * progress.done // progress.total
            read = done - cached
        else:
            elapsed = self._clock() - self._began
            speed = self._reader.speed or 0.0
            read = int(elapsed * speed * CAREFUL_SHARE)
        read = min(read, self.unread)
        return max(read, 0)

    def expected(self) -> ExpectedReading | None:
        """Return how long the model is expected to read; None if that is not known."""
        speed = self._reader.speed
        if not speed:
            return None
        return ExpectedReading(self.unread, speed, self._began)

    def end(self, answer: Messages = (), *, was_loaded: bool = False) -> None:
        """Note what was read, and learn from it.

        Parameters
        ----------
        answer
            What the model has written after the prompt, if that is sent again as it is.
        was_loaded
            Whether the model was loaded before, so that it did nothing but read until
            the first token.
        """
        read = self.read
        self._learn(was_loaded=was_loaded)
        if self._seconds is not None:
            self._reader.note([*self._messages, *answer])
        else:
            cached = self._total - self.unread
            self._reader.note(self._messages, cached + read)

    def _learn(self, *, was_loaded: bool) -> None:
        """Learn from what the server reports, else from the time to the first token."""
        usage = self._usage
        progress = self._progress
        if usage.read_seconds is not None:
            tokens = usage.read_tokens
            if tokens is None:
                tokens = self.unread
            self._reader.learn(tokens, usage.read_seconds)
        elif progress is not None:
            tokens = progress.done - progress.cached
            self._reader.learn(tokens, progress.seconds)
        elif was_loaded and self._seconds is not None:
            self._reader.learn(self.unread, self._seconds)
