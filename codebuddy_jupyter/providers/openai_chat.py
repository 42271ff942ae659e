"""A server that speaks OpenAI's Chat Completions, over the ``openai`` package.

It knows the protocol and no vendor. The body of a reply is read by `ChatStream` and not
by openai's own stream, which yields nothing, and raises no error, for a body that is
not a stream, and takes a truncated one for complete.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Any, ClassVar

from traitlets import Float, Int, TraitError, Unicode, validate

from .. import errors
from ..errors import Remedy
from ..keys import Key
from ..messages import Chunk, Model, Request
from .base import Address, Provider
from .chat_request import chat_request, encodable
from .checks import Announce, Check
from .connection_check import ConnectionCheck
from .http import error_lines
from .http.address import normalise_base_url
from .http.chat_stream import ChatStream
from .http.probe import probing
from .http.server_error import ErrorResponse, as_mapping, parsed
from .http.timeouts import Deadline, Retries, TimedOut
from .http.transport import Access, connection_errors, http_library, load_openai
from .openai_client import ClientPool, new_client, reason_of, translated

# Seconds to wait for the names of the models, which an error then lists.
NAMES_TIMEOUT = 5.0
# Seconds to wait for the end of a body after [DONE].
END_TIMEOUT = 0.1
# Seconds to wait for a server that may be loading its model.
LOADING_TIMEOUT = 5.0
# Bytes of one reply. A reply of 128,000 tokens, each in an event of its own, has half.
MOST_BODY = 64 << 20
# The fields of a request that are never left out.
REQUIRED_FIELDS = frozenset({"model", "messages", "stream"})
NO_USAGE = (
    "This server does not count tokens while streaming: it refused stream_options."
)


class OpenAIChatProvider(Provider):
    """A server that speaks OpenAI's Chat Completions."""

    base_url = Unicode(
        "", help="Address of the server, such as http://localhost:11434/v1."
    ).tag(config=True, affects="target")
    connect_timeout = Float(
        5.0, min=0.1, help="Seconds to wait for the connection."
    ).tag(config=True, label="Connect timeout (s)")
    first_token_timeout = Float(
        600.0,
        min=0.1,
        help=(
            "Seconds to wait for the first token of an answer. A model that is not "
            "loaded yet can take minutes."
        ),
    ).tag(config=True, label="First token timeout (s)")
    next_token_timeout = Float(
        300.0, min=0.1, help="Seconds to wait for each next token of an answer."
    ).tag(config=True, label="Next token timeout (s)")
    total_timeout = Float(
        3600.0, min=0.1, help="Seconds that a complete answer may take."
    ).tag(config=True, label="Total timeout (s)")
    retries = Int(
        2,
        min=0,
        max=10,
        help="Number of retries if the server cannot be reached or reports that it is busy.",
    ).tag(config=True)

    max_tokens_field: ClassVar[str] = "max_tokens"
    """The field in which the server expects the maximum length of the reply."""

    def __init__(self, **kwargs: Any) -> None:
        self._clients = ClientPool()
        self._refused_fields: dict[tuple[str, str], set[str]] = {}
        super().__init__(**kwargs)

    @validate("base_url")
    def _base_url_is_right(self, proposal: Mapping[str, Any]) -> str:
        text: str = proposal["value"]
        try:
            normalise_base_url(text)
        except ValueError as error:
            raise TraitError(str(error)) from error
        return text

    # What a subclass may override

    @property
    def url(self) -> str:
        """The base URL as it is used.

        Raises
        ------
        SettingError
            When none is set.
        """
        if self.base_url:
            return normalise_base_url(self.base_url)
        owner = type(self).__name__
        setting = f'%config {owner}.base_url = "http://HOST:PORT/v1"'
        raise errors.SettingError("No address is set.", Remedy("Set one", setting))

    def address(self) -> Address | None:
        """Return the address that requests go to."""
        return Address(self.url, self.key_variable, is_setting=True)

    async def endpoint(self) -> tuple[str, Key]:
        """Return the base URL and the key to use now."""
        # A keyring may ask the user to unlock it.
        key = await asyncio.to_thread(self.find_key)
        return self.url, key

    def body(self, request: Request) -> dict[str, Any]:
        """Return the JSON of a request."""
        return chat_request(request, self.max_tokens_field)

    def path(self, model: str) -> str:
        """Return where a request for a model goes: a path below the base URL, or a
        complete URL.
        """
        return "/chat/completions"

    def reading(self, model: str) -> ChatStream:
        """Return the parser for the body of a model's reply."""
        return ChatStream()

    def access(self, url: str, key: Key) -> Access:
        """Return how to reach the server."""
        return Access(
            url,
            key,
            offline=self.offline,
            allowed=self.allowed_hosts,
            offline_reason=self.offline_reason,
        )

    def read_model(self, entry: Mapping[str, Any]) -> Model:
        """Return a model from an entry of the server's list."""
        return Model(str(entry.get("id") or entry.get("name") or ""))

    def remedies(self) -> tuple[Remedy, ...]:
        """Return what the user can do when nothing answers."""
        local = Remedy("Ask a model on this machine", "%buddy /use Local")
        return Remedy("Check the network connection"), local

    def trust(self) -> Remedy:
        """Return how to trust the server's certificate."""
        return Remedy(
            "If you trust its certificate, name the file of its authority in "
            "SSL_CERT_FILE and ask again"
        )

    def forget(self, error: errors.ProviderError) -> None:
        """Forget what may no longer be true of the server after this error."""

    # The contract

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Send a request and yield the chunks of the reply; see `Provider.stream`."""
        server = await self.server()
        body = encodable(self.body(request))
        for field in self._refused_fields.get((server.url, request.model), ()):
            body.pop(field, None)
        async with aclosing(self._stream(server, body)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def models(self) -> list[Model]:
        """Return the models that the server lists."""
        server = await self.server()
        answer = await self.get(server, "/models")
        entries = answer.get("data") if isinstance(answer, Mapping) else answer
        # An Ollama without models sends null.
        if entries is None and "data" in as_mapping(answer):
            entries = []
        if not isinstance(entries, list):
            raise error_lines.no_models(server, answer)
        models = [self.read_model(as_mapping(entry)) for entry in entries]
        return [model for model in models if model.name]

    def check(self, announce: Announce) -> AsyncIterator[Check]:
        """Examine the connection from the address to the key; see `Provider.check`."""
        return ConnectionCheck(self, announce).run()

    async def is_loading(self) -> bool:
        """Return whether the server reports that it is still loading its model."""
        server = await self.server()
        async with probing(server.access, LOADING_TIMEOUT) as probe:
            answer = await probe.get(f"{server.url}/models")
        return ErrorResponse(answer.body, answer.status).is_loading()

    def warm(self) -> None:
        """Import what the first request needs, and look up the key."""
        new_client(Access("http://localhost/v1"))
        # openai waits on anyio, which loads most of itself when it first runs.
        anyio = importlib.import_module("anyio")
        anyio.run(anyio.sleep, 0)
        with suppress(errors.BuddyError):
            self.find_key()

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    # Requests

    async def server(self) -> error_lines.Server:
        """Return the server that a request would go to now.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            When requests may not leave this machine, or the key is missing.
        """
        url, key = await self.endpoint()
        access = self.access(url, key)
        access.check(url)
        return error_lines.Server(
            provider=self.name,
            owner=type(self).__name__,
            url=url,
            key=key,
            remedies=self.remedies(),
            key_remedies=self.key_remedies(),
            access=access,
            trust=self.trust(),
        )

    async def get(self, server: error_lines.Server, path: str) -> Any:
        """Return what the server has at a path below the base URL, or at a complete
        URL: parsed JSON, or text.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            When the request fails.
        """
        deadline = self._deadline()
        retries = Retries(self.retries, self.first_token_timeout)
        while True:
            try:
                return await self._get_once(server, path, deadline)
            except (ErrorResponse, errors.NoReply, errors.Unreachable) as error:
                retry = retries.try_again(error)
                if retry is not None:
                    await asyncio.sleep(retry.seconds)
                elif isinstance(error, ErrorResponse):
                    raise error_lines.refused(server, error) from error.__cause__
                else:
                    raise

    async def _get_once(
        self, server: error_lines.Server, path: str, deadline: Deadline
    ) -> Any:
        options: Any = {"timeout": self._timeout()}
        async with self._clients.client(server.access) as client:
            request = client.get(path, cast_to=http_library().Response, options=options)
            response = await translated(server, request, deadline)
        return parsed(response.content)

    async def _stream(
        self, server: error_lines.Server, body: dict[str, Any]
    ) -> AsyncGenerator[Chunk, None]:
        model = str(body["model"])
        deadline = self._deadline()
        async with (
            self._clients.client(server.access) as client,
            aclosing(self._post(client, server, body, deadline)) as answers,
        ):
            try:
                async for answer in answers:
                    if isinstance(answer, Chunk):
                        yield answer
                        continue
                    reply = self._read(server, answer, model, deadline)
                    async with aclosing(reply) as chunks:
                        async for chunk in chunks:
                            yield chunk
            except errors.ProviderError as error:
                self.forget(error)
                raise

    async def _post(
        self,
        client: Any,
        server: error_lines.Server,
        body: dict[str, Any],
        deadline: Deadline,
    ) -> AsyncGenerator[Any, None]:
        """Send a request, again if that may help.

        Yields a Chunk for each note to the user, then the response of the http library,
        its body not yet read.
        """
        seconds = min(self.first_token_timeout, self.total_timeout)
        retries = Retries(self.retries, seconds)
        while True:
            try:
                response = await self._post_once(client, server, body, deadline)
                break
            except (ErrorResponse, errors.NoReply, errors.Unreachable) as error:
                note = self._leave_out(server, body, error)
                if note:
                    yield Chunk(note=note)
                    continue
                retry = retries.try_again(error)
                if retry is None:
                    failure = await self._failure(server, error, str(body["model"]))
                    raise failure from error.__cause__
                if retry.note:
                    yield Chunk(note=retry.note)
                await asyncio.sleep(retry.seconds)
        try:
            yield response
        finally:
            await response.aclose()

    async def _post_once(
        self,
        client: Any,
        server: error_lines.Server,
        body: dict[str, Any],
        deadline: Deadline,
    ) -> Any:
        request = client.post(
            self.path(str(body["model"])),
            body=body,
            options={"timeout": self._timeout()},
            cast_to=http_library().Response,
            stream=True,
            stream_cls=load_openai().AsyncStream[object],
        )
        return await translated(server, request, deadline)

    def _leave_out(
        self, server: error_lines.Server, body: dict[str, Any], error: Exception
    ) -> str:
        """Remove from the body the field that the server refuses, if that is the error,
        and return a note for the user.
        """
        if not isinstance(error, ErrorResponse):
            return ""
        optional = [field for field in body if field not in REQUIRED_FIELDS]
        field = error.refused_field(optional)
        if field is None:
            return ""
        del body[field]
        url_and_model = (server.url, str(body["model"]))
        refused = self._refused_fields.setdefault(url_and_model, set())
        refused.add(field)
        if field == "stream_options":
            return NO_USAGE
        return f"This server does not support {field}, so it was left out."

    async def _read(
        self, server: error_lines.Server, response: Any, model: str, deadline: Deadline
    ) -> AsyncGenerator[Chunk, None]:
        """Read the body of a response, and raise an error if it is not a complete reply."""
        reading = self.reading(model)
        try:
            pieces = self._pieces(server, response, reading, deadline)
            async with aclosing(pieces) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ErrorResponse as error:
            raise await self._refused(server, error, model) from error
        except TimedOut as late:
            if reading.began:
                raise error_lines.reply_timed_out(server, late) from late
            raise error_lines.too_slow(server, late) from late
        except connection_errors() as error:
            if not reading.is_complete:
                reason = reading.other or reason_of(error)
                raise error_lines.cut_off(server, reason) from error
        if not reading.began:
            response_error = ErrorResponse(reading.other)
            is_object = isinstance(response_error.body, Mapping)
            if is_object and response_error.is_overflow():
                raise error_lines.refused(server, response_error, model)
            raise error_lines.no_reply(server, response.status_code, reading.other)
        if not reading.is_complete:
            raise error_lines.cut_off(server, reading.other)

    async def _pieces(
        self,
        server: error_lines.Server,
        response: Any,
        reading: ChatStream,
        deadline: Deadline,
    ) -> AsyncGenerator[Chunk, None]:
        size = 0
        async with aclosing(response.aiter_bytes()) as body:
            while data := await deadline.within(anext(body, b"")):
                size += len(data)
                if size > MOST_BODY:
                    raise error_lines.too_much(server, MOST_BODY)
                for chunk in reading.feed(data):
                    deadline.tick()
                    yield chunk
                if reading.done:
                    await _read_end(body)
                    break
        for chunk in reading.flush():
            yield chunk

    async def _failure(
        self,
        server: error_lines.Server,
        error: ErrorResponse | errors.ProviderError,
        model: str,
    ) -> errors.ProviderError:
        if isinstance(error, ErrorResponse):
            return await self._refused(server, error, model)
        return error

    async def _refused(
        self, server: error_lines.Server, error: ErrorResponse, model: str
    ) -> errors.ProviderError:
        """Return the error for an error response, with the models that there are if
        this one is missing.
        """
        names: list[str] = []
        if error.is_missing_model():
            # If the list fails, too, the error does without the names.
            with suppress(errors.ProviderError, TimeoutError):
                async with asyncio.timeout(NAMES_TIMEOUT):
                    names = [offered.name for offered in await self.models()]
        return error_lines.refused(server, error, model, names)

    def _deadline(self) -> Deadline:
        return Deadline(
            self.first_token_timeout, self.next_token_timeout, self.total_timeout
        )

    def _timeout(self) -> Any:
        """Return the timeout of the http library: `Deadline` keeps all but that of the
        connection.
        """
        return load_openai().Timeout(None, connect=self.connect_timeout)


async def _read_end(body: AsyncIterator[bytes]) -> None:
    """Read past ``[DONE]`` to the end that HTTP knows, so that the connection can be
    used again. A connection that breaks here has delivered the whole reply.
    """
    with suppress(TimeoutError, *connection_errors()):
        async with asyncio.timeout(END_TIMEOUT):
            await anext(body, b"")
