"""``/replay``: whether answers are kept and given again, and which are kept."""

from __future__ import annotations

from ..buddy import Buddy
from ..chat.answer_file import Answers, day_of
from ..context.describe.text import count
from ..errors import NotKept, Remedy, SettingError
from ..markdown.safe import escape
from .command import Invocation, command

MODES = {
    "off": "answers are neither kept nor given again",
    "on": "answers are kept, and given again for the same questions",
    "only": "kept answers are given again, and nothing is asked",
}


@command(
    "replay",
    "[MODE]",
    "show which answers of this notebook are kept for replay; /replay on, off and only "
    "switch it, /replay forget last and /replay forget all delete kept answers",
)
def replay(invocation: Invocation, arguments: str) -> str:
    """Show what is kept, switch replay, or delete kept answers."""
    buddy = invocation.buddy
    words = arguments.lower().split()
    if words in (["forget", "last"], ["forget", "all"]):
        return _forget(buddy, only_latest=words[1] == "last")
    if words:
        if words[0] not in MODES or words[1:]:
            raise _misused(arguments)
        buddy.change({"replay": words[0]})
    state = f"Replay is {buddy.replay}: {MODES[buddy.replay]}."
    return escape(f"{state} {_kept(buddy)}")


def _misused(arguments: str) -> SettingError:
    return SettingError(
        f"/replay takes on, off, only, forget last or forget all, not {arguments}.",
        Remedy("Show what is kept", "%buddy /replay"),
    )


def _forget(buddy: Buddy, *, only_latest: bool) -> str:
    deleted = buddy.loop.run(buddy.kept_answers.forget(only_latest=only_latest))
    if not deleted:
        return "There is no such answer."
    return escape(
        f"Deleted {count(deleted, 'answer')} from {buddy.kept_answers.path()}."
    )


def _kept(buddy: Buddy) -> str:
    """Return what is kept, and what this kernel has done with it."""
    kept_answers = buddy.kept_answers
    try:
        answers = buddy.loop.run(kept_answers.answers())
        name = str(kept_answers.path())
    except NotKept as error:
        return str(error)
    lines = [f"{name} has {count(len(answers.in_order), 'answer')}{_days(answers)}."]
    if answers.unreadable:
        unreadable = count(answers.unreadable, "line")
        lines.append(f"It also has {unreadable} in which no answer can be read.")
    replayed = count(kept_answers.replayed, "question")
    added = count(kept_answers.added, "answer")
    lines.append(
        f"In this kernel, {replayed} got a kept answer, and {added} came anew."
    )
    return " ".join(lines)


def _days(answers: Answers) -> str:
    days = [day_of(answer.when) for answer in answers.in_order]
    if not days:
        return ""
    if days[0] == days[-1]:
        return f", of {days[0]}"
    return f", of {days[0]} to {days[-1]}"
