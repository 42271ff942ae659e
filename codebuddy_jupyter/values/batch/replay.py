"""The answers of a map that are kept beside the notebook, and given again without a
request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime

from ...background.loop import Loop
from ...chat.answer_file import Answers, Asked, KeptAnswer, day_of
from ...chat.history import MAX_QUESTION
from ...errors import NotKept, NotReplayed
from ...messages import Usage
from ...question.kept_answers import REPLAY_ON, KeptAnswers
from ..form import NotValid
from .question import RowQuestion, digest_of
from .results import Kept

# Answers of one map that are kept beside a notebook, which people read.
MOST_ROWS = 100_000
# Answers that are written at a time.
AT_ONCE = 500


class RowAnswers:
    """The answers about the rows of one map in the notebook's file.

    Parameters
    ----------
    kept_answers
        The answers of the notebook.
    loop
        The background loop.
    question
        The question about each row.
    job
        The digest of all that decides about the answers.
    may_ask
        Whether rows without an answer are asked about.
    tell
        Called with a line for the user.
    """

    def __init__(
        self,
        kept_answers: KeptAnswers,
        loop: Loop,
        question: RowQuestion,
        job: str,
        *,
        may_ask: bool,
        tell: Callable[[str], None],
    ) -> None:
        self.may_ask = may_ask
        self._kept_answers = kept_answers
        self._loop = loop
        self._question = question
        self._job = job
        self._tell = tell
        self._answers = Answers()
        self._can_write = False
        self._room = MOST_ROWS
        # Answers that are to be written.
        self._new: deque[Kept] = deque()
        # How many rows got an answer of the file, from when and whom.
        self._given = 0
        self._days: dict[str, None] = {}
        self._models: dict[str, None] = {}
        self.who = "", ""
        """The provider and the model of answers that come now."""

    def begin(self) -> None:
        """Read the file.

        Raises
        ------
        NotKept
            If it cannot be read, and nothing is to be asked.
        """
        try:
            self._answers = self._loop.run(self._kept_answers.answers())
        except NotKept as error:
            if not self.may_ask:
                raise
            self._tell(str(error))
            return
        self._can_write = True
        rows = [kept for kept in self._answers.in_order if kept.map == self._job]
        self._room = MOST_ROWS - len(rows)

    def find(self, row: bytes) -> Kept | None:
        """Return the answer about a row, if there is one."""
        kept = self._answers.find(self._asked(row))
        if kept is None:
            return None
        try:
            self._question.read(kept.answer)
        except NotValid:
            # Somebody has edited its line: it is asked for again.
            return None
        self._given += 1
        self._days[day_of(kept.when)] = None
        self._models[kept.model] = None
        self._kept_answers.note_given(kept)
        return Kept(row, kept.answer, kept.usage)

    def _asked(self, row: bytes) -> Asked:
        digest = digest_of([self._job, row.hex()])
        return Asked(digest.hex(), 1, "", 1)

    def missing(self, number: int) -> NotReplayed:
        """Return the error for a row without an answer, where nothing is to be asked."""
        file = self._kept_answers.path().name
        what = f"No answer about row {number + 1:,} is kept in {file}"
        return NotReplayed(f"{what}, and replay is “only”.", REPLAY_ON)

    def has(self, kept: Kept) -> bool:
        """Return whether an answer is in the file."""
        found = self._answers.find(self._asked(kept.row))
        return found is not None and found.answer == kept.text

    def note(self, kept: Kept) -> None:
        """Have an answer written, soon; may be called from any thread."""
        self._new.append(kept)

    def write(self, *, at_least: int = AT_ONCE) -> None:
        """Write the answers that were noted, if they are so many."""
        if len(self._new) < at_least:
            return
        answers = [self._new.popleft() for _ in range(len(self._new))]
        if not self._can_write:
            return
        added = [self._line(kept) for kept in answers]
        if len(added) > self._room:
            added = added[: self._room]
            name = self._kept_answers.path().name
            self._tell(
                f"Only {MOST_ROWS:,} answers of a map are kept in {name} for replay."
            )
        self._room -= len(added)
        try:
            self._loop.run(self._kept_answers.keep_rows(added))
        except NotKept as error:
            self._can_write = False
            self._tell(str(error))

    def _line(self, kept: Kept) -> KeptAnswer:
        redact = self._question.redact
        provider, model = self.who
        now = datetime.now().astimezone()
        return KeptAnswer(
            when=now.replace(microsecond=0),
            provider=provider,
            model=model,
            question=kept.prompt[:MAX_QUESTION],
            answer=redact(kept.text).text,
            asked=self._asked(kept.row),
            usage=Usage(kept.usage.prompt_tokens, kept.usage.completion_tokens),
            map=self._job,
        )

    def tell_given(self) -> None:
        """Tell how many rows got an answer of the file, from when and whom."""
        if not self._given:
            return
        days = [*self._days]
        when = days[0]
        if len(days) > 1:
            when = f"{days[0]} to {days[-1]}"
        rows = "1 row is"
        if self._given > 1:
            rows = f"{self._given:,} rows are"
        self._tell(f"{rows} replayed, from {when}, {', '.join(self._models)}")
        self._given = 0

    def forget(self) -> None:
        """Delete the answers of this map from the file."""
        self._loop.run(self._kept_answers.forget_map(self._job))
