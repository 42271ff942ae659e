"""``%buddy`` and ``%%buddy``: what is typed becomes a question or a command.

The state is the Buddy's.

``%load_ext`` shall be instant, so it registers names only. What does the work is
imported right after the cell that loaded it, in the background, or when it is first
used; so this module imports its own package inside functions.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import (
    EscapedCommand,
    MagicAssign,
    TokenTransformBase,
)
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from IPython.display import display as display_object

if TYPE_CHECKING:
    from ..buddy import Buddy
    from ..chat.reply import Reply
    from ..display.screens import Display
    from ..widgets.panel import Panel


@magics_class
class BuddyMagics(Magics):
    """The magics of one shell."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, extension: Extension) -> None:
        super().__init__(shell)
        self.extension = extension

    @no_var_expand
    @line_cell_magic("buddy")  # type: ignore[arg-type]  # IPython gives the decorator a type that takes no method
    def ask(self, line: str, cell: str | None = None) -> Reply | None:
        """Ask the model; the answer streams into the output.

        ::

            %buddy why is df empty after the merge?

            %%buddy -m ollama/qwen2.5-coder -t 0
            a longer prompt, with {name} for the value of a variable

            %buddy what is wrong with @df since @In[3]?

            %buddy /help

        Options, before the prompt::

            -m, --model MODEL        a model, provider/model or provider:model
            -p, --provider PROVIDER  a provider, such as local or embedded
            -s, --system TEXT        what the model is told first, for this question
            -t, --temperature T      0 (always the likeliest word) to 2
            --max-tokens N           the longest answer, in tokens
            -o, --option KEY=VALUE   any other field of the request
            -f, --format FORMAT      markdown, text, code, json, html or math
            -c, --context SECTIONS   auto, none, or a list: cells,outputs,variables,error,outline
            -n, --new                begin a new conversation with this question
            --dry-run                show what would be sent, and send nothing

        The value is the Reply: ``str(_)`` is its text.
        """
        from .. import commands
        from ..chat.reply import STOPPED
        from ..errors import Stopped
        from . import line as typed

        options, prompt = typed.PARSER.read(line)
        prompt = "\n".join(part for part in (prompt, cell) if part)
        buddy, display = self.extension.buddy, self.extension.display
        self.extension.listen()
        try:
            if prompt.strip().lower() == "/panel" and hasattr(self.shell, "kernel"):
                display_object(self.extension.panel())
                return None
            if prompt.startswith("/"):
                question = commands.question(buddy, prompt)
                if question is None:
                    display.text(commands.run(buddy, prompt, display.progress()))
                    return None
                prompt = question
            if options.dry_run:
                display.text(
                    commands.previewed(buddy, prompt, options, self.shell.user_ns)
                )
                return None
            reply = buddy.ask(prompt, options, self.shell.user_ns)
            display.show(reply)
        except KeyboardInterrupt:
            raise Stopped(STOPPED) from None
        return reply


class Question(TokenTransformBase):
    """Keeps IPython from reading ``%buddy why is df empty?`` as a request for help on
    ``empty``.
    """

    # IPython's own reading of a question mark has 5, and the lower goes first
    priority = 4

    def __init__(self, line: tuple[int, int], magic: tuple[int, int]) -> None:
        # as early as IPython's own, which would win by an earlier column
        super().__init__(line)
        self.reading = EscapedCommand(magic) if magic == line else MagicAssign(magic)

    @classmethod
    def find(cls, tokens_by_line: Any) -> Question | None:
        """The first line that asks the buddy something, ``x = %buddy …`` too, and ends
        in a question mark.
        """
        for line in tokens_by_line:
            words = [token for token in line if token.string.strip()]
            at = next(
                (i for i, word in enumerate(words[:-1]) if word.string == "%"), -1
            )
            asks = (
                at >= 0 and words[at + 1].string == "buddy" and words[-1].string == "?"
            )
            if (
                asks
                and words[at + 2].string != "?"
                and (at == 0 or words[at - 1].string == "=")
            ):
                return cls(words[0].start, words[at].start)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """Read the line as IPython reads any other magic."""
        return list(self.reading.transform(lines))


class Extension:
    """What ``%load_ext`` puts into a shell, and ``%unload_ext`` takes out again.

    It owns the Buddy.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._lock = threading.RLock()
        self._built: tuple[Buddy, Display] | None = None
        self._panels: dict[object, Panel] = {}
        self._listening = False
        own, doorbell = BuddyMagics(shell, self), _doorbell(self)
        self._configurables: list[Any] = [own, doorbell]
        # magics put themselves there
        shell.configurables.append(doorbell)
        magics = shell.magics_manager.magics
        self._before = {kind: magics[kind].get("buddy") for kind in ("line", "cell")}
        shell.register_magics(own)
        shell.input_transformer_manager.token_transformers.append(Question)
        self._hooks = {
            "post_run_cell": self._after_first_cell,
            "pre_run_cell": self._before_next_cell,
        }
        for event, hook in self._hooks.items():
            shell.events.register(event, hook)

    @property
    def buddy(self) -> Buddy:
        """The Buddy, made when it is first needed."""
        return self._build()[0]

    @property
    def display(self) -> Display:
        """What shows replies in this shell."""
        return self._build()[1]

    def add_configurables(self) -> None:
        """Let ``%config`` know the Buddy and all providers."""
        with self._lock:
            buddy, registry = self.buddy, self.buddy.registry
            known = {type(one) for one in self._configurables}
            found = [buddy, *buddy.providers_named(registry.names())]
            new = [one for one in found if type(one) not in known]
            self._configurables.extend(new)
            self.shell.configurables.extend(new)

    def panel(self) -> Panel:
        """A panel for the cell that runs; the one that the same cell opened before is
        closed.
        """
        from ..widgets.panel import Panel

        parent = self.shell.get_parent() if hasattr(self.shell, "get_parent") else {}
        cell = str(parent.get("metadata", {}).get("cellId", ""))
        if before := self._panels.pop(cell, None) if cell else None:
            before.close()
        panel = Panel(self.buddy, self.shell)
        # where cells have no ids, none takes the place of another
        self._panels[cell or object()] = panel
        panel.chat.note_cell(cell)
        return panel

    def unload(self) -> None:
        """Leave the shell as it was before."""
        for panel in self._panels.values():
            panel.close()
        shell, manager = self.shell, self.shell.magics_manager
        for event in list(self._hooks):
            self._unhook(event)
        shell.input_transformer_manager.token_transformers.remove(Question)
        if self._listening:
            self._stop_listening()
        for kind, before in self._before.items():
            manager.magics[kind].pop("buddy", None)
            if before is not None:
                manager.magics[kind]["buddy"] = before
        manager.registry.pop("BuddyMagics", None)
        with self._lock:
            shell.configurables[:] = [
                one for one in shell.configurables if one not in self._configurables
            ]
            if self._built is not None:
                self.buddy.close()

    def _build(self) -> tuple[Buddy, Display]:
        with self._lock:
            if self._built is None:
                from ..buddy import Buddy
                from ..context.session import Session
                from ..display.screens import Display

                display = Display(self.shell)
                buddy = Buddy(parent=self.shell, display=display)
                buddy.collector.session = Session(self.shell)
                self._built = buddy, display
            return self._built

    def listen(self, info: Any = None) -> None:
        """Take note of what the shell runs from now on; in its main thread, since it
        keeps some hooks by thread.
        """
        session = self.buddy.collector.session
        if session is None or self._listening:
            return
        from .. import commands, completion

        self._listening = True
        session.listen()
        if info is not None:
            session.on_start(info)
        completion.install(
            self.shell,
            names=session.names,
            folder=session.folder,
            commands=[*commands.COMMANDS, *commands.TASKS],
        )

    def _stop_listening(self) -> None:
        from .. import completion

        session = self.buddy.collector.session
        if session is not None:
            session.leave()
        completion.uninstall(self.shell)

    def _after_first_cell(self, result: Any = None) -> None:
        """The cell that loaded the extension has ended: do now what the first question
        would wait for.
        """
        self._unhook("post_run_cell")
        if _ASKED.search(
            getattr(getattr(result, "info", None), "raw_cell", None) or ""
        ):
            self.display.text(
                "IPython took `?` in the cell that loads the buddy as its own. "
                "Ask again in a new cell."
            )
        threading.Thread(target=self._warm, name="buddy-warm", daemon=True).start()

    def _warm(self) -> None:
        from . import line  # noqa: F401 - what the magic imports when it runs

        self.display.warm()
        self.add_configurables()
        self.buddy.warm()
        if hasattr(self.shell, "kernel"):
            from ..widgets import panel  # noqa: F401 - what /panel imports

    def _before_next_cell(self, info: Any = None) -> None:
        self._unhook("pre_run_cell")
        self.add_configurables()
        self.listen(info)

    def _unhook(self, event: str) -> None:
        hook = self._hooks.pop(event, None)
        if hook is not None:
            self.shell.events.unregister(event, hook)


# IPython reads a whole cell before it runs it, so `Question` cannot help the cell that
# loads the extension.
_ASKED = re.compile(r"^\s*(?:\w+\s*=\s*)?%buddy\s.*\w.*\?\s*$", re.MULTILINE)


def _doorbell(extension: Extension) -> Any:
    """Something among the shell's configurables that adds the real ones when
    ``%config`` looks through them.

    ``%config`` asks the class of each for its settings while it goes through the list,
    and goes on to what that adds.
    """

    class Doorbell:
        @classmethod
        def class_traits(cls, **metadata: Any) -> Mapping[str, Any]:
            extension.add_configurables()
            return {}

    return Doorbell()
