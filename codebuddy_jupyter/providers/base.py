"""The provider contract: what a class must do to answer questions.

A provider turns a Request into Chunks. This module talks to no server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from traitlets import Float, Int, Unicode

from ..errors import (
    BuddyError,
    KeyRefused,
    NoInfill,
    Remedy,
    SettingError,
    Unreachable,
)
from ..messages import Chunk, Infill, Model, Progress, Request
from ..settings.configured import KERNEL, Configured
from ..settings.keys import Key, Keys
from .checks import Announce, Check, failed_check
from .http.address import host_of, is_loopback


@dataclass(frozen=True)
class Address:
    """The server that a provider's requests go to.

    Parameters
    ----------
    url
        The base URL as it is used.
    key_variable
        The environment variable that holds the API key; empty: no key is used.
    is_setting
        Whether the user can set the base URL.
    """

    url: str
    key_variable: str = ""
    is_setting: bool = False

    @property
    def host(self) -> str:
        """The host that a key belongs to: ``name`` or ``name:port``."""
        return host_of(self.url)


def temperature_setting(default: float | None, empty: str) -> Any:
    """Return the setting for the randomness of a provider's answers.

    Parameters
    ----------
    default
        The temperature, from 0 to 2, or None for the server's own.
    empty
        What its help says of an empty setting.
    """
    setting = Float(
        default,
        allow_none=True,
        min=0.0,
        max=2.0,
        help=f"Randomness of the answers, from 0 to 2. None or empty: {empty}.",
    )
    return setting.tag(config=True)


# llama.cpp's own default of 0.8 lets small models write code that is often wrong.
LOCAL_TEMPERATURE = 0.1


class Provider(Configured):
    """A source of answers.

    A subclass writes ``stream``, and overrides other methods where it knows more. One
    that talks to a server overrides ``address``, so that the panel shows the host, and
    a field for the key if the address names a key variable.

    All coroutines run on the background loop. The class is registered under its name by
    an entry point in the group ``codebuddy_jupyter.providers``.
    """

    label: ClassVar[str] = ""
    """The name that users see in a list of providers."""
    key_variable: ClassVar[str] = ""
    """The environment variable that holds the API key; empty: no key is used."""

    model = Unicode("", help="The model to ask. Empty: chosen automatically.").tag(
        config=True, affects="target"
    )
    temperature = temperature_setting(None, "the server's default")
    max_tokens = Int(
        None,
        allow_none=True,
        min=1,
        help="Maximum length of an answer in tokens. None or empty: the server's default.",
    ).tag(config=True)
    offline = False
    """Whether requests must stay on this machine; the Buddy sets it before each
    request.
    """
    offline_reason = ""
    """Why they must, if it is not a setting of the user; the Buddy sets it, too."""
    allowed_hosts: tuple[str, ...] = ()
    """The hosts that may be contacted in offline mode, too; the Buddy sets them before
    each request.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.keys = Keys()
        super().__init__(**kwargs)

    @property
    def name(self) -> str:
        """The name of the provider, such as ``OpenAI``."""
        return type(self).__name__.removesuffix("Provider")

    # Answers

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Send a request, and yield the chunks of the reply as they arrive.

        Closing the iterator closes the connection, so that the server stops.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            When the reply is not complete; the chunks yielded before stay valid.
        """
        raise NotImplementedError

    def infill(self, request: Infill) -> AsyncIterator[Chunk]:
        """Send a request for the text between two others, and yield the chunks of it as
        they arrive; always the likeliest text.

        Closing the iterator closes the connection, so that the server stops.

        Raises
        ------
        NoInfill
            When the server or the model cannot do that; it is remembered.
        codebuddy_jupyter.errors.ProviderError
            For other failures, as in `stream`.
        """
        raise NoInfill(f"{self.label or self.name} does not complete code.")

    async def count(self, model: str, text: str) -> int | None:
        """Return the number of tokens in a text, from the server's own tokenizer; None
        if it has none.
        """
        return None

    # Models

    async def models(self) -> list[Model]:
        """Return the models that are available now."""
        return [Model(self.model)] if self.model else []

    async def catalogue(self) -> list[Model]:
        """Return the models with all details, which may take a request for each."""
        return await self.models()

    async def choose(self, model: str) -> str:
        """Return the name of the model to ask.

        Parameters
        ----------
        model
            The model that the user named; empty: none.

        Raises
        ------
        SettingError
            When no model is set.
        """
        if model or self.model:
            return model or self.model
        setting = f'%config {type(self).__name__}.model = "NAME"'
        raise SettingError("No model is set.", Remedy("Set one", setting))

    async def is_offered(self, model: str) -> bool | None:
        """Return whether there is a model of this name now; None if that is not known.

        ``/use`` refuses a model that is not offered.
        """
        return None

    async def window(self, model: str) -> int | None:
        """Return the context window of a model in tokens; None if it is not known."""
        return None

    async def window_now(self, model: str) -> int | None:
        """Return what `window` returns, without loading the model for that."""
        return await self.window(model)

    def window_note(self, model: str) -> str:
        """Return a line about a context window that is not as the settings say; empty if
        it is.
        """
        return ""

    async def abilities(self, model: str) -> tuple[str, ...]:
        """Return what a model supports, as in `Model.abilities`; empty if that is not
        known.
        """
        for offered in await self.catalogue():
            if offered.is_named(model):
                return offered.abilities
        return ()

    async def prepare(self, model: str, progress: Progress) -> None:
        """Do what the first request would wait for, such as a download, when the user
        switches to a model.

        Parameters
        ----------
        model
            The model that the user switches to.
        progress
            Called with what is being done, the bytes done and the bytes in all.
        """

    async def pull(self, model: str, progress: Progress) -> str:
        """Download a model, and return what is typed after ``/use`` to use it;
        ``progress`` is as for `prepare`.

        Raises
        ------
        SettingError
            When this provider cannot download models.
        """
        raise self._unsupported("download")

    def can_pull(self, model: str) -> bool:
        """Return whether a name can only mean a model that this provider downloads, so
        that ``/pull`` asks it even if another one is in use.
        """
        return False

    def about_download(self, model: str) -> str:
        """Return what the user shall know before a download, such as size and licence;
        empty if nothing is known.
        """
        return ""

    def other_models(self) -> list[str]:
        """Return lines about models that are not offered yet and can be downloaded."""
        return []

    async def load(self, model: str) -> None:
        """Load a model into the server's memory.

        Raises
        ------
        SettingError
            When this provider cannot load models on request.
        """
        raise self._unsupported("load")

    async def unload(self, model: str) -> None:
        """Free the memory that a model uses on the server.

        Raises
        ------
        SettingError
            When this provider cannot unload models on request.
        """
        raise self._unsupported("unload")

    async def load_ahead(self, model: str) -> None:
        """Load the model before the first question, if the settings say so.

        Errors are left to the first question.
        """

    def servers(self) -> Sequence[Provider]:
        """Return the providers that many questions are asked of: this one, or one for
        each server that the settings name, all with the same models.
        """
        return (self,)

    async def slots(self, model: str) -> int | None:
        """Return how many requests to a model the server answers at a time; None if it
        does not tell.
        """
        return None

    def keeps_prompts(self) -> bool:
        """Return whether the server is known to keep what it has read of a prompt, so
        that a later one with the same beginning is read from there on.
        """
        return False

    async def can_read_ahead(self, model: str) -> bool:
        """Return whether a model may read a prompt before it is asked: on this machine,
        at a server that keeps what was read, and loaded already. It loads nothing.
        """
        return False

    def tokens_at_once(self) -> int | None:
        """Return how many tokens of a prompt are read at once: only in between, the
        server notices that a request was closed. None if that is not known, or many.
        """
        return None

    def expected_speed(self, model: str) -> float | None:
        """Return about how many tokens of a prompt a model reads in a second, where
        nothing was measured yet; None if that is not known.
        """
        return None

    def widen(self, model: str, tokens: int) -> str:
        """Return the command that gives a model a context window of this many tokens;
        empty if none is known.
        """
        return ""

    def without_models(self) -> tuple[Remedy, ...]:
        """Return what the user can do if there is no model."""
        return ()

    def load_command(self, model: str) -> str:
        """Return the command that loads a model before the first question; empty if
        none is known.
        """
        return ""

    def _unsupported(self, verb: str) -> SettingError:
        name = self.label or type(self).__name__
        return SettingError(f"{name} does not support a command to {verb} a model.")

    # Address and key

    def address(self) -> Address | None:
        """Return the address that requests go to; None if there is none, as for an
        engine in a child process.

        Raises
        ------
        SettingError
            When the settings name no server.
        """
        return None

    def where(self) -> str:
        """Return where requests go, for the user: the base URL, or the provider."""
        address = self.address()
        if address is not None:
            return address.url
        return self.label or type(self).__name__

    def stays_here(self) -> bool:
        """Return whether requests are known to stay on this machine."""
        address = self.address()
        return address is not None and is_loopback(address.url)

    def own_host(self) -> str:
        """Return the only host that may receive the key of the environment variable:
        that of the default base URL, if the user can set another one.
        """
        trait = self.traits().get("base_url")
        if trait is None:
            address = self.address()
            return address.host if address else ""
        if not trait.default_value:
            return ""
        return host_of(trait.default_value)

    def try_key(self) -> Key | None:
        """Return the key for the host in use, or None; a system keyring may ask the
        user to unlock it.

        Raises
        ------
        SettingError
            When the key cannot be read, or no request can carry it.
        """
        address = self.address()
        if address is None:
            return None
        return self.keys.find(
            self.name,
            address.key_variable,
            address.host,
            self.own_host(),
        )

    def find_key(self) -> Key:
        """Return the key for the host in use; see `try_key`.

        Raises
        ------
        KeyRefused
            When there is none.
        """
        key = self.try_key()
        if key is not None:
            return key
        address = self.address()
        host = address.host if address else self.where()
        what = f"There is no key for {self.name} at {host}."
        raise KeyRefused(what, *self.key_remedies())

    def key_remedies(self) -> tuple[Remedy, ...]:
        """Return how the user can provide a key for the host in use."""
        command = f"codebuddy key {self.name}"
        address = self.address()
        base_url = self.environment.get("base_url")
        if address and base_url and self.origin("base_url") == KERNEL:
            # Another process knows nothing of it.
            command = f"{base_url}={address.url} {command}"
        if address and address.key_variable and self.own_host() == address.host:
            variable = Remedy(f"Set the environment variable {address.key_variable}")
            return variable, Remedy("Store a key, in a terminal", command)
        return (Remedy("Store a key for this host, in a terminal", command),)

    def store_key(self, key: str) -> str:
        """Store a key for the host in use, and return where it is stored.

        Raises
        ------
        SettingError
            When this provider uses no key, or no request can carry this one.
        """
        return self.keys.store(self.name, self._host_with_key(), key)

    def forget_key(self) -> bool:
        """Delete the stored key of the host in use, and return whether there was one.

        Raises
        ------
        SettingError
            When this provider uses no key, or the keyring refuses.
        """
        return self.keys.forget(self.name, self._host_with_key())

    def _host_with_key(self) -> str:
        address = self.address()
        if address is None or not address.key_variable:
            raise SettingError(f"{self.name} uses no key.")
        return address.host

    def secrets(self) -> dict[str, Key]:
        """Return the secrets that no report may show, each with a name for it."""
        try:
            key = self.try_key()
        except BuddyError:
            return {}
        return {"API key": key} if key else {}

    # State

    async def check(self, announce: Announce) -> AsyncIterator[Check]:
        """Examine the connection, and yield what each step finds.

        ``/doctor`` runs this before it lists the models and asks a tiny question. A
        check that failed ends the examination. By default the address is shown and the
        key is looked up.

        Parameters
        ----------
        announce
            Called with what is waited for from now on.
        """
        try:
            address = self.address()
        except BuddyError as error:
            yield failed_check("address", error)
            return
        if address is None:
            return
        yield Check("address", True, address.url)
        if address.key_variable:
            announce("looking up the key")
            try:
                await asyncio.to_thread(self.find_key)
            except BuddyError as error:
                yield failed_check("key", error)
            else:
                yield Check("key", True, "a key is there")

    async def is_loading(self) -> bool:
        """Return whether the server reports that it is still loading its model."""
        return False

    async def is_model_loading(self, model: str) -> bool | None:
        """Return whether a model that was asked is being loaded; None if that is not
        known.
        """
        return None

    async def instead(self, error: Unreachable) -> Unreachable:
        """Return the error to show when nothing answers, with other servers to use if
        any are known; none of them is used automatically.
        """
        return error

    async def settle(self) -> None:
        """Find out within half a second where requests go, for `where` to return it."""

    def warm(self) -> None:
        """Do slow work that contacts no server, such as imports; runs in a background
        thread.
        """

    async def close(self) -> None:
        """Release what the provider holds: connections, processes."""
