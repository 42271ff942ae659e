"""The tables of conversations: their limits, and those of version 1."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.chat import tables
from codebuddy_jupyter.chat.store import Store
from codebuddy_jupyter.chat.tables import StoredTurn
from codebuddy_jupyter.errors import NotKept
from codebuddy_jupyter.messages import Message, Usage
from tests.support.stored import ended, turn

HERE = "/home/me/analysis.ipynb"


@pytest.fixture
def told() -> list[str]:
    """The lines that the user is told."""
    return []


@pytest.fixture
def store(tmp_path: Path, told: list[str]) -> Store:
    return Store(tmp_path / "codebuddy" / "chats.sqlite3", told.append)


def test_the_latest_turns_are_read_and_no_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, tables.MAX_TURNS_READ + 11):
        store.begin(HERE, "a", turn(number))
    assert [one.question for one in store.turns("a")] == [
        f"{n}?" for n in range(11, tables.MAX_TURNS_READ + 11)
    ]
    monkeypatch.setattr(tables, "MAX_CHARACTERS_READ", 12)
    assert [one.question for one in store.turns("a")] == ["208?", "209?", "210?"]


def test_the_oldest_conversations_go(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_CHATS_OF_NOTEBOOK", 3)
    monkeypatch.setattr(tables, "MAX_CHATS", 5)
    for number, notebook in enumerate(["a", "a", "a", "a", "b", "b", "c"]):
        store.begin(notebook, f"chat-{number}", turn(number))
    left = {notebook: [chat.id for chat in store.chats(notebook)] for notebook in "abc"}
    assert left == {
        "a": ["chat-3", "chat-2"],
        "b": ["chat-5", "chat-4"],
        "c": ["chat-6"],
    }
    assert store.turns("chat-0") == []


def test_a_conversation_that_begins_with_old_turns_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_CHATS_OF_NOTEBOOK", 2)
    for number in (5, 6):
        store.begin("a", f"chat-{number}", turn(number))
    store.begin("a", "branch", turn(1))
    assert [chat.id for chat in store.chats("a")] == ["chat-6", "branch"]
    assert [one.question for one in store.turns("branch")] == ["1?"]


# A file of version 1


VERSION_1 = Path(__file__).parent / "data" / "chats-0.1.0.sqlite3"


OLD_NOTEBOOKS = (HERE, "/home/me/Größen und 日本.ipynb")


@pytest.fixture
def old(store: Store) -> Store:
    """A store with the conversations that 0.1.0 wrote."""
    store.path.parent.mkdir()
    store.path.write_bytes(VERSION_1.read_bytes())
    return store


def everything(store: Store) -> dict[str, Any]:
    """All that a store holds of `OLD_NOTEBOOKS`."""
    chats = [chat for notebook in OLD_NOTEBOOKS for chat in store.chats(notebook)]
    return {
        "chats": chats,
        "turns": {chat.id: store.turns(chat.id) for chat in chats},
    }


def version_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def test_all_that_version_1_wrote_is_read(old: Store, told: list[str]) -> None:
    before = old.path.read_bytes()
    found = everything(old)
    assert [(chat.id, chat.number, chat.turns) for chat in found["chats"]] == [
        ("chat-2", 2, 3),
        ("chat-1", 1, 2),
        ("chat-3", 1, 1),
    ]
    assert found["chats"][0].question == "Wie heißt „数据“ auf Englisch? 👩‍💻"
    first, second = found["turns"]["chat-1"]
    assert first == StoredTurn(
        "turn-1",
        1700000001.5,
        (
            Message("user", "why is df empty?"),
            Message(
                "assistant",
                "The keys differ in type.\n\n"
                "```python\ndf['key'] = df['key'].astype(str)\n```",
            ),
        ),
        "markdown",
        "The user merges two frames. ",
        "Local",
        "llama3:8b",
        Usage(412, 38),
        "stop",
        complete=True,
    )
    assert (second.format, second.provider, second.usage) == ("code", "OpenAI", Usage())
    whole, half, unanswered = found["turns"]["chat-2"]
    assert whole.answer == "„Data“ \u2013 数据 🐼 \U0010ffff"
    assert (half.answer, half.reasoning, half.complete) == (
        "It is half an",
        "Hm. ",
        False,
    )
    assert "DROP TABLE" in half.question
    assert unanswered.messages == (Message("user", "are you there?"),)
    (thought,) = found["turns"]["chat-3"]
    assert (thought.answer, thought.reasoning) == ("", "only thought")
    assert (old.path.read_bytes(), told) == (before, [])


def test_the_first_write_migrates_a_file_of_version_1(
    old: Store, told: list[str]
) -> None:
    before = everything(old)
    old.begin("/new.ipynb", "chat-4", turn(7))
    assert version_of(old.path) == tables.CURRENT
    assert everything(old) == before
    assert old.turns("chat-4") == [turn(7)]
    old.drop("turn-1")
    old.begin(HERE, "chat-1", ended(8))
    assert [one.id for one in old.turns("chat-1")] == ["turn-2", "turn-8"]
    assert old.delete(HERE, 2) == ["chat-2"]
    assert told == []


def test_a_migration_that_fails_leaves_a_file_that_is_read_on(
    old: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, found = old.path.read_bytes(), everything(old)
    broken = tables._FROM_VERSION_1.replace("DROP TABLE turns_1", "DROP TABLE missing")
    monkeypatch.setattr(tables, "_FROM_VERSION_1", broken)
    with pytest.raises(NotKept, match="missing"):
        old.begin(HERE, "chat-1", turn(7))
    assert old.path.read_bytes() == before
    assert everything(old) == found
