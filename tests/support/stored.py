"""Turns as they are kept on disk."""

from __future__ import annotations

from typing import Any

from codebuddy_jupyter.chat.tables import StoredTurn
from codebuddy_jupyter.messages import Message


def turn(
    number: int = 1, question: str = "", answer: str = "", **fields: Any
) -> StoredTurn:
    """Return a turn whose answer has not ended."""
    messages = [Message("user", question or f"{number}?")]
    if answer:
        messages.append(Message("assistant", answer))
    return StoredTurn(f"turn-{number}", float(number), tuple(messages), **fields)


def ended(number: int = 1, answer: str = "An answer.") -> StoredTurn:
    """Return a turn whose answer is complete."""
    return turn(number, answer=answer, complete=True)
