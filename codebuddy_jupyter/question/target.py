"""Who answers a question: the provider and the model, by the options of the question
and the settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..chat.reply import Reply
from ..errors import ProviderError, Remedy, SettingError, Unreachable
from ..providers.base import Provider
from ..providers.registry import Registry
from .options import Options

# Tokens, where no server reports the context window: what Ollama gives a model on most
# laptops.
ASSUMED_WINDOW = 4096
# Tokens, where no server reports the context window: more is refused without asking.
LARGEST_WINDOW = 1_000_000

Place = tuple[str, ...]
"""The provider and those of its settings that decide which model answers."""


@dataclass(frozen=True)
class Target:
    """Who answers a question.

    Parameters
    ----------
    name
        The name of the provider.
    provider
        The provider.
    model
        The name of the model.
    window
        Its context window in tokens; None where the server does not report it.
    """

    name: str
    provider: Provider
    model: str
    window: int | None


class Targets:
    """Finds who answers a question, and remembers it.

    Parameters
    ----------
    registry
        The providers that there are.
    ready
        Gives the provider of a name, ready to be asked.
    in_use
        Gives the name of the provider that the settings name now.
    """

    def __init__(
        self,
        registry: Registry,
        ready: Callable[[str], Provider],
        in_use: Callable[[], str],
    ) -> None:
        self._registry = registry
        self._ready = ready
        self._in_use = in_use
        self._found: dict[Place, Target] = {}

    def provider(self, name: str) -> Provider:
        """Return the provider of this name, ready to be asked."""
        return self._ready(name)

    async def resolve(self, options: Options) -> tuple[str, Provider, str]:
        """Return the provider's name, the provider, and the model if one is named.

        ``options.model`` may be bare, ``provider/model`` or ``provider:model``. Local
        servers have models with names such as ``openai/gpt-oss-20b`` or ``qwen:7b``, so
        the provider in use is asked for a model of that whole name before ``openai/…``
        is taken to mean the cloud: a prompt must not leave the machine by a mix-up.

        Raises
        ------
        SettingError
            If the provider is unknown, or the model could be either's.
        """
        name = self._in_use()
        if options.provider:
            name = options.provider
        name = self._registry.name(name)
        model = options.model
        head, rest = split_model(model)
        if head and not options.provider:
            other = self._registry.try_name(head)
            if other and await self._is_meant(other, name, model):
                name, model = other, rest
        return name, self._ready(name), model

    async def _is_meant(self, other: str, name: str, model: str) -> bool:
        """Return whether ``model`` begins with the name of a provider that is meant."""
        if other == name or self._ready(other).stays_here():
            return True
        return not await self._has_model(name, model, other)

    async def _has_model(self, name: str, model: str, other: str) -> bool:
        try:
            models = await self._ready(name).models()
        except ProviderError as error:
            raise SettingError(
                f"{model} may be a model of {name}, which does not respond "
                f"({error.what.rstrip('.')}), or one of {other}.",
                Remedy(f"If you mean {other}, switch", f"%buddy /use {other}"),
                Remedy("Name it in the options", f"%buddy -p {other} -m …"),
            ) from error
        return model in [offered.name for offered in models]

    async def find(self, options: Options, reply: Reply | None = None) -> Target:
        """Return who answers, with the context window.

        Parameters
        ----------
        options
            What the question sets for itself.
        reply
            The reply; it gets the names of provider and model once they are known.

        Raises
        ------
        BuddyError
            If the model or its context window cannot be found.
        """
        name, provider, model = await self.resolve(options)
        if reply is not None:
            reply.provider = name
        model = await provider.choose(model)
        if reply is not None:
            reply.model = model
        target = Target(name, provider, model, await provider.window(model))
        if not options.model:
            self._found[_place(name, provider)] = target
        return target

    async def find_or_assume(self, options: Options) -> Target:
        """Return who answers; if the server does not respond, without the window."""
        try:
            return await self.find(options)
        except Unreachable:
            name, provider, model = await self.resolve(options)
            model = model or provider.model or "its model"
            return Target(name, provider, model, None)

    async def remembered(self) -> Target:
        """Return who answers by the settings; a server is only asked the first time."""
        name = self._in_use()
        place = _place(name, self._ready(name))
        if place not in self._found:
            target = await self.find_or_assume(Options())
            self._found.setdefault(place, target)
        return self._found[place]


def split_model(text: str) -> tuple[str, str]:
    """Split ``provider/model`` or ``provider:model``; a bare name has no provider."""
    match = re.match(r"([^/:]+)[/:](.*)", text, re.DOTALL)
    return (match[1], match[2]) if match else ("", text)


def _place(name: str, provider: Provider) -> Place:
    settings = sorted(provider.traits(affects="target"))
    values = [str(getattr(provider, setting)) for setting in settings]
    return (name, *values)
