"""``/context``: what would be sent with a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..buddy import Buddy
from ..display.preview import preview
from ..question.options import Options
from .command import Invocation, command


@command(
    "context",
    "[QUESTION]",
    "show what would be sent with a question, and what is left out, without sending "
    "it; the option --dry-run does the same",
)
def show_context(invocation: Invocation, question: str) -> str:
    """Show what would be sent, section by section."""
    session = invocation.buddy.collector.session
    names: Mapping[str, Any] = {}
    if session is not None:
        names = session.namespace()
    return preview_prompt(invocation.buddy, question, Options(), names)


def preview_prompt(
    buddy: Buddy, prompt: str, options: Options, names: Mapping[str, Any]
) -> str:
    """Return, as Markdown, what would be sent for a prompt.

    Parameters
    ----------
    buddy
        The Buddy that would ask.
    prompt
        The prompt as it was typed.
    options
        The options of this question.
    names
        The user's variables, for ``{name}`` and ``@name`` in the prompt.

    Raises
    ------
    BuddyError
        When the same prompt could not be sent.
    """
    draft, provider, model = buddy.preview(prompt, options, names)
    return preview(draft, model, provider.where())
