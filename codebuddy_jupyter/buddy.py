"""The Buddy: it owns settings, providers and the conversation, and answers. All state of a session lives here."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, ClassVar, cast

import traitlets
from traitlets import Bool, List, Unicode, validate
from traitlets.config import Config

from . import prompts
from .chat import Chat, Reply, Tokens, Turn
from .errors import BuddyError, PromptError, PromptTooLong, ProviderError, SettingError, Unreachable
from .loop import Loop
from .messages import Chunk, Request, Usage
from .options import Options
from .providers.base import Provider
from .providers.registry import Registry
from .settings import Configured, SavedSettings

ASSUMED_WINDOW = 4096  # tokens, where no server tells: what Ollama gives a model on most laptops
ROOM = 1024  # tokens kept free for the answer, at most a quarter of the window
LARGEST_WINDOW = 1_000_000  # tokens, where no server tells: more than that is refused without asking
MOST_BYTES_PER_TOKEN = 8  # no tokenizer does better on a long text, so a longer prompt is surely too long


class Buddy(Configured):
    """The owner of everything: ``ask`` is what it is for.

    Parameters
    ----------
    settings_path
        The file of saved settings; by default ``codebuddy.json`` in Jupyter's configuration directory.
    display
        What shows a reply in which a cell ends.
    registry
        The providers that there are.
    config, parent
        As for any ``traitlets`` Configurable.
    """

    environment: ClassVar = {"provider": "CODEBUDDY_PROVIDER"}

    provider = Unicode("Local", help="Who answers: Local, Embedded, OpenAI, Anthropic, … (in any case).").tag(
        config=True
    )
    offline = Bool(False, help="Refuse every request that would leave this machine.").tag(config=True)
    allowed_hosts = List(
        Unicode(), help='Hosts that may be asked even when offline: names, or names with ports, as ["gpu.lan:8000"].'
    ).tag(config=True)
    system_prompt = Unicode(prompts.SYSTEM, help="What the model is told before every question.").tag(config=True)

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
        self.chat = Chat()
        self.registry = registry or Registry()
        self.display = display
        self._providers: dict[str, Provider] = {}
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
        """The providers of these names; one that cannot be loaded costs a line, which ``/use`` shows."""
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
        """The provider of this name as the settings and the environment stand now, ready to be asked."""
        provider = self.provider_named(name)
        provider.read_environment()
        provider.offline, provider.allowed_hosts = self.offline, tuple(self.allowed_hosts)
        return provider

    async def resolve(self, options: Options) -> tuple[str, Provider, str]:
        """Who shall answer: the provider's name, the provider, and the model as far as the options name one.

        ``model`` may be bare, ``provider/model`` or ``provider:model``. Local servers have models that are called
        ``openai/gpt-oss-20b`` or ``qwen:7b``, so before ``openai/…`` is taken to mean the cloud, the provider in use is
        asked whether it has a model of that whole name: a prompt must not leave the machine by a mix-up.

        Raises
        ------
        SettingError
            When the provider or the model cannot be told.
        """
        self.read_environment()
        name, model = self.registry.name(options.provider or self.provider), options.model
        head, rest = split_model(model)
        there = self.registry.try_name(head) if head and not options.provider else None
        if there and (there == name or self.ready(there).stays_here() or not await self._offers(name, model, there)):
            name, model = there, rest
        return name, self.ready(name), model

    async def _offers(self, name: str, model: str, other: str) -> bool:
        try:
            return any(offered.name == model for offered in await self.ready(name).models())
        except ProviderError as error:
            raise SettingError(
                f"{model} may be a model of {name}, which cannot be asked now, or one of {other}. If you mean {other}, "
                f"switch first (%buddy /use {other}), or name it in the options (-p {other} -m …). ({error})"
            ) from error

    def ask(self, prompt: str, options: Options | None = None) -> Reply:
        """A reply to a prompt, within the conversation. The request starts when the reply is first looked at.

        Raises
        ------
        PromptError
            When the prompt is empty.
        SettingError
            When an option is not right.
        """
        options = options or Options()
        if not prompt.strip():
            raise PromptError("There is nothing to ask. Type a question: %buddy why is df empty after the merge?")
        return Reply(
            prompt, lambda reply: self._chunks(prompt, options, reply), self.loop, self.display, options.format
        )

    def reset(self) -> int:
        """Begin a new conversation; gives the number of turns of the old one."""
        old, self.chat = self.chat, Chat(tokens=self.chat.tokens)
        return len(old.turns)

    def needed(self) -> int:
        """How many tokens the next question takes, about: what was said so far, and the room for an answer."""
        turns = self.chat.turns
        messages, _ = self.chat.fit(turns, self.system_prompt, "", LARGEST_WINDOW)
        return self.chat.tokens.total(messages) + ROOM

    def save(self) -> Path:
        """Save the settings as they are now as the user's defaults; gives the file. Keys are not in it."""
        state = dict(self._state)
        for owner in (self, *self._providers.values()):
            state[type(owner).__name__] = owner.saved_state()
        self.saved.save(state)
        self._state = state
        return self.saved.path

    def warm(self) -> None:
        """Do ahead what a first question would wait for, such as slow imports; meant for a background thread."""
        self.registry.discover()
        with suppress(BuddyError):  # the first question will say it
            self.current().warm()

    def close(self) -> None:
        """Stop what is asked, give back connections and processes, and end the background loop."""
        for turn in list(self.chat.turns):
            turn.reply.close()
        try:
            self.loop.run(self._close_providers())
        finally:
            self.loop.stop()

    async def _close_providers(self) -> None:
        providers = list(self._providers.values())
        await asyncio.gather(*(provider.close() for provider in providers), return_exceptions=True)

    async def _chunks(self, prompt: str, options: Options, reply: Reply) -> AsyncIterator[Chunk]:
        try:
            async with aclosing(cast(Any, self._answer(prompt, options, reply))) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Unreachable as error:
            raise await self.provider_named(reply.provider or self.provider).instead(error) from error.__cause__

    async def _answer(self, prompt: str, options: Options, reply: Reply) -> AsyncIterator[Chunk]:
        if options.new:
            self.reset()
        chat, question = self.chat, _with_wish(prompt, options.format)
        chat.turns.append(Turn(question, reply))
        reply.provider, provider, model = await self.resolve(options)
        reply.model = await provider.choose(model)
        window = await provider.window(reply.model)
        earlier = turns = chat.before(reply)
        while True:
            request, left_out = self._request(question, options, provider, reply.model, turns, window)
            turns = turns[left_out:]
            try:
                async with aclosing(cast(Any, provider.stream(request))) as chunks:
                    async for chunk in chunks:
                        yield chunk
                        if chunk.usage and (note := _count(chat.tokens, request, chunk.usage, window)):
                            yield Chunk(
                                note=f"{note}{self._widening(provider, reply.model, earlier, question, window)}"
                            )
                break
            except PromptTooLong as error:
                if not turns or reply.first is not None:
                    widening = self._widening(provider, reply.model, [], question, error.window or window)
                    if not widening:
                        raise
                    raise PromptTooLong(f"{error}.{widening}", tokens=error.tokens, window=error.window) from error
                chat.tokens.learn(request.messages, error.tokens)
                # One that tells its window is fitted to; without that, halving gets there in a few requests.
                window, turns = error.window or window, turns[1 if error.window else (len(turns) + 1) // 2 :]
        if len(turns) < len(earlier):
            note = _left_out(len(earlier) - len(turns), window)
            yield Chunk(note=f"{note}{self._widening(provider, reply.model, earlier, question, window)}")

    def _widening(self, provider: Provider, model: str, turns: list[Turn], question: str, window: int | None) -> str:
        """How to give the model a window in which all has room, where a command for that is known."""
        messages, _ = self.chat.fit(turns, self.system_prompt, question, LARGEST_WINDOW)
        needed = max(self.chat.tokens.total(messages) + ROOM, 2 * (window or ASSUMED_WINDOW))
        command = provider.widen(model, 1 << (needed - 1).bit_length())
        return f" To widen it: {command}" if command else ""

    def _request(
        self, question: str, options: Options, provider: Provider, model: str, turns: list[Turn], window: int | None
    ) -> tuple[Request, int]:
        if len(question) > (window or LARGEST_WINDOW) * MOST_BYTES_PER_TOKEN:
            room = f", and its window is {window:,} tokens" if window else ""
            raise PromptTooLong(
                f"The prompt is too long for {model}: {len(question):,} characters{room}. "
                "Shorten the prompt, or choose a model with a larger window: %buddy /models",
                window=window,
            )
        system = self.system_prompt if options.system is None else options.system
        max_tokens = options.max_tokens or provider.max_tokens
        window = window or ASSUMED_WINDOW
        budget = window - min(max_tokens or ROOM, window // 4)
        messages, left_out = self.chat.fit(turns, system, question, budget)
        temperature = provider.temperature if options.temperature is None else options.temperature
        return Request(messages, model, temperature, max_tokens, options.extra), left_out


def split_model(text: str) -> tuple[str, str]:
    """Cut ``provider/model`` or ``provider:model`` at its first mark; a bare name is all model."""
    match = re.match(r"([^/:]+)[/:](.*)", text, re.DOTALL)
    return (match[1], match[2]) if match else ("", text)


def _with_wish(prompt: str, format: str) -> str:
    wish = prompts.FORMATS[format]
    return f"{prompt}\n\n{wish}" if wish else prompt


def _count(tokens: Tokens, request: Request, usage: Usage, window: int | None) -> str:
    """Learn from what the server counted; a line for the user where it must have left out a part of the prompt."""
    sent, counted = tokens.total(request.messages), usage.prompt_tokens
    # Some take the room of the answer from the prompt.
    room = window - (request.max_tokens or 0) if window else ASSUMED_WINDOW
    if counted and sent > room and counted < sent / 2:
        return f"The server seems to have cut the prompt: about {sent:,} tokens were sent, and it read {counted:,}."
    tokens.learn(request.messages, counted)
    return ""


def _left_out(turns: int, window: int | None) -> str:
    what = "The oldest turn was" if turns == 1 else f"The {turns} oldest turns were"
    size = f"{window:,}" if window else f"an assumed {ASSUMED_WINDOW:,}"
    return f"{what} left out: the conversation no longer fits the model's window of {size} tokens."


def _default_settings_path() -> Path:
    from jupyter_core.paths import jupyter_config_dir

    return Path(jupyter_config_dir(), "codebuddy.json")
