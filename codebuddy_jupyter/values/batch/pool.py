"""The servers that a map asks, and how many requests each of them takes at a time.

It sends nothing. All of it runs on the background loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from ...errors import BuddyError
from ...providers.base import Provider

# Requests at a time of a server that does not tell how many it takes: at first, and at
# most.
FIRST_LIMIT = 4
LARGEST_LIMIT = 32
# Such a server gets more requests as long as an answer takes less than so many times
# what it took with few, and fewer from so many times on.
GROW_BELOW = 2.0
SHRINK_ABOVE = 4.0
SHRINK = 0.8
# Seconds before a server that is busy, or does not answer, is asked again; the last
# repeats.
BUSY_PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
DOWN_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# How often in a row a server may say that it is busy before it counts as one that does
# not answer.
MOST_BUSY = 12
# Seconds that a job waits when no server answers any more.
PATIENCE = 20.0


class Lane:
    """One server, and the requests that it has now.

    At first it gets one request alone: what all requests have in common is read once
    then, and is in the server's cache for those that follow.

    Parameters
    ----------
    provider
        The provider that asks it.
    model
        The name of the model.
    """

    def __init__(self, provider: Provider, model: str) -> None:
        self.provider = provider
        self.model = model
        self.slots: int | None = None
        """How many requests it takes at a time; None: that is found out."""
        self.window: int | None = None
        """Its context window in tokens; None if it is not known."""
        self.limit = 1.0
        self.busy = 0
        self.answered = 0
        self.error: BuddyError | None = None
        """Why it is not asked now, or never again."""
        self.is_out = False
        """Whether it is never asked again."""
        self.resumes = 0.0
        """When it may be asked again, as ``time.monotonic()``."""
        self._is_prepared = False
        self._is_down = False
        self._strikes = 0
        self._changed_at = 0.0
        self._round: list[float] = []
        self._fastest: float | None = None

    async def prepare(self) -> None:
        """Find out what the server tells, before its first request.

        Raises
        ------
        BuddyError
            If it does not answer, or does not have the model.
        """
        if not self._is_prepared:
            self.window = await self.provider.window(self.model)
            self.slots = await self.provider.slots(self.model)
            self._is_prepared = True

    @property
    def load(self) -> float:
        """How full it is."""
        return (self.busy + 1) / self.limit

    def is_free(self, now: float) -> bool:
        """Return whether it takes another request."""
        if self.is_out or now < self.resumes:
            return False
        return self.busy < int(self.limit)

    def note_answer(self, began: float, now: float) -> None:
        """Note an answer to a request that was sent at some moment."""
        self.answered += 1
        if self.is_out:
            # It was sent before the one that was refused.
            return
        self._strikes = 0
        self.error = None
        if self._is_down or self.answered == 1:
            self._is_down = False
            self.limit = float(self.slots or FIRST_LIMIT)
            self._changed_at = now
        elif self.slots is not None:
            # One that was busy once gets its requests back, little by little.
            grown = self.limit + 1 / self.limit
            self.limit = min(float(self.slots), grown)
        elif began >= self._changed_at:
            self._adjust(now - began, now)

    def _adjust(self, seconds: float, now: float) -> None:
        """Learn from how long the answers of a round took: as many as go at a time."""
        self._round.append(seconds)
        if len(self._round) < int(self.limit):
            return
        average = sum(self._round) / len(self._round)
        self._round.clear()
        self._fastest = min(average, self._fastest or average)
        if average < GROW_BELOW * self._fastest:
            self.limit = min(self.limit + 1, LARGEST_LIMIT)
        elif average > SHRINK_ABOVE * self._fastest:
            self.limit = max(self.limit * SHRINK, 1.0)
        self._changed_at = now

    def note_busy(self, error: BuddyError, began: float, now: float) -> None:
        """Note that it took no request that was sent at some moment: it gets half as
        many.
        """
        self.error = error
        # Those that were sent before are the same trouble.
        if began < self._changed_at:
            return
        self.limit = max(self.limit / 2, 1.0)
        self._changed_at = now
        self._strikes += 1
        if self._strikes > MOST_BUSY:
            self.note_down(error, now)
        else:
            self._pause(BUSY_PAUSES, now)

    def note_down(self, error: BuddyError, now: float) -> None:
        """Note that it does not answer: it is asked again later, with one request."""
        self.error = error
        is_known = self._is_down and now < self.resumes
        if is_known:
            return
        if not self._is_down:
            self._strikes = 0
        self._is_down = True
        # Another one may be there when it answers again.
        self._is_prepared = False
        self._strikes += 1
        self.limit = 1.0
        self._pause(DOWN_PAUSES, now)

    def note_refusal(self, error: BuddyError) -> None:
        """Note that it refuses whatever it is asked."""
        self.error = error
        self.is_out = True

    @property
    def is_down(self) -> bool:
        """Whether it did not answer last."""
        return self.is_out or self._is_down

    def _pause(self, pauses: Sequence[float], now: float) -> None:
        count = min(self._strikes, len(pauses))
        self.resumes = now + pauses[count - 1]


class Pool:
    """The servers of one job.

    Parameters
    ----------
    lanes
        The servers.
    patience
        Seconds to wait when none of them answers any more.
    clock
        Gives the time in seconds.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lanes = lanes
        self.clock = clock
        self._patience = patience
        self._changed = asyncio.Event()
        self._down_since: float | None = None

    @property
    def slots(self) -> int:
        """How many requests the servers take now at a time."""
        return sum(int(lane.limit) for lane in self.lanes if not lane.is_down)

    def release(self, lane: Lane) -> None:
        """Note that a request to a server has ended."""
        lane.busy -= 1
        self._changed.set()

    async def lane(self) -> Lane:
        """Wait for a server that takes another request, and return the one that is least
        full; `release` must be called when the request has ended.

        Raises
        ------
        codebuddy_jupyter.errors.BuddyError
            If no server is left.
        """
        while True:
            now = self.clock()
            free = [lane for lane in self.lanes if lane.is_free(now)]
            self._check(now)
            if free:
                lane = min(free, key=lambda lane: lane.load)
                lane.busy += 1
                return lane
            self._changed.clear()
            await self._wait(now)

    def _check(self, now: float) -> None:
        """Raise the error of a server if none answers any more."""
        if not all(lane.is_down for lane in self.lanes):
            self._down_since = None
            return
        if self._down_since is None:
            self._down_since = now
        failed = self.lanes[-1]
        waiting = [lane for lane in self.lanes if not lane.is_out]
        # Servers that never answered will hardly begin to.
        had_answers = any(lane.answered for lane in waiting)
        is_over = now - self._down_since >= self._patience
        is_busy = any(lane.busy for lane in self.lanes)
        if waiting:
            if is_busy or (had_answers and not is_over):
                return
            failed = waiting[-1]
        assert failed.error is not None
        raise failed.error

    async def _wait(self, now: float) -> None:
        """Wait until something changes, or a server may be asked again."""
        moments = [
            lane.resumes
            for lane in self.lanes
            if lane.resumes > now and not lane.is_out
        ]
        seconds = None
        if moments:
            seconds = min(moments) - now
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
