"""Completion of code in the IPython terminal: Alt-\\ suggests the rest of a line, which
the keys accept that accept IPython's own suggestions.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.auto_suggest import Suggestion
from prompt_toolkit.filters import has_selection
from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings

if TYPE_CHECKING:
    from ..completion.completer import Completer

KEYS = ("escape", "\\")
OFF = (
    "buddy: no model is set for completion. Set one: "
    '%config Buddy.completion_model = "NAME"'
)


class SuggestKey:
    """The key of a terminal.

    Parameters
    ----------
    session
        The prompt of the terminal, a ``PromptSession``.
    completer
        Returns what completes code.
    """

    def __init__(self, session: Any, completer: Callable[[], Completer]) -> None:
        self._session = session
        self._completer = completer
        self._earlier = session.key_bindings
        own = KeyBindings()
        own.add(*KEYS, filter=~has_selection)(self.suggest)
        present = [
            bindings for bindings in (self._earlier, own) if bindings is not None
        ]
        self._bindings = merge_key_bindings(present)
        session.key_bindings = self._bindings

    def remove(self) -> None:
        """Take the key away, unless others have set theirs since."""
        if self._session.key_bindings is self._bindings:
            self._session.key_bindings = self._earlier

    def suggest(self, event: Any) -> None:
        """Begin to complete what is typed; a key that changes it ends that."""
        # With all that it imports, only when the key is used.
        from ..completion.completer import Place

        completer = self._completer()
        buffer = event.current_buffer
        document = buffer.document
        if not completer.is_on:
            _print_above(OFF)
            return
        if not document.is_cursor_at_the_end:
            return
        # What is shown belongs to the application that has the key.
        context = contextvars.copy_context()

        def call(function: Callable[..., None], *arguments: Any) -> None:
            # The terminal may have ended.
            with suppress(RuntimeError):
                event.app.loop.call_soon_threadsafe(
                    function, *arguments, context=context
                )

        def show(text: str) -> None:
            call(_show, event.app, buffer, document, text)

        place = Place(document.text, document.cursor_position)
        future = completer.begin(place, show)

        def stop(_: Any) -> None:
            future.cancel()

        def end() -> None:
            buffer.on_text_changed -= stop
            _tell(future)

        buffer.on_text_changed += stop
        future.add_done_callback(lambda _: call(end))


def _show(app: Any, buffer: Any, document: Any, text: str) -> None:
    """Show the first line of a suggestion, if nothing was typed since."""
    if buffer.document != document:
        return
    line = text.partition("\n")[0]
    buffer.suggestion = Suggestion(line) if line else None
    app.invalidate()


def _tell(future: Future[str]) -> None:
    """Print why there is no suggestion."""
    if future.cancelled():
        return
    error = future.exception()
    if error is not None:
        _print_above(f"buddy: {error}")


def _print_above(line: str) -> None:
    """Print a line above the prompt."""
    run_in_terminal(lambda: sys.stdout.write(f"{line}\n"))
