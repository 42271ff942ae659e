"""``buddy.map``: one question about many rows, and the answers in the kind of the input."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from ...buddy import Buddy
from ...errors import (
    BuddyError,
    MapStopped,
    PromptError,
    SettingError,
    Stopped,
    Unreachable,
)
from ...messages import Usage
from ...question.kept_answers import not_asked
from ...question.options import Options
from ..form import Form, form_of
from .estimate import Estimate, estimate
from .inputs import source_of
from .job import Job, Outcome
from .keeper import Keeper
from .leases import Leases, unlimited
from .pool import FIRST_LIMIT, Pool
from .progress import Progress
from .question import SYSTEM, RowQuestion, digest_of
from .replay import RowAnswers
from .results import Results
from .running import NumberedRow, Run
from .sources import Answers, texts_of
from .targets import Target, find_targets, name_of, pairs
from .template import template_of

GO_ON = (
    "Their answers are kept: run it again to go on, or with ask=False for these alone."
)
# Rows after which the settings are looked at again.
REFRESH_ROWS = 50
NOT_KEPT = "The answers are not kept on disk, since Buddy.keep_chats is off."


@dataclass(frozen=True)
class MapOptions:
    """What a map sets for itself; see `codebuddy_jupyter.map`."""

    into: Any = None
    model: str | Sequence[str] = ""
    provider: str | Sequence[str] = ""
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    max_failures: float = 0.5
    ask: bool = True
    progress: bool = True
    replay: str = ""

    def __post_init__(self) -> None:
        # It refuses what no question can set.
        self.of_question("", "")
        if not 0 <= self.max_failures <= 1:
            raise SettingError(
                f"max_failures is a share from 0 to 1, not {self.max_failures:g}."
            )

    def of_question(self, model: str, provider: str) -> Options:
        """Return what a question to one of the models would set for itself."""
        return Options(
            model=model,
            provider=provider,
            system=self.system,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            extra=self.extra,
            replay=self.replay,
        )


class Map:
    """One question about the rows of an input.

    Parameters
    ----------
    buddy
        Whose settings, providers and secrets are used.
    items
        The input.
    prompt
        The question, with a field for each column that it is about.
    options
        What it sets for itself.
    leases
        What a request to a server must hold.

    Raises
    ------
    BuddyError
        If the input, the question or the type cannot be used, or no model is found.
    """

    def __init__(
        self,
        buddy: Buddy,
        items: Any,
        prompt: str,
        options: MapOptions,
        leases: Leases = unlimited,
    ) -> None:
        self._buddy = buddy
        self._leases = leases
        self._options = options
        self._source = source_of(items)
        self._form: Form | None = None
        self._answers = Answers()
        if options.into is not None:
            self._form = form_of(options.into)
            self._answers = Answers(self._form.fields)
        self._question = self._question_of(prompt)
        self._lines: list[str] = []
        self._progress: Progress | None = None
        # Whether the servers are known.
        self._asks = False
        self._replay = self._make_replay()
        if self._replay is None:
            # What is wrong with them is told at once. With answers in the notebook's
            # file, there may be nothing to ask.
            _ = self._targets
        self._failed: dict[int, NumberedRow] = {}
        self._usage = Usage()

    def _question_of(self, prompt: str) -> RowQuestion:
        source = self._source
        options = self._options
        collector = self._buddy.collector
        # It learns which secrets to redact.
        collector.collect("", frozenset(), (), share_values=False)
        system = options.system
        if system is None:
            system = SYSTEM
        return RowQuestion(
            template=template_of(prompt, source.columns, may_append=source.may_append),
            form=self._form,
            system=system,
            temperature=options.temperature,
            max_tokens=options.max_tokens,
            extra=options.extra,
            redact=collector.redaction(enabled=self._buddy.redact_secrets),
        )

    def _make_replay(self) -> RowAnswers | None:
        """Return the answers in the notebook's file; None if they are not wanted."""
        kept_answers = self._buddy.kept_answers
        options = self._options
        mode = kept_answers.mode(options.replay)
        if mode == "off":
            return None
        models = _listed(options.model)
        providers = _listed(options.provider)
        requests = []
        for model, provider in pairs(models, providers):
            chosen = options.of_question(model, provider)
            requests.append(kept_answers.request(chosen))
        question = self._question.digest("").hex()
        return RowAnswers(
            kept_answers,
            self._buddy.loop,
            self._question,
            digest_of([requests, question]).hex(),
            may_ask=mode != "only",
            tell=self.tell,
        )

    @cached_property
    def _targets(self) -> list[Target]:
        """The servers to ask, which are looked for when they are needed."""
        if self._replay is not None and not self._replay.may_ask:
            raise not_asked()
        models = _listed(self._options.model)
        providers = _listed(self._options.provider)
        finding = find_targets(self._buddy.resolve, models, providers)
        return self._buddy.loop.run(finding)

    @cached_property
    def _keeper(self) -> Keeper:
        results = None
        if self._buddy.keeps_chats():
            results = Results(default_path(), self.tell)
        digest = self._question.digest(name_of(self._targets))
        return Keeper(results, digest, self.tell, self._replay)

    # What the user calls

    def gather(self) -> Any:
        """Ask about all rows, and return the values in the kind of the input.

        Raises
        ------
        MapStopped
            If no server can be asked any more, or too many rows fail.
        Stopped
            If the user interrupts. Both have what came as ``result``.
        Exception
            What reading the input raised.
        """
        return self._gather(self._rows())

    def retry(self) -> Any:
        """Ask again about the rows that failed, and return all values anew."""
        rows = [self._failed[number] for number in sorted(self._failed)]
        return self._gather(iter(rows))

    def stream(self) -> Iterator[tuple[Any, Any]]:
        """Yield the key and the value of each row, as they come; a row that failed has
        its error in place of the value.

        Errors are those of `gather`.
        """
        for outcome in self._outcomes(self._rows()):
            # An endless stream must not grow.
            self._failed.clear()
            yield outcome.key, outcome.value

    def forget(self) -> None:
        """Delete the answers from the disk."""
        if self._replay is not None:
            self._replay.forget()
            if not self._replay.may_ask:
                # The job of the other file is known by its model, which a server tells.
                return
        self._keeper.forget()

    def estimate(self) -> Estimate:
        """Return what the map would cost; no model is asked."""
        return estimate(
            self._question,
            self._source,
            self._keeper,
            tokens=self._buddy.tokens[self._targets[0].model],
            where=self._where(self._targets),
            at_once=self._buddy.loop.run(self._slots()),
        )

    async def _slots(self) -> int:
        """Return how many requests the servers take at a time, as far as they tell."""
        slots = 0
        for target in self._targets:
            own_slots = None
            with suppress(BuddyError):
                own_slots = await target.provider.slots(target.model)
            slots += own_slots or FIRST_LIMIT
        return slots

    def _rows(self) -> Iterator[NumberedRow]:
        """Yield the rows of the input."""
        fields = self._question.template.fields
        for number, row in enumerate(self._source.rows(fields)):
            yield number, *row

    def _gather(self, rows: Iterator[NumberedRow]) -> Any:
        try:
            for outcome in self._outcomes(rows):
                self._answers.put(outcome.number, outcome.key, outcome.value)
        except (MapStopped, Stopped) as stopped:
            stopped.result = self._output()
            raise
        return self._output()

    def _output(self) -> Any:
        output = self._source.output(self._answers)
        keys = self._answers.keys
        errors = {}
        for number, error in sorted(self._answers.errors.items()):
            errors[keys[number]] = error
        attached = {
            "errors": errors,
            "usage": self._usage,
            "retry": self.retry,
            "forget": self.forget,
        }
        for name, value in attached.items():
            # Tables of pyarrow and relations of DuckDB take no attributes.
            with suppress(AttributeError, TypeError):
                object.__setattr__(output, name, value)
        return output

    # One run

    def _outcomes(self, rows: Iterator[NumberedRow]) -> Iterator[Outcome]:
        """Yield what becomes of each row."""
        count = 0
        try:
            with closing(self._given_or_asked(rows)) as outcomes:
                for outcome in outcomes:
                    count += 1
                    self._usage = _sum(self._usage, outcome.usage)
                    if not outcome.failed:
                        self._failed.pop(outcome.number, None)
                    yield outcome
        except KeyboardInterrupt:
            raise Stopped(self._stopped_line(count)) from None
        except BuddyError as error:
            raise self._stopped(error, count) from error

    def _given_or_asked(
        self, rows: Iterator[NumberedRow]
    ) -> Generator[Outcome, None, None]:
        """Yield what becomes of each row, at first of those whose answers are in the
        notebook's file.
        """
        replay = self._replay
        if replay is None:
            yield from self._asked(rows)
            return
        replay.begin()
        try:
            first, given = yield from self._given(rows, replay)
            if first is not None:
                replay.who = self._targets[0].name, name_of(self._targets)
                yield from self._asked(chain([first], rows), given)
        finally:
            replay.write(at_least=1)
            replay.tell_given()

    def _given(
        self, rows: Iterator[NumberedRow], replay: RowAnswers
    ) -> Generator[Outcome, None, tuple[NumberedRow | None, int]]:
        """Yield the outcomes of rows that need no server; return the first that does,
        and the number of those before it.
        """
        given = 0
        for row in rows:
            outcome = self._try_given(row, replay)
            if outcome is None:
                return row, given
            given += 1
            yield outcome
        return None, given

    def _try_given(self, row: NumberedRow, replay: RowAnswers) -> Outcome | None:
        """Return what becomes of a row; None where a server is to be asked."""
        number, key, values = row
        try:
            texts = texts_of(values, self._question.template.fields)
        except PromptError as error:
            return Outcome(number, key, error)
        if texts is None:
            return Outcome(number, key, None)
        kept = replay.find(digest_of(texts))
        if kept is not None:
            return Outcome(number, key, self._question.read(kept.text))
        if not replay.may_ask:
            raise replay.missing(number)
        return None

    def _asked(
        self, rows: Iterator[NumberedRow], given: int = 0
    ) -> Generator[Outcome, None, None]:
        """Yield what becomes of rows that a server may have to be asked about.

        Parameters
        ----------
        rows
            The rows.
        given
            The number of rows before them that needed no server.
        """
        run = self._run(rows)
        self._progress = Progress(
            self._source.total,
            is_shown=self._options.progress,
            given=given,
        )
        self._asks = True
        try:
            self._tell_before()
            self._keeper.begin()
            with closing(run.outcomes()) as outcomes:
                for outcome in outcomes:
                    self._take_failed(run)
                    self._progress.note(outcome)
                    if self._replay is not None:
                        self._replay.write()
                    yield outcome
        finally:
            self._take_failed(run)
            self._progress.close()
            self._progress = None

    def _take_failed(self, run: Run) -> None:
        self._failed.update(run.failed)
        run.failed.clear()

    def _run(self, rows: Iterator[NumberedRow]) -> Run:
        lanes = [target.lane() for target in self._targets]
        job = Job(
            self._question,
            Pool(lanes),
            self._keeper,
            self._options.max_failures,
            self._leases,
        )
        return Run(
            self._question,
            self._refreshing(rows),
            job,
            self._keeper,
            self._buddy.loop,
            work=lambda: self._ask(job),
            asks=self._options.ask,
        )

    def _refreshing(self, rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
        """Yield the rows; now and then the providers get the present settings, such as
        that nothing may leave this machine any more.
        """
        for count, row in enumerate(rows):
            if count % REFRESH_ROWS == REFRESH_ROWS - 1:
                for name in {target.name for target in self._targets}:
                    self._buddy.ready(name).servers()
            yield row

    async def _ask(self, job: Job) -> None:
        """Ask about the rows; nothing is read ahead meanwhile."""
        quiet = self._buddy.quiet
        with quiet.asking():
            await quiet.stopped()
            await job.run()

    def _tell_before(self) -> None:
        """Tell what the user must know before anything is sent."""
        for line in self._buddy.notes_of_doubt():
            self.tell(line)
        if not self._buddy.keeps_chats():
            self.tell(NOT_KEPT)
        elsewhere = []
        for target in self._targets:
            if not target.provider.stays_here():
                elsewhere.append(target)
        if elsewhere and self._options.ask:
            rows = "All rows"
            if self._source.total is not None:
                rows = f"Up to {self._source.total:,} rows"
            self.tell(f"{rows} will be sent to {self._where(elsewhere)}.")

    def _where(self, targets: Sequence[Target]) -> str:
        places = [target.provider.where() for target in targets]
        return ", ".join(dict.fromkeys(places))

    def tell(self, line: str) -> None:
        """Show a line for the user, once."""
        if line not in self._lines:
            self._lines.append(line)
            progress = self._progress or Progress(None, is_shown=False)
            progress.tell(line)

    def _stopped(self, error: BuddyError, count: int) -> MapStopped:
        """Return the error of a map that was stopped by another one."""
        if self._asks and isinstance(error, Unreachable):
            provider = self._targets[0].provider
            error = self._buddy.loop.run(provider.instead(error))
        what = f"{self._stopped_line(count)} {error.what}"
        return MapStopped(what, *error.remedies)

    def _stopped_line(self, count: int) -> str:
        rows = f"{count:,} rows"
        if self._source.total is not None:
            rows = f"{count:,} of {self._source.total:,} rows"
        line = f"buddy.map stopped after {rows}."
        if self._asks and self._keeper.is_keeping:
            line += f" {GO_ON}"
        return line


def default_path() -> Path:
    """Return the file of the answers, beside that of the conversations."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir(), "codebuddy", "maps.sqlite3")


def _listed(names: str | Sequence[str]) -> Sequence[str]:
    if isinstance(names, str):
        return [names]
    return list(names) or [""]


def _sum(one: Usage, other: Usage) -> Usage:
    """Return what both cost."""
    return Usage(
        _added(one.prompt_tokens, other.prompt_tokens),
        _added(one.completion_tokens, other.completion_tokens),
        _added(one.read_tokens, other.read_tokens),
    )


def _added(one: int | None, other: int | None) -> int | None:
    if one is None:
        return other
    return one + (other or 0)
