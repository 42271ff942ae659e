"""The provider contract.

A provider turns a Request into Chunks; this room talks to no server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

from traitlets import Float, Int, Unicode

from ..errors import SettingError, Unreachable
from ..messages import Chunk, Model, Progress, Request
from ..settings import Configured


class Provider(Configured):
    """Where answers come from.

    A subclass writes ``stream``, and the other methods where it knows more.

    All methods are coroutines of the background loop. The class is registered under its
    name by an entry point in the group ``codebuddy_jupyter.providers``.
    """

    label: ClassVar[str] = ""
    """What a person sees in a list of providers."""

    model = Unicode(
        "", help="The model that is asked. Empty: the provider's own choice."
    ).tag(config=True, affects="target")
    temperature = Float(
        None,
        allow_none=True,
        min=0.0,
        max=2.0,
        help="How freely the model picks its words; empty: the server's default.",
    ).tag(config=True)
    max_tokens = Int(
        None,
        allow_none=True,
        min=1,
        help="The longest reply, in tokens; empty: the server's default.",
    ).tag(config=True)
    offline = False
    """Whether requests must stay on this machine; the Buddy sets it before each
    request.
    """
    allowed_hosts: tuple[str, ...] = ()
    """The hosts that may be reached all the same; the Buddy sets them before each
    request.
    """

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Ask, and give the chunks of the reply as they come.

        Closing the iterator closes the connection, so that the server stops.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            In every case that is no whole reply; the chunks given before stay valid.
        """
        raise NotImplementedError

    async def models(self) -> list[Model]:
        """The models that can be asked now."""
        return [Model(self.model)] if self.model else []

    async def catalogue(self) -> list[Model]:
        """The models with all that can be known of each, for a person; that may take a
        request for each.
        """
        return await self.models()

    async def choose(self, model: str) -> str:
        """The name of the model to ask, where ``model`` is what the user asked for, or
        empty.

        Raises
        ------
        SettingError
            When there is no telling.
        """
        if not (model or self.model):
            raise SettingError(
                f'No model is set. Set one: %config {type(self).__name__}.model = "NAME"'
            )
        return model or self.model

    async def window(self, model: str) -> int | None:
        """How many tokens the model can see, prompt and reply together; None where
        nobody tells.
        """
        return None

    async def count(self, model: str, text: str) -> int | None:
        """How many tokens a text has, by the server's own tokenizer; None where it has
        none that can be asked.
        """
        return None

    async def abilities(self, model: str) -> tuple[str, ...]:
        """What a model can do, as `Model.abilities`; nothing where nobody tells."""
        return next(
            (
                offered.abilities
                for offered in await self.catalogue()
                if offered.name == model
            ),
            (),
        )

    async def prepare(self, model: str, progress: Progress) -> None:
        """Make ready what a first request would wait for, such as a download, when the
        user switches to ``model``.

        ``progress`` is called with what is being done, and how many bytes of how many
        are done.
        """

    def widen(self, model: str, tokens: int) -> str:
        """The command that gives a model a window of so many tokens; empty where none
        is known.
        """
        return ""

    async def pull(self, model: str, progress: Progress) -> None:
        """Have the server fetch a model; ``progress`` is as for `prepare`.

        Raises
        ------
        SettingError
            When it is not one that fetches models.
        """
        raise SettingError(
            f"{self.label or type(self).__name__} cannot be told to fetch a model."
        )

    async def load(self, model: str) -> None:
        """Have the server load a model.

        Raises
        ------
        SettingError
            When it is not one that can be told so.
        """
        raise SettingError(
            f"{self.label or type(self).__name__} cannot be told to load a model."
        )

    async def unload(self, model: str) -> None:
        """Have the server free the memory that a model takes.

        Raises
        ------
        SettingError
            When it is not one that can be told so.
        """
        raise SettingError(
            f"{self.label or type(self).__name__} cannot be told to unload a model."
        )

    async def load_ahead(self, model: str) -> None:
        """Have the model loaded before the first question, if the settings say so; what
        goes wrong, that will say.
        """

    async def instead(self, error: Unreachable) -> Unreachable:
        """The error for the user, with what else could be asked where that is known;
        nobody else is asked by itself.
        """
        return error

    async def settle(self) -> None:
        """Make sure of where requests go, so that `where` tells it, as far as that is
        known within half a second.
        """

    def warm(self) -> None:
        """Do ahead what takes long and asks nobody, such as slow imports; runs in a
        background thread.
        """

    async def close(self) -> None:
        """Give back what the provider holds: connections, processes."""

    def where(self) -> str:
        """Where requests go, for a person: a URL, say."""
        return self.label or type(self).__name__

    def stays_here(self) -> bool:
        """Whether requests are known to stay on this machine."""
        return False
