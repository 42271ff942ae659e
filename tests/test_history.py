"""The conversations of a notebook, from kernel to kernel."""

from __future__ import annotations

import os
import threading
import time
from html import unescape
from pathlib import Path

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.history import MAX_QUESTION, question_to_keep
from codebuddy_jupyter.chat.store import Store
from codebuddy_jupyter.errors import CutOff, NotKept, SettingError, Unreachable
from codebuddy_jupyter.messages import Chunk, Usage
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.question.prompts import BROKE_OFF
from codebuddy_jupyter.secrets.redactor import Redactor
from tests.support.command_line import run_line, table
from tests.support.fakes import FOREVER, eventually, fake_of, texts
from tests.support.notebooks_kept import Start, answers, ask, settle
from tests.support.secrets_planted import PLANTED


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
    settle(first)
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


def test_a_question_and_the_part_that_came_are_there_while_its_answer_comes(
    start: Start,
) -> None:
    buddy = start()
    fake_of(buddy).replies = [["one ", FOREVER]]
    reply = buddy.ask("1?").start()
    assert reply.wait(30, beyond=0)
    assert eventually(lambda: answers(start()) == ["one "])
    other = start()
    ask(other, "2?")
    assert texts(fake_of(other).requests[0])[1:] == [
        ("user", "1?"),
        ("assistant", "one"),
        ("user", f"{BROKE_OFF}\n\n2?"),
    ]
    reply.close()
    settle(buddy)
    assert answers(start()) == ["one ", "An answer."]


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
    settle(buddy)
    assert [turn.question for turn in start().chat.turns] == ["1?"]


def test_a_kept_turn_does_not_make_a_shorter_prompt_look_cut(start: Start) -> None:
    first = start()
    fake_of(first).replies = [["Well.", Chunk(usage=Usage(9_000, 1))]]
    ask(first, "1? " * 1000)
    buddy = start()
    fake_of(buddy).replies = [["Well.", Chunk(usage=Usage(1_500, 1))]]
    reply = buddy.ask("2?").result()
    assert reply.notes == ()


def test_trouble_with_the_file_is_one_line_under_each_answer_while_it_lasts(
    start: Start, file: Path
) -> None:
    file.parent.parent.mkdir(exist_ok=True)
    file.parent.write_text("a file where the folder should be")
    buddy = start()
    ask(buddy, "0?")
    for number in range(1, 4):
        (line,) = buddy.ask(f"{number}?").result().notes
        assert line.startswith(f"Conversations are not kept in {file}: ")
        assert "%config Buddy.keep_chats = False" in line
        settle(buddy)
    with pytest.raises(NotKept, match="Conversations are not kept in"):
        run_line(buddy, "/chats")
    assert asked(buddy) == ["0?", "1?", "2?", "3?"]
    file.parent.unlink()
    lines: list[str] = []
    for text in ("4?", "5?"):
        # The first may end before it is written, which is then told under the other.
        lines += buddy.ask(text).result().notes
        settle(buddy)
    told = [line for line in lines if line.startswith("Conversations are kept again")]
    assert told == lines[-1:]
    assert buddy.ask("6?").result().notes == ()
    settle(buddy)
    questions = [turn.question for turn in start().chat.turns]
    assert questions == [f"{number}?" for number in range(7)]


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
    settle(buddy)
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
    settle(buddy)
    assert eventually(lambda: threading.active_count() <= threads)
    assert sorted(os.listdir(file_of(buddy).parent)) == ["chats.sqlite3"]
    assert sum(chat.turns for chat in buddy.history.listed()) == 151


def test_when_a_question_was_asked_is_kept(start: Start) -> None:
    buddy = start()
    before = time.time()
    ask(buddy, "1?")
    assert before <= start().chat.turns[0].asked <= time.time()


def listed(buddy: Buddy) -> list[tuple[str, str]]:
    """The conversations and their turns, as a list shows them."""
    rows = table(run_line(buddy, "/chats"))[1:]
    return [(row[1], row[2]) for row in rows]


def test_a_conversation_can_be_named(start: Start) -> None:
    buddy = start()
    ask(buddy, "1?")
    named = unescape(run_line(buddy, "/chats rename 1 *The*  merge"))
    assert "is named “*The* merge”" in named
    assert listed(start()) == [("*The* merge", "1")]
    assert "no name of its own" in run_line(buddy, "/chats rename 1")
    assert listed(buddy) == [("1?", "1")]
    with pytest.raises(SettingError, match="no conversation 7"):
        run_line(buddy, "/chats rename 7 x")
    with pytest.raises(SettingError, match="takes the number"):
        run_line(buddy, "/chats rename merge")


def test_a_name_goes_with_its_conversation(start: Start) -> None:
    buddy = start()
    ask(buddy, "1?")
    run_line(buddy, "/chats rename 1 merge")
    run_line(buddy, "/chats delete 1")
    ask(buddy, "2?")
    assert listed(buddy) == [("2?", "1")]


def test_a_branch_has_the_turns_before_and_the_rest_is_kept(start: Start) -> None:
    buddy = start()
    ask(buddy, "1?", "2?", "3?")
    reply = buddy.chat.turns[1].reply
    assert buddy.history.branch(reply, "another 2?")
    ask(buddy, "another 2?")
    assert asked(buddy) == ["1?", "another 2?"]
    assert listed(start()) == [("another 2?", "2"), ("1?", "3")]
    # The reply is of the other conversation now.
    assert not buddy.history.branch(reply, "x")


def test_a_branch_at_the_first_question_is_a_new_conversation(start: Start) -> None:
    buddy = start()
    ask(buddy, "1?", "2?")
    assert buddy.history.branch(buddy.chat.turns[0].reply, "another 1?")
    assert buddy.chat.turns == []
    ask(buddy, "another 1?")
    assert listed(buddy) == [("another 1?", "1"), ("1?", "2")]


def test_without_keeping_nothing_is_lost_to_a_branch(start: Start) -> None:
    buddy = start()
    buddy.change({"keep_chats": False})
    ask(buddy, "1?", "2?")
    assert not buddy.history.branch(buddy.chat.turns[0].reply, "x")
    assert len(buddy.chat.turns) == 2


def test_conversations_are_found_by_their_words(start: Start) -> None:
    buddy = start()
    ask(buddy, "why 100%?")
    buddy.reset()
    ask(buddy, "and a_b?")
    assert buddy.history.search("WHY") == [1]
    assert buddy.history.search("0%") == [1]
    assert buddy.history.search("a_b") == [2]
    assert sorted(buddy.history.search("answer")) == [1, 2]
    assert buddy.history.search("axb") == []


@pytest.mark.parametrize("at", [10, MAX_QUESTION - 10, MAX_QUESTION + 10])
def test_a_secret_at_the_end_of_what_is_kept_is_not_cut_in_two(at: int) -> None:
    secret = "sk-proj-" + "Ab3" * 16
    text = f"{'why? ' * (at // 5)}{secret}{' why?' * 30_000}"
    kept = question_to_keep(text, Redactor().redact)
    assert len(kept) == MAX_QUESTION
    assert "sk-proj" not in kept
