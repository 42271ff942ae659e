"""Where API keys come from and where they are stored: the environment, the system
keyring, a file that only its owner can read.

A key belongs to one host and is sent to no other. It is never printed, and never part
of a repr, a log or an error.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import Remedy, SettingError
from .configured import read_sections, write_private

SERVICE = "codebuddy_jupyter"
INSTALL_KEYRING = 'pip install "codebuddy-jupyter[keyring]"'


class KeysUnreadable(SettingError):
    """The file of stored keys cannot be read, so it is not known whether there is one."""


class Key(str):
    """A key that is hidden in its repr, which tracebacks with local variables,
    debuggers and logs print.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<a key, hidden>"


NO_KEY = Key("not-needed")
"""What is sent to a server that needs no key. Without any key, openai would send what
``OPENAI_API_KEY`` holds.
"""


class Keys:
    """The keys of this user.

    The environment wins, if the host is the provider's own; then what was stored for
    the host. The file records which hosts have a key in the system keyring, so that
    nobody has to unlock a keyring that holds none.

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
        """The file, which need not exist."""
        if self._path is None:
            from jupyter_core.paths import jupyter_config_dir

            self._path = Path(jupyter_config_dir(), "codebuddy-keys.json")
        return self._path

    def find(
        self, provider: str, variable: str, host: str, own_host: str
    ) -> Key | None:
        """Return the key for a host, or None.

        Parameters
        ----------
        provider
            The provider's name, such as ``OpenAI``.
        variable
            The environment variable that holds the key for ``own_host``; may be empty.
        host
            The host that the key is sent to: ``name`` or ``name:port``.
        own_host
            The only host that may receive the key of the environment.

        Raises
        ------
        SettingError
            When no request can carry the key, or the file cannot be read.
        """
        if variable and host == own_host:
            value = os.environ.get(variable)
            if value:
                return checked(value, f"The environment variable {variable}")
        hosts = self._load().get(provider, {})
        if host not in hosts:
            return None
        stored = hosts[host]
        if not isinstance(stored, str):
            stored = _read_keyring(provider, host)
        if not stored:
            return None
        return checked(stored, f"The key stored for {provider} at {host}")

    def store(self, provider: str, host: str, key: str) -> str:
        """Store a key for a host, and return where it is, for the user.

        Raises
        ------
        SettingError
            When no request can carry this key.
        """
        key = checked(key, "This text")
        is_in_keyring = _write_keyring(provider, host, key)
        state = self._load()
        hosts = state.setdefault(provider, {})
        if is_in_keyring:
            # In the file, null means that the key is in the keyring.
            hosts[host] = None
            place = "the system keyring"
        else:
            hosts[host] = str(key)
            place = str(self.path)
        self._save(state)
        return place

    def forget(self, provider: str, host: str) -> bool:
        """Delete the stored key for a host, and return whether there was one.

        Raises
        ------
        SettingError
            When the system keyring has it and does not delete it.
        """
        state = self._load()
        hosts = state.get(provider, {})
        if host not in hosts:
            return False
        keyring = _real_keyring()
        if hosts[host] is None:
            if keyring is None:
                raise SettingError(
                    f"The key for {host} is in the system keyring, which cannot be used here.",
                    Remedy("Install what it needs", INSTALL_KEYRING),
                )
            _delete_from_keyring(keyring, provider, host)
        del hosts[host]
        self._save(state)
        return True

    def _load(self) -> dict[str, dict[str, str | None]]:
        try:
            return read_sections(self.path)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            # Without the cause: the text of a JSON error can quote a part of the file.
            raise KeysUnreadable(
                f"The stored keys in {self.path} cannot be read.",
                Remedy("Repair or delete the file"),
            ) from None

    def _save(self, state: Mapping[str, Mapping[str, str | None]]) -> None:
        text = json.dumps(state, indent=2, sort_keys=True)
        write_private(self.path, f"{text}\n")


def checked(key: str, source: str) -> Key:
    """Return the key, if a request can carry it.

    Parameters
    ----------
    key
        The key.
    source
        Where it came from, as the beginning of a sentence.

    Raises
    ------
    SettingError
        When it is empty, or contains anything but printable ASCII without spaces; the
        message does not show it.
    """
    if key and key.isascii() and key.isprintable() and " " not in key:
        return Key(key)
    raise SettingError(
        f"{source} is not a valid key: it is empty, or has spaces, line breaks or accents."
    )


def _real_keyring() -> ModuleType | None:
    if importlib.util.find_spec("keyring") is None:
        return None
    import keyring

    # A priority below 1 is that of the substitutes: no keyring, and plain text files.
    if keyring.get_keyring().priority < 1:
        return None
    return keyring


def _read_keyring(provider: str, host: str) -> str | None:
    keyring: Any = _real_keyring()
    if keyring is None:
        return None
    try:
        value: str | None = keyring.get_password(f"{SERVICE} {host}", provider)
    except keyring.errors.KeyringError:
        return None
    return value


def _write_keyring(provider: str, host: str, key: str) -> bool:
    """Write a key to the system keyring; return whether there is one that took it."""
    keyring: Any = _real_keyring()
    if keyring is None:
        return False
    try:
        keyring.set_password(f"{SERVICE} {host}", provider, str(key))
    except keyring.errors.KeyringError:
        return False
    return True


def _delete_from_keyring(keyring: Any, provider: str, host: str) -> None:
    try:
        keyring.delete_password(f"{SERVICE} {host}", provider)
    except keyring.errors.KeyringError as error:
        with suppress(keyring.errors.KeyringError):
            if keyring.get_password(f"{SERVICE} {host}", provider) is None:
                # The user has deleted it there.
                return
        what = f"The system keyring did not delete the key for {host}: {error}"
        raise SettingError(what) from error
