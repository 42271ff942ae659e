"""How a command is declared."""

from __future__ import annotations

from codebuddy_jupyter.commands.command import Command, Invocation, command


@command("greet", "[NAME]", "greet somebody")
def greet(invocation: Invocation, name: str) -> str:
    return f"Hello, {name}."


def test_a_declared_function_is_a_command_with_its_usage() -> None:
    assert (greet.name, greet.usage) == ("greet", "%buddy /greet [NAME]")
    assert not greet.asks_model
    assert greet.function is not None


def test_a_command_without_arguments_has_no_space_at_its_end() -> None:
    assert Command("help", "", "show this table").usage == "%buddy /help"


def test_a_command_without_a_function_asks_the_model() -> None:
    assert Command("fix", "", "fix the code").asks_model
