"""Keeps the answers of a job on disk, as they come, and finds those of earlier runs.

Those that come while others are written are written together, next.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ...errors import NotKept
from .replay import RowAnswers
from .results import Averages, Kept, Results

# Seconds until what could not be written is tried again.
RETRY_SECONDS = 3.0
# Answers that wait at most; of more the oldest are lost.
MOST_WAITING = 100_000


class Keeper:
    """Keeps the answers of one job; its coroutines run on the background loop.

    Parameters
    ----------
    results
        The file; None: nothing is kept.
    job
        The digest of the job.
    tell
        Called with a line for the user, from any thread.
    replay
        The answers in the notebook's file, which come first; None: it has none.
    """

    def __init__(
        self,
        results: Results | None,
        job: bytes,
        tell: Callable[[str], None],
        replay: RowAnswers | None = None,
    ) -> None:
        self._results = results
        self._replay = replay
        self._job = job
        self.tell = tell
        self._lock = threading.Lock()
        self._waiting: deque[Kept] = deque(maxlen=MOST_WAITING)
        # The writing that goes on, and the one after it, which takes what waits then.
        self._present: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._failed_at: float | None = None
        self.trouble: NotKept | None = None
        """Why answers cannot be written; None where nothing failed last."""

    @property
    def is_keeping(self) -> bool:
        """Whether answers are on disk, as far as is known."""
        return self._results is not None and self.trouble is None

    def find(self, rows: Sequence[bytes]) -> Mapping[bytes, Kept]:
        """Return the answers on disk about these rows; may be called from any thread."""
        found: dict[bytes, Kept] = {}
        if self._replay is not None:
            for row in rows:
                kept = self._replay.find(row)
                if kept is not None:
                    found[row] = kept
        missing = [row for row in rows if row not in found]
        return {**self._in_results(missing), **found}

    def _in_results(self, rows: Sequence[bytes]) -> Mapping[bytes, Kept]:
        if self._results is None or not rows:
            return {}
        try:
            # Of many writers in a row, each could come before a reader.
            with self._lock:
                return self._results.find(self._job, rows)
        except NotKept as error:
            self.tell(f"{error} The rows are asked about again.")
            return {}

    def averages(self) -> Averages:
        """Return the averages of the answers on disk."""
        if self._results is None:
            return Averages()
        with suppress(NotKept):
            return self._results.averages(self._job)
        return Averages()

    def begin(self) -> None:
        """Note that the job is used."""
        if self._results is not None:
            try:
                self._results.open(self._job)
            except NotKept as error:
                self._note_trouble(error)

    def has_other_answer(self, row: bytes) -> bool:
        """Return whether the job has no answer yet, and another one has one about this
        row.
        """
        results = self._results
        if results is None:
            return False
        with suppress(NotKept):
            if results.is_new(self._job):
                return results.has_other(self._job, row)
        return False

    def forget(self) -> None:
        """Delete the answers on disk.

        Raises
        ------
        NotKept
            If the file cannot be written.
        """
        if self._results is not None:
            self._results.forget(self._job)

    def note_used(self, kept: Kept, prompt: Callable[[], str]) -> None:
        """Note that an answer on disk is used: the notebook's file gets it, too.

        Parameters
        ----------
        kept
            The answer.
        prompt
            Gives the question about its row.
        """
        if self._replay is None or self._replay.has(kept):
            return
        with_prompt = replace(kept, prompt=prompt())
        self._replay.note(with_prompt)

    async def keep(self, kept: Kept) -> None:
        """Keep an answer, and return when it is on disk, or cannot be written now."""
        if self._replay is not None:
            self._replay.note(kept)
        if self._results is None:
            return
        self._waiting.append(kept)
        failed_at = self._failed_at
        if failed_at is None or time.monotonic() - failed_at >= RETRY_SECONDS:
            await self.flush()

    async def flush(self) -> None:
        """Write what waits."""
        if self._results is None or not self._waiting:
            return
        if self._next is None:
            writing = self._write_after(self._present)
            self._next = asyncio.create_task(writing)
        # The others wait for it as well, if one of them is cancelled.
        await asyncio.shield(self._next)

    async def _write_after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._present = self._next
        self._next = None
        answers = list(self._waiting)
        self._waiting.clear()
        await asyncio.to_thread(self._write, answers)

    def _write(self, answers: list[Kept]) -> None:
        assert self._results is not None
        try:
            with self._lock:
                self._results.add(self._job, answers)
        except NotKept as error:
            self._waiting.extendleft(reversed(answers))
            self._note_trouble(error)
        else:
            if self.trouble is not None:
                self.tell("The answers are kept on disk again.")
            self._failed_at = None
            self.trouble = None

    def _note_trouble(self, error: NotKept) -> None:
        self._failed_at = time.monotonic()
        if self.trouble is None:
            self.tell(f"{error} The answers stay in memory.")
        self.trouble = error
