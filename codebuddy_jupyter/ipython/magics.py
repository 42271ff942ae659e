"""``%buddy`` and ``%%buddy``: what is typed becomes a question or a command.

Loading the extension imports this module, so it imports its own package inside
functions: ``%load_ext`` must be instant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from IPython.display import display

if TYPE_CHECKING:
    from ..chat.reply import Reply
    from ..commands import Call
    from ..question.options import Options
    from .extension import Extension


@magics_class
class BuddyMagics(Magics):
    """The magics of one shell.

    Parameters
    ----------
    shell
        The IPython shell.
    extension
        The owner of the Buddy and the display.
    """

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, extension: Extension) -> None:
        super().__init__(shell)
        self.extension = extension

    # The type that IPython gives its decorator does not accept a method.
    @no_var_expand
    @line_cell_magic("buddy")  # type: ignore[arg-type]
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
            -s, --system TEXT        the system prompt for this question
            -t, --temperature T      0 (always the likeliest word) to 2
            --max-tokens N           the longest answer, in tokens
            -o, --option KEY=VALUE   any other field of the request, by its wire name
            -f, --format FORMAT      markdown | text | code | json | html | math
            --replace                put the code of the answer in place of this cell
            -c, --context SECTIONS   auto, none, or a list: cells,outputs,variables,error,outline
            --dry-run                show what would be sent, and send nothing
            -n, --new                begin a new conversation with this question
            --into NAME TYPE         put the answer into a variable, as a value of a type
            --look                   let the model look things up in the kernel before it answers
            --propose                let the model propose code, which you accept or reject
            --replay [=MODE]         give a kept answer again: on | prompt | only | off
            -h, --help               show what can be typed

        The code of ``-f code`` becomes a new cell below, which is not run. The value is
        the Reply: ``str(_)`` is its text.
        """
        from ..chat.reply import STOPPED
        from ..errors import Stopped
        from .line import PARSER

        options, prompt = PARSER.read(line)
        if cell:
            prompt = f"{prompt}\n{cell}" if prompt else cell
        self.extension.listen()
        try:
            return self._answer(prompt, options)
        except KeyboardInterrupt:
            raise Stopped(STOPPED) from None

    def _answer(self, typed: str, options: Options) -> Reply | None:
        from ..commands import preview_prompt, read
        from .into import with_type

        buddy = self.extension.buddy
        names = self.shell.user_ns
        options = with_type(options, names)
        prompt = typed
        call = read(typed)
        if call is not None:
            task_prompt = call.prompt(buddy)
            if task_prompt is None:
                self._run(call)
                return None
            prompt = task_prompt
        if options.dry_run:
            markdown = preview_prompt(buddy, prompt, options, names)
            self.extension.display.text(markdown)
            return None
        reply = buddy.ask(prompt, options, names)
        if options.variable:
            self.extension.display.show_value(reply)
            names[options.variable] = reply.value
        elif options.format == "code":
            self._show_code(reply, options.replaces_cell)
        else:
            self.extension.display.show(reply)
        return reply

    def _show_code(self, reply: Reply, replaces_cell: bool) -> None:
        """Show an answer that is code, and put the code into a cell if possible."""
        from .code_cell import CodeCell

        screen = self.extension.display
        cell = CodeCell(self.shell, replaces_cell)
        if not screen.can_add_cell():
            screen.show(reply)
            return
        screen.show_moved(reply, cell.line)
        source = cell.source(reply)
        if source is not None:
            screen.add_cell(source, replace=replaces_cell)

    def _run(self, call: Call) -> None:
        from ..commands import Invocation, cell_magics, run

        screen = self.extension.display
        open_panel: Callable[[], object] | None = None
        # Only a kernel has a page that could show a panel.
        if hasattr(self.shell, "kernel"):
            open_panel = self._open_panel
        add_cell = screen.add_cell if screen.can_add_cell() else None
        invocation = Invocation(
            self.extension.buddy,
            screen.progress(),
            open_panel,
            add_cell,
            cell_magics(self.shell),
        )
        markdown = run(invocation, call)
        if markdown:
            screen.text(markdown)

    def _open_panel(self) -> None:
        display(self.extension.panel())
