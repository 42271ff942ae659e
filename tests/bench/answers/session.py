"""A notebook's session with the buddy: its cells run in an IPython shell, and the buddy
is asked about them. It is the program of a child process.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from codebuddy_jupyter.errors import BuddyError
from codebuddy_jupyter.question.options import Options

from .child import Answered, Request, serve
from .lean import variable_lines
from .notebooks import find

# As the best answer of the model is compared, and nothing that depends on chance.
TEMPERATURE = 0.0
# Settings that are not there in every version. What is measured is a question's own
# answer, and its repair; how much of a notebook a busy machine can read in some seconds
# would make each run another.
SETTINGS = {
    "check": "repair",
    "read_ahead": "off",
    "reading_seconds": 0.0,
    "keep_chats": False,
}


class NotebookSession:
    """The shell in which a notebook has run."""

    def __init__(self) -> None:
        quiet = Config({"HistoryManager": {"enabled": False}})
        self.shell: Any = InteractiveShell.instance(config=quiet)
        self._run("%load_ext codebuddy_jupyter")

    def open(self, request: Request) -> Answered:
        """Run the cells; return a line for each variable."""
        notebook, question = find(request["notebook"], request["question"])
        for name, text in notebook.files.items():
            Path(name).write_text(text, encoding="utf-8")
        for cell in notebook.cells_before(question):
            self._run(cell)
        return {"variables": variable_lines(self.shell.user_ns)}

    def set_up(self, request: Request) -> Answered:
        """Change settings, each as the text of an assignment for ``%config``."""
        buddy = self.shell.codebuddy.buddy
        for name, value in SETTINGS.items():
            if buddy.has_trait(name):
                setattr(buddy, name, value)
        for assignment in request["settings"]:
            self.shell.run_line_magic("config", assignment)
        return {}

    def ask(self, request: Request) -> Answered:
        """Ask the buddy about the notebook, in a new conversation."""
        options = Options(
            temperature=TEMPERATURE,
            max_tokens=request["max_tokens"],
            context=request["context"],
            new=True,
            look=request["look"],
        )
        buddy = self.shell.codebuddy.buddy
        reply = buddy.ask(request["text"], options, self.shell.user_ns)
        try:
            str(reply)
        except BuddyError as error:
            return {"error": str(error), "findings": [], "looked": []}
        looked = [one.line for one in reply.looked]
        return {"error": "", "findings": list(reply.findings), "looked": looked}

    def _run(self, source: str) -> None:
        self.shell.run_cell(source, store_history=True)


def _served() -> None:
    warnings.simplefilter("ignore")
    session = NotebookSession()
    todo = {"open": session.open, "set up": session.set_up, "ask": session.ask}
    serve(lambda request: todo[request["do"]](request))


if __name__ == "__main__":
    _served()
