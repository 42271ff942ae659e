"""Conversations on disk: one SQLite file that only its owner may read.

It never holds what was sent of a notebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from . import tables
from .sqlite_file import SQLiteFile
from .tables import StoredChat, StoredTurn

if TYPE_CHECKING:
    from sqlite3 import Connection


class Store(SQLiteFile):
    """The conversations of this user's notebooks; see `SQLiteFile`."""

    contents: ClassVar[str] = "conversations"
    application: ClassVar[int] = tables.APPLICATION
    current: ClassVar[int] = tables.CURRENT

    def create(self, connection: Connection) -> None:
        """Make the tables in an empty file."""
        tables.create(connection)

    def migrate(self, connection: Connection) -> None:
        """Turn the tables of version 1 into the current ones."""
        tables.migrate(connection)

    def view_earlier(self, connection: Connection) -> None:
        """Let this connection read the tables of version 1 like the current ones."""
        tables.view_version_1(connection)

    def begin(self, notebook: str, chat: str, turn: StoredTurn) -> None:
        """Add a turn, or replace it; a new conversation may begin with it."""

        def write(connection: Connection) -> None:
            tables.use_chat(connection, notebook, chat, turn.asked)
            tables.insert_turn(connection, chat, turn)

        self.write(write)

    def end(self, turn: StoredTurn) -> None:
        """Replace a turn by what it is by now, unless it has been deleted."""
        self.write(lambda connection: tables.update_turn(connection, turn))

    def restore(self, notebook: str, chat: str, turns: Sequence[StoredTurn]) -> None:
        """Write the turns of a conversation anew, in this order."""

        def write(connection: Connection) -> None:
            for turn in turns:
                tables.use_chat(connection, notebook, chat, turn.asked)
            tables.replace_turns(connection, chat, turns)

        self.write(write)

    def drop(self, turn: str) -> None:
        """Delete a turn, and its conversation if it has no other."""
        self.write(lambda connection: tables.delete_turn(connection, turn))

    def chats(self, notebook: str) -> list[StoredChat]:
        """Return the conversations of a notebook, the last used first."""
        return self.read(lambda connection: tables.chats(connection, notebook), [])

    def name(self, chat: str, name: str) -> bool:
        """Name a conversation, or take its name away; return whether it is there."""
        if not self.path.exists():
            return False
        return self.write(
            lambda connection: tables.name_chat(connection, chat, name),
            is_awaited=True,
        )

    def chats_with(self, notebook: str, words: str) -> list[int]:
        """Return the numbers of the conversations in whose messages these words are."""
        return self.read(
            lambda connection: tables.chats_with(connection, notebook, words), []
        )

    def latest(self, notebook: str) -> tuple[str, list[StoredTurn]] | None:
        """Return the id and the turns of the notebook's last used conversation."""

        def read(connection: Connection) -> tuple[str, list[StoredTurn]] | None:
            chat = tables.latest_chat(connection, notebook)
            if chat is None:
                return None
            return chat, tables.latest_turns(connection, chat)

        return self.read(read, None)

    def turns(self, chat: str) -> list[StoredTurn]:
        """Return the latest turns of a conversation, the oldest first."""
        return self.read(lambda connection: tables.latest_turns(connection, chat), [])

    def delete(self, notebook: str, number: int | None = None) -> list[str]:
        """Delete conversations of a notebook for good, and return their ids.

        Parameters
        ----------
        notebook
            Whose conversations.
        number
            The number of one conversation; None: all of them.
        """
        if not self.path.exists():
            return []
        return self.write(
            lambda connection: tables.delete_chats(connection, notebook, number),
            is_awaited=True,
        )
