"""The conversation in the page, as a widget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from ..buddy import Buddy
from ..chat.reply import Reply
from .conversation import Conversation
from .modules import joined_styles, packed_script
from .page import PageWidget


class ChatView(PageWidget):
    """Carries the messages of a `Conversation`.

    Parameters
    ----------
    buddy
        Whose conversation it shows.
    shell
        The shell of the notebook, which holds the user's variables.
    on_end
        Called with each reply that has ended.
    """

    # Whether no other widget of a panel is around it.
    is_alone = traitlets.Bool(False).tag(sync=True)
    _esm = packed_script("chat/view.js")
    # The other widgets of a panel are on the same page and use the same base.
    _css = joined_styles("base.css", "chat/chat.css")

    def __init__(
        self, buddy: Buddy, shell: Any, on_end: Callable[[Reply], None]
    ) -> None:
        super().__init__()
        self.conversation = Conversation(buddy, shell, self.post, on_end)

    def receive(self, content: object) -> None:
        """Hand a message of a page to the conversation."""
        self.conversation.receive(content)

    def note_cell(self, cell: str) -> None:
        """Note which cell runs: new code is inserted below it."""
        self.conversation.note_cell(cell)

    def note_end(self) -> None:
        """Note that a cell has run."""
        self.conversation.note_end()

    def close(self) -> None:
        """Remove the widget from every page, and stop answers to questions typed in it."""
        self.conversation.close()
        super().close()
