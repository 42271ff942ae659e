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
    lines = undone_lines(undo_run(invocation.buddy))
    return "\n".join(f"- {escape(line)}" for line in lines)


def undo_run(buddy: Buddy, id: str = "") -> Undone:
    """Undo the run of a proposal, the last one unless one is named.

    Raises
    ------
    SettingError
        If it cannot be undone.
    """
    session = buddy.collector.session
    if session is None:
        raise PromptError(NO_NOTEBOOK)
    return buddy.proposed_runs.undo(session.namespace(), id)


def undone_lines(undone: Undone) -> list[str]:
    """Return what was undone and what was not, as lines of plain text."""
    lines = []
    for names, said in (
        (undone.restored, "restored"),
        (undone.refilled, "with their former contents"),
        (undone.copied, "replaced by a copy from before; other names keep the object"),
        (undone.removed, "deleted, since they did not exist"),
        (undone.left, "left alone, since they were changed again"),
    ):
        if names:
            lines.append(f"{said}: {', '.join(names)}")
    lines = lines or [NOTHING]
    if undone.not_undone:
        what = "; ".join(undone.not_undone)
        lines.append(f"not undone, if the code did such things: {what}")
    return lines
