"""Finds the servers that a map asks, and their models."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ...errors import BuddyError, Remedy, SettingError, Unreachable
from ...providers.base import Provider
from ...question.options import Options
from .pool import Lane

Resolve = Callable[[Options], Awaitable[tuple[str, Provider, str]]]
"""Gives the name of a provider, the provider, and the model if one is named."""


@dataclass(frozen=True)
class Target:
    """A server that is asked.

    Parameters
    ----------
    name
        The name of the provider in the settings.
    provider
        The provider that asks it.
    model
        The name of the model.
    """

    name: str
    provider: Provider
    model: str

    def lane(self) -> Lane:
        """Return the server as a pool has it."""
        return Lane(self.provider, self.model)


async def find_targets(
    resolve: Resolve, models: Sequence[str], providers: Sequence[str]
) -> list[Target]:
    """Return the servers to ask.

    Parameters
    ----------
    resolve
        Finds a provider by its name.
    models, providers
        The names that the user gave; empty ones stand for those of the settings.

    Raises
    ------
    BuddyError
        If no model is found, or a pool has several.
    """
    targets: list[Target] = []
    for model, provider in pairs(models, providers):
        options = Options(model=model, provider=provider)
        name, found, named = await resolve(options)
        targets += await _of_pool(name, found, named)
    return targets


def name_of(targets: Sequence[Target]) -> str:
    """Return the name of the models; equal ones once."""
    models = {target.model for target in targets}
    return "|".join(sorted(models))


def pairs(models: Sequence[str], providers: Sequence[str]) -> list[tuple[str, str]]:
    """Return the model and the provider for each server that is named.

    Raises
    ------
    SettingError
        If it is not clear which belong together.
    """
    if len(models) > 1 and len(providers) > 1:
        if len(models) != len(providers):
            raise SettingError(
                f"There are {len(models)} models and {len(providers)} providers.",
                Remedy("Name one model for each provider, or one for all"),
            )
        return list(zip(models, providers, strict=True))
    if len(providers) > 1:
        return [(models[0], provider) for provider in providers]
    return [(model, providers[0]) for model in models]


async def _of_pool(owner: str, provider: Provider, named: str) -> list[Target]:
    """Return the servers of a provider, which must have one model.

    One that does not answer now may answer later.
    """
    servers = provider.servers()
    choosing = [server.choose(named) for server in servers]
    chosen = await asyncio.gather(*choosing, return_exceptions=True)
    names: dict[str, Provider] = {}
    absent: list[BuddyError] = []
    for server, name in zip(servers, chosen, strict=True):
        if isinstance(name, Unreachable):
            absent.append(name)
        elif isinstance(name, BaseException):
            raise name
        else:
            names.setdefault(name, server)
    if not names:
        raise await _explained(provider, absent[0])
    if len(names) > 1:
        raise _several(names)
    (model,) = names
    return [Target(owner, server, model) for server in servers]


async def _explained(provider: Provider, error: BuddyError) -> BuddyError:
    if isinstance(error, Unreachable):
        return await provider.instead(error)
    return error


def _several(names: dict[str, Provider]) -> SettingError:
    listed = [f"{name} at {server.where()}" for name, server in names.items()]
    return SettingError(
        f"The servers of the pool would use different models: {', '.join(listed)}.",
        Remedy("Name one", 'buddy.map(…, model="NAME")'),
    )
