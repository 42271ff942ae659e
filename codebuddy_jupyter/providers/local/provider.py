"""The provider for an OpenAI-compatible server on the user's own machine: Ollama, LM
Studio, llama.cpp, vLLM, LocalAI, Jan and others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import Any, ClassVar, cast

from traitlets import Bool, Int, Unicode

from ... import errors
from ...errors import Remedy
from ...messages import Message, Model, Progress, Request
from ..checks import Announce, Check
from ..http import error_lines
from ..http.chat_stream import ChatStream
from ..http.probe import probing
from ..http.server_error import ErrorResponse
from ..kinds import FoundServer, Kind, Probe
from .connection_check import LocalConnectionCheck
from .fixed_window import FixedWindow, FixedWindows
from .model_choice import best_of, can_chat, merged, model_of, named
from .server import BASE_URL_VARIABLE, LocalServerProvider, is_wrong_path

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
        min=0,
        help=(
            "The context window, in tokens, with which Ollama loads the model; 0: "
            "Ollama's default."
        ),
    ).tag(config=True, label="Context window", affects="target")
    warm_up = Bool(
        False, help="Load the model in the background when switching to it with /use."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        # By base URL, and some by model as well.
        self._chosen: dict[str, str] = {}
        self._windows: dict[tuple[str, str], int | None] = {}
        self._max_windows: dict[tuple[str, str], int] = {}
        self._fixed_windows = FixedWindows()
        # The models that are being loaded on request.
        self._loading: list[str] = []
        super().__init__(**kwargs)

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
        self._windows.clear()
        self._fixed_windows.forget()

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
        listed = await self.listed()
        async with self.open_probe() as probe:
            server = await self.recognised(probe)
            reported = await server.kind.models(probe, closely=closely)
        models = listed if reported is None else merged(listed, reported)
        for model in models:
            if model.max_window:
                self._max_windows[server.url, model.name] = model.max_window
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
                raise self._no_model()
            for offered in models:
                if offered.loaded is not False:
                    self._windows[self.url, offered.name] = offered.window
            self._chosen[self.url] = best_of(models)
        return self._chosen[self.url]

    def _no_model(self) -> errors.ModelNotFound:
        what = f"{self.url} has no model that can chat."
        command = self.kind.command_to_download(self.kind.example_model)
        if command:
            return errors.ModelNotFound(what, Remedy("Download one", command))
        return errors.ModelNotFound(
            what,
            Remedy("Download or load one there"),
            Remedy("With Ollama", "ollama pull llama3.2"),
        )

    async def count(self, model: str, text: str) -> int | None:
        """Return the number of tokens of a text, if the server offers its tokenizer."""
        server = await self.find_server()
        async with self.open_probe() as probe:
            return await server.kind.count(probe, model, text)

    # The context window

    async def window(self, model: str) -> int | None:
        """Return the context window of the model as it is loaded, in tokens; None if the
        server does not report it.
        """
        if self.num_ctx:
            server = await self.find_server()
            if server.kind.can_set_window:
                return await self._load_with_window(server, model)
        if (self.url, model) not in self._windows:
            loaded = await self._loaded_model(model)
            # It is reported once the model is loaded.
            if loaded.loaded is False:
                return None
            # Listing the models may have corrected the URL.
            self._windows[self.url, model] = loaded.window
        return self._windows[self.url, model]

    async def _loaded_model(self, model: str) -> Model:
        try:
            models = await self.models()
        except (errors.NoReply, errors.ServerError) as error:
            # A server without a list of models may answer prompts nevertheless.
            if not is_wrong_path(error):
                raise
            models = []
        return named(models, model) or Model(model)

    async def _load_with_window(self, server: FoundServer, model: str) -> int | None:
        """Load the model with the context window of the settings, if it is not; return
        the window that it got.
        """
        wanted = FixedWindow(server.url, model, self.num_ctx)
        window = self._fixed_windows.loaded(wanted)
        if self._fixed_windows.is_due(wanted):
            seconds = self.first_token_timeout
            async with self._commanding(model) as probe:
                with self._while_loading(model):
                    window = await self._fixed_windows.load(
                        probe, server, wanted, seconds
                    )
        self._fixed_windows.remember(wanted, window)
        return window

    def widen(self, model: str, tokens: int) -> str:
        """Return the command that gives a model a context window of so many tokens, or
        of the most that it supports; empty if that is not more than it has.
        """
        most = self._max_windows.get((self.url, model), tokens)
        now = self._known_window(model)
        if now is not None and now >= most:
            return ""
        return self.kind.command_to_widen(model, min(tokens, most))

    def _known_window(self, model: str) -> int | None:
        wanted = FixedWindow(self.url, model, self.num_ctx)
        window = self._fixed_windows.loaded(wanted)
        if window is None:
            window = self._windows.get((self.url, model))
        return window

    def _uses_own_api(self) -> bool:
        """Return whether chat requests go through the server's own API, since its
        OpenAI-compatible one resets the context window.
        """
        if not self.num_ctx or not self.kind.can_set_window:
            return False
        return self._fixed_windows.needs_own_api(self.url)

    def path(self, model: str) -> str:
        """Return where a chat request is sent."""
        if self._uses_own_api():
            return self.kind.chat_url(self.url)
        return super().path(model)

    def body(self, request: Request) -> dict[str, Any]:
        """Return the JSON of a chat request."""
        if self._uses_own_api():
            return self.kind.chat_body(request, self.num_ctx)
        return super().body(request)

    def reading(self, model: str) -> ChatStream:
        """Return the parser of a reply."""
        if self._uses_own_api():
            return self.kind.chat_stream()
        return super().reading(model)

    # Downloading, loading and unloading

    async def pull(self, model: str, progress: Progress) -> None:
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
        num_ctx = self.num_ctx if kind.can_set_window else 0
        async with self._commanding(model) as probe:
            with self._while_loading(model):
                await kind.load(probe, model, self.first_token_timeout, num_ctx)
        self._forget_models()

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
        async with aclosing(cast(Any, self.stream(request))) as chunks:
            await anext(chunks, None)

    @asynccontextmanager
    async def _commanding(self, model: str = "") -> AsyncIterator[Probe]:
        """Open a probe for a command such as a download; errors of the server become
        errors for the user.
        """
        server = await self.server()
        try:
            async with probing(server.access) as probe:
                yield probe
        except ErrorResponse as response:
            raise await self._refused(server, response, model) from None
        except ConnectionError as error:
            raise error_lines.hung_up(server, str(error)) from error


def _not_possible(kind: Kind, verb: str, instead: Remedy) -> errors.SettingError:
    """Return the error for what clients cannot do on this kind of server."""
    what = f"{kind.name} does not let clients {verb} a model."
    return errors.SettingError(what, instead)
