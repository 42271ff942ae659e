"""Shows how far a map is: rows, errors, tokens a second, and the time that is left."""

from __future__ import annotations

import sys
import time
from typing import Any

from .job import Outcome

# Seconds between two changes of what stands behind the bar.
INTERVAL = 0.5


class Progress:
    """A bar of tqdm, and lines for the user.

    Parameters
    ----------
    total
        The number of rows; None if it is not known.
    is_shown
        Whether there is a bar.
    given
        The number of rows that are done already.
    """

    def __init__(self, total: int | None, *, is_shown: bool, given: int = 0) -> None:
        self.lines: list[str] = []
        self._bar: Any = None
        self._errors = 0
        self._tokens = 0
        self._began = time.monotonic()
        self._last = 0.0
        if is_shown:
            # Its import takes a moment, and needs ipywidgets in a notebook.
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, desc="buddy.map", unit=" rows", initial=given)

    def tell(self, line: str) -> None:
        """Show a line, once."""
        if line in self.lines:
            return
        self.lines.append(line)
        if self._bar is not None:
            self._bar.write(f"buddy: {line}", file=sys.stdout)
        else:
            sys.stdout.write(f"buddy: {line}\n")

    def note(self, outcome: Outcome) -> None:
        """Note what became of a row."""
        self._errors += outcome.failed
        self._tokens += outcome.usage.completion_tokens or 0
        if self._bar is None:
            return
        now = time.monotonic()
        if now - self._last >= INTERVAL:
            self._last = now
            self._bar.set_postfix_str(self._state(now), refresh=False)
        self._bar.update()

    def _state(self, now: float) -> str:
        seconds = max(now - self._began, INTERVAL)
        parts = [f"{self._tokens / seconds:,.0f} tokens/s"]
        if self._errors:
            parts.insert(0, f"{self._errors:,} errors")
        return ", ".join(parts)

    def close(self) -> None:
        """Leave the bar as it is now."""
        if self._bar is not None:
            state = self._state(time.monotonic())
            self._bar.set_postfix_str(state, refresh=False)
            self._bar.close()
