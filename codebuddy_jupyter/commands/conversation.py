"""The commands about the conversation: start, choose, delete and export."""

from __future__ import annotations

import time
from pathlib import Path

from ..buddy import Buddy
from ..chat.conversation import titled
from ..display.export import export
from ..errors import Remedy, SettingError
from ..markdown.safe import escape
from .command import Invocation, command
from .text_table import text_table

MOST_DIGITS = 9
"""Digits in the number of a conversation, at most."""


@command("reset", "", "start a new conversation")
def reset(invocation: Invocation, arguments: str) -> str:
    """Start a new conversation."""
    turns = _counted(invocation.buddy.reset(), "turn")
    return f"Started a new conversation; the previous one had {turns}."


@command(
    "chats",
    "[N]",
    "list this notebook's conversations, or switch to number N; /chats rename N NAME "
    "names one, /chats delete N and /chats delete all delete them permanently",
)
def chats(invocation: Invocation, arguments: str) -> str:
    """List conversations, switch to one, name one, or delete them."""
    verb, _, rest = arguments.partition(" ")
    if verb.lower() == "delete":
        return _delete(invocation.buddy, rest.strip().lower())
    if verb.lower() == "rename":
        return _rename(invocation.buddy, rest.strip())
    if arguments:
        return _switch(invocation.buddy, arguments)
    return _list(invocation.buddy)


def _list(buddy: Buddy) -> str:
    current = buddy.chat.id
    saved = buddy.history.listed()
    if not saved:
        return "No conversations are saved for this notebook."
    rows = []
    for chat in saved:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(chat.used))
        state = "current" if chat.id == current else ""
        title = chat.name or titled(chat.question)
        row = (str(chat.number), title, str(chat.turns), used, state)
        rows.append(row)
    header = ("", "conversation", "turns", "last used", "")
    return text_table(header, rows, numbers=(0, 2))


def _switch(buddy: Buddy, number: str) -> str:
    chat = buddy.history.switch(_chat_number(number))
    turns = _counted(len(chat.turns), "turn")
    return escape(f"Switched to the conversation “{chat.title}”; it has {turns}.")


def _delete(buddy: Buddy, number: str) -> str:
    if number == "all":
        count = buddy.history.delete(None)
        return f"Deleted {_counted(count, 'conversation')}."
    chat_number = _chat_number(number)
    count = buddy.history.delete(chat_number)
    if not count:
        raise SettingError(
            f"There is no conversation {chat_number}.",
            Remedy("List the conversations", "%buddy /chats"),
        )
    return f"Deleted {_counted(count, 'conversation')}."


def _rename(buddy: Buddy, typed: str) -> str:
    number, _, name = typed.partition(" ")
    chat_number = _chat_number(number)
    kept = buddy.history.rename(chat_number, name)
    if not kept:
        return f"Conversation {chat_number} has no name of its own any more."
    return escape(f"Conversation {chat_number} is named “{kept}”.")


def _chat_number(text: str) -> int:
    digits = text.strip()
    if not digits.isdecimal() or len(digits) > MOST_DIGITS:
        raise SettingError(
            "/chats takes the number of a conversation.",
            Remedy("Switch to one", "%buddy /chats 3"),
            Remedy("Delete one", "%buddy /chats delete 3"),
        )
    return int(digits)


def _counted(number: int, noun: str) -> str:
    ending = "" if number == 1 else "s"
    return f"{number} {noun}{ending}"


@command(
    "export",
    "[FILE]",
    "write the conversation to a new .md or .ipynb file, by default beside the notebook",
)
def write_export(invocation: Invocation, file: str) -> str:
    """Write the conversation to a file; existing files are not overwritten."""
    buddy = invocation.buddy
    if not buddy.chat.turns:
        raise SettingError(
            "There is no conversation yet.",
            Remedy("Choose an earlier one", "%buddy /chats"),
        )
    path = _export_path(buddy, file.strip("\"'"))
    written = export(buddy.chat, path, buddy.redacted)
    return f"The conversation is written to {escape(str(written))}."


def _export_path(buddy: Buddy, name: str) -> Path:
    """Return the path of this name, relative to the notebook's folder."""
    folder = None
    notebook = None
    session = buddy.collector.session
    if session is not None:
        folder = session.folder()
        notebook = session.path()
    if not name:
        name = f"{notebook.stem}-chat.md" if notebook else "chat.md"
    try:
        return (folder or Path()) / Path(name).expanduser()
    except RuntimeError as error:
        # expanduser() found no home directory for ~user.
        raise SettingError(f"{name} cannot be written: {error}") from error
