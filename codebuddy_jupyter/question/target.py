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

TargetSettings = tuple[str, ...]
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
        Gives the provider of a name, ready for requests.
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
        self._remembered: dict[TargetSettings, Target] = {}

    def provider(self, name: str) -> Provider:
        """Return the provider of this name, ready for requests."""
        return self._ready(name)

    def named(self, options: Options) -> tuple[str, Provider, str]:
        """Return the provider's name, the provider, and the model, as they are typed or
        set; no server is asked.

        Raises
        ------
        SettingError
            If the provider is unknown.
        """
        # The environment is read even if the options name the provider.
        in_use = self._in_use()
        name = self._registry.name(options.provider or in_use)
        provider = self._ready(name)
        model = options.model or provider.model
        return name, provider, model

    async def resolve(self, options: Options) -> tuple[str, Provider, str]:
        """Return the provider's name, the provider, and the model if one is named.

        ``options.model`` may be bare, ``provider/model`` or ``provider:model``. Local
        servers have models with names such as ``openai/gpt-oss-20b`` or ``qwen:7b``, so
        the provider in use is checked for a model of that full name before ``openai/…``
        is taken to mean the cloud: a prompt must not leave the machine by a mix-up.

        Raises
        ------
        SettingError
            If the provider is unknown, or the model could be either's.
        """
        # The environment is read even if the options name the provider.
        in_use = self._in_use()
        name = self._registry.name(options.provider or in_use)
        model = options.model
        head, rest = _split_model(model)
        if head and not options.provider:
            other = self._registry.try_name(head)
            if other and await self._is_meant(other, name, model):
                name = other
                model = rest
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
        return any(offered.is_named(model) for offered in models)

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
        if reply is None:
            # Only a question may load a model, not a preview of one.
            window = await provider.window_now(model)
        else:
            reply.model = model
            window = await provider.window(model)
        target = Target(name, provider, model, window)
        if not options.model:
            settings = _target_settings(name, provider)
            self._remembered[settings] = target
        return target

    async def find_or_assume(self, options: Options) -> Target:
        """Return who answers, without the context window if no server responds."""
        try:
            return await self.find(options)
        except Unreachable:
            name, provider, model = await self.resolve(options)
            model = model or provider.model or "its model"
            return Target(name, provider, model, None)

    async def remembered(self) -> Target:
        """Return who answers by the settings; only the first call asks a server."""
        name = self._in_use()
        settings = _target_settings(name, self._ready(name))
        remembered = self._remembered.get(settings)
        if remembered is not None:
            return remembered
        target = await self.find_or_assume(Options())
        return self._remembered.setdefault(settings, target)


def _split_model(text: str) -> tuple[str, str]:
    """Split ``provider/model`` or ``provider:model``; a bare name has no provider."""
    match = re.match(r"([^/:]+)[/:](.*)", text, re.DOTALL)
    if match is None:
        return "", text
    return match[1], match[2]


def _target_settings(name: str, provider: Provider) -> TargetSettings:
    values = [name]
    for setting in sorted(provider.traits(affects="target")):
        value = getattr(provider, setting)
        values.append(str(value))
    return tuple(values)
