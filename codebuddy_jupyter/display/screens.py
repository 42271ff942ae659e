"""A Reply in an output cell or a terminal.

The only room below the faces that knows IPython's display.

In a notebook, settled blocks are published once and only the growing tail is drawn
again, so that the bytes grow with the answer and not with its square; at the end one
output is left. Everything a model wrote is neutralised first.
"""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
import weakref
from collections.abc import Mapping
from html import escape as escape_html
from html import unescape as unescape_html
from typing import Any, Protocol, TextIO

from ..chat.reply import STOPPED, Reply
from ..errors import Stopped
from ..markdown.blocks import Blocks, code_blocks
from ..markdown.safe import escape, fence, neutralise

# seconds between two drawings of the tail
REDRAW = 1 / 12
# characters a second at most that the drawing of a long tail may cost
TAIL_SPEED = 12_000
# seconds without a sign before the screen says what it waits for
PATIENCE = 1.0
# seconds after which waiting is most likely the loading of the model
LOADING = 5.0

# characters of a progress bar
BAR = 20

# the plain text of a piece that is drawn again, which only its Markdown is worth the
# bytes of
GROWING = "…"
Bundle = dict[str, Any]
WAITING: Bundle = {"codebuddy": {"waiting": True}}


_FOLDS = re.compile(r"</?(?:details|summary)>")


class Screen(Protocol):
    """Where an answer appears."""

    def draw(self, reply: Reply, new: str) -> None:
        """Show what is new, or that nothing comes yet."""

    def pause(self) -> float:
        """Seconds until the next drawing is worth it."""

    def finish(self, reply: Reply) -> None:
        """Show the answer as it stays, whole or broken off."""


class Display:
    """Shows replies where this shell shows things.

    Parameters
    ----------
    shell
        The running IPython shell, or None for a plain terminal.
    """

    def __init__(self, shell: Any = None) -> None:
        self.shell = shell
        self._shown: weakref.WeakKeyDictionary[Reply, object] = (
            weakref.WeakKeyDictionary()
        )

    def __call__(self, reply: Reply) -> None:
        """Show a reply as the value of a cell: not again where this cell has shown it
        already.
        """
        if self._shown.get(reply) != self._cell():
            self.show(reply)
        elif not _is_notebook(self.shell):
            # the terminal has written Out[n]: already
            sys.stdout.write(f"{reply!r}\n")

    def show(self, reply: Reply) -> None:
        """Show a reply while it comes.

        Raises
        ------
        BuddyError
            When the request fails; the part that came has been shown.
        Stopped
            When the user interrupts; the part that came has been shown.
        """
        self._shown[reply] = self._cell()
        screen = self._screen()
        try:
            _follow(reply, screen)
        except KeyboardInterrupt:
            reply.close()
            screen.finish(reply)
            raise Stopped(STOPPED) from None
        screen.finish(reply)
        if reply.error is not None:
            raise reply.error

    def text(self, markdown: str) -> None:
        """Show a text of our own, such as a table of models."""
        if _is_notebook(self.shell):
            self.shell.display_pub.publish(
                {"text/markdown": markdown, "text/plain": unescape_html(markdown)}
            )
        else:
            sys.stdout.write(plain(unescape_html(_FOLDS.sub("", markdown))) + "\n")

    def warm(self) -> None:
        """Make ready what the first drawing would wait for: the Markdown parser."""
        neutralise(whole("`<ready>`"))

    def progress(self) -> Progress:
        """A line that tells how far something has come."""
        return Progress(self.shell)

    def _cell(self) -> object:
        return None if self.shell is None else self.shell.execution_count

    def _screen(self) -> Screen:
        if not _is_notebook(self.shell):
            return Terminal(sys.stdout)
        if _is_captured(self.shell) or not _parent(self.shell).get("allow_stdin", True):
            # nbclient, papermill and nbconvert let no one type, and look at the end
            # only
            return Still(self.shell)
        if _is_alone(self.shell):
            return BlockByBlock(self.shell)
        return OneOutput(self.shell)


def _follow(reply: Reply, screen: Screen) -> None:
    reply.start()
    seen = 0
    while not (reply.done and seen == len(reply.chunks)):
        reply.wait(PATIENCE / 2, beyond=seen)
        new = reply.chunks[seen:]
        seen += len(new)
        screen.draw(reply, "".join([chunk.text for chunk in new]))
        reply.wait(screen.pause())


def _is_notebook(shell: Any) -> bool:
    return getattr(shell, "kernel", None) is not None


def _is_captured(shell: Any) -> bool:
    # IPython's CapturingDisplayPublisher
    return hasattr(shell.display_pub, "outputs")


def _parent(shell: Any) -> Mapping[str, Any]:
    """The content of the request that runs this cell."""
    parent = (
        shell.get_parent()
        if hasattr(shell, "get_parent")
        else getattr(shell, "parent_header", {})
    )
    return (parent or {}).get("content") or {}


def _is_alone(shell: Any) -> bool:
    """Whether the cell holds nothing but the question, so that its outputs are ours to
    clear.
    """
    code = str(_parent(shell).get("code", "")).strip()
    return code.startswith("%%buddy") or (
        code.startswith("%buddy") and "\n" not in code
    )


class _Notebook:
    """What the screens of a notebook share: publishing, and the answer as it stays."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.cost = 0.0

    def pause(self) -> float:
        return max(REDRAW, self.cost)

    def publish(
        self,
        data: Bundle,
        *,
        metadata: Bundle | None = None,
        id: str = "",
        update: bool = False,
    ) -> None:
        transient = {"display_id": id} if id else {}
        self.shell.display_pub.publish(
            data, metadata or {}, transient=transient, update=update
        )

    def timed(self, began: float, size: int) -> None:
        """Note what a drawing cost: rarer drawings of what is long or slow to draw."""
        self.cost = max(size / TAIL_SPEED, 4 * (time.perf_counter() - began))


class Still(_Notebook):
    """Shows the end only, for runs that nobody watches."""

    def draw(self, reply: Reply, new: str) -> None:
        pass

    def finish(self, reply: Reply) -> None:
        if _left_something(reply):
            data, metadata = final(reply)
            self.publish(data, metadata=metadata)


class BlockByBlock(_Notebook):
    """Publishes settled blocks once, and draws only the tail again; clears the cell for
    the answer as it stays.
    """

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.blocks = Blocks()
        self.id = ""
        self.drawn = ""

    def draw(self, reply: Reply, new: str) -> None:
        if reply.done:
            # the answer as it stays comes next
            return
        began = time.perf_counter()
        settled = "".join(self.blocks.feed(new)) if new else ""
        if settled.strip():
            self._put(during(settled, reply.format))
            self.id = self.drawn = ""
        tail = self.blocks.tail
        if tail.strip():
            self._put(during(tail, reply.format))
        elif reply.first is None or not reply.text:
            self._put(waiting(reply), WAITING)
        self.timed(began, len(tail))

    def finish(self, reply: Reply) -> None:
        self.shell.display_pub.clear_output(wait=True)
        if _left_something(reply):
            data, metadata = final(reply)
            self.publish(data, metadata=metadata)

    def _put(self, markdown: str, metadata: Bundle | None = None) -> None:
        if not markdown or markdown == self.drawn:
            return
        update, self.id, self.drawn = (
            bool(self.id),
            self.id or uuid.uuid4().hex[:12],
            markdown,
        )
        self.publish(
            {"text/markdown": markdown, "text/plain": GROWING},
            metadata=metadata,
            id=self.id,
            update=update,
        )


class OneOutput(_Notebook):
    """Draws the whole answer again, ever more rarely: for a cell whose other outputs
    must stay.
    """

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.id = ""

    def draw(self, reply: Reply, new: str) -> None:
        if reply.done:
            return
        began = time.perf_counter()
        text = reply.text
        markdown = during(text, reply.format) if text else waiting(reply)
        if markdown:
            self._put(
                {"text/markdown": markdown, "text/plain": GROWING},
                {} if text else WAITING,
            )
        self.timed(began, len(text))

    def finish(self, reply: Reply) -> None:
        if _left_something(reply):
            self._put(*final(reply))
        elif self.id:
            self._put({"text/markdown": "*No answer.*", "text/plain": "No answer."}, {})

    def _put(self, data: Bundle, metadata: Bundle) -> None:
        update, self.id = bool(self.id), self.id or uuid.uuid4().hex[:12]
        self.publish(data, metadata=metadata, id=self.id, update=update)


class Terminal:
    """Writes the text as it comes, without anything that could steer the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.live = stream.isatty()
        self.line = ""

    def draw(self, reply: Reply, new: str) -> None:
        if new:
            self._status("")
            self.stream.write(plain(new))
            self.stream.flush()
        elif not reply.text and self.live:
            self._status(
                plain(re.sub(r"[*\n]", " ", waiting(reply, full=False))).strip()
            )

    def pause(self) -> float:
        return 0.02

    def finish(self, reply: Reply) -> None:
        self._status("")
        if reply.text:
            line = status(reply)
            self.stream.write("\n" if reply.text.endswith("\n") else "\n\n")
            self.stream.write(
                (f"\x1b[2m{plain(line)}\x1b[0m" if self.live else plain(line)) + "\n"
            )
        self.stream.flush()

    def _status(self, line: str) -> None:
        if line != self.line:
            self.stream.write("\r\x1b[K" + line)
            self.stream.flush()
            self.line = line


class Progress:
    """A line that tells how far a download has come, redrawn in place; call it with
    what, bytes done, bytes in all.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.id = ""
        self.last = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.last < 0.25 and done < total:
            return
        self.last = now
        bar = (
            "█" * (BAR * done // total) + "░" * (BAR - BAR * done // total)
            if total
            else ""
        )
        share = (
            f" {bar} {100 * done // total} % of {total / 1e6:,.1f} MB" if total else ""
        )
        if _is_notebook(self.shell):
            self._publish(f"{escape(what)}{share}")
        else:
            sys.stdout.write(
                f"\r\x1b[K{plain(what)}{share}" + ("\n" if done >= total else "")
            )
            sys.stdout.flush()

    def _publish(self, line: str) -> None:
        update, self.id = bool(self.id), self.id or uuid.uuid4().hex[:12]
        data = {"text/markdown": line, "text/plain": line}
        self.shell.display_pub.publish(
            data, {}, transient={"display_id": self.id}, update=update
        )


def during(text: str, format: str) -> str:
    """The Markdown that shows a piece of an answer while it comes."""
    return (
        neutralise(text)
        if format in ("markdown", "code", "math")
        else fence(text, format)
    )


def waiting(reply: Reply, *, full: bool = True) -> str:
    """What to show while there is no text: what is waited for, or that the model
    thinks; empty at first.
    """
    began = reply.started or time.monotonic()
    if reply.first is not None:
        last = " ".join(reply.reasoning[-200:].split())
        line = f"*thinking… {time.monotonic() - reply.first:.0f} s*"
        return f"{line}\n\n> … {escape(last)}" if full and last else line
    seconds = time.monotonic() - began
    if seconds < PATIENCE and not reply.notes:
        return ""
    what = (
        "the model to load"
        if seconds > LOADING
        else escape(reply.model) or "the server"
    )
    return "\n\n".join(
        [*map(escape, reply.notes), f"*waiting for {what}… {seconds:.0f} s*"]
    )


def status(reply: Reply) -> str:
    """The quiet line under an answer: model, tokens, seconds to the first token, tokens
    a second; then what to know.
    """
    parts = [reply.model or reply.provider]
    if tokens := reply.usage.completion_tokens:
        parts.append(f"{tokens:,} tokens")
    if (first := reply.seconds_to_first) is not None:
        parts.append(f"first after {first:.1f} s")
    if speed := reply.tokens_per_second:
        parts.append(
            f"{speed:.0f} tokens/s" if speed >= 10 else f"{speed:.1f} tokens/s"
        )
    if isinstance(reply.error, KeyboardInterrupt):
        parts.append("stopped before its end")
    elif reply.error is not None:
        parts.append("broke off")
    elif reply.finish == "length":
        parts.append("cut at its length limit")
    return " · ".join([*parts, *reply.notes])


def silence(reply: Reply) -> str:
    """What to say of an answer that ended well and has no text."""
    names = ", ".join(call.name for call in reply.tool_calls)
    return (
        f"The model gave no text{f', but called for tools: {names}' if names else ''}."
    )


def _left_something(reply: Reply) -> bool:
    return bool(reply.text or reply.reasoning) or reply.error is None


def final(reply: Reply) -> tuple[Bundle, Bundle]:
    """The one output that stays: its data and its metadata."""
    text = whole(reply.text)
    if not text.strip() and reply.error is None:
        text = silence(reply)
    line = status(reply)
    data = _FINAL.get(reply.format, _final_markdown)(text, line)
    if reply.reasoning and "text/markdown" in data:
        data["text/markdown"] = _folded(reply) + data["text/markdown"]
    usage = reply.usage
    told = {
        "provider": reply.provider,
        "model": reply.model,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "finish_reason": reply.finish,
        "complete": reply.error is None and reply.done,
    }
    return data, {"codebuddy": told}


def whole(text: str) -> str:
    """The text with an open code fence closed, and without what only a terminal would
    obey.
    """
    blocks = Blocks()
    return plain("".join([*blocks.feed(text), *blocks.flush()]))


def _final_markdown(text: str, line: str) -> Bundle:
    return {
        "text/markdown": f"{neutralise(text)}\n\n{_small(line)}",
        "text/plain": f"{text}\n\n{line}",
    }


def _final_text(text: str, line: str) -> Bundle:
    return {"text/plain": f"{text}\n\n{line}"}


def _final_code(text: str, line: str) -> Bundle:
    blocks = code_blocks(text)
    code = "\n\n".join(block.code.strip("\n") for block in blocks) or text
    shown = fence(code, blocks[0].language if blocks else "python")
    return {"text/markdown": f"{shown}\n\n{_small(line)}", "text/plain": code}


def _final_json(text: str, line: str) -> Bundle:
    source = _inside(text)
    try:
        return {"application/json": json.loads(source), "text/plain": source}
    except ValueError as error:
        shown = f"{fence(source, 'json')}\n\n{_small(f'This is not valid JSON ({error}) · {line}')}"
        return {"text/markdown": shown, "text/plain": source}


def _final_html(text: str, line: str) -> Bundle:
    source = _inside(text)
    # The empty sandbox allows no script, no form and no way out of the frame; the
    # policy allows no request.
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"
    )
    page = (
        '<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        f'content="{policy}">{source}'
    )
    frame = (
        '<iframe sandbox="" width="100%" height="400" style="border:0" '
        f'srcdoc="{escape_html(page)}"></iframe>'
    )
    return {
        "text/html": f"{frame}<div><small>{escape_html(line)}</small></div>",
        "text/plain": source,
    }


def _final_math(text: str, line: str) -> Bundle:
    formula = text if "$" in text else f"$$\n{_inside(text).strip()}\n$$"
    return _final_markdown(formula, line)


_FINAL = {
    "text": _final_text,
    "code": _final_code,
    "json": _final_json,
    "html": _final_html,
    "math": _final_math,
}


def _inside(text: str) -> str:
    """The content of the first code block, where a model put its answer into one; else
    all of it.
    """
    blocks = code_blocks(text)
    return blocks[0].code if blocks else text.strip()


def _small(line: str) -> str:
    return f"<small>{escape(line)}</small>"


def _folded(reply: Reply) -> str:
    """The reasoning, folded away; as plain lines, so that nothing in it can reach over
    into the answer.
    """
    end = next((c for c in reply.chunks if c.text), None)
    thought = "Thoughts" if end is None else "Thoughts before the answer"
    lines = "  \n".join(
        f"> {escape(line)}" if line.strip() else ">"
        for line in reply.reasoning.strip().splitlines()
    )
    return f"<details><summary>{thought}</summary>\n\n{lines}\n\n</details>\n\n"


_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def plain(text: str) -> str:
    """Text without control characters, which could steer a terminal; lone surrogates
    become U+FFFD.
    """
    return _SURROGATE.sub("\ufffd", _STEERING.sub("", text.replace("\r\n", "\n")))
