"""What one question may set for itself."""

from __future__ import annotations

import argparse
import inspect
from dataclasses import fields
from typing import Any

import pytest

from codebuddy_jupyter.api import ask
from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.question.options import Options, add_arguments, options_from


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    return parser


def read(*words: str) -> Options:
    return options_from(parser().parse_args(words))


@pytest.mark.parametrize(
    ("words", "options"),
    [
        pytest.param([], Options(), id="none"),
        pytest.param(
            ["-m", "openai/gpt-4o"], Options(model="openai/gpt-4o"), id="model"
        ),
        pytest.param(["-p", "local"], Options(provider="local"), id="provider"),
        pytest.param(["-s", "Be brief."], Options(system="Be brief."), id="system"),
        pytest.param(["-s", ""], Options(system=""), id="no system"),
        pytest.param(["-t", "0"], Options(temperature=0.0), id="temperature"),
        pytest.param(["--max-tokens", "5"], Options(max_tokens=5), id="max-tokens"),
        pytest.param(["-f", "json"], Options(format="json"), id="format"),
        pytest.param(["-n"], Options(new=True), id="new"),
        pytest.param(["--replay"], Options(replay="on"), id="replay"),
        pytest.param(
            ["--replay", "-n"], Options(replay="on", new=True), id="replay, new"
        ),
        pytest.param(
            ["--replay", "prompt"], Options(replay="prompt"), id="replay mode"
        ),
        pytest.param(
            ["--new", "--format", "code"],
            Options(new=True, format="code"),
            id="long names",
        ),
    ],
)
def test_what_is_typed_becomes_options(words: list[str], options: Options) -> None:
    assert read(*words) == options


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("top_p=0.9", 0.9),
        ("seed=1", 1),
        ("think=false", False),
        ("stop=null", None),
        ('stop=["a", "b"]', ["a", "b"]),
        ('options={"num_ctx": 8192}', {"num_ctx": 8192}),
        ("user=me", "me"),
        ("reasoning_effort=low", "low"),
        ("stop=a=b", "a=b"),
        ("stop=", ""),
        ('user="1"', "1"),
        ("top_p=NaN", "NaN"),
        ("top_p=-Infinity", "-Infinity"),
    ],
)
def test_any_other_field_is_json_where_it_can_be_and_text_else(
    typed: str, sent: Any
) -> None:
    name = typed.partition("=")[0]
    assert read("-o", typed).extra == {name: sent}


def test_several_other_fields_may_be_set() -> None:
    assert read("-o", "top_p=0.9", "--option", "seed=1").extra == {
        "top_p": 0.9,
        "seed": 1,
    }


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            {"format": "yaml"},
            "There is no format 'yaml': choose one of markdown, text, code, json, html, math.",
        ),
        ({"temperature": -0.1}, "The temperature must be between 0 and 2, not -0.1."),
        ({"temperature": 2.5}, "The temperature must be between 0 and 2, not 2.5."),
        (
            {"temperature": float("nan")},
            "The temperature must be between 0 and 2, not nan.",
        ),
        ({"max_tokens": 0}, "--max-tokens must be 1 or more, not 0."),
        (
            {"extra": {"model": "x", "messages": []}},
            "messages, model cannot be set by -o: the buddy sets that itself.",
        ),
        (
            {"into": bool, "format": "html"},
            "An answer that becomes a value has no format html.",
        ),
        (
            {"extra": {"stream": False}},
            "stream cannot be set by -o: the buddy sets that itself.",
        ),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError) as caught:
        Options(**wrong)
    assert str(caught.value) == told


@pytest.mark.parametrize("typed", ["top_p", "=1", ""])
def test_another_field_without_name_or_value_is_refused(typed: str) -> None:
    with pytest.raises(
        SettingError, match=r"-o takes KEY=VALUE, such as -o top_p=0\.9, not "
    ):
        read("-o", typed)


def test_python_and_the_magic_take_the_same_options() -> None:
    names = {field.name for field in fields(Options)}
    typed = {action.dest for action in parser()._actions}
    internal = {"variable", "in_cell", "replaces_cell", "step"}
    assert typed == names - {"remember", "into"} - internal
    # What is proposed is shown by a cell or a panel.
    asked = names - {"dry_run", "propose"} - internal | {"prompt"}
    assert set(inspect.signature(ask).parameters) == asked
