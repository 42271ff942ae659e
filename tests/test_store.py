"""Conversations on disk: what is kept comes back, nobody else reads it, and no damage
is fatal.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codebuddy_jupyter.chat import tables
from codebuddy_jupyter.chat.store import Store
from codebuddy_jupyter.chat.tables import StoredTurn
from codebuddy_jupyter.errors import NotKept
from codebuddy_jupyter.messages import Message, ToolCall, Usage
from tests.support.stored import ended, turn

HERE = "/home/me/analysis.ipynb"


ON_POSIX = os.name == "posix"


@pytest.fixture
def told() -> list[str]:
    """The lines that the user is told."""
    return []


@pytest.fixture
def store(tmp_path: Path, told: list[str]) -> Store:
    return Store(tmp_path / "codebuddy" / "chats.sqlite3", told.append)


# What is kept


TEXTS = st.text(max_size=50)


CALLS = st.builds(ToolCall, id=TEXTS, name=TEXTS, arguments=TEXTS)


MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "tool"]),
    text=TEXTS,
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
    tool_call_id=TEXTS,
)


TURNS = st.builds(
    StoredTurn,
    id=st.uuids().map(str),
    asked=st.floats(0, 1e10),
    messages=st.lists(MESSAGES, min_size=1, max_size=4).map(tuple),
    format=TEXTS,
    reasoning=TEXTS,
    provider=TEXTS,
    model=TEXTS,
    usage=st.builds(Usage, *[st.none() | st.integers(0, 2**40)] * 2),
    finish=st.none() | TEXTS,
    complete=st.booleans(),
)


@settings(max_examples=30)
@given(turns=st.lists(TURNS, max_size=5, unique_by=lambda one: one.id), notebook=TEXTS)
def test_what_is_kept_comes_back(
    turns: list[StoredTurn], notebook: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Store(tmp_path_factory.mktemp("kept") / "chats.sqlite3", print)
    for one in turns:
        store.begin(
            notebook, "a", StoredTurn(one.id, one.asked, one.messages[:1], one.format)
        )
        store.end(one)
    assert store.turns("a") == turns
    assert [chat.turns for chat in store.chats(notebook)] == (
        [len(turns)] if turns else []
    )


HOSTILE = {
    "quotes": "'; DROP TABLE turns; --\" ` %s ? :x",
    "NUL": "before\0after",
    "controls": "\x1b[31m\r\n\x07\u2028\u202e",
    "a plane beyond": "👩‍💻 \U0010ffff",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_text(store: Store, text: str) -> None:
    store.begin(text, text, turn(question=text))
    store.end(turn(question=text, answer=text, model=text))
    assert store.turns(text) == [turn(question=text, answer=text, model=text)]
    assert [chat.id for chat in store.chats(text)] == [text]


def test_half_a_character_is_a_question_mark(store: Store) -> None:
    store.begin(HERE, "a", turn(question="\ud800?"))
    store.end(turn(question="\ud800?", answer="so \udfff"))
    assert [(one.question, one.answer) for one in store.turns("a")] == [("??", "so ?")]


def test_an_endless_answer_is_kept_in_part_and_says_so(store: Store) -> None:
    store.begin(HERE, "a", turn())
    store.end(ended(answer="é" * 10_000_000))
    (kept,) = store.turns("a")
    assert kept.answer == "é" * tables.MAX_CHARACTERS_KEPT + tables.TRUNCATED


def test_a_question_without_its_answer_broke_off(store: Store) -> None:
    store.begin(HERE, "a", turn())
    assert [(one.question, one.complete) for one in store.turns("a")] == [("1?", False)]


def test_a_notebook_sees_its_own_conversations_the_last_used_first(
    store: Store,
) -> None:
    for number, (notebook, chat) in enumerate(
        [(HERE, "a"), (HERE, "b"), ("/other.ipynb", "c"), (HERE, "a")], 1
    ):
        store.begin(notebook, chat, turn(number))
    found = [
        (chat.id, chat.number, chat.question, chat.turns, chat.used)
        for chat in store.chats(HERE)
    ]
    assert found == [("a", 1, "1?", 2, 4.0), ("b", 2, "2?", 1, 2.0)]
    assert store.latest(HERE) == ("a", [turn(1), turn(4)])
    assert store.latest("/other.ipynb") == ("c", [turn(3)])
    assert store.latest("/none.ipynb") is None


def test_a_number_stays_with_its_conversation(store: Store) -> None:
    for number in (1, 2, 3):
        store.begin(HERE, f"chat-{number}", turn(number))
    assert store.delete(HERE, 2) == ["chat-2"]
    assert store.delete(HERE, 2) == []
    assert [chat.number for chat in store.chats(HERE)] == [3, 1]


def test_what_is_deleted_is_in_the_file_no_more(store: Store) -> None:
    secret = "the merger with Initech " * 500
    store.begin(HERE, "a", turn(question=secret))
    store.end(ended(answer=secret))
    store.begin("/other.ipynb", "b", turn(2))
    assert b"Initech" in store.path.read_bytes()
    assert store.delete(HERE) == ["a"]
    files = list(store.path.parent.iterdir())
    assert [file.name for file in files if b"Initech" in file.read_bytes()] == []
    assert [chat.id for chat in store.chats("/other.ipynb")] == ["b"]


def test_a_conversation_deleted_by_another_kernel_begins_again_with_its_next_turn(
    store: Store,
) -> None:
    store.begin(HERE, "a", turn(1))
    store.delete(HERE)
    store.end(ended(1))
    assert store.chats(HERE) == []
    store.begin(HERE, "a", turn(2))
    assert [one.question for one in store.turns("a")] == ["2?"]


def test_a_dropped_turn_leaves_no_empty_conversation(store: Store) -> None:
    store.begin(HERE, "a", turn(1))
    store.begin(HERE, "a", turn(2))
    store.drop("turn-1")
    assert [one.id for one in store.turns("a")] == ["turn-2"]
    store.drop("turn-2")
    assert store.chats(HERE) == []


# Who may read it, and damage


@pytest.mark.skipif(not ON_POSIX, reason="this system has no permission bits")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_owner_may_read_it(store: Store, umask: int) -> None:
    before = os.umask(umask)
    try:
        store.begin(HERE, "a", turn())
    finally:
        os.umask(before)
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    store.path.chmod(0o644)
    store.begin(HERE, "a", turn(2))
    assert store.path.stat().st_mode & 0o777 == 0o600


def test_reading_makes_no_file(store: Store) -> None:
    assert (
        store.chats(HERE),
        store.latest(HERE),
        store.turns("a"),
        store.delete(HERE),
    ) == ([], None, [], [])
    assert not store.path.parent.exists()


def damaged_header(path: Path) -> None:
    path.write_bytes(b"no database at all" * 500)


def damaged_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def foreign(path: Path) -> None:
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE turns (theirs)")
        connection.commit()


DAMAGES = {
    "header": damaged_header,
    "middle": damaged_middle,
    "cut": cut,
    "another program's": foreign,
}


@pytest.mark.parametrize("reading", [True, False], ids=["read first", "written first"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_broken_file_is_set_aside_with_a_line(
    store: Store, told: list[str], damage: Callable[[Path], None], reading: bool
) -> None:
    for number in range(20):
        store.begin(HERE, "a", turn(number, question="long " * 500))
    damage(store.path)
    broken = store.path.read_bytes()
    if reading:
        assert store.chats(HERE) == []
        assert store.turns("a") == []
    store.begin(HERE, "b", turn(100))
    assert [chat.id for chat in store.chats(HERE)] == ["b"]
    (line,) = told
    assert line.startswith("The earlier conversations could not be read (")
    (aside,) = store.path.parent.glob("chats.sqlite3.broken-*")
    assert str(aside) in line
    assert aside.read_bytes() == broken


def test_a_file_of_a_newer_version_is_left_alone(store: Store, told: list[str]) -> None:
    store.begin(HERE, "a", turn())
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = store.path.read_bytes()
    with pytest.raises(NotKept, match="a newer version of this package wrote"):
        store.begin(HERE, "a", turn(2))
    with pytest.raises(NotKept, match="a newer version"):
        store.chats(HERE)
    assert (store.path.read_bytes(), told) == (before, [])


def test_an_empty_file_is_as_none(store: Store, told: list[str]) -> None:
    store.path.parent.mkdir()
    store.path.touch()
    assert store.chats(HERE) == []
    store.begin(HERE, "a", turn())
    assert (store.turns("a"), told) == ([turn()], [])


def test_where_nothing_can_be_written_it_says_so(store: Store) -> None:
    store.path.parent.write_text("a file where the folder should be")
    with pytest.raises(NotKept) as caught:
        store.begin(HERE, "a", turn())
    assert str(caught.value).startswith(f"Conversations are not kept in {store.path}: ")
    assert "\n" not in str(caught.value)


def test_a_full_disk_says_so_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.begin(HERE, "a", turn())
    connect = sqlite3.connect

    def connect_full(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_full)
    with pytest.raises(NotKept, match="database or disk is full"):
        store.begin(HERE, "a", turn(2, question="long " * 10_000))
    monkeypatch.undo()
    assert [one.id for one in store.turns("a")] == ["turn-1"]


WRITER = """
import sys
from pathlib import Path
from codebuddy_jupyter.chat.store import Store
from codebuddy_jupyter.chat.tables import StoredTurn
from codebuddy_jupyter.messages import Message
path, name, count = sys.argv[1:]
store = Store(Path(path), print)
for number in range(int(count)):
    question = Message("user", f"{name} {number}?")
    one = StoredTurn(f"{name}-{number}", float(number), (question,))
    store.begin("/shared.ipynb", "shared" if number % 2 else name, one)
    answer = Message("assistant", "x" * 2000)
    store.end(StoredTurn(one.id, one.asked, (question, answer), complete=True))
"""


def test_processes_that_write_at_once_lose_nothing(store: Store) -> None:
    count = 20
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.path), name, str(count)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two", "three")
    ]
    assert [writer.communicate(timeout=120)[0] for writer in writers] == [""] * 3
    assert [writer.returncode for writer in writers] == [0] * 3
    found = {chat.id: chat.turns for chat in store.chats("/shared.ipynb")}
    assert found == {
        "one": count // 2,
        "two": count // 2,
        "three": count // 2,
        "shared": 3 * count // 2,
    }
    assert all(one.complete for one in store.turns("shared"))


def test_turns_are_restored_in_their_order(store: Store) -> None:
    store.begin(HERE, "a", turn(3))
    store.restore(HERE, "a", [ended(1), ended(2), ended(3)])
    assert store.turns("a") == [ended(1), ended(2), ended(3)]
    assert [(chat.turns, chat.used) for chat in store.chats(HERE)] == [(3, 3.0)]


def test_a_turn_that_is_begun_twice_is_as_it_was_last(store: Store) -> None:
    store.begin(HERE, "a", turn(1))
    store.begin(HERE, "a", ended(1))
    assert store.turns("a") == [ended(1)]


def test_a_turn_that_is_written_late_does_not_make_its_conversation_older(
    store: Store,
) -> None:
    store.begin(HERE, "a", turn(9))
    store.begin(HERE, "a", turn(2))
    assert [chat.used for chat in store.chats(HERE)] == [9.0]


@pytest.mark.parametrize("count", [2**63, 10**30, -(10**30)])
def test_a_count_beyond_any_sense_is_kept_as_the_largest(
    store: Store, count: int
) -> None:
    store.begin(HERE, "a", turn(usage=Usage(count, 1)))
    (kept,) = store.turns("a")
    assert abs(kept.usage.prompt_tokens or 0) == tables.LARGEST_NUMBER
