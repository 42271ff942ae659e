"""The providers of one session: one instance of each, made when it is first needed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator

from ..errors import BuddyError
from .base import Provider
from .registry import Registry


class Instances:
    """The providers that were made.

    Parameters
    ----------
    registry
        The providers that there are.
    make
        Makes the provider of a name.
    """

    def __init__(self, registry: Registry, make: Callable[[str], Provider]) -> None:
        self._registry = registry
        self._make = make
        self._made: dict[str, Provider] = {}
        self._lock = threading.RLock()
        # Providers that were set while another was in use, with that other.
        self._reported: set[tuple[str, str]] = set()

    def __iter__(self) -> Iterator[Provider]:
        return iter(list(self._made.values()))

    def named(self, name: str) -> Provider:
        """Return the provider of this name, in any case.

        Raises
        ------
        SettingError
            If there is none, or its package cannot be loaded.
        """
        with self._lock:
            name = self._registry.name(name)
            if name not in self._made:
                self._made[name] = self._make(name)
            return self._made[name]

    def all_named(self, names: Iterable[str], problems: list[str]) -> list[Provider]:
        """Return those of these providers that can be loaded.

        Parameters
        ----------
        names
            The names.
        problems
            Gets a line for each other provider, unless the line is there already.
        """
        providers = []
        for name in names:
            try:
                providers.append(self.named(name))
            except BuddyError as error:
                if str(error) not in problems:
                    problems.append(str(error))
        return providers

    def without_effect(self, in_use: str) -> list[str]:
        """Return a line for each provider that ``%config`` has set since the last call
        and that is not in use: one for each, as long as the same provider is in use.
        """
        lines = []
        for name, provider in list(self._made.items()):
            configured = provider.configured
            provider.configured = []
            if not configured or name == in_use:
                continue
            pair = (name, in_use)
            if pair in self._reported:
                continue
            self._reported.add(pair)
            setting = f"{type(provider).__name__}.{configured[0]}"
            lines.append(
                f"`{setting}` has no effect now, since {in_use} is in use. "
                f"Switch: `%buddy /use {name.lower()}`"
            )
        return lines

    async def close(self) -> None:
        """Close all providers; one that fails does not keep the others open."""
        closing = [provider.close() for provider in self]
        await asyncio.gather(*closing, return_exceptions=True)
