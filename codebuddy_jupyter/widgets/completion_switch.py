"""The switch for completion while typing: on, it looks for a model that can do that.

It changes the setting of this kernel, and follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import ipywidgets

from ..buddy import Buddy
from ..completion.model_search import find_model
from ..errors import BuddyError
from .field import LAYOUT, STYLE
from .page import answer_while_a_cell_runs, help_of
from .protocol import Problem, problem_of

SEARCHING = "Looking for a model on this machine that completes code…"
FOUND = "{} completes code while you type. It runs on this machine ({})."
OFF = "Code is not completed while you type."
REPLAY = "While replay is “only”, no model is asked."


class CompletionSwitch(ipywidgets.Checkbox):
    """Turns completion while typing on and off.

    Parameters
    ----------
    buddy
        Whose setting it is.
    report
        Called on any thread with what was found, or why nothing was.
    """

    def __init__(self, buddy: Buddy, report: Callable[[str | Problem], None]) -> None:
        self.buddy = buddy
        self.report = report
        self._search: Future[None] | None = None
        self._is_closed = False
        super().__init__(
            value=bool(buddy.completion_model),
            description="Complete code while typing",
            indent=True,
            style=STYLE,
            layout=LAYOUT,
            **help_of("Let a model on this machine complete the code that you type"),
        )
        self.add_class("codebuddy-completion")
        answer_while_a_cell_runs(self)
        self.observe(self._on_click, "value")
        buddy.observe(self._on_setting, "completion_model")

    def close(self) -> None:
        """Take it out of every page; the setting stays."""
        # ipywidgets also closes what is no longer used.
        if self._is_closed:
            return
        self._is_closed = True
        self.buddy.unobserve(self._on_setting, "completion_model")
        self._stop()
        super().close()

    def _on_click(self, change: Mapping[str, Any]) -> None:
        was_searching = self._stop()
        if change["new"] == bool(self.buddy.completion_model):
            if was_searching:
                self.report(OFF)
            return
        if not change["new"]:
            self.buddy.change({"completion_model": ""})
            self.report(OFF)
        elif self.buddy.replay == "only":
            self.value = False
            self.report(REPLAY)
        else:
            self.report(SEARCHING)
            self._search = self.buddy.loop.submit(self._turn_on())

    def _on_setting(self, change: Mapping[str, Any]) -> None:
        self.value = bool(change["new"])

    def _stop(self) -> bool:
        """End the search; return whether there was one."""
        search, self._search = self._search, None
        return search is not None and search.cancel()

    async def _turn_on(self) -> None:
        try:
            found = await find_model(self.buddy)
        except BuddyError as error:
            self._search = None
            self.value = False
            self.report(problem_of(error))
            return
        self._search = None
        self.buddy.change({"completion_model": found.setting})
        self.report(FOUND.format(found.model, found.provider))
