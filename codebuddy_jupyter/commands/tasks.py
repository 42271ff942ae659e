"""The commands that ask the model, such as ``/fix`` and ``/explain``."""

from __future__ import annotations

from ..buddy import Buddy
from ..errors import PromptError, Remedy
from ..markdown.safe import fence
from ..question import prompts
from .command import Command

ABOUT_ERRORS = ("fix", "explain")
"""The tasks that are about the last error when there is one."""


def _declare(name: str) -> Command:
    subjects = "the code below the command, or the last cell"
    if name in ABOUT_ERRORS:
        subjects = "the code below the command, the last error, or the last cell"
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
        The lines below the command. Without them, the task is about the last error, if
        the task can be, or else about the cell that ran last.

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
        if name in ABOUT_ERRORS and session.failure() is not None:
            return "@error"
        cells = session.notebook().cells
        last = max((cell.number or 0 for cell in cells), default=0)
        if last:
            return f"the code of @In[{last}]"
    raise PromptError(
        f"There is no code to {name} yet.",
        Remedy("Type the code below this line", f"%%buddy /{name}"),
    )
