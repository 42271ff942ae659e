"""The code that an answer proposes, as Markdown below it: text, without any button."""

from __future__ import annotations

from ..chat.reply import Reply
from ..markdown.blocks import blocks_of, code_blocks
from ..markdown.characters import name_invisible
from ..tools.proposing import shown_code, title_of

APPLY = "`%buddy /apply {}` puts the code into the next cell; it is not run."


def proposed_markdown(reply: Reply) -> str:
    """Return all that an answer proposes, each with how to put it into a cell."""
    numbers = numbers_of(reply)
    parts = []
    for number, proposal in zip(numbers, reply.proposed, strict=True):
        shown = name_invisible(shown_code(proposal))
        heading = f"**Proposed: {title_of(proposal)}.** Nothing was changed or run."
        parts.append(f"{heading}\n\n{shown}\n\n{APPLY.format(number)}")
    return "\n\n".join(parts)


def numbers_of(reply: Reply) -> range:
    """Return the numbers of what is proposed for ``/apply``, which come after those of
    the code blocks in the text.
    """
    text = "".join(blocks_of(reply.text))
    first = len(code_blocks(text)) + 1
    return range(first, first + len(reply.proposed))
