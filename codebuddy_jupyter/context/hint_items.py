"""What the kernel can tell about a question, as something to send."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .inspection.hints import question_hints
from .items import Cell, Item
from .mentions import Mention
from .relevance import names_in

HINTS = "mention:hints"
TITLE = "Hints from the kernel"
# An attachment, after those of the user.
RANK = -1000.0
POSITION = (5, 1_000)


def hints_about(
    prompt: str,
    mentions: Iterable[Mention],
    names: Mapping[str, Any],
    cells: Iterable[Cell],
) -> Iterator[Item]:
    """Yield an item with what the kernel can tell about a question, if anything.

    Parameters
    ----------
    prompt
        The question.
    mentions
        What it attaches.
    names
        The user's variables, the latest defined first; they are only looked at.
    cells
        The cells of the notebook.
    """
    mentioned = [mention.target for mention in mentions if mention.kind == "name"]
    for name in sorted(names_in(prompt)):
        if name not in mentioned:
            mentioned.append(name)
    try:
        lines = question_hints(prompt, mentioned, names, _in_run_order(cells))
    except Exception:  # noqa: BLE001 - the question counts more than what is known about it
        return
    if lines:
        text = "\n".join(lines)
        yield Item(HINTS, "mentions", TITLE, text, RANK, POSITION)


def _in_run_order(cells: Iterable[Cell]) -> list[tuple[int, str]]:
    """Return the numbers and sources of the cells that ran."""
    ran = []
    for cell in cells:
        if cell.number is not None:
            ran.append((cell.number, cell.run_source or cell.source))
    return sorted(ran)
