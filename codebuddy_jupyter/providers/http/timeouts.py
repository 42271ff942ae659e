"""How long to wait for a server, and when to ask it again.

Nothing here sends anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from ... import errors
from .server_error import ErrorResponse

T = TypeVar("T")
# seconds between tries; the last repeats
PAUSES = (0.25, 0.5, 1.0, 2.0)


class TimedOut(Exception):
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


class Deadline:
    """The time that a reply may take, in seconds: to its first token, from one to the
    next, and in all.
    """

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
        TimedOut
            If not.
        """
        left = min(self._next, self._end) - time.monotonic()
        try:
            async with asyncio.timeout(left) as limit:
                return await waiting
        except TimeoutError as error:
            # the system's own, of a connection
            if not limit.expired():
                raise
            total = self._end <= self._next
            raise TimedOut(
                "total_timeout" if total else self._name,
                self._total if total else self._span,
            ) from error


@dataclass(frozen=True)
class Retry:
    """How many seconds to wait before the next try, and a line for the user; empty
    where it has been said.
    """

    seconds: float
    note: str


class Retries:
    """Decides whether to ask again.

    Only what has surely not been answered in part is asked again.

    Parameters
    ----------
    retries
        How often a server is asked again that cannot be reached, or says that it is
        busy.
    seconds
        How long a server is waited for that says it is loading its model, or when to
        come back.
    """

    def __init__(self, retries: int, seconds: float) -> None:
        self._left = retries
        self._tries = 0
        self._end = time.monotonic() + seconds

    def try_again(self, error: ErrorResponse | errors.ProviderError) -> Retry | None:
        """How to go on after this error; None: not at all."""
        pause = (
            self._after_complaint(error)
            if isinstance(error, ErrorResponse)
            else self._after_no_answer(error)
        )
        if pause is None or time.monotonic() + pause.seconds >= self._end:
            return None
        self._tries += 1
        return pause

    def _after_complaint(self, complaint: ErrorResponse) -> Retry | None:
        backoff = PAUSES[min(self._tries, len(PAUSES) - 1)]
        if complaint.is_loading():
            return Retry(
                backoff,
                ""
                if self._tries
                else "The server is still loading the model; waiting for it.",
            )
        after = complaint.retry_after
        if (
            complaint.status == 503 or (complaint.status == 429 and after is not None)
        ) and self._take():
            seconds = backoff if after is None else after
            return Retry(
                seconds,
                f"The server is busy ({complaint.status}); asking again in {seconds:g} s.",
            )
        return None

    def _after_no_answer(self, error: errors.ProviderError) -> Retry | None:
        if isinstance(error, errors.NoReply) and not self._tries:
            # A kept connection that the server gave up just then; seen on llama.cpp,
            # once in 300 questions.
            return Retry(0.0, "")
        if isinstance(error, errors.Unreachable) and error.passing and self._take():
            seconds = PAUSES[min(self._tries, len(PAUSES) - 1)]
            return Retry(
                seconds, f"Nothing answers yet; trying again in {seconds:g} s."
            )
        return None

    def _take(self) -> bool:
        self._left -= 1
        return self._left >= 0
