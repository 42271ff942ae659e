"""The text between two others from a server: how it is asked is found out once for each
model, and remembered.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from .. import errors
from ..messages import Chunk, Infill
from .chat_request import encodable
from .http import error_lines
from .http.infill import InfillWay, Suffix, takes_suffix
from .http.probe import Probe, probing
from .http.server_error import ErrorResponse

if TYPE_CHECKING:
    from .openai_chat import OpenAIChatProvider

# Seconds to wait for each answer of a probe: a model reads a short prompt for it.
INFILL_TIMEOUT = 20.0


class Infilling:
    """Asks the server of a provider for the text between two others.

    Parameters
    ----------
    provider
        Sends the requests, and says how a server is asked.
    """

    def __init__(self, provider: OpenAIChatProvider) -> None:
        self._provider = provider
        # By base URL and model; None for a model that cannot do it.
        self._ways: dict[tuple[str, str], InfillWay | None] = {}

    def forget(self) -> None:
        """Forget how models are asked: another server may be there now."""
        self._ways.clear()

    async def run(self, request: Infill) -> AsyncGenerator[Chunk, None]:
        """Yield the chunks of the reply; see `Provider.infill`."""
        server = await self._provider.server()
        try:
            async with aclosing(self._run(server, request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except errors.NoInfill:
            raise
        except errors.ProviderError as error:
            self._provider.forget(error)
            raise

    async def _run(
        self, server: error_lines.Server, request: Infill
    ) -> AsyncGenerator[Chunk, None]:
        provider = self._provider
        model = request.model
        place = server.url, model
        if place not in self._ways:
            try:
                self._ways[place] = await provider.find_infill(server, model)
            except errors.NoReply:
                # A server can close a connection just when it is used again.
                self._ways[place] = await provider.find_infill(server, model)
        way = self._ways[place]
        if way is None:
            raise error_lines.no_infill(server, model)
        num_ctx = provider.infill_window(model)
        body = encodable(way.body(request, num_ctx))
        # It is not tried again: by then, the user has typed on.
        reply = provider.post_once(server, way.path(server.url), body, way.reading())
        try:
            async with aclosing(reply) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ErrorResponse as error:
            if error.refuses_infill():
                self._ways[place] = None
                raise error_lines.no_infill(server, model) from error
            raise error_lines.error_reply(server, error, model) from error


async def find_suffix(server: error_lines.Server, model: str) -> InfillWay | None:
    """Return `Suffix` if a server takes it, and None if not.

    Raises
    ------
    NoReply
        If the server does not answer.
    """
    async with probing(server.access, INFILL_TIMEOUT) as probe:
        way: InfillWay | None = None
        if await takes_suffix(probe, model):
            way = Suffix()
        return check_answered(server, probe, way)


def check_answered(
    server: error_lines.Server, probe: Probe, way: InfillWay | None
) -> InfillWay | None:
    """Return what was found out by a probe.

    Raises
    ------
    NoReply
        If nothing was found because some request was not answered.
    """
    if way is None and probe.missed_answer:
        raise error_lines.hung_up(server, "")
    return way
