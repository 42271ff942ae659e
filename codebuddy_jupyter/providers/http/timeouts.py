"""How long to wait for a server, and when to send a request again.

Nothing is sent here.
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
# Seconds between tries; the last value repeats.
BACKOFF = (0.25, 0.5, 1.0, 2.0)


class TimedOut(Exception):
    """A time limit of the settings has passed.

    Parameters
    ----------
    setting
        The name of the setting that holds the limit.
    seconds
        The limit.
    """

    def __init__(self, setting: str, seconds: float) -> None:
        super().__init__(setting)
        self.setting = setting
        self.seconds = seconds


class Deadline:
    """The time limits of one reply, in seconds.

    Parameters
    ----------
    first
        Limit for the first token.
    between
        Limit for each next token.
    total
        Limit for the whole reply.
    """

    def __init__(self, first: float, between: float, total: float) -> None:
        now = time.monotonic()
        self._between = between
        self._total = total
        self._total_end = now + total
        self._token_setting = "first_token_timeout"
        self._token_limit = first
        self._token_end = now + first

    def tick(self) -> None:
        """Start the time limit for the next token, since part of the reply came."""
        self._token_setting = "next_token_timeout"
        self._token_limit = self._between
        self._token_end = time.monotonic() + self._between

    async def within(self, waiting: Awaitable[T]) -> T:
        """Return what is awaited, if it comes in time.

        Raises
        ------
        TimedOut
            If it does not.
        """
        seconds = min(self._token_end, self._total_end) - time.monotonic()
        try:
            async with asyncio.timeout(seconds) as limit:
                return await waiting
        except TimeoutError as error:
            # The operating system's own timeout of a connection.
            if not limit.expired():
                raise
            raise self._timed_out() from error

    def _timed_out(self) -> TimedOut:
        if self._total_end <= self._token_end:
            return TimedOut("total_timeout", self._total)
        return TimedOut(self._token_setting, self._token_limit)


@dataclass(frozen=True)
class Retry:
    """A decision to send the request again.

    Parameters
    ----------
    seconds
        How long to wait before.
    note
        A line for the user; empty if it was shown before.
    """

    seconds: float
    note: str


class Retries:
    """Decides whether to send a request again.

    Only a request of which no part was answered is sent again.

    Parameters
    ----------
    retries
        How often to retry if the server cannot be reached or is busy.
    seconds
        How long to wait in all for a server that is loading its model, or that says
        when to retry.
    """

    def __init__(self, retries: int, seconds: float) -> None:
        self._left = retries
        self._tries = 0
        self._end = time.monotonic() + seconds

    def try_again(self, error: ErrorResponse | errors.ProviderError) -> Retry | None:
        """Return when to retry after this error, or None if not at all."""
        if isinstance(error, ErrorResponse):
            retry = self._after_response(error)
        else:
            retry = self._after_no_response(error)
        if retry is None:
            return None
        if time.monotonic() + retry.seconds >= self._end:
            return None
        self._tries += 1
        return retry

    def _after_response(self, response: ErrorResponse) -> Retry | None:
        if response.is_loading():
            note = ""
            if not self._tries:
                note = "The server is still loading the model; waiting for it."
            return Retry(self._backoff(), note)
        if response.lacks_credit() or not _is_busy(response):
            return None
        if not self._take():
            return None
        seconds = self._backoff()
        if response.retry_after is not None:
            seconds = response.retry_after
        note = f"The server is busy ({response.status}). Retrying in {seconds:g} s."
        return Retry(seconds, note)

    def _after_no_response(self, error: errors.ProviderError) -> Retry | None:
        if isinstance(error, errors.NoReply) and not self._tries:
            # A pooled connection that the server closed at that moment; seen on
            # llama.cpp, once in 300 requests.
            return Retry(0.0, "")
        is_passing = isinstance(error, errors.Unreachable) and error.passing
        if not is_passing or not self._take():
            return None
        seconds = self._backoff()
        return Retry(seconds, f"Nothing answers yet. Retrying in {seconds:g} s.")

    def _backoff(self) -> float:
        last = len(BACKOFF) - 1
        return BACKOFF[min(self._tries, last)]

    def _take(self) -> bool:
        """Use up one retry; return whether there was one left."""
        self._left -= 1
        return self._left >= 0


def _is_busy(response: ErrorResponse) -> bool:
    # Without Retry-After, 429 often means that a quota of the day is used up.
    if response.status == 429:
        return response.retry_after is not None
    return response.status == 503
