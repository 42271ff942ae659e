"""The Buddy: it owns the settings, the providers and the conversation of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from traitlets import TraitError, validate
from traitlets.config import Config

from .background.loop import Loop
from .background.notice import Notice
from .chat.conversation import Chat
from .chat.history import History
from .chat.reply import Reply
from .context.collector import Collector
from .errors import BuddyError, SettingError
from .providers.base import Provider
from .providers.instances import Instances
from .providers.registry import Registry
from .question.draft import Draft
from .question.options import Options
from .question.pipeline import Pipeline
from .question.settings import QuestionSettings
from .question.target import Targets
from .question.tokens import TokensByModel
from .settings.configured import (
    DEFAULT,
    KERNEL,
    Configured,
    SavedSettings,
    default_settings_path,
)


class Buddy(QuestionSettings):
    """The owner of all state; `ask` is its main method.

    Parameters
    ----------
    settings_path
        The file of saved settings; by default ``codebuddy.json`` in Jupyter's
        configuration directory.
    display
        Shows a reply in which a cell ends.
    registry
        The providers that there are.
    config, parent
        As for any ``traitlets`` Configurable.
    """

    def __init__(
        self,
        *,
        settings_path: Path | None = None,
        display: Callable[[Reply], None] | None = None,
        registry: Registry | None = None,
        config: Config | None = None,
        parent: Any = None,
    ) -> None:
        self.loop = Loop()
        self.tokens = TokensByModel()
        self.collector = Collector()
        self.watchers: list[Callable[[], None]] = []
        """Called, on any thread, when the conversation has a new turn, lost one, or is
        another.
        """
        self.history = History(
            self.loop, self._notebook, self.keeps_chats, display, self._notify_watchers
        )
        self.server: object = None
        """The MCP server of the notebook, once it was started."""
        self.served = Notice()
        """Who reads the notebook by it; empty while it does not run."""
        self.registry = registry or Registry()
        self.display = display
        self._providers = Instances(
            self.registry,
            lambda name: self.registry.make(name, self, self.saved.state),
        )
        self._targets = Targets(self.registry, self.ready, self._provider_in_use)
        self._pipeline = Pipeline(
            self, self._targets, self.collector, self.history, self.tokens, self.loop
        )
        self.proposed = self._pipeline.proposed
        self.proposed_runs = self._pipeline.proposed_runs
        self.ahead, self.quiet = self._pipeline.ahead, self._pipeline.quiet
        self.kept_answers = self._pipeline.kept_answers
        path = settings_path or default_settings_path()
        sections = {"Buddy", *(f"{name}Provider" for name in self.registry.known())}
        self.saved = SavedSettings(path, sections)
        super().__init__(
            parent=parent,
            config=config,
            saved=self.saved.state.get("Buddy"),
            saved_problem=self.saved.problem,
        )
        self.doubt_sections(sections)

    @validate("provider")
    def _validate_provider(self, proposal: Mapping[str, Any]) -> str:
        try:
            return self.registry.name(proposal["value"])
        except SettingError as error:
            raise TraitError(str(error)) from error

    def provider_named(self, name: str) -> Provider:
        """Return the provider of this name; see `Instances.named`."""
        return self._providers.named(name)

    def providers_named(self, names: Iterable[str]) -> list[Provider]:
        """Return those of these providers that can be loaded; ``/use`` shows why not."""
        return self._providers.all_named(names, self.problems)

    def current(self) -> Provider:
        """Return the provider that the settings name now, ready for requests."""
        return self.ready(self._provider_in_use())

    def ready(self, name: str) -> Provider:
        """Return a provider with the present settings and environment."""
        self.saved.read_mended(self._owners())
        provider = self.provider_named(name)
        provider.read_environment()
        doubts: list[str] = []
        # As long as no file says clearly whether anything may leave the machine, nothing
        # does.
        if self.origin("offline") != KERNEL:
            doubts = self.doubts + provider.doubts
        provider.offline = self.offline or bool(doubts)
        provider.offline_reason = "" if self.offline else "".join(doubts[:1])
        provider.allowed_hosts = tuple(self.allowed_hosts)
        return provider

    def _provider_in_use(self) -> str:
        self.read_environment()
        return self.provider

    def settings_without_effect(self) -> list[str]:
        """Return lines about providers not in use; see `Instances.without_effect`."""
        return self._providers.without_effect(self.provider)

    def notes_of_doubt(self) -> tuple[str, ...]:
        """Return lines about settings of files that cannot be read, or are refused."""
        self.saved.read_mended(self._owners())
        lines = list(self.doubts)
        with suppress(BuddyError):
            lines += self.provider_named(self.provider).doubts
        if lines and self.origin("offline") != KERNEL:
            lines.append("Until this is corrected, nothing is sent to other machines.")
        return tuple(lines)

    def _owners(self) -> tuple[Configured, ...]:
        return (self, *self._providers)

    def keeps_chats(self) -> bool:
        """Return whether to keep conversations: not while it is not known whether the
        user wants that.
        """
        is_unknown = bool(self.doubts) and self.origin("keep_chats") == DEFAULT
        return self.keep_chats and not is_unknown

    async def resolve(self, options: Options) -> tuple[str, Provider, str]:
        """Return who answers; see `Targets.resolve`."""
        return await self._targets.resolve(options)

    def ask(
        self,
        prompt: str,
        options: Options | None = None,
        names: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Return a reply to a prompt; the request starts when the reply is first read.

        The context is collected now, in the caller's thread: what is sent is the
        notebook as the user saw it when asking.

        Parameters
        ----------
        prompt
            The question. Without ``names`` it is sent as it is.
        options
            What this question sets for itself.
        names
            The variables for ``{name}`` in the prompt. With it, ``@name`` attaches
            variables, cells, outputs and files, too.

        Raises
        ------
        PromptError
            If the prompt is empty, or names something that does not exist.
        SettingError
            If an option is invalid.
        """
        # What is read ahead must not slow down the collecting.
        self.quiet.note_change()
        options = options or Options()
        question = self._pipeline.question(prompt, options, names)
        return Reply(
            question.prompt,
            lambda reply: self._pipeline.chunks(question, reply),
            self.loop,
            self.display,
            question.format,
            is_typed=question.form is not None,
        )

    def preview(
        self,
        prompt: str,
        options: Options | None = None,
        names: Mapping[str, Any] | None = None,
    ) -> tuple[Draft, Provider, str]:
        """Return what `ask` would send for this prompt, the provider and the model.

        The prompt is not sent. The server is asked for its model and context window if
        they are not known yet; parameters and errors are those of `ask`.
        """
        options = options or Options()
        question = self._pipeline.question(prompt, options, names, may_be_empty=True)
        return self.loop.run(self._pipeline.preview(question))

    def measure(
        self, prompt: str, names: Mapping[str, Any] | None = None
    ) -> Future[tuple[Draft, Provider, str]]:
        """Return what `preview` returns, but never ask the server the same thing twice.

        The context is collected now, in the caller's thread. Errors are those of `ask`.
        """
        question = self._pipeline.question(prompt, Options(), names, may_be_empty=True)
        return self.loop.submit(self._pipeline.measure(question))

    def needed(self) -> int:
        """Estimate the tokens of the next question: the conversation, and an answer."""
        return self._pipeline.needed()

    @property
    def chat(self) -> Chat:
        """The current conversation; at first the last one of the notebook."""
        return self.history.current

    def reset(self) -> int:
        """Begin a new conversation; return the number of turns of the old one."""
        turns = len(self.chat.turns)
        self.history.new()
        return turns

    def redacted(self, text: str) -> str:
        """Return the text without the secrets that are recognised in it."""
        return self.collector.redact(text).text

    def _notebook(self) -> Path | None:
        session = self.collector.session
        return None if session is None else session.path()

    def _notify_watchers(self) -> None:
        self.quiet.note_change()
        for watcher in list(self.watchers):
            watcher()

    def save(self) -> Path:
        """Save the present settings as the user's defaults; return the file.

        One that could not be used is set aside, and is then ``saved.aside``.
        """
        self.saved.replace(self._owners())
        return self.saved.path

    def warm(self) -> None:
        """Do what the first question would wait for; call it in a background thread."""
        self.registry.discover()
        self.collector.warm()
        # The first question reports the error.
        with suppress(BuddyError):
            if self.replay != "only":
                self.current().warm()

    def close(self) -> None:
        """Stop all replies, close connections, and end processes and background loop."""
        self.quiet.close()
        self.history.stop()
        try:
            self.loop.run(self._providers.close())
        finally:
            self.loop.stop()
            self.history.close()
