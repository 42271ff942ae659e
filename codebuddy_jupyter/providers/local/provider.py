"""The provider for an OpenAI-compatible server on the user's own machine: Ollama, LM
Studio, llama.cpp, vLLM, LocalAI, Jan and others.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from typing import Any, ClassVar, cast

from traitlets import Bool, Int, TraitError, Unicode, validate

from ... import errors
from ...errors import Remedy
from ...messages import Chunk, Infill, Message, Model, Progress, Request, bare_name
from ..base import LOCAL_TEMPERATURE, temperature_setting
from ..checks import Announce, Check
from ..http import error_lines
from ..http.chat_stream import ChatStream
from ..http.probe import probing
from ..http.server_error import ErrorResponse
from ..kinds import UNKNOWN, Kind, Probe
from .connection_check import LocalConnectionCheck
from .loaded_windows import LoadedModel, LoadedWindows
from .model_choice import best_of, can_chat, merged, model_of, named
from .server import BASE_URL_VARIABLE, LocalServerProvider, is_wrong_path

# Tokens. In a smaller context window there is no room for a question and its answer; no
# model has a larger one.
SMALLEST_NUM_CTX = 512
LARGEST_NUM_CTX = 1 << 20
# What a model without a chat is refused with.
NO_CHAT = re.compile(r"does not support (?:chat|generate|completion)", re.IGNORECASE)
NO_OWN_CHAT = (
    "{}'s own API does not answer here, so a prompt that is too long may be cut without "
    "an error."
)
# Statuses of a server that is busy.
BUSY = (429, 503)
# Seconds for the look at what is loaded, beside a question that waits.
LOADING_TIMEOUT = 2.0


class LocalProvider(LocalServerProvider):
    """A local server.

    It needs no key, and reports its models and their context windows.
    """

    label = "Local LLM (Ollama/LM Studio)"
    key_variable = "CODEBUDDY_API_KEY"
    environment: ClassVar[Mapping[str, str]] = {
        "base_url": BASE_URL_VARIABLE,
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
            "The model to ask. Empty: the loaded one, else llama3, else the first "
            "chat model."
        ),
    ).tag(config=True, affects="target")
    num_ctx = Int(
        0,
        help=(
            "The context window, in tokens, with which Ollama loads the model; 0: "
            "Ollama's default."
        ),
    ).tag(config=True, label="Context window", affects="target")
    temperature = temperature_setting(LOCAL_TEMPERATURE, "the server's default")
    warm_up = Bool(
        False, help="Load the model in the background when switching to it with /use."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        # By base URL, and some by model as well.
        self._chosen: dict[str, str] = {}
        self._facts: dict[tuple[str, str], Model] = {}
        self._max_windows: dict[tuple[str, str], int] = {}
        self._windows = LoadedWindows()
        # The base URLs of servers behind a gateway that keeps their own chat API away.
        self._without_own_chat: set[str] = set()
        # The models about whose context window the user was told.
        self._noted: set[LoadedModel] = set()
        # The models that are being loaded on request.
        self._loading: list[str] = []
        super().__init__(**kwargs)

    @validate("num_ctx")
    def _num_ctx_is_sensible(self, proposal: Mapping[str, Any]) -> int:
        num_ctx: int = proposal["value"]
        if num_ctx and not SMALLEST_NUM_CTX <= num_ctx <= LARGEST_NUM_CTX:
            raise TraitError(
                f"it must be from {SMALLEST_NUM_CTX:,} to {LARGEST_NUM_CTX:,} tokens, or "
                f"0 for Ollama's default, and not {num_ctx:,}"
            )
        return num_ctx

    def check(self, announce: Announce) -> AsyncIterator[Check]:
        """Examine the connection, and which servers answer; see `Provider.check`."""
        return LocalConnectionCheck(self, announce).run()

    def load_command(self, model: str) -> str:
        """Return the command that loads a model before the first question."""
        return self.kind.command_to_load(model)

    def forget(self, error: errors.ProviderError) -> None:
        """Forget what may have changed with this error: the chosen model and the context
        windows; also the server, if another one may be there now.
        """
        super().forget(error)
        self._forget_models()

    def _forget_models(self) -> None:
        self._chosen.clear()
        self._facts.clear()
        self._windows.forget()

    # Models

    def read_model(self, entry: Mapping[str, Any]) -> Model:
        """Return a model from the OpenAI-compatible list."""
        return model_of(entry)

    async def models(self) -> list[Model]:
        """Return the models of the server, with what it reports in a few requests."""
        return await self._described(closely=False)

    async def catalogue(self) -> list[Model]:
        """Return the models of the server, with everything that it reports."""
        return await self._described(closely=True)

    async def _described(self, *, closely: bool) -> list[Model]:
        models = await self.listed()
        async with self.open_probe() as probe:
            server = await self.recognised(probe)
            reported = await server.kind.models(probe, closely=closely)
        if reported is not None:
            models = merged(models, reported)
        for model in models:
            self._note_max_window(model)
        return models

    async def choose(self, model: str) -> str:
        """Return the model to ask: ``model``, else that of the settings, else a loaded
        one, else llama3, else the first chat model.

        Raises
        ------
        ModelNotFound
            If the server has no chat model.
        """
        if model or self.model:
            return model or self.model
        if self.url not in self._chosen:
            listed = await self.models()
            models = [offered for offered in listed if can_chat(offered)]
            if not models:
                raise self._no_model(listed)
            for offered in models:
                if offered.loaded is not False and not self.kind.has_own_chat:
                    key = self._key(offered.name)
                    self._windows.remember(key, offered.window)
            self._chosen[self.url] = best_of(models)
        return self._chosen[self.url]

    def _no_model(self, listed: list[Model]) -> errors.ModelNotFound:
        what = f"{self.url} has no model that can chat."
        if not listed:
            what = f"{self.url} has no model yet."
        return errors.ModelNotFound(what, *self.without_models())

    def without_models(self) -> tuple[Remedy, ...]:
        """Return what to do if the server has no model."""
        command = self.kind.command_to_download(self.kind.example_model)
        if command:
            return (Remedy("Download one", command),)
        return (
            Remedy("Download or load one there"),
            Remedy("With Ollama", "ollama pull llama3.2"),
        )

    async def _without_chat(self, model: str) -> errors.ModelNotFound:
        """Return the error for a model that only makes embeddings."""
        listed: list[Model] = []
        with suppress(errors.ProviderError):
            listed = await self.models()
        models = [offered for offered in listed if can_chat(offered)]
        remedies = self.without_models()
        if models:
            remedies = (Remedy("Switch", f"%buddy /use {best_of(models)}"),)
        return errors.ModelNotFound(f"{model} only makes embeddings.", *remedies)

    async def _refused(
        self, server: error_lines.Server, error: ErrorResponse, model: str
    ) -> errors.ProviderError:
        """Return the error for an error response; a model that is missing can be
        downloaded.
        """
        cannot_chat = error.status == 400 and NO_CHAT.search(error.message)
        if model and cannot_chat:
            return await self._without_chat(model)
        refused = await super()._refused(server, error, model)
        if not isinstance(refused, errors.ModelNotFound):
            return refused
        command = self.kind.command_to_download(model)
        if not model or not command:
            return refused
        switches = [remedy for remedy in refused.remedies if remedy.command]
        download = Remedy("Download it", command)
        return errors.ModelNotFound(refused.what, *switches, download)

    async def count(self, model: str, text: str) -> int | None:
        """Return the number of tokens of a text, if the server offers its tokenizer."""
        server = await self.find_server()
        async with self.open_probe() as probe:
            return await server.kind.count(probe, model, text)

    # The context window

    def _key(self, model: str) -> LoadedModel:
        return LoadedModel(self.url, bare_name(model), self.num_ctx)

    def _place(self, model: str) -> tuple[str, str]:
        return self.url, bare_name(model)

    def _note_max_window(self, model: Model) -> None:
        if model.max_window:
            place = self._place(model.name)
            self._max_windows[place] = model.max_window

    async def window(self, model: str) -> int | None:
        """Return the context window of the model as it is loaded, in tokens; None if the
        server does not report it. Where it is not known otherwise, the model is loaded.

        Raises
        ------
        ModelNotFound
            If the server does not have the model, or it only makes embeddings.
        """
        return await self._window(model, may_load=True)

    async def window_now(self, model: str) -> int | None:
        """Return what `window` returns, without loading the model for that."""
        return await self._window(model, may_load=False)

    async def _window(self, model: str, *, may_load: bool) -> int | None:
        key = self._key(model)
        # A model of another kind of server stays as it is loaded.
        lasts = self._windows.is_fresh(key) or not self.kind.has_own_chat
        if key in self._windows and lasts:
            window = self._windows.get(key)
            # A preview does not keep the model loaded.
            if may_load:
                self._windows.remember(key, window)
            return window
        offered = Model(model)
        if not self.knows_server or not self.kind.has_own_chat:
            offered = await self._listed_model(model)
        # Listing the models may have corrected the URL.
        key = self._key(model)
        if self.kind.has_own_chat:
            async with self._commanding(model) as probe:
                return await self._own_window(probe, model, may_load=may_load)
        await self._check_chat(offered)
        # It is reported once the model is loaded.
        if offered.loaded is False:
            return None
        return self._windows.remember(key, offered.window)

    async def _listed_model(self, model: str) -> Model:
        try:
            models = await self.models()
        except (errors.NoReply, errors.ServerError) as error:
            # A server without a list of models may answer prompts nevertheless.
            if not is_wrong_path(error):
                raise
            models = []
        return named(models, model) or Model(model)

    async def _check_chat(self, model: Model) -> None:
        if model.abilities and "chat" not in model.abilities:
            raise await self._without_chat(model.name)

    async def _own_window(
        self, probe: Probe, model: str, *, may_load: bool
    ) -> int | None:
        """Return the context window of a model of a server that has its own chat API: as
        it is loaded, or will be with the first question.
        """
        key = self._key(model)
        facts = await self._described_model(probe, model)
        wanted = self._wanted(model)
        will_be = wanted or facts.window
        loaded = await self.kind.loaded(probe, model)
        if loaded is not None and wanted in (0, loaded.window):
            return self._windows.remember(key, loaded.window or will_be)
        if not may_load:
            return will_be
        # With the window of its model file, the first question loads it.
        must_load = wanted or will_be is None
        if must_load and await self._try_load_with(probe, model, wanted):
            loaded = await self.kind.loaded(probe, model)
            if loaded is not None:
                will_be = loaded.window or will_be
        return self._windows.remember(key, will_be)

    async def _try_load_with(self, probe: Probe, model: str, num_ctx: int) -> bool:
        """Load a model; return False if the server is busy, which a question waits for,
        or offers no such command.
        """
        seconds = self.first_token_timeout
        try:
            with self._while_loading(model):
                await self.kind.load(probe, model, seconds, num_ctx)
        except ErrorResponse as response:
            is_no_command = response.status == 404 and not response.is_missing_model()
            if is_no_command or response.status in BUSY:
                return False
            raise
        return True

    async def _described_model(self, probe: Probe, model: str) -> Model:
        """Return what the server reports about a model, which is asked once.

        Raises
        ------
        ModelNotFound
            If the model only makes embeddings.
        """
        place = self._place(model)
        if place not in self._facts:
            facts = await self.kind.describe(probe, model)
            self._facts[place] = facts
            self._note_max_window(facts)
        await self._check_chat(self._facts[place])
        return self._facts[place]

    def _wanted(self, model: str) -> int:
        """Return the context window with which a model is to be loaded: that of the
        settings, if the model supports as much; 0: the server's choice.
        """
        most = self._max_windows.get(self._place(model), self.num_ctx)
        return min(self.num_ctx, most)

    def _loaded_with(self, model: str) -> int:
        """Return the context window with which a model is loaded, or is to be."""
        window = self._windows.get(self._key(model))
        return window or self._wanted(model)

    def window_note(self, model: str) -> str:
        """Return a line about a context window that is smaller than the settings ask for;
        empty if it is not.
        """
        if not self.kind.has_own_chat:
            return ""
        window = self._windows.get(self._key(model))
        if not window or window >= self.num_ctx:
            return ""
        setting = Remedy(
            "Set what it supports", f"%config LocalProvider.num_ctx = {window}"
        )
        return (
            f"{model} has a context window of {window:,} tokens: it does not support the "
            f"{self.num_ctx:,} of num_ctx. {setting}"
        )

    def widen(self, model: str, tokens: int) -> str:
        """Return the command that gives a model a context window of so many tokens, or
        of the most that it supports; empty if that is not more than it has.
        """
        most = self._max_windows.get(self._place(model), tokens)
        now = self._windows.get(self._key(model))
        if now is not None and now >= most:
            return ""
        return self.kind.command_to_widen(model, min(tokens, most))

    async def slots(self, model: str) -> int | None:
        """Return how many requests the server answers at a time, if it tells that."""
        server = await self.find_server()
        async with self.open_probe() as probe:
            return await server.kind.slots(probe, model)

    # Chat requests

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Send a request and yield the chunks of the reply; see `Provider.stream`."""
        if not self.knows_server and self.kind is UNKNOWN:
            # A server without a list of models may answer prompts nevertheless.
            with suppress(errors.NoReply, errors.ServerError):
                await self.find_server()
        key = self._key(request.model)
        note = self.window_note(request.model)
        if note and key not in self._noted:
            self._noted.add(key)
            yield Chunk(note=note)
        reply = cast(Any, super().stream(request))
        try:
            async with aclosing(reply) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        except errors.PromptTooLong as error:
            # The next try must not have the model loaded with another window.
            if error.window:
                self._windows.remember(key, error.window)
            raise
        except errors.ServerError as error:
            if error.status != 404 or not self._uses_own_chat:
                raise
        self._without_own_chat.add(self.url)
        note = NO_OWN_CHAT.format(self.kind.name)
        yield Chunk(note=note)
        reply = cast(Any, super().stream(request))
        async with aclosing(reply) as chunks:
            async for chunk in chunks:
                yield chunk

    @property
    def _uses_own_chat(self) -> bool:
        return self.kind.has_own_chat and self.url not in self._without_own_chat

    def path(self, model: str) -> str:
        """Return where a chat request is sent."""
        if self._uses_own_chat:
            return self.kind.chat_url(self.url)
        return super().path(model)

    def body(self, request: Request) -> dict[str, Any]:
        """Return the JSON of a chat request."""
        if not self._uses_own_chat:
            return {**self.kind.chat_fields, **super().body(request)}
        # Without the window with which it is loaded, some versions load it again.
        num_ctx = self._loaded_with(request.model)
        return self.kind.chat_body(request, num_ctx)

    def reading(self, model: str) -> ChatStream:
        """Return the parser of a reply."""
        if self._uses_own_chat:
            return self.kind.chat_stream()
        return super().reading(model)

    async def infill(self, request: Infill) -> AsyncIterator[Chunk]:
        """Write what stands between two texts; see `Provider.infill`."""
        # That may correct the base URL.
        await self.find_server()
        reply = cast(Any, super().infill(request))
        async with aclosing(reply) as chunks:
            async for chunk in chunks:
                yield chunk

    def infill_window(self, model: str) -> int:
        """Return the context window with which the model is loaded, if the server is
        told.
        """
        if not self._uses_own_chat:
            return 0
        return self._loaded_with(model)

    # Downloading, loading and unloading

    async def pull(self, model: str, progress: Progress) -> str:
        """Download a model to the server; an interrupted download resumes."""
        server = await self.find_server()
        kind = server.kind
        if not kind.can_pull:
            instead = Remedy("See the documentation of the server")
            command = kind.command_to_download(model)
            if command:
                instead = Remedy("Download it there", command)
            raise _not_possible(kind, "download", instead)
        async with self._commanding() as probe:
            await kind.pull(probe, model, progress)
        self._forget_models()
        return model

    async def load(self, model: str) -> None:
        """Load a model, with the context window of the settings if the server takes
        one.
        """
        server = await self.find_server()
        kind = server.kind
        if not kind.can_load:
            instead = Remedy("Ask the model a question, which loads it")
            command = kind.command_to_load(model)
            if command:
                instead = Remedy("Load it there", command)
            raise _not_possible(kind, "load", instead)
        self._forget_models()
        async with self._commanding(model) as probe:
            num_ctx = 0
            if kind.has_own_chat:
                await self._described_model(probe, model)
                num_ctx = self._wanted(model)
            with self._while_loading(model):
                await kind.load(probe, model, self.first_token_timeout, num_ctx)

    async def unload(self, model: str) -> None:
        """Free the memory that a model takes."""
        server = await self.find_server()
        if not server.kind.can_unload:
            stop = Remedy("Stop the server instead")
            raise _not_possible(server.kind, "unload", stop)
        async with self._commanding(model) as probe:
            await server.kind.unload(probe, model)
        self._forget_models()

    async def load_ahead(self, model: str) -> None:
        """Load the model if `warm_up` is on: by a command, else by a prompt with a reply
        of one token.
        """
        if not self.warm_up:
            return
        with suppress(errors.BuddyError):
            model = await self.choose(model)
            if not await self._try_load(model):
                await self._ask_shortest(model)

    async def is_model_loading(self, model: str) -> bool | None:
        """Return whether the server has not loaded a model that was asked; None where it
        does not say.
        """
        if model in self._loading:
            return True
        found = self._servers.get(self.url)
        if found is None:
            return None
        server = await self.server()
        async with probing(server.access, LOADING_TIMEOUT) as probe:
            models = await found.kind.models(probe)
        reported = named(models or [], model)
        if reported is None or reported.loaded is None:
            return None
        return not reported.loaded

    def keeps_prompts(self) -> bool:
        """Return whether this kind of server has a prompt cache."""
        return self.kind.keeps_prompts

    async def can_read_ahead(self, model: str) -> bool:
        """Return whether the server is on this machine, known to have a prompt cache, and
        reports that the model is loaded.
        """
        if not self.knows_server or not self.keeps_prompts():
            return False
        if not self.stays_here():
            return False
        return await self.is_model_loading(model) is False

    @contextmanager
    def _while_loading(self, model: str) -> Iterator[None]:
        """Note that a model is being loaded, on request."""
        self._loading.append(model)
        try:
            yield
        finally:
            self._loading.remove(model)

    async def _try_load(self, model: str) -> bool:
        server = await self.find_server()
        if not server.kind.can_load:
            return False
        try:
            await self.load(model)
        except errors.BuddyError:
            # Older versions of some servers have no such command.
            return False
        return True

    async def _ask_shortest(self, model: str) -> None:
        message = Message("user", "1")
        request = Request((message,), model, max_tokens=1)
        reply = cast(Any, self.stream(request))
        async with aclosing(reply) as chunks:
            await anext(chunks, None)


def _not_possible(kind: Kind, verb: str, instead: Remedy) -> errors.SettingError:
    """Return the error for what clients cannot do on this kind of server."""
    what = f"{kind.name} does not let clients {verb} a model."
    return errors.SettingError(what, instead)
