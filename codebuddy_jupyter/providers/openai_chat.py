"""Chat Completions over the ``openai`` package: a Request to JSON, the stream to Chunks, foreign errors to ours.

It knows the protocol and no vendor. It is the only module that imports ``openai``, at the first use, since that takes
seconds. The body of a reply is read by `ChatStream` rather than by openai's own stream: that gives nothing, and no
error, for a body that is no stream, and takes a broken one for a whole.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from traitlets import Float, TraitError, Unicode, validate

from .. import errors
from ..keys import NO_KEY, Key, Keys
from ..messages import Chunk, Message, Model, Request
from . import explain
from .address import host_of, is_loopback, normalise_base_url
from .base import Provider
from .chat_stream import ChatStream
from .complaint import Complaint, as_mapping, parsed

if TYPE_CHECKING:
    import openai

T = TypeVar("T")
PAUSES = (0.25, 0.5, 1.0, 2.0)  # seconds between the tries while a server loads its model; the last repeats
ASIDE = 5.0  # seconds that the names of the models may take when they are to stand in an error
HEADERS = frozenset({"host", "connection", "user-agent", "accept", "accept-encoding", "content-type", "content-length"})
OPENAI_HEADERS = frozenset({"openai-organization", "openai-project"})  # openai takes them from the environment
GRACE = 0.1  # seconds that the end of a body may take after [DONE]


class OpenAIChatProvider(Provider):
    """A server that speaks OpenAI's Chat Completions."""

    base_url = Unicode("", help="The address of the server, such as http://localhost:11434/v1.").tag(config=True)
    connect_timeout = Float(5.0, min=0.1, help="Seconds to wait for the connection.").tag(config=True)
    read_timeout = Float(
        600.0, min=1.0, help="Seconds to wait for the next piece of an answer; a cold model can take minutes to load."
    ).tag(config=True)

    key_variable: ClassVar[str] = ""
    """The environment variable that holds the key."""
    max_tokens_field: ClassVar[str] = "max_tokens"
    """The name under which the server takes the longest reply."""

    def __init__(self, **kwargs: Any) -> None:
        self.keys = Keys()
        self._clients: dict[tuple[object, str, Key], openai.AsyncOpenAI] = {}
        self._in_use: Counter[openai.AsyncOpenAI] = Counter()
        self._without_usage: set[str] = set()
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
            raise errors.SettingError(f'No address is set. Set one: %config {owner}.base_url = "http://HOST:PORT/v1"')
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
        return self.url, await asyncio.to_thread(self.find_key)  # a keyring may ask to be unlocked

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
            raise errors.KeyRefused(f"There is no key for {self.name} at {host}. {self._key_help(self.url)}")
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
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.max_tokens is not None:
            body[self.max_tokens_field] = request.max_tokens
        return {**body, **request.extra}

    def read_model(self, entry: Mapping[str, Any]) -> Model:
        """A model out of the server's list."""
        return Model(str(entry.get("id") or entry.get("name") or ""))

    def remedy(self) -> str:
        """What to do when nothing answers."""
        return "Look at the network connection, or ask a model on this machine: %buddy /use Local"

    def forget(self) -> None:
        """Forget what was remembered of the server; called after a failure, when it may be another one."""

    # The contract

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Ask, and give the chunks of the reply as they come; see `Provider.stream`."""
        server = await self.server()
        body = _sendable(self.body(request))
        if server.url not in self._without_usage:
            body.setdefault("stream_options", {"include_usage": True})
        async with self._using(server) as client, aclosing(self._asking(client, server, body)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _asking(
        self, client: openai.AsyncOpenAI, server: explain.Server, body: dict[str, Any]
    ) -> AsyncGenerator[Chunk, None]:
        model = str(body["model"])
        patience = _Patience(self.read_timeout)
        while True:
            try:
                response = await self._post(client, server, body)
                break
            except Complaint as complaint:
                if complaint.is_refused_usage() and body.pop("stream_options", None):
                    self._without_usage.add(server.url)
                    yield Chunk(note="This server counts no tokens while it streams: it refused stream_options.")
                elif patience.bears(complaint):
                    if not patience.tries:
                        yield Chunk(note="The server is still loading the model; waiting for it.")
                    await patience.pause()
                else:
                    self.forget()
                    raise await self._refused(server, complaint, model) from complaint.__cause__
        try:
            async with aclosing(self._read(server, response, model)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except errors.ProviderError:
            self.forget()
            raise
        finally:
            await response.aclose()

    async def models(self) -> list[Model]:
        """The models that the server offers."""
        server = await self.server()
        answer = await self.get(server, "/models")
        entries = answer.get("data") if isinstance(answer, Mapping) else answer
        if not isinstance(entries, list):
            raise explain.no_models(server, answer)
        models = [self.read_model(entry) for entry in map(as_mapping, entries)]
        return [model for model in models if model.name]

    async def get(self, server: explain.Server, path: str) -> Any:
        """What the server has at a path below the base URL, or at a whole URL: parsed JSON, or text.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            When it cannot be had.
        """
        options: Any = {"timeout": self._timeout()}
        patience = _Patience(self.read_timeout)
        while True:
            try:
                async with self._using(server) as client:
                    request = client.get(path, cast_to=_http().Response, options=options)
                    response = await self._translated(server, request)
            except Complaint as complaint:
                if not patience.bears(complaint):
                    raise explain.refused(server, complaint) from complaint.__cause__
                await patience.pause()
            else:
                return parsed(response.content)

    def warm(self) -> None:
        """Import what the first request needs, and find the key."""
        _new_client("http://localhost/v1", NO_KEY)
        anyio = importlib.import_module("anyio")  # openai waits on it; it loads most of itself when it first runs
        anyio.run(anyio.sleep, 0)
        with suppress(errors.BuddyError):
            self.find_key()

    async def close(self) -> None:
        """Close the connections."""
        clients, self._clients = self._clients, {}
        for (loop, _, _), client in clients.items():
            if loop is asyncio.get_running_loop():
                await client.close()

    # One request

    async def server(self) -> explain.Server:
        """Whom a request goes to now.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            Where requests may not leave this machine, or the key is missing.
        """
        url, key = await self.endpoint()
        if self.offline and not is_loopback(url):
            raise errors.Offline(
                f"The buddy is offline and does not send to {host_of(url)}. Ask a model on this machine: "
                "%buddy /use Local, or let requests out: %config Buddy.offline = False"
            )
        owner = type(self).__name__
        return explain.Server(self.name, owner, url, key, self.remedy(), self._key_help(url))

    def _key_help(self, url: str) -> str:
        command = f"codebuddy key {self.name}"
        if self.key_variable and self.own_host() == host_of(url):
            return f"Set the environment variable {self.key_variable}, or store a key, in a terminal: {command}"
        return f"Store a key for this host, in a terminal: {command}"

    async def _post(self, client: openai.AsyncOpenAI, server: explain.Server, body: dict[str, Any]) -> Any:
        """The http library's response, its body not yet read."""
        options: Any = {"timeout": self._timeout()}
        http, stream = _http(), _openai().AsyncStream[object]

        async def post() -> Any:
            request = client.post(
                "/chat/completions", body=body, cast_to=http.Response, stream=True, stream_cls=stream, options=options
            )
            return await self._translated(server, request)

        try:
            return await post()
        except errors.NoReply:
            # A kept connection that the server gave up just then; seen on llama.cpp, once in 300 questions. Nothing
            # came, so asking once more on a new one is safe.
            return await post()

    async def _read(self, server: explain.Server, response: Any, model: str) -> AsyncGenerator[Chunk, None]:
        reading = ChatStream()
        try:
            body = response.aiter_bytes()
            async for data in body:
                for chunk in reading.feed(data):
                    yield chunk
                if reading.done:
                    await _see_end(body)
                    break
            for chunk in reading.flush():
                yield chunk
        except Complaint as complaint:
            raise await self._refused(server, complaint, model) from complaint
        except _broken() as error:
            if not reading.whole:
                raise explain.cut_off(server, reading.other or _reason(error)) from error
        if not reading.began:
            came = Complaint(reading.other)
            if isinstance(came.body, Mapping) and came.is_overflow():
                raise explain.refused(server, came, model)
            raise explain.no_reply(server, response.status_code, reading.other)
        if not reading.whole:
            raise explain.cut_off(server, reading.other)

    async def _refused(self, server: explain.Server, complaint: Complaint, model: str) -> errors.ProviderError:
        names: list[str] = []
        if complaint.is_missing_model():
            with suppress(errors.ProviderError, TimeoutError):  # then the line does without their names
                async with asyncio.timeout(ASIDE):
                    names = [offered.name for offered in await self.models()]
        return explain.refused(server, complaint, model, names)

    async def _translated(self, server: explain.Server, request: Awaitable[T]) -> T:
        """The outcome of a request to openai, its errors made ours or into a Complaint."""
        ai, http = _openai(), _http()
        try:
            return await request
        except ai.APIStatusError as error:
            location = error.response.headers.get("location", "") if error.status_code < 400 else ""
            complaint = Complaint(error.response.content, error.status_code, location)
            # openai's own error repeats what the server said; where that holds the key, nobody shall find it there.
            raise complaint from (None if server.key in error.response.text else error)
        except (ai.APIConnectionError, *_broken()) as error:
            cause = error.__cause__ if isinstance(error, ai.APIConnectionError) else error
            if tls := next((inner for inner in _chain(cause) if isinstance(inner, ssl.SSLError)), None):
                raise explain.no_tls(server, tls.reason or str(tls)) from error
            if isinstance(cause, http.ConnectError | http.ConnectTimeout | http.ProxyError):
                raise explain.unreachable(server, _reason(cause)) from error
            if isinstance(cause, http.TimeoutException):
                raise explain.too_slow(server, self.read_timeout) from error
            raise explain.hung_up(server, _reason(cause)) from error

    def _timeout(self) -> Any:
        return _openai().Timeout(self.read_timeout, connect=self.connect_timeout)

    def _client(self, server: explain.Server) -> openai.AsyncOpenAI:
        """The client for a server on the running loop; connections are kept between questions."""
        place = (asyncio.get_running_loop(), server.url, server.key)
        if place not in self._clients:
            self._clients = {old: client for old, client in self._clients.items() if old[0] is place[0]}
            self._clients[place] = _new_client(server.url, server.key)
        return self._clients[place]

    @asynccontextmanager
    async def _using(self, server: explain.Server) -> AsyncIterator[openai.AsyncOpenAI]:
        """The client for one request; after a stopped one it is closed with its last use, and not used again.

        httpx 0.28 can leave the connection of a cancelled request open, so that the server goes on for nobody (seen
        in 10 of 150 on a busy machine); closing the client closes whatever it has.
        """
        client = self._client(server)
        self._in_use[client] += 1
        try:
            yield client
        except (asyncio.CancelledError, GeneratorExit):
            self._clients = {place: kept for place, kept in self._clients.items() if kept is not client}
            raise
        finally:
            self._in_use[client] -= 1
            if not self._in_use[client]:
                del self._in_use[client]
                if client not in self._clients.values():
                    await client.close()


class _Patience:
    """Waits for a server that is still loading its model, at most so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.tries = 0
        self._end = time.monotonic() + seconds

    def bears(self, complaint: Complaint) -> bool:
        """Whether to ask again."""
        return complaint.is_loading() and time.monotonic() < self._end

    async def pause(self) -> None:
        """Wait a little, longer each time."""
        await asyncio.sleep(PAUSES[min(self.tries, len(PAUSES) - 1)])
        self.tries += 1


async def _see_end(body: AsyncIterator[bytes]) -> None:
    """Read on past ``[DONE]`` to the end that HTTP knows, so that the connection can be used again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await anext(body, b"")


def _new_client(url: str, key: Key) -> openai.AsyncOpenAI:
    ai = _openai()
    # A key must not follow to where a server points.
    how: dict[str, Any] = {"follow_redirects": False, "event_hooks": {"request": [_only_ours(url, key)]}}
    if is_loopback(url):
        # The environment's proxies would take 127.0.0.1 as well; and building a TLS context takes 50 ms.
        how |= {"trust_env": False, "verify": ssl.create_default_context() if url.startswith("https") else False}
    client: openai.AsyncOpenAI = ai.AsyncOpenAI(
        base_url=url, api_key=key, max_retries=0, http_client=ai.DefaultAsyncHttpxClient(**how)
    )
    return client


def _only_ours(url: str, key: Key) -> Callable[[Any], Awaitable[None]]:
    """A hook that takes out of a request what openai adds by itself: what its variables hold, facts of this machine."""
    meant = HEADERS | OPENAI_HEADERS if host_of(url) == "api.openai.com" else HEADERS

    async def leave_out(request: Any) -> None:
        for name in [name for name in request.headers if name.lower() not in meant]:
            del request.headers[name]
        request.headers["Authorization"] = f"Bearer {key}"

    return leave_out


def _openai() -> Any:
    return importlib.import_module("openai")


def _http() -> Any:
    """The http library on which this openai stands: httpx, or httpx2."""
    return importlib.import_module(_openai().DefaultAsyncHttpxClient.__base__.__module__)


def _broken() -> tuple[type[Exception], ...]:
    """What a connection that breaks can raise; not all of it does the http library make its own."""
    return (_http().HTTPError, OSError, importlib.import_module("anyio").EndOfStream)


def _reason(error: BaseException | None) -> str:
    """Why there is no connection, in a few words, out of a chain of errors."""
    for inner in _chain(error):
        if isinstance(inner, ConnectionRefusedError):
            return "connection refused"
        if isinstance(inner, socket.gaierror):
            return "there is no such host"
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror.lower()
    if isinstance(error, _http().ConnectTimeout):
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
    """The same JSON value with what UTF-8 cannot carry (lone surrogates, as in broken file names) replaced."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_sendable(name): _sendable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(inner) for inner in value]
    return value
