"""``/replay``: what is kept, switching it, and forgetting."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.answer_file import day_of
from codebuddy_jupyter.errors import NotKept, SettingError
from codebuddy_jupyter.markdown.safe import escape
from codebuddy_jupyter.question.options import Options
from tests.support.command_line import run_line
from tests.support.fakes import fake_of
from tests.support.notebooks_kept import Start


def ask(buddy: Buddy, *questions: str) -> None:
    for question in questions:
        buddy.ask(question, Options(remember=False)).result()


def test_it_tells_what_is_kept_and_what_was_given_again(
    start: Start, tmp_path: Path
) -> None:
    ask(start(replay="on"), "1?", "2?")
    buddy = start(replay="on")
    ask(buddy, "1?", "2?", "3?")
    today = day_of(datetime.now())
    assert run_line(buddy, "/replay") == escape(
        "Replay is on: answers are kept, and given again for the same questions. "
        f"{tmp_path / 'analysis.buddy.jsonl'} has 3 answers, of {today}. In this kernel, "
        "2 questions got a kept answer, and 1 answer came anew."
    )


def test_it_tells_of_lines_that_cannot_be_read(start: Start, tmp_path: Path) -> None:
    (tmp_path / "analysis.buddy.jsonl").write_text(
        '{"when": "2024-02-01", "answer": "a", "digest": "d"}\n?\n'
        '{"when": "2024-03-05", "answer": "b", "digest": "e"}\n'
    )
    told = run_line(start(), "/replay")
    assert "has 2 answers, of 1 Feb 2024 to 5 Mar 2024. It also has 1 line" in told


@pytest.mark.parametrize("mode", ["on", "only", "off", "ON"])
def test_it_switches_replay(start: Start, mode: str) -> None:
    buddy = start()
    assert run_line(buddy, f"/replay {mode}").startswith(f"Replay is {mode.lower()}: ")
    assert buddy.replay == mode.lower()
    assert buddy.origin("replay") == "this kernel"


def test_without_a_notebook_it_says_what_to_do(buddy: Buddy) -> None:
    assert "Name a file for them" in run_line(buddy, "/replay on")
    assert buddy.replay == "on"
    with pytest.raises(NotKept, match="the notebook's file is not known"):
        run_line(buddy, "/replay forget all")


def test_the_last_answer_can_be_forgotten_and_asked_anew(start: Start) -> None:
    ask(start(replay="on"), "1?", "2?")
    buddy = start(replay="on")
    ask(buddy, "1?", "2?")
    told = run_line(buddy, "/replay forget last")
    assert told.startswith("Deleted 1 answer from ")
    assert run_line(buddy, "/replay forget last") == "There is no such answer."
    again = start(replay="on")
    ask(again, "1?", "2?")
    assert [request.messages[-1].text for request in fake_of(again).requests] == ["2?"]


def test_all_answers_can_be_forgotten(start: Start, tmp_path: Path) -> None:
    buddy = start(replay="on")
    ask(buddy, "1?", "2?")
    assert run_line(buddy, "/replay forget all").startswith("Deleted 2 answers from ")
    assert not (tmp_path / "analysis.buddy.jsonl").exists()
    assert run_line(start(), "/replay forget last") == "There is no such answer."


@pytest.mark.parametrize("arguments", ["maybe", "on off", "forget", "forget 3"])
def test_anything_else_is_refused(start: Start, arguments: str) -> None:
    with pytest.raises(SettingError) as caught:
        run_line(start(), f"/replay {arguments}")
    assert str(caught.value) == (
        f"/replay takes on, off, only, forget last or forget all, not {arguments}. Show "
        "what is kept: %buddy /replay"
    )
