"""``%%buddy --into NAME TYPE`` in a shell of this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.display.screens import Display
from codebuddy_jupyter.errors import InvalidAnswer, SettingError
from codebuddy_jupyter.ipython.extension import Extension
from codebuddy_jupyter.ipython.into import with_type
from codebuddy_jupyter.question.options import Options
from tests.support.fakes import FakeProvider, texts


@dataclass
class Person:
    """Somebody."""

    name: str
    age: int


PEOPLE = '{"value": [{"name": "Ada", "age": 36}]}'


@pytest.fixture
def extension(shell: InteractiveShell, buddy: Buddy) -> Iterator[Extension]:
    """The extension, loaded into a shell, with fakes for providers."""
    extension = Extension(shell)
    extension._buddy_and_display = buddy, Display(shell)
    shell.user_ns["Person"] = Person
    yield extension
    extension.unload()


def ask(extension: Extension, line: str, cell: str) -> Any:
    return extension.shell.run_cell_magic("buddy", line, cell)


def test_the_value_gets_a_name_and_is_shown(
    extension: Extension, fake: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.replies = [(PEOPLE,)]
    reply = ask(extension, "--into people list[Person]", "Who is it?\n")
    assert extension.shell.user_ns["people"] == [Person("Ada", 36)]
    assert reply.value is extension.shell.user_ns["people"]
    assert "[Person(name='Ada', age=36)]\n" in capsys.readouterr().out
    assert fake.requests[0].schema is not None


def test_a_record_in_one_line_is_a_type(
    extension: Extension, fake: FakeProvider
) -> None:
    fake.replies = [('{"name": "Ada", "who": {"name": "Bob", "age": 1}}',)]
    ask(extension, '--into it "name, who Person"', "Who?\n")
    assert extension.shell.user_ns["it"].who == Person("Bob", 1)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--into 1st bool", "'1st' cannot be the name of a variable"),
        ("--into df.x bool", "cannot be the name of a variable"),
        ("--into x Persn", r"There is no type Persn\. Did you mean Person\?"),
        ("--into x print('hi')", "is not a type"),
        ("--into x object", "no type object"),
        ("--into x -f html bool", "expected 2 arguments"),
        ("-f html --into x bool", "has no format html"),
        ("--into x get_ipython", "cannot be the form of an answer"),
    ],
)
def test_an_invalid_name_or_type_is_refused_before_anything_is_sent(
    extension: Extension, fake: FakeProvider, typed: str, words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        ask(extension, typed, "Who is it?\n")
    assert fake.requests == []


def test_an_answer_that_stays_invalid_binds_nothing(
    extension: Extension, fake: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = lambda request: ("no idea",)
    with pytest.raises(InvalidAnswer):
        ask(extension, "--into people list[Person]", "Who is it?\n")
    assert "people" not in extension.shell.user_ns
    assert "no idea" not in capsys.readouterr().out


def test_a_dry_run_shows_the_form_and_sends_nothing(
    extension: Extension, fake: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(extension, "--dry-run --into people list[Person]", "Who is it?\n")
    assert '[{"name": "...", "age": a whole number}, ...]' in capsys.readouterr().out
    assert fake.requests == []
    assert "people" not in extension.shell.user_ns


def test_the_question_and_its_json_are_part_of_the_conversation(
    extension: Extension, fake: FakeProvider
) -> None:
    fake.replies = [("Sure: " + PEOPLE,)]
    ask(extension, "--into people list[Person]", "Who is it?\n")
    ask(extension, "", "Older than 30?\n")
    assert texts(fake.requests[1])[-2] == ("assistant", PEOPLE)


def test_without_the_option_nothing_is_looked_up() -> None:
    options = Options(into="nothing")
    assert with_type(options, {}) is options
