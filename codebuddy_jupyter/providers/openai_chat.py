"""Chat Completions over the ``openai`` package: a Request to JSON, the stream to
Chunks, foreign errors to ours.

It knows the protocol and no vendor. The body of a reply is read by `ChatStream` rather
than by openai's own stream: that gives nothing, and no error, for a body that is no
stream, and takes a broken one for a whole.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import socket
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from traitlets import Float, Int, TraitError, Unicode, validate

from .. import errors
from ..keys import Key, Keys
from ..messages import Chunk, Message, Model, Request
from .base import Provider
from .http import error_lines
from .http.address import host_of, is_loopback, normalise_base_url
from .http.chat_stream import ChatStream
from .http.server_error import ErrorResponse, as_mapping, parsed
from .http.timeouts import Deadline, Retries, TimedOut
from .http.transport import Access, broken, http_library, load_openai, new_http

if TYPE_CHECKING:
    import openai

T = TypeVar("T")
# seconds that the names of the models may take when they are to stand in an error
ASIDE = 5.0
# seconds that the end of a body may take after [DONE]
GRACE = 0.1
# bytes of one reply; a reply of 128,000 tokens, each in an event of its own, has half
# of that
MOST_BODY = 64 << 20
# the fields of a request without which there is none
NEEDED = {"model", "messages", "stream"}
NO_USAGE = "This server counts no tokens while it streams: it refused stream_options."


class OpenAIChatProvider(Provider):
    """A server that speaks OpenAI's Chat Completions."""

    base_url = Unicode(
        "", help="The address of the server, such as http://localhost:11434/v1."
    ).tag(config=True, affects="target")
    connect_timeout = Float(
        5.0, min=0.1, help="Seconds to wait for the connection."
    ).tag(config=True, label="Connecting")
    first_token_timeout = Float(
        600.0,
        min=0.1,
        help=(
            "Seconds to wait for the first piece of an answer; a cold model can "
            "take minutes to load."
        ),
    ).tag(config=True, label="First token")
    next_token_timeout = Float(
        300.0, min=0.1, help="Seconds to wait for each next piece of an answer."
    ).tag(config=True, label="Next token")
    total_timeout = Float(
        3600.0, min=0.1, help="Seconds that a whole answer may take."
    ).tag(config=True, label="Whole answer")
    retries = Int(
        2,
        min=0,
        max=10,
        help="How often a server is asked again that cannot be reached, or says that it is busy.",
    ).tag(config=True)

    key_variable: ClassVar[str] = ""
    """The environment variable that holds the key."""
    max_tokens_field: ClassVar[str] = "max_tokens"
    """The name under which the server takes the longest reply."""

    def __init__(self, **kwargs: Any) -> None:
        self.keys = Keys()
        self._clients: dict[tuple[object, Access, str], openai.AsyncOpenAI] = {}
        self._in_use: Counter[openai.AsyncOpenAI] = Counter()
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

    @property
    def name(self) -> str:
        """The name under which the provider is known."""
        return type(self).__name__.removesuffix("Provider")

    @property
    def url(self) -> str:
        """The base URL as it is used.

        Raises
        ------
        SettingError
            When none is set.
        """
        if not self.base_url:
            owner = type(self).__name__
            raise errors.SettingError(
                f'No address is set. Set one: %config {owner}.base_url = "http://HOST:PORT/v1"'
            )
        return normalise_base_url(self.base_url)

    def stays_here(self) -> bool:
        """Whether the host is this machine's loopback."""
        return is_loopback(self.url)

    def where(self) -> str:
        """Where requests go: the base URL as it is used."""
        return self.url

    # What a subclass may say otherwise

    async def endpoint(self) -> tuple[str, Key]:
        """The base URL and the key to use now."""
        # a keyring may ask to be unlocked
        return self.url, await asyncio.to_thread(self.find_key)

    def find_key(self) -> Key:
        """The key for the host in use.

        Raises
        ------
        KeyRefused
            When there is none.
        """
        host = host_of(self.url)
        key = self.keys.find(self.name, self.key_variable, host, self.own_host())
        if key is None:
            raise errors.KeyRefused(
                f"There is no key for {self.name} at {host}. {self._key_help(self.url)}"
            )
        return key

    def own_host(self) -> str:
        """The host that may see the key of the environment."""
        trait = self.traits().get("base_url")
        return host_of(trait.default_value) if trait and trait.default_value else ""

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON of a request."""
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [_message(message) for message in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.max_tokens is not None:
            body[self.max_tokens_field] = request.max_tokens
        return {**body, **request.extra}

    def path(self, model: str) -> str:
        """Where a request for a model goes: a path below the base URL, or a whole URL."""
        return "/chat/completions"

    def reading(self, model: str) -> ChatStream:
        """What reads the body of a model's reply."""
        return ChatStream()

    def access(self, url: str, key: Key) -> Access:
        """How to reach the server."""
        return Access(url, key, offline=self.offline, allowed=self.allowed_hosts)

    def read_model(self, entry: Mapping[str, Any]) -> Model:
        """A model out of the server's list."""
        return Model(str(entry.get("id") or entry.get("name") or ""))

    def remedy(self) -> str:
        """What to do when nothing answers."""
        return "Look at the network connection, or ask a model on this machine: %buddy /use Local"

    def trust_help(self) -> str:
        """How to trust the certificate of a server, as the end of a sentence."""
        return "name the file of its authority in SSL_CERT_FILE and ask again"

    def forget(self, error: errors.ProviderError) -> None:
        """Forget of the server what may not hold any more after this error."""

    # The contract

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Ask, and give the chunks of the reply as they come; see `Provider.stream`."""
        server = await self.server()
        body = _sendable(self.body(request))
        for field in self._refused_fields.get((server.url, request.model), ()):
            body.pop(field, None)
        async with (
            self._using(server) as client,
            aclosing(self._asking(client, server, body)) as chunks,
        ):
            async for chunk in chunks:
                yield chunk

    async def _asking(
        self,
        client: openai.AsyncOpenAI,
        server: error_lines.Server,
        body: dict[str, Any],
    ) -> AsyncGenerator[Chunk, None]:
        model = str(body["model"])
        clock = Deadline(
            self.first_token_timeout, self.next_token_timeout, self.total_timeout
        )
        patience = Retries(
            self.retries, min(self.first_token_timeout, self.total_timeout)
        )
        while True:
            try:
                response = await self._post(client, server, body, clock)
                break
            except (ErrorResponse, errors.NoReply, errors.Unreachable) as error:
                if note := self._leave_out(server, body, error):
                    yield Chunk(note=note)
                elif pause := patience.try_again(error):
                    if pause.note:
                        yield Chunk(note=pause.note)
                    await asyncio.sleep(pause.seconds)
                else:
                    failure = (
                        await self._refused(server, error, model)
                        if isinstance(error, ErrorResponse)
                        else error
                    )
                    self.forget(failure)
                    raise failure from error.__cause__
        try:
            async with aclosing(self._read(server, response, model, clock)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except errors.ProviderError as error:
            self.forget(error)
            raise
        finally:
            await response.aclose()

    def _leave_out(
        self, server: error_lines.Server, body: dict[str, Any], error: Exception
    ) -> str:
        """Take out of the body the field of which the server complains, if that is it;
        gives a line for the user.
        """
        fields = [field for field in body if field not in NEEDED]
        field = (
            error.refused_field(fields) if isinstance(error, ErrorResponse) else None
        )
        if field is None:
            return ""
        del body[field]
        self._refused_fields.setdefault((server.url, str(body["model"])), set()).add(
            field
        )
        return (
            NO_USAGE
            if field == "stream_options"
            else f"This server does not take {field}, so it was left out."
        )

    async def models(self) -> list[Model]:
        """The models that the server offers."""
        server = await self.server()
        answer = await self.get(server, "/models")
        entries = answer.get("data") if isinstance(answer, Mapping) else answer
        if not isinstance(entries, list):
            raise error_lines.no_models(server, answer)
        models = [self.read_model(entry) for entry in map(as_mapping, entries)]
        return [model for model in models if model.name]

    async def get(self, server: error_lines.Server, path: str) -> Any:
        """What the server has at a path below the base URL, or at a whole URL: parsed
        JSON, or text.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            When it cannot be had.
        """
        options: Any = {"timeout": self._timeout()}
        clock = Deadline(
            self.first_token_timeout, self.next_token_timeout, self.total_timeout
        )
        patience = Retries(self.retries, self.first_token_timeout)
        while True:
            try:
                async with self._using(server) as client:
                    request = client.get(
                        path, cast_to=http_library().Response, options=options
                    )
                    response = await self._translated(server, request, clock)
            except (ErrorResponse, errors.NoReply, errors.Unreachable) as error:
                if pause := patience.try_again(error):
                    await asyncio.sleep(pause.seconds)
                elif isinstance(error, ErrorResponse):
                    raise error_lines.refused(server, error) from error.__cause__
                else:
                    raise
            else:
                return parsed(response.content)

    def warm(self) -> None:
        """Import what the first request needs, and find the key."""
        _new_client(Access("http://localhost/v1"))
        # openai waits on it; it loads most of itself when it first runs
        anyio = importlib.import_module("anyio")
        anyio.run(anyio.sleep, 0)
        with suppress(errors.BuddyError):
            self.find_key()

    async def close(self) -> None:
        """Close the connections."""
        clients, self._clients = self._clients, {}
        for (loop, *_), client in clients.items():
            if loop is asyncio.get_running_loop():
                await client.close()

    # One request

    async def server(self) -> error_lines.Server:
        """Whom a request goes to now.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            Where requests may not leave this machine, or the key is missing.
        """
        url, key = await self.endpoint()
        access = self.access(url, key)
        access.check(url)
        owner = type(self).__name__
        help = (self.remedy(), self._key_help(url))
        return error_lines.Server(
            self.name, owner, url, key, *help, access, self.trust_help()
        )

    def _key_help(self, url: str) -> str:
        command = f"codebuddy key {self.name}"
        if self.key_variable and self.own_host() == host_of(url):
            return (
                f"Set the environment variable {self.key_variable}, or store a "
                f"key, in a terminal: {command}"
            )
        return f"Store a key for this host, in a terminal: {command}"

    async def _post(
        self,
        client: openai.AsyncOpenAI,
        server: error_lines.Server,
        body: dict[str, Any],
        clock: Deadline,
    ) -> Any:
        """The http library's response, its body not yet read."""
        options: Any = {"timeout": self._timeout()}
        how: dict[str, Any] = {
            "cast_to": http_library().Response,
            "stream": True,
            "stream_cls": load_openai().AsyncStream[object],
        }
        request = client.post(
            self.path(str(body["model"])), body=body, options=options, **how
        )
        return await self._translated(server, request, clock)

    async def _read(
        self, server: error_lines.Server, response: Any, model: str, clock: Deadline
    ) -> AsyncGenerator[Chunk, None]:
        reading = self.reading(model)
        size = 0
        try:
            async with aclosing(response.aiter_bytes()) as body:
                while data := await clock.within(anext(body, b"")):
                    size += len(data)
                    if size > MOST_BODY:
                        raise error_lines.too_much(server, MOST_BODY)
                    for chunk in reading.feed(data):
                        clock.tick()
                        yield chunk
                    if reading.done:
                        await _see_end(body)
                        break
            for chunk in reading.flush():
                yield chunk
        except ErrorResponse as complaint:
            raise await self._refused(server, complaint, model) from complaint
        except TimedOut as overdue:
            late = (
                error_lines.too_long_coming if reading.began else error_lines.too_slow
            )
            raise late(server, overdue) from overdue
        except broken() as error:
            if not reading.whole:
                raise error_lines.cut_off(
                    server, reading.other or _reason(error)
                ) from error
        if not reading.began:
            came = ErrorResponse(reading.other)
            if isinstance(came.body, Mapping) and came.is_overflow():
                raise error_lines.refused(server, came, model)
            raise error_lines.no_reply(server, response.status_code, reading.other)
        if not reading.whole:
            raise error_lines.cut_off(server, reading.other)

    async def _refused(
        self, server: error_lines.Server, complaint: ErrorResponse, model: str
    ) -> errors.ProviderError:
        names: list[str] = []
        if complaint.is_missing_model():
            # then the line does without their names
            with suppress(errors.ProviderError, TimeoutError):
                async with asyncio.timeout(ASIDE):
                    names = [offered.name for offered in await self.models()]
        return error_lines.refused(server, complaint, model, names)

    async def _translated(
        self, server: error_lines.Server, request: Awaitable[T], clock: Deadline
    ) -> T:
        """The outcome of a request to openai, its errors made ours or into an
        ErrorResponse.
        """
        ai = load_openai()
        try:
            return await clock.within(request)
        except TimedOut as overdue:
            raise error_lines.too_slow(server, overdue) from overdue
        except ai.APIStatusError as error:
            if error.status_code == 407 and server.access.proxy:
                raise error_lines.refused(server, _complaint(error)) from error
            raise _complaint(error) from (
                None if _tells_a_secret(error, server) else error
            )
        except (ai.APIConnectionError, *broken()) as error:
            cause = (
                error.__cause__ if isinstance(error, ai.APIConnectionError) else error
            )
            raise _no_answer(server, cause) from error

    def _timeout(self) -> Any:
        """The times of the http library: all but the connection's are kept by the
        `Clock`.
        """
        return load_openai().Timeout(None, connect=self.connect_timeout)

    def _client(self, server: error_lines.Server) -> openai.AsyncOpenAI:
        """The client for a server on the running loop; connections are kept between
        questions.
        """
        place = (asyncio.get_running_loop(), server.access, server.access.proxy)
        if place not in self._clients:
            self._clients = {
                old: client
                for old, client in self._clients.items()
                if old[0] is place[0]
            }
            self._clients[place] = _new_client(server.access)
        return self._clients[place]

    @asynccontextmanager
    async def _using(
        self, server: error_lines.Server
    ) -> AsyncIterator[openai.AsyncOpenAI]:
        """The client for one request; after one that failed it is closed with its last
        use, and not used again.

        httpx 0.28 can leave the connection of a cancelled request open, so that the
        server goes on for nobody (seen in 10 of 150 on a busy machine); closing the
        client closes whatever it has.
        """
        client = self._client(server)
        self._in_use[client] += 1
        try:
            yield client
        except ErrorResponse:
            # a whole answer
            raise
        except BaseException:
            # a cancelled request, too, leaves a connection that may not be used again
            self._clients = {
                place: kept
                for place, kept in self._clients.items()
                if kept is not client
            }
            raise
        finally:
            self._in_use[client] -= 1
            if not self._in_use[client]:
                del self._in_use[client]
                if client not in self._clients.values():
                    await client.close()


async def _see_end(body: AsyncIterator[bytes]) -> None:
    """Read on past ``[DONE]`` to the end that HTTP knows, so that the connection can be
    used again.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await anext(body, b"")


def _new_client(access: Access) -> openai.AsyncOpenAI:
    client: openai.AsyncOpenAI = load_openai().AsyncOpenAI(
        base_url=access.url,
        api_key=access.key,
        max_retries=0,
        http_client=new_http(access),
    )
    return client


def _complaint(error: openai.APIStatusError) -> ErrorResponse:
    headers = error.response.headers
    location = headers.get("location", "") if error.status_code < 400 else ""
    return ErrorResponse(
        error.response.content,
        error.status_code,
        location,
        headers.get("retry-after", ""),
    )


def _tells_a_secret(error: openai.APIStatusError, server: error_lines.Server) -> bool:
    """Whether openai's error repeats a secret with what the server said; then nobody
    shall find it there.
    """
    return any(secret in error.response.text for secret in server.access.secrets)


def _no_answer(
    server: error_lines.Server, cause: BaseException | None
) -> errors.ProviderError:
    """The error for a request that brought no answer."""
    http = http_library()
    for inner in _chain(cause):
        if isinstance(inner, errors.Offline):
            return inner
        if isinstance(inner, ssl.SSLError):
            return error_lines.no_tls(server, inner.reason or str(inner))
    if isinstance(cause, http.ConnectError | http.ConnectTimeout | http.ProxyError):
        named = not any(isinstance(inner, socket.gaierror) for inner in _chain(cause))
        line = (
            error_lines.no_way_through
            if server.access.proxy
            else error_lines.unreachable
        )
        return line(
            server,
            _reason(cause),
            passing=named and isinstance(cause, http.ConnectError),
        )
    return error_lines.hung_up(server, _reason(cause))


def _reason(error: BaseException | None) -> str:
    """Why there is no connection, in a few words, out of a chain of errors."""
    for inner in _chain(error):
        if isinstance(inner, ConnectionRefusedError):
            return "connection refused"
        if isinstance(inner, socket.gaierror):
            return "there is no such host"
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror.lower()
    if isinstance(error, http_library().ConnectTimeout):
        return "no answer in time"
    return str(error or "")


def _chain(error: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    if error is None or depth > 12:
        return
    yield error
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _chain(inner, depth + 1)
    yield from _chain(error.__cause__ or error.__context__, depth + 1)


def _message(message: Message) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.text}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}]
    for image in message.images:
        url = f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return {"role": message.role, "content": parts}


def _sendable(value: Any) -> Any:
    """The same JSON value with what UTF-8 cannot carry (lone surrogates, as in broken
    file names) replaced.
    """
    if isinstance(value, str):
        return (
            value
            if value.isascii()
            else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    if isinstance(value, Mapping):
        return {_sendable(name): _sendable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(inner) for inner in value]
    return value
