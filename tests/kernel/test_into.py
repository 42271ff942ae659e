"""``%%buddy -c none --into NAME TYPE`` in a real kernel: the variable, and what the cell shows."""

from __future__ import annotations

import pytest

from tests.support.kernels import Kernel
from tests.support.scripted_server import ScriptedServer, question_in, reply

CLASSES = """\
from dataclasses import dataclass
import enum


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@dataclass
class Person:
    "Somebody."
    name: str
    level: Level | None = None
"""
PEOPLE = '{"value": [{"name": "Ada", "level": "HIGH"}]}'


def test_the_value_is_bound_and_shown_as_any_other(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good(CLASSES)
    server.script(reply(PEOPLE))
    cell = kernel.good("%%buddy -c none --into people list[Person]\nWho is it?")
    (output,) = cell.outputs
    assert output["data"] == {
        "text/plain": "[Person(name='Ada', level=<Level.HIGH: 2>)]"
    }
    assert output["metadata"]["codebuddy"]["complete"] is True
    kernel.good(
        "assert people == [Person('Ada', Level.HIGH)]\nassert _.value is people"
    )
    asked = server.asked()[-1]["body"]
    assert asked["response_format"]["type"] == "json_schema"
    assert question_in(asked["messages"][-1]).startswith("Who is it?\n\nAnswer with")


def test_what_was_not_valid_is_not_shown(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(reply("I think so."), reply("```json\n" + '{"value": true}\n```'))
    cell = kernel.good("%%buddy -c none --into late bool\nIs it late?")
    assert [output["data"] for output in cell.outputs] == [{"text/plain": "True"}]
    assert "I think so" not in str(cell.messages)


# The environment as Colab pins it has no pandas here.
@pytest.mark.parametrize("python", ["newest"], indirect=True)
def test_a_frame_is_shown_as_a_table(kernel: Kernel, server: ScriptedServer) -> None:
    kernel.good("import pandas\nfrom typing import Annotated")
    server.script(reply('{"value": [{"name": "Ada", "age": 36}]}'))
    cell = kernel.good(
        '%%buddy -c none --into people Annotated[pandas.DataFrame, "name, age int"]\nWho?'
    )
    (output,) = cell.outputs
    assert "<table" in output["data"]["text/html"]
    kernel.good("assert people.age.sum() == 36")


def test_a_value_that_shows_itself_is_shown_once(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good(
        "from dataclasses import dataclass\n@dataclass\nclass Loud:\n    text: str\n"
        "    def _ipython_display_(self):\n        print('I am', self.text)"
    )
    server.script(reply('{"text": "here"}'))
    cell = kernel.good("%%buddy -c none --into loud Loud\nWhat?")
    assert cell.printed == "I am here\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--into 1st bool", "cannot be the name of a variable"),
        ("--into x Nobody", "There is no type Nobody"),
        ("--into x get_ipython", "cannot be the form of an answer"),
    ],
)
def test_what_cannot_be_is_one_line_and_sends_nothing(
    kernel: Kernel, server: ScriptedServer, line: str, words: str
) -> None:
    cell = kernel.run(f"%%buddy {line}\nWho?")
    assert cell.status == "error"
    assert words in str(cell.reply["evalue"])
    assert server.asked() == []


def test_an_answer_that_stays_invalid_fails_the_cell(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(reply("I would rather not say."))
    cell = kernel.run("%%buddy -c none --into late bool\nIs it late?")
    assert cell.reply["ename"] == "InvalidAnswer"
    assert len(server.asked()) == 3
    kernel.good("assert 'late' not in globals()")


def test_an_awaited_question_gives_a_value(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(reply('{"value": 42}'))
    kernel.good(
        "import codebuddy_jupyter as buddy\n"
        "answer = await buddy.aask('How many?', into=int)\n"
        "assert answer.value == 42"
    )
