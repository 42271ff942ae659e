"""The Buddy: it owns settings, providers and the conversation, and answers.

All state of a session lives here.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import traitlets
from traitlets import Bool, Int, List, Unicode, validate
from traitlets.config import Config

from .chat.history import MOST_ASKED, History
from .chat.reply import Chat, Reply, Turn
from .context.collector import Collector
from .context.fit import Measure
from .context.items import Snapshot
from .context.mentions import find_mentions, unescaped
from .errors import (
    BuddyError,
    PromptError,
    PromptTooLong,
    ProviderError,
    SettingError,
    Unreachable,
)
from .loop import Loop
from .messages import Chunk, Message
from .providers.base import Provider
from .providers.registry import Registry
from .question import prompts
from .question.draft import Brief, Draft, conversation
from .question.options import Options, sections_of
from .question.target import LARGEST_WINDOW, ROOM, Asked
from .question.tokens import Tokens
from .settings import Configured, SavedSettings

# at making a prompt shorter that a server finds too long
ATTEMPTS = 12
# no tokenizer does better on a long text, so a longer prompt is surely too long
MOST_BYTES_PER_TOKEN = 8


@dataclass(frozen=True)
class Question:
    """A question: as it stands in the conversation, as it is sent, and what was seen of
    the notebook with it.
    """

    prompt: str
    text: str
    options: Options
    seen: Snapshot


class Buddy(Configured):
    """The owner of everything: ``ask`` is what it is for.

    Parameters
    ----------
    settings_path
        The file of saved settings; by default ``codebuddy.json`` in Jupyter's
        configuration directory.
    display
        What shows a reply in which a cell ends.
    registry
        The providers that there are.
    config, parent
        As for any ``traitlets`` Configurable.
    """

    environment: ClassVar = {"provider": "CODEBUDDY_PROVIDER"}

    provider = Unicode(
        "Local",
        help="Who answers: Local, Embedded, OpenAI, Anthropic, … (in any case).",
    ).tag(config=True, affects="target")
    offline = Bool(
        False, help="Refuse every request that would leave this machine."
    ).tag(config=True, order=1)
    allowed_hosts = List(
        Unicode(),
        help=(
            "Hosts that may be asked even when offline: names, or names with "
            'ports, as ["gpu.lan:8000"].'
        ),
    ).tag(config=True, order=1)
    context = Unicode(
        "auto",
        help=(
            "What of the notebook is told: auto, none, or a list of outline, "
            "cells, outputs, variables, error."
        ),
    ).tag(config=True, affects="prompt")
    context_tokens = Int(
        8192, min=0, help="The most tokens of the notebook that one question carries."
    ).tag(config=True, affects="prompt")
    share_values = Bool(
        False,
        help="Tell the variables' values too, not only their names, types and shapes.",
    ).tag(config=True, affects="prompt")
    redact_secrets = Bool(
        True,
        help=(
            "Blank keys, tokens and passwords in all that is sent. Off: they are "
            "sent as they stand."
        ),
    ).tag(config=True, affects="prompt")
    keep_chats = Bool(
        True,
        help=(
            "Keep a notebook's conversations on this machine's disk, so that they "
            "outlive the kernel."
        ),
    ).tag(config=True)
    system_prompt = Unicode(
        prompts.SYSTEM, help="What the model is told before every question."
    ).tag(config=True, affects="prompt", order=-1)

    def __init__(
        self,
        *,
        settings_path: Path | None = None,
        display: Callable[[Reply], None] | None = None,
        registry: Registry | None = None,
        config: Config | None = None,
        parent: Any = None,
    ) -> None:
        self.loop = Loop()
        self.tokens: defaultdict[str, Tokens] = defaultdict(Tokens)
        self.collector = Collector()
        self.watchers: list[Callable[[], None]] = []
        """Called, on any thread, when the conversation has a new turn, lost one, or is
        another.
        """
        self.history = History(
            self.loop,
            self._notebook,
            lambda: self.keep_chats,
            display,
            self._tell_watchers,
        )
        self.registry = registry or Registry()
        self.display = display
        self._providers: dict[str, Provider] = {}
        self._seen: dict[tuple[str, ...], tuple[str, int | None]] = {}
        self._lock = threading.RLock()
        self.saved = SavedSettings(settings_path or _default_settings_path())
        self._state, trouble = self.saved.load()
        super().__init__(parent=parent, config=config, saved=self._state.get("Buddy"))
        self.problems += [trouble] if trouble else []

    @validate("provider")
    def _provider_is_known(self, proposal: Mapping[str, Any]) -> str:
        try:
            return self.registry.name(proposal["value"])
        except SettingError as error:
            raise traitlets.TraitError(str(error)) from error

    @validate("context")
    def _context_is_known(self, proposal: Mapping[str, Any]) -> str:
        try:
            sections_of(proposal["value"])
        except SettingError as error:
            raise traitlets.TraitError(str(error)) from error
        return str(proposal["value"])

    def provider_named(self, name: str) -> Provider:
        """The provider of this name, one instance each.

        Raises
        ------
        SettingError
            When there is none, or its package cannot be loaded.
        """
        with self._lock:
            name = self.registry.name(name)
            if name not in self._providers:
                self._providers[name] = self.registry.make(name, self, self._state)
            return self._providers[name]

    def providers_named(self, names: Iterable[str]) -> list[Provider]:
        """The providers of these names; one that cannot be loaded costs a line, which
        ``/use`` shows.
        """
        found = []
        for name in names:
            try:
                found.append(self.provider_named(name))
            except BuddyError as error:
                if str(error) not in self.problems:
                    self.problems.append(str(error))
        return found

    def current(self) -> Provider:
        """The provider that the settings name now, ready to be asked."""
        self.read_environment()
        return self.ready(self.provider)

    def ready(self, name: str) -> Provider:
        """The provider of this name as the settings and the environment stand now,
        ready to be asked.
        """
        provider = self.provider_named(name)
        provider.read_environment()
        provider.offline, provider.allowed_hosts = (
            self.offline,
            tuple(self.allowed_hosts),
        )
        return provider

    async def resolve(self, options: Options) -> tuple[str, Provider, str]:
        """Who shall answer: the provider's name, the provider, and the model as far as
        the options name one.

        ``model`` may be bare, ``provider/model`` or ``provider:model``. Local servers
        have models that are called ``openai/gpt-oss-20b`` or ``qwen:7b``, so before
        ``openai/…`` is taken to mean the cloud, the provider in use is asked whether it
        has a model of that whole name: a prompt must not leave the machine by a mix-up.

        Raises
        ------
        SettingError
            When the provider or the model cannot be told.
        """
        self.read_environment()
        name, model = (
            self.registry.name(options.provider or self.provider),
            options.model,
        )
        head, rest = split_model(model)
        there = self.registry.try_name(head) if head and not options.provider else None
        if there and (
            there == name
            or self.ready(there).stays_here()
            or not await self._offers(name, model, there)
        ):
            name, model = there, rest
        return name, self.ready(name), model

    async def _offers(self, name: str, model: str, other: str) -> bool:
        try:
            return any(
                offered.name == model for offered in await self.ready(name).models()
            )
        except ProviderError as error:
            raise SettingError(
                f"{model} may be a model of {name}, which cannot be asked now, "
                f"or one of {other}. If you mean {other}, "
                f"switch first (%buddy /use {other}), or name it in the "
                f"options (-p {other} -m …). ({error})"
            ) from error

    def ask(
        self,
        prompt: str,
        options: Options | None = None,
        names: Mapping[str, Any] | None = None,
    ) -> Reply:
        """A reply to a prompt, within the conversation.

        The request starts when the reply is first looked at.

        The notebook is looked at now, in the caller's thread: what is sent is what the
        user saw when asking.

        Parameters
        ----------
        prompt
            The question. Without ``names`` it is sent as it is.
        options
            What this question sets for itself.
        names
            The variables that ``{name}`` in the prompt stands for. With it, ``@name``
            attaches things, too.

        Raises
        ------
        PromptError
            When the prompt is empty, or names what is not there.
        SettingError
            When an option is not right.
        """
        options = options or Options()
        question = self._question(prompt, options, names)
        return Reply(
            question.prompt,
            lambda reply: self._chunks(question, reply),
            self.loop,
            self.display,
            options.format,
        )

    def preview(
        self,
        prompt: str,
        options: Options | None = None,
        names: Mapping[str, Any] | None = None,
    ) -> tuple[Draft, Provider, str]:
        """What `ask` would send first for this prompt, and what it would leave out;
        nothing is sent.

        The server is asked for its model and its window, where that is not known yet.

        Returns
        -------
        tuple
            What would be sent, and the provider and the model that would be asked.

        Raises
        ------
        BuddyError
            As for `ask`.
        """
        question = self._question(prompt, options or Options(), names, empty=True)
        return self.loop.run(self._preview(question))

    def measure(
        self, prompt: str, names: Mapping[str, Any] | None = None
    ) -> Future[tuple[Draft, Provider, str]]:
        """What `preview` gives for the settings as they are, but quietly: the server is
        not asked what it told before.

        The notebook is looked at now, in the caller's thread; the future is ready when
        that much is known.

        Raises
        ------
        PromptError
            When the prompt names what is not there.
        """
        return self.loop.submit(
            self._measured(self._question(prompt, Options(), names, empty=True))
        )

    def _question(
        self,
        prompt: str,
        options: Options,
        names: Mapping[str, Any] | None,
        *,
        empty: bool = False,
    ) -> Question:
        if not (prompt.strip() or empty):
            raise PromptError(
                "There is nothing to ask. Type a question: %buddy why is df empty after the merge?"
            )
        mentions = find_mentions(prompt) if names is not None else []
        if names is not None:
            prompt = prompts.interpolate(unescaped(prompt), names)
        sections = sections_of(options.context or self.context)
        seen = self.collector.look(
            prompt, sections, mentions, share_values=self.share_values
        )
        return Question(prompt, _with_wish(prompt, options.format), options, seen)

    @property
    def chat(self) -> Chat:
        """The conversation that goes on: what the notebook's last one was, until
        another is chosen or begun.
        """
        return self.history.current

    def reset(self) -> int:
        """Begin a new conversation; gives the number of turns of the old one."""
        turns = len(self.chat.turns)
        self.history.new()
        return turns

    def redacted(self, text: str) -> str:
        """The text without the secrets in it, as far as they can be told."""
        return self.collector.redacted(text)

    def _notebook(self) -> Path | None:
        return self.collector.session.path() if self.collector.session else None

    def _keep(self, chat: Chat, turn: Turn) -> None:
        self.history.keep(chat, turn, self.redacted(turn.reply.prompt[:MOST_ASKED]))

    def take_back(self, reply: Reply) -> bool:
        """Take the last turn out of the conversation, if it is this reply's, and stop
        it; whether that was so.
        """
        turns = self.chat.turns
        if not turns or turns[-1].reply is not reply:
            return False
        reply.close()
        self.history.forget(turns.pop())
        return True

    def _tell_watchers(self) -> None:
        for watcher in list(self.watchers):
            watcher()

    def needed(self) -> int:
        """How many tokens the next question takes, about: what was said so far, and the
        room for an answer.
        """
        system = Message("system", self.system_prompt)
        model = self.chat.turns[-1].reply.model if self.chat.turns else ""
        tokens = self.tokens[model]
        return (
            tokens.total(
                [system, *conversation(self.chat.turns, self._measure(tokens))]
            )
            + ROOM
        )

    def _measure(self, tokens: Tokens) -> Measure:
        return self.collector.measure(tokens.count, redact=self.redact_secrets)

    def save(self) -> Path:
        """Save the settings as they are now as the user's defaults; gives the file.

        Keys are not in it.
        """
        state = dict(self._state)
        for owner in (self, *self._providers.values()):
            state[type(owner).__name__] = owner.saved_state()
        self.saved.save(state)
        self._state = state
        return self.saved.path

    def warm(self) -> None:
        """Do ahead what a first question would wait for, such as slow imports; meant
        for a background thread.
        """
        self.registry.discover()
        self.collector.warm()
        # the first question will say it
        with suppress(BuddyError):
            self.current().warm()

    def close(self) -> None:
        """Stop what is asked, give back connections and processes, and end the
        background loop.
        """
        self.history.stop()
        try:
            self.loop.run(self._close_providers())
        finally:
            self.loop.stop()
            self.history.close()

    async def _close_providers(self) -> None:
        providers = list(self._providers.values())
        await asyncio.gather(
            *(provider.close() for provider in providers), return_exceptions=True
        )

    async def _chunks(self, question: Question, reply: Reply) -> AsyncIterator[Chunk]:
        try:
            async with aclosing(cast(Any, self._answer(question, reply))) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Unreachable as error:
            raise await self.provider_named(reply.provider or self.provider).instead(
                error
            ) from error.__cause__

    async def _answer(self, question: Question, reply: Reply) -> AsyncIterator[Chunk]:
        chat = self.history.new() if question.options.new else self.history.current
        turn = Turn(question.text, reply)
        chat.turns.append(turn)
        self._keep(chat, turn)
        asked = await self._asked(question, reply)
        earlier = chat.before(reply)
        made = await asked.counted(earlier)
        for attempt in range(ATTEMPTS):
            turn.message, turn.known, turn.before = (
                made.question,
                made.news.known,
                made.before,
            )
            try:
                async with aclosing(
                    cast(Any, asked.provider.stream(asked.request(made)))
                ) as chunks:
                    async for chunk in chunks:
                        yield chunk
                        if chunk.usage and (
                            note := asked.learn(made, chunk.usage, earlier)
                        ):
                            yield Chunk(note=note)
                break
            except PromptTooLong as error:
                if (
                    reply.first is not None
                    or not made.can_shrink
                    or attempt == ATTEMPTS - 1
                ):
                    widening = asked.widening([], error.window)
                    if not widening:
                        raise
                    raise PromptTooLong(
                        f"{error}.{widening}", tokens=error.tokens, window=error.window
                    ) from error
                asked.tokens.learn(made.messages, error.tokens)
                made = asked.smaller(earlier, made, error.window)
        for note in (*asked.notes(earlier, made), *self.history.notes()):
            yield Chunk(note=note)

    async def _preview(self, question: Question) -> tuple[Draft, Provider, str]:
        asked = await self._asked_or_assumed(question)
        made = await asked.counted(
            [] if question.options.new else self.chat.before(None)
        )
        return made, asked.provider, asked.model

    async def _measured(self, question: Question) -> tuple[Draft, Provider, str]:
        provider = self.current()
        seen = self._seen.get(_place(self.provider, provider))
        if seen is None:
            asked = await self._asked_or_assumed(question)
            self._seen.setdefault(
                _place(self.provider, provider), (asked.model, asked.window)
            )
        else:
            asked = self._asking(question, self.provider, provider, *seen)
        return asked.draft(self.chat.before(None)), asked.provider, asked.model

    async def _asked_or_assumed(self, question: Question) -> Asked:
        """As `_asked`; where the server is silent, what would be sent can be told all
        the same.
        """
        try:
            return await self._asked(question)
        except Unreachable:
            name, provider, model = await self.resolve(question.options)
            return self._asking(
                question, name, provider, model or provider.model or "its model", None
            )

    async def _asked(self, question: Question, reply: Reply | None = None) -> Asked:
        """Who is asked, and with which window; the reply is told who it is as soon as
        that is known.
        """
        options = question.options
        name, provider, model = await self.resolve(options)
        if reply is not None:
            reply.provider = name
        model = await provider.choose(model)
        if reply is not None:
            reply.model = model
        window = await provider.window(model)
        if not options.model:
            self._seen[_place(name, provider)] = model, window
        if len(question.text) > (window or LARGEST_WINDOW) * MOST_BYTES_PER_TOKEN:
            room = f", and its window is {window:,} tokens" if window else ""
            raise PromptTooLong(
                f"The prompt is too long for {model}: {len(question.text):,} characters{room}. "
                "Shorten the prompt, or choose a model with a larger window: %buddy /models",
                window=window,
            )
        return self._asking(question, name, provider, model, window)

    def _asking(
        self,
        question: Question,
        name: str,
        provider: Provider,
        model: str,
        window: int | None,
    ) -> Asked:
        options, tokens = question.options, self.tokens[model]
        system = self.system_prompt if options.system is None else options.system
        brief = Brief(
            question.text, system, question.seen, tokens, self._measure(tokens)
        )
        temperature = (
            provider.temperature if options.temperature is None else options.temperature
        )
        max_tokens = options.max_tokens or provider.max_tokens
        return Asked(
            name,
            provider,
            model,
            window,
            brief,
            self.context_tokens,
            temperature,
            max_tokens,
            options.extra,
        )


def split_model(text: str) -> tuple[str, str]:
    """Cut ``provider/model`` or ``provider:model`` at its first mark; a bare name is
    all model.
    """
    match = re.match(r"([^/:]+)[/:](.*)", text, re.DOTALL)
    return (match[1], match[2]) if match else ("", text)


def _place(name: str, provider: Provider) -> tuple[str, ...]:
    """The settings on which it depends which model answers, and with which window."""
    return name, *(
        str(getattr(provider, setting, ""))
        for setting in ("base_url", "model", "num_ctx")
    )


def _with_wish(prompt: str, format: str) -> str:
    wish = prompts.FORMATS[format]
    return f"{prompt}\n\n{wish}" if wish else prompt


def _default_settings_path() -> Path:
    from jupyter_core.paths import jupyter_config_dir

    return Path(jupyter_config_dir(), "codebuddy.json")
