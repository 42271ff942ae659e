"""One run of a map: reads the rows in the caller's thread, has those asked about that
have no answer on disk, and gives what becomes of them.
"""

from __future__ import annotations

import concurrent.futures
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from typing import Any

from ...background.loop import SLICE, Loop
from ...errors import PromptError
from ..form import NotValid
from .job import AskedRow, Job, Outcome, too_long
from .keeper import Keeper
from .question import RowQuestion, digest_of
from .results import Kept
from .sources import texts_of

# Rows that are read and have no outcome yet, at most: so many, or this for each request
# that the servers take at a time.
WINDOW = 512
WINDOW_PER_SLOT = 4
# Seconds for which rows are read before those that were read are asked about.
READING_SECONDS = 0.05
# Seconds that requests get to close their connections when a job is stopped.
STOPPING_SECONDS = 2.0
# Characters of a row; more fits no model, and is not even looked at.
MOST_CHARACTERS = 8_000_000

OTHER_JOB = (
    "These rows have answers to another question. The model, the question or the type "
    "has changed, so they are asked about again."
)

NumberedRow = tuple[int, Any, Sequence[Any]]
"""The number of a row, its key, and the values of its fields."""
TextRow = tuple[int, Any, list[str]]
"""The number of a row, its key, and the texts of its fields."""


class Run:
    """Gives what becomes of the rows of an input, each once.

    Parameters
    ----------
    question
        The question about each row.
    rows
        The rows.
    job
        Asks about those that have no answer yet.
    keeper
        Finds the answers on disk.
    loop
        The background loop.
    work
        Runs the job on it.
    asks
        Whether anything is asked; otherwise rows without an answer get None.

    Attributes
    ----------
    failed : dict
        The rows that failed, by their numbers.
    """

    def __init__(
        self,
        question: RowQuestion,
        rows: Iterator[NumberedRow],
        job: Job,
        keeper: Keeper,
        loop: Loop,
        *,
        work: Callable[[], Coroutine[Any, Any, None]],
        asks: bool = True,
    ) -> None:
        self.failed: dict[int, NumberedRow] = {}
        self._question = question
        self._rows = rows
        self._job = job
        self._keeper = keeper
        self._loop = loop
        self._work = work
        self._asks = asks
        # Rows that were read, and those that have no outcome yet.
        self._read = 0
        self._open: dict[int, NumberedRow] = {}
        self._has_looked = False
        self._is_exhausted = False
        self._raised: Exception | None = None
        # Rows that are being asked about, and outcomes that needed no request.
        self._pending = 0
        self._ready: list[Outcome] = []

    def outcomes(self) -> Generator[Outcome, None, None]:
        """Yield what becomes of each row, as soon as it is known.

        When the generator is closed, or an interrupt comes, the requests stop.

        Raises
        ------
        codebuddy_jupyter.errors.BuddyError
            If no server can be asked, or too many rows fail.
        Exception
            What reading the input raised; first come the outcomes of the rows before.
        """
        future: concurrent.futures.Future[None] = concurrent.futures.Future()
        # Not `future.done()`: an interrupt can leave the future's lock taken for good,
        # and the loop would wait for it.
        has_ended = threading.Event()
        future.add_done_callback(lambda _: has_ended.set())
        try:
            self._loop.submit(self._work(), future)
            while not has_ended.is_set():
                self._feed()
                yield from self._noted()
            yield from self._noted()
            future.result()
        finally:
            future.cancel()
            if self._job.has_begun:
                self._job.ended.wait(STOPPING_SECONDS)
        if self._raised is not None:
            raise self._raised

    @property
    def _window(self) -> int:
        return max(WINDOW, WINDOW_PER_SLOT * self._job.slots)

    def _noted(self) -> Iterator[Outcome]:
        """Yield the outcomes that there are, and note which rows failed."""
        for outcome in self._take():
            row = self._open.pop(outcome.number)
            if outcome.failed:
                self.failed[outcome.number] = row
            yield outcome

    def _take(self) -> Iterator[Outcome]:
        """Yield the outcomes that there are; wait a moment for one, if nothing else is
        to be done.
        """
        ready, self._ready = self._ready, []
        yield from ready
        may_read = not self._is_exhausted and self._pending < self._window
        seconds = SLICE
        if ready or may_read:
            seconds = 0.0
        while True:
            try:
                outcome = self._job.outcomes.get(seconds > 0, seconds or None)
            except queue.Empty:
                return
            seconds = 0.0
            self._pending -= 1
            yield outcome

    def _feed(self) -> None:
        """Read rows, and have those asked about that have no answer on disk."""
        if self._is_exhausted or self._pending >= self._window:
            return
        texts = list(self._readable(self._window - self._pending))
        rows = self._without_answer(texts)
        self._pending += len(rows)
        if len(self._question.template.fields) > 1:
            # Those with the same beginning follow each other: a server has it in its
            # cache then.
            rows.sort(key=lambda row: row.prompt)
        self._job.feed(rows)
        if self._is_exhausted:
            self._job.end()

    def _readable(self, most: int) -> Iterator[TextRow]:
        """Yield so many rows at most; the others have an outcome already."""
        end = time.monotonic() + READING_SECONDS
        for _ in range(most):
            try:
                row = next(self._rows, None)
            except Exception as error:  # noqa: BLE001 - the user's own code; raised later
                error.add_note(self._note_of_reading())
                self._raised = error
                row = None
            if row is None:
                self._is_exhausted = True
                return
            self._read += 1
            number, key, values = row
            self._open[number] = row
            try:
                texts = texts_of(values, self._question.template.fields)
            except PromptError as error:
                self._ready.append(Outcome(number, key, error))
                continue
            if texts is None:
                self._ready.append(Outcome(number, key, None))
            else:
                yield number, key, texts
            if time.monotonic() > end:
                return

    def _note_of_reading(self) -> str:
        return (
            f"buddy.map: reading row {self._read:,} of the input raised this; the "
            "answers about the rows before it are kept."
        )

    def _without_answer(self, rows: Sequence[TextRow]) -> list[AskedRow]:
        """Return the rows that are to be asked about; those with an answer on disk have
        an outcome.
        """
        digests = [digest_of(texts) for _, _, texts in rows]
        kept = self._keeper.find(digests)
        most = self._job.most_characters or MOST_CHARACTERS
        asked = []
        for digest, (number, key, texts) in zip(digests, rows, strict=True):
            outcome = self._try_kept(number, key, texts, kept.get(digest))
            characters = sum(map(len, texts))
            if outcome is None and characters > most:
                outcome = Outcome(number, key, too_long(characters, None))
            if outcome is None and not self._asks:
                outcome = Outcome(number, key, None)
            if outcome is not None:
                self._ready.append(outcome)
                continue
            self._note_other_job(digest)
            prompt = self._question.prompt(texts)
            asked.append(AskedRow(number, key, digest, prompt))
        return asked

    def _note_other_job(self, row: bytes) -> None:
        """Tell the user, at the first row, that answers to another question are there."""
        if not self._has_looked:
            self._has_looked = True
            if self._keeper.has_other_answer(row):
                self._keeper.tell(OTHER_JOB)

    def _try_kept(
        self, number: int, key: Any, texts: Sequence[str], kept: Kept | None
    ) -> Outcome | None:
        if kept is None:
            return None
        try:
            outcome = Outcome(number, key, self._question.read(kept.text))
        except NotValid:
            # It is asked for again.
            return None
        self._keeper.note_used(kept, lambda: self._question.prompt(texts))
        return outcome
