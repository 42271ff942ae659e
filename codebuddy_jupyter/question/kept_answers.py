"""The answers of a notebook's cells that are kept beside it, and given again for the same
questions.

Nothing here asks a server, and no answer waits long for the disk or is lost by it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..background.worker import Worker, settle
from ..chat.answer_file import SUFFIX, AnswerFile, Answers, Asked, KeptAnswer
from ..chat.conversation import CORRECTED, Chat, Place, Turn
from ..chat.history import question_to_keep
from ..chat.looks import KeptLook, kept_looks
from ..context.collector import Collector
from ..context.fit import Redact
from ..context.items import Snapshot
from ..errors import NotKept, NotReplayed, Remedy
from ..messages import Message
from .asked import Occurrences, Places, digests
from .options import Options
from .settings import QuestionSettings
from .target import Targets

T = TypeVar("T")

# Seconds to wait for the disk.
PATIENCE = 10.0


@dataclass
class Lookup:
    """A question that may have been answered before.

    Parameters
    ----------
    asked
        What it is asked of.
    may_ask
        Whether the model is asked where no answer is kept.
    by_prompt
        Whether the notebook and the conversation do not count.
    place
        Where it is asked.
    notes
        Lines for the user about what could not be read or kept.
    has_answer
        Whether its answer is in the file by now.
    """

    asked: Asked
    may_ask: bool
    by_prompt: bool
    place: Place
    notes: list[str] = field(default_factory=list)
    has_answer: bool = False

    def choose(self, answers: Answers) -> KeptAnswer | None:
        """Return the answer to the question, if one is kept."""
        if self.by_prompt:
            return answers.find_by_prompt(self.asked)
        return answers.find(self.asked)


class KeptAnswers:
    """The kept answers of one kernel's notebook.

    Its coroutines run on the background loop.

    Parameters
    ----------
    settings
        The settings; they are read for each question.
    targets
        Tells who would answer.
    collector
        Knows the notebook, and redacts secrets.

    Attributes
    ----------
    places
        Tells where a question is asked.
    replayed, added
        How many questions of this kernel were answered from the file, and how many
        answers were added to it.
    """

    def __init__(
        self, settings: QuestionSettings, targets: Targets, collector: Collector
    ) -> None:
        self._settings = settings
        self._targets = targets
        self._collector = collector
        self._occurrences = Occurrences()
        self._worker = Worker("buddy-answers")
        self._file: AnswerFile | None = None
        self._latest: KeptAnswer | None = None
        self._told_unreadable = 0
        self.places = Places()
        self.replayed = 0
        self.added = 0

    def lookup(
        self,
        text: str,
        options: Options,
        snapshot: Snapshot,
        chat: Chat,
        turn: Turn,
        schema: Mapping[str, Any] | None = None,
    ) -> Lookup | None:
        """Return how to look a question up; None where its answer is not kept.

        Parameters
        ----------
        text
            The question as the model reads it.
        options
            What it sets for itself.
        snapshot
            What could be sent of the notebook.
        chat, turn
            Its conversation, and its turn.
        schema
            The JSON schema of its answer; None: it is text.

        Raises
        ------
        NotReplayed
            For a question that no cell asks, while nothing is to be asked.
        """
        mode = self.mode(options.replay)
        if turn.place is None and mode == "only":
            raise not_asked()
        if turn.place is None or mode == "off":
            return None
        request = {**self.request(options), "schema": schema}
        earlier = chat.before_in_cells(turn)
        found = digests(text, request, snapshot, earlier, self._redact)
        asked = self._occurrences.asked(found, turn.place)
        by_prompt = options.replay == "prompt"
        return Lookup(
            asked,
            may_ask=mode != "only",
            by_prompt=by_prompt,
            place=turn.place,
        )

    def mode(self, wish: str) -> str:
        """Return ``"on"``, ``"off"`` or ``"only"``.

        Parameters
        ----------
        wish
            What a question sets for itself; only the setting ``"only"`` is stronger.
        """
        wishes = {self._settings.replay, wish}
        if "only" in wishes:
            return "only"
        if wish == "off" or wishes <= {"", "off"}:
            return "off"
        return "on"

    def request(self, options: Options) -> dict[str, object]:
        """Return who answers by options and settings, and how; no server is asked."""
        name, provider, model = self._targets.named(options)
        system = options.system
        if system is None:
            system = self._settings.system_prompt
        temperature = options.temperature
        if temperature is None:
            temperature = provider.temperature
        request: dict[str, object] = {
            "provider": name,
            "model": model,
            "system": self._redact(system).text,
            "temperature": temperature,
            "max_tokens": options.max_tokens or provider.max_tokens,
            "extra": sorted(options.extra.items()),
            "format": options.format,
        }
        # Answers that were kept before there were looks are still found.
        if options.look or self._settings.looks != "off":
            request["looks"] = True
        if options.propose or self._settings.proposals != "off":
            request["proposals"] = True
        return request

    async def find(self, lookup: Lookup) -> KeptAnswer | None:
        """Return the answer that is kept for a question; None: the model is to be asked.

        Raises
        ------
        NotReplayed, NotKept
            If there is none, or the file cannot be read, and nothing is to be asked.
        """
        try:
            answers = await self._on_disk(AnswerFile.answers)
        except NotKept as error:
            if not lookup.may_ask:
                raise
            lookup.notes.append(str(error))
            return None
        lookup.notes += self._unreadable(answers)
        kept = lookup.choose(answers)
        if kept is not None:
            lookup.has_answer = True
            self.note_given(kept)
        elif not lookup.may_ask:
            raise self._missing(answers.find_by_prompt(lookup.asked))
        return kept

    def _unreadable(self, answers: Answers) -> list[str]:
        """Return a line about lines of the file that are ignored, when their number has
        changed.
        """
        count = answers.unreadable
        is_news = count != self._told_unreadable
        self._told_unreadable = count
        if not (count and is_news):
            return []
        lines = "1 line is"
        if count > 1:
            lines = f"{count:,} lines are"
        file = self.path().name
        return [f"{lines} ignored in {file}: no answer can be read there"]

    def _missing(self, similar: KeptAnswer | None) -> NotReplayed:
        file = self.path().name
        if similar is None:
            return NotReplayed(
                f"No answer to this question is kept in {file}, and replay is “only”.",
                Remedy("Ask the model, and keep its answer", "%buddy /replay on"),
            )
        return NotReplayed(
            f"The answer in {file} was asked with another context, and replay is “only”.",
            Remedy("Use it all the same", "%%buddy --replay=prompt"),
            REPLAY_ON,
        )

    async def keep(self, lookup: Lookup, turn: Turn) -> None:
        """Keep the answer of a turn that has ended well; the notes of its lookup, which
        found nothing, tell if that fails.
        """
        reply = turn.reply
        if reply.tool_calls or not reply.text.strip():
            return
        answer = _kept(lookup.asked, turn, self._redact)
        try:
            await self._on_disk(lambda file: file.add(answer))
        except NotKept as error:
            # That it could not be read either has the same reason.
            lookup.notes[:] = [str(error)]
            return
        lookup.has_answer = True
        self.added += 1
        self._latest = answer

    def end(self, lookup: Lookup) -> None:
        """Note that a question has been answered, or has failed."""
        if not lookup.has_answer:
            self._occurrences.forget(lookup.asked, lookup.place)

    async def answers(self) -> Answers:
        """Return all kept answers.

        Raises
        ------
        NotKept
            If the notebook's file is not known, or the answers cannot be read.
        """
        return await self._on_disk(AnswerFile.answers)

    async def forget(self, *, only_latest: bool) -> int:
        """Delete answers for good, and return how many.

        Parameters
        ----------
        only_latest
            Delete only the one that was replayed or added last in this kernel; if that
            is about a row of a map, all of the map.

        Raises
        ------
        NotKept
            If that fails.
        """
        latest = self._latest

        def is_meant(answer: KeptAnswer) -> bool:
            return not only_latest or _is_same(answer, latest)

        return await self._on_disk(lambda file: file.forget(is_meant))

    # The rows of a map

    def note_given(self, answer: KeptAnswer) -> None:
        """Note that a question, or a row of a map, got this answer."""
        self.replayed += 1
        self._latest = answer

    async def keep_rows(self, answers: Sequence[KeptAnswer]) -> None:
        """Keep the answers about rows of a map.

        Raises
        ------
        NotKept
            If that fails.
        """
        if not answers:
            return
        await self._on_disk(lambda file: file.add(*answers))
        self.added += len(answers)
        self._latest = answers[-1]

    async def forget_map(self, map: str) -> int:
        """Delete the answers of a map, and return how many.

        Raises
        ------
        NotKept
            If that fails.
        """

        def is_of_map(answer: KeptAnswer) -> bool:
            return answer.map == map

        return await self._on_disk(lambda file: file.forget(is_of_map))

    def path(self) -> Path:
        """Return the file of the answers; it need not exist.

        Raises
        ------
        NotKept
            If it is not known.
        """
        session = self._collector.session
        name = self._settings.replay_file
        if name:
            folder = Path()
            if session is not None:
                folder = session.folder() or folder
            return folder / os.path.expanduser(name)
        notebook = None
        if session is not None:
            notebook = session.path()
        if notebook is None:
            raise NotKept(
                "Answers are not kept for replay: the notebook's file is not known.",
                Remedy(
                    "Name a file for them",
                    f'%config Buddy.replay_file = "answers{SUFFIX}"',
                ),
            )
        return notebook.with_name(f"{notebook.stem}{SUFFIX}")

    async def _on_disk(self, call: Callable[[AnswerFile], T]) -> T:
        """Return what the file answers, on another thread: a disk can hang."""
        path = self.path()
        if self._file is None or self._file.path != path:
            self._file = AnswerFile(path)
        file = self._file
        future: Future[T] = Future()
        self._worker.put(partial(settle, future, partial(call, file)))
        answer = asyncio.wrap_future(future)
        try:
            return await asyncio.wait_for(answer, PATIENCE)
        except TimeoutError as error:
            raise NotKept(f"The disk with {path} does not respond.") from error

    @property
    def _redact(self) -> Redact:
        return self._collector.redaction(enabled=self._settings.redact_secrets)


REPLAY_ON = Remedy("Ask what is not kept", "%buddy /replay on")


def not_asked() -> NotReplayed:
    """Return the error for what is asked while nothing is to be asked."""
    return NotReplayed("Nothing is asked, since replay is “only”.", REPLAY_ON)


def steps_of(kept: KeptAnswer) -> tuple[Message, ...]:
    """Return what came between the question and the last part of a kept answer."""
    first, mark, _ = kept.answer.partition(CORRECTED)
    if not (kept.correction and mark):
        return ()
    return Message("assistant", first), Message("user", kept.correction)


def _kept(asked: Asked, turn: Turn, redact: Redact) -> KeptAnswer:
    """Return the answer of a turn without secrets."""
    reply = turn.reply
    asked_again = [step.text for step in turn.steps if step.role == "user"]
    looks = []
    for look in kept_looks(turn.looks):
        texts = [redact(text).text for text in look]
        looks.append(KeptLook(*texts))
    findings = [redact(finding).text for finding in reply.findings]
    now = datetime.now().astimezone()
    return KeptAnswer(
        when=now.replace(microsecond=0),
        provider=reply.provider,
        model=reply.model,
        question=question_to_keep(reply.prompt, redact),
        answer=redact(reply.text).text,
        asked=asked,
        reasoning=redact(reply.reasoning).text,
        finish=reply.finish,
        usage=reply.usage,
        findings=tuple(findings),
        correction=redact("\n".join(asked_again)).text,
        looks=tuple(looks),
    )


def _is_same(answer: KeptAnswer, other: KeptAnswer | None) -> bool:
    """Return whether two answers are of the same question, or of the same map."""
    if other is None:
        return False
    if other.map:
        return answer.map == other.map
    return answer.asked[:2] == other.asked[:2]
