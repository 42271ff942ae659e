"""Asks about the rows of a map: each of them once, at the server that is least full.

It runs on the background loop; another thread feeds it with rows, and takes what comes.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ... import errors
from ...errors import BuddyError
from ...messages import Usage
from ...question.question import MOST_BYTES_PER_TOKEN
from ...question.target import LARGEST_WINDOW
from ..asking import Answered
from ..form import NotValid
from .keeper import Keeper
from .leases import Leases, unlimited
from .pool import Lane, Pool
from .question import RowQuestion
from .results import Kept

# How often a row is asked about if the connection breaks, if the server fails, and if
# it is busy.
MOST_BREAKS = 3
MOST_FAILURES = 2
MOST_REFUSALS = 30
# Statuses of a server, or of a gateway, that cannot answer at this moment.
BUSY = (429, 502, 503, 504, 529)
# Statuses of a server that refuses this user, or has nothing at this address.
REFUSED = (401, 402, 403, 404, 405)
# Answers that are remembered, so that equal rows get them.
MOST_REMEMBERED = 20_000
# Rows after which their failures can stop a job.
FEWEST_ROWS = 20


@dataclass(frozen=True)
class AskedRow:
    """A row that is to be asked about.

    Parameters
    ----------
    number, key
        Its place in the input, and its key there.
    digest
        The digest of its fields.
    prompt
        The question about it.
    tries
        How often it was asked about in vain.
    """

    number: int
    key: Any
    digest: bytes
    prompt: str
    tries: int = 0


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    Parameters
    ----------
    number, key
        Its place in the input, and its key there.
    value
        The value of its answer, or the error in place of it.
    usage
        What the answer cost, if it was asked for now.
    """

    number: int
    key: Any
    value: Any
    usage: Usage = field(default_factory=Usage)

    @property
    def failed(self) -> bool:
        """Whether there is an error in place of a value."""
        return isinstance(self.value, Exception)


class Job:
    """Asks one question about many rows.

    Parameters
    ----------
    question
        The question.
    pool
        The servers.
    keeper
        Keeps the answers on disk.
    max_failures
        The share of the rows that may fail.
    leases
        What a request to a server must hold.

    Attributes
    ----------
    outcomes
        What became of the rows, in the order in which that was known.
    ended
        Set when `run` has ended, and all its requests.
    """

    def __init__(
        self,
        question: RowQuestion,
        pool: Pool,
        keeper: Keeper,
        max_failures: float,
        leases: Leases = unlimited,
    ) -> None:
        self.outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._question = question
        self._pool = pool
        self._keeper = keeper
        self._max_failures = max_failures
        self._leases = leases
        self.ended = threading.Event()
        self._rows: deque[AskedRow] = deque()
        # Those that are asked about again.
        self._again: deque[AskedRow] = deque()
        self._has_ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        # The rows that wait for an answer, by their digests: the first is asked about.
        self._asked: dict[bytes, list[AskedRow]] = {}
        self._known: OrderedDict[bytes, str | BuddyError] = OrderedDict()
        self._failure: Exception | None = None
        self._answers = 0
        self._failures = 0

    @property
    def has_begun(self) -> bool:
        """Whether `run` has begun."""
        return self._loop is not None

    @property
    def slots(self) -> int:
        """How many requests the servers take now at a time."""
        return self._pool.slots

    @property
    def most_characters(self) -> int | None:
        """The characters that a row can have at most, as far as that is known."""
        windows = [lane.window for lane in self._pool.lanes]
        known = [window for window in windows if window is not None]
        if not known:
            return None
        return max(known) * MOST_BYTES_PER_TOKEN

    # Called from the thread that feeds it

    def feed(self, rows: Iterable[AskedRow]) -> None:
        """Ask about these rows, too."""
        self._rows.extend(rows)
        self._notify()

    def end(self) -> None:
        """End when all rows are asked about: there are no others."""
        self._has_ended = True
        self._notify()

    def _notify(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    # On the background loop

    async def run(self) -> None:
        """Ask about the rows until there are no others.

        Raises
        ------
        BuddyError
            If no server can be asked, or too many rows fail.
        """
        self._loop = asyncio.get_running_loop()
        try:
            while (row := await self._next_row()) is not None:
                await self._begin(row)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            try:
                await self._keeper.flush()
            finally:
                self.ended.set()

    async def _next_row(self) -> AskedRow | None:
        """Wait for a row to ask about; None if there are no others."""
        while True:
            self._wake.clear()
            if self._failure is not None:
                raise self._failure
            if self._again:
                return self._again.popleft()
            while self._rows:
                row = self._rows.popleft()
                if not self._is_known(row):
                    return row
            if self._has_ended and not self._tasks and not self._rows:
                return None
            await self._wake.wait()

    def _is_known(self, row: AskedRow) -> bool:
        """Settle a row that equals one before it, or let it wait for that one."""
        waiting = self._asked.get(row.digest)
        if waiting is not None:
            waiting.append(row)
            return True
        known = self._known.get(row.digest)
        if known is None:
            return False
        self._put(row, known)
        return True

    async def _begin(self, row: AskedRow) -> None:
        """Ask about a row, once a server takes another request."""
        self._asked.setdefault(row.digest, [row])
        lane = await self._pool.lane()
        task = asyncio.create_task(self._ask(row, lane))
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    async def _ask(self, row: AskedRow, lane: Lane) -> None:
        clock = self._pool.clock
        began = clock()
        try:
            await lane.prepare()
            _check_length(row, lane)
            async with self._leases(lane):
                began = clock()
                answered = await self._question.ask(lane, row.prompt)
            now = clock()
            lane.note_answer(began, now)
            # Then a row of which no answer is on disk is one that has a request now.
            await self._keep(row, answered, now - began)
            self._settle(row, answered)
        except BuddyError as error:
            self._note_error(row, lane, error, began)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._failure = error
        finally:
            self._pool.release(lane)

    async def _keep(self, row: AskedRow, answered: Answered, seconds: float) -> None:
        kept = Kept(row.digest, answered.text, answered.usage, seconds, row.prompt)
        await self._keeper.keep(kept)

    def _note_error(
        self, row: AskedRow, lane: Lane, error: BuddyError, began: float
    ) -> None:
        """Decide whether an error is the row's or the server's; of the server's, another
        server can be asked.
        """
        now = self._pool.clock()
        if isinstance(error, errors.Unreachable):
            lane.note_down(error, now)
            self._again.append(row)
            self._tell_left_out(error)
        elif _refuses_all(error):
            lane.note_refusal(error)
            self._again.append(row)
            self._tell_left_out(error)
        elif _is_busy(error):
            lane.note_busy(error, began, now)
            self._try_again(row, error, MOST_REFUSALS)
        elif isinstance(error, errors.CutOff | errors.NoReply):
            self._try_again(row, error, MOST_BREAKS)
        elif isinstance(error, errors.ServerError) and _is_servers(error):
            lane.note_answer(began, now)
            self._try_again(row, error, MOST_FAILURES)
        else:
            lane.note_answer(began, now)
            self._settle(row, error)

    def _tell_left_out(self, error: BuddyError) -> None:
        """Tell the user that a server is left out, as long as there are others."""
        if any(not other.is_down for other in self._pool.lanes):
            self._keeper.tell(f"{error.what} Its rows go to the other servers.")

    def _try_again(self, row: AskedRow, error: BuddyError, most: int) -> None:
        again = replace(row, tries=row.tries + 1)
        if again.tries >= most:
            self._settle(row, error)
        else:
            self._again.append(again)

    def _settle(self, row: AskedRow, result: Answered | BuddyError) -> None:
        """Give a row, and those that equal it, their value or their error."""
        first, *others = self._asked.pop(row.digest)
        if isinstance(result, Answered):
            known: str | BuddyError = result.text
            value = result.value
            usage = result.usage
        else:
            known = value = result
            usage = Usage()
        self._remember(row.digest, known)
        outcome = Outcome(first.number, first.key, value, usage)
        self.outcomes.put(outcome)
        for other in others:
            self._put(other, known)
        self._count(result)

    def _put(self, row: AskedRow, known: str | BuddyError) -> None:
        """Give a row what is known of an equal one."""
        value: Any = known
        if isinstance(known, str):
            try:
                # Each row gets a value of its own, which can be changed.
                value = self._question.read(known)
            except NotValid as error:
                value = errors.NoReply(str(error))
        outcome = Outcome(row.number, row.key, value)
        self.outcomes.put(outcome)

    def _remember(self, digest: bytes, known: str | BuddyError) -> None:
        self._known[digest] = known
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)

    def _count(self, result: Answered | BuddyError) -> None:
        """Count the failures, and stop the job if they are too many."""
        self._answers += 1
        self._failures += not isinstance(result, Answered)
        if self._answers < FEWEST_ROWS:
            return
        if self._failures <= self._max_failures * self._answers:
            return
        assert isinstance(result, BuddyError)
        what = (
            f"{self._failures} of the first {self._answers} rows failed, the last: "
            f"{result.what}"
        )
        if self._failure is None:
            self._failure = errors.TooManyFailures(what, *result.remedies)


def _check_length(row: AskedRow, lane: Lane) -> None:
    """Refuse a row that no tokenizer could make fit."""
    characters = len(row.prompt)
    window = lane.window or LARGEST_WINDOW
    if characters > window * MOST_BYTES_PER_TOKEN:
        raise too_long(characters, lane.window)


def too_long(characters: int, window: int | None) -> errors.PromptTooLong:
    """Return the error for a row that is too long for the model."""
    limit = ""
    if window:
        limit = f", and the context window is {window:,} tokens"
    return errors.PromptTooLong(
        f"The row is too long for the model: {characters:,} characters{limit}.",
        errors.Remedy("Shorten it"),
        window=window,
    )


def _refuses_all(error: BuddyError) -> bool:
    """Return whether a server gives this error to any question."""
    if isinstance(error, errors.ServerError):
        return error.status in REFUSED
    kinds = (
        errors.ExtraMissing,
        errors.KeyRefused,
        errors.ModelNotFound,
        errors.Offline,
        errors.SettingError,
    )
    return isinstance(error, kinds)


def _is_busy(error: BuddyError) -> bool:
    return isinstance(error, errors.ServerError) and error.status in BUSY


def _is_servers(error: errors.ServerError) -> bool:
    return error.status is None or error.status >= 500
