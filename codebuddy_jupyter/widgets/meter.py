"""What the next question would take of the context window, and which sections of the
notebook it would send. Nothing is sent for that.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..buddy import Buddy
from ..commands import read
from ..context.items import SECTIONS
from ..display.preview import preview
from ..errors import BuddyError, SettingError
from ..providers.base import Provider
from ..question.draft import Draft
from ..question.options import sections_of
from .protocol import (
    ChatMessage,
    MeasuredMessage,
    SectionFields,
    UnmeasuredMessage,
    problem_of,
)

OPTIONAL_SECTIONS = [section for section in SECTIONS if section != "mentions"]
"""The sections that can be left out; what a prompt attaches by name is always sent."""
DRAFT_NAMES = {"error": "last error"}
"""What a draft calls a section, if not by its name."""

Measured = tuple[Draft, Provider, str]


class Meter:
    """Measures on request; a new request cancels the measure in progress.

    Parameters
    ----------
    buddy
        Who would answer.
    names
        The user's variables.
    send
        Called, on any thread, with a message to the page.
    """

    def __init__(
        self,
        buddy: Buddy,
        names: Mapping[str, Any],
        send: Callable[[ChatMessage], None],
    ) -> None:
        self.buddy = buddy
        self.names = names
        self.send = send
        self._measure: concurrent.futures.Future[Measured] | None = None
        # Another provider counts tokens in its own way and has its own window.
        self._settings = [
            *buddy.traits(affects="prompt"),
            *buddy.traits(affects="target"),
        ]
        buddy.observe(self._report_change, self._settings)

    def close(self) -> None:
        """Stop measuring."""
        self.buddy.unobserve(self._report_change, self._settings)
        self._cancel()

    def measure(self, text: str, *, full: bool) -> None:
        """Measure what would be sent for a text, and send the result when it is known.

        Parameters
        ----------
        text
            The text of the composer.
        full
            Also send a preview of all messages.
        """
        self._cancel()
        try:
            measure = self.buddy.measure(self._prompt_of(text), self.names)
        except BuddyError as error:
            self._send_error(error)
            return
        self._measure = measure
        measure.add_done_callback(lambda ended: self._send_result(ended, full))

    def choose(self, sections: Sequence[str]) -> None:
        """Send only these sections of the notebook from now on, in this kernel."""
        chosen = [section for section in OPTIONAL_SECTIONS if section in sections]
        context = ", ".join(chosen) or "none"
        if chosen == OPTIONAL_SECTIONS:
            context = "auto"
        self.buddy.change({"context": context})

    def _cancel(self) -> None:
        measure, self._measure = self._measure, None
        if measure is not None:
            measure.cancel()

    def _prompt_of(self, text: str) -> str:
        """Return what a text asks the model; nothing for a command that asks nothing."""
        try:
            call = read(text)
        except SettingError:
            # The name of a command that is not complete yet.
            return ""
        if call is None:
            return text
        return call.prompt(self.buddy) or ""

    def _send_result(
        self, measure: concurrent.futures.Future[Measured], full: bool
    ) -> None:
        if measure.cancelled() or measure is not self._measure:
            return
        error = measure.exception()
        if error is not None:
            self._send_error(error)
            return
        draft, provider, model = measure.result()
        message: MeasuredMessage = {
            "type": "measured",
            "tokens": draft.tokens,
            "window": draft.room.window or draft.room.assumed,
            "assumed": draft.room.window is None,
            "parts": list(draft.parts),
            "sections": self._sections(dict(draft.parts)),
            "preview": None,
        }
        if full:
            message["preview"] = preview(draft, model, provider.where())
        self.send(message)

    def _send_error(self, error: BaseException) -> None:
        message: UnmeasuredMessage = {
            "type": "unmeasured",
            "error": problem_of(error),
            "sections": self._sections({}),
        }
        self.send(message)

    def _sections(self, sizes: Mapping[str, int]) -> list[SectionFields]:
        """Return each optional section: whether it is sent, and its tokens."""
        sent = sections_of(self.buddy.context)
        sections: list[SectionFields] = []
        for name in OPTIONAL_SECTIONS:
            tokens = sizes.get(DRAFT_NAMES.get(name, name), 0)
            sections.append({"name": name, "sent": name in sent, "tokens": tokens})
        return sections

    def _report_change(self, change: object) -> None:
        self.send({"type": "stale"})
