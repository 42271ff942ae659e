"""The tables in which conversations are kept, and how a file of an earlier version gets
them.

Each function works within the transaction of its caller, and commits nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..messages import Message, ToolCall, Usage

if TYPE_CHECKING:
    from sqlite3 import Connection

# Of a conversation at most so many turns are read, the latest.
MAX_TURNS_READ = 200
# Characters of those turns: more fits no context window.
MAX_CHARACTERS_READ = 4_000_000
# Characters of one text.
MAX_CHARACTERS_KEPT = 1_000_000
TRUNCATED = "\n\n(The rest was too long to be kept.)"
# SQLite's largest integer; a server can claim more tokens.
LARGEST_NUMBER = 2**63 - 1
# The conversations last used are kept, in one notebook and in all of them.
MAX_CHATS_OF_NOTEBOOK = 200
MAX_CHATS = 1_000

CURRENT = 2
"""The version of the tables that this package writes."""
APPLICATION = 0x62756464
"""The number that tells the file from those of other programs."""

_CHATS = """
CREATE TABLE chats (
    id TEXT PRIMARY KEY,
    notebook TEXT NOT NULL,
    number INTEGER NOT NULL,
    used REAL NOT NULL
);
CREATE INDEX chats_of_notebook ON chats (notebook, used);
"""
# Only conversations that the user has named have a row here. The table is made with the
# first of them, so that files of earlier versions need no change.
_NAMES = """
CREATE TABLE IF NOT EXISTS names (
    chat TEXT PRIMARY KEY REFERENCES chats ON DELETE CASCADE,
    name TEXT NOT NULL
) WITHOUT ROWID
"""
# A turn has one row, and one row for each of its messages. `extra` is JSON: the fields
# that only some messages have, such as tool calls.
_TURNS = f"""
CREATE TABLE turns (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    chat TEXT NOT NULL REFERENCES chats ON DELETE CASCADE,
    asked REAL NOT NULL,
    format TEXT NOT NULL,
    reasoning TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    finish TEXT,
    complete INTEGER NOT NULL
);
CREATE INDEX turns_of_chat ON turns (chat, number);
CREATE TABLE messages (
    turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
    position INTEGER NOT NULL,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    extra TEXT NOT NULL DEFAULT '{{}}',
    PRIMARY KEY (turn, position)
) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {CURRENT};
"""
# Version 1 had question and answer as two columns of a turn.
_TURNS_OF_VERSION_1 = """
SELECT number, id, chat, asked, format, reasoning, provider, model, prompt_tokens,
    completion_tokens, finish, whole AS complete
FROM {turns}
"""
_MESSAGES_OF_VERSION_1 = """
SELECT number AS turn, 0 AS position, 'user' AS role, question AS text, '{{}}' AS extra
FROM {turns}
UNION ALL
SELECT number, 1, 'assistant', answer, '{{}}' FROM {turns} WHERE answer != ''
"""
_FROM_VERSION_1 = f"""
ALTER TABLE turns RENAME TO turns_1;
DROP INDEX turns_of_chat;
{_TURNS}
INSERT INTO turns {_TURNS_OF_VERSION_1.format(turns="turns_1")};
INSERT INTO messages {_MESSAGES_OF_VERSION_1.format(turns="turns_1")};
DROP TABLE turns_1
"""
# Temporary views come before the tables of the file under whose names they go.
_VIEWS_OF_VERSION_1 = f"""
CREATE TEMP VIEW messages AS {_MESSAGES_OF_VERSION_1.format(turns="main.turns")};
CREATE TEMP VIEW turns AS {_TURNS_OF_VERSION_1.format(turns="main.turns")}
"""
_COLUMNS = (
    "id",
    "asked",
    "format",
    "reasoning",
    "provider",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "finish",
    "complete",
)


@dataclass(frozen=True)
class StoredTurn:
    """A turn as it is kept.

    Parameters
    ----------
    id
        Its id.
    asked
        When it was asked, in seconds since 1970.
    messages
        The question as it was typed and, when it has ended, what followed; images are
        not kept.
    format, reasoning, provider, model, usage, finish
        As in its reply.
    complete
        Whether the answer came to its end; False as well while it streams.
    """

    id: str
    asked: float
    messages: tuple[Message, ...]
    format: str = "markdown"
    reasoning: str = ""
    provider: str = ""
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    finish: str | None = None
    complete: bool = False

    @property
    def question(self) -> str:
        """The question as it was typed."""
        return self.messages[0].text if self.messages else ""

    @property
    def answer(self) -> str:
        """All that the model wrote."""
        texts = [
            message.text for message in self.messages if message.role == "assistant"
        ]
        return "".join(texts)


@dataclass(frozen=True)
class StoredChat:
    """A conversation as a list shows it.

    Parameters
    ----------
    id
        Its id.
    number
        Its number in its notebook.
    question
        The start of its first question.
    turns
        How many turns it has.
    used
        When it was last used, in seconds since 1970.
    name
        What the user has named it; empty if it has no name.
    """

    id: str
    number: int
    question: str
    turns: int
    used: float
    name: str = ""


def create(connection: Connection) -> None:
    """Make the tables in an empty file."""
    _execute_all(connection, _CHATS + _TURNS)


def migrate(connection: Connection) -> None:
    """Turn the tables of version 1 into the current ones."""
    _execute_all(connection, _FROM_VERSION_1)


def view_version_1(connection: Connection) -> None:
    """Let this connection read the tables of version 1 like the current ones.

    The file is not written to.
    """
    _execute_all(connection, _VIEWS_OF_VERSION_1)


def _execute_all(connection: Connection, script: str) -> None:
    # `executescript` would end the transaction first.
    for statement in script.split(";"):
        connection.execute(statement)


def use_chat(connection: Connection, notebook: str, chat: str, moment: float) -> None:
    """Note that a conversation is used, and begin it if it is not there."""
    updated = connection.execute(
        "UPDATE chats SET used = max(used, ?) WHERE id = ?", (moment, chat)
    )
    if updated.rowcount:
        return
    connection.execute(
        "INSERT INTO chats SELECT ?, ?, coalesce(max(number), 0) + 1, ? "
        "FROM chats WHERE notebook = ?",
        (chat, notebook, moment, notebook),
    )
    _delete_oldest_chats(connection, notebook, chat)


def _delete_oldest_chats(connection: Connection, notebook: str, kept: str) -> None:
    """Delete the conversations that were used longest ago, but not this one, whose turns
    can be old: it may begin with those of another.
    """
    order = "ORDER BY id = ? DESC, used DESC, number DESC LIMIT -1 OFFSET ?"
    connection.execute(
        "DELETE FROM chats WHERE id IN "
        f"(SELECT id FROM chats WHERE notebook = ? {order})",
        (notebook, kept, MAX_CHATS_OF_NOTEBOOK),
    )
    connection.execute(
        f"DELETE FROM chats WHERE id IN (SELECT id FROM chats {order})",
        (kept, MAX_CHATS),
    )


def insert_turn(connection: Connection, chat: str, turn: StoredTurn) -> None:
    """Add a turn, or replace it if it is there already."""
    columns = ", ".join(_COLUMNS)
    marks = ", ".join("?" * len(_COLUMNS))
    added = connection.execute(
        f"INSERT OR IGNORE INTO turns (chat, {columns}) VALUES (?, {marks})",
        (chat, *_row(turn)),
    )
    if added.rowcount:
        _insert_messages(connection, turn)
    else:
        update_turn(connection, turn)


def update_turn(connection: Connection, turn: StoredTurn) -> None:
    """Replace a turn and its messages, if it is still there."""
    columns = ", ".join(f"{name} = ?" for name in _COLUMNS)
    updated = connection.execute(
        f"UPDATE turns SET {columns} WHERE id = ?", (*_row(turn), turn.id)
    )
    if updated.rowcount:
        connection.execute(
            "DELETE FROM messages WHERE turn = (SELECT number FROM turns WHERE id = ?)",
            (turn.id,),
        )
        _insert_messages(connection, turn)


def replace_turns(
    connection: Connection, chat: str, turns: Sequence[StoredTurn]
) -> None:
    """Write turns anew, in this order, whether or not they are there already."""
    ids = [(turn.id,) for turn in turns]
    connection.executemany("DELETE FROM turns WHERE id = ?", ids)
    for turn in turns:
        insert_turn(connection, chat, turn)


def _insert_messages(connection: Connection, turn: StoredTurn) -> None:
    for position, message in enumerate(turn.messages):
        connection.execute(
            "INSERT INTO messages SELECT number, ?, ?, ?, ? FROM turns WHERE id = ?",
            (
                position,
                message.role,
                _storable(message.text),
                _extra(message),
                turn.id,
            ),
        )


def delete_turn(connection: Connection, turn: str) -> None:
    """Delete a turn, and its conversation if it has no other."""
    connection.execute("DELETE FROM turns WHERE id = ?", (turn,))
    connection.execute("DELETE FROM chats WHERE id NOT IN (SELECT chat FROM turns)")


def delete_chats(
    connection: Connection, notebook: str, number: int | None
) -> list[str]:
    """Delete one conversation of a notebook, or all of them; return their ids."""
    condition = "notebook = ?"
    values: list[str | int] = [notebook]
    if number is not None:
        condition += " AND number = ?"
        values.append(number)
    rows = connection.execute(f"SELECT id FROM chats WHERE {condition}", values)
    ids = [str(id) for (id,) in rows]
    connection.execute(f"DELETE FROM chats WHERE {condition}", values)
    return ids


def name_chat(connection: Connection, chat: str, name: str) -> bool:
    """Name a conversation, or take its name away; return whether it is there."""
    connection.execute(_NAMES)
    connection.execute("DELETE FROM names WHERE chat = ?", (chat,))
    found = connection.execute("SELECT 1 FROM chats WHERE id = ?", (chat,)).fetchone()
    if found and name:
        values = (chat, _storable(name))
        connection.execute("INSERT INTO names VALUES (?, ?)", values)
    return found is not None


def chats_with(connection: Connection, notebook: str, words: str) -> list[int]:
    """Return the numbers of the conversations in whose messages these words are."""
    pattern = re.sub(r"([\\%_])", r"\\\1", words)
    rows = connection.execute(
        """
        SELECT DISTINCT chats.number
        FROM chats
        JOIN turns ON turns.chat = chats.id
        JOIN messages ON messages.turn = turns.number
        WHERE chats.notebook = ? AND messages.text LIKE ? ESCAPE '\\'
        """,
        (notebook, f"%{pattern}%"),
    )
    return [int(number) for (number,) in rows]


def chats(connection: Connection, notebook: str) -> list[StoredChat]:
    """Return the conversations of a notebook, the last used first."""
    name = "''"
    if _has_names(connection):
        name = "coalesce((SELECT name FROM names WHERE chat = chats.id), '')"
    rows = connection.execute(
        f"""
        SELECT id, number,
            (SELECT substr(messages.text, 1, 200)
                FROM turns JOIN messages ON messages.turn = turns.number
                WHERE turns.chat = chats.id AND messages.position = 0
                ORDER BY turns.number LIMIT 1),
            (SELECT count(*) FROM turns WHERE chat = chats.id),
            used, {name}
        FROM chats WHERE notebook = ? ORDER BY used DESC, number DESC
        """,
        (notebook,),
    )
    return [StoredChat(*row) for row in rows]


def _has_names(connection: Connection) -> bool:
    found = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'names'"
    )
    return found.fetchone() is not None


def latest_chat(connection: Connection, notebook: str) -> str | None:
    """Return the id of the notebook's last used conversation, if it has one."""
    row = connection.execute(
        "SELECT id FROM chats WHERE notebook = ? "
        "ORDER BY used DESC, number DESC LIMIT 1",
        (notebook,),
    ).fetchone()
    if row is None:
        return None
    return str(row[0])


def latest_turns(connection: Connection, chat: str) -> list[StoredTurn]:
    """Return the latest turns that together are not too long, the oldest first."""
    columns = ", ".join(_COLUMNS)
    rows = connection.execute(
        f"SELECT number, {columns} FROM turns WHERE chat = ? "
        f"ORDER BY number DESC LIMIT {MAX_TURNS_READ}",
        (chat,),
    )
    turns: list[StoredTurn] = []
    characters = 0
    for number, *values in rows:
        turn = _turn(values, _messages(connection, number))
        characters += len(turn.reasoning)
        characters += sum(len(message.text) for message in turn.messages)
        if characters > MAX_CHARACTERS_READ:
            break
        turns.append(turn)
    turns.reverse()
    return turns


def _messages(connection: Connection, turn: int) -> tuple[Message, ...]:
    rows = connection.execute(
        "SELECT role, text, extra FROM messages WHERE turn = ? ORDER BY position",
        (turn,),
    )
    return tuple([_message(*row) for row in rows])


def _message(role: Any, text: str, extra: str) -> Message:
    fields = json.loads(extra)
    calls = [ToolCall(**call) for call in fields.get("tool_calls", ())]
    return Message(
        role,
        text,
        tool_calls=tuple(calls),
        tool_call_id=fields.get("tool_call_id", ""),
    )


def _extra(message: Message) -> str:
    """Return as JSON the fields that only some messages have."""
    fields: dict[str, Any] = {}
    if message.tool_calls:
        fields["tool_calls"] = [vars(call) for call in message.tool_calls]
    if message.tool_call_id:
        fields["tool_call_id"] = message.tool_call_id
    return json.dumps(fields)


def _turn(values: list[Any], messages: tuple[Message, ...]) -> StoredTurn:
    row = dict(zip(_COLUMNS, values, strict=True))
    return StoredTurn(
        id=row["id"],
        asked=row["asked"],
        messages=messages,
        format=row["format"],
        reasoning=row["reasoning"],
        provider=row["provider"],
        model=row["model"],
        usage=Usage(row["prompt_tokens"], row["completion_tokens"]),
        finish=row["finish"],
        complete=bool(row["complete"]),
    )


def _row(turn: StoredTurn) -> Iterable[object]:
    """Return a turn as the values of `_COLUMNS`."""
    yield turn.id
    yield turn.asked
    for text in (turn.format, turn.reasoning, turn.provider, turn.model):
        yield _storable(text)
    yield _storable_number(turn.usage.prompt_tokens)
    yield _storable_number(turn.usage.completion_tokens)
    if turn.finish is None:
        yield None
    else:
        yield _storable(turn.finish)
    yield turn.complete


def _storable(text: str) -> str:
    """Return the text truncated, and without lone surrogates, which UTF-8 lacks."""
    if len(text) > MAX_CHARACTERS_KEPT:
        text = text[:MAX_CHARACTERS_KEPT] + TRUNCATED
    return text.encode("utf-8", "replace").decode()


def _storable_number(number: int | None) -> int | None:
    if number is None:
        return None
    return max(-LARGEST_NUMBER, min(number, LARGEST_NUMBER))
