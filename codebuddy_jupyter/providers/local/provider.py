"""An OpenAI-compatible server on one's own machine:

Ollama, LM Studio, llama.cpp, vLLM, LocalAI, Jan, their like.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, ClassVar, cast

from traitlets import Bool, Int, Unicode

from ... import errors
from ...keys import NO_KEY, Key
from ...messages import Message, Model, Progress, Request
from ..http import error_lines
from ..http.address import host_of, native_of, normalise_base_url, other_base_urls
from ..http.chat_stream import ChatStream
from ..http.probe import probing
from ..http.server_error import ErrorResponse, as_mapping
from ..kinds import KINDS, UNKNOWN, FoundServer, Kind, Probe, recognise
from ..kinds.ollama import Ollama
from ..kinds.ollama_chat import Lines, native_body
from ..self_hosted import SelfHostedProvider
from .discovery import Discovery

FAVOURITES = ("llama3", "llama3:latest")
NO_CHAT = re.compile(r"embed|rerank|whisper|\bbge\b|\be5\b|\btts\b", re.IGNORECASE)
# seconds that a look at the server may take which nobody asked for
SETTLE = 0.5
# seconds that Ollama surely keeps an idle model loaded; by default it is five minutes
KEPT = 240.0


class LocalProvider(SelfHostedProvider):
    """A local server.

    It needs no key, and says by itself which models it has and how far they see.
    """

    label = "Local LLM (Ollama/LM Studio)"
    key_variable = "CODEBUDDY_API_KEY"
    environment: ClassVar[Mapping[str, str]] = {
        "base_url": "CODEBUDDY_BASE_URL",
        "model": "CODEBUDDY_MODEL",
    }

    base_url = Unicode(
        "http://localhost:11434/v1",
        help=(
            "The address of the server: Ollama's is http://localhost:11434/v1, LM "
            "Studio's http://localhost:1234/v1."
        ),
    ).tag(config=True, affects="target")
    model = Unicode(
        "",
        help=(
            "The model that is asked. Empty: the one that is loaded, else llama3, "
            "else the first that can chat."
        ),
    ).tag(config=True, affects="target")
    num_ctx = Int(
        0,
        min=0,
        help="The window in tokens with which Ollama shall load the model; 0: its own choice.",
    ).tag(config=True, affects="target", label="Window")
    warm_up = Bool(
        False, help="Load the model in the background when switching to it with /use."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        self.search = Discovery()
        self._right: dict[str, str] = {}
        self._found: dict[str, FoundServer] = {}
        self._kinds: dict[str, Kind] = {}
        self._chosen: dict[str, str] = {}
        self._windows: dict[tuple[str, str], int | None] = {}
        self._most: dict[tuple[str, str], int] = {}
        self._wide: dict[tuple[str, str, int], tuple[int | None, float]] = {}
        self._native: dict[str, bool] = {}
        super().__init__(**kwargs)

    # Where requests go

    @property
    def url(self) -> str:
        """The base URL as it is used: as it was typed, or as it was put right by
        asking.
        """
        typed = super().url
        return self._right.get(typed, typed)

    @property
    def kind(self) -> Kind:
        """The kind of server at the base URL, as far as it is known; also after a
        failure.
        """
        return self._kinds.get(self.url, UNKNOWN)

    def own_host(self) -> str:
        """The host of the environment's base URL, to which its key belongs; without
        one, the host in use.
        """
        return host_of(
            normalise_base_url(
                os.environ.get(self.environment["base_url"]) or self.base_url
            )
        )

    def find_key(self) -> Key:
        """The key for the host in use, or the placeholder that servers without keys
        expect.
        """
        return (
            self.keys.find(
                self.name, self.key_variable, host_of(self.url), self.own_host()
            )
            or NO_KEY
        )

    def remedy(self) -> str:
        """How to start the server that was here, or that is usual at this port."""
        port = host_of(self.url).rpartition(":")[2]
        usual = [kind for kind in KINDS if port in map(str, kind.ports)]
        kind = (
            self.kind
            if self.kind is not UNKNOWN
            else usual[0]
            if len(usual) == 1
            else UNKNOWN
        )
        start = (
            f"Start {kind.name} with `{kind.start()}`"
            if kind.start()
            else "Start the server there"
        )
        elsewhere = 1234 if port == "11434" else 11434
        return (
            f"{start}, or point the buddy elsewhere: %config "
            f'LocalProvider.base_url = "http://localhost:{elsewhere}/v1"'
        )

    async def instead(self, error: errors.Unreachable) -> errors.Unreachable:
        """The error for the user; where nothing answers, with the servers of this
        machine that do.
        """
        line, remedy = str(error), self.remedy()
        # something is there, but not well
        if not line.endswith(remedy):
            return error
        offers, hint = await replace(self.search, offline=self.offline).advice(
            self.url, "LocalProvider.base_url"
        )
        line = line.removesuffix(remedy) + offers if offers else line
        return errors.Unreachable(f"{line}. {hint}" if hint else line)

    def forget(self, error: errors.ProviderError) -> None:
        """Forget which model was chosen and how far each sees; also who is there, where
        it may be another by now.
        """
        if not _is_its_own(error):
            self._found.clear()
        self._forget_models()

    def _forget_models(self) -> None:
        self._chosen.clear()
        self._windows.clear()
        self._wide.clear()

    async def settle(self) -> None:
        """See whether the base URL must be put right, where that is not known."""
        with suppress(errors.BuddyError, TimeoutError):
            async with asyncio.timeout(SETTLE):
                await self.found()

    async def found(self) -> FoundServer:
        """The server at the base URL, which is asked once who it is, and again after a
        failure.

        Raises
        ------
        codebuddy_jupyter.errors.ProviderError
            When it cannot be asked.
        """
        if known := self._found.get(self.url):
            return known
        await self._listed()
        async with probing((await self.server()).access) as probe:
            return await self._recognised(probe)

    async def _recognised(self, probe: Probe) -> FoundServer:
        url = self.url
        found = self._found.get(url) or await recognise(probe, url)
        self._kinds[url] = found.kind
        # else it may tell the next time
        if found.kind is not UNKNOWN or not probe.met_silence:
            self._found[url] = found
        return found

    async def _listed(self) -> list[Model]:
        """The plain list of models; where there is none at the base URL, that is put
        right first.
        """
        try:
            return await super().models()
        except (errors.NoReply, errors.ServerError) as error:
            if not _is_elsewhere(error) or not await self._put_right():
                raise
            return await super().models()

    async def _put_right(self) -> bool:
        """Look for a list of models near the base URL, where none is; gives whether
        there is one.
        """
        typed, wrong, server = super().url, self.url, await self.server()
        async with probing(server.access) as probe:
            for url in [typed, *other_base_urls(typed)]:
                answer = await probe.get(f"{url}/models") if url != wrong else None
                if answer is not None and (
                    answer.list_of("data") is not None or answer.status in (401, 403)
                ):
                    self._right[typed] = url
                    return True
        return False

    # What it has

    def read_model(self, entry: Mapping[str, Any]) -> Model:
        """A model out of the plain list, with the window under the names that many
        servers give it.
        """
        meta = as_mapping(entry.get("meta"))
        window = (
            meta.get("n_ctx")
            or entry.get("max_model_len")
            or entry.get("loaded_context_length")
        )
        state = entry.get("state")
        loaded = None if state is None else state == "loaded"
        name = str(entry.get("id") or entry.get("name") or "")
        return Model(name, window if isinstance(window, int) else None, loaded)

    async def models(self) -> list[Model]:
        """The models that the server offers, with what its kind tells of them."""
        return await self._told(closely=False)

    async def catalogue(self) -> list[Model]:
        """The models that the server offers, with all that its kind tells of them."""
        return await self._told(closely=True)

    async def _told(self, *, closely: bool) -> list[Model]:
        listed = await self._listed()
        async with probing((await self.server()).access) as probe:
            found = await self._recognised(probe)
            told = await found.kind.models(probe, found.url, closely=closely)
        models = listed if told is None else _merged(listed, told)
        self._most |= {
            (found.url, model.name): model.max_window
            for model in models
            if model.max_window
        }
        return models

    async def choose(self, model: str) -> str:
        """The model to ask: the one that is named; else one that is loaded, else
        llama3, else the first that can chat.

        Raises
        ------
        ModelNotFound
            When the server has none that can chat.
        """
        if model or self.model:
            return model or self.model
        if self.url not in self._chosen:
            chat = [offered for offered in await self.models() if _can_chat(offered)]
            self._windows |= {
                (self.url, one.name): one.window
                for one in chat
                if one.loaded is not False
            }
            if not chat:
                fetch = self.kind.fetch(self.kind.example)
                how = (
                    f": {fetch}" if fetch else ", with Ollama by `ollama pull llama3.2`"
                )
                raise errors.ModelNotFound(
                    f"{self.url} has no model that can chat. Fetch or load one there first{how}"
                )
            preferred = [m.name for m in chat if m.loaded] + [
                m.name for m in chat if m.name in FAVOURITES
            ]
            self._chosen[self.url] = [*preferred, chat[0].name][0]
        return self._chosen[self.url]

    # How far it sees

    async def window(self, model: str) -> int | None:
        """How many tokens the model can see as it is loaded; None where the server does
        not tell.
        """
        if self.num_ctx and isinstance((found := await self.found()).kind, Ollama):
            return await self._widened(found.kind, found.url, model)
        if (self.url, model) not in self._windows:
            try:
                models = await self.models()
            except (errors.NoReply, errors.ServerError) as error:
                if not _is_elsewhere(error):
                    raise
                # one that has no list may answer all the same
                models = []
            found_model = next(
                (m for m in models if m.name in (model, f"{model}:latest")),
                Model(model),
            )
            # it tells once the model is loaded
            if found_model.loaded is False:
                return None
            self._windows[self.url, model] = found_model.window
        return self._windows[self.url, model]

    async def count(self, model: str, text: str) -> int | None:
        """How many tokens a text has, where the server's kind has a tokenizer that can
        be asked.
        """
        found = await self.found()
        async with probing((await self.server()).access) as probe:
            return await found.kind.count(probe, found.url, model, text)

    def widen(self, model: str, tokens: int) -> str:
        """The command that gives a model a window of so many tokens, or of the most
        that it can have.
        """
        most = self._most.get((self.url, model), tokens)
        wide, _ = self._wide.get((self.url, model, self.num_ctx), (0, 0.0))
        now = wide or self._windows.get((self.url, model)) or 0
        return self.kind.widen(model, min(tokens, most)) if most > now else ""

    async def _widened(self, ollama: Ollama, url: str, model: str) -> int | None:
        """Have the model loaded with the window of the settings, and see how requests
        must go for it to stay so.
        """
        place = (url, model, self.num_ctx)
        window, at = self._wide.get(place, (None, 0.0))
        if place not in self._wide or (
            not self._native[url] and time.monotonic() - at > KEPT
        ):
            async with self._ordering(model) as probe:
                await ollama.load_with(
                    probe, url, model, self.num_ctx, self.first_token_timeout
                )
                window = await ollama.loaded_window(probe, url, model)
                if url not in self._native:
                    tiny = {
                        "model": model,
                        "max_tokens": 1,
                        "messages": [{"role": "user", "content": "1"}],
                    }
                    await probe.post(
                        f"{url}/chat/completions", tiny, self.first_token_timeout
                    )
                    self._native[url] = (
                        await ollama.loaded_window(probe, url, model) != window
                    )
        self._wide[place] = window, time.monotonic()
        return window

    def _is_native(self) -> bool:
        """Whether requests go by Ollama's own protocol, since its other one falls back
        to a window of its own.
        """
        return (
            bool(self.num_ctx)
            and isinstance(self.kind, Ollama)
            and self._native.get(self.url, False)
        )

    def path(self, model: str) -> str:
        """Where a request for a model goes."""
        return (
            f"{native_of(self.url)}/api/chat"
            if self._is_native()
            else super().path(model)
        )

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON of a request."""
        return (
            native_body(request, self.num_ctx)
            if self._is_native()
            else super().body(request)
        )

    def reading(self, model: str) -> ChatStream:
        """What reads the body of a model's reply."""
        return ChatStream(Lines()) if self._is_native() else super().reading(model)

    # What it can be told

    async def pull(self, model: str, progress: Progress) -> None:
        """Have the server fetch a model; an interrupted one goes on where it stopped
        when it is asked for again.
        """
        found = await self.found()
        self._check(found.kind.can_pull, "fetch", found.kind.fetch(model))
        async with self._ordering() as probe:
            await found.kind.pull(probe, found.url, model, progress)
        self._forget_models()

    async def load(self, model: str) -> None:
        """Have the server load a model; Ollama, with the window of the settings."""
        found = await self.found()
        self._check(
            found.kind.can_load,
            "load",
            found.kind.loading(model),
            "A question to it does that",
        )
        async with self._ordering(model) as probe:
            if self.num_ctx and isinstance(found.kind, Ollama):
                await found.kind.load_with(
                    probe, found.url, model, self.num_ctx, self.first_token_timeout
                )
            else:
                await found.kind.load(probe, found.url, model, self.first_token_timeout)
        self._forget_models()

    async def unload(self, model: str) -> None:
        """Have the server free the memory that a model takes."""
        found = await self.found()
        self._check(
            found.kind.can_unload, "unload", "", "What it has loaded ends with it"
        )
        async with self._ordering(model) as probe:
            await found.kind.unload(probe, found.url, model)
        self._forget_models()

    async def load_ahead(self, model: str) -> None:
        """Have the model loaded, if the settings say so: by an order, or by a question
        of one token.
        """
        if not self.warm_up:
            return
        with suppress(errors.BuddyError):
            model = await self.choose(model)
            if (await self.found()).kind.can_load:
                # older versions of some cannot be told
                with suppress(errors.BuddyError):
                    await self.load(model)
                    return
            tiny = Request((Message("user", "1"),), model, max_tokens=1)
            async with aclosing(cast(Any, self.stream(tiny))) as chunks:
                async for _ in chunks:
                    break

    def _check(
        self,
        able: bool,
        what: str,
        command: str,
        otherwise: str = "Its own manual tells how",
    ) -> None:
        if not able:
            how = f"Do it there: {command}" if command else otherwise
            raise errors.SettingError(
                f"{self.kind.name} cannot be told to {what} a model. {how}"
            )

    @asynccontextmanager
    async def _ordering(self, model: str = "") -> AsyncIterator[Probe]:
        """A look that may order something; what the server says against it becomes an
        error for the user.
        """
        server = await self.server()
        try:
            async with probing(server.access) as probe:
                yield probe
        except ErrorResponse as complaint:
            raise await self._refused(server, complaint, model) from None
        except ConnectionError as error:
            raise error_lines.hung_up(server, str(error)) from error


def _is_elsewhere(error: errors.NoReply | errors.ServerError) -> bool:
    """Whether an error means that there is something, but not here."""
    status = error.status if isinstance(error, errors.ServerError) else 404
    return status is not None and status < 500 and status not in (401, 403, 429)


def _is_its_own(error: errors.ProviderError) -> bool:
    """Whether an error is about the question alone, so that the server is surely the
    one that it was.
    """
    if isinstance(error, errors.ServerError):
        return error.status in (400, 413, 422, 429)
    return isinstance(
        error, errors.PromptTooLong | errors.KeyRefused | errors.ModelNotFound
    )


def _can_chat(model: Model) -> bool:
    return (
        "chat" in model.abilities if model.abilities else not NO_CHAT.search(model.name)
    )


def _merged(listed: list[Model], told: list[Model]) -> list[Model]:
    """The models in the order of the plain list, with what was told of them; then those
    that it does not hold.
    """
    more = {model.name: model for model in told}
    return [*(more.pop(model.name, model) for model in listed), *more.values()]
