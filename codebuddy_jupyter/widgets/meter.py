"""What the next question would take of the model's window, and what of the notebook it
would tell. It sends nothing.
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

CHOSEN = [section for section in SECTIONS if section != "mentions"]
"""The sections that can be left out; what a prompt attaches by name is always told."""
NAMES = {"error": "last error"}
"""What a draft calls a section, where that is not its name."""
DEPENDS = (
    "context",
    "context_tokens",
    "share_values",
    "redact_secrets",
    "system_prompt",
    "provider",
)
"""The Buddy's settings on which it depends what is sent."""

Measured = tuple[Draft, Provider, str]


class Meter:
    """Looks when told to, and tells what it saw; of several looks the last counts.

    Parameters
    ----------
    buddy
        Who would be asked.
    names
        The user's variables.
    tell
        Called, on any thread, with a kind of message and what is in it.
    """

    def __init__(
        self, buddy: Buddy, names: Mapping[str, Any], tell: Callable[..., None]
    ) -> None:
        self.buddy = buddy
        self.names = names
        self.tell = tell
        self._look: concurrent.futures.Future[Measured] | None = None
        buddy.observe(self._changed, DEPENDS)

    def close(self) -> None:
        """Look no more."""
        self.buddy.unobserve(self._changed, DEPENDS)
        if self._look is not None:
            self._look.cancel()

    def look(self, text: str, *, whole: bool) -> None:
        """Look what would be sent for a text; what a server must tell for that is
        awaited elsewhere.

        Parameters
        ----------
        text
            What stands in the composer.
        whole
            Tell the messages themselves, too.
        """
        earlier, self._look = self._look, None
        if earlier is not None:
            earlier.cancel()
        try:
            self._look = look = self.buddy.measure(self._prompt(text), self.names)
        except BuddyError as error:
            self.tell("measured", trouble=str(error), sections=self._sections({}))
            return
        look.add_done_callback(lambda look: self._tell(look, whole))

    def choose(self, sections: Sequence[str]) -> None:
        """Tell these sections of the notebook from now on, in this kernel."""
        named = [section for section in CHOSEN if section in sections]
        self.buddy.change(
            {"context": "auto" if named == CHOSEN else ", ".join(named) or "none"}
        )

    def _prompt(self, text: str) -> str:
        try:
            call = read(text)
        except SettingError:
            # The name of the command is not typed to its end yet.
            return ""
        if call is None:
            return text
        return call.prompt(self.buddy) or ""

    def _tell(self, look: concurrent.futures.Future[Measured], whole: bool) -> None:
        if look.cancelled() or look is not self._look:
            return
        error = look.exception()
        if error is not None:
            trouble = (
                str(error)
                if isinstance(error, BuddyError)
                else f"{type(error).__name__}: {error}"
            )
            self.tell("measured", trouble=trouble, sections=self._sections({}))
            return
        draft, provider, model = look.result()
        self.tell(
            "measured",
            tokens=draft.tokens,
            window=draft.room.window or draft.room.assumed,
            assumed=draft.room.window is None,
            parts=draft.parts,
            sections=self._sections(dict(draft.parts)),
            whole=preview(draft, model, provider.where()) if whole else None,
        )

    def _sections(self, sizes: Mapping[str, int]) -> list[dict[str, Any]]:
        """Each section that can be left out, whether it is told, and its tokens in this
        question.
        """
        told = sections_of(self.buddy.context)
        return [
            {
                "name": name,
                "told": name in told,
                "tokens": sizes.get(NAMES.get(name, name), 0),
            }
            for name in CHOSEN
        ]

    def _changed(self, change: object) -> None:
        self.tell("stale")
