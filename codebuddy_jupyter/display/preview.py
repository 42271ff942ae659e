"""A draft as a person reads it: what would be sent, section by section, what not, and
the whole text folded below.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from ..context.items import Item
from ..markdown.safe import escape, fence
from ..question.draft import Draft

# characters of the bar that stands for the window
BAR = 32
# things left out that are named; more are counted
NAMED = 12


def preview(draft: Draft, model: str, where: str) -> str:
    """The draft as Markdown.

    Parameters
    ----------
    draft
        What would be sent.
    model
        The model that would be asked.
    where
        Where the request would go.
    """
    rows = [f"| {escape(name)} | {tokens:,} |" for name, tokens in draft.parts]
    lines = [
        (
            f"{escape(model)} at {escape(where)} would be sent about "
            f"{draft.tokens:,} tokens; nothing was sent."
        ),
        "\n".join(
            [
                f"`{_bar(draft)}` {_window(draft)}",
                "",
                "| part | tokens |",
                "|---|---:|",
                *rows,
            ]
        ),
        *_missing(draft),
        "<details><summary>The whole text</summary>",
        *(
            f"{message.role}:\n\n{fence(message.text, 'text')}"
            for message in draft.messages
        ),
        "</details>",
    ]
    return "\n\n".join(lines)


def _bar(draft: Draft) -> str:
    window = draft.room.window or draft.room.assumed
    used = min(BAR, round(BAR * draft.tokens / window))
    answer = min(BAR - used, round(BAR * (window - draft.room.prompt) / window))
    return "█" * used + "░" * (BAR - used - answer) + "·" * answer


def _window(draft: Draft) -> str:
    assumed = f"{draft.room.assumed:,} (assumed: the server does not tell)"
    window = f"{draft.room.window:,}" if draft.room.window else assumed
    return f"of a window of {window}; the dots are kept for the answer"


def _missing(draft: Draft) -> list[str]:
    lines = [escape(trouble) for trouble in draft.troubles]
    sections = groupby(draft.news.left_out, lambda item: item.section)
    lines += [_left_out(section, list(items)) for section, items in sections]
    if draft.before is not None:
        turns = draft.turns_left_out
        lines.append(
            f"The conversation is cut: {turns} earlier "
            f"turn{'' if turns == 1 else 's'} would be left out."
        )
    if draft.redacted:
        kinds = ", ".join(
            f"{kind} ({n})" if n > 1 else kind
            for kind, n in Counter(draft.redacted).items()
        )
        lines.append(escape(f"Blanked: {kinds}."))
    if draft.news.sent_items.sent or draft.news.items:
        return lines
    return [
        *lines,
        "Nothing of the notebook is in it, or the model knows all of it already.",
    ]


def _left_out(section: str, items: list[Item]) -> str:
    names = ", ".join(item.title for item in items[:NAMED])
    more = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return escape(f"Left out of the {section}, as there is no room: {names}{more}.")
