"""A server that speaks OpenAI's Chat Completions, over the ``openai`` package.

It knows the protocol and no vendor. The body of a reply is read by `ChatStream` and not
by openai's own stream, which yields nothing, and raises no error, for a body that is
not a stream, and takes a truncated one for complete.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from traitlets import Float, Int, TraitError, Unicode, validate

from .. import errors
from ..errors import Remedy
from ..messages import Chunk, Infill, Model, Request
from ..settings.keys import Key
from .adaptation import Adaptations
from .base import Address, Provider
from .chat_request import chat_request, encodable
from .checks import Announce, Check
from .connection_check import ConnectionCheck
from .http import error_lines
from .http.address import (
    host_of,
    login_of,
    normalise_base_url,
    query_of,
    secrets_in_query,
    without_login,
)
from .http.chat_stream import ChatStream
from .http.infill import InfillWay
from .http.probe import probing
from .http.server_error import ErrorResponse, as_mapping, parsed
from .http.timeouts import Deadline, Retries, TimedOut
from .http.transport import (
    NO_LOGIN,
    Access,
    connection_errors,
    http_library,
    load_openai,
)
from .infilling import Infilling, find_suffix
from .openai_client import ClientPool, new_client, reason_of, translated

# Seconds to wait for the names of the models, which an error then lists.
NAMES_TIMEOUT = 5.0
# Seconds to wait for the end of a body after [DONE].
END_TIMEOUT = 0.1
# Seconds to wait for a server that may be loading its model.
LOADING_TIMEOUT = 5.0
# Bytes of one reply. A reply of 128,000 tokens, each in an event of its own, has half.
MOST_BODY = 64 << 20


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
    takes_schemas: ClassVar[bool] = True
    """Whether the server takes JSON schemas; otherwise it is asked for any JSON."""

    def __init__(self, **kwargs: Any) -> None:
        self._clients = ClientPool()
        self._adaptations = Adaptations()
        self.infilling = Infilling(self)
        # User names and passwords of base URLs, by host.
        self._logins: dict[str, Key] = {}
        super().__init__(**kwargs)

    @validate("base_url")
    def _base_url_is_right(self, proposal: Mapping[str, Any]) -> str:
        return self._checked_url(proposal["value"])

    def _checked_url(self, text: str) -> str:
        """Return a base URL that can be used, without its user name and password."""
        try:
            url = normalise_base_url(text)
        except ValueError as error:
            raise TraitError(str(error)) from error
        login = login_of(text)
        if not login:
            return text
        # It is neither shown nor saved, and sent to this host only.
        self._logins[host_of(url)] = Key(login)
        return without_login(text)

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
        return chat_request(
            request, self.max_tokens_field, takes_schemas=self.takes_schemas
        )

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
        name = entry.get("id") or entry.get("name") or ""
        return Model(str(name))

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
        self.infilling.forget()

    async def find_infill(
        self, server: error_lines.Server, model: str
    ) -> InfillWay | None:
        """Find out by short requests how a model is asked for the text between two
        others; None if it cannot do that.
        """
        return await find_suffix(server, model)

    def infill_window(self, model: str) -> int:
        """Return the context window in tokens that a request for the text between two
        others names; 0: none.
        """
        return 0

    # The contract

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Send a request and yield the chunks of the reply; see `Provider.stream`."""
        server = await self.server()
        body = encodable(self.body(request))
        self._adaptations.apply(server.url, body)
        async with aclosing(self._stream(server, body)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def infill(self, request: Infill) -> AsyncIterator[Chunk]:
        """Write what stands between two texts; see `Provider.infill`."""
        async with aclosing(self.infilling.run(request)) as chunks:
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

    async def is_offered(self, model: str) -> bool | None:
        """Return whether the server lists a model; None if it lists none in time."""
        names: list[str] = []
        # An engine without an address has no list.
        if self.address() is not None:
            with suppress(errors.BuddyError, TimeoutError):
                async with asyncio.timeout(NAMES_TIMEOUT):
                    names = [offered.name for offered in await self.models()]
        if not names:
            return None
        return any(_is_name_of(model, name) for name in names)

    def check(self, announce: Announce) -> AsyncIterator[Check]:
        """Examine the connection from the address to the key; see `Provider.check`."""
        return ConnectionCheck(self, announce).run()

    def secrets(self) -> dict[str, Key]:
        """Return the key, the passwords of base URLs, and secrets in their query."""
        secrets = super().secrets()
        for host, login in self._logins.items():
            secrets[f"password for {host}"] = Key(login.partition(":")[2])
        for name, value in secrets_in_query(query_of(self.base_url)).items():
            secrets[name] = Key(value)
        return secrets

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
        access = replace(
            self.access(url, key),
            login=self._logins.get(host_of(url), NO_LOGIN),
            query=query_of(self.base_url),
        )
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
            has_headers=self.has_trait("headers"),
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
                    raise error_lines.error_reply(server, error) from error.__cause__
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

    async def post_once(
        self,
        server: error_lines.Server,
        path: str,
        body: dict[str, Any],
        reading: ChatStream,
    ) -> AsyncGenerator[Chunk, None]:
        """Send a request to a path as it is, and yield the chunks of the reply. It is
        sent again only if the connection was gone.

        Raises
        ------
        ErrorResponse
            If the server refuses it before any part of a reply.
        codebuddy_jupyter.errors.ProviderError
            For all other failures.
        """
        deadline = self._deadline()
        model = str(body["model"])
        async with self._clients.client(server.access) as client:
            try:
                response = await self._post_once(client, server, path, body, deadline)
            except errors.NoReply:
                # A pooled connection that the server closed at that moment.
                response = await self._post_once(client, server, path, body, deadline)
            reply = self._read(server, response, reading, model, deadline)
            try:
                async with aclosing(reply) as chunks:
                    async for chunk in chunks:
                        yield chunk
            finally:
                await response.aclose()

    async def _stream(
        self, server: error_lines.Server, body: dict[str, Any]
    ) -> AsyncGenerator[Chunk, None]:
        deadline = self._deadline()
        async with self._clients.client(server.access) as client:
            try:
                # Each round leaves something out that the one before had.
                while True:
                    attempt = self._attempt(client, server, body, deadline)
                    try:
                        async with aclosing(attempt) as chunks:
                            async for chunk in chunks:
                                yield chunk
                        return
                    except ErrorResponse as error:
                        yield Chunk(note=await self._adapt(server, body, error))
            except errors.ProviderError as error:
                self.forget(error)
                raise

    async def _adapt(
        self, server: error_lines.Server, body: dict[str, Any], error: ErrorResponse
    ) -> str:
        """Change a request that was refused so that the server takes it, and return a
        line for the user.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            If the request cannot be made otherwise.
        """
        note = self._adaptations.learn(server.url, body, error)
        if note:
            return note
        failure = await self._refused(server, error, str(body["model"]))
        raise failure from error.__cause__

    async def _attempt(
        self,
        client: Any,
        server: error_lines.Server,
        body: dict[str, Any],
        deadline: Deadline,
    ) -> AsyncGenerator[Chunk, None]:
        """Send a request once as it is, and yield the chunks of the reply.

        Raises
        ------
        ErrorResponse
            If the server refuses it before any part of a reply.
        codebuddy_jupyter.errors.ProviderError
            For all other failures.
        """
        model = str(body["model"])
        async with aclosing(self._post(client, server, body, deadline)) as answers:
            async for answer in answers:
                if isinstance(answer, Chunk):
                    yield answer
                    continue
                reading = self.reading(model)
                reading.has_several = body.get("n", 1) not in (None, 1)
                reply = self._read(server, answer, reading, model, deadline)
                async with aclosing(reply) as chunks:
                    async for chunk in chunks:
                        yield chunk

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
                path = self.path(str(body["model"]))
                response = await self._post_once(client, server, path, body, deadline)
                break
            except (ErrorResponse, errors.NoReply, errors.Unreachable) as error:
                retry = retries.try_again(error)
                if retry is None:
                    raise
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
        path: str,
        body: dict[str, Any],
        deadline: Deadline,
    ) -> Any:
        request = client.post(
            path,
            body=body,
            options={"timeout": self._timeout()},
            cast_to=http_library().Response,
            stream=True,
            stream_cls=load_openai().AsyncStream[object],
        )
        return await translated(server, request, deadline)

    async def _read(
        self,
        server: error_lines.Server,
        response: Any,
        reading: ChatStream,
        model: str,
        deadline: Deadline,
    ) -> AsyncGenerator[Chunk, None]:
        """Read the body of a response, and raise an error if it is not a complete reply."""
        try:
            pieces = self._pieces(server, response, reading, deadline)
            async with aclosing(pieces) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ErrorResponse as error:
            if not reading.began:
                raise
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
                raise response_error
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
        return error_lines.error_reply(server, error, model, names)

    def _deadline(self) -> Deadline:
        return Deadline(
            self.first_token_timeout, self.next_token_timeout, self.total_timeout
        )

    def _timeout(self) -> Any:
        """Return the timeout of the http library: `Deadline` keeps all but that of the
        connection.
        """
        return load_openai().Timeout(None, connect=self.connect_timeout)


def _is_name_of(typed: str, listed: str) -> bool:
    """Return whether a name that was typed means a model as a server lists it: in any
    case, without the tag ``:latest`` or the date of a version, with a variant that only
    a gateway knows, or by a pattern.
    """
    typed = typed.lower().removeprefix("models/")
    listed = listed.lower().removeprefix("models/")
    stem = re.escape(typed.removesuffix("-latest"))
    is_variant = typed.rpartition(":")[0] == listed
    is_version = re.fullmatch(rf"{stem}(?::latest|-\d{{4}}[-\d]*)?", listed) is not None
    return is_variant or is_version or (typed == listed) or fnmatchcase(typed, listed)


async def _read_end(body: AsyncIterator[bytes]) -> None:
    """Read past ``[DONE]`` to the end that HTTP knows, so that the connection can be
    used again. A connection that breaks here has delivered the whole reply.
    """
    with suppress(TimeoutError, *connection_errors()):
        async with asyncio.timeout(END_TIMEOUT):
            await anext(body, b"")
