"""The way of a question: from the prompt, the options and the notebook to a request, and
from the server's answer to the chunks of a reply.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from itertools import chain, repeat
from typing import Any, cast

from ..background.loop import Loop
from ..chat.answer_file import KeptAnswer
from ..chat.conversation import Chat, Turn
from ..chat.history import History, question_to_keep
from ..chat.looks import looks_in, messages_of
from ..chat.repetition import until_repeated
from ..chat.reply import Reply
from ..context.collector import Collector
from ..context.fit import Redact
from ..context.mentions import find_mentions, unescaped
from ..errors import (
    BuddyError,
    InvalidAnswer,
    PromptError,
    PromptTooLong,
    Remedy,
    Unreachable,
)
from ..messages import Chunk, Message, Request
from ..providers.base import Provider
from ..tools.proposals import Proposals
from ..tools.proposed_runs import ProposedRuns
from ..values.asking import Answered, SchemaModes, answering, place_of
from ..values.form import Form, NotValid, form_of
from . import prompts
from .ahead import ReadAhead
from .budget import Budget
from .correction import (
    HEADING,
    Correction,
    corrected,
    find,
    find_proposed,
    is_checked,
    try_correction,
)
from .draft import Draft, Drafter, as_sent, conversation
from .exchange import ANSWER_ROOM, Exchange, with_larger_window
from .kept_answers import KeptAnswers, Lookup, steps_of
from .looks import Looks
from .options import Options, sections_of
from .question import Question
from .quiet import WhileQuiet
from .reading import PromptWatch, Readers
from .settings import QuestionSettings
from .speeds import ReadingSpeeds, default_speeds_path
from .target import Target, Targets
from .tokens import TokensByModel
from .waiting import watched

# How often a prompt is sent, shortened each time that the server rejects it as too long.
ATTEMPTS = 12

ASKED_AGAIN = "asking again, since the answer was not valid"
NOTHING = Chunk()

Preview = tuple[Draft, Provider, str]
"""What would be sent, the provider, and the model."""


class Pipeline:
    """Turns questions into requests, and streams the answers.

    Its coroutines run on the background loop.

    Parameters
    ----------
    settings
        The settings; they are read for each question.
    targets
        Finds who answers.
    collector
        Collects the contents of the notebook, and redacts secrets.
    history
        The notebook's conversations.
    tokens
        The estimates of tokens, by the name of the model.
    loop
        The background loop.

    Attributes
    ----------
    proposed, proposed_runs
        The code that answers propose, and what it did when it ran.
    ahead
        Reads the next prompt ahead.
    quiet
        Decides when; it must be told of each cell that begins or ends.
    kept_answers
        The answers that are kept for replay.
    """

    def __init__(
        self,
        settings: QuestionSettings,
        targets: Targets,
        collector: Collector,
        history: History,
        tokens: TokensByModel,
        loop: Loop,
    ) -> None:
        self._settings = settings
        self._targets = targets
        self._collector = collector
        self._history = history
        self._tokens = tokens
        self._schema_modes = SchemaModes()
        self.proposed = Proposals()
        self.proposed_runs = ProposedRuns(self.proposed)
        self._looks = Looks(settings, collector, self._schema_modes, self.proposed)
        self._readers = Readers(ReadingSpeeds(default_speeds_path()), tokens)
        self.kept_answers = KeptAnswers(settings, targets, collector)
        self.ahead = ReadAhead(self._next_exchange, self._readers)
        self.quiet = WhileQuiet(loop, self.ahead.read)
        for effect in ("prompt", "target"):
            decisive = settings.traits(affects=effect)
            settings.observe(self._on_change, list(decisive))

    def _on_change(self, change: object) -> None:
        self.quiet.note_change()

    def question(
        self,
        prompt: str,
        options: Options,
        names: Mapping[str, Any] | None,
        *,
        may_be_empty: bool = False,
    ) -> Question:
        """Fill in the prompt, and collect the context, in the caller's thread.

        Raises
        ------
        PromptError
            If the prompt is empty, or names something that does not exist.
        SettingError
            If the answer is to have a type without a schema, or no section of the
            context has such a name.
        """
        form = None if options.into is None else form_of(options.into)
        if not (prompt.strip() or may_be_empty):
            raise PromptError(
                "There is nothing to ask.",
                Remedy("Type a question", "%buddy why is df empty after the merge?"),
            )
        mentions = []
        if names is not None:
            mentions = find_mentions(prompt)
            prompt = prompts.interpolate(unescaped(prompt), names)
        sections = sections_of(options.context or self._settings.context)
        snapshot = self._collector.collect(
            prompt,
            sections,
            mentions,
            share_values=self._settings.share_values,
        )
        troubles = (*self._settings.notes_of_doubt(), *snapshot.troubles)
        snapshot = replace(snapshot, troubles=troubles)
        text = prompts.with_format(prompt, options.format)
        if form is not None:
            text = f"{prompt.rstrip()}\n\n{form.instruction(with_schema=False)}"
        place = None
        # What is only previewed may be empty, and has no place.
        if options.in_cell and not may_be_empty:
            place = self.kept_answers.places.next(self._collector.session)
        return Question(prompt, text, options, snapshot, form, place)

    async def chunks(self, question: Question, reply: Reply) -> AsyncIterator[Chunk]:
        """Answer as before, or else ask, and yield the chunks of the reply; nothing is
        read ahead meanwhile.

        Raises
        ------
        BuddyError
            If the request fails, or nothing is to be asked.
        """
        with self.quiet.asking():
            chat, turn = await self._begin(question, reply)
            options, snapshot = question.options, question.snapshot
            form = question.form
            schema = None if form is None else form.schema
            lookup = self.kept_answers.lookup(
                question.text, options, snapshot, chat, turn, schema
            )
            answer = self._asked(question, chat, turn)
            if lookup is not None:
                answer = self._looked_up(lookup, answer, turn, form)
            async with aclosing(cast(Any, answer)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _looked_up(
        self,
        lookup: Lookup,
        asked: AsyncIterator[Chunk],
        turn: Turn,
        form: Form | None,
    ) -> AsyncIterator[Chunk]:
        """Yield the chunks of a kept answer, or of one that is asked for and kept."""
        try:
            kept = await self.kept_answers.find(lookup)
            if kept is not None and form is not None:
                turn.reply.settle(self._value_in(kept, form))
            answer = asked if kept is None else self._replayed(kept, turn)
            async with aclosing(cast(Any, answer)) as chunks:
                async for chunk in chunks:
                    yield chunk
            if kept is None:
                await self.kept_answers.keep(lookup, turn)
            for note in lookup.notes:
                yield Chunk(note=note)
        finally:
            self.kept_answers.end(lookup)

    def _value_in(self, kept: KeptAnswer, form: Form) -> Any:
        """Return the value that a kept answer is; its line may have been edited."""
        try:
            return form.read(kept.answer)
        except NotValid as error:
            file = self.kept_answers.path().name
            raise InvalidAnswer(
                f"The answer kept in {file} is not a valid {form.name}: {error}.",
                Remedy("Delete it to have it asked anew", "%buddy /replay forget last"),
                text=kept.answer,
            ) from error

    async def _replayed(self, kept: KeptAnswer, turn: Turn) -> AsyncIterator[Chunk]:
        """Yield the chunks of an answer that was kept; no server is asked."""
        reply = turn.reply
        reply.provider, reply.model = kept.provider, kept.model
        reply.replayed = kept.when
        turn.steps = steps_of(kept)
        turn.looks = messages_of(kept.looks)
        for looked in looks_in(turn.looks):
            yield Chunk(looked=(looked,))
        yield Chunk(text=kept.answer, reasoning=kept.reasoning)
        for finding in kept.findings:
            yield Chunk(finding=finding)
        yield Chunk(usage=kept.usage, finish=kept.finish)

    async def _asked(
        self, question: Question, chat: Chat, turn: Turn
    ) -> AsyncIterator[Chunk]:
        """Ask, and let what comes next be read ahead once the answer is there."""
        await self.quiet.stopped()
        self.ahead.note_question()
        answer = self._try_answer(question, chat, turn)
        async with aclosing(cast(Any, answer)) as chunks:
            async for chunk in chunks:
                yield chunk
        options = question.options
        # What a question of its own did not tell of is not told by itself.
        if options.remember and options.context != "none":
            self.quiet.begin()

    async def _try_answer(
        self, question: Question, chat: Chat, turn: Turn
    ) -> AsyncIterator[Chunk]:
        """Answer; where nothing responds, the error names what does."""
        reply = turn.reply
        try:
            answer = cast(Any, self._answer(question, chat, turn))
            async with (
                watched(reply, self._targets.provider),
                aclosing(answer) as chunks,
            ):
                async for chunk in chunks:
                    yield chunk
        except Unreachable as error:
            name = reply.provider or self._settings.provider
            provider = self._targets.provider(name)
            raise await provider.instead(error) from error.__cause__

    async def _answer(
        self, question: Question, chat: Chat, turn: Turn
    ) -> AsyncIterator[Chunk]:
        reply = turn.reply
        target = await self._targets.find(question.options, reply)
        question.check_length(target)
        exchange = self._exchange(question, target, chat.before(reply))
        draft = await exchange.counted()
        looking = await self._looks.prepare(
            question, exchange, turn, self._stream, self._safe
        )
        for attempt in range(1, ATTEMPTS + 1):
            turn.sent = draft.question
            turn.sent_items = draft.update.sent_items
            turn.before = draft.before
            turn.postponed = draft.postponed
            reply.sent_tokens = draft.tokens
            stream = self._stream(exchange, draft, reply)
            if question.form is not None:
                stream = self._valid(question.form, exchange, draft, reply)
            elif looking is not None:
                stream = looking.chunks(draft)
            try:
                async with aclosing(cast(Any, stream)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                break
            except PromptTooLong as error:
                has_begun = reply.first is not None
                if has_begun or attempt == ATTEMPTS or not draft.can_shrink:
                    # What the question alone needs; the rest was left out already.
                    alone = replace(exchange, earlier=[])
                    enlarge = alone.try_widening(error.window)
                    raise with_larger_window(error, enlarge) from error
                counted = error.tokens
                if looking is not None:
                    # The server counts tools, and what they gave, as well.
                    counted = None
                draft = exchange.smaller(draft, counted, error.window)
        if looking is not None:
            draft = looking.draft or draft
        self.ahead.note_success()
        # The answer does not wait for the disk.
        asyncio.get_running_loop().run_in_executor(None, self._readers.speeds.save)
        async with aclosing(self._checked(question, exchange, draft, turn)) as checked:
            async for chunk in checked:
                yield chunk
        for note in (*self.ahead.take_notes(), *exchange.notes(draft)):
            yield Chunk(note=note)
        if question.options.remember:
            for note in self._history.notes():
                yield Chunk(note=note)

    async def _begin(self, question: Question, reply: Reply) -> tuple[Chat, Turn]:
        """Begin a turn: of the notebook's conversation, or of one that is not kept."""
        turn = Turn(question.text, reply, place=question.place)
        if not question.options.remember:
            return Chat([turn]), turn
        history = self._history
        if not history.is_read:
            # Reading it from disk must not hold up the other answers.
            await asyncio.to_thread(lambda: history.current)
        if question.options.new:
            chat = history.new()
        else:
            chat = history.current
        chat.turns.append(turn)
        kept_question = question_to_keep(reply.prompt, self._collector.redact)
        history.keep(chat, turn, kept_question)
        return chat, turn

    async def _valid(
        self, form: Form, exchange: Exchange, draft: Draft, reply: Reply
    ) -> AsyncIterator[Chunk]:
        """Ask until an answer is valid, and yield its JSON; of the attempts before it,
        only what the server reports.
        """

        doings = chain([f"{exchange.target.model} answers"], repeat(ASKED_AGAIN))

        def ask(request: Request) -> AsyncIterator[Chunk]:
            reply.activity = next(doings)
            # What comes before the question is the same in each attempt.
            before = len(draft.messages) - 1
            messages = (
                *draft.messages[:before],
                *self._safe(request.messages[before:]),
            )
            size = exchange.tokens.total(messages)
            attempt = replace(draft, messages=messages, tokens=size)
            return self._stream(exchange, attempt, reply, schema=request.schema)

        target = exchange.target
        parts = answering(
            ask,
            exchange.request(draft),
            form,
            self._schema_modes,
            place_of(target.provider, target.model),
            is_told=True,
        )
        async with aclosing(cast(Any, parts)) as coming:
            async for part in coming:
                if isinstance(part, Answered):
                    reply.settle(part.value)
                    yield Chunk(text=part.text)
                    continue
                if part.text:
                    reply.last = time.monotonic()
                    reply.first = reply.first or reply.last
                rest = replace(part, text="", answer_begins=False)
                if rest != NOTHING:
                    yield rest

    def _safe(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Return messages without secrets and control tokens."""
        return as_sent(messages, self._redact)

    async def _stream(
        self,
        exchange: Exchange,
        draft: Draft,
        reply: Reply,
        **fields: Any,
    ) -> AsyncIterator[Chunk]:
        """Send a draft, yield the chunks, and learn from what the server reports.

        The request has the fields of the exchange, and other ones.
        """
        request = replace(exchange.request(draft), **fields)
        watched = self._watched(exchange.target, request, reply)
        stream = until_repeated(watched, is_typed=reply.is_typed)
        async with aclosing(cast(Any, stream)) as chunks:
            async for chunk in chunks:
                yield chunk
                # The server counts tools as well.
                if chunk.usage is None or request.tools:
                    continue
                note = exchange.learn(draft, chunk.usage)
                if note:
                    yield Chunk(note=note)

    async def _watched(
        self, target: Target, request: Request, reply: Reply
    ) -> AsyncIterator[Chunk]:
        """Send a request, yield the chunks, and follow how the model reads the prompt."""
        watch = None
        has_text_before = bool(reply.text)
        reader = self._readers.of(target)
        if reader is not None:
            watch = PromptWatch(reader, request.messages)
            reply.expected_reading = watch.expected()
        try:
            stream = target.provider.stream(request)
            async with aclosing(cast(Any, stream)) as chunks:
                async for chunk in chunks:
                    if watch is not None:
                        watch.feed(chunk)
                    if chunk.reading is not None:
                        reply.reading = chunk.reading
                    else:
                        yield chunk
        finally:
            if watch is not None:
                watch.end([] if has_text_before else _sent_again(reply))

    async def _checked(
        self, question: Question, exchange: Exchange, draft: Draft, turn: Turn
    ) -> AsyncGenerator[Chunk]:
        """Yield what the check of the answer's code finds, then a correction of it."""
        mode = self._settings.check
        snapshot = question.snapshot
        is_text = question.form is None
        if mode == "off" or not (is_text and is_checked(question.options, snapshot)):
            return
        reply = turn.reply
        found = await find(reply.text, self._collector, snapshot)
        for finding in found:
            yield Chunk(finding=finding.text)
        for line in await find_proposed(reply, self._collector, snapshot):
            yield Chunk(finding=line)
        if mode != "repair" or not question.options.remember:
            return
        correction = try_correction(
            found, reply, draft, snapshot, exchange.tokens, self._redact
        )
        if correction is None:
            return
        stream = self._corrected(exchange, correction, turn)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                yield chunk
        rest = reply.text.removeprefix(correction.steps[0].text)
        for finding in await find(rest, self._collector, snapshot):
            yield Chunk(finding=f"in the corrected code: {finding.text}")

    async def _corrected(
        self, exchange: Exchange, correction: Correction, turn: Turn
    ) -> AsyncGenerator[Chunk]:
        """Ask for corrected code; the first answer stays, whatever happens."""
        stream = self._stream(exchange, correction.draft, turn.reply)
        try:
            async with aclosing(cast(Any, stream)) as chunks:
                async for chunk in chunks:
                    if chunk.text and not turn.steps:
                        turn.steps = correction.steps
                        yield HEADING
                    yield corrected(chunk)
        except BuddyError as error:
            yield Chunk(note=f"the code could not be corrected: {error}")

    async def preview(self, question: Question) -> Preview:
        """Return what would be sent, and to whom; the server may be asked for that."""
        target = await self._targets.find_or_assume(question.options)
        question.check_length(target)
        earlier = self._earlier(question.options)
        exchange = self._exchange(question, target, earlier)
        draft = await exchange.counted()
        return draft, target.provider, target.model

    async def measure(self, question: Question) -> Preview:
        """Return what `preview` returns; only the first call asks a server."""
        target = await self._targets.remembered()
        earlier = self._earlier(question.options)
        exchange = self._exchange(question, target, earlier)
        return exchange.draft(), target.provider, target.model

    async def _next_exchange(self) -> Exchange | None:
        """Return the exchange of the next question, without what it asks; None while
        its model cannot read ahead, or the user does not want that.
        """
        settings = self._settings
        is_wanted = settings.read_ahead == "auto" and settings.replay != "only"
        if not is_wanted or settings.notes_of_doubt():
            return None
        options = Options()
        _, provider, model = await self._targets.resolve(options)
        if not provider.keeps_prompts():
            return None
        model = await provider.choose(model)
        if not await provider.can_read_ahead(model):
            return None
        target = await self._targets.find(options)
        question = await asyncio.to_thread(
            self.question, "", options, None, may_be_empty=True
        )
        return self._exchange(question, target, self._earlier(options))

    def needed(self) -> int:
        """Estimate the tokens of the next question: the conversation, and an answer."""
        chat = self._history.current
        model = ""
        if chat.turns:
            model = chat.turns[-1].reply.model
        tokens = self._tokens[model]
        earlier = conversation(chat.before(None), self._redact)
        system = Message("system", self._settings.system_prompt)
        return tokens.total([system, *earlier]) + ANSWER_ROOM

    def _earlier(self, options: Options) -> list[Turn]:
        if options.new or not options.remember:
            return []
        return self._history.current.before(None)

    def _exchange(
        self, question: Question, target: Target, earlier: list[Turn]
    ) -> Exchange:
        system = question.options.system
        if system is None:
            system = self._settings.system_prompt
        drafter = Drafter(
            question.text,
            system,
            question.snapshot,
            self._tokens[target.model],
            self._redact,
        )
        return Exchange(
            target,
            drafter,
            question.options,
            self._settings.context_tokens,
            earlier,
            self._budget(target),
        )

    def _budget(self, target: Target) -> Budget | None:
        reader = self._readers.of(target)
        if reader is None:
            return None
        return Budget(reader, self._settings.reading_seconds)

    @property
    def _redact(self) -> Redact:
        return self._collector.redaction(enabled=self._settings.redact_secrets)


def _sent_again(reply: Reply) -> list[Message]:
    """Return the answer as the next question sends it again; none if its reasoning,
    which is not sent, comes before.
    """
    if reply.reasoning or not reply.text:
        return []
    return [Message("assistant", reply.text)]
