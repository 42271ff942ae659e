"""What can be typed after a slash, and completion by Tab in what is typed.

A new command is a function with the decorator `command`, in the module of its subject,
listed in `table.COMMANDS`. From that table come ``/help``, completion, the documents
and the suggestion for a misspelled name.
"""

from .command import Command, Invocation
from .context import preview_prompt
from .models import pull_model
from .new_cell import NewCell, cell_magics, new_cell
from .panel import no_panel
from .provider import doctor_report
from .table import COMMANDS, Call, HelpRow, help_rows, read, run

__all__ = [
    "COMMANDS",
    "Call",
    "Command",
    "HelpRow",
    "Invocation",
    "NewCell",
    "cell_magics",
    "doctor_report",
    "help_rows",
    "new_cell",
    "no_panel",
    "preview_prompt",
    "pull_model",
    "read",
    "run",
]
