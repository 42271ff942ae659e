"""What a kind of server must declare: how it is recognised, what it reports about its
models, and the commands that help with it.

To add a kind, write a subclass of `Kind` in a file of its own and list it in `KINDS`.
A server that only lists model names needs a few attributes::

    class MyServer(Kind):
        name = "My Server"
        ports = (5555,)
        owners = ("my-server",)  # `owned_by` in its list of models
        start_command = "my-server serve"
        widen_command = "my-server serve --model {model} --ctx-size {tokens}"

A server that reports more overrides `recognise` (version), `models` (context window,
abilities) and `count` (tokenizer).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from ...messages import Model, Progress, Request
from ..http.chat_stream import ChatStream
from ..http.infill import InfillWay, Suffix, find_marks, takes_suffix
from ..http.probe import Probe, ProbeAnswer
from ..http.server_error import ErrorResponse, as_mapping

_PARAMETERS = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?([KMBT])", re.IGNORECASE)
_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


class Kind:
    """A kind of server; the base class is an unknown OpenAI-compatible server.

    A `Probe` knows the base URL of the server's OpenAI-compatible API (``probe.url``)
    and where its own API begins (``probe.native_url``).

    Commands are for a terminal, or for a cell if they begin with ``%``; a server without
    a command line gives the menu path in its app instead. An empty command means there
    is none.
    """

    name: ClassVar[str] = "OpenAI-compatible server"
    ports: ClassVar[tuple[int, ...]] = ()
    """The ports that it uses by default: where to look for it, never proof of it."""
    path: ClassVar[str] = "/v1"
    """The path of its base URL."""
    owners: ClassVar[tuple[str, ...]] = ()
    """The ``owned_by`` of its models, if that is enough to recognise it."""
    example_model: ClassVar[str] = "llama3.2"
    """The name under which it downloads a small chat model."""

    start_command: ClassVar[str] = ""
    """The command that starts the server."""
    download_command: ClassVar[str] = ""
    """The command that downloads ``{model}``."""
    load_command: ClassVar[str] = ""
    """The command that loads ``{model}``."""
    widen_command: ClassVar[str] = ""
    """The command that gives ``{model}`` a context window of ``{tokens}`` tokens."""

    can_pull: ClassVar[bool] = False
    """Whether `pull` downloads a model."""
    can_load: ClassVar[bool] = False
    """Whether `load` loads a model."""
    can_unload: ClassVar[bool] = False
    """Whether `unload` unloads a model."""
    has_own_chat: ClassVar[bool] = False
    """Whether it is asked by a chat API of its own, which takes a context window; then
    `load` takes one as well, and `describe`, `loaded`, `chat_url`, `chat_body` and
    `chat_stream` are implemented.
    """

    keeps_prompts: ClassVar[bool] = False
    """Whether it keeps what it has read of a prompt for the next one that begins so."""
    chat_fields: ClassVar[Mapping[str, Any]] = {}
    """Fields that each chat request has, unless the user sets them."""

    async def recognise(self, probe: Probe) -> str | None:
        """Return the version of the server (empty if it reports none), or None if it is
        of another kind.
        """
        if self.owners and await self._owns_all_models(probe):
            return ""
        return None

    async def _owns_all_models(self, probe: Probe) -> bool:
        entries = await list_models(probe)
        if not entries:
            return False
        return all(entry.get("owned_by") in self.owners for entry in entries)

    async def models(
        self, probe: Probe, *, closely: bool = False
    ) -> list[Model] | None:
        """Return the models with what the server reports about each, or None if the
        plain list of names is all there is.

        Parameters
        ----------
        probe
            Sends requests to the server.
        closely
            Whether to report everything, which may take a request per model.
        """
        return None

    async def count(self, probe: Probe, model: str, text: str) -> int | None:
        """Return the number of tokens of a text, by the server's own tokenizer; None if
        the server offers none.
        """
        return None

    async def slots(self, probe: Probe, model: str) -> int | None:
        """Return how many requests the server answers at a time; None if it does not
        tell.
        """
        return None

    async def infill(self, probe: Probe, model: str) -> InfillWay | None:
        """Return how a model is asked for the text between two others, found out by
        short requests; None if it cannot do that.
        """
        if await takes_suffix(probe, model):
            return Suffix()
        return await find_marks(partial(self.count, probe, model))

    def command_to_download(self, model: str) -> str:
        """Return the command that downloads a model."""
        return self.download_command.format(model=model)

    def command_to_load(self, model: str) -> str:
        """Return the command that loads a model."""
        return self.load_command.format(model=model)

    def command_to_widen(self, model: str, tokens: int) -> str:
        """Return the command that gives a model a context window of so many tokens."""
        return self.widen_command.format(model=model, tokens=tokens)

    async def pull(self, probe: Probe, model: str, progress: Progress) -> None:
        """Download a model to the server.

        Raises
        ------
        ErrorResponse
            If the server refuses.
        ConnectionError
            If it does not answer, or not to the end.
        """
        raise NotImplementedError

    async def load(
        self, probe: Probe, model: str, seconds: float, num_ctx: int = 0
    ) -> None:
        """Load a model; for the errors see `pull`.

        Parameters
        ----------
        probe, model
            Sends requests to the server; the model to load.
        seconds
            How long that may take.
        num_ctx
            The context window in tokens, if `has_own_chat`; 0: the server's choice.
        """
        raise NotImplementedError

    async def unload(self, probe: Probe, model: str) -> None:
        """Free the memory that a model takes; for the errors see `pull`."""
        raise NotImplementedError

    async def describe(self, probe: Probe, model: str) -> Model:
        """Return what the server reports about a model, whether it is loaded or not; its
        context window is the one that it will be loaded with, if that is known.

        Raises
        ------
        ErrorResponse
            If the server does not have the model.
        """
        raise NotImplementedError

    async def loaded(self, probe: Probe, model: str) -> Model | None:
        """Return a model as it is loaded at this moment; None if it is not loaded."""
        raise NotImplementedError

    def chat_url(self, url: str) -> str:
        """Return where chat requests are sent; ``url`` is the base URL."""
        raise NotImplementedError

    def chat_body(self, request: Request, num_ctx: int) -> dict[str, Any]:
        """Return the JSON of a chat request with a context window of so many tokens; 0:
        the server's choice.
        """
        raise NotImplementedError

    def chat_stream(self) -> ChatStream:
        """Return the parser of the reply to such a request."""
        raise NotImplementedError


@dataclass(frozen=True)
class FoundServer:
    """The server at an address.

    Parameters
    ----------
    kind
        Its kind.
    url
        Its base URL.
    version
        Its version; empty if it reports none.
    """

    kind: Kind
    url: str
    version: str = ""


async def list_models(probe: Probe) -> list[Mapping[str, Any]] | None:
    """Return the entries of the OpenAI-compatible list of models, or None if there is
    none.
    """
    answer = await probe.get(f"{probe.url}/models")
    return answer.list_of("data")


def model_name(entry: Mapping[str, Any]) -> str:
    """Return the name in an entry of the OpenAI-compatible list of models."""
    return str(entry.get("id") or "")


def positive(value: Any) -> int | None:
    """Return a number above zero as servers write it, or None for anything else."""
    # True is an int, too.
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    if value <= 0:
        return None
    return value


def parameter_count(value: object) -> int | None:
    """Return a number of parameters that is written as ``8.2B`` or ``137M``, or None."""
    if not isinstance(value, str):
        return None
    match = _PARAMETERS.fullmatch(value)
    if match is None:
        return None
    unit = _UNITS[match[2].lower()]
    return round(float(match[1]) * unit)


def abilities(reported: object, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the abilities of a model under our names.

    Parameters
    ----------
    reported
        A list of the server's names; anything else counts as an empty one.
    names
        Our names, by the server's; what is not in it is left out.
    """
    if not isinstance(reported, list):
        return ()
    known = []
    for name in map(str, reported):
        ability = names.get(name)
        if ability and ability not in known:
            known.append(ability)
    return tuple(known)


def check_done(answer: ProbeAnswer) -> None:
    """Check that the server carried out a request.

    Raises
    ------
    ErrorResponse
        If it refused; some servers do that with status 200.
    ConnectionError
        If it did not answer in time.
    """
    if not answer.status:
        raise ConnectionError("the connection broke, or it took too long")
    if answer.status != 200 or as_mapping(answer.body).get("error"):
        raise ErrorResponse(answer.body, answer.status)
