"""The commands that ask the model, such as ``/fix`` and ``/explain``."""

from __future__ import annotations

from ..buddy import Buddy
from ..errors import PromptError, Remedy
from ..markdown.safe import fence
from ..question import prompts
from .command import Command

OTHER_SUBJECTS = {
    "fix": "the last error, or the last cell",
    "explain": "the last cell or its error",
}
"""What a task is about, other than the code below it, where an error counts."""


def _declare(name: str) -> Command:
    other = OTHER_SUBJECTS.get(name, "the last cell")
    joint = "," if ", or" in other else ", or"
    subjects = f"the code below the command{joint} {other}"
    return Command(name, "[INSTRUCTIONS]", f"ask the model to {name} {subjects}")


TASKS = tuple(_declare(name) for name in prompts.TASKS)


def task_prompt(buddy: Buddy, name: str, instructions: str, code: str) -> str:
    """Return what a task asks the model.

    Parameters
    ----------
    buddy
        The Buddy that knows the notebook.
    name
        The name of the task, a key of ``prompts.TASKS``.
    instructions
        What the user typed after the command, appended to the prompt.
    code
        The lines below the command. Without them, ``/fix`` is about the last error, and
        all else about the cell that ran last: ``/explain`` about the error that it
        ended in, if it did.

    Raises
    ------
    PromptError
        When there is no code, no error and no cell.
    """
    code = code.strip()
    if not code:
        return prompts.task(name, _subject(buddy, name), instructions)
    request = prompts.task(name, "the code below", instructions)
    return f"{request}\n\n{fence(code, 'python')}"


def _subject(buddy: Buddy, name: str) -> str:
    """Return a mention of the last error, or of the cell that ran last."""
    session = buddy.collector.session
    if session is not None:
        last = session.last_number()
        failure = session.failure()
        has_just_failed = failure is not None and failure.cell == last
        if failure and (name == "fix" or (name == "explain" and has_just_failed)):
            return "@error"
        if last:
            return f"the code of @In[{last}]"
    raise PromptError(
        f"There is no code to {name} yet.",
        Remedy("Type the code below this line", f"%%buddy /{name}"),
    )
