"""The chat in a marimo notebook.

marimo shows no widgets of ipywidgets, only those with a script of their own. So this is
the conversation alone, without the form of the settings.
"""

from __future__ import annotations

import queue
import sys
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from ..buddy import Buddy
from .chat_view import ChatView

# Seconds between two looks at whether the cell of the chat still shows it.
INTERVAL = 0.5


class MarimoChat(ChatView):
    """Shows a conversation until its cell runs again or is deleted.

    Parameters
    ----------
    buddy
        Whose conversation it shows. It is closed with the chat, so it should be the
        chat's own: in an app, all visitors are in one process.
    """

    def __init__(self, buddy: Buddy) -> None:
        self._buddy = buddy
        self._outbox: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        history = SimpleNamespace(input_hist_parsed=[], output_hist={})
        shell = SimpleNamespace(user_ns={}, history_manager=history)
        super().__init__(buddy, shell, on_end=lambda reply: None)
        self.is_alone = True
        # marimo takes messages only from threads of its own kind.
        thread_class = sys.modules["marimo"].Thread
        self._thread = thread_class(
            target=self._deliver,
            name="buddy-marimo",
            daemon=True,
        )
        self._thread.start()

    def post(self, message: Mapping[str, Any]) -> None:
        """Send a message to the page, from any thread."""
        self._outbox.put(message)

    def _deliver(self) -> None:
        """Send what is posted for as long as the cell shows the chat."""
        while not self._thread.should_exit:
            try:
                message = self._outbox.get(timeout=INTERVAL)
            except queue.Empty:
                continue
            super().post(message)
        self.close()
        self._buddy.close()
