"""Show a Reply in an output cell or a terminal.

With the extension, this is the only room that knows IPython's display.

In a notebook, settled blocks are published once and only the growing tail is drawn
again, so that the number of bytes is linear in the length of the answer. At the end one
output is left. Everything that a model wrote is made safe first.
"""

from __future__ import annotations

import re
import sys
import time
import weakref
from collections.abc import Mapping
from html import unescape as unescape_html
from typing import Any, Protocol, TextIO

from ..chat.reply import STOPPED, Reply
from ..errors import Stopped
from ..markdown.safe import neutralise
from .drawing import Drawing, EachPiece, OneBlock, Pace, splitter_for
from .formats import Bundle, closed, final_output, growing_markdown, plain
from .live import LiveOutput, ProgressLine, is_notebook
from .status import SILENT, status_line, waiting_line

CELL_PACE = Pace(before_text=1 / 12, between=1 / 12)
# A terminal draws nothing again, so that the cost of a drawing does not matter.
TERMINAL_PACE = Pace(before_text=0.02, between=0.02, per_cost=0.0)
# The plain text of an output that grows: front ends that show Markdown ignore it.
GROWING = "…"
EMPTY_ANSWER: Bundle = {"text/markdown": "*No answer.*", "text/plain": "No answer."}
# What stands in a terminal, where nothing can be taken back.
THOUGHTS_ABOVE = "\n\n(Those were thoughts; this is the answer:)\n\n"
WAITING: Bundle = {"codebuddy": {"waiting": True}}

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
        elif not is_notebook(self.shell):
            # IPython has written "Out[n]: " to the terminal already.
            sys.stdout.write(f"{reply!r}\n")

    def show(self, reply: Reply) -> None:
        """Show a reply while it arrives.

        Raises
        ------
        BuddyError
            When the request fails; the part that was received has been shown.
        Stopped
            When the user interrupts; the part that was received has been shown.
        """
        self._cell_of[reply] = self._cell()
        screen = self._screen(reply)
        try:
            follow(screen)
        except KeyboardInterrupt:
            reply.close()
            screen.finish()
            raise Stopped(STOPPED) from None
        screen.finish()
        if reply.error is not None:
            raise reply.error

    def text(self, markdown: str) -> None:
        """Show a text of this package, such as a table of models."""
        if is_notebook(self.shell):
            data = {
                "text/markdown": markdown,
                "text/plain": unescape_html(markdown),
            }
            self.shell.display_pub.publish(data)
            return
        without_folds = _FOLDS.sub("", markdown)
        text = plain(unescape_html(without_folds))
        sys.stdout.write(f"{text}\n")

    def warm(self) -> None:
        """Load the Markdown parser, so that the first drawing does not wait for it."""
        neutralise(closed("`<ready>`"))

    def progress(self) -> ProgressLine:
        """Return a line that shows the progress of a download."""
        return ProgressLine(self.shell)

    def _cell(self) -> object:
        return None if self.shell is None else self.shell.execution_count

    def _screen(self, reply: Reply) -> Screen:
        if not is_notebook(self.shell):
            return Terminal(reply, sys.stdout)
        if _is_captured(self.shell) or _is_unattended(self.shell):
            return FinalOutput(reply, self.shell)
        if _is_alone(self.shell):
            return BlockByBlock(reply, self.shell)
        return OneOutput(reply, self.shell)


def _is_captured(shell: Any) -> bool:
    # IPython's CapturingDisplayPublisher has this attribute.
    return hasattr(shell.display_pub, "outputs")


def _is_unattended(shell: Any) -> bool:
    # nbclient, papermill and nbconvert do not allow input, and show the end only.
    return not _cell_request(shell).get("allow_stdin", True)


def _is_alone(shell: Any) -> bool:
    """Return whether the cell holds only the question, so that its outputs are ours."""
    request = _cell_request(shell)
    code = str(request.get("code", "")).strip()
    if code.startswith("%%buddy"):
        return True
    return code.startswith("%buddy") and "\n" not in code


def _cell_request(shell: Any) -> Mapping[str, Any]:
    """Return the content of the request that runs this cell."""
    if hasattr(shell, "get_parent"):
        parent = shell.get_parent()
    else:
        parent = getattr(shell, "parent_header", {})
    return (parent or {}).get("content") or {}


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


class FinalOutput:
    """Shows only the end, for runs that nobody watches."""

    def __init__(self, reply: Reply, shell: Any) -> None:
        self.drawing = Drawing(reply, EachPiece(), CELL_PACE)
        self._shell = shell

    def put(self, settled: list[str]) -> None:
        """Show nothing before the end."""

    def finish(self) -> None:
        """Publish the answer."""
        reply = self.drawing.reply
        if _leaves_output(reply):
            data, metadata = final_output(reply)
            self._shell.display_pub.publish(data, metadata)


class BlockByBlock:
    """Publishes settled blocks once, and draws only the tail again.

    At the end it clears the cell, and publishes the answer as one output.
    """

    def __init__(self, reply: Reply, shell: Any) -> None:
        splitter = splitter_for(reply.format)
        self.drawing = Drawing(reply, splitter, CELL_PACE)
        self._shell = shell
        self._output = LiveOutput(shell)

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
            self._output.put(_growing(markdown), {})
            self._output = LiveOutput(self._shell)
        _put_tail(self._output, self.drawing)

    def finish(self) -> None:
        """Clear the cell, and publish the answer."""
        reply = self.drawing.reply
        self._shell.display_pub.clear_output(wait=True)
        if _leaves_output(reply):
            data, metadata = final_output(reply)
            self._shell.display_pub.publish(data, metadata)


class OneOutput:
    """Draws the complete answer again and again, for a cell whose other outputs stay."""

    def __init__(self, reply: Reply, shell: Any) -> None:
        self.drawing = Drawing(reply, OneBlock(), CELL_PACE)
        self._output = LiveOutput(shell)

    def put(self, settled: list[str]) -> None:
        """Show all of the text so far."""
        if not self.drawing.done:
            _put_tail(self._output, self.drawing)

    def finish(self) -> None:
        """Show the answer in place of what was drawn last."""
        reply = self.drawing.reply
        if _leaves_output(reply):
            data, metadata = final_output(reply)
            self._output.put(data, metadata)
        elif self._output.is_shown:
            self._output.put(EMPTY_ANSWER, {})


def _put_tail(output: LiveOutput, drawing: Drawing) -> None:
    markdown = drawing.tail_markdown()
    if not markdown:
        return
    metadata = {} if drawing.has_text else WAITING
    output.put(_growing(markdown), metadata)


def _growing(markdown: str) -> Bundle:
    return {"text/markdown": markdown, "text/plain": GROWING}


def _leaves_output(reply: Reply) -> bool:
    """Return whether an output stays: not if the request failed before the first word."""
    if reply.error is None:
        return True
    return bool(reply.text or reply.reasoning)


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
        self.drawing = Drawing(reply, EachPiece(), TERMINAL_PACE)
        self._stream = stream
        self._is_live = stream.isatty()
        self._waiting = ""

    def put(self, settled: list[str]) -> None:
        """Write the new text, or what is waited for."""
        drawing = self.drawing
        if drawing.takes_back:
            self._stream.write(THOUGHTS_ABOVE)
        if settled:
            self._show_waiting("")
            text = plain("".join(settled))
            self._stream.write(text)
            self._stream.flush()
            return
        is_waiting = not (drawing.has_text or drawing.done)
        if self._is_live and is_waiting:
            line = waiting_line(drawing.reply, time.monotonic())
            self._show_waiting(plain(line))

    def finish(self) -> None:
        """Write the rest of the text, and the status line."""
        self.drawing.draw(self.put)
        self._show_waiting("")
        reply = self.drawing.reply
        text = reply.text
        if text:
            status = plain(status_line(reply))
            if self._is_live:
                status = f"\x1b[2m{status}\x1b[0m"
            gap = "\n" if text.endswith("\n") else "\n\n"
            self._stream.write(f"{gap}{status}\n")
        self._stream.flush()

    def _show_waiting(self, line: str) -> None:
        if line != self._waiting:
            self._stream.write("\r\x1b[K" + line)
            self._stream.flush()
            self._waiting = line
