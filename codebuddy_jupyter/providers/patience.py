"""How long to wait for a server, and when to ask it again. Nothing here sends anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from .. import errors
from .complaint import Complaint

T = TypeVar("T")
PAUSES = (0.25, 0.5, 1.0, 2.0)  # seconds between tries; the last repeats


class Overdue(Exception):
    """The time for something is over.

    Parameters
    ----------
    setting
        The name of the setting that gave the time.
    seconds
        How long that was.
    """

    def __init__(self, setting: str, seconds: float) -> None:
        super().__init__(setting)
        self.setting = setting
        self.seconds = seconds


class Clock:
    """The time that a reply may take, in seconds: to its first token, from one to the next, and in all."""

    def __init__(self, first: float, between: float, total: float) -> None:
        self._total = total
        self._between = between
        self._end = time.monotonic() + total
        self._name, self._span = "first_token_timeout", first
        self._next = time.monotonic() + first

    def tick(self) -> None:
        """Something of the reply came: the time to the next token begins."""
        self._name, self._span = "next_token_timeout", self._between
        self._next = time.monotonic() + self._between

    async def within(self, waiting: Awaitable[T]) -> T:
        """What is awaited, if it comes in time.

        Raises
        ------
        Overdue
            If not.
        """
        left = min(self._next, self._end) - time.monotonic()
        try:
            async with asyncio.timeout(left) as limit:
                return await waiting
        except TimeoutError as error:
            if not limit.expired():  # the system's own, of a connection
                raise
            total = self._end <= self._next
            raise Overdue("total_timeout" if total else self._name, self._total if total else self._span) from error


@dataclass(frozen=True)
class Pause:
    """How many seconds to wait before the next try, and a line for the user; empty where it has been said."""

    seconds: float
    note: str


class Patience:
    """Decides whether to ask again. Only what has surely not been answered in part is asked again.

    Parameters
    ----------
    retries
        How often a server is asked again that cannot be reached, or says that it is busy.
    seconds
        How long a server is waited for that says it is loading its model, or when to come back.
    """

    def __init__(self, retries: int, seconds: float) -> None:
        self._left = retries
        self._tries = 0
        self._end = time.monotonic() + seconds

    def try_again(self, error: Complaint | errors.ProviderError) -> Pause | None:
        """How to go on after this error; None: not at all."""
        pause = self._after_complaint(error) if isinstance(error, Complaint) else self._after_no_answer(error)
        if pause is None or time.monotonic() + pause.seconds >= self._end:
            return None
        self._tries += 1
        return pause

    def _after_complaint(self, complaint: Complaint) -> Pause | None:
        backoff = PAUSES[min(self._tries, len(PAUSES) - 1)]
        if complaint.is_loading():
            return Pause(backoff, "" if self._tries else "The server is still loading the model; waiting for it.")
        after = complaint.retry_after
        if (complaint.status == 503 or (complaint.status == 429 and after is not None)) and self._take():
            seconds = backoff if after is None else after
            return Pause(seconds, f"The server is busy ({complaint.status}); asking again in {seconds:g} s.")
        return None

    def _after_no_answer(self, error: errors.ProviderError) -> Pause | None:
        if isinstance(error, errors.NoReply) and not self._tries:
            # A kept connection that the server gave up just then; seen on llama.cpp, once in 300 questions.
            return Pause(0.0, "")
        if isinstance(error, errors.Unreachable) and error.passing and self._take():
            seconds = PAUSES[min(self._tries, len(PAUSES) - 1)]
            return Pause(seconds, f"Nothing answers yet; trying again in {seconds:g} s.")
        return None

    def _take(self) -> bool:
        self._left -= 1
        return self._left >= 0
