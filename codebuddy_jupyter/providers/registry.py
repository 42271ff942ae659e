"""The registry of providers: all that installed packages register in the entry-point
group, those of this package included.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import (
    EntryPoint,
    PackageNotFoundError,
    distribution,
    entry_points,
)
from typing import Any

from traitlets.config import Configurable

from ..errors import BuddyError, Remedy, SettingError, did_you_mean
from .base import Provider

GROUP = "codebuddy_jupyter.providers"
LOCAL_SERVERS = (
    "ollama",
    "lmstudio",
    "lm-studio",
    "lm_studio",
    "localai",
    "llamacpp",
    "llama.cpp",
    "vllm",
    "jan",
)
"""Names of local servers, which people type for the Local provider."""
ALIASES = dict.fromkeys(LOCAL_SERVERS, "Local")
"""Other names of providers."""


class Registry:
    """The providers by name.

    Searching all installed packages takes 10 to 20 ms, so that is done when first
    needed, and again only once packages were installed or removed.

    Parameters
    ----------
    own
        The providers whose names no other package can take; by default those of this
        package.
    """

    def __init__(self, own: Iterable[EntryPoint] | None = None) -> None:
        entries = _built_in() if own is None else own
        self._entries = {entry.name: entry for entry in entries}
        self._is_complete = False
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Return the names of all providers."""
        self.discover()
        return list(self._entries)

    def discover(self) -> None:
        """Find the providers of other packages; they cannot take a built-in name."""
        with self._lock:
            if self._is_complete:
                return
            own = {name.lower() for name in self._entries}
            entries = dict(self._entries)
            for entry in _installed():
                if entry.name.lower() not in own:
                    entries[entry.name] = entry
            self._entries = entries
            self._is_complete = True

    def known(self) -> list[str]:
        """Return the names that are known without a search."""
        return list(self._entries)

    def try_name(self, text: str) -> str | None:
        """Return the name of the provider that was typed in any case, or None."""
        wanted = ALIASES.get(text.lower(), text).lower()
        for names in (self.known, self.names):
            for name in names():
                if name.lower() == wanted:
                    return name
        return None

    def name(self, text: str) -> str:
        """Return the name of the provider that was typed in any case.

        Raises
        ------
        SettingError
            When there is none; the message suggests the nearest.
        """
        name = self.try_name(text)
        if name is not None:
            return name
        names = self.names()
        suggestion = did_you_mean(text, names, "%buddy /use {}")
        if suggestion is None:
            suggestion = Remedy(f"Choose one of {', '.join(names)}", "%buddy /use NAME")
        raise SettingError(f"There is no provider {text!r}.", suggestion)

    def make(
        self, name: str, parent: Configurable, saved: Mapping[str, Mapping[str, Any]]
    ) -> Provider:
        """Return a new provider.

        Parameters
        ----------
        name
            Its name, as in `names`.
        parent
            The owner of the configuration.
        saved
            The saved settings, by the name of the class.

        Raises
        ------
        SettingError
            When its package cannot be loaded or has no Provider of this name.
        """
        try:
            provider = self._entries[name].load()
            if isinstance(provider, type) and issubclass(provider, Provider):
                return provider(parent=parent, saved=saved.get(provider.__name__))
        except BuddyError:
            raise
        except Exception as error:
            # The code of another package may raise anything.
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            what = f"The provider {name} cannot be loaded: {reason}"
            raise SettingError(what) from error
        base = f"{Provider.__module__}.{Provider.__name__}"
        raise SettingError(f"The provider {name} is not a subclass of {base}")


def _built_in() -> Iterable[EntryPoint]:
    try:
        return distribution("codebuddy-jupyter").entry_points.select(group=GROUP)
    except PackageNotFoundError:
        # A source tree that was never installed.
        return ()


def _installed() -> Sequence[EntryPoint]:
    folders = [(folder, _changed_at(folder)) for folder in sys.path]
    return _found_in(tuple(folders))


@functools.lru_cache(maxsize=1)
def _found_in(folders: Sequence[tuple[str, int]]) -> Sequence[EntryPoint]:
    """Return what is registered in these folders, each with when it changed."""
    return tuple(entry_points(group=GROUP))


def _changed_at(folder: str) -> int:
    """Return when something was put into a folder or taken out, in ns; 0 for none."""
    try:
        return os.stat(folder or os.curdir).st_mtime_ns
    except OSError:
        return 0
