"""How many tokens a text has: an estimate that learns from what servers count."""

from __future__ import annotations

from collections.abc import Iterable

from ..messages import Message

# What a chat template adds to a message, roughly, in bytes.
TEMPLATE_BYTES = 16
# What an image takes of the context window, roughly, as bytes of text.
IMAGE_BYTES = 3000
# Bytes; the count of a shorter text teaches nothing.
SHORTEST_SAMPLE = 200
# Bytes per token before the server has counted anything, and at least and at most.
FIRST_RATE = 3.5
LOWEST_RATE = 0.5
HIGHEST_RATE = 8.0
# Numbers take more tokens than prose, and may come again, so a rate rises by at most
# this factor.
SLOW_RISE = 1.05


class Tokens:
    """Estimates how many tokens a text has for one model."""

    def __init__(self) -> None:
        self.bytes_per_token = FIRST_RATE
        self.learned = False

    def count(self, text: str) -> int:
        """Estimate the tokens of a text."""
        tokens = _size(text) / self.bytes_per_token
        return int(tokens) + 1

    def total(self, messages: Iterable[Message]) -> int:
        """Estimate the tokens of messages, with what a chat template adds."""
        tokens = _total_size(messages) / self.bytes_per_token
        return int(tokens)

    def learn(self, messages: Iterable[Message], tokens: int | None) -> None:
        """Learn from the tokens that the server counted for these messages."""
        self._learn(_total_size(messages), tokens)

    def learn_text(self, text: str, tokens: int | None) -> None:
        """Learn from the tokens that the server's tokenizer counted for this text."""
        self._learn(_size(text), tokens)

    def _learn(self, size: int, tokens: int | None) -> None:
        if not tokens or size <= SHORTEST_SAMPLE:
            return
        rate = size / tokens
        rate = max(LOWEST_RATE, rate)
        rate = min(HIGHEST_RATE, rate)
        if self.learned:
            highest = self.bytes_per_token * SLOW_RISE
            rate = min(rate, highest)
        self.bytes_per_token = rate
        self.learned = True


def _total_size(messages: Iterable[Message]) -> int:
    size = 0
    for message in messages:
        size += TEMPLATE_BYTES
        size += _size(message.text)
        size += IMAGE_BYTES * len(message.images)
        for call in message.tool_calls:
            size += _size(call.name)
            size += _size(call.arguments)
    return size


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
