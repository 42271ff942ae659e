"""Show a draft to a person: what would be sent, section by section, and what would not.

The full text is folded below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from ..context.items import Item
from ..markdown.safe import escape, fence
from ..question.draft import Draft

# characters of the bar that shows the context window
BAR = 32
# items left out that are named; of the others only the number is given
NAMED = 12


def preview(draft: Draft, model: str, where: str) -> str:
    """Return a draft as Markdown.

    Parameters
    ----------
    draft
        What would be sent.
    model
        The model that would answer.
    where
        The address that the request would go to.
    """
    summary = (
        f"Nothing was sent. About {draft.tokens:,} tokens would go to {escape(model)} "
        f"({escape(where)})."
    )
    sections = [
        summary,
        _table(draft),
        *_not_sent(draft),
        "<details><summary>The full text</summary>",
    ]
    for message in draft.messages:
        sections.append(f"{message.role}:\n\n{fence(message.text, 'text')}")
    sections.append("</details>")
    return "\n\n".join(sections)


def _table(draft: Draft) -> str:
    """Return the bar of the context window, and the parts with their tokens."""
    lines = [
        f"`{_bar(draft)}` {_window(draft)}",
        "",
        "| part | tokens |",
        "|---|---:|",
    ]
    for name, tokens in draft.parts:
        lines.append(f"| {escape(name)} | {tokens:,} |")
    return "\n".join(lines)


def _bar(draft: Draft) -> str:
    """Return the context window as a bar: prompt, free space, room for the answer."""
    room = draft.room
    window = room.window or room.assumed
    prompt = round(BAR * draft.tokens / window)
    answer = round(BAR * (window - room.prompt) / window)
    prompt = min(BAR, prompt)
    answer = min(BAR - prompt, answer)
    free = BAR - prompt - answer
    return "█" * prompt + "░" * free + "·" * answer


def _window(draft: Draft) -> str:
    if draft.room.window:
        window = f"{draft.room.window:,}"
    else:
        window = f"{draft.room.assumed:,} (assumed: the server does not report it)"
    return f"of a context window of {window}; the dots are reserved for the answer"


def _not_sent(draft: Draft) -> list[str]:
    """Return lines about what is left out or redacted."""
    lines = [escape(trouble) for trouble in draft.troubles]
    for section, items in groupby(draft.update.left_out, lambda item: item.section):
        lines.append(_left_out(section, list(items)))
    if draft.before is not None:
        turns = _counted(draft.turns_left_out, "earlier turn")
        lines.append(f"The conversation is cut: {turns} would be left out.")
    if draft.redacted:
        lines.append(_redacted(draft.redacted))
    if not (draft.update.sent_items.sent or draft.update.items):
        lines.append(
            "It contains nothing of the notebook, or the model has been sent all of it "
            "already."
        )
    return lines


def _left_out(section: str, items: Sequence[Item]) -> str:
    names = ", ".join(item.title for item in items[:NAMED])
    others = len(items) - NAMED
    if others > 0:
        names += f" and {others} more"
    return escape(f"Left out of the {section}, because there is no room: {names}.")


def _redacted(names: Sequence[str]) -> str:
    """Return a line with the names of what was redacted, and how often each was."""
    counted = []
    for name, count in Counter(names).items():
        if count > 1:
            name = f"{name} ({count})"
        counted.append(name)
    return escape(f"Redacted: {', '.join(counted)}.")


def _counted(number: int, noun: str) -> str:
    if number == 1:
        return f"{number} {noun}"
    return f"{number} {noun}s"
