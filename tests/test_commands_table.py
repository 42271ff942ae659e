"""The table of commands: how they are read, and the help."""

from __future__ import annotations

import importlib
import pkgutil
import re
from types import SimpleNamespace

import pytest

from codebuddy_jupyter import commands
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands import COMMANDS, Call, Command, help_rows, read
from codebuddy_jupyter.commands.completion import Offers
from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.question import prompts
from tests.support.command_line import run_line, table
from tests.support.fakes import fake_of

SHELL = SimpleNamespace()


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("/help", Call("help")),
        (" /HELP ", Call("help")),
        ("\n \n\t/help", Call("help")),
        ("/use  local/phi4 ", Call("use", "local/phi4")),
        ("/fix use polars\nx = 1\n", Call("fix", "use polars", "x = 1\n")),
    ],
)
def test_a_slash_after_blanks_and_blank_lines_is_a_command(
    text: str, call: Call
) -> None:
    assert read(text) == call


@pytest.mark.parametrize(
    "text", ["", " \n", "help", "why /help?", "\\/help", "1\n/help"]
)
def test_any_other_text_is_a_prompt(text: str) -> None:
    assert read(text) is None


def test_the_lines_below_belong_to_the_arguments() -> None:
    assert Call("context", "why", "is it empty?\n").arguments == "why\nis it empty?"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("/hlep", "There is no command /hlep. Did you mean /help? Or to ask"),
        ("/Model local", "There is no command /Model. Did you mean /models? Or "),
        ("/fixx", "There is no command /fixx. Did you mean /fix? Or "),
        ("/xyzzy", "There is no command /xyzzy. List all commands: %buddy /help; "),
        ("/", "There is no command /. List all commands: %buddy /help; "),
        ("/home/me/data.csv is empty, why?", "There is no command /home/me/data.csv. "),
    ],
)
def test_an_unknown_command_suggests_the_most_similar(line: str, error: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(line)
    assert str(caught.value).startswith(error)
    assert "\n" not in str(caught.value)


def test_the_table_holds_every_command_that_is_declared() -> None:
    declared = []
    for module in pkgutil.iter_modules(
        commands.__path__, "codebuddy_jupyter.commands."
    ):
        values = vars(importlib.import_module(module.name)).values()
        declared += [value for value in values if isinstance(value, Command)]
    assert {command.name for command in declared} <= set(COMMANDS)
    assert set(prompts.TASKS) <= set(COMMANDS)
    assert all(name == command.name for name, command in COMMANDS.items())


def test_help_completion_and_the_table_agree(buddy: Buddy) -> None:
    rows = table(run_line(buddy, "/help"))[1:]
    assert rows == [list(row) for row in help_rows()]
    in_help = re.findall(r"^%buddy /(\w+)", "\n".join(usage for usage, _ in rows), re.M)
    offers = Offers(SHELL, names=list, folder=lambda: None)
    _, completed = offers.find("/")
    assert in_help == list(COMMANDS)
    assert [text for text, _ in completed] == [f"/{name}" for name in COMMANDS]


def test_offline_holds_for_commands_too(buddy: Buddy) -> None:
    buddy.offline = True
    run_line(buddy, "/models openai")
    assert fake_of(buddy, "OpenAI").offline
