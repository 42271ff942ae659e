"""The looks before an answer: the model chooses what is looked up in the kernel, and
reads what was found with its question.

Small models choose by a JSON schema; large ones call tools where their server supports
that, which is remembered for the server and the model.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    Sequence,
)
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Protocol, cast

from ..chat.conversation import Turn
from ..chat.looks import look_messages
from ..context.inert import inert, without_control_tokens
from ..errors import InvalidAnswer, ServerError
from ..messages import Chunk, Looked, Message, Request, ToolCall
from ..tools.calls import Call
from ..tools.candidates import Candidate
from ..tools.choice import choice_form, instruction
from ..tools.look import Look
from ..values.asking import REFUSALS, Answered, SchemaModes, answering, place_of
from .draft import Draft
from .exchange import Exchange
from .target import Target
from .tokens import Tokens
from .tool_stream import ToolStream

# Looks for one question.
MAX_LOOKS = 4
# Tokens in which a look is chosen, and in which code is proposed.
CHOICE_TOKENS = 200
PROPOSAL_TOKENS = 1_500
LOOKED_UP = "Looked up in the kernel for this question:"
CHOOSING = "choosing what to look up"
PROPOSING = "choosing what to look up or to propose"
UNKNOWN = "unknown"
"""What a tool is called that a model invents."""
# Characters of its name that are quoted.
MAX_NAME = 40

CANNOT_CHOOSE = "{} does not choose what to look up, so nothing is looked up."
CANNOT_PROPOSE = "{} does not choose what to propose, so nothing is proposed."

Mode = Literal["tools", "schema", "none"]
"""How a model chooses: by calling tools, by a JSON schema, or not at all."""
Find = Callable[[str], list[Candidate]]
"""Gives the looks that a question can need."""
Send = Callable[[Draft, dict[str, Any]], AsyncIterator[Chunk]]
"""Sends a draft, with other fields of the request, and yields the chunks."""


class Modes(Protocol):
    """Knows how models choose."""

    async def of(self, target: Target) -> Mode:
        """Return how a model chooses."""

    def note(self, target: Target, mode: Mode) -> None:
        """Note what worked."""


class Looking:
    """Looks things up for one question, then lets the model answer.

    Parameters
    ----------
    looks
        What can be looked up.
    find
        Finds what of that the question can need, for a model that chooses by a schema.
    exchange
        The question and who answers it.
    turn
        Its turn, which gets the looks.
    send
        Sends a request.
    safe
        Makes messages safe to send.
    modes, schemas
        What held before.
    problems
        Lines for the user about looks that cannot be used.

    Attributes
    ----------
    draft : Draft or None
        The question with what was found, as it was sent last.
    """

    def __init__(
        self,
        looks: Sequence[Look],
        find: Find,
        exchange: Exchange,
        turn: Turn,
        send: Send,
        safe: Callable[[tuple[Message, ...]], tuple[Message, ...]],
        modes: Modes,
        schemas: SchemaModes,
        problems: Sequence[str] = (),
    ) -> None:
        self.draft: Draft | None = None
        self._looks = {look.name: look for look in looks}
        self._find = find
        self._candidates: list[Candidate] | None = None
        self._exchange = exchange
        self._turn = turn
        self._send = send
        self._safe = safe
        self._modes = modes
        self._schemas = schemas
        self._problems = problems
        self._found: list[Looked] = []
        self._calls: list[Call] = []
        self._chosen: Call | None = None
        # Whether nothing more is looked up, and whether the model has answered.
        self._is_over = False
        self._has_answered = False
        self._activity = CHOOSING
        self._choice_tokens = CHOICE_TOKENS
        self._cannot = CANNOT_CHOOSE
        if any(look.proposes for look in looks):
            self._activity = PROPOSING
            self._choice_tokens = PROPOSAL_TOKENS
            self._cannot = CANNOT_PROPOSE

    async def chunks(self, draft: Draft) -> AsyncGenerator[Chunk]:
        """Yield what is looked up, then the answer.

        It may be called again with a smaller draft: what was found is found.

        Parameters
        ----------
        draft
            The question without looks.
        """
        self._tell(draft, self._found)
        for problem in self._problems:
            yield Chunk(note=problem)
        if not self._is_over:
            mode = await self._modes.of(self._exchange.target)
            self._is_over = mode == "none"
            if mode == "tools":
                looking = self._by_tools(draft)
            else:
                looking = self._by_schema(draft)
            async with aclosing(looking) as chunks:
                async for chunk in chunks:
                    yield chunk
        self._is_over = True
        if not self._has_answered:
            answer = self._send(self._sent, {})
            async with aclosing(cast(Any, answer)) as chunks:
                async for chunk in chunks:
                    yield chunk

    @property
    def _sent(self) -> Draft:
        assert self.draft is not None
        return self.draft

    def _tell(self, draft: Draft, found: Sequence[Looked]) -> None:
        """Make the draft with what was found the one that is sent."""
        self.draft = with_looks(draft, found, self._exchange.tokens)
        self._turn.sent = self.draft.question
        self._turn.reply.sent_tokens = self.draft.tokens

    async def _by_schema(self, draft: Draft) -> AsyncGenerator[Chunk]:
        """Yield the looks that help in any case, then those that the model chooses by a
        JSON schema.
        """
        if self._candidates is None:
            find = partial(self._find, self._turn.question)
            self._candidates = await asyncio.to_thread(find)
        for candidate in without(self._candidates, self._calls):
            if not candidate.is_sure:
                continue
            for call in candidate.calls:
                async with aclosing(self._looked(draft, call)) as chunks:
                    async for chunk in chunks:
                        yield chunk
        while not self._is_over:
            self._chosen = None
            async with aclosing(self._choice()) as chunks:
                async for chunk in chunks:
                    yield chunk
            if self._chosen is None:
                break
            async with aclosing(self._looked(draft, self._chosen)) as chunks:
                async for chunk in chunks:
                    yield chunk
            self._is_over |= self._has_proposed()

    async def _choice(self) -> AsyncGenerator[Chunk]:
        """Ask for a choice, if there is one, and yield what is to be told of that."""
        candidates = without(self._candidates or (), self._calls)
        if not candidates:
            return
        form = choice_form(candidates)
        question = self._turn.question
        text = instruction(candidates, question)
        draft = asking(self._sent, text, question, self._exchange.tokens)
        if draft.tokens > draft.room.prompt:
            return
        target = self._exchange.target
        request = self._exchange.request(draft)
        parts = answering(
            partial(self._send_choice, draft),
            replace(request, max_tokens=self._choice_tokens),
            form,
            self._schemas,
            place_of(target.provider, target.model),
            is_told=True,
        )
        try:
            async with aclosing(cast(Any, parts)) as coming:
                async for part in coming:
                    if isinstance(part, Answered):
                        self._chosen = part.value
                    elif part.note:
                        yield Chunk(note=part.note)
        except InvalidAnswer:
            # Asking for it takes time; a model that cannot do that is asked once.
            self._modes.note(target, "none")
            yield Chunk(note=self._cannot.format(target.model))
        finally:
            self._turn.reply.activity = ""

    def _send_choice(self, draft: Draft, request: Request) -> AsyncIterator[Chunk]:
        """Send a draft that asks for a choice, and what a request adds to it."""
        self._turn.reply.activity = self._activity
        before = len(draft.messages) - 1
        safe = self._safe(request.messages[before:])
        messages = (*draft.messages[:before], *safe)
        size = self._exchange.tokens.total(messages)
        fields = {
            "schema": request.schema,
            "max_tokens": self._choice_tokens,
            "temperature": 0.0,
        }
        return self._send(replace(draft, messages=messages, tokens=size), fields)

    async def _by_tools(self, draft: Draft) -> AsyncGenerator[Chunk]:
        """Yield the looks that the model calls as tools, and its answer."""
        tools = tuple(look.tool for look in self._looks.values())
        target = self._exchange.target
        while not self._is_over:
            messages = (*draft.messages, *self._turn.looks)
            size = self._exchange.tokens.total(messages)
            sent = replace(draft, messages=messages, tokens=size)
            stream = ToolStream(self._looks)
            try:
                answer = self._send(sent, {"tools": tools})
                async with aclosing(cast(Any, answer)) as chunks:
                    async for chunk in chunks:
                        for shown in stream.feed(chunk):
                            yield shown
            except ServerError as error:
                if error.status not in REFUSALS or stream.has_text:
                    raise
                self._modes.note(target, "schema")
                break
            for shown in stream.end():
                yield shown
            if stream.calls and stream.has_text:
                yield Chunk(text="\n\n")
            if not stream.calls:
                self._has_answered = True
                return
            mode: Mode = "schema"
            if stream.are_native:
                mode = "tools"
            self._modes.note(target, mode)
            for call in stream.calls:
                async with aclosing(self._looked(draft, call)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            # What it proposes next depends on what becomes of this.
            self._is_over |= self._has_proposed()
            if not stream.are_native:
                break
        async with aclosing(self._by_schema(draft)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _looked(self, draft: Draft, call: Call) -> AsyncGenerator[Chunk]:
        """Look, and yield what is found, unless it is known or has no room."""
        if self._is_over or call in self._calls:
            self._is_over = True
            return
        look = self._looks.get(call.name)
        name = call.name
        if look is None:
            # Servers refuse names of tools that are not plain.
            name = UNKNOWN
            found = self._unknown(call)
        else:
            found = await asyncio.to_thread(look.look, call.arguments)
        everything = [*self._found, found]
        longer = with_looks(draft, everything, self._exchange.tokens)
        if longer.tokens > draft.room.prompt:
            self._is_over = True
            return
        self._calls.append(call)
        self._found = everything
        arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
        made = ToolCall("", name, without_control_tokens(arguments))
        self._turn.looks += look_messages(len(everything), made, found)
        self._tell(draft, everything)
        self._is_over = len(everything) >= MAX_LOOKS
        yield Chunk(looked=(found,))

    def _has_proposed(self) -> bool:
        return any(found.proposal is not None for found in self._found)

    def _unknown(self, call: Call) -> Looked:
        names = ", ".join(self._looks)
        text = f"There is no {inert(call.name[:MAX_NAME])!r}; there are: {names}."
        return Looked(UNKNOWN, "nothing found", text, is_error=True)


def with_looks(draft: Draft, found: Sequence[Looked], tokens: Tokens) -> Draft:
    """Return a draft whose question tells what was found."""
    if not found:
        return draft
    texts = [looked.text for looked in found]
    text = "\n\n".join([LOOKED_UP, *texts])
    longer = with_text(draft, text, tokens)
    question = replace(draft.question, text=f"{draft.question.text}\n\n{text}")
    return replace(longer, question=question)


def without(candidates: Iterable[Candidate], calls: Iterable[Call]) -> list[Candidate]:
    """Return what is left to choose after these calls."""
    left = list(candidates)
    for call in calls:
        still: list[Candidate] = []
        for candidate in left:
            rest: Candidate | None = candidate
            if candidate.look.name == call.name:
                rest = candidate.without(call.arguments)
            if rest is not None:
                still.append(rest)
        left = still
    return left


def asking(draft: Draft, text: str, question: str, tokens: Tokens) -> Draft:
    """Return a draft that asks a text; if both end in the question, that comes once."""
    last = draft.messages[-1].text
    if not (last.endswith(question) and text.endswith(question)):
        return with_text(draft, text, tokens)
    beginning = last.removesuffix(question)
    return _with_last_text(draft, f"{beginning}{text}", tokens)


def with_text(draft: Draft, text: str, tokens: Tokens) -> Draft:
    """Return a draft to whose last message a text is added; its question stays."""
    last = draft.messages[-1].text
    return _with_last_text(draft, f"{last}\n\n{text}", tokens)


def _with_last_text(draft: Draft, text: str, tokens: Tokens) -> Draft:
    *before, last = draft.messages
    messages = (*before, replace(last, text=text))
    return replace(draft, messages=messages, tokens=tokens.total(messages))
