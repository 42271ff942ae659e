"""``/undo``: gives variables back what they had before a proposed cell ran."""

from __future__ import annotations

from ..buddy import Buddy
from ..errors import PromptError
from ..markdown.safe import escape
from ..tools.undo import Undone
from .command import Invocation, command

NO_NOTEBOOK = "There is no notebook here."
NOTHING = "The run had changed no variable."


@command(
    "undo",
    "",
    "give variables back what they had before the last run of a proposed cell",
)
def undo(invocation: Invocation, arguments: str) -> str:
    """Undo the last run of a proposed cell."""
    return undo_run(invocation.buddy)


def undo_run(buddy: Buddy, id: str = "") -> str:
    """Undo the run of a proposal, the last one unless one is named; return Markdown.

    Raises
    ------
    SettingError
        If it cannot be undone.
    """
    session = buddy.collector.session
    if session is None:
        raise PromptError(NO_NOTEBOOK)
    return undone_text(buddy.proposed_runs.undo(session.namespace(), id))


def undone_text(undone: Undone) -> str:
    """Return what was undone and what was not, as Markdown."""
    lines = []
    for names, said in (
        (undone.restored, "as before: {}"),
        (undone.refilled, "with their former contents: {}"),
        (undone.copied, "bound to the copy from before, which other names are not: {}"),
        (undone.removed, "deleted, since they did not exist: {}"),
        (undone.left, "left alone, since they were changed again: {}"),
    ):
        if names:
            lines.append(f"- {said.format(', '.join(_code(name) for name in names))}")
    lines = lines or [NOTHING]
    if undone.not_undone:
        what = escape("; ".join(undone.not_undone))
        lines.append(f"- not undone, if the code did such things: {what}")
    return "\n".join(lines)


def _code(name: str) -> str:
    return f"`{name}`" if name.isidentifier() else escape(name)
