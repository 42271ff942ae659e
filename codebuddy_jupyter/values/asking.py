"""Asks a model for a value: by JSON schema and in words, again if an answer is not valid.

What held is remembered for each server and model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from ..chat.repetition import until_repeated
from ..context.inert import without_control_tokens
from ..errors import InvalidAnswer, Remedy, ServerError
from ..messages import REPETITION, Chunk, Message, Request, Usage
from ..providers.base import Provider
from .bounds import bounded
from .form import Form, NotValid

Mode = Literal["schema", "words"]
"""How a form is asked for: by a JSON schema that the server enforces, or in words."""

# Characters of an answer that was not valid which the model reads again.
LONGEST_QUOTE = 2_000
# The statuses with which servers refuse a schema that they cannot read.
REFUSALS = (None, 400, 413, 422, 500, 501)
CUT = "it was cut at its length limit"
REPEATED = "it repeated itself without end"

Ask = Callable[[Request], AsyncIterator[Chunk]]
Place = tuple[str, str]


@dataclass(frozen=True)
class Answered:
    """An answer that is valid.

    Parameters
    ----------
    value
        The value.
    text
        Its JSON.
    usage
        What all attempts cost.
    attempts
        How often it was asked for.
    """

    value: Any
    text: str
    usage: Usage
    attempts: int = 1


class SchemaModes:
    """What held, by server and model."""

    def __init__(self) -> None:
        self._modes: dict[Place, Mode] = {}

    def of(self, place: Place) -> Mode:
        """Return how to ask first."""
        return self._modes.get(place, "schema")

    def note(self, place: Place, mode: Mode) -> None:
        """Note that an answer was valid that was asked for in this way."""
        self._modes[place] = mode


def place_of(provider: Provider, model: str) -> Place:
    """Return the server and the model, for which `SchemaModes` remembers what held."""
    return provider.where(), model


async def answer(
    provider: Provider,
    request: Request,
    form: Form,
    modes: SchemaModes,
    *,
    is_told: bool = False,
) -> Answered:
    """Return the valid answer to a request.

    Parameters
    ----------
    provider
        Who is asked.
    request
        The request, without a schema. Its last message is the question.
    form
        The form of the answer.
    modes
        What held before.
    is_told
        Whether the question says already what `Form.instruction` says. Otherwise that
        is put before it: of many questions, what they have in common comes first.

    Raises
    ------
    InvalidAnswer
        If no attempt gives a valid answer.
    codebuddy_jupyter.errors.ProviderError
        If a request fails.
    """
    place = place_of(provider, request.model)

    def ask(attempt: Request) -> AsyncIterator[Chunk]:
        return until_repeated(provider.stream(attempt), is_typed=True)

    parts = answering(ask, request, form, modes, place, is_told=is_told)
    async with aclosing(cast(Any, parts)) as answered:
        async for part in answered:
            if isinstance(part, Answered):
                return part
    raise AssertionError("an answer is valid or an error")


async def answering(
    ask: Ask,
    request: Request,
    form: Form,
    modes: SchemaModes,
    place: Place,
    *,
    is_told: bool,
) -> AsyncIterator[Chunk | Answered]:
    """Yield the chunks of all attempts, then the valid answer.

    The usage in the chunks is that of all attempts so far. Parameters and errors are
    those of `answer`; ``ask`` sends a request, ``place`` is what `place_of` returns.
    """
    plan = _plan(modes.of(place))
    attempt = _Attempt(form)
    spent = Usage()
    count = 0
    while plan:
        mode = plan.pop(0)
        count += 1
        attempt = _Attempt(form, mode, attempt)
        sent = attempt.request(request, is_told=is_told)
        chunks = ask(sent)
        try:
            async with aclosing(cast(Any, chunks)) as coming:
                async for chunk in coming:
                    attempt.feed(chunk)
                    if chunk.usage is not None:
                        total = _total(spent, chunk.usage)
                        chunk = replace(chunk, usage=total)
                    yield chunk
        except ServerError as error:
            if not attempt.may_refuse_schema(error):
                raise
            plan = ["words", "words"]
            attempt = _Attempt(form)
            continue
        spent = _total(spent, attempt.usage)
        # The classes of the user may take their time to validate.
        if await asyncio.to_thread(attempt.is_valid):
            modes.note(place, mode)
            yield Answered(attempt.value, attempt.json, spent, count)
            return
    raise _invalid(form, request.model, attempt)


def _plan(first: Mode) -> list[Mode]:
    """Return how to ask: twice in the way that held, then once in the other."""
    if first == "words":
        return ["words", "words", "schema"]
    return ["schema", "schema", "words"]


class _Attempt:
    """One request for a value, and its answer.

    Parameters
    ----------
    form
        The form of the answer.
    mode
        How it is asked for.
    last
        The attempt before it, whose answer was not valid.
    """

    def __init__(
        self, form: Form, mode: Mode = "schema", last: _Attempt | None = None
    ) -> None:
        self.value: Any = None
        self.json = ""
        self.usage = Usage()
        self.reason = ""
        self._form = form
        self._mode = mode
        self._last = last
        self._pieces: list[str] = []
        self._finish = ""
        # Whether this answer, or one before, went on without end.
        self._ran_on: bool = last is not None and last._ran_on
        self._asked = ""

    @property
    def text(self) -> str:
        """The text of the answer so far."""
        return "".join(self._pieces)

    def request(self, request: Request, *, is_told: bool) -> Request:
        """Return the request as it is sent."""
        by_schema = self._mode == "schema"
        messages = request.messages
        if not (is_told and by_schema):
            instruction = self._form.instruction(with_schema=not by_schema)
            messages = _with_instruction(messages, instruction, at_end=is_told)
        self._asked = messages[-1].text
        last = self._last
        is_limited = by_schema and self._ran_on
        # What went on without end would lead the model to do so again.
        if last is not None and last.is_like(self) and not is_limited:
            messages = (*messages, *last.told_again())
        schema = None
        if is_limited:
            schema = bounded(self._form.schema, request.max_tokens)
        elif by_schema:
            schema = self._form.schema
        return replace(request, messages=messages, schema=schema)

    def is_like(self, other: _Attempt) -> bool:
        """Return whether an invalid answer was asked for in the same way."""
        return bool(self.reason) and self._mode == other._mode

    def told_again(self) -> Sequence[Message]:
        """Return the answer and what is wrong with it, for the model."""
        quoted = without_control_tokens(self.text[:LONGEST_QUOTE])
        wrong = without_control_tokens(self.reason)
        again = self._form.instruction(with_schema=False)
        return (
            Message("assistant", quoted.strip() or "{}"),
            Message("user", f"This is not valid: {wrong}.\n{again}"),
        )

    def feed(self, chunk: Chunk) -> None:
        """Take a chunk of the answer."""
        if chunk.answer_begins:
            self._pieces.clear()
        if chunk.text:
            self._pieces.append(chunk.text)
        self.usage = chunk.usage or self.usage
        self._finish = chunk.finish or self._finish

    def is_valid(self) -> bool:
        """Read the complete answer, and return whether it is valid."""
        try:
            self.value, self.json = self._form.read_with_json(self.text)
        except NotValid as error:
            endings = {"length": CUT, REPETITION: REPEATED}
            self.reason = endings.get(self._finish, str(error))
            is_repeated = self._finish == REPETITION
            is_cut = self._finish == "length"
            # One that was cut and is much shorter than its question may be right so far.
            is_long = len(self.text) * 2 > len(self._asked)
            if is_repeated or (is_cut and is_long):
                self._ran_on = True
            return False
        return True

    def may_refuse_schema(self, error: ServerError) -> bool:
        """Return whether an error may mean that the server does not take the schema."""
        is_refusal = error.status in REFUSALS
        return self._mode == "schema" and is_refusal and not self._pieces


def _with_instruction(
    messages: Sequence[Message], instruction: str, *, at_end: bool
) -> tuple[Message, ...]:
    """Return the messages with the instruction in the question."""
    *before, question = messages
    parts = [instruction, question.text]
    if at_end:
        parts.reverse()
    text = "\n\n".join(parts)
    return (*before, replace(question, text=text))


def _total(one: Usage, other: Usage) -> Usage:
    """Return what both cost; what is not known of both is what is known of one."""
    return Usage(
        _sum(one.prompt_tokens, other.prompt_tokens),
        _sum(one.completion_tokens, other.completion_tokens),
        _sum(one.read_tokens, other.read_tokens),
        _sum(one.read_seconds, other.read_seconds),
    )


def _sum(one: Any, other: Any) -> Any:
    if one is None:
        return other
    if other is None:
        return one
    return one + other


def _invalid(form: Form, model: str, attempt: _Attempt) -> InvalidAnswer:
    return InvalidAnswer(
        f"The answer of {model} is not a valid {form.name}: {attempt.reason}.",
        Remedy("Say more exactly what is asked for, or choose another model"),
        Remedy("List the models", "%buddy /models"),
        text=attempt.text,
    )
