"""Which providers there are: those that packages registered in the entry-point group,
this one by the same door.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Mapping
from importlib.metadata import (
    EntryPoint,
    PackageNotFoundError,
    distribution,
    entry_points,
)
from typing import Any

from traitlets.config import Configurable

from ..errors import BuddyError, SettingError
from .base import Provider

GROUP = "codebuddy_jupyter.providers"
ALIASES = dict.fromkeys(
    (
        "ollama",
        "lmstudio",
        "lm-studio",
        "lm_studio",
        "localai",
        "llamacpp",
        "llama.cpp",
        "vllm",
        "jan",
    ),
    "Local",
)
"""Names of local servers that people type for the Local provider."""


class Registry:
    """The providers by name.

    Looking through every installed package takes 10 to 20 ms, so that waits until
    asked.

    Parameters
    ----------
    own
        The providers whose names nobody can take over; by default those of this
        package.
    """

    def __init__(self, own: Iterable[EntryPoint] | None = None) -> None:
        self._entries = {
            entry.name: entry for entry in (_built_in() if own is None else own)
        }
        self._complete = False
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The names of all providers."""
        self.discover()
        return list(self._entries)

    def discover(self) -> None:
        """Look for the providers of other packages; a built-in name cannot be taken
        over.
        """
        with self._lock:
            if not self._complete:
                own = {name.lower() for name in self._entries}
                others = {
                    entry.name: entry
                    for entry in entry_points(group=GROUP)
                    if entry.name.lower() not in own
                }
                self._entries = self._entries | others
                self._complete = True

    def known(self) -> list[str]:
        """The names that are known without looking further."""
        return list(self._entries)

    def try_name(self, text: str) -> str | None:
        """The provider that ``text`` means, in any case, or None."""
        wanted = ALIASES.get(text.lower(), text).lower()
        for names in (self.known, self.names):
            for name in names():
                if name.lower() == wanted:
                    return name
        return None

    def name(self, text: str) -> str:
        """The provider that ``text`` means, in any case.

        Raises
        ------
        SettingError
            When there is none; it names the nearest.
        """
        found = self.try_name(text)
        if found is None:
            names = {name.lower(): name for name in self.names()}
            near = difflib.get_close_matches(text.lower(), names, n=1)
            hint = (
                f"did you mean {names[near[0]]}?"
                if near
                else f"there are {', '.join(names.values())}."
            )
            raise SettingError(f"There is no provider {text!r}: {hint}")
        return found

    def make(
        self, name: str, parent: Configurable, saved: Mapping[str, Mapping[str, Any]]
    ) -> Provider:
        """A provider.

        Parameters
        ----------
        name
            Its name, as in `names`.
        parent
            Whose configuration it shares.
        saved
            The saved settings, by the name of the class.

        Raises
        ------
        SettingError
            When its package cannot be loaded or gives no Provider.
        """
        try:
            kind = self._entries[name].load()
            if isinstance(kind, type) and issubclass(kind, Provider):
                return kind(parent=parent, saved=saved.get(kind.__name__))
        except BuddyError:
            raise
        except Exception as error:
            # the code of another package may raise anything
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise SettingError(
                f"The provider {name} cannot be loaded: {why}"
            ) from error
        raise SettingError(
            f"The provider {name} is no subclass of codebuddy_jupyter.providers.base.Provider"
        )


def _built_in() -> Iterable[EntryPoint]:
    try:
        return distribution("codebuddy-jupyter").entry_points.select(group=GROUP)
    except PackageNotFoundError:
        # a source tree that was never installed
        return ()
