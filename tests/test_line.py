"""The line of a magic: which part are options, and which part is the prompt."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.ipython.line import PARSER
from codebuddy_jupyter.question.options import Options


@pytest.mark.parametrize(
    ("line", "options", "prompt"),
    [
        ("", Options(), ""),
        (" what's up? ", Options(), "what's up?"),
        ("-n what -t is", Options(new=True), "what -t is"),
        ("--model=ollama/qwen:7b  why", Options(model="ollama/qwen:7b"), "why"),
        ('-s "You\'re a parrot" hi', Options(system="You're a parrot"), "hi"),
        ("-o stop='[\"END\"]' hi", Options(extra={"stop": ["END"]}), "hi"),
        ('-o user="1" hi', Options(extra={"user": "1"}), "hi"),
        ("-- -t is which option?", Options(), "-t is which option?"),
        ("-n --", Options(new=True), ""),
        ("--replay why", Options(replay="on"), "why"),
        ("--replay=prompt why", Options(replay="prompt"), "why"),
        ("--replay -t 0 why", Options(replay="on", temperature=0.0), "why"),
        ("--replay", Options(replay="on"), ""),
        ("- a list", Options(), "- a list"),
        ("--into x bool what's up?", Options(variable="x", into="bool"), "what's up?"),
        (
            "--into x dict[str, int] a|b",
            Options(variable="x", into="dict[str, int]"),
            "a|b",
        ),
        ("--into x int | None why", Options(variable="x", into="int | None"), "why"),
        (
            "--into x int|None -n why",
            Options(variable="x", into="int|None", new=True),
            "why",
        ),
        (
            "--into x \"name, mood Literal['a b']\" why",
            Options(variable="x", into="\"name, mood Literal['a b']\""),
            "why",
        ),
        (
            "-n --into x Literal['a ] b', \"c\"]",
            Options(variable="x", into="Literal['a ] b', \"c\"]", new=True),
            "",
        ),
        ("-t 0 --help", Options(), "/help"),
        ("-h why", Options(), "/help"),
    ],
)
def test_a_line_is_split_into_options_and_prompt(
    line: str, options: Options, prompt: str
) -> None:
    assert PARSER.read(line) == (options, prompt)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (
            "--temprature 0 hi",
            "There is no option --temprature. Did you mean --temperature? "
            "Or list all options: %buddy?; or before a prompt that begins with a dash, "
            "type --",
        ),
        ("--xyzzy", "There is no option --xyzzy. List all options: %buddy?; or before"),
        ("-t", "-t needs a value. List all options: %buddy?"),
        ("--into", "--into needs a value. List"),
        ("--into x", "--into needs a name and a type. List"),
        ("--replay= why", "--replay needs a value. List all options"),
        ("-t hot hi", "argument -t/--temperature: invalid float value: 'hot'. List"),
    ],
)
def test_an_error_is_one_line_with_a_remedy(line: str, error: str) -> None:
    with pytest.raises(SettingError) as caught:
        PARSER.read(line)
    assert str(caught.value).startswith(error)
    assert "\n" not in str(caught.value)
