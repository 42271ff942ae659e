"""The file of kept answers: read, written, torn, edited by hand, and shared."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from codebuddy_jupyter.chat.answer_file import (
    AnswerFile,
    Asked,
    KeptAnswer,
    _identity,
)
from codebuddy_jupyter.chat.looks import KeptLook
from codebuddy_jupyter.errors import NotKept
from codebuddy_jupyter.messages import Usage
from tests.support.kernels import ROOT

WHEN = datetime.fromisoformat("2026-11-12T10:15:00+01:00")


def answer(
    text: str = "An answer.", digest: str = "d1", occurrence: int = 1
) -> KeptAnswer:
    asked = Asked(digest, occurrence, "p1", occurrence)
    return KeptAnswer(WHEN, "Local", "llama3", "why?", text, asked)


@pytest.fixture
def file(tmp_path: Path) -> AnswerFile:
    return AnswerFile(tmp_path / "analysis.buddy.jsonl")


def texts(file: AnswerFile) -> list[str]:
    """The answers, as another kernel reads them."""
    return [kept.answer for kept in AnswerFile(file.path).answers().in_order]


def test_an_answer_is_read_as_it_was_written(file: AnswerFile) -> None:
    whole = replace(
        answer("Zeilen:\n\u2028```\r\n\ud800 \N{SNOWMAN}\x00"),
        reasoning="Hm.",
        finish="length",
        usage=Usage(11, 2),
        findings=("no column 'a'",),
        correction="Correct it.",
        looks=(KeptLook("variable", '{"name": "orders"}', "looked at orders"),),
    )
    file.add(whole)
    file.add(answer("bare", digest="d2"))
    assert AnswerFile(file.path).answers().in_order == [whole, answer("bare", "d2")]
    assert file.answers().in_order == [whole, answer("bare", "d2")]


def test_people_can_read_the_file(file: AnswerFile) -> None:
    file.add(answer("Schöne Antwort."))
    (line,) = file.path.read_text(encoding="utf-8").splitlines()
    assert line.startswith('{"when": "2026-11-12T10:15:00+01:00", "provider": "Local"')
    assert '"question": "why?", "answer": "Schöne Antwort."' in line
    assert set(json.loads(line)) == {
        *("when", "provider", "model", "question", "answer"),
        *("digest", "occurrence", "prompt_digest", "prompt_occurrence"),
    }


def test_a_file_that_does_not_exist_has_no_answers(file: AnswerFile) -> None:
    assert file.answers().in_order == []
    assert file.forget(lambda kept: True) == 0
    assert not file.path.exists()


def test_the_later_of_two_equal_ones_counts(file: AnswerFile) -> None:
    file.add(answer("first"))
    file.add(answer("second"))
    file.add(answer("other", occurrence=2))
    for answers in (file.answers(), AnswerFile(file.path).answers()):
        found = answers.find(answer().asked)
        by_prompt = answers.find_by_prompt(Asked("d9", 1, "p1", 2))
        assert found is not None
        assert by_prompt is not None
        assert [found.answer, by_prompt.answer] == ["second", "other"]
        assert answers.find(Asked("d9", 1, "p1", 1)) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no JSON",
        "[]",
        "null",
        "[" * 100_000,
        '{"when": "yesterday", "answer": "a", "digest": "d"}',
        '{"when": "2026-11-12", "answer": "a"}',
        '{"when": "2026-11-12", "digest": "d"}',
        '{"when": "2026-11-12", "answer": 1, "digest": "d"}',
        '{"when": "2026-11-12", "answer": "a", "digest": "d", "occurrence": "1"}',
        '{"when": "2026-11-12", "answer": "a", "digest": "d", "occurrence": true}',
        '{"when": "2026-11-12", "answer": "a", "digest": "d", "findings": "f"}',
        '{"when": "2026-11-12", "answer": "a", "digest": "d", "findings": [1]}',
        '{"when": "2026-11-12", "answer": "a", "digest": "d", "prompt_tokens": -1}',
        '{"when": "2026-11-12", "answer": "a", "digest": "d", "looks": {}}',
        '{"when": "2026-11-12", "answer": "a", "digest": "d", "looks": ["l"]}',
        '{"when": "2026-11-12", "answer": "a", "digest": "d", "looks": [{"look": 1}]}',
    ],
)
def test_a_line_without_an_answer_is_ignored_and_stays(
    file: AnswerFile, line: str
) -> None:
    file.path.write_text(f"{line}\n")
    file.add(answer())
    assert texts(file) == ["An answer."]
    assert file.answers().unreadable == (1 if line else 0)
    file.forget(lambda kept: True)
    left = f"{line}\n" if line else None
    assert (file.path.read_text() if file.path.exists() else None) == left


def test_bytes_that_are_no_text_are_ignored(file: AnswerFile) -> None:
    file.path.write_bytes(b"\xff\xfe{}\n\x00\n")
    file.add(answer())
    assert texts(file) == ["An answer."]
    assert file.answers().unreadable == 2


def test_a_line_typed_by_hand_needs_little(file: AnswerFile) -> None:
    typed = '\ufeff{"answer": "typed", "digest": "d1", "when": "2026-11-12"}\r\n'
    file.path.write_bytes(typed.encode())
    found = file.answers().find(answer().asked)
    assert found is not None
    assert (found.answer, found.model) == ("typed", "")


def test_a_file_that_was_edited_is_read_again(file: AnswerFile) -> None:
    file.add(answer("first"))
    assert file.answers().in_order
    edited = file.path.read_text().replace("first", "edited")
    file.path.write_text(edited)
    assert [kept.answer for kept in file.answers().in_order] == ["edited"]
    file.path.unlink()
    assert file.answers().in_order == []


def test_an_unchanged_file_is_not_read_again(file: AnswerFile) -> None:
    file.add(answer("first"))
    file.add(answer("second"))
    answers = file.answers()
    file.add(answer("third"))
    assert file.answers() is answers
    assert [kept.answer for kept in answers.in_order] == ["first", "second", "third"]


@pytest.mark.parametrize("left", range(1, 240, 13))
def test_a_torn_last_line_is_ignored_and_repaired(file: AnswerFile, left: int) -> None:
    file.add(answer("whole"))
    line = answer("torn", digest="d2").line()
    with file.path.open("ab") as opened:
        opened.write(line[: min(left, len(line) - 2)])
    found = AnswerFile(file.path).answers()
    assert ([kept.answer for kept in found.in_order], found.unreadable) == (
        ["whole"],
        0,
    )
    file.add(answer("next", digest="d3"))
    assert texts(file) == ["whole", "next"]
    assert len(file.path.read_bytes().splitlines()) == 2


def test_a_complete_last_line_without_its_end_stays(file: AnswerFile) -> None:
    file.path.write_bytes(answer("typed").line().rstrip())
    assert texts(file) == ["typed"]
    file.add(answer("next", digest="d2"))
    assert texts(file) == ["typed", "next"]


def test_what_somebody_typed_last_is_not_deleted(file: AnswerFile) -> None:
    file.path.write_text("# my notes")
    file.add(answer())
    assert file.path.read_text().startswith("# my notes\n{")


KILLED = """
import os, sys, signal
from tests.test_answer_file import answer
from codebuddy_jupyter.chat.answer_file import AnswerFile
from pathlib import Path
file = AnswerFile(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(10**6):
    file.add(answer("x" * 2000, digest=str(number)))
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_sound_file(file: AnswerFile) -> None:
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(file.path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as process:
            assert process.stdout is not None
            for _ in range(20):
                assert process.stdout.readline()
            process.kill()
        before = AnswerFile(file.path).answers()
        assert before.unreadable == 0
        assert len(before.in_order) >= 19
        file.add(answer("after", digest="after"))
        assert texts(file)[-1] == "after"
        assert len(texts(file)) == len(before.in_order) + 1


def has_digest(digest: str, kept: KeptAnswer) -> bool:
    return kept.asked.digest == digest


def test_two_kernels_write_and_forget_at_the_same_time(file: AnswerFile) -> None:
    def write(name: str) -> None:
        own = AnswerFile(file.path)
        for number in range(25):
            digest = f"{name}{number}"
            own.add(answer("y" * 5_000, digest=digest))
            if number < 5:
                own.forget(partial(has_digest, digest))

    threads = [threading.Thread(target=write, args=[name]) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    answers = AnswerFile(file.path).answers()
    assert (len(answers.in_order), answers.unreadable) == (60, 0)


def test_forgetting_deletes_the_lines_for_good(file: AnswerFile) -> None:
    file.add(answer("secret one", digest="d1"))
    file.add(answer("other", digest="d2"))
    assert file.forget(lambda kept: kept.asked.digest == "d1") == 1
    assert texts(file) == ["other"]
    assert b"secret" not in file.path.read_bytes()
    assert file.forget(lambda kept: True) == 1
    assert not file.path.exists()


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file have more bytes meanwhile."""
    resource = pytest.importorskip("resource", reason="this system limits no files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_file_as_it_was(file: AnswerFile) -> None:
    file.add(answer("first"))
    content = file.path.read_bytes()
    with (
        pytest.raises(NotKept, match="The answer is not kept in ") as caught,
        room_for(len(content) + 10),
    ):
        file.add(answer("second", digest="d2"))
    assert os.strerror(errno.EFBIG) in str(caught.value)
    assert file.path.read_bytes() == content
    file.add(answer("third", digest="d3"))
    assert texts(file) == ["first", "third"]


def test_a_folder_in_its_place_is_one_line(file: AnswerFile) -> None:
    file.path.mkdir()
    with pytest.raises(NotKept, match="it is not a regular file"):
        file.answers()
    with pytest.raises(NotKept, match="is not kept"):
        file.add(answer())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_in_its_place_does_not_block(file: AnswerFile) -> None:
    os.mkfifo(file.path)
    with pytest.raises(NotKept, match="it is not a regular file"):
        file.answers()
    with pytest.raises(NotKept, match="it is not a regular file"):
        file.add(answer())


def test_a_folder_that_is_missing_is_one_line(tmp_path: Path) -> None:
    file = AnswerFile(tmp_path / "gone" / "a.buddy.jsonl")
    assert file.answers().in_order == []
    with pytest.raises(NotKept) as caught:
        file.add(answer())
    assert str(caught.value) == (
        f"The answer is not kept in {file.path}: No such file or directory. Choose "
        'another file: %config Buddy.replay_file = "answers.buddy.jsonl"'
    )


def test_a_file_that_is_too_large_is_not_read(
    file: AnswerFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.add(answer())
    monkeypatch.setattr("codebuddy_jupyter.chat.answer_file.MAX_FILE", 10)
    with pytest.raises(NotKept, match="it is larger than 0 MB"):
        AnswerFile(file.path).answers()


def test_a_lock_that_is_never_released_is_one_line(
    file: AnswerFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "codebuddy_jupyter.chat.answer_file"
    monkeypatch.setattr(f"{module}.LOCK_SECONDS", 0.0)
    with (
        file._locked(),
        pytest.raises(NotKept, match="another kernel is writing to it"),
    ):
        AnswerFile(file.path).add(answer())
    file.add(answer())
    assert texts(file) == ["An answer."]


def test_without_a_place_for_locks_answers_are_kept(
    file: AnswerFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "no folder"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    file.add(answer())
    assert texts(file) == ["An answer."]


def test_a_disk_without_locks_keeps_answers(
    file: AnswerFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(opened: object) -> bool:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("codebuddy_jupyter.chat.answer_file.try_lock", refuse)
    file.add(answer())
    assert texts(file) == ["An answer."]


def test_a_link_stays_a_link(file: AnswerFile, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.jsonl"
    file.path.symlink_to(target)
    file.add(answer("one", digest="d1"))
    file.add(answer("two", digest="d2"))
    file.forget(lambda kept: kept.asked.digest == "d1")
    assert file.path.is_symlink()
    assert target.exists()
    assert texts(file) == ["two"]
    assert _identity(file.path) == _identity(target)
