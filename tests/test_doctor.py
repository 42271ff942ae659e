"""The commands that examine a provider: ``/doctor``, and ``codebuddy doctor`` in a shell."""

from __future__ import annotations

import json

import pytest
from markdown_it import MarkdownIt

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.cli import command_line
from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.question.exchange import ANSWER_ROOM
from tests.support.command_line import run_line
from tests.support.fakes import FakeProvider, fake_of
from tests.support.reports import SHORT
from tests.support.scripted_server import (
    Answer,
    ScriptedServer,
    as_json,
)

pytestmark = pytest.mark.usefixtures("well_server")


def command(buddy: Buddy, line: str) -> str:
    return str(MarkdownIt().render(run_line(buddy, line)))


def test_the_command_examines_the_provider_in_use(
    buddy: Buddy, fake: FakeProvider
) -> None:
    shown = command(buddy, "/doctor")
    assert "Fake is working." in shown
    assert len(fake.requests) == 1
    assert buddy.chat.turns == []


def test_the_command_examines_the_provider_that_is_named(buddy: Buddy) -> None:
    command(buddy, "/doctor openai")
    assert len(fake_of(buddy, "OpenAI").requests) == 1


def test_the_command_gives_json_for_a_report(buddy: Buddy) -> None:
    shown = run_line(buddy, "/doctor --json")
    assert (
        json.loads(shown.removeprefix("```json\n").removesuffix("```\n"))["ok"] is True
    )


@pytest.mark.parametrize("line", ["/doctor --jsn", "/doctor local openai"])
def test_the_command_says_what_it_takes(buddy: Buddy, line: str) -> None:
    with pytest.raises(SettingError, match="/doctor takes a provider and --json"):
        run_line(buddy, line)


def test_what_the_next_question_needs_grows_with_the_conversation(
    buddy: Buddy, fake: FakeProvider
) -> None:
    before = buddy.needed()
    assert before > ANSWER_ROOM
    buddy.ask("x" * 7000).result()
    assert buddy.needed() > before + 1500


@pytest.mark.parametrize(
    ("answer", "status"),
    [(SHORT, 0), (as_json({"error": "oh"}, 500), 1)],
    ids=["well", "not well"],
)
def test_the_shell_command_ends_as_the_checks_do(
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: Answer,
    status: int,
) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", server.url)
    server.script(answer)
    assert command_line.main(["doctor"]) == status
    assert f"\n{'✗✓'[status == 0]} answer" in capsys.readouterr().out
    assert command_line.main(["doctor", "local", "--json"]) == status
    assert json.loads(capsys.readouterr().out)["ok"] is (status == 0)


def test_the_shell_command_names_a_provider_that_there_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command_line.main(["doctor", "olama"]) == 1
    assert "There is no provider 'olama'" in capsys.readouterr().err
