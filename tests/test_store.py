"""Conversations on disk: what is kept comes back, nobody else reads it, and no damage
is fatal.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat import tables
from codebuddy_jupyter.chat.history import MAX_QUESTION
from codebuddy_jupyter.chat.store import Store
from codebuddy_jupyter.chat.tables import StoredTurn
from codebuddy_jupyter.errors import CutOff, NotKept, SettingError, Unreachable
from codebuddy_jupyter.messages import Chunk, Message, ToolCall, Usage
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.worker import Worker
from tests.support.command_line import run_line, table
from tests.support.fakes import FOREVER, buddy_with_fakes, eventually, fake_of, texts
from tests.support.secrets_planted import PLANTED

HERE = "/home/me/analysis.ipynb"
ON_POSIX = os.name == "posix"


@pytest.fixture
def told() -> list[str]:
    """The lines that the user is told."""
    return []


@pytest.fixture
def store(tmp_path: Path, told: list[str]) -> Store:
    return Store(tmp_path / "codebuddy" / "chats.sqlite3", told.append)


def turn(
    number: int = 1, question: str = "", answer: str = "", **fields: Any
) -> StoredTurn:
    messages = [Message("user", question or f"{number}?")]
    if answer:
        messages.append(Message("assistant", answer))
    return StoredTurn(f"turn-{number}", float(number), tuple(messages), **fields)


def ended(number: int = 1, answer: str = "An answer.") -> StoredTurn:
    return turn(number, answer=answer, complete=True)


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


# Jobs in the background


def test_jobs_run_in_their_order_and_leave_no_thread() -> None:
    worker, ran = Worker("test", 20), list[int]()
    for number in range(200):
        worker.put(lambda number=number: ran.append(number))  # type: ignore[misc]
    worker.wait()
    assert ran == list(range(200))
    assert eventually(
        lambda: "buddy-history" not in [thread.name for thread in threading.enumerate()]
    )
    worker.close()
    worker.put(lambda: ran.append(-1))
    assert ran[-1] == -1


def test_what_is_left_is_done_before_python_ends() -> None:
    code = (
        "import time\n"
        "from codebuddy_jupyter.worker import Worker\n"
        "worker = Worker('test', 20)\n"
        "worker.put(lambda: time.sleep(0.3))\n"
        "worker.put(lambda: print('done', flush=True))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_runs_its_own_jobs() -> None:
    code = (
        "import os, time\n"
        "from codebuddy_jupyter.worker import Worker\n"
        "worker = Worker('test', 20)\n"
        "worker.put(lambda: time.sleep(0.5))\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    worker.put(lambda: print('child', flush=True))\n"
        "    worker.wait()\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "child\n"


# The Buddy


class Kernel:
    """What the Buddy sees of a kernel that belongs to a notebook."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def path(self) -> Path:
        return self._path

    def folder(self) -> Path:
        return self._path.parent

    def names(self) -> dict[str, Any]:
        return {}

    def failure(self) -> None:
        return None


Start = Callable[..., Buddy]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Gives a Buddy in a new kernel of a notebook; all of them have one home."""
    buddies: list[Buddy] = []

    def start(notebook: str = "analysis.ipynb", **traits: Any) -> Buddy:
        buddy = buddy_with_fakes(tmp_path / "codebuddy.json")
        buddy.context = "none"
        for name, value in traits.items():
            setattr(buddy, name, value)
        buddy.collector.session = cast(Any, Kernel(tmp_path / notebook))
        buddies.append(buddy)
        return buddy

    yield start
    for buddy in buddies:
        buddy.close()


@pytest.fixture
def file() -> Path:
    """The file of conversations in this test's home."""
    return Path(os.environ["JUPYTER_DATA_DIR"], "codebuddy", "chats.sqlite3")


def ask(buddy: Buddy, *questions: str, **options: Any) -> None:
    for question in questions:
        buddy.ask(question, Options(**options)).result()
    buddy.history._worker.wait()


def asked(buddy: Buddy) -> list[str]:
    """The questions of the last request."""
    return [text for role, text in texts(fake_of(buddy).requests[-1]) if role == "user"]


def test_a_new_kernel_goes_on_with_the_notebooks_latest_conversation(
    start: Start,
) -> None:
    ask(start(), "1?", "2?")
    buddy = start()
    ask(buddy, "3?")
    sent = texts(fake_of(buddy).requests[0])[1:]
    assert sent == [
        ("user", "1?"),
        ("assistant", "An answer."),
        ("user", "2?"),
        ("assistant", "An answer."),
        ("user", "3?"),
    ]
    ask(start("other.ipynb"), "4?")
    again = start()
    ask(again, "5?")
    assert asked(again) == ["1?", "2?", "3?", "5?"]


def test_a_kept_reply_is_as_it_was(start: Start) -> None:
    first = start()
    fake_of(first).replies = [
        [
            Chunk(reasoning="Hm. "),
            "Well",
            "…",
            Chunk(usage=Usage(11, 2)),
            Chunk(finish="length"),
        ],
        ["half", Unreachable("gone")],
    ]
    ask(first, "1?", format="code")
    with pytest.raises(Unreachable):
        ask(first, "2?")
    first.history._worker.wait()
    whole, half = [turn.reply for turn in start().chat.turns]
    assert (whole.text, whole.reasoning, whole.usage, whole.finish) == (
        "Well…",
        "Hm. ",
        Usage(11, 2),
        "length",
    )
    assert (whole.provider, whole.model, whole.format, whole.error) == (
        "Local",
        "fake-1",
        "code",
        None,
    )
    assert (str(whole), list(whole), repr(whole)) == (
        "Well…",
        ["Well…"],
        "<Reply from fake-1: complete, 5 characters>",
    )
    assert (half.text, half.done) == ("half", True)
    with pytest.raises(CutOff, match="This answer broke off"):
        half.result()


def test_a_question_is_there_while_its_answer_comes(start: Start) -> None:
    buddy = start()
    fake_of(buddy).replies = [["one ", FOREVER]]
    reply = buddy.ask("1?").start()
    assert reply.wait(30, beyond=0)
    other = start()
    assert eventually(lambda: other.history.listed())
    ask(other, "2?")
    assert texts(fake_of(other).requests[0])[1:] == [("user", "2?")]
    reply.close()
    buddy.history._worker.wait()
    assert [turn.reply.text for turn in start().chat.turns] == ["one ", "An answer."]


@pytest.mark.parametrize("begin", ["/reset", "new"])
def test_a_new_conversation_leaves_the_old_one_as_it_is(
    start: Start, begin: str
) -> None:
    buddy = start()
    ask(buddy, "1?", "2?")
    if begin == "/reset":
        assert (
            run_line(buddy, "/reset")
            == "Started a new conversation; the previous one had 2 turns."
        )
    ask(buddy, "3?", new=begin == "new")
    ask(buddy, "4?")
    later = start()
    ask(later, "5?")
    assert asked(later) == ["3?", "4?", "5?"]
    assert [(chat.question, chat.turns) for chat in later.history.listed()] == [
        ("3?", 3),
        ("1?", 2),
    ]


def test_a_reset_before_the_first_question_forgets_the_kept_conversation_of_this_kernel_only(
    start: Start,
) -> None:
    ask(start(), "1?")
    buddy = start()
    assert (
        run_line(buddy, "/reset")
        == "Started a new conversation; the previous one had 1 turn."
    )
    ask(buddy, "2?")
    assert asked(buddy) == ["2?"]


def test_chats_lists_switches_and_deletes(start: Start) -> None:
    buddy = start()
    ask(buddy, "why is | df\nempty?" + " and" * 30)
    ask(buddy, "2?", new=True)
    (_, title, *_), later, first = table(run_line(buddy, "/chats"))
    assert (title, later[:3], later[4]) == ("conversation", ["2", "2?", "1"], "current")
    assert (first[:3], first[4]) == (
        ["1", "why is | df empty?" + " and" * 10 + "…", "1"],
        "",
    )
    assert "it has 1 turn" in run_line(buddy, "/chats 1")
    ask(buddy, "3?")
    assert asked(buddy)[1:] == ["3?"]
    assert run_line(buddy, "/chats delete 1") == "Deleted 1 conversation."
    assert buddy.chat.turns == []
    ask(buddy, "4?")
    assert asked(buddy) == ["4?"]
    assert run_line(buddy, "/chats delete all") == "Deleted 2 conversations."
    assert run_line(buddy, "/chats") == "No conversations are saved for this notebook."


@pytest.mark.parametrize(
    "line",
    [
        "/chats 9",
        "/chats delete 9",
        "/chats delete",
        "/chats x",
        "/chats -1",
        "/chats ²",
        "/chats delete 99999999999999999999",
    ],
)
def test_what_chats_does_not_understand_is_one_line(start: Start, line: str) -> None:
    buddy = start()
    ask(buddy, "1?")
    with pytest.raises(SettingError, match="/chats"):
        run_line(buddy, line)
    assert len(buddy.history.listed()) == 1


def test_what_is_switched_off_keeps_nothing_and_reads_nothing(
    start: Start, file: Path
) -> None:
    buddy = start(keep_chats=False)
    ask(buddy, "1?", "2?")
    assert asked(buddy) == ["1?", "2?"]
    assert not file.parent.exists()
    with pytest.raises(NotKept, match="%config Buddy"):
        run_line(buddy, "/chats")
    ask(start(), "3?")
    again = start(keep_chats=False)
    ask(again, "4?")
    assert asked(again) == ["4?"]


def test_without_a_notebook_nothing_is_kept(buddy: Buddy, file: Path) -> None:
    ask(buddy, "1?")
    assert not file.parent.exists()
    with pytest.raises(NotKept, match="was not started by one"):
        run_line(buddy, "/chats")


def test_secrets_in_a_question_are_blanked_and_the_context_is_not_there(
    start: Start, file: Path
) -> None:
    buddy = start()
    buddy.redact_secrets = False
    buddy.system_prompt = "You know the merger with Initech."
    ask(buddy, *(f"why does this fail?\n{planted.text}\n" for planted in PLANTED))
    kept = file.read_bytes()
    assert b"why does" in kept
    assert b"Initech" not in kept
    assert [
        planted.name for planted in PLANTED if planted.secret.encode() in kept
    ] == []


def test_a_question_that_did_not_fit_is_not_kept(start: Start) -> None:
    buddy = start()
    fake_of(buddy).size = 4096
    ask(buddy, "1?")
    with pytest.raises(Exception, match="too long"):
        ask(buddy, "x" * 2 * MAX_QUESTION)
    buddy.history._worker.wait()
    assert [turn.question for turn in start().chat.turns] == ["1?"]


def test_a_kept_turn_does_not_make_a_shorter_prompt_look_cut(start: Start) -> None:
    first = start()
    fake_of(first).replies = [["Well.", Chunk(usage=Usage(9_000, 1))]]
    ask(first, "1? " * 1000)
    buddy = start()
    fake_of(buddy).replies = [["Well.", Chunk(usage=Usage(1_500, 1))]]
    reply = buddy.ask("2?").result()
    assert reply.notes == ()


def test_trouble_with_the_file_is_one_line_under_an_answer(
    start: Start, file: Path
) -> None:
    file.parent.parent.mkdir(exist_ok=True)
    file.parent.write_text("a file where the folder should be")
    buddy = start()
    notes: list[str] = []
    for number in range(3):
        notes += buddy.ask(f"{number}?").result().notes
        buddy.history._worker.wait()
    (line,) = notes
    assert line.startswith(f"Conversations are not kept in {file}: ")
    with pytest.raises(NotKept, match="Conversations are not kept in"):
        run_line(buddy, "/chats")
    assert asked(buddy) == ["0?", "1?", "2?"]


def test_a_broken_file_costs_one_line_and_keeping_goes_on(
    start: Start, file: Path
) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database" * 1000)
    buddy = start()
    assert [
        note for note in buddy.ask("1?").result().notes if "was renamed to" in note
    ] != []
    ask(buddy, "2?")
    assert [turn.question for turn in start().chat.turns] == ["1?", "2?"]


def test_closing_keeps_the_part_that_came(start: Start) -> None:
    buddy = start()
    fake_of(buddy).replies = [["half ", FOREVER]]
    assert buddy.ask("1?").start().wait(30, beyond=0)
    buddy.close()
    assert [
        (turn.reply.text, bool(turn.reply.error)) for turn in start().chat.turns
    ] == [("half ", True)]


def test_a_hanging_disk_does_not_delay_an_answer(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    buddy = start()
    ask(buddy, "1?")
    free = threading.Event()
    begin = Store.begin
    monkeypatch.setattr(Store, "begin", lambda *args: (free.wait(30), begin(*args)))
    buddy.ask("2?").result()
    assert [
        chat.turns
        for chat in Store(file_of(buddy), print).chats(str(buddy._notebook()))
    ] == [1]
    free.set()
    buddy.history._worker.wait()
    assert [chat.turns for chat in buddy.history.listed()] == [2]


def file_of(buddy: Buddy) -> Path:
    assert buddy.history._store is not None
    return buddy.history._store.path


def test_many_questions_leave_threads_and_files_flat(start: Start) -> None:
    buddy = start()
    ask(buddy, "warm?")
    assert eventually(
        lambda: "buddy-history" not in [thread.name for thread in threading.enumerate()]
    )
    threads = threading.active_count()
    for number in range(150):
        buddy.ask(f"{number}?", Options(new=number % 10 == 0)).result()
    buddy.history._worker.wait()
    assert eventually(lambda: threading.active_count() <= threads)
    assert sorted(os.listdir(file_of(buddy).parent)) == ["chats.sqlite3"]
    assert sum(chat.turns for chat in buddy.history.listed()) == 151


def test_when_a_question_was_asked_is_kept(start: Start) -> None:
    buddy = start()
    before = time.time()
    ask(buddy, "1?")
    assert before <= start().chat.turns[0].asked <= time.time()
