"""What a question brings in, besides the code and the variables, which are always sent."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence

from .failure import Failure
from .items import ATTACHED_ERROR, Cell, Item
from .relevance import (
    WordScores,
    is_about_failing,
    is_about_headings,
    is_about_shown,
)

# Characters: a shorter output costs next to nothing.
SHORT_OUTPUT = 80
# From which score of its words on a text or a cell that has not run is sent.
TEXT_SCORE = 0.3
# Outputs that are sent where the question is about what was shown: how many short ones
# and how many others, and from which score of their words and their cell's on.
SHORT_OUTPUTS = 8
LONG_OUTPUTS = 1
SHORT_OUTPUT_SCORE = 0.05
LONG_OUTPUT_SCORE = 0.9
# The cells that ran last, whose error is news.
NEWS_CELLS = 2

# How a question names a cell by its number.
_NUMBERED = re.compile(r"\b(?:In|Out) ?\[(\d{1,9})\]")


class Wishes:
    """What a question brings in: what it names, what its words are about.

    Parameters
    ----------
    prompt
        The question.
    run_cells
        The cells that ran, the latest last.
    words
        How well texts match its words.
    attached
        What the prompt attaches by name.
    """

    def __init__(
        self,
        prompt: str,
        run_cells: Sequence[Cell],
        words: WordScores,
        attached: Sequence[Item],
    ) -> None:
        self.score = words.score
        # Without a question, only what is always sent matters.
        self.is_about_failing = bool(prompt.strip()) and is_about_failing(prompt)
        self.is_about_headings = is_about_headings(prompt)
        self._is_about_shown = is_about_shown(prompt)
        numbers = _NUMBERED.findall(prompt)
        self._named = frozenset(map(int, numbers))
        self._attaches_error = any(item.id == ATTACHED_ERROR for item in attached)
        news = run_cells[-NEWS_CELLS:]
        self._news = frozenset(cell.number for cell in news)

    def names(self, cell: Cell) -> bool:
        """Return whether the question names a cell, as ``In[3]`` or ``Out[3]``."""
        return cell.number in self._named

    def wants_text(self, text: str) -> bool:
        """Return whether a cell that has not run, or a text, is sent."""
        return self.score(text) >= TEXT_SCORE

    def outputs(self, outputs: Sequence[tuple[Cell, str]]) -> frozenset[str]:
        """Return the ids of the cells whose output is sent.

        An output costs more than it helps, unless the question names it or is about
        what was shown: then it is the few that have most of its words.
        """
        named = []
        if self._named:
            named = [cell.id for cell, _ in outputs if self.names(cell)]
        if not self._is_about_shown:
            return frozenset(named)
        short: list[tuple[float, int, str]] = []
        long: list[tuple[float, int, str]] = []
        for cell, text in outputs:
            score = self.score(text) + self.score(cell.source)
            candidate = (score, -len(text), cell.id)
            if len(text) <= SHORT_OUTPUT:
                if score >= SHORT_OUTPUT_SCORE:
                    short.append(candidate)
            elif score >= LONG_OUTPUT_SCORE:
                long.append(candidate)
        best = heapq.nlargest(SHORT_OUTPUTS, short)
        best += heapq.nlargest(LONG_OUTPUTS, long)
        asked_about = [id for _, _, id in best]
        return frozenset([*named, *asked_about])

    def wants_earlier_error(self, cell: Cell) -> bool:
        """Return whether an error before the last one is sent."""
        if self._attaches_error:
            return self.names(cell)
        return self.is_about_failing or self.names(cell)

    def wants_error(self, failure: Failure) -> bool:
        """Return whether the last error is sent: it is news, or asked about."""
        is_asked = self.is_about_failing or self._attaches_error
        return is_asked or failure.cell is None or failure.cell in self._news
