"""A conversation whose messages are kept in place of a page."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.widgets.conversation import Conversation
from codebuddy_jupyter.widgets.protocol import ChatMessage
from codebuddy_jupyter.widgets.received import matches
from tests.support.fakes import eventually


class Watched(Conversation):
    """A conversation whose messages to the page are kept."""

    def __init__(self, buddy: Buddy, names: dict[str, Any] | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.undeclared: list[ChatMessage] = []
        self.inserted: list[str] = []
        self.ended: list[Reply] = []
        history = SimpleNamespace(input_hist_parsed=["", "df"], output_hist={})
        shell = SimpleNamespace(
            user_ns=names or {},
            set_next_input=self.inserted.append,
            history_manager=history,
        )
        super().__init__(buddy, shell, self.keep, self.ended.append)

    def keep(self, message: ChatMessage) -> None:
        """Keep a message, as JSON brings it to the page."""
        if not matches(message, ChatMessage):
            self.undeclared.append(message)
        self.sent.append(cast(dict[str, Any], message))

    def close(self) -> None:
        """Close it; all its messages were of the declared types."""
        super().close()
        assert self.undeclared == []

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a kind."""
        return [message for message in list(self.sent) if message["type"] == kind]

    def page(self, kind: str, **content: Any) -> None:
        """Take a message as it comes from the page."""
        self.receive({"type": kind, **content})

    def ask(self, text: str, **more: Any) -> None:
        """Ask as the page does."""
        self.page("ask", text=text, ask=f"page:{len(self.sent)}", **more)

    def answered(self, count: int = 1) -> bool:
        """Whether so many answers came to their end."""
        return eventually(
            lambda: sum("done" in message for message in self.told("answer")) >= count
        )

    def blocks(self, turn: int) -> list[str]:
        """The settled blocks of a turn, as a page puts them together."""
        found: list[str] = []
        for message in self.told("answer"):
            if message["turn"] == turn:
                assert message["from"] == len(found)
                found += message["blocks"]
        return found


def slow(text: str, size: int = 5) -> list[str | float]:
    """A reply that comes in small pieces, with pauses."""
    return [
        step
        for at in range(0, len(text), size)
        for step in (text[at : at + size], 0.01)
    ]


def panel_threads() -> list[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread.name in ("buddy-panel", "buddy-command")
    ]


class NotebookSession(Session):
    """The session of a kernel that knows its notebook."""

    def __init__(self, notebook: Path, names: dict[str, Any]) -> None:
        super().__init__(SimpleNamespace(user_ns=names))
        self.notebook_file = notebook

    def path(self) -> Path:
        """Its file."""
        return self.notebook_file


def titles(chat: Watched) -> list[str]:
    """The conversations that can be chosen, as they were sent last."""
    sent = chat.told("chats")
    return [kept["title"] for kept in sent[-1]["chats"]] if sent else []
