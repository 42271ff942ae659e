"""How many tokens a text has: an estimate that learns from what servers count."""

from __future__ import annotations

from collections.abc import Iterable

from ..messages import Message

# what a chat template adds to a message, roughly
MESSAGE_BYTES = 16
# what a picture takes of the window, roughly, as bytes of text
IMAGE_BYTES = 3000
SLOWLY = 1.05
# bytes; what is shorter teaches nothing
LEAST = 200


class Tokens:
    """Estimates how many tokens a text has for one model, and learns from what servers
    count.
    """

    def __init__(self) -> None:
        self.bytes_per_token = 3.5
        self.learned = False

    def count(self, text: str) -> int:
        """The estimate, in tokens."""
        return int(_size(text) / self.bytes_per_token) + 1

    def total(self, messages: Iterable[Message]) -> int:
        """The estimate for whole messages, in tokens."""
        return int(_whole_size(messages) / self.bytes_per_token)

    def learn(self, messages: Iterable[Message], tokens: int | None) -> None:
        """Take note that the server counted ``tokens`` for these messages."""
        self._learn(_whole_size(messages), tokens)

    def learn_text(self, text: str, tokens: int | None) -> None:
        """Take note that the server's own tokenizer counted ``tokens`` for this text."""
        self._learn(_size(text), tokens)

    def _learn(self, size: int, tokens: int | None) -> None:
        if tokens and size > LEAST:
            rate = min(8.0, max(0.5, size / tokens))
            # Numbers take more tokens than prose: what was dense once may come again,
            # so the estimate rises slowly.
            self.bytes_per_token = (
                min(rate, self.bytes_per_token * SLOWLY) if self.learned else rate
            )
            self.learned = True


def _whole_size(messages: Iterable[Message]) -> int:
    return sum(
        _size(message.text) + MESSAGE_BYTES + IMAGE_BYTES * len(message.images)
        for message in messages
    )


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
