"""What a kind of server is: how it is recognised, what it tells of its models, and the
commands that help with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ...messages import Model, Progress
from ..http.probe import Answer, Probe
from ..http.server_error import ErrorResponse, as_mapping


class Kind:
    """A server that nobody knows, which still works as a plain OpenAI-compatible one.

    A subclass writes what it knows.

    ``url`` is always the base URL of its OpenAI-compatible part. The remedies are
    commands to type, in a terminal unless they begin with ``%``; empty where there is
    none.
    """

    name: ClassVar[str] = "OpenAI-compatible server"
    ports: ClassVar[tuple[int, ...]] = ()
    """Where it listens unless told otherwise: candidates for a search, never proof."""
    path: ClassVar[str] = "/v1"
    """The path of its base URL."""
    example: ClassVar[str] = "llama3.2"
    """The name under which it fetches a small model that can chat."""
    can_pull: ClassVar[bool] = False
    can_load: ClassVar[bool] = False
    can_unload: ClassVar[bool] = False

    async def recognise(self, probe: Probe, url: str) -> str | None:
        """Its version (empty where it does not tell), or None if this is another kind."""
        return None

    async def models(
        self, probe: Probe, url: str, *, closely: bool = False
    ) -> list[Model] | None:
        """The models that can be asked, with what it tells of them; None where the
        plain list is all there is.

        ``closely`` is for a person: it may take a request for each model.
        """
        return None

    async def count(self, probe: Probe, url: str, model: str, text: str) -> int | None:
        """How many tokens a text has, by the server's own tokenizer; None where it has
        none that can be asked.
        """
        return None

    def start(self) -> str:
        """The command that starts the server."""
        return ""

    def fetch(self, model: str) -> str:
        """The command that fetches a model."""
        return ""

    def loading(self, model: str) -> str:
        """The command that loads a model."""
        return ""

    def widen(self, model: str, tokens: int) -> str:
        """The command that gives a model a window of so many tokens."""
        return ""

    async def pull(
        self, probe: Probe, url: str, model: str, progress: Progress
    ) -> None:
        """Fetch a model.

        Raises
        ------
        ErrorResponse
            When the server says why it cannot.
        ConnectionError
            When it does not answer, or not to the end.
        """
        raise NotImplementedError

    async def load(self, probe: Probe, url: str, model: str, seconds: float) -> None:
        """Load a model, which may take up to ``seconds``.

        Raises
        ------
        ErrorResponse
            When the server says why it cannot.
        ConnectionError
            When it does not answer, or not to the end.
        """
        raise NotImplementedError

    async def unload(self, probe: Probe, url: str, model: str) -> None:
        """Free the memory that a model takes.

        Raises
        ------
        ErrorResponse
            When the server says why it cannot.
        ConnectionError
            When it does not answer, or not to the end.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class FoundServer:
    """What a look at an address found: the kind of server, the base URL that works, its
    version where it tells.
    """

    kind: Kind
    url: str
    version: str = ""


def whole(value: Any) -> int | None:
    """A number above zero as servers write it, or None."""
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and value > 0
        else None
    )


def abilities(told: Iterable[Any], names: Mapping[str, str]) -> tuple[str, ...]:
    """Our names for what a model can do, from the server's; what we have no name for is
    left out.
    """
    return tuple(dict.fromkeys(names[name] for name in map(str, told) if name in names))


def done(answer: Answer | None) -> None:
    """See to it that an order was carried out.

    Raises
    ------
    ErrorResponse
        When the server says that it was not, which some do in an answer of 200.
    ConnectionError
        When it did not answer in time.
    """
    if answer is None:
        raise ConnectionError("it broke, or took too long")
    if answer.status != 200 or as_mapping(answer.body).get("error"):
        raise ErrorResponse(answer.body, answer.status)
