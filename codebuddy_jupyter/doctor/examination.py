"""The examination of a provider: what could keep a question from its answer, step by
step, each with its remedy.

It repairs nothing. Every step is bounded in time, and what stands on a step that failed
is not tried.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit

from .. import errors
from ..keys import NO_KEY, Key
from ..messages import Chunk, Message, Model, Progress, Request, Usage
from ..providers.base import Provider
from ..providers.http import error_lines
from ..providers.http.address import is_loopback
from ..providers.http.probe import ProbeAnswer, probing
from ..providers.http.server_error import ErrorResponse
from ..providers.http.transport import proxies, proxy_of
from ..providers.kinds import KINDS, UNKNOWN, FoundServer, recognise
from ..providers.local.discovery import HAPPY_EYEBALLS_DELAY, name_of
from ..providers.local.provider import LocalProvider
from ..providers.openai_chat import OpenAIChatProvider
from .report import Check, Remedy, Report, versions

# seconds that a name, and then a connection, may take
CONNECT = 1.0
# seconds that a server may take to list its models
ANSWER = 3.0
# seconds that the answer to the tiny question may take
QUESTION = 20.0
# seconds for everything
ALL = 40.0
# seconds after which it is told what is waited for
SLOW = 1.0
# tokens of the answer to the tiny question
ALLOWED = 8
TINY = "Count from 1 to 20, and write nothing else."
AGAIN = "%buddy /doctor"
# tokens; with so few, a talk about a notebook soon loses its beginning
SMALL = 4096
# tokens
ENOUGH = 16_384
REFUSED = (f"[Errno {errno.ECONNREFUSED}]", "[WinError 1225]", "[WinError 10061]")
COMMANDS = ("%", "codebuddy ", "pip ", "ollama ", "lms ", "docker ")


def _silently(what: str, done: int, total: int) -> None:
    """Tell nobody."""


async def examine(
    provider: Provider,
    needed: int = 0,
    progress: Progress = _silently,
) -> Report:
    """Look at a provider, from its address to its answer.

    Parameters
    ----------
    provider
        Whom to look at, ready to be asked.
    needed
        How many tokens the next question takes, about, with the room for its answer.
    progress
        Called with what is waited for, once for each step that takes long, and then at
        the end; the numbers are 0.
    """
    # to import what a request needs is not the server's time
    await asyncio.to_thread(provider.warm)
    examination, began = _Examination(provider, needed), time.monotonic()
    telling = asyncio.create_task(examination.tell(progress))
    try:
        async with asyncio.timeout(ALL):
            await examination.run()
    except TimeoutError:
        examination.add(
            "time",
            False,
            f"not everything could be looked at within {ALL:g} s",
            Remedy("Again", AGAIN),
        )
    finally:
        telling.cancel()
    if examination.told:
        progress(f"looked at all in {time.monotonic() - began:.0f} s", 0, 0)
    name = type(provider).__name__.removesuffix("Provider")
    return Report(
        name, tuple(examination.checks), versions(), tuple(examination.secrets)
    )


class _Examination:
    """The checks so far, and what later ones need to know of the earlier."""

    def __init__(self, provider: Provider, needed: int) -> None:
        self.provider = provider
        self.owner = type(provider).__name__
        self.needed = needed
        self.checks: list[Check] = []
        self.secrets: list[Key] = []
        self.found = FoundServer(UNKNOWN, "")
        self.doing = self.told = ""

    def add(self, name: str, well: bool | None, found: str, *remedies: Remedy) -> None:
        """Note what a check found."""
        self.checks.append(
            Check(name, well, found, tuple(one for one in remedies if one.what))
        )

    def fail(self, name: str, error: errors.BuddyError) -> None:
        """Note what went wrong, with the remedy that the error's own line holds."""
        if not error.remedies:
            self.add(name, False, *_parted(str(error)))
            return
        remedies = [Remedy(remedy.text, remedy.command) for remedy in error.remedies]
        self.add(name, False, error.what.rstrip("."), *remedies)

    async def tell(self, progress: Progress) -> None:
        """Tell of each step that takes long, once."""
        while True:
            doing = self.doing
            await asyncio.sleep(SLOW)
            if doing == self.doing != self.told:
                self.told = doing
                progress(f"{doing}…", 0, 0)

    async def run(self) -> None:
        """Go from the address to the answer, as far as it leads."""
        if isinstance(self.provider, OpenAIChatProvider) and not await self._way(
            self.provider
        ):
            return
        model = await self._model()
        if model is not None and await self._question(model):
            await self._window(model)
            self._abilities(model)

    # The way to the server

    async def _way(self, provider: OpenAIChatProvider) -> bool:
        try:
            server = await provider.server()
        except errors.KeyRefused as error:
            # nothing can be asked without it, but a connection can be tried
            if not provider.offline:
                await self._reach(provider, provider.url)
            self.fail("key", error)
            return False
        except errors.BuddyError as error:
            self.fail(
                "offline" if isinstance(error, errors.Offline) else "address", error
            )
            return False
        self.secrets += map(Key, server.access.secrets)
        return await self._reach(provider, server.url) and await self._serves(
            provider, server
        )

    async def _reach(self, provider: OpenAIChatProvider, url: str) -> bool:
        self.checks.append(_address(provider, url))
        if proxy := proxy_of(url):
            self.add(
                "proxy", None, f"requests go through {proxy}, as the environment says"
            )
            return True
        if is_loopback(url) and proxies():
            self.add(
                "proxy",
                True,
                "the environment names one; requests to this machine do not go through it",
            )
        parts = urlsplit(url)
        self.doing = f"waiting for a connection to {url}"
        host, port = (
            parts.hostname or "",
            parts.port or (443 if parts.scheme == "https" else 80),
        )
        return await self._resolves(url, host, port) and await self._connects(
            url, host, port
        )

    async def _resolves(self, url: str, host: str, port: int) -> bool:
        try:
            async with asyncio.timeout(CONNECT):
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, port, type=socket.SOCK_STREAM
                )
        except OSError as error:
            why = (
                "no answer in time"
                if isinstance(error, TimeoutError)
                else "there is no such host"
            )
            rightly = Remedy("Name it rightly", self._setting("http://HOST:PORT/v1"))
            self.add("name", False, f"{host}: {why}", *await self._others(url), rightly)
            return False
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if addresses != [host]:
            self.add("name", True, f"{host} is {', '.join(addresses)}")
        return True

    async def _connects(self, url: str, host: str, port: int) -> bool:
        began = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT):
                _, writer = await asyncio.open_connection(
                    host, port, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY
                )
        except OSError as error:
            self.add(
                "connection",
                False,
                f"nothing answers ({_reason(error)})",
                *await self._instead(url),
            )
            return False
        self.add(
            "connection", True, f"made in {1000 * (time.monotonic() - began):.0f} ms"
        )
        writer.close()
        return True

    async def _instead(self, url: str) -> list[Remedy]:
        """What can be done where nothing answers."""
        if not isinstance(self.provider, LocalProvider):
            remedies = cast(OpenAIChatProvider, self.provider).remedies()
            return [Remedy(remedy.text, remedy.command) for remedy in remedies]
        usual = [
            kind
            for kind in KINDS
            if urlsplit(url).port in kind.ports and kind.start_command
        ]
        starts = [
            Remedy(f"Start {kind.name}", kind.start_command) for kind in usual
        ] or [Remedy("Start the server there")]
        what = "Here localhost is a container; to ask the machine around it"
        around = self.provider.search.around(url)
        return [
            *await self._others(url),
            *starts,
            *([Remedy(what, self._setting(around))] if around else []),
        ]

    async def _others(self, url: str) -> list[Remedy]:
        """The local servers that answer elsewhere."""
        if not isinstance(self.provider, LocalProvider):
            return []
        found = await replace(self.provider.search, offline=self.provider.offline).find(
            url
        )
        return [
            Remedy(
                f"{name_of(one)} answers at {one.url}; use it", self._setting(one.url)
            )
            for one in found
        ]

    def _setting(self, url: str) -> str:
        return f'%config {self.owner}.base_url = "{url}"'

    # The server

    async def _serves(
        self, provider: OpenAIChatProvider, server: error_lines.Server
    ) -> bool:
        self.doing = f"asking {server.url} who it is"
        began = time.monotonic()
        try:
            if isinstance(provider, LocalProvider):
                server = await self._put_right(provider, server)
                began = time.monotonic()
            async with probing(server.access, ANSWER) as probe:
                answer = await probe.try_get(f"{server.url}/models")
                if (
                    isinstance(provider, LocalProvider)
                    and answer is not None
                    and self.found.kind is UNKNOWN
                ):
                    self.found = await recognise(probe)
        except errors.BuddyError as error:
            self.fail("offline" if isinstance(error, errors.Offline) else "http", error)
            return False
        if answer is None:
            await self._silence(provider, server, time.monotonic() - began)
        return answer is not None and self._protocol(server, answer)

    async def _put_right(
        self, provider: LocalProvider, server: error_lines.Server
    ) -> error_lines.Server:
        """The server at the base URL as asking shows that it is meant; what is wrong
        there, the next look will show.
        """
        with suppress(errors.ProviderError, TimeoutError):
            async with asyncio.timeout(ANSWER):
                self.found = await provider.found()
                server = await provider.server()
                self.checks[0] = _address(provider, server.url)
        return server

    async def _silence(
        self, provider: OpenAIChatProvider, server: error_lines.Server, took: float
    ) -> None:
        """Note why nothing came over a connection that could be made."""
        silent = f"it took the connection and was silent for {ANSWER:g} s"
        look_there = Remedy("See in its own log what it does, then", AGAIN)
        if took >= ANSWER:
            self.add("http", False, silent, look_there)
            return
        try:
            async with asyncio.timeout(ANSWER):
                await provider.get(server, "/models")
        except errors.ProviderError as error:
            self.fail("tls" if "TLS" in str(error) else "http", error)
        except TimeoutError:
            self.add("http", False, silent, look_there)
        else:
            self.add("http", False, "it answers at times only", look_there)

    def _protocol(self, server: error_lines.Server, answer: ProbeAnswer) -> bool:
        """Whether what came for the list of models is of a server that can be asked."""
        complaint = ErrorResponse(
            answer.body, answer.status, answer.headers.get("location", "")
        )
        if server.url.startswith("https"):
            self.add(
                "tls", True, "the connection is safe, and the certificate is trusted"
            )
        self.add("http", True, f"it answers with status {answer.status}")
        if complaint.is_loading():
            self._kind()
            self.add(
                "loaded",
                False,
                "the server is still loading its model",
                Remedy("Wait a little, then", AGAIN),
            )
        elif answer.status in (401, 403):
            self._kind()
            self.fail("key", error_lines.refused(server, complaint))
        elif answer.status != 200:
            self.fail("server", error_lines.refused(server, complaint))
        elif answer.list_of("data") is None and not isinstance(answer.body, list):
            self.fail("server", error_lines.no_models(server, answer.body))
        else:
            self._kind()
            self.add(
                "key",
                True,
                "none is needed" if server.key == NO_KEY else "the server takes it",
            )
            return True
        return False

    def _kind(self) -> None:
        is_known = isinstance(self.provider, LocalProvider) or not self.provider.label
        self.add(
            "server", True, name_of(self.found) if is_known else self.provider.label
        )

    # The model

    async def _model(self) -> Model | None:
        """The model that would be asked, where there is one."""
        self.doing = "asking for its models"
        try:
            async with asyncio.timeout(2 * ANSWER):
                offered, name = (
                    await self.provider.models(),
                    await self.provider.choose(""),
                )
        except errors.BuddyError as error:
            self.fail("model", error)
            return None
        except TimeoutError:
            self.add(
                "model",
                False,
                f"the server does not tell its models within {2 * ANSWER:g} s",
                _again(),
            )
            return None
        model = next(
            (one for one in offered if one.name in (name, f"{name}:latest")), None
        )
        if model is not None:
            model = await self._closely(model)
        if model is None and offered:
            others = ", ".join(one.name for one in offered[: error_lines.LISTED])
            self.add(
                "model", None, f"{name} is not in the server's list, which has {others}"
            )
        else:
            self.add(
                "model",
                True,
                name if len(offered) < 2 else f"{name}, one of {len(offered)}",
            )
        model = model or Model(name)
        if model.loaded is not None:
            ahead = Remedy(
                "Load it ahead" if self.found.kind.command_to_load(name) else "",
                self.found.kind.command_to_load(name),
            )
            told = "yes" if model.loaded else "no; the first question waits for that"
            self.add(
                "loaded", model.loaded or None, told, *([] if model.loaded else [ahead])
            )
        return model

    async def _closely(self, model: Model) -> Model:
        """The model with all that can be known of it; as it is, where that takes too
        long.
        """
        if isinstance(self.provider, LocalProvider):
            with suppress(errors.BuddyError, TimeoutError):
                async with asyncio.timeout(ANSWER):
                    offered = await self.provider.catalogue()
                return next((one for one in offered if one.name == model.name), model)
        return model

    async def _question(self, model: Model) -> bool:
        """Whether a tiny question is answered; what its answer shows."""
        self.doing = f"waiting for {model.name} to answer a tiny question"
        heard = _Heard(model)
        request = Request((Message("user", TINY),), model.name, max_tokens=ALLOWED)
        try:
            async with asyncio.timeout(QUESTION):
                # as any question does; it may load the model
                await self.provider.window(model.name)
                async with aclosing(cast(Any, self.provider.stream(request))) as chunks:
                    async for chunk in chunks:
                        heard.take(chunk)
        except errors.KeyRefused as error:
            # there are servers that show their models to everybody
            self.checks = [check for check in self.checks if check.name != "key"]
            self.fail("key", error)
            return False
        except errors.BuddyError as error:
            self.fail(
                "model" if isinstance(error, errors.ModelNotFound) else "answer", error
            )
            return False
        except TimeoutError:
            heard.late = True
        self.checks += heard.checks()
        return heard.first is not None

    async def _window(self, model: Model) -> None:
        self.doing = f"asking how far {model.name} sees"
        try:
            async with asyncio.timeout(ANSWER):
                window = await self.provider.window(model.name)
        except (errors.BuddyError, TimeoutError):
            window = None
        if window is None:
            self.add(
                "window",
                None,
                "the server does not tell it; the buddy takes it for 4,096 tokens",
            )
            return
        wider = self.provider.widen(
            model.name, _power_of_two(max(ENOUGH, 2 * self.needed))
        )
        widen = Remedy("Widen it" if wider else "", wider)
        most = (
            f", of {model.max_window:,} that it could have"
            if (model.max_window or 0) > window
            else ""
        )
        if self.needed > window:
            shorten = Remedy("Or begin anew", "%buddy /reset")
            told = f"{window:,} tokens{most}; the next question needs {self.needed:,}"
            self.add("window", False, told, widen, shorten)
        else:
            is_small = bool(most) and window <= SMALL
            self.add(
                "window",
                True,
                f"{window:,} tokens{most}",
                *([widen] if is_small else []),
            )

    def _abilities(self, model: Model) -> None:
        for name in ("tools", "images"):
            if not model.abilities:
                self.add(
                    name, None, "the server does not tell whether this model takes them"
                )
            else:
                can = name in model.abilities
                self.add(
                    name,
                    can or None,
                    f"this model {'takes' if can else 'does not take'} them",
                )


class _Heard:
    """What came of the tiny question."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.began = time.monotonic()
        self.first: float | None = None
        self.late = False
        self.pieces = 0
        self.reasoning = False
        self.finish = ""
        self.usage = Usage()
        self.notes: list[str] = []

    def take(self, chunk: Chunk) -> None:
        """Note a chunk."""
        if chunk.text or chunk.reasoning:
            self.pieces += 1
            self.first = self.first or time.monotonic() - self.began
        self.reasoning = self.reasoning or bool(chunk.reasoning)
        self.finish = chunk.finish or self.finish
        self.usage = chunk.usage or self.usage
        self.notes += [chunk.note] if chunk.note else []

    def checks(self) -> Iterator[Check]:
        """What that shows."""
        if self.first is None and (self.late or not self.finish):
            yield self._nothing()
            return
        pieces = "1 piece" if self.pieces == 1 else f"{self.pieces} pieces"
        late = f", and not whole after {QUESTION:g} s" if self.late else ""
        yield Check(
            "answer",
            True,
            f"it streams: {pieces}, the first after {self.first or 0:.1f} s{late}",
        )
        yield self._kept()
        tokens = self.usage.completion_tokens
        counts = (
            "the server counts tokens"
            if tokens
            else "the server counts no tokens; the buddy estimates them"
        )
        yield Check("usage", bool(tokens) or None, counts)
        if self.reasoning or "reasoning" in self.model.abilities:
            yield Check(
                "reasoning",
                True,
                "the model thinks before it answers, and that is told apart",
            )
        for note in self.notes:
            yield Check("note", None, note)

    def _nothing(self) -> Check:
        if self.model.loaded is False:
            return Check(
                "answer",
                None,
                f"nothing yet after {QUESTION:g} s: the model is still loading",
                (_again(),),
            )
        what = f"nothing came within {QUESTION:g} s"
        return Check(
            "answer",
            False,
            what,
            (Remedy("See what the server's own log says, then", AGAIN),),
        )

    def _kept(self) -> Check:
        tokens = self.usage.completion_tokens or self.pieces
        if tokens > ALLOWED:
            told = f"the server ignores it: {tokens} tokens came where {ALLOWED} were allowed"
            return Check("max_tokens", None, told)
        if self.finish == "length":
            return Check("max_tokens", True, "the server keeps to it")
        return Check(
            "max_tokens", None, f"not known: the answer ended before {ALLOWED} tokens"
        )


def _address(provider: OpenAIChatProvider, url: str) -> Check:
    return Check(
        "address",
        True,
        url if provider.base_url in (url, "") else f"{url}, from {provider.base_url}",
    )


def _again() -> Remedy:
    return Remedy("Look again in a while", AGAIN)


def _parted(line: str) -> tuple[str, Remedy]:
    """An error's line as what was found, and what to do about it."""
    found, _, rest = line.partition(". ")
    what, _, command = rest.rpartition(": ")
    return found, Remedy(what, command) if command.startswith(COMMANDS) else Remedy(
        rest
    )


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    # Where a name has several addresses, asyncio puts all errors into the text of one
    # that has no number.
    if isinstance(error, ConnectionRefusedError) or any(
        mark in str(error) for mark in REFUSED
    ):
        return "connection refused"
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _power_of_two(tokens: int) -> int:
    return 1 << (tokens - 1).bit_length()
