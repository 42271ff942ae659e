"""The errors as the user meets them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from codebuddy_jupyter import errors

TREE = errors.__doc__ or ""


def all_errors() -> list[type[BaseException]]:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    return [
        error
        for error in classes
        if issubclass(error, BaseException) and not error.__name__.startswith("_")
    ]


def in_cell(error: str, cause: str = "None") -> str:
    return f"from codebuddy_jupyter import errors\nraise errors.{error} from {cause}"


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_every_error_stands_in_the_drawn_tree_below_its_base(
    kind: type[BaseException],
) -> None:
    drawn = [
        line for line in TREE.splitlines() if re.search(rf"\b{kind.__name__}\b", line)
    ]
    base = kind.__bases__[-1]
    assert len(drawn) == 1
    if base not in (Exception, KeyboardInterrupt):
        parent = next(
            line
            for line in TREE.splitlines()
            if re.search(rf"\b{base.__name__}\b", line)
        )
        assert TREE.index(parent) < TREE.index(drawn[0])
        assert drawn[0].index(kind.__name__) == parent.index(base.__name__) + 4


def test_a_failed_cell_shows_one_line(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    result = shell.run_cell(
        in_cell("Unreachable('Nothing answers. Start it.')", "OSError(111)")
    )
    shown = capsys.readouterr().out
    assert not result.success
    assert shown.strip().splitlines() == [
        "\x1b[31mbuddy:\x1b[0m Nothing answers. Start it."
    ]


def test_tb_afterwards_shows_all_with_the_cause(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell(
        in_cell("Unreachable('Nothing answers.')", "OSError('refused by the host')")
    )
    capsys.readouterr()
    shell.run_line_magic("tb", "")
    shown = capsys.readouterr().out
    assert "OSError: refused by the host" in shown
    assert "The above exception was the direct cause" in shown
    assert "Nothing answers." in shown


def test_a_stop_is_shown_as_one_line_too(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell(in_cell("Stopped('Stopped. The part that was received is kept.')"))
    assert capsys.readouterr().out.strip().splitlines() == [
        "\x1b[31mbuddy:\x1b[0m Stopped. The part that was received is kept."
    ]


def test_a_stop_is_not_swallowed_by_except_exception() -> None:
    assert not issubclass(errors.Stopped, Exception)
    assert issubclass(errors.Stopped, KeyboardInterrupt)


def test_errors_tell_their_numbers() -> None:
    too_long = errors.PromptTooLong("too long", tokens=9020, window=8192)
    assert (str(too_long), too_long.tokens, too_long.window) == ("too long", 9020, 8192)
    assert errors.ServerError("it says no", status=503).status == 503


def test_remedies_are_joined_to_one_line() -> None:
    start = errors.Remedy("Start it", "ollama serve")
    switch = errors.Remedy("Use another", "%buddy /use embedded")
    error = errors.Unreachable("Nothing answers.", start, switch)
    assert str(error) == (
        "Nothing answers. Start it: ollama serve; or use another: %buddy /use embedded"
    )


def test_a_remedy_that_is_a_question_is_shown_without_its_command() -> None:
    suggestion = errors.did_you_mean("/modles", ["/help", "/models"], "%buddy {}")
    assert suggestion == errors.Remedy("Did you mean /models?", "%buddy /models")
    listed = errors.Remedy("List all", "%buddy /help")
    error = errors.SettingError("There is no command /modles.", suggestion, listed)
    assert str(error) == (
        "There is no command /modles. Did you mean /models? Or list all: %buddy /help"
    )


def test_nothing_is_suggested_that_is_not_similar() -> None:
    assert errors.did_you_mean("/xyzzy", ["/help", "/models"]) is None


def test_no_escape_sequence_of_a_server_reaches_a_screen() -> None:
    """What a server or the name of a model says is quoted in errors."""
    words = "bad \x1b[2J\x9b1m\x07\x08\rmodel"
    error = errors.ServerError(
        words, errors.Remedy(f"Use {words}", f"%buddy /use {words}")
    )
    error.__cause__ = ValueError(words)
    shown = [str(error), error.what, str(error.remedies[0]), *_rendered(error)]
    assert not set("".join(shown)) & set("\x9b\x07\x08\r")
    assert "\x1b" not in str(error) + error.remedies[0].command
    assert "".join(_rendered(error)).count("\x1b") == 0
    assert "bad [2J1mmodel" in str(error)


def _rendered(error: errors.ServerError) -> list[str]:
    """The lines that ``%tb`` shows."""
    return error._render_traceback_()
