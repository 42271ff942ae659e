"""Where keys come from and where they are kept: environment, system keyring, a file for
its owner alone.

A key belongs to one host and goes to no other. It is never printed, never in a repr, a
log or an error.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import SettingError
from .settings import write_private

SERVICE = "codebuddy_jupyter"


class Key(str):
    """A key that does not show itself in a repr: tracebacks with local variables,
    debuggers and logs print those.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<a key, hidden>"


NO_KEY = Key("not-needed")
"""What a server without keys is sent: in the place of none, openai would send what
``OPENAI_API_KEY`` holds.
"""


class Keys:
    """The keys of this user.

    Who wins: the environment, where the host is the provider's own; then what was
    stored for this host. The file knows which hosts have a key in the system keyring,
    so that nobody is asked to unlock a keyring that holds none.

    Parameters
    ----------
    path
        The file; by default ``codebuddy-keys.json`` in Jupyter's configuration
        directory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        """Where the file is, or shall be."""
        if self._path is None:
            from jupyter_core.paths import jupyter_config_dir

            self._path = Path(jupyter_config_dir(), "codebuddy-keys.json")
        return self._path

    def find(
        self, provider: str, variable: str, host: str, own_host: str
    ) -> Key | None:
        """The key for a host, or None.

        Parameters
        ----------
        provider
            The provider's name, such as ``OpenAI``.
        variable
            The environment variable that holds the key for ``own_host``; empty: there
            is none.
        host
            Where the key shall go: ``name`` or ``name:port``.
        own_host
            The only host that may see what the environment holds.

        Raises
        ------
        SettingError
            When there is a key that no request could carry, or the file cannot be read.
        """
        if variable and host == own_host and (value := os.environ.get(variable)):
            return checked(value, f"the environment variable {variable}")
        hosts = self._load().get(provider, {})
        if host not in hosts:
            return None
        value = (
            hosts[host]
            if isinstance(hosts[host], str)
            else _from_keyring(provider, host)
        )
        return (
            checked(value, f"the key stored for {provider} at {host}")
            if value
            else None
        )

    def store(self, provider: str, host: str, key: str) -> str:
        """Keep a key for a host; gives where it went, for a person.

        Raises
        ------
        SettingError
            When no request could carry this key.
        """
        key = checked(key, "the key")
        keyring = _real_keyring()
        stored = keyring is not None and _to_keyring(keyring, provider, host, key)
        self._change(provider, host, None if stored else str(key))
        return "the system keyring" if stored else str(self.path)

    def forget(self, provider: str, host: str) -> bool:
        """Remove the key for a host; False where there was none."""
        state = self._load()
        if host not in state.get(provider, {}):
            return False
        if state[provider][host] is None and (keyring := _real_keyring()) is not None:
            _drop_from_keyring(keyring, provider, host)
        del state[provider][host]
        self._save(state)
        return True

    def _change(self, provider: str, host: str, value: str | None) -> None:
        state = self._load()
        state.setdefault(provider, {})[host] = value
        self._save(state)

    def _load(self) -> dict[str, dict[str, str | None]]:
        try:
            state = json.loads(self.path.read_text(encoding="utf-8"))
            return {str(provider): dict(hosts) for provider, hosts in state.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError):
            # Without its cause: the text of a JSON error can hold a piece of the file.
            raise SettingError(
                f"The stored keys in {self.path} cannot be read: mend the file, or delete it."
            ) from None

    def _save(self, state: Mapping[str, Mapping[str, str | None]]) -> None:
        write_private(self.path, json.dumps(state, indent=2, sort_keys=True) + "\n")


def checked(key: str, name: str) -> Key:
    """The key, where a request can carry it.

    Raises
    ------
    SettingError
        When it is empty, or holds a blank, a line break, or anything but ASCII; the
        message does not show it.
    """
    if key.isascii() and key.isprintable() and key and " " not in key:
        return Key(key)
    raise SettingError(
        f"{name[0].upper()}{name[1:]} is no key: a key holds no blanks, line breaks or accents."
    )


def _real_keyring() -> ModuleType | None:
    if importlib.util.find_spec("keyring") is None:
        return None
    import keyring

    # Below 1 are the stand-ins: none at all, and plain text files.
    return keyring if keyring.get_keyring().priority >= 1 else None


def _from_keyring(provider: str, host: str) -> str | None:
    keyring: Any = _real_keyring()
    if keyring is None:
        return None
    try:
        value: str | None = keyring.get_password(f"{SERVICE} {host}", provider)
    except keyring.errors.KeyringError:
        return None
    return value


def _to_keyring(keyring: Any, provider: str, host: str, key: str) -> bool:
    try:
        keyring.set_password(f"{SERVICE} {host}", provider, str(key))
    except keyring.errors.KeyringError:
        return False
    return True


def _drop_from_keyring(keyring: Any, provider: str, host: str) -> None:
    try:
        keyring.delete_password(f"{SERVICE} {host}", provider)
    except keyring.errors.KeyringError as error:
        raise SettingError(
            f"The system keyring does not let the key for {host} go: {error}"
        ) from error
