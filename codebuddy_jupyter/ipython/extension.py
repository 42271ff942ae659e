"""The IPython extension: what ``%load_ext codebuddy_jupyter`` adds to a shell.

``%load_ext`` must be instant, so it only registers magics, hooks and the like. What
does the work is imported in the background once the loading cell has ended, or when it
is first used; that is why this module imports its own package inside functions.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .cell_magic import find_cell_magic
from .late_settings import placeholder
from .magics import BuddyMagics
from .question_mark import QuestionMarkTransform, has_question, refusal
from .reply_hook import ReplyHook

if TYPE_CHECKING:
    from ..buddy import Buddy
    from ..completion.completer import Completer
    from ..display.screens import Display
    from ..widgets.editor import EditorComm
    from ..widgets.panel import Panel
    from .suggest_key import SuggestKey

MAGIC = "buddy"
MAGIC_TYPES = ("line", "cell")
# The name of the comm that the JupyterLab extension opens.
EDITOR_TARGET = "codebuddy"
# The panel of the sidebar, beside those of cells.
SIDEBAR = object()
QUESTION_LOST = (
    "IPython took the `?` in the cell that loads the extension as a request for help. "
    "Ask again in a new cell."
)


class Extension:
    """Everything that is added to a shell, and the owner of the Buddy.

    Parameters
    ----------
    shell
        The IPython shell.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._lock = threading.RLock()
        self._buddy_and_display: tuple[Buddy, Display] | None = None
        self._completer: Completer | None = None
        self._suggest_key: SuggestKey | None = None
        self._panels: dict[object, Panel] = {}
        self._editor_comms: list[EditorComm] = []
        self._is_listening = False
        self._earlier_magics = self._magics_named_buddy()
        magics = BuddyMagics(shell, self)
        late_settings = placeholder(self.add_configurables)
        # IPython adds the magics to the list itself.
        shell.configurables.append(late_settings)
        self._configurables: list[Any] = [magics, late_settings]
        shell.register_magics(magics)
        # The hooks run once; each is removed when it is called.
        self._hooks = {
            "post_run_cell": self._after_loading_cell,
            "pre_run_cell": self._before_next_cell,
        }
        for event, hook in self._hooks.items():
            shell.events.register(event, hook)
        shell.events.register("pre_run_cell", self._before_cell)
        shell.events.register("post_run_cell", self._after_cell)
        # IPython transforms all of a cell before it runs it, so this has no effect on
        # the cell that loads the extension.
        transformers = shell.input_transformer_manager
        transformers.token_transformers.append(QuestionMarkTransform)
        # Before IPython's own, which takes a cell magic in the first line.
        transformers.line_transforms.insert(0, find_cell_magic)
        self._reply_hook: ReplyHook | None = None
        if not hasattr(shell, "kernel") and hasattr(shell, "display_trap"):
            self._reply_hook = ReplyHook(shell)
            self._reply_hook.install()
        self._comm_manager = getattr(
            getattr(shell, "kernel", None), "comm_manager", None
        )
        if self._comm_manager is not None:
            self._comm_manager.register_target(EDITOR_TARGET, self._on_editor)

    def unload(self) -> None:
        """Restore the shell as it was before."""
        if self._comm_manager is not None:
            self._comm_manager.unregister_target(EDITOR_TARGET, self._on_editor)
        for comm in self._editor_comms:
            comm.close()
        for panel in self._panels.values():
            panel.close()
        for event in list(self._hooks):
            self._unhook(event)
        self.shell.events.unregister("pre_run_cell", self._before_cell)
        self.shell.events.unregister("post_run_cell", self._after_cell)
        transformers = self.shell.input_transformer_manager
        transformers.token_transformers.remove(QuestionMarkTransform)
        transformers.line_transforms.remove(find_cell_magic)
        if self._reply_hook is not None:
            self._reply_hook.remove()
        if self._suggest_key is not None:
            self._suggest_key.remove()
        if self._is_listening:
            self._stop_listening()
        self._restore_magics()
        with self._lock:
            self.shell.configurables[:] = [
                configurable
                for configurable in self.shell.configurables
                if configurable not in self._configurables
            ]
            if self._buddy_and_display is not None:
                self.buddy.close()

    @property
    def buddy(self) -> Buddy:
        """The Buddy, created when it is first used."""
        return self._build()[0]

    @property
    def display(self) -> Display:
        """What shows replies in this shell."""
        return self._build()[1]

    @property
    def completer(self) -> Completer:
        """What completes code while it is typed, created when it is first used."""
        from ..completion.completer import Completer

        with self._lock:
            if self._completer is None:
                self._completer = Completer(self.buddy)
            return self._completer

    def _build(self) -> tuple[Buddy, Display]:
        with self._lock:
            if self._buddy_and_display is None:
                from ..buddy import Buddy
                from ..context.session import Session
                from ..display.screens import Display

                display = Display(self.shell)
                buddy = Buddy(parent=self.shell, display=display)
                buddy.collector.session = Session(self.shell)
                self._buddy_and_display = buddy, display
            return self._buddy_and_display

    def refuse(self, question: str, *, is_shell: bool) -> None:
        """Say what to type instead of ``%buddy`` where no magic can stand.

        Raises
        ------
        SettingError
            Always; see `refusal`.
        """
        raise refusal(question, is_shell=is_shell)

    def panel(self) -> Panel:
        """Return a new panel for the cell that runs.

        A panel that was opened by the same cell before is closed.
        """
        from ..widgets.panel import Panel

        cell = self._cell_id()
        earlier = self._panels.pop(cell, None)
        if earlier is not None:
            earlier.close()
        panel = Panel(self.buddy, self.shell)
        # Without cell ids, no panel replaces another.
        self._panels[cell or object()] = panel
        panel.chat.note_cell(cell)
        return panel

    def sidebar_model(self) -> str:
        """Return the identifier of the panel for the sidebar, the same for all pages."""
        from ..widgets.panel import Panel

        with self._lock:
            panel = self._panels.get(SIDEBAR)
            if panel is None or not panel.is_open:
                panel = Panel(self.buddy, self.shell)
                panel.fit_sidebar()
                self._panels[SIDEBAR] = panel
            return str(panel.model_id)

    def _on_editor(self, comm: Any, message: object) -> None:
        """Answer the requests of a page's JupyterLab extension."""
        from ..completion.requests import completion_handler
        from ..widgets.editor import EditorComm, editor_handlers

        handlers = editor_handlers(self.buddy, self.sidebar_model)
        handlers["complete"] = completion_handler(self.completer)
        self._editor_comms = [kept for kept in self._editor_comms if not kept.is_closed]
        self._editor_comms.append(EditorComm(comm, handlers))

    def _cell_id(self) -> str:
        """Return the id of the cell that runs; empty when the front end sends none."""
        if not hasattr(self.shell, "get_parent"):
            return ""
        metadata = self.shell.get_parent().get("metadata", {})
        return str(metadata.get("cellId", ""))

    def add_configurables(self) -> None:
        """Add the Buddy and all providers to what ``%config`` knows."""
        with self._lock:
            known = {type(configurable) for configurable in self._configurables}
            names = self.buddy.registry.names()
            providers = self.buddy.providers_named(names)
            for configurable in (self.buddy, *providers):
                if type(configurable) not in known:
                    self._configurables.append(configurable)
                    self.shell.configurables.append(configurable)

    def listen(self, info: Any = None) -> None:
        """Start to record what the shell runs, and to complete prompts.

        To be called in the shell's main thread, since IPython keeps some hooks by
        thread.

        Parameters
        ----------
        info
            The ``ExecutionInfo`` of the cell that is about to run, if one is.
        """
        session = self.buddy.collector.session
        if session is None or self._is_listening:
            return
        from ..commands import completion

        self._is_listening = True
        session.listen()
        if info is not None:
            session.on_start(info)
        completion.install(
            self.shell,
            names=session.names,
            folder=session.folder,
        )

    def _stop_listening(self) -> None:
        from ..commands import completion

        session = self.buddy.collector.session
        if session is not None:
            session.leave()
        completion.uninstall(self.shell)

    def _after_loading_cell(self, result: Any = None) -> None:
        """Prepare, in the background, what the first question would wait for."""
        self._unhook("post_run_cell")
        self._add_suggest_key()
        if has_question(result):
            self.display.text(QUESTION_LOST)
        thread = threading.Thread(
            target=self._try_warm,
            name="buddy-warm",
            daemon=True,
        )
        thread.start()

    def _add_suggest_key(self) -> None:
        """Let a key complete code, in a terminal that has keys."""
        session = getattr(self.shell, "pt_app", None)
        if session is not None:
            from .suggest_key import SuggestKey

            self._suggest_key = SuggestKey(session, lambda: self.completer)

    def _before_cell(self, info: Any = None) -> None:
        """Stop what is read ahead, since the cell needs the processors; note what a
        proposed one can change.
        """
        if self._buddy_and_display is not None:
            self.buddy.quiet.note_cell_start()
            source = getattr(info, "raw_cell", None) or ""
            self.buddy.proposed_runs.begin(source, self.shell.user_ns)

    def _after_cell(self, result: Any = None) -> None:
        """Note that it is quiet, and what a proposed cell has changed; say which settings
        of the cell have no effect.

        A cell may set a provider first and switch to it afterwards.
        """
        if self._buddy_and_display is not None:
            self.buddy.quiet.note_cell_end()
            info = getattr(result, "info", None)
            source = getattr(info, "raw_cell", None) or ""
            self.buddy.proposed_runs.end(source, self.shell.user_ns)
            for line in self.buddy.settings_without_effect():
                self.display.text(line)

    def _before_next_cell(self, info: Any = None) -> None:
        self._unhook("pre_run_cell")
        self.add_configurables()
        self.listen(info)

    def _unhook(self, event: str) -> None:
        hook = self._hooks.pop(event, None)
        if hook is not None:
            self.shell.events.unregister(event, hook)

    def _try_warm(self) -> None:
        # What cannot be imported is told by the question that needs it.
        with suppress(Exception):
            self._warm()

    def _warm(self) -> None:
        # What the magic imports when it runs.
        from . import line  # noqa: F401

        self.display.warm()
        self.add_configurables()
        self.buddy.warm()
        if hasattr(self.shell, "kernel"):
            # What /panel imports.
            from ..widgets import panel  # noqa: F401

    def _magics_named_buddy(self) -> dict[str, Any]:
        """Return the magics of the same name that other code has registered."""
        magics = self.shell.magics_manager.magics
        return {type: magics[type].get(MAGIC) for type in MAGIC_TYPES}

    def _restore_magics(self) -> None:
        manager = self.shell.magics_manager
        for type, earlier in self._earlier_magics.items():
            magics = manager.magics[type]
            magics.pop(MAGIC, None)
            if earlier is not None:
                magics[MAGIC] = earlier
        manager.registry.pop("BuddyMagics", None)
