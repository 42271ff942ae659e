"""Show a Reply in an output cell or a terminal.

With the extension, this is the only room that knows IPython's display.

In a notebook, settled blocks are published once and only the growing tail is drawn
again, so that the number of bytes is linear in the length of the answer. At the end one
output is left. Everything that a model wrote is made safe first.
"""

from __future__ import annotations

import ast
import re
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from html import unescape as unescape_html
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from ..chat.reply import STOPPED, Reply
from ..errors import Stopped
from ..markdown.blocks import blocks_of
from ..markdown.safe import escape, neutralise
from .drawing import Drawing, EachPiece, OneBlock, Pace, splitter_for
from .formats import (
    SOURCES,
    Bundle,
    closed,
    final_output,
    final_source,
    growing_markdown,
    moved_output,
    plain,
)
from .live import LiveOutput, ProgressLine, is_live, is_notebook
from .proposed import proposed_markdown
from .status import (
    SILENT,
    THOUGHTS_ABOVE,
    no_text_line,
    status_line,
    waiting_line,
)

if TYPE_CHECKING:
    from .rendered import Paper

CELL_PACE = Pace(before_text=1 / 12, between=1 / 12)
# A terminal draws nothing again, so that the cost of a drawing does not matter.
TERMINAL_PACE = Pace(before_text=0.02, between=0.02, per_cost=0.0)
# The plain text of an output that grows, for front ends that show no Markdown: a sign
# that something happens.
GROWING = "…"
NOTHING: Bundle = {"text/plain": ""}
EMPTY_ANSWER: Bundle = {"text/markdown": "*No answer.*", "text/plain": "No answer."}
# Characters of a cell that is looked at for a single call.
LONGEST_CALL = 10_000
# The metadata of an output that grows. It never changes: VS Code would draw all outputs of
# the cell again.
INCOMPLETE: Bundle = {"codebuddy": {"complete": False}}

# Clients in Python name their messages otherwise: SESSION_PROCESS_NUMBER.
_UUID = re.compile(r"(?i:[\da-f]{32}|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})")
_QUESTION = re.compile(r"^%buddy\b", re.MULTILINE)
_FOLDS = re.compile(r"</?(?:details|summary)>")


class Display:
    """Shows replies in the way that suits the shell.

    Parameters
    ----------
    shell
        The running IPython shell, or None for a plain terminal.
    """

    def __init__(self, shell: Any = None) -> None:
        self.shell = shell
        self._cell_of: weakref.WeakKeyDictionary[Reply, object] = (
            weakref.WeakKeyDictionary()
        )

    def __call__(self, reply: Reply) -> None:
        """Show a reply as the value of a cell, unless this cell has shown it already."""
        if self._cell_of.get(reply) != self._cell():
            self.show(reply)

    def show(self, reply: Reply) -> None:
        """Show a reply while it arrives.

        Raises
        ------
        BuddyError
            When the request fails; the part that was received has been shown.
        Stopped
            When the user interrupts; the part that was received has been shown.
        """
        self._show(reply, self._screen(reply, final_output))

    def show_value(self, reply: Reply) -> None:
        """Show the value of a typed reply as the notebook shows any value, then the notes
        of the reply; errors are those of `show`.
        """
        screen: Screen
        if is_notebook(self.shell):
            screen = self._screen(reply, self._value_output)
        else:
            screen = ValueInTerminal(reply, sys.stdout, self._value_text)
        self._show(reply, screen)
        if reply.notes:
            self.text(escape(" · ".join(reply.notes)))

    def _show(self, reply: Reply, screen: Screen) -> None:
        self._cell_of[reply] = self._cell()
        try:
            follow(screen)
        except KeyboardInterrupt:
            reply.close()
            screen.finish()
            raise Stopped(STOPPED) from None
        screen.finish()
        if reply.error is not None:
            raise reply.error

    def can_add_cell(self) -> bool:
        """Return whether a cell can be added below the one that runs.

        Not where nobody watches, where the output is captured, nor for one question of
        several in a cell, since a front end adds one cell at most.
        """
        if not is_notebook(self.shell):
            # The prompt of a terminal holds a text only with prompt_toolkit.
            return getattr(self.shell, "pt_app", None) is not None
        if _is_captured(self.shell) or _is_unattended(self.shell):
            return False
        return _asks_once(self.shell)

    def add_cell(self, source: str, *, replace: bool = False) -> None:
        """Put a source into a new cell below the one that runs, or into that one.

        A terminal has it in its next prompt. It is not run.
        """
        self.shell.set_next_input(source, replace=replace)

    def show_moved(self, reply: Reply, line_of: Callable[[Reply], str]) -> None:
        """Show a reply whose code becomes a cell.

        Parameters
        ----------
        reply
            The reply; errors are those of `show`.
        line_of
            Gives what to show in place of the code; empty to show the code.
        """

        def output(reply: Reply) -> tuple[Bundle, Bundle]:
            line = line_of(reply)
            if not line:
                return final_output(reply)
            return moved_output(reply, line)

        self._show(reply, self._screen(reply, output))

    def text(self, markdown: str) -> None:
        """Show a text of this package, such as a table of models."""
        if is_notebook(self.shell):
            data = {
                "text/markdown": markdown,
                "text/plain": plain(unescape_html(markdown)),
            }
            self.shell.display_pub.publish(data)
            return
        without_folds = _FOLDS.sub("", markdown)
        if _is_rendered(sys.stdout):
            self._paper().write(blocks_of(without_folds))
            return
        text = plain(unescape_html(without_folds))
        sys.stdout.write(f"{text}\n")

    def warm(self) -> None:
        """Load the Markdown parser, so that the first drawing does not wait for it."""
        neutralise(closed("`<ready>`"))
        if not is_notebook(self.shell) and _is_rendered(sys.stdout):
            from . import rendered  # noqa: F401

    def progress(self) -> ProgressLine:
        """Return a line that shows the progress of a download."""
        return ProgressLine(self.shell)

    def _terminal(self, reply: Reply) -> Screen:
        # The text of a reply that is asked for as text stays as it is.
        if reply.format == "text" or not _is_rendered(sys.stdout):
            return Terminal(reply, sys.stdout)
        from .rendered import RenderedTerminal

        return RenderedTerminal(reply, self._paper())

    def _paper(self) -> Paper:
        # Only a terminal needs the library that renders Markdown.
        from .rendered import Paper

        colours = str(getattr(self.shell, "colors", ""))
        return Paper(sys.stdout, colours)

    def _cell(self) -> object:
        if self.shell is None:
            return None
        return self.shell.execution_count

    def _screen(self, reply: Reply, final: Final) -> Screen:
        if not is_notebook(self.shell):
            return self._terminal(reply)
        if _is_captured(self.shell) or _is_unattended(self.shell):
            return FinalOutput(reply, self.shell, final)
        if _is_alone(self.shell):
            return BlockByBlock(reply, self.shell, final)
        if _applies_updates(self.shell):
            return OneOutput(reply, self.shell, final)
        # An output that was shown once would stay as it is for ever, and nothing but
        # the user's own outputs could be cleared.
        return FinalOutput(reply, self.shell, final)

    def _value_output(self, reply: Reply) -> tuple[Bundle, Bundle]:
        """Return the output that shows the value of a reply; an empty one if the value
        shows itself.
        """
        data, metadata = final_output(reply)
        if reply.error is not None:
            return data, metadata
        data, own = self.shell.display_formatter.format(reply.value)
        return data, {**own, **metadata}

    def _value_text(self, reply: Reply) -> str:
        """Return the text that shows the value of a reply; empty if it shows itself."""
        if self.shell is None:
            return repr(reply.value)
        data, _ = self.shell.display_formatter.format(reply.value)
        return str(data.get("text/plain", ""))


def _is_captured(shell: Any) -> bool:
    # IPython's CapturingDisplayPublisher has this attribute.
    return hasattr(shell.display_pub, "outputs")


def _is_unattended(shell: Any) -> bool:
    # nbclient, papermill and nbconvert do not allow input, and show the end only.
    return not _cell_request(shell).get("allow_stdin", True)


def _asks_once(shell: Any) -> bool:
    """Return whether the cell has one question or command, and not in a loop."""
    code = str(_cell_request(shell).get("code", ""))
    # All below a cell magic is its prompt.
    above, _, _ = code.partition("\n%%buddy")
    if code.startswith("%%buddy"):
        return True
    has_cell_magic = above != code
    questions = len(_QUESTION.findall(above)) + has_cell_magic
    return questions == 1 and "%buddy" not in _QUESTION.sub("", above)


def _is_alone(shell: Any) -> bool:
    """Return whether the cell holds only the question, so that its outputs are ours."""
    request = _cell_request(shell)
    code = str(request.get("code", "")).strip()
    if code.startswith("%%buddy"):
        return True
    if code.startswith("%buddy"):
        return "\n" not in code
    return len(code) <= LONGEST_CALL and _only_asks(code, shell)


def _only_asks(code: str, shell: Any) -> bool:
    """Return whether a cell is nothing but ``buddy.ask("…")``.

    Its arguments are constants and names, so that no code of the user's runs that could
    have an output of its own.
    """
    try:
        call = ast.parse(code, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if not isinstance(call, ast.Call):
        return False
    arguments = [*call.args]
    arguments += [keyword.value for keyword in call.keywords]
    if not all(isinstance(part, ast.Constant | ast.Name) for part in arguments):
        return False
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr != "ask":
        return False
    if not isinstance(function.value, ast.Name):
        return False
    names = getattr(shell, "user_ns", {})
    package = sys.modules.get(__name__.partition(".")[0])
    return names.get(function.value.id) is package


def _applies_updates(shell: Any) -> bool:
    """Return whether the front end is known to update outputs that it has shown.

    Those that show notebooks do. Consoles (``jupyter console``, qtconsole, Spyder's) do
    not; they send neither the id of a cell nor a UUID as the id of their messages.
    """
    request = _message(shell)
    metadata = request.get("metadata") or {}
    if metadata.get("cellId"):
        return True
    header = request.get("header") or {}
    id = str(header.get("msg_id", ""))
    return _UUID.fullmatch(id) is not None or "google.colab" in sys.modules


def _cell_request(shell: Any) -> Mapping[str, Any]:
    """Return the content of the request that runs this cell."""
    return _message(shell).get("content") or {}


def _message(shell: Any) -> Mapping[str, Any]:
    """Return the message with which the front end runs this cell."""
    if hasattr(shell, "get_parent"):
        parent = shell.get_parent()
    else:
        parent = getattr(shell, "parent_header", {})
    return parent or {}


class Screen(Protocol):
    """Where an answer appears.

    Attributes
    ----------
    drawing
        The reply as it is drawn here.
    """

    drawing: Drawing

    def put(self, settled: list[str]) -> None:
        """Show newly settled blocks, and the tail of the drawing below them."""

    def finish(self) -> None:
        """Show the answer as it stays, complete or not."""


def follow(screen: Screen) -> None:
    """Send the request of a reply, and draw on a screen until the reply has ended."""
    drawing = screen.drawing
    reply = drawing.reply
    reply.start()
    while not reply.done:
        reply.wait(SILENT / 2, beyond=drawing.seen)
        pause = drawing.draw(screen.put)
        if drawing.done:
            return
        reply.wait(pause)


Final = Callable[[Reply], tuple[Bundle, Bundle]]
"""Gives the output that stays of a reply, and its metadata."""


class FinalOutput:
    """Shows only the end, for runs that nobody watches."""

    def __init__(self, reply: Reply, shell: Any, final: Final = final_output) -> None:
        self.drawing = Drawing(reply, EachPiece(), CELL_PACE)
        self._shell = shell
        self._final = final

    def put(self, settled: list[str]) -> None:
        """Show nothing before the end."""

    def finish(self) -> None:
        """Publish the answer."""
        _publish(self.drawing.reply, self._shell, self._final)


class BlockByBlock:
    """Publishes settled blocks once, and draws only the tail again.

    At the end it clears the cell, and publishes the answer as one output.
    """

    def __init__(self, reply: Reply, shell: Any, final: Final = final_output) -> None:
        splitter = splitter_for(reply.format)
        self.drawing = Drawing(reply, splitter, CELL_PACE)
        self._shell = shell
        self._final = final
        self._output = LiveOutput(shell)
        self._is_first = True

    def put(self, settled: list[str]) -> None:
        """Show the blocks in place of the last tail, and the tail in a new output."""
        if self.drawing.done:
            # The answer as it stays comes next.
            return
        if self.drawing.takes_back:
            self._shell.display_pub.clear_output(wait=True)
            self._output = LiveOutput(self._shell)
        text = "".join(settled)
        if text.strip():
            reply = self.drawing.reply
            markdown = growing_markdown(text, reply.format)
            self._output.put(_growing(markdown, self._is_first), INCOMPLETE)
            self._output = LiveOutput(self._shell)
            self._is_first = False
        _put_tail(self._output, self.drawing, self._is_first)

    def finish(self) -> None:
        """Clear the cell, and publish the answer."""
        self._shell.display_pub.clear_output(wait=True)
        _publish(self.drawing.reply, self._shell, self._final)


class OneOutput:
    """Draws the complete answer again and again, for a cell whose other outputs stay."""

    def __init__(self, reply: Reply, shell: Any, final: Final = final_output) -> None:
        self.drawing = Drawing(reply, OneBlock(), CELL_PACE)
        self._final = final
        self._output = LiveOutput(shell)

    def put(self, settled: list[str]) -> None:
        """Show all of the text so far."""
        if not self.drawing.done:
            _put_tail(self._output, self.drawing)

    def finish(self) -> None:
        """Show the answer in place of what was drawn last."""
        reply = self.drawing.reply
        if _leaves_output(reply):
            data, metadata = self._final(reply)
            # A value that shows itself has an output of its own.
            if data or self._output.is_shown:
                self._output.put(data or NOTHING, metadata)
        elif self._output.is_shown:
            self._output.put(EMPTY_ANSWER, {})


def _publish(reply: Reply, shell: Any, final: Final) -> None:
    """Publish the output that stays of a reply, if any does."""
    if not _leaves_output(reply):
        return
    data, metadata = final(reply)
    if data:
        shell.display_pub.publish(data, metadata)


def _put_tail(output: LiveOutput, drawing: Drawing, is_first: bool = True) -> None:
    markdown = drawing.tail_markdown()
    if not markdown:
        return
    # Who measures when an answer begins, or writes it elsewhere, needs this.
    is_waiting = not drawing.has_text
    output.put(_growing(markdown, is_first), INCOMPLETE, codebuddy_waiting=is_waiting)


def _growing(markdown: str, is_first: bool) -> Bundle:
    """Return an output that grows; the first one of an answer has a plain text."""
    data = {"text/markdown": markdown}
    if is_first:
        data["text/plain"] = GROWING
    return data


def _leaves_output(reply: Reply) -> bool:
    """Return whether an output stays: not if the request failed before anything came."""
    if reply.error is None:
        return True
    return bool(reply.text or reply.reasoning or reply.looked)


def _is_rendered(stream: TextIO) -> bool:
    """Return whether a stream can show rendered Markdown: a terminal with a cursor."""
    if not is_live(stream):
        return False
    encoding = getattr(stream, "encoding", None) or ""
    name = encoding.lower().replace("-", "")
    return name.startswith("utf")


class Terminal:
    """Writes the text as it arrives, without anything that could control a terminal.

    Parameters
    ----------
    reply
        The reply.
    stream
        Where to write; only a terminal gets colours and a waiting line.
    """

    def __init__(self, reply: Reply, stream: TextIO) -> None:
        self._is_source = reply.format in SOURCES
        splitter = OneBlock() if self._is_source else EachPiece()
        self.drawing = Drawing(reply, splitter, TERMINAL_PACE)
        self._stream = stream
        self._is_live = is_live(stream)
        self._waiting = ""

    def put(self, settled: list[str]) -> None:
        """Write the new text, or what is waited for."""
        drawing = self.drawing
        if self._is_source:
            settled = []
        elif drawing.takes_back:
            self._stream.write(f"\n\n{THOUGHTS_ABOVE}\n\n")
        if settled:
            self._show_waiting("")
            self._write("".join(settled))
            return
        is_waiting = self._is_source or not drawing.has_text
        if self._is_live and is_waiting and not drawing.done:
            line = waiting_line(drawing.reply, time.monotonic())
            self._show_waiting(plain(line))

    def finish(self) -> None:
        """Write the rest of the text, and the status line."""
        self.drawing.draw(self.put)
        self._show_waiting("")
        reply = self.drawing.reply
        text = reply.text
        if self._is_source and text.strip():
            text, _ = final_source(reply)
            self._write(text)
        elif not text.strip() and reply.error is None:
            text = no_text_line(reply)
            self._write(text)
        if reply.proposed:
            self._write(f"\n\n{proposed_markdown(reply)}")
        if self._is_source and not self._stream.isatty():
            # The output may be a file of code.
            self._write("" if text.endswith("\n") else "\n")
        elif text:
            status = plain(status_line(reply))
            if self._is_live:
                status = f"\x1b[2m{status}\x1b[0m"
            gap = "\n\n"
            if text.endswith("\n"):
                gap = "\n"
            self._stream.write(f"{gap}{status}\n")
        self._stream.flush()

    def _write(self, text: str) -> None:
        self._stream.write(plain(text))
        self._stream.flush()

    def _show_waiting(self, line: str) -> None:
        if line != self._waiting:
            self._stream.write("\r\x1b[K" + line)
            self._stream.flush()
            self._waiting = line


class ValueInTerminal(Terminal):
    """Writes the value of a typed reply once it is there.

    Parameters
    ----------
    reply, stream
        As for `Terminal`.
    text_of
        Gives the text that shows the value.
    """

    def __init__(
        self, reply: Reply, stream: TextIO, text_of: Callable[[Reply], str]
    ) -> None:
        super().__init__(reply, stream)
        self._text_of = text_of

    def finish(self) -> None:
        """Write the value in place of what was waited for."""
        self.drawing.draw(self.put)
        self._show_waiting("")
        reply = self.drawing.reply
        if reply.error is not None:
            return
        text = self._text_of(reply)
        if text:
            self._write(f"{text}\n")
